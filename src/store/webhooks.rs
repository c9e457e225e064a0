//! What webhooks read: the trail in the order of commits, behind a cursor that nothing can be stored before.
//!
//! Identifiers sort by time, but clocks of nodes differ, and what was begun earlier may be committed later. So a cursor
//! is no identifier. In SQLite it is the last rowid of each table: one connection writes at a time, and gives each new
//! row a greater rowid than all that are there. When the last row is deleted, the next one gets its rowid: triggers take
//! cursors back to the last row, and a cursor moves to a row only while the row is there. In PostgreSQL each row has the
//! number of the transaction that stored it, and a cursor never passes the first transaction that may be under way: all
//! before it have ended, so nothing is stored behind the cursor any more. What one change saw of another is sent after
//! it, because a transaction that sees the other has a greater number.

use std::collections::VecDeque;

use super::{
    ClientRecord, Database, EventRecord, Store, StoreError, change, changes,
    column::{Columns, Record, Row, Unreadable, Value, columns},
    statements::webhooks,
};
use crate::{
    audit::EventId,
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    id::Id,
};

columns! {
    /// A place in the trail, in the order of commits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TrailPosition {
        /// Of the last event: its rowid, or the transaction that stored it.
        pub events_at: u64 = "events_at",
        /// The last event.
        pub event_id: EventId = "event_id",
        /// Of the last client: its rowid, or the transaction that stored it.
        pub clients_at: u64 = "clients_at",
        /// The last client.
        pub client_id: ClientId = "client_id",
    }
}

/// No table has it: its row is put together from two.
impl Record for TrailPosition {
    const TABLE: &'static str = "events";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "a place in the trail".to_owned()
    }
}

columns! {
    /// How far a webhook is, and whether it fails.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WebhookCursor {
        /// The name of the webhook.
        pub webhook: String = "webhook",
        /// Everything up to there was delivered.
        pub position: TrailPosition = TrailPosition::COLUMNS,
        /// How many attempts at the next event have failed.
        pub failures: u64 = "failures",
        /// When the first of them failed.
        pub failing_since: Option<Timestamp> = "failing_since",
        /// Why the last of them failed.
        pub failure: Option<String> = "failure",
    }
}

impl Record for WebhookCursor {
    const TABLE: &'static str = "webhook_cursors";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        format!("the cursor of webhook {}", row.text(0).ok().flatten().unwrap_or("without a name"))
    }
}

/// An event or a registration, and the place behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailEntry {
    /// What happened.
    pub event: EventRecord,
    /// Everything up to this entry.
    pub position: TrailPosition,
}

/// Names a process that holds leases.
pub type LeaseHolder = Id<Lease>;

/// What a [`LeaseHolder`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lease {}

impl Store {
    /// Gives each of these webhooks a cursor behind all that is stored now, unless it has one, and drops the cursors of
    /// all others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_webhooks(&self, names: Vec<String>) -> Result<(), StoreError> {
        change!(self, whole, |change| changes::begin_webhooks(change, &names))
    }

    /// The cursors of all webhooks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn webhook_cursors(&self) -> Result<Vec<WebhookCursor>, StoreError> {
        self.select(&webhooks::SELECT_ALL, Vec::new()).await
    }

    /// At most `limit` events and registrations behind a place, in the order of their commits. Nothing is stored before
    /// the last of them any more. Empty when there is nothing, or nothing yet that no transaction can come before.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Corrupt`] if the place is not one of this database.
    pub async fn trail_behind(
        &self,
        position: &TrailPosition,
        limit: usize,
    ) -> Result<Vec<TrailEntry>, StoreError> {
        self.check()?;
        let (events, clients) = match &self.database {
            Database::Embedded(embedded) => embedded.behind(*position, limit).await?,
            Database::Postgres(postgres) => postgres.behind(position, limit).await?,
        };
        let by_commit = matches!(self.database, Database::Postgres(_));
        Ok(merged(*position, events, clients, limit, by_commit))
    }

    /// Moves the cursor of a webhook, and notes that it does not fail. `false` if it was moved in between, by another
    /// node, or because rows were deleted: then the caller reads it again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance_webhook(
        &self,
        webhook: &str,
        from: TrailPosition,
        to: TrailPosition,
    ) -> Result<bool, StoreError> {
        let webhook = webhook.to_owned();
        let moved =
            change!(self, one, |change| changes::advance_webhook(change, &webhook, &from, &to));
        Ok(moved? > 0)
    }

    /// Notes that an attempt to deliver failed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_webhook_failure(
        &self,
        webhook: &str,
        at: Timestamp,
        failure: String,
    ) -> Result<(), StoreError> {
        let webhook = webhook.to_owned();
        let noted = change!(self, one, |change| {
            changes::note_webhook_failure(change, &webhook, at, &failure)
        });
        noted.map(drop)
    }

    /// Takes a lease for half a minute, or prolongs it; `false` if another process holds it. The embedded store has one
    /// server, which holds every lease.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold_lease(&self, name: &str, holder: LeaseHolder) -> Result<bool, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(_) => Ok(true),
            Database::Postgres(postgres) => {
                let parameters = [Value::text(name), Value::Id(*holder.as_bytes())];
                Ok(postgres.execute(&webhooks::HOLD, &parameters).await? > 0)
            }
        }
    }

    /// Gives a lease back, so that another process need not wait for its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_lease(&self, name: &str, holder: LeaseHolder) -> Result<(), StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(_) => Ok(()),
            Database::Postgres(postgres) => {
                let parameters = [Value::text(name), Value::Id(*holder.as_bytes())];
                postgres.execute(&webhooks::RELEASE, &parameters).await.map(drop)
            }
        }
    }
}

