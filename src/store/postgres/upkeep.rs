//! The signing keys in SQL, and the sweep of what has expired.

use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::{
    Postgres,
    connect::Statement,
    grants::{Unreadable, corrupt, moment, timestamp},
};
use crate::{
    clock::Timestamp,
    store::{KeyKept, KeyRecord, StoreError, SweepPage, Swept},
};

const SELECT_KEYS: Statement = Statement {
    sql: "SELECT key_id, algorithm, made_at, sealed FROM keys ORDER BY made_at, key_id",
    types: &[],
};

const KEEP_KEY: Statement = Statement {
    sql: "INSERT INTO keys (key_id, algorithm, made_at, sealed, follows) \
        SELECT $1, $2, $3, $4, $5 WHERE $5 = \
        COALESCE((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '') \
        ON CONFLICT DO NOTHING",
    types: &[Type::TEXT, Type::TEXT, Type::INT8, Type::BYTEA, Type::TEXT],
};

const FORGET_KEY: Statement =
    Statement { sql: "DELETE FROM keys WHERE key_id = $1", types: &[Type::TEXT] };

/// What a sweep needs to know of one kind of record.
struct Kind {
    /// Keys behind `$1`, and whether they can go at `$2`.
    select: Statement,
    /// Those of `$1` that still can at `$2`.
    delete: Statement,
}

const BY_UUID: &[Type] = &[Type::UUID, Type::INT8, Type::INT8];
const BY_BYTES: &[Type] = &[Type::BYTEA, Type::INT8, Type::INT8];
const MANY_UUIDS: &[Type] = &[Type::UUID_ARRAY, Type::INT8];
const MANY_BYTES: &[Type] = &[Type::BYTEA_ARRAY, Type::INT8];

/// Whose client is registered no longer. Who publishes a document was never registered.
const GRANTS: Kind = Kind {
    select: Statement {
        sql: "SELECT grant_id, expires_at <= $2 OR CASE WHEN client LIKE 'https:%' THEN false \
            ELSE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = grants.client::uuid) END \
            FROM grants WHERE grant_id > $1 ORDER BY grant_id LIMIT $3",
        types: BY_UUID,
    },
    delete: Statement {
        sql: "DELETE FROM grants WHERE grant_id = ANY($1) AND (expires_at <= $2 OR \
            CASE WHEN client LIKE 'https:%' THEN false \
            ELSE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = grants.client::uuid) END)",
        types: MANY_UUIDS,
    },
};

const CONSENTS: Kind = Kind {
    select: Statement {
        sql: "SELECT consent_id, expires_at <= $2 FROM consents WHERE consent_id > $1 \
            ORDER BY consent_id LIMIT $3",
        types: BY_BYTES,
    },
    delete: Statement {
        sql: "DELETE FROM consents WHERE consent_id = ANY($1) AND expires_at <= $2",
        types: MANY_BYTES,
    },
};

const SESSIONS: Kind = Kind {
    select: Statement {
        sql: "SELECT session_id, expires_at <= $2 OR idle_at <= $2 FROM sessions \
            WHERE session_id > $1 ORDER BY session_id LIMIT $3",
        types: BY_UUID,
    },
    delete: Statement {
        sql: "DELETE FROM sessions WHERE session_id = ANY($1) \
            AND (expires_at <= $2 OR idle_at <= $2)",
        types: MANY_UUIDS,
    },
};

const SIGN_INS: Kind = Kind {
    select: Statement {
        sql: "SELECT sign_in_id, expires_at <= $2 FROM sign_ins WHERE sign_in_id > $1 \
            ORDER BY sign_in_id LIMIT $3",
        types: BY_UUID,
    },
    delete: Statement {
        sql: "DELETE FROM sign_ins WHERE sign_in_id = ANY($1) AND expires_at <= $2",
        types: MANY_UUIDS,
    },
};

/// Every key, oldest first.
pub(super) async fn keys(store: &Postgres) -> Result<Vec<KeyRecord>, StoreError> {
    let rows = store.ask(&SELECT_KEYS, &[]).await?;
    let read = |row| key(row).map_err(|error| corrupt("a signing key".to_owned(), error));
    rows.iter().map(read).collect()
}

fn key(row: &Row) -> Result<KeyRecord, Unreadable> {
    Ok(KeyRecord {
        key_id: row.try_get(0)?,
        algorithm: row.try_get(1)?,
        made_at: timestamp(row, 2)?,
        sealed: row.try_get(3)?,
    })
}

/// Keeps a key, if the newest one is still the one that is meant.
pub(super) async fn keep_key(
    store: &Postgres,
    key: &KeyRecord,
    newest: Option<&str>,
) -> Result<KeyKept, StoreError> {
    let follows = newest.unwrap_or_default();
    let made_at = moment(key.made_at);
    let kept = store
        .change(&KEEP_KEY, &[&key.key_id, &key.algorithm, &made_at, &key.sealed, &follows])
        .await?;
    Ok(if kept == 0 { KeyKept::TooLate } else { KeyKept::Kept })
}

/// Forgets a key.
pub(super) async fn forget_key(store: &Postgres, key_id: &str) -> Result<(), StoreError> {
    store.change(&FORGET_KEY, &[&key_id]).await?;
    Ok(())
}

/// One page of a sweep.
pub(super) async fn sweep(
    store: &Postgres,
    kind: Swept,
    now: Timestamp,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<SweepPage, StoreError> {
    let now = moment(now);
    let rows_max = i64::try_from(limit).unwrap_or(i64::MAX);
    let after = after.unwrap_or_default();
    let statements = match kind {
        Swept::Grants => GRANTS,
        Swept::Consents => CONSENTS,
        Swept::Sessions => SESSIONS,
        Swept::SignIns => SIGN_INS,
    };
    let (looked_at, forgotten) = if kind == Swept::Consents {
        let rows = store.ask(&statements.select, &[&after, &now, &rows_max]).await?;
        let found = found::<Vec<u8>>(&rows)?;
        let going = going(&found);
        let forgotten = forget(store, &statements, &going, now).await?;
        (found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), forgotten)
    } else {
        let after = Uuid::from_slice(&after).unwrap_or_default();
        let rows = store.ask(&statements.select, &[&after, &now, &rows_max]).await?;
        let found = found::<Uuid>(&rows)?;
        let going = going(&found);
        let forgotten = forget(store, &statements, &going, now).await?;
        (found.into_iter().map(|(key, _)| key.as_bytes().to_vec()).collect(), forgotten)
    };
    let is_last = looked_at.len() < limit;
    let after = looked_at.into_iter().next_back().filter(|_| !is_last);
    Ok(SweepPage { forgotten, after })
}

fn found<K>(rows: &[Row]) -> Result<Vec<(K, bool)>, StoreError>
where
    K: for<'row> tokio_postgres::types::FromSql<'row>,
{
    let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter()
        .map(|row| {
            read(row).map_err(|error: tokio_postgres::Error| {
                corrupt("the key of a record".to_owned(), error.into())
            })
        })
        .collect()
}

fn going<K: Clone>(found: &[(K, bool)]) -> Vec<K> {
    found.iter().filter(|(_, goes)| *goes).map(|(key, _)| key.clone()).collect()
}

async fn forget<K>(
    store: &Postgres,
    statements: &Kind,
    going: &Vec<K>,
    now: i64,
) -> Result<usize, StoreError>
where
    Vec<K>: tokio_postgres::types::ToSql + Sync,
{
    if going.is_empty() {
        return Ok(0);
    }
    let forgotten = store.change(&statements.delete, &[going, &now]).await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}
