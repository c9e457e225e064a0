//! Refused requests.

use super::{AttemptRecord, Record, Statement, parameters, sql};

pub(in crate::store) const NOTE: Statement = insert!(
    AttemptRecord,
    "ON CONFLICT (reason, target, network) DO UPDATE SET attempts = attempts.attempts + excluded.attempts, \
     first_at = CASE WHEN excluded.first_at < attempts.first_at THEN excluded.first_at ELSE attempts.first_at END, \
     request_id = CASE WHEN excluded.last_at < attempts.last_at THEN attempts.request_id ELSE excluded.request_id END, \
     last_at = CASE WHEN excluded.last_at < attempts.last_at THEN attempts.last_at ELSE excluded.last_at END"
);

pub(in crate::store) const DELETE_OLD: Statement = sql!("DELETE FROM attempts WHERE last_at < $1");

/// Deletes rows beyond `$1`. The place of a row is counted in its network, from the one with the most attempts.
pub(in crate::store) const DELETE_SURPLUS: Statement = sql!(
    "DELETE FROM attempts WHERE (reason, target, network) IN (SELECT reason, target, network FROM \
     (SELECT reason, target, network, attempts, last_at, \
     row_number() OVER (PARTITION BY network ORDER BY attempts DESC, last_at DESC) AS place \
     FROM attempts) AS placed ORDER BY place DESC, attempts, last_at \
     LIMIT (SELECT CASE WHEN count(*) > $1 THEN count(*) - $1 ELSE 0 END FROM attempts))"
);

pub(in crate::store) const SELECT: Statement =
    select!(AttemptRecord, "ORDER BY last_at DESC, reason, target, network");