/// A record, and its place in its table.
pub(super) struct Placed<R> {
    record: R,
    at: u64,
}

impl<R: Record> Columns for Placed<R> {
    const COUNT: usize = R::COUNT + 1;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        self.record.write(to);
        self.at.write(to);
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        R::write_none(to);
        u64::write_none(to);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        Ok(Self { record: R::read(row, first)?, at: u64::read(row, first + R::COUNT)? })
    }
}

impl<R: Record> Record for Placed<R> {
    const TABLE: &'static str = R::TABLE;
    const NAMES: &'static str = R::NAMES;

    fn name(row: &impl Row) -> String {
        R::name(row)
    }
}

/// Parameters of a page of events behind a place, and before `end`.
pub(super) fn events_behind(
    position: &TrailPosition,
    limit: usize,
    end: Option<u64>,
) -> [Value<'static>; 4] {
    page(position.events_at, *position.event_id.as_bytes(), limit, end)
}

/// The same of clients.
pub(super) fn clients_behind(
    position: &TrailPosition,
    limit: usize,
    end: Option<u64>,
) -> [Value<'static>; 4] {
    page(position.clients_at, *position.client_id.as_bytes(), limit, end)
}

fn page(at: u64, id: [u8; 16], limit: usize, end: Option<u64>) -> [Value<'static>; 4] {
    [Value::number(at), Value::Id(id), Value::limit(limit), Value::number(end.unwrap_or(u64::MAX))]
}

/// Merges a page of events with one of clients: by commit where places can be compared, else by identifier, but no event
/// about a client before its registration. A page that is full ends what is known of its table.
fn merged(
    mut position: TrailPosition,
    events: Vec<Placed<EventRecord>>,
    clients: Vec<Placed<ClientRecord>>,
    limit: usize,
    by_commit: bool,
) -> Vec<TrailEntry> {
    let (events_end, clients_end) = (events.len() < limit, clients.len() < limit);
    let (mut events, mut clients) = (VecDeque::from(events), VecDeque::from(clients));
    let mut entries = Vec::with_capacity(limit.min(events.len() + clients.len()));
    while entries.len() < limit {
        let takes_event = match (events.front(), clients.front()) {
            (Some(event), Some(client)) => {
                is_first(event, client, by_commit) && !is_registered_in(event, &clients)
            }
            (Some(_), None) if clients_end => true,
            (None, Some(_)) if events_end => false,
            _ => break,
        };
        let event = if takes_event {
            events.pop_front().map(|Placed { record, at }| {
                position = TrailPosition { events_at: at, event_id: record.event_id, ..position };
                record
            })
        } else {
            clients.pop_front().map(|Placed { record, at }| {
                let client_id = record.client_id;
                position = TrailPosition { clients_at: at, client_id, ..position };
                EventRecord::registration(&record)
            })
        };
        entries.extend(event.map(|event| TrailEntry { event, position }));
    }
    entries
}

fn is_first(event: &Placed<EventRecord>, client: &Placed<ClientRecord>, by_commit: bool) -> bool {
    let ids = || event.record.event_id.as_bytes().cmp(client.record.client_id.as_bytes());
    let places = if by_commit { event.at.cmp(&client.at) } else { std::cmp::Ordering::Equal };
    places.then_with(ids).is_lt()
}

fn is_registered_in(event: &Placed<EventRecord>, clients: &VecDeque<Placed<ClientRecord>>) -> bool {
    let Some(ClientIdentifier::Registered(id)) = event.record.client else { return false };
    clients.iter().any(|client| client.record.client_id == id)
}
