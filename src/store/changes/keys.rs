//! Signing keys.

use std::slice;

use serde_json::json;

use crate::audit::{Action, Author};
use crate::store::{
    KeyKept, KeyRecord,
    column::{Stored as _, Value},
    statements::{events, keys},
    transaction::Transaction,
};

/// Stores a key if the newest stored one is still `newest`.
pub(in crate::store) async fn keep_key<T: Transaction>(
    change: &mut T,
    key: &KeyRecord,
    newest: Option<&str>,
    by: &Author,
) -> Result<KeyKept, T::Fault> {
    let newest = Value::Text(Some(newest.unwrap_or_default().into()));
    let KeyRecord { key_id, algorithm, made_at, sealed } = key;
    let parameters = [key_id.value(), algorithm.value(), made_at.value(), sealed.value(), newest];
    if change.execute(&keys::KEEP, &parameters).await? == 0 {
        return Ok(KeyKept::TooLate);
    }
    let detail = json!({ "key": key.key_id, "algorithm": key.algorithm });
    let event = by.event(Action::KeyMade).with(&detail);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(KeyKept::Kept)
}

/// Stores keys that are new. Returns how many were.
pub(in crate::store) async fn import_keys<T: Transaction>(
    change: &mut T,
    keys: &[KeyRecord],
) -> Result<usize, T::Fault> {
    change.insert(&keys::IMPORT, keys).await
}

pub(in crate::store) async fn forget_key<T: Transaction>(
    change: &mut T,
    key_id: &String,
    by: &Author,
) -> Result<(), T::Fault> {
    if change.execute(&keys::FORGET, &[key_id.value()]).await? == 0 {
        return Ok(());
    }
    let event = by.event(Action::KeyDiscarded).with(&json!({ "key": key_id }));
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}
