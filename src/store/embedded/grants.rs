//! The grants and consents in SQL.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::{
    fault::store_error,
    rows::{first, rows},
};
use crate::{
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    grant::GrantId,
    store::{
        ConsentRecord, Deleted, GrantFilter, GrantRecord, Purchase, Redeemed, Rotated, Rotation,
        Step, StoreError,
        row::{lines, moment, row_count, select},
    },
};

const SELECT: &str = select!(grants, "WHERE grant_id = ?1");

const SELECT_PAGE: &str = select!(
    grants,
    "WHERE grant_id > ?1 AND grant_id <= ?2 AND (?3 IS NULL OR client = ?3) ORDER BY grant_id LIMIT ?4"
);

const SELECT_PAGE_OF_SUBJECT: &str = select!(
    grants,
    "WHERE subject = ?1 AND grant_id > ?2 AND (?3 IS NULL OR client = ?3) ORDER BY grant_id LIMIT ?4"
);

const SELECT_NEWEST_OF_SUBJECT: &str =
    select!(grants, "WHERE subject = ?1 AND grant_id < ?2 ORDER BY grant_id DESC LIMIT ?3");

/// The grant so many behind another.
const SELECT_AHEAD: &str =
    "SELECT grant_id FROM grants WHERE grant_id > ?1 ORDER BY grant_id LIMIT 1 OFFSET ?2";

/// What stands behind every grant.
const LAST: [u8; 16] = [u8::MAX; 16];

/// How many grants one snapshot looks through for those that pass a filter. As long as one is open, the log
/// cannot be begun anew.
pub(super) const LOOKED_THROUGH: usize = 20_000;

/// A grant that is there goes on to a later state, and never back.
const INSERT: &str = "INSERT INTO grants (grant_id, client, subject, scope, resources, issued_at, \
    expires_at, code_hash, redirect_uri, code_challenge, code_expires_at, redeemed_at, refresh_family, \
    refresh_current, refresh_previous, superseded_at, refresh_expires_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) \
    ON CONFLICT (grant_id) DO UPDATE SET expires_at = excluded.expires_at, \
    redeemed_at = excluded.redeemed_at, refresh_family = excluded.refresh_family, \
    refresh_current = excluded.refresh_current, refresh_previous = excluded.refresh_previous, \
    superseded_at = excluded.superseded_at, refresh_expires_at = excluded.refresh_expires_at \
    WHERE code_hash = excluded.code_hash AND (coalesce(redeemed_at, -1), coalesce(superseded_at, -1)) \
    < (coalesce(excluded.redeemed_at, -1), coalesce(excluded.superseded_at, -1))";

/// Keeps a grant that is new, or in a later state than it is kept; returns whether it was, as 1 or 0.
pub(super) fn insert(change: &Connection, grant: &GrantRecord) -> rusqlite::Result<usize> {
    let (code, refresh) = (&grant.code, grant.refresh.as_ref());
    let previous = refresh.and_then(|refresh| refresh.previous.as_ref());
    change.prepare_cached(INSERT)?.execute(params![
        grant.grant_id.as_bytes(),
        grant.client.to_string(),
        grant.subject,
        grant.scope.as_ref().map(Scope::as_str),
        lines(&grant.resources),
        moment(grant.issued_at),
        moment(grant.expires_at),
        code.hash.as_bytes(),
        code.redirect_uri,
        code.challenge.as_bytes(),
        moment(code.expires_at),
        code.redeemed_at.map(moment),
        refresh.map(|refresh| refresh.family.as_bytes()),
        refresh.map(|refresh| refresh.current.as_bytes()),
        previous.map(|(hash, _)| hash.as_bytes()),
        previous.map(|(_, superseded_at)| moment(*superseded_at)),
        refresh.map(|refresh| moment(refresh.expires_at)),
    ])
}

/// One grant.
pub(super) fn grant(
    connection: &Connection,
    id: GrantId,
) -> Result<Option<GrantRecord>, StoreError> {
    first(connection, SELECT, [id.as_bytes()])
}

