//! Audit events.

use super::{EventRecord, Record, Statement, parameters, sql};

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
