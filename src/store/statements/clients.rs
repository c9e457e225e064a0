//! Registered clients.

use super::{
    ArrivalRecord, ClientAge, ClientFlags, ClientRecord, ClientRef, Record, Registration,
    Statement, parameters, parameters_after, sql,
};

/// A client that exists already is a constraint violation in SQLite, and not returned in PostgreSQL. In PostgreSQL, their
/// arrivals follow the clients, and are stored with them: a statement that comes late, when all were registered again, stores
/// none.
pub(in crate::store) const REGISTER: Statement = sql!(
    sqlite: [
        "INSERT INTO clients (", <Registration as Record>::NAMES, ") VALUES (",
        parameters(<Registration as Record>::WRITTEN), ")"
    ],
    postgres: [
        "WITH kept AS (INSERT INTO clients (", <Registration as Record>::NAMES,
        ") SELECT * FROM unnest(", parameters(<Registration as Record>::WRITTEN), ") ",
        "ON CONFLICT (client_id) DO NOTHING RETURNING client_id), ",
        "arrived AS (INSERT INTO family_arrivals (", <ArrivalRecord as Record>::NAMES,
        ") SELECT * FROM unnest(",
        parameters_after(<Registration as Record>::WRITTEN, <ArrivalRecord as Record>::WRITTEN),
        ") WHERE EXISTS (SELECT FROM kept)) SELECT client_id FROM kept"
    ],
);

/// The same without a family, which is found later.
pub(in crate::store) const ADD: Statement = insert!(
    ClientRecord,
    sqlite: "",
    postgres: "ON CONFLICT (client_id) DO NOTHING RETURNING client_id"
);

/// For PostgreSQL: registers clients again after a lost answer, and returns them as they are stored. Those that are new
/// leave their family for later. An existing client keeps its values, but its row is written: the commit is as durable as
/// that of an insert, and waits for a transaction that is still about to insert the same client.
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

pub(in crate::store) const SELECT_EACH: Statement = select_each!(ClientRecord, "client_id");

/// For SQLite.
pub(in crate::store) const SELECT_ALL: Statement = select!(ClientRecord, "ORDER BY client_id");

const BOUNDS: &str = "WHERE client_id >= $1 AND client_id <= $2 AND ($3 IS NULL OR profile = $3) \
    AND (flags & $4) = $4 AND issued_at >= $5 AND ($6 IS NULL OR issued_at < $6) \
    AND coalesce(used_at, -1) >= $8 AND coalesce(used_at, -1) < $9 ";

const SELECT_PAGE: Statement =
    select!(ClientRecord, super::super::sql::joined!(b'$'; BOUNDS, "ORDER BY client_id LIMIT $7"));

/// Flagged clients are few, and have an index. SQLite does not know how few.
const SELECT_PAGE_FLAGGED: Statement = sql!(
    sqlite: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients INDEXED BY clients_flagged ",
        BOUNDS, FLAGGED, "ORDER BY client_id LIMIT $7"
    ],
    postgres: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients ",
        BOUNDS, FLAGGED, "ORDER BY client_id LIMIT $7"
    ],
);

const FLAGGED: &str = "AND flags <> 0 ";

/// A page of the clients that pass a filter with these flags.
pub(in crate::store) const fn select_page(flags: ClientFlags) -> &'static Statement {
    if flags.bits() == 0 { &SELECT_PAGE } else { &SELECT_PAGE_FLAGGED }
}

pub(in crate::store) const SELECT_PAGE_BY_USE: Statement = select!(
    ClientRecord,
    "WHERE used_at IS NOT NULL AND (used_at, client_id) < ($1, $2) AND used_at >= $3 AND used_at < $4 \
     ORDER BY used_at DESC, client_id DESC LIMIT $5"
);

/// For SQLite: the client at a distance behind another.
pub(in crate::store) const SELECT_AHEAD: Statement = sql!(
    "SELECT client_id FROM clients WHERE client_id >= $1 ORDER BY client_id LIMIT 1 OFFSET $2"
);

/// The client at a distance behind another.
pub(in crate::store) const SELECT_REF_AHEAD: Statement =
    select!(ClientRef, "WHERE client_id >= $1 ORDER BY client_id LIMIT 1 OFFSET $2");