/// One page of grants: those of one subject are found at once, others from as many snapshots as it takes to fill
/// the page, each of which looks through `looked_through`.
pub(super) fn page(
    connection: &Connection,
    filter: &GrantFilter,
    after: Option<GrantId>,
    limit: usize,
    looked_through: usize,
) -> Result<Vec<GrantRecord>, StoreError> {
    let client = filter.client.as_ref().map(ToString::to_string);
    // What stands before every grant when there is none, and behind all.
    let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    if let Some(subject) = &filter.subject {
        let parameters = params![subject, after, client, row_count(limit)];
        return rows(connection, SELECT_PAGE_OF_SUBJECT, parameters);
    }
    let mut page = Vec::new();
    loop {
        // Where all pass, a page is found at once.
        let end = if *filter == GrantFilter::default() {
            None
        } else {
            ahead(connection, &after, looked_through).map_err(store_error)?
        };
        let until = end.unwrap_or(LAST);
        let rest = row_count(limit - page.len());
        let parameters = params![after, until, client, rest];
        page.append(&mut rows(connection, SELECT_PAGE, parameters)?);
        match end {
            Some(end) if page.len() < limit => after = end.to_vec(),
            _ => return Ok(page),
        }
    }
}

/// The last grants of a subject.
pub(super) fn newest(
    connection: &Connection,
    subject: &str,
    before: Option<GrantId>,
    limit: usize,
) -> Result<Vec<GrantRecord>, StoreError> {
    let before = before.as_ref().map_or(&LAST, GrantId::as_bytes);
    rows(connection, SELECT_NEWEST_OF_SUBJECT, params![subject, before, row_count(limit)])
}

/// The grant `distance` behind the next one after `after`, if there are so many.
fn ahead(
    connection: &Connection,
    after: &[u8],
    distance: usize,
) -> rusqlite::Result<Option<[u8; 16]>> {
    let mut statement = connection.prepare_cached(SELECT_AHEAD)?;
    statement.query_row(params![after, row_count(distance)], |row| row.get(0)).optional()
}

/// Spends the code of a grant.
pub(super) fn redeem(
    change: &Connection,
    id: GrantId,
    purchase: &Purchase,
) -> rusqlite::Result<Redeemed> {
    let sql = "UPDATE grants SET redeemed_at = ?2, expires_at = ?3, refresh_family = ?4, \
        refresh_current = ?5, refresh_expires_at = ?6 WHERE grant_id = ?1 AND redeemed_at IS NULL";
    let refresh = purchase.refresh.as_ref();
    let redeemed = change.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        moment(purchase.at),
        moment(purchase.expires_at),
        refresh.map(|refresh| refresh.family.as_bytes()),
        refresh.map(|refresh| refresh.current.as_bytes()),
        refresh.map(|refresh| moment(refresh.expires_at)),
    ])?;
    if redeemed > 0 {
        return Ok(Redeemed::Now);
    }
    let mut there = change.prepare_cached("SELECT 1 FROM grants WHERE grant_id = ?1")?;
    Ok(if there.exists([id.as_bytes()])? { Redeemed::Before } else { Redeemed::NotThere })
}

/// Supersedes a refresh token, or says why not.
pub(super) fn rotate(
    change: &Connection,
    id: GrantId,
    rotation: &Rotation,
) -> rusqlite::Result<Result<Rotated, StoreError>> {
    // What nearly everybody comes for.
    let sql = "UPDATE grants SET refresh_previous = refresh_current, superseded_at = ?2, \
        refresh_current = ?3, refresh_expires_at = ?4 WHERE grant_id = ?1 AND refresh_family = ?5 \
        AND refresh_current = ?6 AND refresh_expires_at > ?2 AND expires_at > ?2";
    let superseded = change.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        moment(rotation.at),
        rotation.successor.as_bytes(),
        moment(rotation.expires_at),
        rotation.family.as_bytes(),
        rotation.presented.as_bytes(),
    ])?;
    if superseded > 0 {
        return Ok(Ok(Rotated::Succeeded));
    }
    let grant = match grant(change, id) {
        Ok(Some(grant)) => grant,
        Ok(None) => return Ok(Ok(Rotated::Refused)),
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(match rotation.on(&grant) {
        Step::Repeat => Rotated::Succeeded,
        // To supersede it was tried.
        Step::Refuse | Step::Supersede => Rotated::Refused,
        Step::Forget => {
            delete(change, id)?;
            Rotated::Reused
        }
    }))
}

