//! Every statement about records, once for both databases. Where the dialects differ, the two texts stand side by
//! side. Parameters have the same meaning and order in both.

use super::{
    ClientRecord, ConsentRecord, DocumentClientRecord, EventRecord, GrantRecord, KeyRecord,
    SessionRecord, Standing,
    column::{Columns, Record},
    sql::{Statement, parameters, sql},
};

/// Selects records; `$which` follows the name of the table.
macro_rules! select {
    ($record:ty, $($which:tt)+) => {
        sql!(
            "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ",
            $($which)+
        )
    };
}

/// Selects one record that must not change until the transaction ends. SQLite has one writer.
macro_rules! select_and_lock {
    ($record:ty, $which:literal) => {
        sql!(
            sqlite: [
                "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ", $which
            ],
            postgres: [
                "SELECT ", <$record as Record>::NAMES, " FROM ", <$record as Record>::TABLE, " ", $which,
                " FOR UPDATE"
            ],
        )
    };
}

/// Inserts records: one by one in SQLite, one column after the other in PostgreSQL.
macro_rules! insert {
    ($record:ty, $tail:expr) => {
        insert!($record, sqlite: $tail, postgres: $tail)
    };
    ($record:ty, sqlite: $sqlite:expr, postgres: $postgres:expr) => {
        sql!(
            sqlite: [
                "INSERT INTO ", <$record as Record>::TABLE, " (", <$record as Record>::DERIVED,
                <$record as Record>::NAMES, ") VALUES (", parameters(<$record as Record>::WRITTEN), ") ",
                $sqlite
            ],
            postgres: [
                "INSERT INTO ", <$record as Record>::TABLE, " (", <$record as Record>::DERIVED,
                <$record as Record>::NAMES, ") SELECT * FROM unnest(",
                parameters(<$record as Record>::WRITTEN), ") ", $postgres
            ],
        )
    };
}

/// A statement that changes at most one row, with an event about it that is stored only if it does.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) statement: Statement,
    /// For PostgreSQL: both as one statement, in which the columns of the event follow the parameters.
    pub(super) with_event: Statement,
}

macro_rules! recorded {
    ($parameters:literal, $text:expr) => {
        $crate::store::statements::Recorded {
            statement: sql!($text),
            with_event: sql!(
                "WITH changed AS (",
                $text,
                " RETURNING 1) INSERT INTO events (",
                <super::EventRecord as super::Record>::NAMES,
                ") SELECT ",
                super::super::sql::parameters_after(
                    $parameters,
                    <super::EventRecord as super::Columns>::COUNT
                ),
                " FROM changed"
            ),
        }
    };
}

pub(super) mod clients {
    use super::{ClientRecord, Record, Standing, Statement, parameters, sql};

    /// A client that exists already is a constraint violation in SQLite, and not returned in PostgreSQL.
    pub(in crate::store) const REGISTER: Statement = insert!(
        ClientRecord,
        sqlite: "",
        postgres: "ON CONFLICT (client_id) DO NOTHING RETURNING client_id"
    );

    /// For PostgreSQL: registers clients again after a lost answer, and returns them as they are stored. An existing
    /// client keeps its values, but its row is written: the commit is as durable as that of an insert, and waits
    /// for a transaction that is still about to insert the same client.
    pub(in crate::store) const REGISTER_AGAIN: Statement = insert!(
        ClientRecord,
        super::super::sql::joined!(
            b'$'; "ON CONFLICT (client_id) DO UPDATE SET flags = clients.flags RETURNING ",
            <ClientRecord as Record>::NAMES
        )
    );

    pub(in crate::store) const IMPORT: Statement = insert!(
        ClientRecord,
        sqlite: "ON CONFLICT (client_id) DO NOTHING",
        postgres: "ON CONFLICT (client_id) DO NOTHING RETURNING client_id"
    );

    pub(in crate::store) const SELECT: Statement = select!(ClientRecord, "WHERE client_id = $1");

