//! Keys, sweeps, and the state of the store itself.

use super::{
    Database, KeyRecord, Store, StoreError, change, changes,
    statements::{keys, sweep},
};
use crate::{audit::Author, grant::GrantId, metrics::StoreMetrics};

/// How many expired grants one change deletes.
const GRANTS_AT_ONCE: usize = 50;

impl Store {
    /// Whether a registration could be stored now: asks the writer, not a flag.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.ready().await,
            Database::Postgres(postgres) => postgres.ready().await,
        }
    }

    /// The keys that sign access tokens, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.select(&keys::SELECT, Vec::new()).await
    }

    /// Stores a new key, if the newest stored key is still `newest` (its `key_id`, or `None` when there was none): of
    /// the nodes that find a key missing at one time, one makes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_key(
        &self,
        key: KeyRecord,
        newest: Option<String>,
        by: Author,
    ) -> Result<KeyKept, StoreError> {
        change!(self, whole, |change| changes::keep_key(change, &key, newest.as_deref(), &by))
    }

    /// Stores keys of another store as one change, whatever keys exist. An existing key stays as it is. Returns how
    /// many were new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_keys(&self, keys: Vec<KeyRecord>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::import_keys(change, &keys))
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_key(&self, key_id: String, by: Author) -> Result<(), StoreError> {
        change!(self, whole deleting, |change| changes::forget_key(change, &key_id, &by))
    }

    /// Deletes what has expired by the time of `by` among the next `limit` records of one kind, beginning after `after`; a
    /// grant also when its client is no longer registered. The caller sets the pace.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(
        &self,
        kind: Swept,
        after: Option<Vec<u8>>,
        limit: usize,
        by: &Author,
    ) -> Result<SweepPage, StoreError> {
        self.check()?;
        let looked_at = match &self.database {
            Database::Embedded(embedded) => embedded.look(kind, by.at, after, limit).await?,
            Database::Postgres(postgres) => postgres.look(kind, by.at, after, limit).await?,
        };
        let going: Vec<Vec<u8>> =
            looked_at.iter().filter(|(_, goes)| *goes).map(|(key, _)| key.clone()).collect();
        let sweep = sweep::of(kind);
        let forgotten = match (&self.database, &sweep.delete) {
            _ if going.is_empty() => 0,
            (_, None) => self.expire_grants(&going, by).await?,
            (Database::Embedded(embedded), Some(delete)) => {
                embedded.forget(delete, by.at, going).await?
            }
            (Database::Postgres(postgres), Some(delete)) => {
                postgres.forget(delete, sweep.by_id, by.at, going).await?
            }
        };
        let looked_at = looked_at.into_iter().map(|(key, _)| key).collect();
        Ok(SweepPage::of(looked_at, forgotten, limit))
    }

    async fn expire_grants(&self, keys: &[Vec<u8>], by: &Author) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for keys in keys.chunks(GRANTS_AT_ONCE) {
            let ids = keys.iter().filter_map(|key| key.as_slice().try_into().ok());
            let ids: Vec<GrantId> = ids.map(GrantId::from_bytes).collect();
            let by = by.clone();
            let expired =
                change!(self, whole deleting, |change| changes::expire_grants(change, &ids, &by));
            forgotten += expired?;
        }
        Ok(forgotten)
    }

    /// The state of the connections to a database; `None` where there is no database.
    pub fn database(&self) -> Option<DatabaseFigures> {
        match &self.database {
            Database::Embedded(_) => None,
            Database::Postgres(postgres) => Some(postgres.figures()),
        }
    }

    /// How long callers waited.
    pub(crate) fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// How full the queues of the store are.
    pub fn queues(&self) -> Vec<QueueFigures> {
        match &self.database {
            Database::Embedded(embedded) => embedded.queues(),
            Database::Postgres(postgres) => postgres.queues(),
        }
    }

    /// Waits until everything accepted so far is durable, then closes the store. Later calls of any method return
    /// [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.database {
            Database::Embedded(embedded) => embedded.close().await,
            Database::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// How full a bounded queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFigures {
    /// What waits in it.
    pub name: &'static str,
    /// How many wait.
    pub length: usize,
    /// How many can wait.
    pub capacity: usize,
}

impl QueueFigures {
    pub(super) fn of<T>(name: &'static str, queue: &tokio::sync::mpsc::Sender<T>) -> Self {
        let capacity = queue.max_capacity();
        Self { name, length: capacity - queue.capacity(), capacity }
    }
}

/// What this process has to do with a database: how many connections there are now, and what was counted since
/// it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// Connections.
    pub open: u64,
    /// Those among them that nobody uses.
    pub idle: u64,
    /// Callers that wait for one.
    pub waiting: u64,
    /// Batches of registrations that were sent.
    pub batches: u64,
    /// Registrations in them.
    pub batched: u64,
    /// Statements that were sent once more.
    pub retries: u64,
    /// Batches whose answer was lost, and of which it was found out what became of them.
    pub settled: u64,
    /// Batches of which it was not.
    pub unsettled: u64,
    /// Connections that were thrown away after an answer, or for want of one.
    pub discarded: u64,
}

/// What expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// Grants, with their codes and refresh tokens.
    Grants,
    /// What was allowed before.
    Consents,
    /// Sessions of resource owners.
    Sessions,
}

impl Swept {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Grants, Self::Consents, Self::Sessions];
}

/// What one page of a sweep came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPage {
    /// How many records were forgotten.
    pub forgotten: usize,
    /// The last record that was looked at, to go on after; `None` at the end.
    pub after: Option<Vec<u8>>,
}

impl SweepPage {
    /// What a page of at most `limit` records came to, of which these were looked at.
    pub(super) fn of(looked_at: Vec<Vec<u8>>, forgotten: usize, limit: usize) -> Self {
        let is_last = looked_at.len() < limit;
        Self { forgotten, after: looked_at.into_iter().next_back().filter(|_| !is_last) }
    }
}

/// What became of keeping a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKept {
    /// It is kept.
    Kept,
    /// Another one was kept in the meantime; this one is not.
    TooLate,
}
