//! The signing keys in SQL, and the sweep of what has expired.

use rusqlite::{Connection, params};

use super::rows::rows;
use crate::{
    clock::Timestamp,
    store::{
        KeyKept, KeyRecord, StoreError, Swept,
        row::{moment, row_count, select},
    },
};

/// Every key, oldest first.
pub(super) fn keys(connection: &Connection) -> Result<Vec<KeyRecord>, StoreError> {
    let sql = select!(keys, "ORDER BY made_at, key_id");
    rows(connection, sql, [])
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

/// Keeps a key of another store unless it is there; returns whether it was kept, as 1 or 0.
pub(super) fn import_key(change: &Connection, key: &KeyRecord) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO keys (key_id, algorithm, made_at, sealed) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT DO NOTHING";
    let parameters = params![key.key_id, key.algorithm, moment(key.made_at), key.sealed];
    change.prepare_cached(sql)?.execute(parameters)
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
    let Kind { table, key, goes } = Kind::of(kind);
    let sql = format!("SELECT {key}, {goes} FROM {table} WHERE {key} > ?2 ORDER BY {key} LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = params![moment(now), after.unwrap_or_default(), row_count(limit)];
    statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Forgets those of these records that can still go: one may have been used since it was looked at. Returns how
/// many there were.
pub(super) fn forget(
    change: &Connection,
    kind: Swept,
    now: Timestamp,
    keys: &[Vec<u8>],
) -> rusqlite::Result<usize> {
    let Kind { table, key, goes } = Kind::of(kind);
    let mut statement =
        change.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?2 AND ({goes})"))?;
    let mut forgotten = 0;
    for key in keys {
        forgotten += statement.execute(params![moment(now), key])?;
    }
    Ok(forgotten)
}

/// One kind of record.
struct Kind {
    table: &'static str,
    key: &'static str,
    /// Whether it can go at `?1`.
    goes: &'static str,
}

impl Kind {
    const fn of(kind: Swept) -> Self {
        let (table, key, goes) = match kind {
            // An orphan: its client is registered no longer. Who publishes a document was never registered,
            // and its URL is no hexadecimal.
            Swept::Grants => (
                "grants",
                "grant_id",
                "expires_at <= ?1 OR (unhex(replace(client, '-', '')) IS NOT NULL AND NOT EXISTS \
                 (SELECT 1 FROM clients WHERE client_id = unhex(replace(grants.client, '-', ''))))",
            ),
            Swept::Consents => ("consents", "consent_id", "expires_at <= ?1"),
            Swept::Sessions => ("sessions", "session_id", "expires_at <= ?1 OR idle_at <= ?1"),
        };
        Self { table, key, goes }
    }
}
