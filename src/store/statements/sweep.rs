//! Looks for expired records, and deletes those that still are.

use super::{super::Swept, GrantRecord, Record, Statement, sql};

/// The statements about one kind of record.
#[derive(Debug)]
pub(in crate::store) struct Sweep {
    /// Keys behind `$1`, at most `$3`, and whether their records can go at `$2`.
    pub(in crate::store) look: Statement,
    /// SQLite: deletes the record `$1`, if it can go at `$2`. PostgreSQL: those of `$1` that can. `None` for grants,
    /// which leave events: [`EXPIRE_GRANT`].
    pub(in crate::store) delete: Option<Statement>,
    /// Whether keys are identifiers.
    pub(in crate::store) by_id: bool,
}

macro_rules! sweep {
    ($table:literal, $key:literal, by_id: $by_id:literal, $expired:literal) => {
        Sweep {
            look: sql!(
                "SELECT ", $key, ", ", $expired, " FROM ", $table, " WHERE ", $key,
                " > $1 ORDER BY ", $key, " LIMIT $3"
            ),
            delete: Some(sql!(
                sqlite: ["DELETE FROM ", $table, " WHERE ", $key, " = $1 AND (", $expired, ")"],
                postgres: [
                    "DELETE FROM ", $table, " WHERE ", $key, " = ANY($1) AND (", $expired, ")"
                ],
            )),
            by_id: $by_id,
        }
    };
}

/// No token of such a grant can be used or bought.
const EXPIRED: &str = "expires_at <= $2 OR coalesce(refresh_expires_at <= $2, false) OR ";

/// A grant whose client is no longer registered goes, too. A client that publishes a document was never
/// registered, and its URL is not hexadecimal.
const LOST_IN_SQLITE: &str = "(unhex(replace(client, '-', '')) IS NOT NULL AND NOT EXISTS \
    (SELECT 1 FROM clients WHERE client_id = unhex(replace(grants.client, '-', ''))))";

const LOST_IN_POSTGRES: &str = "CASE WHEN client LIKE 'https:%' THEN false \
    ELSE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = grants.client::uuid) END";

/// The grant `$1`, if it can go at `$2`: an event sums it up.
pub(in crate::store) const EXPIRE_GRANT: Statement = sql!(
    sqlite: [
        "DELETE FROM grants WHERE grant_id = $1 AND (", EXPIRED, LOST_IN_SQLITE, ") RETURNING ",
        <GrantRecord as Record>::NAMES
    ],
    postgres: [
        "DELETE FROM grants WHERE grant_id = $1 AND (", EXPIRED, LOST_IN_POSTGRES, ") RETURNING ",
        <GrantRecord as Record>::NAMES
    ],
);

const GRANTS: Sweep = Sweep {
    look: sql!(
        sqlite: [
            "SELECT grant_id, ", EXPIRED, LOST_IN_SQLITE,
            " FROM grants WHERE grant_id > $1 ORDER BY grant_id LIMIT $3"
        ],
        postgres: [
            "SELECT grant_id, ", EXPIRED, LOST_IN_POSTGRES,
            " FROM grants WHERE grant_id > $1 ORDER BY grant_id LIMIT $3"
        ],
    ),
    delete: None,
    by_id: true,
};

const CONSENTS: Sweep = sweep!("consents", "consent_id", by_id: false, "expires_at <= $2");

const SESSIONS: Sweep =
    sweep!("sessions", "session_id", by_id: true, "expires_at <= $2 OR idle_at <= $2");

pub(in crate::store) const fn of(kind: Swept) -> &'static Sweep {
    match kind {
        Swept::Grants => &GRANTS,
        Swept::Consents => &CONSENTS,
        Swept::Sessions => &SESSIONS,
    }
}
