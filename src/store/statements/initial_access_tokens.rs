//! Initial access tokens.

use super::{InitialAccessTokenRecord, Record, Statement, parameters, sql};

/// A token whose identifier or name exists is not stored.
pub(in crate::store) const INSERT: Statement =
    insert!(InitialAccessTokenRecord, "ON CONFLICT DO NOTHING");

pub(in crate::store) const IMPORT: Statement = insert!(
    InitialAccessTokenRecord,
    "ON CONFLICT (initial_access_token_id) DO UPDATE SET uses = excluded.uses, \
     used_at = excluded.used_at WHERE initial_access_tokens.uses < excluded.uses"
);

pub(in crate::store) const SELECT: Statement =
    select!(InitialAccessTokenRecord, "WHERE initial_access_token_id = $1");

pub(in crate::store) const SELECT_AND_LOCK: Statement =
    select_and_lock!(InitialAccessTokenRecord, "WHERE initial_access_token_id = $1");

pub(in crate::store) const SELECT_PAGE: Statement = select!(
    InitialAccessTokenRecord,
    "WHERE initial_access_token_id >= $1 ORDER BY initial_access_token_id LIMIT $2"
);

pub(in crate::store) const USE: Statement = sql!(
    "UPDATE initial_access_tokens SET uses = uses + 1, used_at = $2 \
     WHERE initial_access_token_id = $1"
);

pub(in crate::store) const DELETE: Statement =
    sql!("DELETE FROM initial_access_tokens WHERE initial_access_token_id = $1");
