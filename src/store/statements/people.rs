//! People, whose subjects are read from the indexes of their records.

use super::{GrantRecord, Record, SessionRecord, Statement, sql};

/// The next subject after another: one step in the index of each table.
macro_rules! next_after {
    ($subject:literal) => {
        super::super::sql::joined!(
            b'$';
            "(SELECT min(subject) FROM (SELECT min(subject) AS subject FROM grants WHERE subject > ", $subject,
            " UNION ALL SELECT min(subject) FROM sessions WHERE subject > ", $subject,
            " UNION ALL SELECT min(subject) FROM consents WHERE subject > ", $subject, ") AS found)"
        )
    };
}

const FIRST: &str = next_after!("$1");
const NEXT: &str = next_after!("person.subject");

/// The columns of a [`Person`](crate::store::Person) at the moment `$2`. Of each kind of record, so many are looked at as
/// [`LOOKED_AT`](crate::store::LOOKED_AT) says.
const COLUMNS: &str = "subject, \
    (SELECT name FROM sessions WHERE sessions.subject = person.subject \
     ORDER BY session_id DESC LIMIT 1) AS name, \
    (SELECT email FROM sessions WHERE sessions.subject = person.subject \
     ORDER BY session_id DESC LIMIT 1) AS email, \
    (SELECT count(DISTINCT client) FROM (SELECT client FROM grants \
     WHERE grants.subject = person.subject AND expires_at > $2 \
     AND (refresh_expires_at IS NULL OR refresh_expires_at > $2) LIMIT 1000) AS live) AS apps, \
    (SELECT count(*) FROM (SELECT 1 AS one FROM grants \
     WHERE grants.subject = person.subject AND expires_at > $2 \
     AND (refresh_expires_at IS NULL OR refresh_expires_at > $2) LIMIT 1000) AS live) AS grants, \
    (SELECT count(*) FROM (SELECT 1 AS one FROM sessions WHERE sessions.subject = person.subject \
     AND expires_at > $2 AND idle_at > $2 LIMIT 1000) AS live) AS sessions, \
    (SELECT count(*) FROM (SELECT 1 AS one FROM consents WHERE consents.subject = person.subject \
     AND expires_at > $2 LIMIT 1000) AS live) AS consents, \
    (SELECT max(at) FROM (SELECT at FROM (SELECT coalesce(superseded_at, redeemed_at, issued_at) AS at \
     FROM grants WHERE grants.subject = person.subject LIMIT 1000) AS of_grants \
     UNION ALL SELECT at FROM (SELECT signed_in_at AS at FROM sessions \
     WHERE sessions.subject = person.subject LIMIT 1000) AS of_sessions) AS used) AS used_at";

pub(in crate::store) const SELECT_PAGE: Statement = sql!(
    "WITH RECURSIVE person (subject, number) AS (SELECT ",
    FIRST,
    ", CAST(1 AS bigint) UNION ALL SELECT ",
    NEXT,
    ", number + 1 FROM person WHERE person.subject IS NOT NULL AND number < $3) SELECT ",
    COLUMNS,
    " FROM person WHERE subject IS NOT NULL ORDER BY number"
);

pub(in crate::store) const SELECT: Statement = sql!(
    "SELECT ",
    COLUMNS,
    " FROM (SELECT CAST($1 AS text) AS subject) AS person \
     WHERE EXISTS (SELECT 1 FROM sessions WHERE sessions.subject = person.subject) \
     OR EXISTS (SELECT 1 FROM grants WHERE grants.subject = person.subject) \
     OR EXISTS (SELECT 1 FROM consents WHERE consents.subject = person.subject)"
);

pub(in crate::store) const SELECT_SESSIONS: Statement =
    select!(SessionRecord, "WHERE subject = $1 LIMIT $2");

pub(in crate::store) const SELECT_GRANTS: Statement =
    select!(GrantRecord, "WHERE subject = $1 LIMIT $2");

pub(in crate::store) const EXPIRE_CONSENTS: Statement =
    sql!("UPDATE consents SET expires_at = $2 WHERE subject = $1 AND expires_at > $2");

pub(in crate::store) const DELETE_CONSENTS: Statement =
    sql!("DELETE FROM consents WHERE subject = $1");
