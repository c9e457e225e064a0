//! The sweep of expired records.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Postgres, rows::Column};
use crate::{
    clock::Timestamp,
    store::{
        StoreError, SweepPage, Swept,
        column::{Stored as _, Value, corrupt},
        statements::sweep,
    },
};

/// One page of a sweep.
pub(super) async fn sweep(
    store: &Postgres,
    kind: Swept,
    now: Timestamp,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<SweepPage, StoreError> {
    let sweep = sweep::of(kind);
    let after = after.unwrap_or_default();
    let after = if sweep.by_id {
        Value::Id(Uuid::from_slice(&after).unwrap_or_default().into_bytes())
    } else {
        Value::Bytes(Some(after.into()))
    };
    let now = now.value();
    let rows = store.ask(&sweep.look, &[&after, &now, &Value::limit(limit)]).await?;
    let read = |row: &Row| {
        let key = if sweep.by_id {
            row.try_get(0).map(|key: Uuid| key.as_bytes().to_vec())?
        } else {
            row.try_get(0)?
        };
        Ok((key, row.try_get(1)?))
    };
    let found: Result<Vec<(Vec<u8>, bool)>, tokio_postgres::Error> =
        rows.iter().map(read).collect();
    let found = found.map_err(|error| corrupt("the key of a record".to_owned(), error))?;
    let going = found.iter().filter(|(_, goes)| *goes).map(|(key, _)| key.as_slice());
    let going = if sweep.by_id {
        Column::Ids(going.map(|key| Uuid::from_slice(key).ok()).collect())
    } else {
        Column::Bytes(going.map(|key| Some(key.into())).collect())
    };
    let forgotten = if found.iter().any(|(_, goes)| *goes) {
        store.change(&sweep.delete, &[&going, &now]).await?
    } else {
        0
    };
    let looked_at = found.iter().map(|(key, _)| key.clone()).collect();
    Ok(SweepPage::of(looked_at, forgotten, limit))
}
