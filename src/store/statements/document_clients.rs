//! Clients with a metadata document.

use super::{DocumentClientRecord, Record, Recorded, Statement, parameters, sql};

pub(in crate::store) const ALLOW: Statement = insert!(
    DocumentClientRecord,
    "ON CONFLICT (url) DO UPDATE SET allowed_at = excluded.allowed_at, \
     metadata = excluded.metadata, rule_ceiling = excluded.rule_ceiling, \
     label = coalesce(document_clients.label, excluded.label), \
     expires_at = coalesce(document_clients.expires_at, excluded.expires_at) \
     WHERE coalesce(document_clients.standing, 'active') IN ('active', 'dormant')"
);

const HOLD_TEXT: &str = "INSERT INTO document_clients \
    (url, document_client_id, first_allowed_at, allowed_at, metadata, standing, standing_at) \
    SELECT $1, $2, $3, $3, $4, 'pending', $3 \
    WHERE (SELECT count(*) FROM document_clients WHERE standing = 'pending') < $5 \
    AND (SELECT count(*) FROM document_clients AS waiting JOIN events ON events.client = waiting.url \
    WHERE waiting.standing = 'pending' AND events.action = 'client.held' AND events.subject = $6) < $7 \
    ON CONFLICT (url) DO NOTHING";

/// Records the client `$1` as pending, unless `$5` clients wait, or `$7` that the person `$6` asked for.
pub(in crate::store) const HOLD: Recorded = recorded!(7, HOLD_TEXT);

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM document_clients WHERE url = $1");

pub(in crate::store) const IMPORT: Statement = insert!(
    DocumentClientRecord,
    "ON CONFLICT (url) DO UPDATE SET allowed_at = excluded.allowed_at, \
     metadata = excluded.metadata, standing = excluded.standing, \
     standing_at = excluded.standing_at, used_at = excluded.used_at, note = excluded.note, ceiling = excluded.ceiling, \
     label = excluded.label, rule_ceiling = excluded.rule_ceiling, expires_at = excluded.expires_at \
     WHERE document_clients.allowed_at < excluded.allowed_at \
     OR coalesce(document_clients.standing_at, -1) < coalesce(excluded.standing_at, -1)"
);

pub(in crate::store) const SELECT: Statement = select!(DocumentClientRecord, "WHERE url = $1");

pub(in crate::store) const SELECT_BY_ID: Statement =
    select!(DocumentClientRecord, "WHERE document_client_id = $1");

pub(in crate::store) const SELECT_AND_LOCK: Statement =
    select_and_lock!(DocumentClientRecord, "WHERE url = $1");

pub(in crate::store) const SELECT_PAGE: Statement =
    select!(DocumentClientRecord, "WHERE url > $1 ORDER BY url LIMIT $2");

pub(in crate::store) const COUNT_STANDINGS: Statement = sql!(
    "SELECT standing, count(*) FROM document_clients WHERE standing IS NOT NULL GROUP BY standing"
);

pub(in crate::store) const SET_STANDING: Statement =
    sql!("UPDATE document_clients SET standing = $2, standing_at = $3 WHERE url = $1");

pub(in crate::store) const SET_CEILING: Statement =
    sql!("UPDATE document_clients SET ceiling = $2 WHERE url = $1");

pub(in crate::store) const SET_NOTE: Statement =
    sql!("UPDATE document_clients SET note = $2 WHERE url = $1");

pub(in crate::store) const SET_LABEL: Statement =
    sql!("UPDATE document_clients SET label = $2 WHERE url = $1");

pub(in crate::store) const NOTE_USE: Statement = sql!(
    sqlite: [
        "UPDATE document_clients SET used_at = $2 WHERE url = $1 \
         AND (used_at IS NULL OR used_at < $2)"
    ],
    postgres: [
        "UPDATE document_clients SET used_at = noted.used_at \
         FROM unnest($1, $2) AS noted (url, used_at) \
         WHERE document_clients.url = noted.url \
         AND (document_clients.used_at IS NULL OR document_clients.used_at < noted.used_at)"
    ],
);
