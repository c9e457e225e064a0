//! The sweep of expired records.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Postgres, rows::Column};
use crate::{
    clock::Timestamp,
    store::{
        StoreError, Swept,
        column::{Stored as _, Value, corrupt},
        sql::Statement,
        statements::sweep,
    },
};

/// See [`Postgres::look`].
pub(super) async fn look(
    store: &Postgres,
    kind: Swept,
    now: Timestamp,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, bool)>, StoreError> {
    let sweep = sweep::of(kind);
    let after = after.unwrap_or_default();
    let after = if sweep.by_id {
        Value::Id(Uuid::from_slice(&after).unwrap_or_default().into_bytes())
    } else {
        Value::Bytes(Some(after.into()))
    };
    let rows = store.ask(&sweep.look, &[&after, &now.value(), &Value::limit(limit)]).await?;
    let read = |row: &Row| {
        let key = if sweep.by_id {
            row.try_get(0).map(|key: Uuid| key.as_bytes().to_vec())?
        } else {
            row.try_get(0)?
        };
        Ok((key, row.try_get(1)?))
    };
    let found: Result<_, tokio_postgres::Error> = rows.iter().map(read).collect();
    found.map_err(|error| corrupt("the key of a record".to_owned(), error))
}

/// See [`Postgres::forget`].
pub(super) async fn forget(
    store: &Postgres,
    delete: &'static Statement,
    by_id: bool,
    now: Timestamp,
    keys: &[Vec<u8>],
) -> Result<usize, StoreError> {
    let keys = if by_id {
        Column::Ids(keys.iter().map(|key| Uuid::from_slice(key).ok()).collect())
    } else {
        Column::Bytes(keys.iter().map(|key| Some(key.as_slice().into())).collect())
    };
    store.change(delete, &[&keys, &now.value()]).await
}
