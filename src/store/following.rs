//! The trail as it grows, for a reader that keeps its place in memory.
//!
//! As for webhooks, places are those of commits, so that nothing is passed over. In SQLite the next row gets the rowid of
//! a last row that was deleted; a reader without a cursor in the store remembers the last rows that it has read, and goes
//! back to the last one that is still there.

use std::collections::VecDeque;

use super::{
    Database, Store, StoreError, TrailEntry, TrailPosition, column::Value, statements::webhooks,
};
use crate::{audit::EventId, client::ClientId};

/// How many rows of each table a reader remembers: so many last rows may be deleted between two questions.
const REMEMBERED: usize = 1_024;

/// A reader of the trail from a moment on.
#[derive(Debug)]
pub struct Following {
    position: TrailPosition,
    events: Rows<EventId>,
    clients: Rows<ClientId>,
}

/// Rows of one table that were read, in their order, below a place before all of them.
#[derive(Debug)]
struct Rows<I> {
    read: VecDeque<(u64, I)>,
    before: (u64, I),
}

impl<I: Copy + PartialEq> Rows<I> {
    fn new(place: (u64, I)) -> Self {
        Self { read: VecDeque::from([place]), before: (place.0.saturating_sub(1), place.1) }
    }

    fn last(&self) -> (u64, I) {
        self.read.back().copied().unwrap_or(self.before)
    }

    fn push(&mut self, place: (u64, I)) {
        if place == self.last() {
            return;
        }
        self.read.push_back(place);
        if self.read.len() > REMEMBERED {
            self.before = self.read.pop_front().unwrap_or(self.before);
        }
    }
}

impl Store {
    /// Begins to follow the trail behind all that is stored now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow(&self) -> Result<Following, StoreError> {
        let found = self.select_one::<TrailPosition>(&webhooks::SELECT_END, Vec::new()).await?;
        let position = found.unwrap_or(TrailPosition::BEGINNING);
        let events = Rows::new((position.events_at, position.event_id));
        let clients = Rows::new((position.clients_at, position.client_id));
        Ok(Following { position, events, clients })
    }
}

impl Following {
    /// At most `limit` events and registrations that were stored since, in the order of their commits. Empty when there
    /// is nothing, or nothing yet that no transaction can come before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next(
        &mut self,
        store: &Store,
        limit: usize,
    ) -> Result<Vec<TrailEntry>, StoreError> {
        let entries = loop {
            let entries = store.trail_behind(&self.position, limit).await?;
            // Rowids grow for as long as the row of this place is there.
            let is_embedded = matches!(store.database, Database::Embedded(_));
            if !is_embedded || !self.goes_back(store).await? {
                break entries;
            }
        };
        for TrailEntry { position, .. } in &entries {
            self.events.push((position.events_at, position.event_id));
            self.clients.push((position.clients_at, position.client_id));
            self.position = *position;
        }
        Ok(entries)
    }

    /// Goes back by a row of each table whose last row is gone; `false` if none is.
    async fn goes_back(&mut self, store: &Store) -> Result<bool, StoreError> {
        let position = &self.position;
        let parameters = vec![
            Value::number(position.events_at),
            Value::Id(*position.event_id.as_bytes()),
            Value::number(position.clients_at),
            Value::Id(*position.client_id.as_bytes()),
        ];
        let there = store.select_one::<TrailPosition>(&webhooks::SELECT_THERE, parameters).await?;
        let there = there.unwrap_or(TrailPosition::BEGINNING);
        let mut goes_back = false;
        if there.events_at != position.events_at {
            goes_back |= self.events.read.pop_back().is_some();
        }
        if there.clients_at != position.clients_at {
            goes_back |= self.clients.read.pop_back().is_some();
        }
        let ((events_at, event_id), (clients_at, client_id)) =
            (self.events.last(), self.clients.last());
        self.position = TrailPosition { events_at, event_id, clients_at, client_id };
        Ok(goes_back)
    }
}

impl TrailPosition {
    /// Before every row.
    const BEGINNING: Self = Self {
        events_at: 0,
        event_id: EventId::from_bytes([0; 16]),
        clients_at: 0,
        client_id: ClientId::from_bytes([0; 16]),
    };
}
