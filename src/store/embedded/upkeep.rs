//! The sweep of expired records.

use rusqlite::Connection;

use super::{
    fault::store_error,
    rows::{Stopped, each, execute},
};
use crate::{
    clock::Timestamp,
    store::{
        StoreError, Swept,
        column::{Stored as _, Value},
        sql::Statement,
        statements::sweep,
    },
};

/// The records of one kind that a page of a sweep looks at: their keys, and whether they can go.
pub(super) fn expired(
    connection: &Connection,
    kind: Swept,
    now: Timestamp,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, bool)>, StoreError> {
    let after = Value::Bytes(Some(after.unwrap_or_default().into()));
    let mut found = Vec::new();
    let parameters = [after, now.value(), Value::limit(limit)];
    each(connection, &sweep::of(kind).look, &parameters, &mut |row| {
        let read = || Ok((row.get(0)?, row.get(1)?));
        found.push(read().map_err(store_error)?);
        Ok(())
    })?;
    Ok(found)
}

/// See [`super::Embedded::forget`].
pub(super) fn forget(
    change: &Connection,
    delete: &Statement,
    now: Timestamp,
    keys: &[Vec<u8>],
) -> Result<usize, Stopped> {
    let mut forgotten = 0;
    for key in keys {
        forgotten += execute(change, delete, &[key.value(), now.value()])?;
    }
    Ok(forgotten)
}
