//! Grants.

use super::{Columns as _, EventRecord, GrantRecord, Record, Statement, parameters, sql};

/// An existing grant advances to a later state, and never goes back.
pub(in crate::store) const INSERT: Statement = insert!(
    GrantRecord,
    "ON CONFLICT (grant_id) DO UPDATE SET expires_at = excluded.expires_at, \
     redeemed_at = excluded.redeemed_at, refresh_family = excluded.refresh_family, \
     refresh_current = excluded.refresh_current, refresh_previous = excluded.refresh_previous, \
     superseded_at = excluded.superseded_at, refresh_expires_at = excluded.refresh_expires_at, \
     refreshes = excluded.refreshes, graced = excluded.graced \
     WHERE grants.code_hash = excluded.code_hash \
     AND (coalesce(grants.redeemed_at, -1), coalesce(grants.superseded_at, -1)) \
     < (coalesce(excluded.redeemed_at, -1), coalesce(excluded.superseded_at, -1))"
);

pub(in crate::store) const SELECT: Statement = select!(GrantRecord, "WHERE grant_id = $1");

pub(in crate::store) const SELECT_EACH: Statement = select_each!(GrantRecord, "grant_id");

pub(in crate::store) const SELECT_PAGE: Statement = select!(
    GrantRecord,
    "WHERE grant_id >= $1 AND grant_id <= $2 AND ($3 IS NULL OR client = $3) \
     ORDER BY grant_id LIMIT $4"
);

pub(in crate::store) const SELECT_PAGE_OF_SUBJECT: Statement = select!(
    GrantRecord,
    "WHERE subject = $1 AND grant_id >= $2 AND ($3 IS NULL OR client = $3) \
     ORDER BY grant_id LIMIT $4"
);

pub(in crate::store) const SELECT_NEWEST_OF_SUBJECT: Statement =
    select!(GrantRecord, "WHERE subject = $1 AND grant_id < $2 ORDER BY grant_id DESC LIMIT $3");

/// For SQLite: the grant at a distance behind another.
pub(in crate::store) const SELECT_AHEAD: Statement =
    sql!("SELECT grant_id FROM grants WHERE grant_id >= $1 ORDER BY grant_id LIMIT 1 OFFSET $2");

/// In PostgreSQL, one statement redeems the codes of many grants and stores the events.
pub(in crate::store) const REDEEM: Statement = sql!(
    sqlite: [
        "UPDATE grants SET redeemed_at = $2, expires_at = $3, refresh_family = $4, \
         refresh_current = $5, refresh_expires_at = $6 \
         WHERE grant_id = $1 AND redeemed_at IS NULL"
    ],
    postgres: [
        "WITH redeemed AS (UPDATE grants SET redeemed_at = given.used_at, \
         expires_at = given.ends_at, refresh_family = given.new_family, \
         refresh_current = given.new_token, refresh_expires_at = given.token_ends_at FROM unnest(",
        parameters(6 + EventRecord::COUNT),
        ") AS given (id, used_at, ends_at, new_family, new_token, token_ends_at, ",
        <EventRecord as Record>::NAMES,
        ") WHERE grants.grant_id = given.id AND grants.redeemed_at IS NULL RETURNING given.*), \
         told AS (INSERT INTO events (", <EventRecord as Record>::NAMES, ") SELECT ",
        <EventRecord as Record>::NAMES, " FROM redeemed) SELECT id FROM redeemed"
    ],
);

pub(in crate::store) const NOTE_GRACE: Statement =
    sql!("UPDATE grants SET graced = graced + 1 WHERE grant_id = $1");

pub(in crate::store) const SELECT_OF_CLIENT: Statement = select!(GrantRecord, "WHERE client = $1");

pub(in crate::store) const SELECT_LIVE_OF_CLIENT: Statement = select!(
    GrantRecord,
    "WHERE client = $1 AND expires_at > $2 \
     AND (refresh_expires_at IS NULL OR refresh_expires_at > $2) LIMIT 1"
);

pub(in crate::store) const SELECT_OF_SUBJECT_AND_CLIENT: Statement =
    select!(GrantRecord, "WHERE subject = $1 AND client = $2");

/// In PostgreSQL, one statement supersedes the tokens of many grants.
pub(in crate::store) const SUPERSEDE: Statement = sql!(
    sqlite: [
        "UPDATE grants SET refresh_previous = refresh_current, superseded_at = $2, \
         refresh_current = $3, refresh_expires_at = $4, refreshes = refreshes + 1 \
         WHERE grant_id = $1 AND refresh_family = $5 \
         AND refresh_current = $6 AND refresh_expires_at > $2 AND expires_at > $2"
    ],
    postgres: [
        "UPDATE grants SET refresh_previous = refresh_current, superseded_at = given.used_at, \
         refresh_current = given.successor, refresh_expires_at = given.token_ends_at, \
         refreshes = refreshes + 1 FROM unnest(", parameters(6),
        ") AS given (id, used_at, successor, token_ends_at, family, presented) \
         WHERE grants.grant_id = given.id AND refresh_family = given.family \
         AND refresh_current = given.presented AND refresh_expires_at > given.used_at \
         AND expires_at > given.used_at RETURNING given.id"
    ],
);

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM grants WHERE grant_id = $1");
