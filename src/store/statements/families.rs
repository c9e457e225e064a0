//! Families, and the clients that are counted in them.

use super::{
    ArrivalRecord, ClientRecord, FamilyClient, FamilyRecord, GrantRecord, Record, Statement,
    parameters, sql,
};

/// Gives clients that have none their family. PostgreSQL locks them in one order, and returns them.
pub(in crate::store) const JOIN: Statement = sql!(
    sqlite: ["UPDATE clients SET family = $1 WHERE client_id = $2 AND family IS NULL"],
    postgres: [
        "UPDATE clients SET family = given.family_id FROM (SELECT given.family_id, clients.client_id \
         FROM unnest($1, $2) AS given (family_id, client_id) \
         JOIN clients ON clients.client_id = given.client_id WHERE clients.family IS NULL \
         ORDER BY clients.client_id FOR UPDATE OF clients) AS given \
         WHERE clients.client_id = given.client_id RETURNING clients.family, clients.client_id"
    ],
);

pub(in crate::store) const SELECT_MEMBER: Statement =
    select!(FamilyClient, "WHERE family = $1 AND client_id = $2");

pub(in crate::store) const LEAVE: Statement =
    sql!("UPDATE clients SET family = NULL WHERE family = $1 AND client_id = $2");

/// Changes nothing while the family is told of none of its clients: see [`LOSE_ARRIVED`].
pub(in crate::store) const LOSE: Statement = sql!(
    "UPDATE families SET clients = clients - 1, removed = removed + $2 WHERE family_id = $1 AND clients > 0"
);

/// Changes rows in their place: on a full disk, a client can be removed. The arrival that counts a client is the nearest one
/// of its family that begins with it or before it: few lie between. In PostgreSQL, who waited for an arrival looks at it
/// again.
pub(in crate::store) const LOSE_ARRIVED: Statement = sql!(
    sqlite: [LOSE_FROM_ARRIVAL, ")"],
    postgres: [LOSE_FROM_ARRIVAL, " FOR UPDATE)"],
);

const LOSE_FROM_ARRIVAL: &str = "UPDATE family_arrivals SET clients = clients - 1, removed = removed + $2 \
    WHERE client_id = (SELECT client_id FROM family_arrivals WHERE client_id <= $3 AND family_id = $1 AND clients > 0 \
    ORDER BY client_id DESC LIMIT 1";

/// The arrivals that came first, from one on. In PostgreSQL, without those that another node is about to add.
pub(in crate::store) const SELECT_ARRIVALS: Statement = sql!(
    sqlite: [
        "SELECT ", <ArrivalRecord as Record>::NAMES,
        " FROM family_arrivals WHERE client_id >= $1 ORDER BY client_id LIMIT $2"
    ],
    postgres: [
        "SELECT ", <ArrivalRecord as Record>::NAMES, " FROM family_arrivals WHERE client_id >= $1 \
         ORDER BY client_id LIMIT $2 FOR UPDATE SKIP LOCKED"
    ],
);

/// Looks through all arrivals, for an operator.
pub(in crate::store) const SELECT_ARRIVALS_OF: Statement = select_and_lock!(
    ArrivalRecord,
    "WHERE family_id = $1 AND client_id >= $2 ORDER BY client_id LIMIT $3"
);

pub(in crate::store) const ARRIVE: Statement = insert!(ArrivalRecord, "");

/// Forgets arrivals that were added.
pub(in crate::store) const FORGET_ARRIVALS: Statement = sql!(
    sqlite: ["DELETE FROM family_arrivals WHERE client_id = $1"],
    postgres: ["DELETE FROM family_arrivals WHERE client_id = ANY($1)"],
);

/// PostgreSQL returns those that are new.
pub(in crate::store) const BEGIN: Statement = insert!(
    FamilyRecord,
    sqlite: "ON CONFLICT (family_id) DO NOTHING",
    postgres: super::super::sql::joined!(
        b'$'; "ON CONFLICT (family_id) DO NOTHING RETURNING ", <FamilyRecord as Record>::NAMES
    )
);