    /// For PostgreSQL.
    pub(in crate::store) const SELECT_MANY: Statement =
        select!(ClientRecord, "WHERE client_id = ANY($1)");

    /// For SQLite.
    pub(in crate::store) const SELECT_ALL: Statement = select!(ClientRecord, "ORDER BY client_id");

    const BOUNDS: &str = "WHERE client_id >= $1 AND client_id <= $2 AND ($3 IS NULL OR profile = $3) \
        AND (flags & $4) = $4 AND issued_at >= $5 AND ($6 IS NULL OR issued_at < $6) ";

    /// Most clients are active: they have no index, and need none.
    const OF_ANY_OR_ACTIVE: &str = "AND ($8 IS NULL OR coalesce(standing, 'active') = $8) ";

    /// Clients of other standings are few, and have an index.
    const NOT_ACTIVE: &str = "AND standing = $8 ";

    /// SQLite searches names itself: `lower` folds ASCII only, which is what the filter promises, and a document
    /// that is not JSON must not hide the clients after it. In PostgreSQL the driver searches, because the databases
    /// that speak its dialect disagree about invalid JSON.
    macro_rules! page {
        ($standing:expr) => {
            sql!(
                sqlite: [
                    "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients ", BOUNDS, $standing,
                    "AND ($9 IS NULL OR (json_valid(metadata) \
                     AND instr(lower(metadata ->> '$.client_name'), $9) > 0)) \
                     ORDER BY client_id LIMIT $7"
                ],
                postgres: [
                    "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients ", BOUNDS, $standing,
                    "ORDER BY client_id LIMIT $7"
                ],
            )
        };
    }

    const SELECT_PAGE: Statement = page!(OF_ANY_OR_ACTIVE);

    const SELECT_PAGE_NOT_ACTIVE: Statement = page!(NOT_ACTIVE);

    /// A page of the clients that pass a filter with this standing.
    pub(in crate::store) const fn select_page(standing: Option<Standing>) -> &'static Statement {
        match standing {
            None | Some(Standing::Active) => &SELECT_PAGE,
            Some(Standing::Pending | Standing::Suspended | Standing::Dormant) => {
                &SELECT_PAGE_NOT_ACTIVE
            }
        }
    }

    /// For SQLite: the client at a distance behind another.
    pub(in crate::store) const SELECT_AHEAD: Statement = sql!(
        "SELECT client_id FROM clients WHERE client_id >= $1 ORDER BY client_id LIMIT 1 OFFSET $2"
    );

    /// For SQLite: the same among the clients of one standing other than active.
    pub(in crate::store) const SELECT_AHEAD_NOT_ACTIVE: Statement = sql!(
        "SELECT client_id FROM clients WHERE client_id >= $1 AND standing = $3 \
         ORDER BY client_id LIMIT 1 OFFSET $2"
    );

    pub(in crate::store) const COUNT: Statement = sql!("SELECT count(*) FROM clients");

    pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM clients WHERE client_id = $1");

    pub(in crate::store) const SELECT_AND_LOCK: Statement =
        select_and_lock!(ClientRecord, "WHERE client_id = $1");

    pub(in crate::store) const SET_STANDING: Statement =
        sql!("UPDATE clients SET standing = $2, standing_at = $3 WHERE client_id = $1");

    pub(in crate::store) const SET_NOTE: Statement =
        sql!("UPDATE clients SET note = $2 WHERE client_id = $1");

    /// Several nodes note uses: the latest stays.
    pub(in crate::store) const NOTE_USE: Statement = sql!(
        sqlite: [
            "UPDATE clients SET used_at = $2 WHERE client_id = $1 \
             AND (used_at IS NULL OR used_at < $2)"
        ],
        postgres: [
            "UPDATE clients SET used_at = noted.used_at \
             FROM unnest($1, $2) AS noted (client_id, used_at) \
             WHERE clients.client_id = noted.client_id \
             AND (clients.used_at IS NULL OR clients.used_at < noted.used_at)"
        ],
    );

    /// For PostgreSQL: writes as durably as a registration, to one of the rows that exist for it.
    pub(in crate::store) const PROBE: Statement =
        sql!("UPDATE probes SET times = times + 1 WHERE slot = abs(pg_backend_pid()) % 64");
}

