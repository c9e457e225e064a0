//! Families, and the clients that are counted in them.

use super::{
    ClientRecord, ClientRef, FamilyClient, FamilyRecord, GrantRecord, Mark, Record, Statement,
    parameters, sql,
};

/// For SQLite: whether the client of a [`FamilyClient`] exists.
pub(in crate::store) const IS_CLIENT: Statement =
    sql!("SELECT 1 FROM clients WHERE client_id = $2 AND $1 IS NOT NULL");

/// Counts clients that are not counted yet. In PostgreSQL, those of them that exist, and returns them; none is removed in
/// between. A statement of SQLite that selects or returns rows would copy each page that it changes, to be able to take
/// the change back.
pub(in crate::store) const JOIN: Statement = sql!(
    sqlite: [
        "INSERT INTO family_clients (family_id, client_id) VALUES ($1, $2) \
         ON CONFLICT (family_id, client_id) DO NOTHING"
    ],
    postgres: [
        "INSERT INTO family_clients (family_id, client_id) \
         SELECT given.family_id, given.client_id FROM unnest($1, $2) AS given (family_id, client_id) \
         JOIN clients ON clients.client_id = given.client_id FOR KEY SHARE OF clients \
         ON CONFLICT (family_id, client_id) DO NOTHING RETURNING family_id, client_id"
    ],
);

pub(in crate::store) const LEAVE: Statement =
    sql!("DELETE FROM family_clients WHERE family_id = $1 AND client_id = $2");

pub(in crate::store) const LOSE: Statement =
    sql!("UPDATE families SET clients = clients - 1, removed = removed + $2 WHERE family_id = $1");

pub(in crate::store) const BEGIN: Statement =
    insert!(FamilyRecord, "ON CONFLICT (family_id) DO NOTHING");

/// Writes what adds up; the row exists and is locked.
pub(in crate::store) const PUT: Statement = insert!(
    FamilyRecord,
    "ON CONFLICT (family_id) DO UPDATE SET names = excluded.names, clients = excluded.clients, \
     flags = excluded.flags, first_seen_at = excluded.first_seen_at, \
     last_seen_at = excluded.last_seen_at"
);

/// Writes what another store decided and counted.
pub(in crate::store) const PUT_DECISION: Statement = sql!(
    "UPDATE families SET standing = $2, standing_at = $3, removed = $4, ceiling = $5 WHERE family_id = $1"
);

pub(in crate::store) const SELECT: Statement = select!(FamilyRecord, "WHERE family_id = $1");

pub(in crate::store) const SELECT_AND_LOCK: Statement =
    select_and_lock!(FamilyRecord, "WHERE family_id = $1");

/// The order of locks is that of identifiers.
pub(in crate::store) const SELECT_AND_LOCK_EACH: Statement = sql!(
    sqlite: ["SELECT ", <FamilyRecord as Record>::NAMES, " FROM families WHERE family_id = $1"],
    postgres: [
        "SELECT ", <FamilyRecord as Record>::NAMES, " FROM families WHERE family_id = ANY($1) \
         ORDER BY family_id FOR UPDATE"
    ],
);

/// A family whose standing must not change until the transaction ends.
pub(in crate::store) const SELECT_AND_SHARE: Statement = sql!(
    sqlite: ["SELECT ", <FamilyRecord as Record>::NAMES, " FROM families WHERE family_id = $1"],
    postgres: [
        "SELECT ", <FamilyRecord as Record>::NAMES, " FROM families WHERE family_id = $1 FOR SHARE"
    ],
);

pub(in crate::store) const SELECT_PAGE: Statement =
    select!(FamilyRecord, "WHERE family_id >= $1 ORDER BY family_id LIMIT $2");

pub(in crate::store) const SELECT_PAGE_BY_SIZE: Statement = select!(
    FamilyRecord,
    "WHERE (clients, family_id) < ($1, $2) ORDER BY clients DESC, family_id DESC LIMIT $3"
);

pub(in crate::store) const SELECT_PAGE_BY_TIME: Statement = select!(
    FamilyRecord,
    "WHERE (last_seen_at, family_id) < ($1, $2) ORDER BY last_seen_at DESC, family_id DESC LIMIT $3"
);

