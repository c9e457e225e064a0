//! What the database's errors mean: for the connection, for another try, for the callers of the store.

use std::{error::Error, sync::Arc, time::Duration};

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::{Severity, SqlState};

use crate::store::StoreError;

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum Fault {
    /// Nothing was sent.
    #[error("no connection to the database")]
    NoConnection(#[source] PoolError),
    /// The answer did not come in time.
    #[error("the database did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The database refused, or the connection broke.
    #[error("the database failed")]
    Failed(#[source] tokio_postgres::Error),
    /// A value cannot be written as the table wants it.
    #[error("a record cannot be written")]
    Unwritable(#[source] std::num::TryFromIntError),
    /// The change failed for a reason of its own; nothing is stored.
    #[error(transparent)]
    Stopped(#[from] StoreError),
    /// It could not be found out in time what became of a statement.
    #[error("what was asked of the database may or may not be done")]
    Unsettled(#[source] Box<Self>),
}

/// What follows from a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing was sent, as there is nobody to send it to.
    NotSent,
    /// One of the values was refused; nothing of the statement was kept.
    Values,
    /// Another transaction was in the way; nothing was kept, and the next try may pass.
    Again,
    /// This server cannot change anything, any more or yet; nothing was kept. The connection is of no use.
    Elsewhere,
    /// Nothing was kept, for any other reason.
    Refused,
    /// Whether anything was kept is not known. The connection is of no use.
    Unknown,
}

impl Meaning {
    /// Whether the connection can be used for the next statement.
    pub(super) fn leaves_the_connection_well(self) -> bool {
        !matches!(self, Self::Elsewhere | Self::Unknown)
    }
}

impl Fault {
    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::NoConnection(_) => Meaning::NotSent,
            Self::Late(_) | Self::Unsettled(_) => Meaning::Unknown,
            Self::Unwritable(_) => Meaning::Values,
            Self::Stopped(_) => Meaning::Refused,
            Self::Failed(error) => match error.as_db_error() {
                Some(error) => {
                    let is_error = error.parsed_severity() == Some(Severity::Error);
                    meaning_of(error.code(), is_error)
                }
                // What could not be sent or read back for its form was not refused by the server.
                None if is_of_form(error) => Meaning::Values,
                None => Meaning::Unknown,
            },
        }
    }

    /// Whether a change was surely not made, and may be made when it is tried again.
    pub(super) fn is_certain_and_passing(&self) -> bool {
        matches!(self.meaning(), Meaning::Again | Meaning::Elsewhere)
    }

    /// Whether the database rejected a change, and surely stored nothing of it.
    pub(super) fn is_certain(&self) -> bool {
        !matches!(self.meaning(), Meaning::NotSent | Meaning::Unknown)
    }

    /// Whether a question that changes nothing may have its answer from another connection.
    pub(super) fn is_worth_another_try(&self) -> bool {
        matches!(self.meaning(), Meaning::Again | Meaning::Elsewhere | Meaning::Unknown)
    }
}

/// `is_error`: the transaction was ended and the connection goes on. Anything graver may come after the
/// commit as well.
fn meaning_of(code: &SqlState, is_error: bool) -> Meaning {
    if !is_error
        || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
        || *code == SqlState::TRANSACTION_RESOLUTION_UNKNOWN
    {
        return Meaning::Unknown;
    }
    match code.code() {
        "40001" | "40P01" | "55P03" => Meaning::Again,
        "25006" | "57P01" | "57P02" | "57P03" => Meaning::Elsewhere,
        code => match code.get(..2) {
            Some("08") => Meaning::Elsewhere,
            Some("22" | "23" | "54") => Meaning::Values,
            _ => Meaning::Refused,
        },
    }
}

/// Whether a value could not be written or read: the driver says so without asking the server.
fn is_of_form(error: &tokio_postgres::Error) -> bool {
    let is_of_connection = |error: &(dyn Error + 'static)| error.is::<std::io::Error>();
    !error.is_closed() && error.source().is_some_and(|source| !is_of_connection(source))
}

/// Why a whole batch failed, shared by everyone who waited for it.
pub(super) type Shared = Arc<Fault>;

/// What a fault means to the caller of the store.
pub(super) fn store_error(fault: Fault) -> StoreError {
    if let Fault::Stopped(error) = fault {
        return error;
    }
    shared_error(&Shared::new(fault))
}

/// As [`store_error`], for each of many callers.
pub(super) fn shared_error(fault: &Shared) -> StoreError {
    match &**fault {
        Fault::NoConnection(PoolError::Closed) => closed(),
        Fault::NoConnection(PoolError::Timeout(TimeoutType::Wait)) => StoreError::Busy,
        _ => StoreError::Unavailable(Box::new(Shared::clone(fault))),
    }
}

/// The store cannot be asked, for a reason that is not the database's.
pub(super) fn unavailable(reason: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// The answer of every method after `close`.
pub(super) fn closed() -> StoreError {
    unavailable("the store is closed")
}

/// What lies at the bottom of an error: what was said by the server, or by the system.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_anything_was_kept_and_whether_the_connection_is_of_use() {
        for (code, is_error, meaning) in [
            ("40001", true, Meaning::Again),
            ("40P01", true, Meaning::Again),
            ("40003", true, Meaning::Unknown),
            ("08007", true, Meaning::Unknown),
            ("08006", true, Meaning::Elsewhere),
            ("25006", true, Meaning::Elsewhere),
            ("57P01", true, Meaning::Elsewhere),
            // The end of a session may come between the commit and its answer.
            ("57P01", false, Meaning::Unknown),
            ("57014", true, Meaning::Refused),
            ("42P01", true, Meaning::Refused),
            ("22021", true, Meaning::Values),
            ("23514", true, Meaning::Values),
        ] {
            assert_eq!(meaning_of(&SqlState::from_code(code), is_error), meaning, "{code}");
        }
        assert!(!Meaning::Elsewhere.leaves_the_connection_well());
        assert!(Meaning::Again.leaves_the_connection_well());
    }
}
