//! The signing keys in SQL, and the sweep of what has expired.

use rusqlite::{Connection, Row, params, types::ValueRef};

use super::{
    fault::{corrupt, store_error},
    grants::{Unreadable, moment, timestamp},
};
use crate::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    store::{KeyKept, KeyRecord, StoreError, SweepPage, Swept},
};

/// Every key, oldest first.
pub(super) fn keys(connection: &Connection) -> Result<Vec<KeyRecord>, StoreError> {
    let sql = "SELECT key_id, algorithm, made_at, sealed FROM keys ORDER BY made_at, key_id";
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query([]).map_err(store_error)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        keys.push(key(row).map_err(|error| corrupt("a signing key".to_owned(), error))?);
    }
    Ok(keys)
}

fn key(row: &Row<'_>) -> Result<KeyRecord, Unreadable> {
    Ok(KeyRecord {
        key_id: row.get(0)?,
        algorithm: row.get(1)?,
        made_at: timestamp(row, 2)?,
        sealed: row.get(3)?,
    })
}

/// Keeps a key, if the newest one is still the one that is meant.
pub(super) fn keep_key(
    change: &Connection,
    key: &KeyRecord,
    newest: Option<&str>,
) -> rusqlite::Result<KeyKept> {
    let sql = "INSERT INTO keys (key_id, algorithm, made_at, sealed) SELECT ?1, ?2, ?3, ?4 \
        WHERE (SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1) IS ?5";
    let parameters = params![key.key_id, key.algorithm, moment(key.made_at), key.sealed, newest];
    Ok(match change.prepare_cached(sql)?.execute(parameters)? {
        0 => KeyKept::TooLate,
        _ => KeyKept::Kept,
    })
}

/// Forgets a key.
pub(super) fn forget_key(change: &Connection, key_id: &str) -> rusqlite::Result<()> {
    change.prepare_cached("DELETE FROM keys WHERE key_id = ?1")?.execute([key_id])?;
    Ok(())
}

/// The records of one kind that a page of a sweep looks at: their keys, and whether they can go.
pub(super) fn expired(
    connection: &Connection,
    kind: Swept,
    now: Timestamp,
    after: Option<&[u8]>,
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, bool)>> {
    let (table, key, third) = columns(kind);
    let sql = format!(
        "SELECT {key}, expires_at, {third} FROM {table} WHERE {key} > ?1 ORDER BY {key} LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.unwrap_or_default(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let is_late = |column| match row.get_ref(column) {
            Ok(ValueRef::Integer(at)) => at <= moment(now),
            _ => false,
        };
        let goes = is_late(1)
            || match kind {
                Swept::Grants => is_orphan(connection, row)?,
                Swept::Sessions => is_late(2),
                Swept::Consents | Swept::SignIns => false,
            };
        found.push((row.get(0)?, goes));
    }
    Ok(found)
}

/// Whether the client of a grant is registered no longer. Who publishes a document was never registered.
fn is_orphan(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<bool> {
    let client: String = row.get(2)?;
    let Ok(ClientIdentifier::Registered(id)) = client.parse() else { return Ok(false) };
    let sql = "SELECT 1 FROM clients WHERE client_id = ?1";
    Ok(!connection.prepare_cached(sql)?.exists([ClientId::as_bytes(&id)])?)
}

/// Forgets records of one kind that still are as they were found; returns how many there were.
pub(super) fn forget(
    change: &Connection,
    kind: Swept,
    now: Timestamp,
    keys: &[Vec<u8>],
) -> rusqlite::Result<usize> {
    let (table, key, _) = columns(kind);
    // A session may have been used, and a grant redeemed, since it was looked at.
    let still = match kind {
        Swept::Sessions => "(expires_at <= ?2 OR idle_at <= ?2)",
        Swept::Consents | Swept::SignIns => "expires_at <= ?2",
        // An orphan stays one.
        Swept::Grants => {
            "(expires_at <= ?2 OR NOT EXISTS (SELECT 1 FROM clients WHERE client_id = \
             unhex(replace(grants.client, '-', ''))) AND grants.client NOT LIKE 'https:%')"
        }
    };
    let mut statement =
        change.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?1 AND {still}"))?;
    let mut forgotten = 0;
    for key in keys {
        forgotten += statement.execute(params![key, moment(now)])?;
    }
    Ok(forgotten)
}

/// Table, key, and what else is looked at.
const fn columns(kind: Swept) -> (&'static str, &'static str, &'static str) {
    match kind {
        Swept::Grants => ("grants", "grant_id", "client"),
        Swept::Consents => ("consents", "consent_id", "NULL"),
        Swept::Sessions => ("sessions", "session_id", "idle_at"),
        Swept::SignIns => ("sign_ins", "sign_in_id", "NULL"),
    }
}

/// What a page came to.
pub(super) fn page(forgotten: usize, looked_at: &[(Vec<u8>, bool)], limit: usize) -> SweepPage {
    let is_last = looked_at.len() < limit;
    let after = looked_at.last().filter(|_| !is_last).map(|(key, _)| key.clone());
    SweepPage { forgotten, after }
}