pub(in crate::store) const SELECT_DECIDED: Statement = select!(
    FamilyRecord,
    "WHERE (standing_at IS NOT NULL OR ceiling IS NOT NULL) AND family_id >= $1 \
     ORDER BY family_id LIMIT $2"
);

pub(in crate::store) const SET_STANDING: Statement =
    sql!("UPDATE families SET standing = $2, standing_at = $3 WHERE family_id = $1");

pub(in crate::store) const SET_CEILING: Statement =
    sql!("UPDATE families SET ceiling = $2 WHERE family_id = $1");

pub(in crate::store) const SET_USE: Statement =
    sql!("UPDATE families SET people = $2, used_at = $3 WHERE family_id = $1");

pub(in crate::store) const COUNT_CLIENTS: Statement = sql!(
    "UPDATE families SET clients = (SELECT count(*) FROM family_clients \
     WHERE family_clients.family_id = families.family_id) WHERE family_id = $1"
);

pub(in crate::store) const COUNT: Statement = sql!("SELECT count(*) FROM families");

pub(in crate::store) const COUNT_SINCE: Statement =
    sql!("SELECT count(*) FROM family_clients WHERE family_id = $1 AND client_id >= $2");

/// The live grants of the clients of a family, and how many people gave them.
pub(in crate::store) const ACCESS: Statement = sql!(
    sqlite: [
        "SELECT count(*), count(DISTINCT subject) FROM family_clients CROSS JOIN grants \
         ON grants.client = lower(substr(hex(client_id), 1, 8) || '-' || substr(hex(client_id), 9, 4) \
         || '-' || substr(hex(client_id), 13, 4) || '-' || substr(hex(client_id), 17, 4) || '-' \
         || substr(hex(client_id), 21)) WHERE family_id = $1 AND expires_at > $2"
    ],
    postgres: [
        "SELECT count(*), count(DISTINCT subject) FROM family_clients \
         JOIN grants ON grants.client = client_id::text WHERE family_id = $1 AND expires_at > $2"
    ],
);

pub(in crate::store) const LAST_USE: Statement = sql!(
    "SELECT max(used_at) FROM family_clients \
     JOIN clients ON clients.client_id = family_clients.client_id WHERE family_id = $1"
);

pub(in crate::store) const SELECT_MARK: Statement = select!(Mark, "WHERE name = 'families'");

/// A mark never goes back.
pub(in crate::store) const PUT_MARK: Statement = sql!(
    "INSERT INTO marks (name, at) VALUES ('families', $1) ON CONFLICT (name) DO UPDATE \
     SET at = excluded.at WHERE marks.at < excluded.at"
);

/// The clients that are counted in a family.
pub(in crate::store) const SELECT_CLIENTS: Statement = sql!(
    "SELECT ",
    <ClientRecord as Record>::NAMES,
    " FROM clients WHERE client_id IN \
     (SELECT client_id FROM family_clients WHERE family_id = $1 AND client_id >= $2 \
     AND client_id < $3 ORDER BY client_id LIMIT $4) ORDER BY client_id"
);

pub(in crate::store) const SELECT_MEMBERS: Statement = select!(
    FamilyClient,
    "WHERE (family_id, client_id) > ($1, $2) ORDER BY family_id, client_id LIMIT $3"
);

pub(in crate::store) const SELECT_CLIENT_IDS: Statement =
    select!(ClientRef, "WHERE client_id > $1 AND client_id <= $2 ORDER BY client_id LIMIT $3");

pub(in crate::store) const SELECT_EACH_CLIENT: Statement = sql!(
    sqlite: ["SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id = $1"],
    postgres: ["SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id = ANY($1)"],
);

pub(in crate::store) const SELECT_GRANTS_OF_EACH: Statement = sql!(
    sqlite: ["SELECT ", <GrantRecord as Record>::NAMES, " FROM grants WHERE client = $1"],
    postgres: ["SELECT ", <GrantRecord as Record>::NAMES, " FROM grants WHERE client = ANY($1)"],
);