pub(super) mod grants {
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

    pub(in crate::store) const SELECT_NEWEST_OF_SUBJECT: Statement = select!(
        GrantRecord,
        "WHERE subject = $1 AND grant_id < $2 ORDER BY grant_id DESC LIMIT $3"
    );

    /// For SQLite: the grant at a distance behind another.
    pub(in crate::store) const SELECT_AHEAD: Statement = sql!(
        "SELECT grant_id FROM grants WHERE grant_id >= $1 ORDER BY grant_id LIMIT 1 OFFSET $2"
    );

    const REDEEM_TEXT: &str = "UPDATE grants SET redeemed_at = $2, expires_at = $3, refresh_family = $4, \
        refresh_current = $5, refresh_expires_at = $6 WHERE grant_id = $1 AND redeemed_at IS NULL";

    /// In PostgreSQL one statement redeems and records.
    pub(in crate::store) const REDEEM: Recorded = recorded!(6, REDEEM_TEXT);

    pub(in crate::store) const NOTE_GRACE: Statement =
        sql!("UPDATE grants SET graced = graced + 1 WHERE grant_id = $1");

    pub(in crate::store) const SELECT_OF_CLIENT: Statement =
        select!(GrantRecord, "WHERE client = $1");

    pub(in crate::store) const SELECT_OF_SUBJECT_AND_CLIENT: Statement =
        select!(GrantRecord, "WHERE subject = $1 AND client = $2");

    pub(in crate::store) const SUPERSEDE: Statement = sql!(
        "UPDATE grants SET refresh_previous = refresh_current, superseded_at = $2, \
         refresh_current = $3, refresh_expires_at = $4, refreshes = refreshes + 1 \
         WHERE grant_id = $1 AND refresh_family = $5 \
         AND refresh_current = $6 AND refresh_expires_at > $2 AND expires_at > $2"
    );

    pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM grants WHERE grant_id = $1");
}

pub(super) mod consents {
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
}

pub(super) mod document_clients {
    use super::{DocumentClientRecord, Record, Statement, parameters, sql};

    pub(in crate::store) const ALLOW: Statement = insert!(
        DocumentClientRecord,
        "ON CONFLICT (url) DO UPDATE SET allowed_at = excluded.allowed_at, \
         metadata = excluded.metadata"
    );

    pub(in crate::store) const IMPORT: Statement = insert!(
        DocumentClientRecord,
        "ON CONFLICT (url) DO UPDATE SET allowed_at = excluded.allowed_at, \
         metadata = excluded.metadata, standing = excluded.standing, \
         standing_at = excluded.standing_at, used_at = excluded.used_at, note = excluded.note \
         WHERE document_clients.allowed_at < excluded.allowed_at \
         OR coalesce(document_clients.standing_at, -1) < coalesce(excluded.standing_at, -1)"
    );

    pub(in crate::store) const SELECT: Statement = select!(DocumentClientRecord, "WHERE url = $1");

    pub(in crate::store) const SELECT_AND_LOCK: Statement =
        select_and_lock!(DocumentClientRecord, "WHERE url = $1");

    pub(in crate::store) const SELECT_PAGE: Statement =
        select!(DocumentClientRecord, "WHERE url > $1 ORDER BY url LIMIT $2");

    pub(in crate::store) const SET_STANDING: Statement =
        sql!("UPDATE document_clients SET standing = $2, standing_at = $3 WHERE url = $1");

    pub(in crate::store) const SET_NOTE: Statement =
        sql!("UPDATE document_clients SET note = $2 WHERE url = $1");

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
}

