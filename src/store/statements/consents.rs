//! Consents.

use super::{ConsentRecord, Record, Statement, parameters, sql};

const REPLACE: &str = "ON CONFLICT (consent_id) DO UPDATE SET scope = excluded.scope, \
    redirect_uri = excluded.redirect_uri, metadata_hash = excluded.metadata_hash, \
    allowed_at = excluded.allowed_at, expires_at = excluded.expires_at";

pub(in crate::store) const REPLACE_ALWAYS: Statement = insert!(ConsentRecord, REPLACE);

pub(in crate::store) const REPLACE_EARLIER: Statement = insert!(
    ConsentRecord,
    super::super::sql::joined!(
        b'$'; REPLACE, " WHERE consents.allowed_at < excluded.allowed_at"
    )
);

pub(in crate::store) const SELECT: Statement = select!(ConsentRecord, "WHERE consent_id = $1");

pub(in crate::store) const EXPIRE: Statement =
    sql!("UPDATE consents SET expires_at = $2 WHERE consent_id = $1");

pub(in crate::store) const SELECT_PAGE: Statement =
    select!(ConsentRecord, "WHERE consent_id > $1 ORDER BY consent_id LIMIT $2");
