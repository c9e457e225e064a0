//! Clients: pages of a filter, imports, and the probe of the writer.

use rusqlite::{Connection, ErrorCode, Statement};

use super::{
    fault::store_error,
    rows::{self, each, execute, first},
};
use crate::{
    client::{ClientId, ProfileName},
    clock::Timestamp,
    store::{
        ClientFilter, ClientFlags, ClientRecord, ClientRegistration, ClientState, Imported,
        StoreError, SuspendedFamilies,
        arrival::{Newcomer, Registration, arrivals},
        column::{Record as _, Stored as _, client_page, corrupt, first_after},
        statements::{clients, families},
    },
};

/// How many clients one snapshot looks through at most for those that pass a filter. As long as one is open,
/// the log cannot be begun anew.
const LOOKED_THROUGH_MAX: usize = 20_000;

/// Behind every client.
const LAST: [u8; 16] = [u8::MAX; 16];

/// Runs a statement that inserts a client with its family.
pub(super) fn register(
    statement: &mut Statement<'_>,
    newcomer: &Newcomer,
) -> rusqlite::Result<usize> {
    check_time(&newcomer.client)?;
    rows::insert(statement, &Registration::from(newcomer))
}

/// Stores what families are told of clients that were registered.
pub(super) fn arrive<'a>(
    change: &Connection,
    registered: impl Iterator<Item = &'a Newcomer>,
) -> rusqlite::Result<()> {
    let mut statement = change.prepare_cached(families::ARRIVE.sqlite)?;
    for arrival in arrivals(registered) {
        rows::insert(&mut statement, &arrival)?;
    }
    Ok(())
}

/// A client cannot have registered later than the table can hold.
fn check_time(client: &ClientRecord) -> rusqlite::Result<()> {
    i64::try_from(client.issued_at.as_millis())
        .map(drop)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Writes as much as a registration does and takes it back: a probe that wrote less would find room on a
/// full disk where no client does. Nobody sees the row, since it is gone before the transaction ends.
pub(super) fn probe(change: &Connection) -> rusqlite::Result<()> {
    let client = ClientRecord {
        client_id: ClientId::from_bytes([u8::MAX; 16]),
        issued_at: Timestamp::from_millis(0),
        profile: ProfileName::Rfc7591,
        source: None,
        flags: ClientFlags::default(),
        metadata: " ".repeat(2_048),
        state: ClientState::default(),
        registration: ClientRegistration::default(),
    };
    rows::insert(&mut *change.prepare_cached(clients::ADD.sqlite)?, &client)?;
    execute(change, &clients::DELETE, &[client.client_id.value()]).map(drop)
}

/// One client.
pub(super) fn client(
    connection: &Connection,
    id: ClientId,
) -> Result<Option<ClientRecord>, StoreError> {
    first(connection, &clients::SELECT, &[id.value()])
}

/// One page of clients, from as many snapshots as it takes to fill it.
pub(super) fn page(
    connection: &Connection,
    filter: &ClientFilter,
    after: Option<ClientId>,
    limit: usize,
) -> Result<Vec<ClientRecord>, StoreError> {
    // Lists by standing come another way.
    let suspended = SuspendedFamilies::default();
    let (mut page, mut next) = (Vec::new(), first_after(after));
    // Back off exponentially.
    let mut distance = limit;
    while let Some(first) = next
        && page.len() < limit
    {
        distance = distance.saturating_mul(2).min(LOOKED_THROUGH_MAX);
        let end = if *filter == ClientFilter::default() {
            None
        } else {
            rows::ahead(connection, &clients::SELECT_AHEAD, first, distance)?
        };
        let rest = if filter.reads_records() { usize::MAX } else { limit - page.len() };
        let parameters = client_page(filter, first, end.unwrap_or(LAST), rest);
        each(connection, clients::select_page(filter.flags), &parameters, &mut |row| {
            if page.len() < limit {
                let client = ClientRecord::from_row(row)?;
                page.extend(filter.passes(&client, &suspended).then_some(client));
            }
            Ok(())
        })?;
        next = end.and_then(|end| first_after(Some(ClientId::from_bytes(end))));
    }
    Ok(page)
}

/// Shows every client to `visit`, also those that do not load.
pub(super) fn walk(
    connection: &Connection,
    visit: &mut dyn FnMut(Result<ClientRecord, StoreError>),
) -> Result<(), StoreError> {
    each(connection, &clients::SELECT_ALL, &[], &mut |row| {
        visit(ClientRecord::from_row(row));
        Ok(())
    })
}

/// How many clients there are. Walks the whole tree: SQLite keeps no count.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count = connection.query_row(clients::COUNT.sqlite, [], |row| row.get::<_, i64>(0));
    count.map(|count| u64::try_from(count).expect("a count is not negative"))
}

/// Stores one client of an import, unless a client of its identifier exists.
pub(super) fn import(
    connection: &Connection,
    client: &ClientRecord,
) -> Result<Imported, rusqlite::Error> {
    check_time(client)?;
    if rows::insert(&mut *connection.prepare_cached(clients::IMPORT.sqlite)?, client)? > 0 {
        return Ok(Imported::Kept);
    }
    Ok(match self::client(connection, client.client_id) {
        Ok(Some(stored)) if stored == *client => Imported::AlreadyThere,
        _ => Imported::Differs,
    })
}

/// The error of a client that could not be inserted though the store is well.
pub(super) fn insert_error(client: &ClientRecord, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        // A new identifier holds 74 bits of chance: it is not there already unless something is wrong.
        Some(ErrorCode::ConstraintViolation) => {
            corrupt(format!("client {}", client.client_id), error)
        }
        _ => store_error(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{super::schema, ClientFlags, clients};

    #[test]
    fn a_list_with_an_index_of_its_own_follows_it_and_sorts_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let flagged = clients::select_page(ClientFlags::LOOK_ALIKE);
        for (statement, index) in [
            (&clients::SELECT_PAGE_BY_USE, "clients_by_use"),
            (flagged, "clients_flagged"),
            (&clients::SELECT_PAGE_BY_STANDING, "clients_by_standing"),
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {}", statement.sqlite);
            let mut explained = connection.prepare(&explained).unwrap();
            let steps = explained.raw_query().mapped(|step| step.get(3));
            let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            assert!(plan.len() == 1 && plan[0].contains(index), "{index}: {plan:?}");
        }
    }

    #[test]
    fn the_standings_of_a_family_are_counted_without_a_look_at_all_clients() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let sql = clients::COUNT_STANDINGS_OF_FAMILY.sqlite;
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explained.raw_query().mapped(|step| step.get(3));
        let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert!(
            plan.iter().any(|step| step.contains("family_members USING PRIMARY KEY (family_id=?"))
        );
        assert!(!plan.iter().any(|step| step.starts_with("SCAN clients")), "{plan:#?}");
    }
}
