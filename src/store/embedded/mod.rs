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
mod reserve;
mod rows;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;
mod upkeep;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use rusqlite::Connection;
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
    writer::{Change, Task},
};
use super::{
    ClientFilter, ClientRecord, ClientStore, ConsentRecord, Deleted, GrantFilter, GrantRecord,
    GrantStore, Imported, KeyKept, KeyRecord, Purchase, Redeemed, Rotated, Rotation, SessionId,
    SessionRecord, SessionStore, StoreError, SweepPage, Swept, UpkeepStore,
};
use crate::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    config::EmbeddedConfig,
    grant::GrantId,
};

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

    /// As [`Self::change`], of a kind that the writer need not know.
    async fn work<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.change(|reply| Change::Other(Box::new(Task { work, reply, deletes: false }))).await
    }

    /// As [`Self::work`], of what only deletes: a full disk does not refuse it.
    async fn delete<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.change(|reply| Change::Other(Box::new(Task { work, reply, deletes: true }))).await
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
impl GrantStore for Embedded {
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        self.work(move |change| grants::insert(change, &grant).map(drop)).await
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.lookups.grant(id).await
    }

    async fn grants(
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

    async fn newest_grants(
        &self,
        subject: &str,
        before: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let subject = subject.to_owned();
        self.readers
            .ask(move |connection| grants::newest(connection, &subject, before, limit))
            .await
    }

    async fn redeem_code(&self, id: GrantId, purchase: Purchase) -> Result<Redeemed, StoreError> {
        self.work(move |change| grants::redeem(change, id, &purchase)).await
    }

    async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
    ) -> Result<Rotated, StoreError> {
        self.work(move |change| grants::rotate(change, id, &rotation)).await?
    }

    async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError> {
        self.work(move |change| grants.iter().map(|one| grants::insert(change, one)).sum()).await
    }

    async fn revoke_grant(&self, id: GrantId) -> Result<Deleted, StoreError> {
        self.delete(move |change| grants::delete(change, id)).await
    }

    async fn disconnect(
        &self,
        subject: &str,
        client: &ClientIdentifier,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (subject, client) = (subject.to_owned(), client.clone());
        self.delete(move |change| grants::disconnect(change, &subject, &client, at)).await
    }

    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let (subject, client) = (subject.to_owned(), client.clone());
        self.readers.ask(move |connection| grants::consent(connection, &subject, &client)).await
    }

    async fn keep_consent(&self, consent: ConsentRecord) -> Result<(), StoreError> {
        self.work(move |change| grants::keep_consent(change, &consent)).await
    }

    async fn consents(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        self.readers.ask(move |connection| grants::consents(connection, after, limit)).await
    }

    async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError> {
        let import = move |change: &Connection| {
            consents.iter().map(|one| grants::import_consent(change, one)).sum()
        };
        self.work(import).await
    }
}

#[async_trait]
impl SessionStore for Embedded {
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError> {
        self.work(move |change| sessions::insert(change, &session).map(drop)).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.readers.ask(move |connection| sessions::session(connection, id)).await
    }

    async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let subject = subject.map(str::to_owned);
        self.readers
            .ask(move |connection| sessions::page(connection, subject.as_deref(), after, limit))
            .await
    }

    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError> {
        self.work(move |change| sessions::prolong(change, id, idle_at)).await
    }

    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.delete(move |change| sessions::delete(change, id)).await
    }

    async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError> {
        let import = move |change: &Connection| {
            sessions.iter().map(|one| sessions::insert(change, one)).sum()
        };
        self.work(import).await
    }
}

#[async_trait]
impl UpkeepStore for Embedded {
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.readers.ask(upkeep::keys).await
    }

    async fn keep_key(
        &self,
        key: KeyRecord,
        newest: Option<String>,
    ) -> Result<KeyKept, StoreError> {
        self.work(move |change| upkeep::keep_key(change, &key, newest.as_deref())).await
    }

    async fn import_keys(&self, keys: Vec<KeyRecord>) -> Result<usize, StoreError> {
        self.work(move |change| keys.iter().map(|key| upkeep::import_key(change, key)).sum()).await
    }

    async fn forget_key(&self, key_id: String) -> Result<(), StoreError> {
        self.delete(move |change| upkeep::forget_key(change, &key_id)).await
    }

    async fn sweep(
        &self,
        kind: Swept,
        now: Timestamp,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<SweepPage, StoreError> {
        let looked_at = self
            .readers
            .ask(move |connection| {
                upkeep::expired(connection, kind, now, after.as_deref(), limit).map_err(store_error)
            })
            .await?;
        let going: Vec<_> =
            looked_at.iter().filter(|(_, goes)| *goes).map(|(key, _)| key.clone()).collect();
        let forgotten = if going.is_empty() {
            0
        } else {
            self.delete(move |change| upkeep::forget(change, kind, now, &going)).await?
        };
        Ok(SweepPage::of(looked_at.into_iter().map(|(key, _)| key).collect(), forgotten, limit))
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
