//! The trail as it grows, for readers that keep their place themselves: in memory, or as the cursor of a page.
//!
//! As for webhooks, places are those of commits, so that nothing is passed over. In SQLite the next row gets the rowid of
//! a last row that was deleted. No trigger moves a place outside the store, so a reader whose last row is gone is taken
//! back, and gets some entries a second time.

use std::{fmt, str::FromStr};

use super::{
    Database, Store, StoreError, TrailEntry, TrailPosition, column::Value, statements::webhooks,
};
use crate::{audit::EventId, client::ClientId};

/// How many rows a reader is taken back: so many last rows may be deleted between two pages.
pub const TAKEN_BACK: usize = 1_024;

/// Entries of the trail, and the place behind them.
#[derive(Debug)]
pub struct TrailPage {
    /// In the order of their commits.
    pub entries: Vec<TrailEntry>,
    /// Where the next page begins.
    pub place: TrailPosition,
}

impl Store {
    /// The place behind all that is stored now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trail_end(&self) -> Result<TrailPosition, StoreError> {
        let end = self.select_one::<TrailPosition>(&webhooks::SELECT_END, Vec::new()).await?;
        Ok(end.unwrap_or(TrailPosition::BEGINNING))
    }

    /// At most `limit` events and registrations that were stored behind a place, each at least once. No entries when
    /// there is nothing, or nothing yet that no transaction can come before; `None` if the place is not one of this
    /// database.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow_trail(
        &self,
        mut place: TrailPosition,
        limit: usize,
    ) -> Result<Option<TrailPage>, StoreError> {
        let end = self.trail_end().await?;
        let is_embedded = matches!(self.database, Database::Embedded(_));
        if is_embedded {
            place = place.at_most(end);
        } else if place.events_at > end.events_at || place.clients_at > end.clients_at {
            return Ok(None);
        }
        let entries = loop {
            let entries = self.trail_behind(&place, limit).await?;
            // Rowids grow for as long as the row of the place is there, so this comes after the reading.
            let before = if is_embedded { self.before_gone_rows(place).await? } else { place };
            if before == place {
                break entries;
            }
            place = before;
        };
        let place = entries.last().map_or(place, |entry| entry.position);
        Ok(Some(TrailPage { entries, place }))
    }

    /// The place, or one further back in each table whose last row is gone.
    async fn before_gone_rows(&self, place: TrailPosition) -> Result<TrailPosition, StoreError> {
        let parameters = vec![
            Value::number(place.events_at),
            Value::Id(*place.event_id.as_bytes()),
            Value::number(place.clients_at),
            Value::Id(*place.client_id.as_bytes()),
        ];
        let there = self.select_one::<TrailPosition>(&webhooks::SELECT_THERE, parameters).await?;
        let there = there.unwrap_or(TrailPosition::BEGINNING);
        let mut before = place;
        let taken_back = |at: u64| at.saturating_sub(TAKEN_BACK as u64);
        // No row has the identifier of a place that was taken back.
        if there.events_at != place.events_at && place.event_id != NO_EVENT {
            before.events_at = taken_back(place.events_at);
            before.event_id = NO_EVENT;
        }
        if there.clients_at != place.clients_at && place.client_id != NO_CLIENT {
            before.clients_at = taken_back(place.clients_at);
            before.client_id = NO_CLIENT;
        }
        Ok(before)
    }
}

const NO_EVENT: EventId = EventId::from_bytes([0; 16]);
const NO_CLIENT: ClientId = ClientId::from_bytes([0; 16]);

impl TrailPosition {
    /// Before every row.
    const BEGINNING: Self =
        Self { events_at: 0, event_id: NO_EVENT, clients_at: 0, client_id: NO_CLIENT };

    /// The place, with rowids that exist.
    fn at_most(self, end: Self) -> Self {
        Self {
            events_at: self.events_at.min(end.events_at),
            clients_at: self.clients_at.min(end.clients_at),
            ..self
        }
    }
}

/// As the cursor of a page has it.
impl fmt::Display for TrailPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events_at, event_id, clients_at, client_id } = self;
        write!(f, "{events_at}.{event_id}.{clients_at}.{client_id}")
    }
}

/// A text is not a place in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the trail")]
pub struct NoTrailPosition;

impl FromStr for TrailPosition {
    type Err = NoTrailPosition;

    fn from_str(text: &str) -> Result<Self, NoTrailPosition> {
        /// As databases count: an `i64` above 0.
        fn number(text: &str) -> Option<u64> {
            text.parse().ok().filter(|number| i64::try_from(*number).is_ok())
        }
        let mut parts = text.split('.');
        let mut read = || {
            Some(Self {
                events_at: number(parts.next()?)?,
                event_id: parts.next()?.parse().ok()?,
                clients_at: number(parts.next()?)?,
                client_id: parts.next()?.parse().ok()?,
            })
        };
        let place = read();
        place.filter(|_| parts.next().is_none()).ok_or(NoTrailPosition)
    }
}
