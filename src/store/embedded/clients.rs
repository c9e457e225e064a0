//! The clients in SQL: every statement that touches the table, and the way between a record and a row.

use std::fmt::Write as _;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Statement, params};

use super::{
    fault::store_error,
    rows::{first, rows},
};
use crate::{
    client::{ClientId, ProfileName},
    store::{
        ClientFilter, ClientRecord, Deleted, Imported, StoreError,
        row::{FromRow, corrupt, moment, row_count, select},
    },
};

/// Keeps a client; a client that is there already is a constraint violation.
pub(super) const INSERT: &str = "INSERT INTO clients \
    (client_id, issued_at, profile, source, flags, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const INSERT_NEW: &str = "INSERT INTO clients \
    (client_id, issued_at, profile, source, flags, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (client_id) DO NOTHING";

const SELECT: &str = select!(clients, "WHERE client_id = ?1");

const SELECT_ALL: &str = select!(clients, "ORDER BY client_id");

/// `lower` knows ASCII alone, which is what the filter promises. A document that is not JSON cannot be
/// searched; that must not hide the clients after it.
const SELECT_PAGE: &str = select!(
    clients,
    "WHERE client_id > ?1 AND client_id <= ?8 \
      AND (?2 IS NULL OR profile = ?2) \
      AND flags & ?3 = ?3 \
      AND (?4 IS NULL OR issued_at >= ?4) \
      AND (?5 IS NULL OR issued_at < ?5) \
      AND (?6 IS NULL OR (json_valid(metadata) \
           AND instr(lower(metadata ->> '$.client_name'), ?6) > 0)) \
    ORDER BY client_id LIMIT ?7"
);

/// The client so many behind another.
const SELECT_AHEAD: &str =
    "SELECT client_id FROM clients WHERE client_id > ?1 ORDER BY client_id LIMIT 1 OFFSET ?2";

/// How many clients one snapshot looks through at most for those that pass a filter. As long as one is open,
/// the log cannot be begun anew.
const LOOKED_THROUGH_MAX: usize = 20_000;

/// Whether exactly this record is there.
const SELECT_SAME: &str = "SELECT 1 FROM clients WHERE client_id = ?1 AND issued_at = ?2 \
    AND profile = ?3 AND source IS ?4 AND flags = ?5 AND metadata = ?6";

/// Runs an [`INSERT`]; `text` is scratch space that spares an allocation a record.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    client: &ClientRecord,
    text: &mut String,
) -> rusqlite::Result<usize> {
    bind(statement, client, text)?;
    statement.raw_execute()
}

/// Writes as much as a registration does and takes it back: a probe that wrote less would find room on a
/// full disk where no client does. Nobody sees the row, since it is gone before the transaction ends.
pub(super) fn probe(change: &Connection) -> rusqlite::Result<()> {
    const NOBODY: ClientId = ClientId::from_bytes([u8::MAX; 16]);
    let metadata = " ".repeat(2_048);
    change.prepare_cached(INSERT)?.execute(params![
        NOBODY.as_bytes(),
        0,
        "",
        None::<&str>,
        0,
        metadata
    ])?;
    delete(change, NOBODY).map(drop)
}

fn bind(
    statement: &mut Statement<'_>,
    client: &ClientRecord,
    text: &mut String,
) -> rusqlite::Result<()> {
    text.clear();
    let source = client.source.map(|address| {
        write!(text, "{address}").expect("a string takes any text");
        text.as_str()
    });
    let issued_at = i64::try_from(client.issued_at.as_millis())
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    statement.raw_bind_parameter(1, client.client_id.as_bytes())?;
    statement.raw_bind_parameter(2, issued_at)?;
    statement.raw_bind_parameter(3, client.profile.as_str())?;
    statement.raw_bind_parameter(4, source)?;
    statement.raw_bind_parameter(5, client.flags.bits())?;
    statement.raw_bind_parameter(6, &client.metadata)
}

