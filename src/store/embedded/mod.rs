//! The embedded store: one SQLite file in a data folder.
//!
//! One thread writes ([`writer`]), commits what waits in one transaction and answers after the commit;
//! another moves the log into the file ([`checkpoint`]); a third looks single clients up ([`lookups`]), and
//! longer questions are answered by connections of their own ([`readers`]). All statements are in [`clients`]
//! and [`schema`]. Commands open the same file beside a running server: reading at any time, writing in turn.

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
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::sync::mpsc::{self, error::TrySendError};

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
    writer::Change,
};
use super::{
    ClientFilter, ClientRecord, ClientStore, Deleted, Imported, KeyKept, KeyRecord, StoreError,
    SweepPage, Swept, UpkeepStore,
};
use crate::clock::Timestamp;
use crate::{client::ClientId, config::EmbeddedConfig};

/// The version of the SQLite that is linked.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// An open store. Without [`UpkeepStore::close`], what was accepted is still written, but nobody waits
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

    /// As [`Self::change`], but waits for a place in the queue.
    async fn patient_change<T>(
        &self,
        change: impl FnOnce(Reply<T>) -> Change,
    ) -> Result<T, StoreError> {
        let (reply, answer) = Reply::new();
        self.queue()?.send(change(reply)).await.map_err(|_closed| closed())?;
        answer.outcome().await
    }
}

#[async_trait]
impl ClientStore for Embedded {
    async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError> {
        self.change(|reply| Change::Register { client, reply }).await
    }

    async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.lookups.client(id).await
    }

    async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let filter = filter.clone();
        self.readers.ask(move |connection| clients::page(connection, &filter, after, limit)).await
    }

    async fn count_clients(&self) -> Result<u64, StoreError> {
        self.readers.ask(|connection| clients::count(connection).map_err(store_error)).await
    }

    async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError> {
        self.change(|reply| Change::Delete { id, reply }).await
    }

    async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        self.change(|reply| Change::Import { clients, reply }).await
    }
}

#[async_trait]
impl UpkeepStore for Embedded {
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        unimplemented!()
    }

    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keep_key(
        &self,
        key: KeyRecord,
        newest: Option<String>,
    ) -> Result<KeyKept, StoreError> {
        unimplemented!()
    }

    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn forget_key(&self, key_id: String) -> Result<(), StoreError> {
        unimplemented!()
    }

    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn sweep(
        &self,
        kind: Swept,
        now: Timestamp,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<SweepPage, StoreError> {
        unimplemented!()
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.patient_change(|reply| Change::Probe { reply }).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.lookups.close().await;
        self.readers.close().await;
        match self.queue {
            Some(_) => self.patient_change(|reply| Change::Close { reply }).await,
            None => Ok(()),
        }
    }
}