pub(super) mod events {
    use super::{EventRecord, Record, Statement, parameters, sql};

    pub(in crate::store) const INSERT: Statement =
        insert!(EventRecord, "ON CONFLICT (event_id) DO NOTHING");

    pub(in crate::store) const SELECT_PAGE: Statement = select!(
        EventRecord,
        "WHERE event_id >= $1 AND event_id <= $2 AND ($3 IS NULL OR action = $3) \
         ORDER BY event_id LIMIT $4"
    );

    pub(in crate::store) const SELECT_NEWEST: Statement =
        select!(EventRecord, "WHERE event_id < $1 ORDER BY event_id DESC LIMIT $2");

    pub(in crate::store) const SELECT_OF_CLIENT: Statement =
        select!(EventRecord, "WHERE client = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3");

    pub(in crate::store) const SELECT_OF_GRANT: Statement = select!(
        EventRecord,
        "WHERE grant_id = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3"
    );

    pub(in crate::store) const SELECT_OF_SUBJECT: Statement = select!(
        EventRecord,
        "WHERE subject = $1 AND event_id < $2 ORDER BY event_id DESC LIMIT $3"
    );
}

pub(super) mod sessions {
    use super::{Record, SessionRecord, Statement, parameters, sql};

    /// An existing session may live longer, and never shorter.
    pub(in crate::store) const INSERT: Statement = insert!(
        SessionRecord,
        "ON CONFLICT (session_id) DO UPDATE SET idle_at = excluded.idle_at \
         WHERE sessions.hash = excluded.hash AND sessions.idle_at < excluded.idle_at"
    );

    pub(in crate::store) const SELECT: Statement = select!(SessionRecord, "WHERE session_id = $1");

    pub(in crate::store) const SELECT_PAGE: Statement = select!(
        SessionRecord,
        "WHERE session_id >= $1 AND ($2 IS NULL OR subject = $2) ORDER BY session_id LIMIT $3"
    );

    pub(in crate::store) const PROLONG: Statement =
        sql!("UPDATE sessions SET idle_at = $2 WHERE session_id = $1");

    pub(in crate::store) const DELETE: Statement =
        sql!("DELETE FROM sessions WHERE session_id = $1");
}

pub(super) mod keys {
    use super::{KeyRecord, Record, Statement, sql};

    pub(in crate::store) const SELECT: Statement = select!(KeyRecord, "ORDER BY made_at, key_id");

    /// Stores a key if the newest one is still `$5`, or absent where `$5` is empty. PostgreSQL runs such statements
    /// at once: there a unique column says which key each one follows.
    pub(in crate::store) const KEEP: Statement = sql!(
        sqlite: [
            "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ") SELECT $1, $2, $3, $4 WHERE $5 = \
             coalesce((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '')"
        ],
        postgres: [
            "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ", follows) \
             SELECT $1, $2, $3, $4, $5 WHERE $5 = \
             coalesce((SELECT key_id FROM keys ORDER BY made_at DESC, key_id DESC LIMIT 1), '') \
             ON CONFLICT DO NOTHING"
        ],
    );

    /// The predecessor of an imported key is in another store: `follows` gets a value that names no key.
    pub(in crate::store) const IMPORT: Statement = sql!(
        sqlite: [
            "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ") VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING"
        ],
        postgres: [
            "INSERT INTO keys (", <KeyRecord as Record>::NAMES, ", follows) \
             SELECT ", <KeyRecord as Record>::NAMES, ", 'imported ' || key_id \
             FROM unnest($1, $2, $3, $4) AS imported (", <KeyRecord as Record>::NAMES, ") \
             ON CONFLICT DO NOTHING"
        ],
    );

    pub(in crate::store) const FORGET: Statement = sql!("DELETE FROM keys WHERE key_id = $1");
}

/// Looks for expired records, and deletes those that still are.
pub(super) mod sweep {
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
}
