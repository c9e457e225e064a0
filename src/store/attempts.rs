//! Refused requests, counted by reason, target, and network: at most [`ATTEMPTS_MAX`] rows, which all nodes share.

use std::{cmp::Reverse, fmt, str::FromStr};

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

/// Where a row stands in lists, of which the last counted comes first: when that was, and which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptPlace {
    last_at: Timestamp,
    id: AttemptId,
}

/// The time in milliseconds and the identifier, for the cursors of lists.
impl fmt::Display for AttemptPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last_at.as_millis(), self.id)
    }
}

impl FromStr for AttemptPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millis, id) = text.split_once('.').ok_or(())?;
        let last_at = millis.parse().map(Timestamp::from_millis).map_err(|_| ())?;
        Ok(Self { last_at, id: id.parse().map_err(|_| ())? })
    }
}

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

    /// Where it stands in lists.
    pub fn place(&self) -> AttemptPlace {
        AttemptPlace { last_at: self.last_at, id: self.id() }
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

    /// At most `limit` rows that pass `filter`, the last counted first, beginning behind `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attempts_page(
        &self,
        filter: impl Fn(&AttemptRecord) -> bool,
        after: Option<AttemptPlace>,
        limit: usize,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut found = self.attempts().await?;
        found.retain(|row| filter(row) && after.is_none_or(|after| row.place() < after));
        found.sort_by_cached_key(|row| Reverse(row.place()));
        found.truncate(limit);
        Ok(found)
    }
}
