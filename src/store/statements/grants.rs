//! Grants.

use super::{GrantRecord, Record, Recorded, Statement, parameters, sql};

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

const REDEEM_TEXT: &str = "UPDATE grants SET redeemed_at = $2, expires_at = $3, refresh_family = $4, \
    refresh_current = $5, refresh_expires_at = $6 WHERE grant_id = $1 AND redeemed_at IS NULL";

/// In PostgreSQL one statement redeems and records.
pub(in crate::store) const REDEEM: Recorded = recorded!(6, REDEEM_TEXT);

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

pub(in crate::store) const SUPERSEDE: Statement = sql!(
    "UPDATE grants SET refresh_previous = refresh_current, superseded_at = $2, \
     refresh_current = $3, refresh_expires_at = $4, refreshes = refreshes + 1 \
     WHERE grant_id = $1 AND refresh_family = $5 \
     AND refresh_current = $6 AND refresh_expires_at > $2 AND expires_at > $2"
);

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM grants WHERE grant_id = $1");
