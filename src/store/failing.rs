//! For tests and benches: a store whose calls fail.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Store, StoreError};

/// How calls of a store fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failure {
    /// They do not.
    #[default]
    None,
    /// As when too much waits.
    Busy,
    /// As when the database is away.
    Unavailable,
    /// As when a record is damaged.
    Corrupt,
    /// By a panic.
    Panic,
    /// A registration is never answered.
    Hang,
    /// A registration is answered as if it had been stored.
    Pretend,
}

/// Decides which calls of a store fail.
#[derive(Debug, Default)]
pub struct Failing(Mutex<(Failure, usize)>);

impl Failing {
    /// Every call fails like this, except for the next `calls`.
    pub fn fail_after(&self, calls: usize, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (failure, calls);
    }

    fn next(&self) -> Failure {
        let (failure, calls) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match calls.checked_sub(1) {
            Some(rest) => {
                *calls = rest;
                Failure::None
            }
            None => *failure,
        }
    }
}

impl Store {
    /// The same store, with calls that fail as `failing` decides.
    #[must_use]
    pub fn with(mut self, failing: Arc<Failing>) -> Self {
        self.failing = Some(failing);
        self
    }

    /// Fails if this call is to fail.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let Some(failing) = &self.failing else { return Ok(()) };
        match failing.next() {
            Failure::None | Failure::Hang | Failure::Pretend => Ok(()),
            Failure::Busy => Err(StoreError::Busy),
            Failure::Unavailable => Err(StoreError::Unavailable("told to fail".into())),
            Failure::Corrupt => Err(StoreError::Corrupt {
                what: "everything".to_owned(),
                source: "told to be corrupt".into(),
            }),
            Failure::Panic => panic!("told to panic"),
        }
    }

    /// As [`Self::check`], for a call that no request makes: it counts nothing, and does not panic.
    pub(super) fn check_aside(&self) -> Result<(), StoreError> {
        let Some(failing) = &self.failing else { return Ok(()) };
        let (failure, calls) = *failing.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_failing =
            calls == 0 && !matches!(failure, Failure::None | Failure::Hang | Failure::Pretend);
        if is_failing { Err(StoreError::Unavailable("told to fail".into())) } else { Ok(()) }
    }

    /// As [`Self::check`], for a registration. `Some` if it is answered without the database.
    pub(super) async fn check_registration(&self) -> Option<Result<(), StoreError>> {
        let failing = self.failing.as_ref()?;
        let failure = failing.0.lock().unwrap_or_else(PoisonError::into_inner).0;
        match failure {
            Failure::Hang => std::future::pending().await,
            Failure::Pretend => Some(Ok(())),
            _ => self.check().err().map(Err),
        }
    }
}
