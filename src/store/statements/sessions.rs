//! Sessions.

use super::{Record, SessionRecord, Statement, parameters, sql};

/// An existing session may live longer, and never shorter.
pub(in crate::store) const INSERT: Statement = insert!(
    SessionRecord,
    "ON CONFLICT (session_id) DO UPDATE SET idle_at = excluded.idle_at \
     WHERE sessions.hash = excluded.hash AND sessions.idle_at < excluded.idle_at"
);

pub(in crate::store) const SELECT: Statement = select!(SessionRecord, "WHERE session_id = $1");

/// A session that must not end until the transaction does.
pub(in crate::store) const SELECT_AND_SHARE: Statement = sql!(
    sqlite: ["SELECT ", <SessionRecord as Record>::NAMES, " FROM sessions WHERE session_id = $1"],
    postgres: [
        "SELECT ", <SessionRecord as Record>::NAMES,
        " FROM sessions WHERE session_id = $1 FOR KEY SHARE"
    ],
);

pub(in crate::store) const SELECT_PAGE: Statement =
    select!(SessionRecord, "WHERE session_id >= $1 ORDER BY session_id LIMIT $2");

pub(in crate::store) const SELECT_PAGE_OF_SUBJECT: Statement =
    select!(SessionRecord, "WHERE session_id >= $1 AND subject = $3 ORDER BY session_id LIMIT $2");

/// The last to begin of those of a person that live.
pub(in crate::store) const SELECT_NEWEST: Statement = select!(
    SessionRecord,
    "WHERE subject = $1 AND idle_at > $2 AND expires_at > $2 ORDER BY session_id DESC LIMIT 1"
);

pub(in crate::store) const PROLONG: Statement =
    sql!("UPDATE sessions SET idle_at = $2 WHERE session_id = $1");

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM sessions WHERE session_id = $1");
