//! Pages of grants.

use rusqlite::{Connection, Transaction};

use super::{
    clients,
    rows::{ahead, first, rows},
};
use crate::{
    client::ClientIdentifier,
    grant::GrantId,
    store::{
        GrantFilter, GrantOfClient, GrantRecord, StoreError,
        column::{Stored as _, Value, first_after},
        statements::grants,
    },
};

/// Behind every grant.
const LAST: [u8; 16] = [u8::MAX; 16];

/// How many grants one snapshot looks through for those that pass a filter. As long as one is open, the log
/// cannot be begun anew.
pub(super) const LOOKED_THROUGH: usize = 20_000;

/// One grant.
pub(super) fn grant(
    connection: &Connection,
    id: GrantId,
) -> Result<Option<GrantRecord>, StoreError> {
    first(connection, &grants::SELECT, &[id.value()])
}

/// One grant and its client, from one snapshot.
pub(super) fn grant_of_client(
    snapshot: &Transaction<'_>,
    id: GrantId,
) -> Result<Option<GrantOfClient>, StoreError> {
    let Some(grant) = grant(snapshot, id)? else { return Ok(None) };
    let client = match &grant.client {
        ClientIdentifier::Registered(id) => clients::client(snapshot, *id)?,
        ClientIdentifier::Document(_) => None,
    };
    Ok(Some(GrantOfClient { grant, client }))
}

/// One page of grants: those of one subject by an index, others from as many snapshots as it takes to fill
/// the page, each of which looks through `looked_through`.
pub(super) fn page(
    connection: &Connection,
    filter: &GrantFilter,
    after: Option<GrantId>,
    limit: usize,
    looked_through: usize,
) -> Result<Vec<GrantRecord>, StoreError> {
    let client = || Value::Text(filter.client.as_ref().map(|client| client.to_string().into()));
    let (mut page, mut next) = (Vec::new(), first_after(after));
    while let Some(first) = next
        && page.len() < limit
    {
        let (rest, from) = (Value::limit(limit - page.len()), Value::Id(first));
        if let Some(subject) = &filter.subject {
            let parameters = [subject.value(), from, client(), rest];
            return rows(connection, &grants::SELECT_PAGE_OF_SUBJECT, &parameters);
        }
        // Where all pass, a page is found at once.
        let end = if *filter == GrantFilter::default() {
            None
        } else {
            ahead(connection, &grants::SELECT_AHEAD, first, looked_through)?
        };
        let parameters = [from, Value::Id(end.unwrap_or(LAST)), client(), rest];
        page.append(&mut rows(connection, &grants::SELECT_PAGE, &parameters)?);
        next = end.and_then(|end| first_after(Some(GrantId::from_bytes(end))));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientIdentifier,
        store::{
            changes,
            contract::grants::Grants,
            embedded::{
                rows::{Direct, at_once},
                schema,
            },
            statements::people,
        },
    };

    #[test]
    fn grants_behind_a_filter_are_found_however_far_apart_they_are() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let grants = Grants::new();
        let mut all: Vec<GrantRecord> = (0..40).map(|_| grants.next()).collect();
        all.sort_by_key(|grant| grant.grant_id);
        let rare_client: ClientIdentifier = "https://rare.example/client.json".parse().unwrap();
        for nth in [0, 7, 39] {
            all[nth].client = rare_client.clone();
        }
        at_once(changes::keep_grants(&mut Direct(&connection), &all)).unwrap();
        let filter = GrantFilter { client: Some(rare_client), subject: None };
        let found = |after, limit| -> Vec<GrantId> {
            let page = page(&connection, &filter, after, limit, 3).unwrap();
            page.iter().map(|grant| grant.grant_id).collect()
        };
        let rare = [0, 7, 39].map(|nth: usize| all[nth].grant_id);
        assert_eq!(found(None, 10), rare);
        assert_eq!(found(None, 2), rare[..2]);
        assert_eq!(found(Some(rare[1]), 1), rare[2..]);
        assert!(found(Some(rare[2]), 1).is_empty());
    }

    #[test]
    fn what_somebody_has_allowed_is_found_by_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        for (sql, found) in [
            (grants::SELECT_PAGE_OF_SUBJECT.sqlite, "grant_id>?"),
            (grants::SELECT_NEWEST_OF_SUBJECT.sqlite, "grant_id<?"),
        ] {
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = explained.raw_query().mapped(|step| step.get(3));
            let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            let by_index = format!("grants_of_subject (subject=? AND {found})");
            // One step: nothing is sorted.
            assert!(plan.len() == 1 && plan[0].contains(&by_index), "{plan:?}");
        }
    }
    #[test]
    fn people_are_listed_by_steps_in_indexes() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        for sql in [people::SELECT_PAGE.sqlite, people::SELECT.sqlite] {
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = explained.raw_query().mapped(|step| step.get(3));
            let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            for (table, index) in [
                ("grants", "grants_of_subject"),
                ("sessions", "sessions_by_subject"),
                ("consents", "consents_of_subject"),
            ] {
                let of_table = plan.iter().filter(|step| step.split(' ').nth(1) == Some(table));
                let steps: Vec<_> = of_table.collect();
                let is_step = |step: &&String| step.starts_with("SEARCH") && step.contains(index);
                assert!(steps.len() >= 2 && steps.iter().all(is_step), "{table}: {plan:#?}");
            }
        }
    }
}
