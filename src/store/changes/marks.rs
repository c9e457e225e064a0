//! Moments that the store remembers.

use std::slice;

use crate::{
    clock::Timestamp,
    store::{MarkRecord, column::Stored as _, statements::marks, transaction::Transaction},
};

pub(in crate::store) async fn put_mark<T: Transaction>(
    change: &mut T,
    mark: &MarkRecord,
) -> Result<(), T::Fault> {
    change.insert(&marks::PUT, slice::from_ref(mark)).await.map(drop)
}

pub(in crate::store) async fn claim_mark<T: Transaction>(
    change: &mut T,
    mark: &MarkRecord,
    before: Timestamp,
) -> Result<bool, T::Fault> {
    let parameters = [mark.name.value(), mark.at.value(), before.value()];
    Ok(change.execute(&marks::CLAIM, &parameters).await? > 0)
}
