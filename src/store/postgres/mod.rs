//! The store in PostgreSQL: one database that any number of nodes share.
//!
//! Each node gathers registrations ([`gatherer`]) and keeps those that came together by one statement
//! ([`batch`]); everything else is a statement of its own. All of them are in [`clients`] and [`schema`],
//! in a dialect that YugabyteDB and CockroachDB speak as well. [`connect`] makes connections and throws
//! them away, [`fault`] knows what an error leaves unknown.

mod batch;
mod clients;
mod connect;
mod fault;
mod gatherer;
mod grants;
mod open;
mod rows;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;
mod upkeep;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::Instant,
};
use tokio_postgres::Row;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{
    batch::Waiting,
    clients::{Bounds, Columns},
    connect::{Connections, Parameters, Statement},
    fault::{Fault, closed, store_error, unavailable},
    rows::first_after,
};
pub use self::{
    open::{Migrated, OpenError, look, migrate},
    schema::Standing,
};
use super::{
    Access, ClientFilter, ClientRecord, ClientStore, DatabaseFigures, Deleted, Imported, KeyKept,
    KeyRecord, StoreError, SweepPage, Swept, UpkeepStore,
    row::{FromRow, row_count},
};
use crate::{
    client::ClientId,
    clock::Timestamp,
    config::{PostgresConfig, PostgresUrl},
};

/// How many rows are asked for at once when names are looked for among them.
const ROWS_LOOKED_THROUGH: usize = 1_000;

/// An open store. Without [`UpkeepStore::close`], what was accepted is still written, but nobody waits
/// for it.
pub(super) struct Postgres {
    /// `None` when the store was opened for reading.
    queue: Option<mpsc::Sender<Waiting>>,
    connections: Arc<Connections>,
    closing: CancellationToken,
    /// The gatherer, and the batches that are on their way.
    tasks: TaskTracker,
}

impl Postgres {
    /// See [`super::open`].
    pub(super) async fn open(
        url: &PostgresUrl,
        settings: &PostgresConfig,
        access: Access,
    ) -> Result<Self, OpenError> {
        open::open(url, settings, access).await
    }

    fn queue(&self) -> Result<&mpsc::Sender<Waiting>, StoreError> {
        self.queue.as_ref().ok_or_else(|| unavailable("the store was opened for reading"))
    }

    /// Asks what changes nothing, once more when the connection turns out to be of no use.
    async fn ask(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        match self.connections.query(statement, parameters).await {
            Err(fault) if fault.is_worth_another_try() => {
                self.connections.metrics.retries.add_one();
                self.connections.query(statement, parameters).await
            }
            answer => answer,
        }
        .map_err(store_error)
    }

    /// Makes a change that, made twice, is made once; again when it surely was not made.
    async fn change(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<u64, StoreError> {
        self.queue()?;
        match self.connections.execute(statement, parameters).await {
            Err(fault) if fault.is_certain_and_passing() => {
                self.connections.metrics.retries.add_one();
                self.connections.execute(statement, parameters).await
            }
            answer => answer,
        }
        .map_err(store_error)
    }

    /// As [`Self::change`], by a statement that takes each column of many records.
    async fn change_many(
        &self,
        statement: &Statement,
        columns: Parameters<'_>,
    ) -> Result<usize, StoreError> {
        let changed = self.change(statement, columns).await?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Clients from `first` on, the next of them where the page ends.
    async fn page(
        &self,
        bounds: &Bounds,
        first: Uuid,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let limit = row_count(limit);
        let Bounds { profile, flags, from, until } = bounds;
        let rows =
            self.ask(&clients::SELECT_PAGE, &[&first, profile, flags, from, until, &limit]).await?;
        rows.iter().map(FromRow::from_row).collect()
    }
}

#[async_trait]
impl ClientStore for Postgres {
    async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError> {
        let (reply, outcome) = oneshot::channel();
        let waiting = Waiting { client, since: Instant::now(), reply };
        self.queue()?.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Closed(_) => closed(),
        })?;
        outcome.await.map_err(|_ended| closed())?
    }

