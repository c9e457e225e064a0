//! What SQLite's errors mean to the callers of the store.

use std::{error::Error, sync::Arc};

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Why a whole batch failed, shared by everyone who waited for it.
pub(super) type Shared = Arc<rusqlite::Error>;

/// The error of one failed statement or transaction.
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    shared_error(&Shared::new(error))
}

/// As [`store_error`], for each of many callers.
pub(super) fn shared_error(error: &Shared) -> StoreError {
    let source = Box::new(Shared::clone(error));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { what: "the database file".to_owned(), source }
        }
        _ => StoreError::Unavailable(source),
    }
}

/// The store cannot be asked, for a reason that is not SQLite's.
pub(super) fn unavailable(reason: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// The answer of every method after `close`.
pub(super) fn closed() -> StoreError {
    unavailable("the store is closed")
}
