//! The signing keys in SQL, and the sweep of what has expired.

use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};
use uuid::Uuid;

use super::{
    Postgres,
    connect::{Parameters, Statement},
    rows::column,
};
use crate::{
    clock::Timestamp,
    store::{
        KeyKept, KeyRecord, StoreError, SweepPage, Swept,
        row::{FromRow, corrupt, moment, row_count, select},
    },
};

const SELECT_KEYS: Statement =
    Statement { sql: select!(keys, "ORDER BY made_at, key_id"), types: &[] };

const KEEP_KEY: Statement = Statement {
    sql: "INSERT INTO keys (key_id, algorithm, made_at, sealed, follows) \
        SELECT $1, $2, $3, $4, $5 WHERE $5 = \
        COALESCE((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '') \
        ON CONFLICT DO NOTHING",
    types: &[Type::TEXT, Type::TEXT, Type::INT8, Type::BYTEA, Type::TEXT],
};

/// What a key of another store follows is not here: it is given something that no key is called.
const IMPORT_KEYS: Statement = Statement {
    sql: "INSERT INTO keys (key_id, algorithm, made_at, sealed, follows) \
        SELECT key_id, algorithm, made_at, sealed, 'imported ' || key_id \
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) \
        AS imported (key_id, algorithm, made_at, sealed) ON CONFLICT DO NOTHING",
    types: &[Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::INT8_ARRAY, Type::BYTEA_ARRAY],
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

/// Every key, oldest first.
pub(super) async fn keys(store: &Postgres) -> Result<Vec<KeyRecord>, StoreError> {
    let rows = store.ask(&SELECT_KEYS, &[]).await?;
    rows.iter().map(FromRow::from_row).collect()
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

/// Keeps keys of another store.
pub(super) async fn import_keys(store: &Postgres, keys: &[KeyRecord]) -> Result<usize, StoreError> {
    let columns: Parameters<'_> = &[
        &column(keys, |key| &*key.key_id),
        &column(keys, |key| &*key.algorithm),
        &column(keys, |key| moment(key.made_at)),
        &column(keys, |key| &*key.sealed),
    ];
    store.change_many(&IMPORT_KEYS, columns).await
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
    let page = Page { store, now: moment(now), limit };
    let after = after.unwrap_or_default();
    let uuid = || Uuid::from_slice(&after).unwrap_or_default();
    match kind {
        Swept::Grants => page.sweep(&GRANTS, uuid(), uuid_bytes).await,
        Swept::Sessions => page.sweep(&SESSIONS, uuid(), uuid_bytes).await,
        Swept::Consents => page.sweep(&CONSENTS, after, |key| key).await,
    }
}

fn uuid_bytes(key: Uuid) -> Vec<u8> {
    key.as_bytes().to_vec()
}

/// What a page of a sweep is, whatever is swept.
struct Page<'store> {
    store: &'store Postgres,
    now: i64,
    limit: usize,
}

impl Page<'_> {
    /// Looks at the next records of a kind whose keys are `K`, and forgets those that can go.
    async fn sweep<K>(
        &self,
        kind: &Kind,
        after: K,
        bytes: fn(K) -> Vec<u8>,
    ) -> Result<SweepPage, StoreError>
    where
        K: Clone + ToSql + Sync + for<'row> FromSql<'row>,
        Vec<K>: ToSql + Sync,
    {
        let rows_max = row_count(self.limit);
        let rows = self.store.ask(&kind.select, &[&after, &self.now, &rows_max]).await?;
        let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let found: Result<Vec<(K, bool)>, tokio_postgres::Error> = rows.iter().map(read).collect();
        let found = found.map_err(|error| corrupt("the key of a record".to_owned(), error))?;
        let going: Vec<K> =
            found.iter().filter(|(_, goes)| *goes).map(|(key, _)| key.clone()).collect();
        let forgotten = if going.is_empty() {
            0
        } else {
            self.store.change(&kind.delete, &[&going, &self.now]).await?
        };
        let looked_at = found.into_iter().map(|(key, _)| bytes(key)).collect();
        let forgotten = usize::try_from(forgotten).unwrap_or(usize::MAX);
        Ok(SweepPage::of(looked_at, forgotten, self.limit))
    }
}
