//! The store in PostgreSQL: one database that any number of nodes share.
//!
//! Each node gathers callers that come together ([`gatherer`]): registrations are inserted by one statement ([`batch`]),
//! clients and grants are looked up by one ([`lookups`]), and codes and refresh tokens are exchanged in one transaction
//! ([`group`]). Other changes send statements of their own ([`alone`]). Statements and changes are shared with the
//! embedded store, in a dialect that YugabyteDB and CockroachDB speak as well, but for the numbers of transactions that
//! webhooks follow. [`connect`] makes connections and
//! throws them away, [`fault`] knows what an error leaves unknown.

mod alone;
mod batch;
mod clients;
mod connect;
mod fault;
mod gatherer;
mod group;
mod lookups;
mod open;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod together;
mod trail;
mod upkeep;
mod whole;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio_postgres::Row;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::whole::{Tries, Whole};
use self::{
    alone::Alone,
    batch::Keeper,
    clients::{check_times, id as id_of},
    connect::{Connections, Parameters},
    fault::{Fault, closed, store_error, unavailable},
    gatherer::Queue,
    group::Groups,
    lookups::Lookups,
    rows::{Column, parameters, records},
};
pub use self::{
    open::{Migrated, OpenError, look, migrate},
    schema::{Standing, VERSION},
};
use super::{
    Access, ClientFilter, ClientRecord, DatabaseFigures, GrantFilter, GrantOfClient, GrantRecord,
    Imported, QueueFigures, StoreError, SuspendedFamilies, Swept,
    arrival::Newcomer,
    column::{Record, Stored as _, Value, client_page, first_after},
    sql::Statement,
    statements,
};
use crate::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    config::{PostgresConfig, PostgresUrl},
    grant::GrantId,
};

/// How many rows are asked for at once when the driver itself looks for those that pass a filter.
const ROWS_LOOKED_THROUGH: usize = 1_000;

/// An open store. Without [`Self::close`], what was accepted is still written, but nobody waits
/// for it.
pub(super) struct Postgres {
    clients: Queue<Lookups<ClientRecord>>,
    grants: Queue<Lookups<GrantRecord>>,
    /// `None` when the store was opened for reading.
    writers: Option<Writers>,
    connections: Arc<Connections>,
    closing: CancellationToken,
    /// The gatherers, and the batches that are in flight.
    tasks: TaskTracker,
}

/// What makes changes in batches.
struct Writers {
    registrations: Queue<Keeper>,
    exchanges: Queue<Groups>,
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

    fn writers(&self) -> Result<&Writers, StoreError> {
        self.writers.as_ref().ok_or_else(|| unavailable("the store was opened for reading"))
    }

    /// See [`Connections::ask`].
    async fn ask(
        &self,
        statement: &'static Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.connections.ask(statement, parameters).await.map_err(store_error)
    }

    /// See [`Connections::change`].
    async fn change(
        &self,
        statement: &'static Statement,
        parameters: Parameters<'_>,
    ) -> Result<usize, StoreError> {
        self.writers()?;
        self.connections.change(statement, parameters).await.map_err(store_error)
    }

    /// For changes of which one statement changes anything.
    pub(super) fn alone(&self) -> Result<Alone<'_>, StoreError> {
        self.writers()?;
        Ok(Alone(self))
    }

    /// For changes of several statements.
    pub(super) async fn whole(&self) -> Result<Whole<'_>, StoreError> {
        self.writers()?;
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
        self.writers()?.registrations.ask(newcomer).await
    }

    pub(super) async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.clients.ask(*id.as_bytes()).await
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
        let lookups = [self.clients.figures("clients"), self.grants.figures("grants")];
        let changes = self.writers.iter().flat_map(|writers| {
            let Writers { registrations, exchanges } = writers;
            [registrations.figures("registrations"), exchanges.figures("exchanges")]
        });
        lookups.into_iter().chain(changes).collect()
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
        self.writers()?;
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
            records(&self.ask(&statements::clients::SELECT_EACH, &[ids]).await?)?;
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
        self.grants.ask(*id.as_bytes()).await
    }

    pub(super) async fn grant_of_client(
        &self,
        id: GrantId,
    ) -> Result<Option<GrantOfClient>, StoreError> {
        let Some(grant) = self.grant(id).await? else { return Ok(None) };
        let client = match &grant.client {
            ClientIdentifier::Registered(id) => self.client(*id).await?,
            ClientIdentifier::Document(_) => None,
        };
        Ok(Some(GrantOfClient { grant, client }))
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
        let import = || self.connections.query(&statements::clients::IMPORT, &parameters);
        self.connections.twice(Fault::is_certain_and_passing, import).await
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
        self.writers()?;
        let probe = || self.connections.execute(&statements::clients::PROBE, &[]);
        // One write more or less does not matter.
        let probed = self.connections.twice(Fault::is_worth_another_try, probe).await;
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
