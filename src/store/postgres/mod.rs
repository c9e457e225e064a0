//! The store in PostgreSQL: one database that any number of nodes share.
//!
//! Each node gathers registrations ([`gatherer`]) and inserts those that came together by one statement
//! ([`batch`]); other changes send statements of their own ([`alone`]). Statements and changes are shared with the
//! embedded store, in a dialect that YugabyteDB and CockroachDB speak as well, but for the numbers of transactions that
//! webhooks follow. [`connect`] makes connections and
//! throws them away, [`fault`] knows what an error leaves unknown.

mod alone;
mod batch;
mod clients;
mod connect;
mod fault;
mod gatherer;
mod open;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod trail;
mod upkeep;
mod whole;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::Instant,
};
use tokio_postgres::Row;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::whole::{Tries, Whole};
use self::{
    alone::Alone,
    batch::Waiting,
    clients::{check_times, id as id_of},
    connect::{Connections, Parameters},
    fault::{Fault, closed, store_error, unavailable},
    rows::{Column, parameters, records},
};
pub use self::{
    open::{Migrated, OpenError, look, migrate},
    schema::{Standing, VERSION},
};
use super::{
    Access, ClientFilter, ClientRecord, DatabaseFigures, GrantFilter, GrantRecord, Imported,
    QueueFigures, StoreError, SuspendedFamilies, Swept,
    arrival::Newcomer,
    column::{Record, Stored as _, Value, client_page, first_after},
    sql::Statement,
    statements,
};
use crate::{
    client::ClientId,
    clock::Timestamp,
    config::{PostgresConfig, PostgresUrl},
    grant::GrantId,
};

/// How many rows are asked for at once when the driver itself looks for those that pass a filter.
const ROWS_LOOKED_THROUGH: usize = 1_000;

/// An open store. Without [`Self::close`], what was accepted is still written, but nobody waits
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
        statement: &'static Statement,
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
        statement: &'static Statement,
        parameters: Parameters<'_>,
    ) -> Result<usize, StoreError> {
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

    /// For changes of which one statement changes anything.
    pub(super) fn alone(&self) -> Result<Alone<'_>, StoreError> {
        self.queue()?;
        Ok(Alone(self))
    }

    /// For changes of several statements.
    pub(super) async fn whole(&self) -> Result<Whole<'_>, StoreError> {
        self.queue()?;
        Whole::begin(&self.connections).await.map_err(store_error)
    }

    /// The records that a statement selects.
    pub(super) async fn select<R: Record>(
        &self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        records(&self.ask(statement, &parameters(values)).await?)
    }

    /// Clients from `first` on, the next of them where the page ends.
    async fn page(
        &self,
        filter: &ClientFilter,
        first: [u8; 16],
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let page = client_page(filter, first, [u8::MAX; 16], limit);
        let statement = statements::clients::select_page(filter.flags);
        records(&self.ask(statement, &parameters(&page)).await?)
    }
}

