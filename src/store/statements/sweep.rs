//! Looks for expired records, and deletes those that still are.

use super::{super::Swept, Statement, sql};

/// The statements about one kind of record.
#[derive(Debug)]
pub(in crate::store) struct Sweep {
    /// Keys behind `$1`, at most `$3`, and whether their records can go at `$2`.
    pub(in crate::store) look: Statement,
    /// SQLite: the record `$1`, if it can go at `$2`. PostgreSQL: those of `$1` that can.
    pub(in crate::store) delete: Statement,
    /// Whether keys are identifiers.
    pub(in crate::store) by_id: bool,
}

macro_rules! sweep {
    ($table:literal, $key:literal, by_id: $by_id:literal, sqlite: $sqlite:expr, postgres: $postgres:expr) => {
        Sweep {
            look: sql!(
                sqlite: [
                    "SELECT ", $key, ", ", $sqlite, " FROM ", $table, " WHERE ", $key,
                    " > $1 ORDER BY ", $key, " LIMIT $3"
                ],
                postgres: [
                    "SELECT ", $key, ", ", $postgres, " FROM ", $table, " WHERE ", $key,
                    " > $1 ORDER BY ", $key, " LIMIT $3"
                ],
            ),
            delete: sql!(
                sqlite: ["DELETE FROM ", $table, " WHERE ", $key, " = $1 AND (", $sqlite, ")"],
                postgres: [
                    "DELETE FROM ", $table, " WHERE ", $key, " = ANY($1) AND (", $postgres, ")"
                ],
            ),
            by_id: $by_id,
        }
    };
}

/// A grant whose client is no longer registered goes, too. A client that publishes a document was never
/// registered, and its URL is not hexadecimal.
const GRANTS: Sweep = sweep!(
    "grants", "grant_id", by_id: true,
    sqlite: "expires_at <= $2 OR (unhex(replace(client, '-', '')) IS NOT NULL AND NOT EXISTS \
        (SELECT 1 FROM clients WHERE client_id = unhex(replace(grants.client, '-', ''))))",
    postgres: "expires_at <= $2 OR CASE WHEN client LIKE 'https:%' THEN false \
        ELSE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = grants.client::uuid) END"
);

const CONSENTS: Sweep = sweep!(
    "consents", "consent_id", by_id: false,
    sqlite: "expires_at <= $2", postgres: "expires_at <= $2"
);

const SESSIONS: Sweep = sweep!(
    "sessions", "session_id", by_id: true,
    sqlite: "expires_at <= $2 OR idle_at <= $2", postgres: "expires_at <= $2 OR idle_at <= $2"
);

pub(in crate::store) const fn of(kind: Swept) -> &'static Sweep {
    match kind {
        Swept::Grants => &GRANTS,
        Swept::Consents => &CONSENTS,
        Swept::Sessions => &SESSIONS,
    }
}
