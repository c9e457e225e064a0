//! Moments that the store remembers.

use super::{MarkRecord, Record, Statement, parameters, sql};

pub(in crate::store) const SELECT: Statement = select!(MarkRecord, "ORDER BY name");

pub(in crate::store) const PUT: Statement =
    insert!(MarkRecord, "ON CONFLICT (name) DO UPDATE SET at = excluded.at");

/// Puts the mark `$1` at `$2` unless it is between `$3` and `$2`.
pub(in crate::store) const CLAIM: Statement = sql!(
    "INSERT INTO marks (name, at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at = $2 \
     WHERE marks.at <= $3 OR marks.at > $2"
);