/// One client.
pub(super) fn client(
    connection: &Connection,
    id: ClientId,
) -> Result<Option<ClientRecord>, StoreError> {
    first(connection, SELECT, [id.as_bytes()])
}

/// One page of clients, from as many snapshots as it takes to fill it.
pub(super) fn page(
    connection: &Connection,
    filter: &ClientFilter,
    mut after: Option<ClientId>,
    limit: usize,
) -> Result<Vec<ClientRecord>, StoreError> {
    if *filter == ClientFilter::default() {
        return page_up_to(None, connection, filter, after, limit);
    }
    let mut page = Vec::new();
    // The more in vain, the farther.
    let mut distance = limit;
    loop {
        distance = distance.saturating_mul(2).min(LOOKED_THROUGH_MAX);
        let end = ahead(connection, after, distance).map_err(store_error)?;
        page.extend(page_up_to(end, connection, filter, after, limit - page.len())?);
        if page.len() == limit || end.is_none() {
            return Ok(page);
        }
        after = end;
    }
}

/// The client `distance` behind `after`, if there are so many.
fn ahead(
    connection: &Connection,
    after: Option<ClientId>,
    distance: usize,
) -> rusqlite::Result<Option<ClientId>> {
    let mut statement = connection.prepare_cached(SELECT_AHEAD)?;
    statement
        .query_row(params![bytes(after.as_ref()), row_count(distance)], |row| row.get(0))
        .optional()
        .map(|id| id.map(ClientId::from_bytes))
}

/// What stands before every client when there is none.
fn bytes(id: Option<&ClientId>) -> &[u8] {
    id.map_or(&[], |id| id.as_bytes())
}

fn page_up_to(
    end: Option<ClientId>,
    connection: &Connection,
    filter: &ClientFilter,
    after: Option<ClientId>,
    limit: usize,
) -> Result<Vec<ClientRecord>, StoreError> {
    let end = end.unwrap_or(ClientId::from_bytes([u8::MAX; 16]));
    let parameters = params![
        bytes(after.as_ref()),
        filter.profile.map(ProfileName::as_str),
        filter.flags.bits(),
        filter.issued_from.map(moment),
        filter.issued_until.map(moment),
        filter.name_contains.as_ref().map(|name| name.to_ascii_lowercase()),
        row_count(limit),
        end.as_bytes(),
    ];
    rows(connection, SELECT_PAGE, parameters)
}

/// Shows every client to `visit`, also those that do not load.
pub(super) fn walk(
    connection: &Connection,
    visit: &mut dyn FnMut(Result<ClientRecord, StoreError>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(SELECT_ALL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(ClientRecord::from_row(row));
    }
    Ok(())
}

/// How many clients there are. Walks the whole tree: SQLite keeps no count.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count =
        connection.query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0));
    count.map(|count| u64::try_from(count).expect("a count is not negative"))
}

/// Forgets a client.
pub(super) fn delete(connection: &Connection, id: ClientId) -> rusqlite::Result<Deleted> {
    let mut statement = connection.prepare_cached("DELETE FROM clients WHERE client_id = ?1")?;
    Ok(match statement.execute([id.as_bytes()])? {
        0 => Deleted::NotThere,
        _ => Deleted::Forgotten,
    })
}

/// Keeps one client of an import, unless a client of its identifier is there.
pub(super) fn import(
    connection: &Connection,
    client: &ClientRecord,
    text: &mut String,
) -> rusqlite::Result<Imported> {
    let mut insert_new = connection.prepare_cached(INSERT_NEW)?;
    if insert(&mut insert_new, client, text)? > 0 {
        return Ok(Imported::Kept);
    }
    let mut same = connection.prepare_cached(SELECT_SAME)?;
    bind(&mut same, client, text)?;
    Ok(match same.raw_query().next()? {
        Some(_) => Imported::AlreadyThere,
        None => Imported::Differs,
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