impl Postgres {
    pub(super) async fn register_client(&self, newcomer: Newcomer) -> Result<(), StoreError> {
        let (reply, outcome) = oneshot::channel();
        let waiting = Waiting { newcomer, since: Instant::now(), reply };
        self.queue()?.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Closed(_) => closed(),
        })?;
        outcome.await.map_err(|_ended| closed())?
    }

    pub(super) async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        Ok(records(&self.ask(&statements::clients::SELECT, &[&id.value()]).await?)?.pop())
    }

    pub(super) async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let mut next = first_after(after);
        if !filter.reads_records() {
            return match next {
                Some(first) => self.page(filter, first, limit).await,
                None => Ok(Vec::new()),
            };
        }
        // Lists by standing come another way.
        let suspended = SuspendedFamilies::default();
        let mut found = Vec::new();
        while let Some(first) = next
            && found.len() < limit
        {
            let page = self.page(filter, first, ROWS_LOOKED_THROUGH).await?;
            let last = page.last().map(|client| client.client_id);
            next = last.and_then(|last| first_after(Some(last)));
            let page = page.into_iter();
            found.extend(page.filter(|client| filter.passes(client, &suspended)));
        }
        found.truncate(limit);
        Ok(found)
    }

    pub(super) fn queues(&self) -> Vec<QueueFigures> {
        self.queue.iter().map(|queue| QueueFigures::of("registrations", queue)).collect()
    }

    pub(super) async fn count_clients(&self) -> Result<u64, StoreError> {
        let rows = self.ask(&statements::clients::COUNT, &[]).await?;
        let count = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
        count
            .and_then(|count| u64::try_from(count).ok())
            .ok_or_else(|| unavailable("the database cannot count"))
    }

    pub(super) async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        self.queue()?;
        if clients.is_empty() {
            return Ok(Vec::new());
        }
        // Of two clients with one identifier, the first is meant, as if they came one after the other.
        let mut wanted: HashMap<ClientId, &ClientRecord> = HashMap::new();
        for client in &clients {
            wanted.entry(client.client_id).or_insert(client);
        }
        let mut sorted: Vec<&ClientRecord> = wanted.into_values().collect();
        sorted.sort_by_key(|client| client.client_id);
        check_times(sorted.iter().copied()).map_err(store_error)?;
        let columns = rows::columns(sorted.into_iter());
        let rows = self.import(&columns).await.map_err(store_error)?;
        let mut kept = rows.iter().map(id_of).collect::<Result<Vec<_>, _>>()?;
        if kept.len() == clients.len() {
            return Ok(vec![Imported::Kept; kept.len()]);
        }
        let ids = columns.first().ok_or_else(|| unavailable("a client has no column"))?;
        let there: Vec<ClientRecord> =
            records(&self.ask(&statements::clients::SELECT_MANY, &[ids]).await?)?;
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
    pub(super) async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(records(&self.ask(&statements::grants::SELECT, &[&id.value()]).await?)?.pop())
    }

    pub(super) async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let Some(first) = first_after(after).map(Value::Id) else { return Ok(Vec::new()) };
        let client = Value::Text(filter.client.as_ref().map(|client| client.to_string().into()));
        let limit = Value::limit(limit);
        let asked = match &filter.subject {
            Some(subject) => {
                let subject = subject.value();
                self.ask(
                    &statements::grants::SELECT_PAGE_OF_SUBJECT,
                    &[&subject, &first, &client, &limit],
                )
                .await
            }
            None => {
                self.ask(&statements::grants::SELECT_PAGE, &[&first, &Value::LAST, &client, &limit])
                    .await
            }
        };
        records(&asked?)
    }
}

impl Postgres {
    /// Keeps all of an import or none of it; again when it surely was none.
    async fn import(&self, columns: &[Column<'_>]) -> Result<Vec<Row>, Fault> {
        let parameters = parameters(columns);
        match self.connections.query(&statements::clients::IMPORT, &parameters).await {
            Err(fault) if fault.is_certain_and_passing() => {
                self.connections.metrics.retries.add_one();
                self.connections.query(&statements::clients::IMPORT, &parameters).await
            }
            answer => answer,
        }
    }
}

impl Postgres {
    /// The records of one kind that a page of a sweep looks at: their keys, and whether they can go.
    pub(super) async fn look(
        &self,
        kind: Swept,
        now: Timestamp,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, bool)>, StoreError> {
        upkeep::look(self, kind, now, after, limit).await
    }

    /// Deletes those of these records that can still go: one may have been used since it was looked at. Returns how
    /// many there were.
    pub(super) async fn forget(
        &self,
        delete: &'static Statement,
        by_id: bool,
        now: Timestamp,
        keys: Vec<Vec<u8>>,
    ) -> Result<usize, StoreError> {
        upkeep::forget(self, delete, by_id, now, &keys).await
    }

    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        self.queue()?;
        let probed = match self.connections.execute(&statements::clients::PROBE, &[]).await {
            // One write more or less does not matter.
            Err(fault) if fault.is_worth_another_try() => {
                self.connections.metrics.retries.add_one();
                self.connections.execute(&statements::clients::PROBE, &[]).await
            }
            answer => answer,
        };
        match probed.map_err(store_error)? {
            1 => Ok(()),
            _ => Err(unavailable("the row that is written to for a probe is gone")),
        }
    }

    /// The state of the connections.
    pub(super) fn figures(&self) -> DatabaseFigures {
        self.connections.figures()
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
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