/// Writes what adds up; the row exists and is locked.
pub(in crate::store) const PUT: Statement = insert!(
    FamilyRecord,
    "ON CONFLICT (family_id) DO UPDATE SET names = excluded.names, clients = excluded.clients, \
     removed = excluded.removed, \
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

/// Until the transaction ends, no one decides about the family of this number: it may have no row that could be locked. In
/// SQLite, one change is made at a time.
pub(in crate::store) const SHARE: Statement = sql!(
    sqlite: ["SELECT $1"],
    postgres: ["SELECT count(*) FROM (SELECT pg_advisory_xact_lock_shared($1)) AS locked"],
);

/// Until the transaction ends, no one allows a client with a document of the family of this number.
pub(in crate::store) const LOCK: Statement = sql!(
    sqlite: ["SELECT $1"],
    postgres: ["SELECT count(*) FROM (SELECT pg_advisory_xact_lock($1)) AS locked"],
);

/// As [`SELECT_AND_SHARE`], if the client belongs to the family.
pub(in crate::store) const SELECT_AND_SHARE_OF_MEMBER: Statement = sql!(
    sqlite: ["SELECT ", <FamilyRecord as Record>::NAMES, " FROM families ", OF_MEMBER],
    postgres: [
        "SELECT ", <FamilyRecord as Record>::NAMES, " FROM families ", OF_MEMBER, " FOR SHARE"
    ],
);

const OF_MEMBER: &str = "WHERE family_id = $1 \
    AND EXISTS (SELECT 1 FROM clients WHERE client_id = $2 AND family = $1)";

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

/// In PostgreSQL without those of arrivals, which are added later; one may count clients that are gone. SQLite lists no client
/// whose arrival waits.
pub(in crate::store) const COUNT_CLIENTS: Statement = sql!(
    sqlite: [
        "UPDATE families SET clients = (SELECT count(*) FROM family_members \
         WHERE family_members.family_id = families.family_id) WHERE family_id = $1"
    ],
    postgres: [
        "UPDATE families SET clients = greatest(0, \
         (SELECT count(*) FROM clients WHERE clients.family = families.family_id) \
         - (SELECT CAST(coalesce(sum(arrived.clients), 0) AS bigint) FROM family_arrivals AS arrived \
         WHERE arrived.family_id = families.family_id)) WHERE family_id = $1"
    ],
);

pub(in crate::store) const COUNT: Statement = sql!("SELECT count(*) FROM families");

/// The clients of one family: in SQLite those that are listed, in PostgreSQL all.
macro_rules! of_family {
    ($before:expr, $after:expr) => {
        sql!(
            sqlite: [
                $before,
                "family_members CROSS JOIN clients USING (client_id) WHERE family_id = $1 ",
                $after
            ],
            postgres: [$before, "clients WHERE family = $1 ", $after],
        )
    };
}

/// SQLite adds those that are not listed yet.
pub(in crate::store) const COUNT_SINCE: Statement = sql!(
    sqlite: [
        "SELECT (SELECT count(*) FROM family_members WHERE family_id = $1 AND client_id >= $2) \
         + (SELECT count(*) FROM clients WHERE family = $1 AND client_id >= max($2, ", OLDEST_ARRIVAL, ") \
         AND NOT EXISTS (SELECT 1 FROM family_members AS listed \
         WHERE listed.family_id = $1 AND listed.client_id = clients.client_id))"
    ],
    postgres: ["SELECT count(*) FROM clients WHERE family = $1 AND client_id >= $2"],
);

/// In SQLite, every client before this one is listed; NULL if no arrival waits.
pub(super) const OLDEST_ARRIVAL: &str = "(SELECT min(client_id) FROM family_arrivals)";

/// The live grants of the clients of a family, and how many people gave them.
pub(in crate::store) const ACCESS: Statement = sql!(
    sqlite: [
        "SELECT count(*), count(DISTINCT subject) FROM family_members \
         CROSS JOIN grants ON grants.client = lower(substr(hex(client_id), 1, 8) || '-' \
         || substr(hex(client_id), 9, 4) || '-' || substr(hex(client_id), 13, 4) || '-' \
         || substr(hex(client_id), 17, 4) || '-' || substr(hex(client_id), 21)) \
         WHERE family_id = $1 AND grants.expires_at > $2"
    ],
    postgres: [
        "SELECT count(*), count(DISTINCT subject) FROM clients \
         JOIN grants ON grants.client = client_id::text WHERE family = $1 AND grants.expires_at > $2"
    ],
);

pub(in crate::store) const LAST_USE: Statement = of_family!("SELECT max(used_at) FROM ", "");

pub(in crate::store) const SELECT_CLIENTS: Statement = of_family!(
    super::super::sql::joined!(b'$'; "SELECT ", <ClientRecord as Record>::NAMES, " FROM "),
    "AND client_id >= $2 ORDER BY client_id LIMIT $3"
);

/// The clients that [`SELECT_CLIENTS`] does not find in any family yet.
pub(in crate::store) const SELECT_UNLISTED: Statement = sql!(
    sqlite: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients INDEXED BY clients_without_family \
         WHERE family IS NULL AND client_id >= $1 UNION ALL \
         SELECT ", <ClientRecord as Record>::NAMES, " FROM clients \
         WHERE family IS NOT NULL AND client_id >= max($1, ", OLDEST_ARRIVAL, ") \
         ORDER BY client_id LIMIT $2"
    ],
    postgres: [SELECT_WITHOUT_FAMILY.postgres],
);

/// The clients whose family is not found yet.
pub(in crate::store) const SELECT_WITHOUT_FAMILY: Statement =
    select!(ClientRecord, "WHERE family IS NULL AND client_id >= $1 ORDER BY client_id LIMIT $2");

pub(in crate::store) const SELECT_MEMBERS: Statement = sql!(
    sqlite: [
        "SELECT family_id, client_id FROM family_members WHERE (family_id, client_id) > ($1, $2) \
         ORDER BY family_id, client_id LIMIT $3"
    ],
    postgres: [
        "SELECT ", <FamilyClient as Record>::NAMES, " FROM clients WHERE family IS NOT NULL \
         AND (family, client_id) > ($1, $2) ORDER BY family, client_id LIMIT $3"
    ],
);

/// As [`super::clients::SELECT_EACH`], locked in one order.
pub(in crate::store) const SELECT_AND_LOCK_EACH_CLIENT: Statement = sql!(
    sqlite: ["SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id = $1"],
    postgres: [
        "SELECT ", <ClientRecord as Record>::NAMES, " FROM clients WHERE client_id = ANY($1) \
         ORDER BY client_id FOR UPDATE"
    ],
);

pub(in crate::store) const SELECT_GRANTS_OF_EACH: Statement = sql!(
    sqlite: ["SELECT ", <GrantRecord as Record>::NAMES, " FROM grants WHERE client = $1"],
    postgres: ["SELECT ", <GrantRecord as Record>::NAMES, " FROM grants WHERE client = ANY($1)"],
);