/// The same among flagged clients.
pub(in crate::store) const SELECT_REF_AHEAD_FLAGGED: Statement = sql!(
    sqlite: [
        "SELECT client_id FROM clients INDEXED BY clients_flagged ",
        "WHERE client_id >= $1 AND flags <> 0 ORDER BY client_id LIMIT 1 OFFSET $2"
    ],
    postgres: [
        "SELECT client_id FROM clients WHERE client_id >= $1 AND flags <> 0 \
         ORDER BY client_id LIMIT 1 OFFSET $2"
    ],
);

/// Reads the index of clients that are not active alone.
pub(in crate::store) const COUNT_STANDINGS: Statement =
    sql!("SELECT standing, count(*) FROM clients WHERE standing IS NOT NULL GROUP BY standing");

/// The clients of a family, active ones too. SQLite lists those aside whose arrival was added, and reads the newest clients
/// for the others.
pub(in crate::store) const COUNT_STANDINGS_OF_FAMILY: Statement = sql!(
    sqlite: [
        "SELECT standing, count(*) FROM (\
         SELECT client_id FROM family_members WHERE family_id = $1 UNION \
         SELECT client_id FROM clients WHERE family = $1 \
         AND client_id >= ", super::families::OLDEST_ARRIVAL, ") \
         CROSS JOIN clients USING (client_id) GROUP BY standing"
    ],
    postgres: ["SELECT standing, count(*) FROM clients WHERE family = $1 GROUP BY standing"],
);

/// As [`COUNT_STANDINGS`] has them, the clients from an identifier on.
pub(in crate::store) const COUNT_FROM: Statement =
    sql!("SELECT CAST(NULL AS text), count(*) FROM clients WHERE client_id >= $1");
/// Clients by identifier.
pub(in crate::store) const SELECT_BETWEEN: Statement =
    select!(ClientRecord, "WHERE client_id >= $1 AND client_id <= $2 ORDER BY client_id LIMIT $3");

pub(in crate::store) const SELECT_NEWEST: Statement =
    select!(ClientRecord, "WHERE client_id < $1 ORDER BY client_id DESC LIMIT $2");

/// The clients with a label.
pub(in crate::store) const SELECT_PAGE_BY_LABEL: Statement =
    select!(ClientRecord, "WHERE label = $1 AND client_id >= $2 ORDER BY client_id LIMIT $3");

/// The clients of one standing of their own. Most clients are active: they have no index, and need none.
pub(in crate::store) const SELECT_PAGE_BY_STANDING: Statement =
    select!(ClientRecord, "WHERE standing = $1 AND client_id >= $2 ORDER BY client_id LIMIT $3");

/// What decides when clients expire, a page of them. A client that an operator made, or that registered with an initial
/// access token, does not expire unless a rule says so.
pub(in crate::store) const SELECT_AGES: Statement = select!(
    ClientAge,
    "WHERE client_id >= $1 AND (registered_by IS NULL OR expires_at IS NOT NULL) \
     ORDER BY client_id LIMIT $2"
);

pub(in crate::store) const COUNT: Statement = sql!("SELECT count(*) FROM clients");

pub(in crate::store) const DELETE: Statement = sql!("DELETE FROM clients WHERE client_id = $1");

pub(in crate::store) const SELECT_AND_LOCK: Statement =
    select_and_lock!(ClientRecord, "WHERE client_id = $1");

pub(in crate::store) const SET_STANDING: Statement =
    sql!("UPDATE clients SET standing = $2, standing_at = $3 WHERE client_id = $1");

pub(in crate::store) const UPDATE_REGISTRATION: Statement = sql!(
    "UPDATE clients SET metadata = $2, flags = $3, generation = $4, changed_at = $5, label = $6, \
     rule_ceiling = $7, expires_at = $8 WHERE client_id = $1"
);
pub(in crate::store) const SET_CEILING: Statement =
    sql!("UPDATE clients SET ceiling = $2 WHERE client_id = $1");

pub(in crate::store) const SET_NOTE: Statement =
    sql!("UPDATE clients SET note = $2 WHERE client_id = $1");

pub(in crate::store) const SET_LABEL: Statement =
    sql!("UPDATE clients SET label = $2 WHERE client_id = $1");

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