    async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        let rows = self.ask(&clients::SELECT, &[&Uuid::from(id)]).await?;
        rows.first().map(FromRow::from_row).transpose()
    }

    async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let bounds = Bounds::of(filter);
        let mut next = first_after(after.map(Uuid::from));
        let Some(name) = filter.name_contains.as_ref().map(|name| name.to_ascii_lowercase()) else {
            return match next {
                Some(first) => self.page(&bounds, first, limit).await,
                None => Ok(Vec::new()),
            };
        };
        let mut found = Vec::new();
        while let Some(first) = next
            && found.len() < limit
        {
            let page = self.page(&bounds, first, ROWS_LOOKED_THROUGH).await?;
            let last = page.last().map(|client| client.client_id);
            next = last.and_then(|last| first_after(Some(last.into())));
            found.extend(page.into_iter().filter(|one| clients::has_name(&one.metadata, &name)));
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn count_clients(&self) -> Result<u64, StoreError> {
        let rows = self.ask(&clients::COUNT, &[]).await?;
        let count = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| unavailable("the database cannot count"))
    }

    async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError> {
        Ok(match self.change(&clients::DELETE, &[&Uuid::from(id)]).await? {
            0 => Deleted::NotThere,
            _ => Deleted::Forgotten,
        })
    }

    async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        self.queue()?;
        // Of two clients with one identifier, the first is meant, as if they came one after the other.
        let mut wanted: HashMap<ClientId, &ClientRecord> = HashMap::new();
        for client in &clients {
            wanted.entry(client.client_id).or_insert(client);
        }
        let mut sorted: Vec<&ClientRecord> = wanted.into_values().collect();
        sorted.sort_by_key(|client| client.client_id);
        let mut columns = Columns::default();
        for client in sorted {
            columns.push(client).map_err(store_error)?;
        }
        let rows = self.import(&columns).await.map_err(store_error)?;
        let mut kept = rows.iter().map(clients::id).collect::<Result<Vec<_>, _>>()?;
        if kept.len() == clients.len() {
            return Ok(vec![Imported::Kept; kept.len()]);
        }
        let there = self.ask(&clients::SELECT_MANY, &[&columns.client_ids]).await?;
        let there =
            there.iter().map(FromRow::from_row).collect::<Result<Vec<ClientRecord>, _>>()?;
        let there: HashMap<_, _> = there.iter().map(|one| (one.client_id, one)).collect();
        let outcome = |client: &ClientRecord| {
            if let Some(index) = kept.iter().position(|id| *id == client.client_id) {
                kept.swap_remove(index);
                return Imported::Kept;
            }
            match there.get(&client.client_id) {
                Some(kept) if *kept == client => Imported::AlreadyThere,
                _ => Imported::Differs,
            }
        };
        Ok(clients.iter().map(outcome).collect())
    }
}

impl Postgres {
    /// Keeps all of an import or none of it; again when it surely was none.
    async fn import(&self, columns: &Columns<'_>) -> Result<Vec<Row>, Fault> {
        let parameters = columns.parameters();
        match self.connections.query(&clients::INSERT, &parameters).await {
            Err(fault) if fault.is_certain_and_passing() => {
                self.connections.metrics.retries.add_one();
                self.connections.query(&clients::INSERT, &parameters).await
            }
            answer => answer,
        }
    }
}

#[async_trait]
impl UpkeepStore for Postgres {
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        upkeep::keys(self).await
    }

    async fn keep_key(
        &self,
        key: KeyRecord,
        newest: Option<String>,
    ) -> Result<KeyKept, StoreError> {
        upkeep::keep_key(self, &key, newest.as_deref()).await
    }

    async fn import_keys(&self, keys: Vec<KeyRecord>) -> Result<usize, StoreError> {
        upkeep::import_keys(self, &keys).await
    }

    async fn forget_key(&self, key_id: String) -> Result<(), StoreError> {
        upkeep::forget_key(self, &key_id).await
    }

    async fn sweep(
        &self,
        kind: Swept,
        now: Timestamp,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<SweepPage, StoreError> {
        upkeep::sweep(self, kind, now, after, limit).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.queue()?;
        let probed = match self.connections.execute(&clients::PROBE, &[]).await {
            // One write more or less does not matter.
            Err(fault) if fault.is_worth_another_try() => {
                self.connections.metrics.retries.add_one();
                self.connections.execute(&clients::PROBE, &[]).await
            }
            answer => answer,
        };
        match probed.map_err(store_error)? {
            1 => Ok(()),
            _ => Err(unavailable("the row that is written to for a probe is gone")),
        }
    }

    fn database(&self) -> Option<DatabaseFigures> {
        Some(self.connections.figures())
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.connections.close();
        Ok(())
    }
}

fn seconds(setting: u64) -> Duration {
    Duration::from_secs(setting)
}
