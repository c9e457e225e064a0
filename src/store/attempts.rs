//! Refused requests, counted by reason, target, and network: at most [`ATTEMPTS_MAX`] rows, which all nodes share.

use super::{
    Store, StoreError, change, changes,
    column::{Record, Row, columns},
    statements::attempts,
};
use crate::{attempt::AttemptReason, clock::Timestamp, id::Id};

/// How many rows are kept.
pub const ATTEMPTS_MAX: u64 = 10_000;

columns! {
    /// Refused requests of one reason, target, and network.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AttemptRecord {
        /// An [`AttemptReason`], also of a later release.
        pub reason: String = "reason",
        /// The family of the client, or the destination of the request; empty where neither is known.
        pub target: String = "target",
        /// The network that the requests came from; empty where addresses are not kept.
        pub network: String = "network",
        /// How many there were.
        pub attempts: u64 = "attempts",
        /// When the first of them came.
        pub first_at: Timestamp = "first_at",
        /// When the last of them came.
        pub last_at: Timestamp = "last_at",
        /// The identifier of the last request.
        pub request_id: String = "request_id",
    }
}

/// Names a row: the same for as long as it is there.
pub type AttemptId = Id<AttemptKind>;

/// What an [`AttemptId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptKind {}

impl Record for AttemptRecord {
    const TABLE: &'static str = "attempts";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        format!("attempts of {}", row.text(0).ok().flatten().unwrap_or("no reason"))
    }
}

impl AttemptRecord {
    /// What makes the row one of its own.
    pub fn key(&self) -> (&str, &str, &str) {
        (&self.reason, &self.target, &self.network)
    }

    /// Its identifier: a UUID of version 8 (RFC 9562 §5.8) from a hash of its key.
    pub fn id(&self) -> AttemptId {
        // No part holds a line break, so no two keys are written alike.
        let Self { reason, target, network, .. } = self;
        let text = format!("{reason}\n{target}\n{network}");
        let hash = crate::secret::SecretHash::of(text.as_bytes());
        let first = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        AttemptId::from_bytes(uuid::Builder::from_custom_bytes(first).into_uuid().into_bytes())
    }

    /// What the operator or the developer of the client does about it; `None` for a reason of a later release.
    pub fn advice(&self) -> Option<&'static str> {
        self.reason.parse().ok().map(AttemptReason::advice)
    }
}

impl Store {
    /// Adds counts to the stored ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<(), StoreError> {
        let noted = change!(self, aside one, |change| changes::note_attempts(change, &attempts));
        noted.map(drop)
    }

    /// Deletes rows that were last counted before `keep_from`, then those beyond [`ATTEMPTS_MAX`]: the network with the most
    /// rows loses its least ones first, so that no stranger displaces what others left.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trim_attempts(&self, keep_from: Option<Timestamp>) -> Result<(), StoreError> {
        change!(self, aside whole, |change| changes::trim_attempts(change, keep_from))
    }

    /// Every row, the last counted first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attempts(&self) -> Result<Vec<AttemptRecord>, StoreError> {
        self.select(&attempts::SELECT, Vec::new()).await
    }
}
