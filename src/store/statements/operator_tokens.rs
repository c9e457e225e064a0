//! Operator tokens.

use super::{OperatorTokenRecord, Record, Statement, parameters, sql};

/// A token whose identifier or name exists is not stored.
pub(in crate::store) const INSERT: Statement =
    insert!(OperatorTokenRecord, "ON CONFLICT DO NOTHING");

pub(in crate::store) const SELECT: Statement =
    select!(OperatorTokenRecord, "WHERE operator_token_id = $1");

pub(in crate::store) const SELECT_PAGE: Statement = select!(
    OperatorTokenRecord,
    "WHERE operator_token_id >= $1 ORDER BY operator_token_id LIMIT $2"
);

pub(in crate::store) const DELETE: Statement =
    sql!("DELETE FROM operator_tokens WHERE operator_token_id = $1");

/// Several nodes note uses: the latest stays.
pub(in crate::store) const NOTE_USE: Statement = sql!(
    sqlite: [
        "UPDATE operator_tokens SET used_at = $2 WHERE operator_token_id = $1 \
         AND (used_at IS NULL OR used_at < $2)"
    ],
    postgres: [
        "UPDATE operator_tokens SET used_at = noted.used_at \
         FROM unnest($1, $2) AS noted (operator_token_id, used_at) \
         WHERE operator_tokens.operator_token_id = noted.operator_token_id \
         AND (operator_tokens.used_at IS NULL OR operator_tokens.used_at < noted.used_at)"
    ],
);
