//! Audit events.

use super::{EventKey, EventRecord, Record, Statement, parameters, sql};

pub(in crate::store) const INSERT: Statement =
    insert!(EventRecord, "ON CONFLICT (event_id) DO NOTHING");

pub(in crate::store) const SELECT_PAGE: Statement = select!(
    EventRecord,
    "WHERE event_id >= $1 AND event_id <= $2 AND ($3 IS NULL OR action = $3) \
     ORDER BY event_id LIMIT $4"
);

pub(in crate::store) const SELECT_NEWEST: Statement =
    select!(EventRecord, "WHERE event_id < $1 ORDER BY event_id DESC LIMIT $2");

pub(in crate::store) const SELECT_OF_CLIENT: Statement =
    select!(EventRecord, "WHERE client = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3");

pub(in crate::store) const SELECT_OF_GRANT: Statement =
    select!(EventRecord, "WHERE grant_id = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3");

pub(in crate::store) const SELECT_OF_SUBJECT: Statement =
    select!(EventRecord, "WHERE subject = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3");

pub(in crate::store) const SELECT_KEYS: Statement =
    select!(EventKey, "WHERE event_id >= $1 AND event_id < $2 ORDER BY event_id LIMIT $3");

/// The pages of removed clients read the events about their removal: those from `$3` on stay.
pub(in crate::store) const DELETE: Statement = sql!(
    "DELETE FROM events WHERE event_id >= $1 AND event_id <= $2 \
     AND (event_id < $3 OR action NOT IN ('client.removed', 'client.rejected'))"
);
pub(in crate::store) const SELECT_OF_FAMILY: Statement =
    select!(EventRecord, "WHERE family = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3");
