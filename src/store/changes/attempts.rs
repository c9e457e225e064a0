//! Refused requests, which are counted aside.

use crate::{
    clock::Timestamp,
    store::{
        ATTEMPTS_MAX, AttemptRecord, column::Stored as _, statements::attempts,
        transaction::Transaction,
    },
};

/// Adds counts to the stored ones. Returns how many rows have changed.
pub(in crate::store) async fn note_attempts<T: Transaction>(
    change: &mut T,
    attempts: &[AttemptRecord],
) -> Result<usize, T::Fault> {
    change.insert(&attempts::NOTE, attempts).await
}

/// Deletes old rows, and those beyond the most that are kept.
pub(in crate::store) async fn trim_attempts<T: Transaction>(
    change: &mut T,
    keep_from: Option<Timestamp>,
) -> Result<(), T::Fault> {
    if let Some(keep_from) = keep_from {
        change.execute(&attempts::DELETE_OLD, &[keep_from.value()]).await?;
    }
    change.execute(&attempts::DELETE_SURPLUS, &[ATTEMPTS_MAX.value()]).await.map(drop)
}
