//! The embedded store: one SQLite file in a data folder.
//!
//! One thread writes ([`writer`]), commits what waits in one transaction and answers after the commit;
//! another moves the log into the file ([`checkpoint`]); a third looks single clients up ([`lookups`]), and
//! longer questions are answered by connections of their own ([`readers`]). Statements and changes are shared
//! with PostgreSQL. Commands open the same file beside a running server: reading at any time, writing in turn.

mod backup;
mod batch;
mod check;
mod checkpoint;
mod clients;
mod connection;
mod fault;
mod grants;
mod lookups;
mod open;
mod readers;
mod reply;
mod reserve;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod trail;
mod upkeep;
mod writer;

use std::{path::Path, sync::Arc};

use tokio::sync::mpsc::{self, error::TrySendError};

pub(crate) use self::open::FILES;
pub(super) use self::rows::{Direct, at_once};
pub use self::{
    backup::{BackupError, BackupReport, backup},
    check::{CheckReport, check},
    open::{Access, OpenError},
};
use self::{
    fault::{closed, store_error, unavailable},
    lookups::Lookups,
    readers::Readers,
    reply::Reply,
    rows::{Stopped, rows},
    writer::{Change, Task},
};
use super::{
    ClientFilter, ClientRecord, EventRecord, GrantFilter, GrantOfClient, GrantRecord, Imported,
    QueueFigures, StoreError, Swept, TrailPosition,
    arrival::Newcomer,
    column::{Record, Value},
    sql::Statement,
    webhooks::Placed,
};
use crate::{client::ClientId, clock::Timestamp, config::EmbeddedConfig, grant::GrantId};

/// The version of the SQLite that is linked.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// An open store. Without [`Self::close`], what was accepted is still written, but nobody waits
/// for it.
pub(super) struct Embedded {
    /// `None` when the store was opened for reading.
    queue: Option<mpsc::Sender<Change>>,
    lookups: Lookups,
    readers: Arc<Readers>,
}

impl Embedded {
    /// See [`super::open`].
    pub(super) fn open(
        folder: &Path,
        settings: &EmbeddedConfig,
        access: Access,
    ) -> Result<Self, OpenError> {
        open::open(folder, settings, access)
    }

    fn queue(&self) -> Result<&mpsc::Sender<Change>, StoreError> {
        self.queue.as_ref().ok_or_else(|| unavailable("the store was opened for reading"))
    }

    /// Puts a change into the queue, at once or not at all, and waits for its outcome.
    async fn change<T>(&self, change: impl FnOnce(Reply<T>) -> Change) -> Result<T, StoreError> {
        let (reply, answer) = Reply::new();
        self.queue()?.try_send(change(reply)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Closed(_) => closed(),
        })?;
        answer.outcome().await
    }

    /// As [`Self::change`], of a kind that the writer need not know. `whole` for several statements, of which a failure
    /// leaves none behind.
    pub(super) async fn work<T, F>(&self, whole: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Direct<'_>) -> Result<T, Stopped> + Send + 'static,
    {
        self.change(|reply| Change::Other(Box::new(Task { work, reply, whole, deletes: false })))
            .await
    }

    /// As [`Self::work`], of what only deletes: a full disk does not refuse it.
    pub(super) async fn delete<T, F>(&self, whole: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Direct<'_>) -> Result<T, Stopped> + Send + 'static,
    {
        self.change(|reply| Change::Other(Box::new(Task { work, reply, whole, deletes: true })))
            .await
    }

    /// As [`Self::change`], but waits for a place in the queue.
    async fn patient_change<T>(
        &self,
        change: impl FnOnce(Reply<T>) -> Change,
    ) -> Result<T, StoreError> {
        let (reply, answer) = Reply::new();
        self.queue()?.send(change(reply)).await.map_err(|_closed| closed())?;
        answer.outcome().await
    }

    /// The records that a statement selects.
    pub(super) async fn select<R: Record + Send + 'static>(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value<'static>>,
    ) -> Result<Vec<R>, StoreError> {
        self.readers.ask(move |connection| rows(connection, statement, &parameters)).await
    }

    pub(super) async fn register_client(&self, newcomer: Newcomer) -> Result<(), StoreError> {
        self.change(|reply| Change::Register { newcomer, reply }).await
    }

    pub(super) async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.lookups.client(id).await
    }

    pub(super) async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |connection| clients::page(connection, &filter, after, limit)).await
    }

    pub(super) async fn count_clients(&self) -> Result<u64, StoreError> {
        self.readers.ask(|connection| clients::count(connection).map_err(store_error)).await
    }

    pub(super) async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        self.change(|reply| Change::Import { clients, reply }).await
    }

    pub(super) async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.lookups.grant(id).await
    }

    pub(super) async fn grant_of_client(
        &self,
        id: GrantId,
    ) -> Result<Option<GrantOfClient>, StoreError> {
        self.lookups.grant_of_client(id).await
    }

    pub(super) async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |connection| {
                grants::page(connection, &filter, after, limit, grants::LOOKED_THROUGH)
            })
            .await
    }

    pub(super) async fn behind(
        &self,
        position: TrailPosition,
        limit: usize,
    ) -> Result<(Vec<Placed<EventRecord>>, Vec<Placed<ClientRecord>>), StoreError> {
        self.readers.ask(move |connection| trail::behind(connection, &position, limit)).await
    }

    /// The records of one kind that a page of a sweep looks at: their keys, and whether they can go.
    pub(super) async fn look(
        &self,
        kind: Swept,
        now: Timestamp,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, bool)>, StoreError> {
        self.readers
            .ask(move |connection| upkeep::expired(connection, kind, now, after.as_deref(), limit))
            .await
    }

    /// Deletes those of these records that can still go: one may have been used since it was looked at. Returns how
    /// many there were.
    pub(super) async fn forget(
        &self,
        delete: &'static Statement,
        now: Timestamp,
        keys: Vec<Vec<u8>>,
    ) -> Result<usize, StoreError> {
        self.delete(false, move |change| upkeep::forget(change.0, delete, now, &keys)).await
    }

    pub(super) fn queues(&self) -> Vec<QueueFigures> {
        let changes = self.queue.iter().map(|queue| QueueFigures::of("changes", queue));
        changes.chain([self.lookups.queue()]).collect()
    }

    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        self.patient_change(|reply| Change::Probe { reply }).await
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.lookups.close().await;
        self.readers.close().await;
        match self.queue {
            Some(_) => self.patient_change(|reply| Change::Close { reply }).await,
            None => Ok(()),
        }
    }
}