/// Forgets a grant.
pub(super) fn delete(change: &Connection, id: GrantId) -> rusqlite::Result<Deleted> {
    let mut statement = change.prepare_cached("DELETE FROM grants WHERE grant_id = ?1")?;
    Ok(match statement.execute([id.as_bytes()])? {
        0 => Deleted::NotThere,
        _ => Deleted::Forgotten,
    })
}

/// Ends the consent and every grant of one resource owner and client.
pub(super) fn disconnect(
    change: &Connection,
    subject: &str,
    client: &ClientIdentifier,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE consents SET expires_at = ?2 WHERE consent_id = ?1";
    let key = ConsentRecord::key(subject, client);
    change.prepare_cached(sql)?.execute(params![key, moment(at)])?;
    let sql = "DELETE FROM grants WHERE subject = ?1 AND client = ?2";
    change.prepare_cached(sql)?.execute(params![subject, client.to_string()])?;
    Ok(())
}

const REPLACE_CONSENT: &str = "INSERT INTO consents (consent_id, subject, client, scope, redirect_uri, \
    metadata_hash, allowed_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
    ON CONFLICT (consent_id) DO UPDATE SET scope = excluded.scope, \
    redirect_uri = excluded.redirect_uri, metadata_hash = excluded.metadata_hash, \
    allowed_at = excluded.allowed_at, expires_at = excluded.expires_at";

/// Keeps a consent, in the place of an earlier one.
pub(super) fn keep_consent(change: &Connection, consent: &ConsentRecord) -> rusqlite::Result<()> {
    insert_consent(&mut *change.prepare_cached(REPLACE_CONSENT)?, consent).map(drop)
}

/// Keeps a consent unless the one that is there is as late; returns whether it was kept, as 1 or 0.
pub(super) fn import_consent(
    change: &Connection,
    consent: &ConsentRecord,
) -> rusqlite::Result<usize> {
    let sql = format!("{REPLACE_CONSENT} WHERE allowed_at < excluded.allowed_at");
    insert_consent(&mut *change.prepare_cached(&sql)?, consent)
}

fn insert_consent(
    statement: &mut Statement<'_>,
    consent: &ConsentRecord,
) -> rusqlite::Result<usize> {
    statement.execute(params![
        ConsentRecord::key(&consent.subject, &consent.client),
        consent.subject,
        consent.client.to_string(),
        consent.scope.as_ref().map(Scope::as_str),
        consent.redirect_uri,
        consent.metadata_hash,
        moment(consent.allowed_at),
        moment(consent.expires_at),
    ])
}

/// What somebody has allowed a client.
pub(super) fn consent(
    connection: &Connection,
    subject: &str,
    client: &ClientIdentifier,
) -> Result<Option<ConsentRecord>, StoreError> {
    let sql = select!(consents, "WHERE consent_id = ?1");
    first(connection, sql, [ConsentRecord::key(subject, client)])
}

/// One page of consents.
pub(super) fn consents(
    connection: &Connection,
    after: Option<[u8; 32]>,
    limit: usize,
) -> Result<Vec<ConsentRecord>, StoreError> {
    let sql = select!(consents, "WHERE consent_id > ?1 ORDER BY consent_id LIMIT ?2");
    let after = after.as_ref().map_or(&[][..], |key| key);
    rows(connection, sql, params![after, row_count(limit)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{contract::grants::Grants, embedded::schema};

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
        for grant in &all {
            insert(&connection, grant).unwrap();
        }
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
        for (sql, found) in
            [(SELECT_PAGE_OF_SUBJECT, "grant_id>?"), (SELECT_NEWEST_OF_SUBJECT, "grant_id<?")]
        {
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = explained.raw_query().mapped(|step| step.get(3));
            let plan: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            let by_index = format!("grants_of_subject (subject=? AND {found})");
            // One step: nothing is sorted.
            assert!(plan.len() == 1 && plan[0].contains(&by_index), "{plan:?}");
        }
    }
}
