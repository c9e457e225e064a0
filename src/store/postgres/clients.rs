//! The clients in SQL: every statement that touches the table, and the way between a record and a row.

use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{connect::Statement, fault::Fault};
use crate::{
    client::{ClientId, ProfileName},
    store::{
        ClientFilter, ClientRecord, StoreError,
        row::{corrupt, moment, select},
    },
};

/// Keeps clients, and names those that were not there already.
pub(super) const INSERT: Statement = Statement {
    sql: "INSERT INTO clients (client_id, issued_at, profile, source, flags, metadata) \
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[]) \
        ON CONFLICT (client_id) DO NOTHING RETURNING client_id",
    types: COLUMNS,
};

/// Keeps clients of whom it is not known whether they are kept, and shows what is. A client that is there
/// stays as it is, but its row is written: so the commit is as durable as that of an insert, and waits for
/// a transaction that is still about to keep the same client.
pub(super) const INSERT_AGAIN: Statement = Statement {
    sql: "INSERT INTO clients (client_id, issued_at, profile, source, flags, metadata) \
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[]) \
        ON CONFLICT (client_id) DO UPDATE SET flags = clients.flags \
        RETURNING client_id, issued_at, profile, source, flags, metadata",
    types: COLUMNS,
};

const COLUMNS: &[Type] = &[
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
];

pub(super) const SELECT: Statement =
    Statement { sql: select!(clients, "WHERE client_id = $1"), types: &[Type::UUID] };

/// Those of many clients that are there.
pub(super) const SELECT_MANY: Statement =
    Statement { sql: select!(clients, "WHERE client_id = ANY($1)"), types: &[Type::UUID_ARRAY] };

/// The name is looked for by [`has_name`]: no two of the databases agree on JSON that is none.
pub(super) const SELECT_PAGE: Statement = Statement {
    sql: select!(
        clients,
        "WHERE client_id >= $1 \
          AND ($2::text IS NULL OR profile = $2) \
          AND (flags & $3) = $3 \
          AND issued_at >= $4 \
          AND ($5::bigint IS NULL OR issued_at < $5) \
        ORDER BY client_id LIMIT $6"
    ),
    types: &[Type::UUID, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
};

pub(super) const COUNT: Statement = Statement { sql: "SELECT count(*) FROM clients", types: &[] };

pub(super) const DELETE: Statement =
    Statement { sql: "DELETE FROM clients WHERE client_id = $1", types: &[Type::UUID] };

/// Writes as durably as a registration, to one of the rows that are there for it.
pub(super) const PROBE: Statement = Statement {
    sql: "UPDATE probes SET times = times + 1 WHERE slot = abs(pg_backend_pid()) % 64",
    types: &[],
};

/// The columns of many clients.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) client_ids: Vec<Uuid>,
    pub(super) issued_at: Vec<i64>,
    pub(super) profiles: Vec<&'a str>,
    pub(super) sources: Vec<Option<String>>,
    pub(super) flags: Vec<i64>,
    pub(super) metadata: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// Adds one client; `Err` when it is later than the table can say.
    pub(super) fn push(&mut self, client: &'a ClientRecord) -> Result<(), Fault> {
        let issued_at = i64::try_from(client.issued_at.as_millis()).map_err(Fault::Unwritable)?;
        self.client_ids.push(client.client_id.into());
        self.issued_at.push(issued_at);
        self.profiles.push(client.profile.as_str());
        self.sources.push(client.source.map(|address| address.to_string()));
        self.flags.push(client.flags.bits().into());
        self.metadata.push(&client.metadata);
        Ok(())
    }

    /// As [`INSERT`] and [`INSERT_AGAIN`] take them.
    pub(super) fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        [
            &self.client_ids,
            &self.issued_at,
            &self.profiles,
            &self.sources,
            &self.flags,
            &self.metadata,
        ]
    }
}

/// The parameters of [`SELECT_PAGE`] but for its first and its last.
pub(super) struct Bounds {
    pub(super) profile: Option<&'static str>,
    pub(super) flags: i64,
    pub(super) from: i64,
    pub(super) until: Option<i64>,
}

impl Bounds {
    pub(super) fn of(filter: &ClientFilter) -> Self {
        Self {
            profile: filter.profile.map(ProfileName::as_str),
            flags: filter.flags.bits().into(),
            from: filter.issued_from.map_or(0, moment),
            until: filter.issued_until.map(moment),
        }
    }
}

/// Whether the name in a document contains `name`, which is in lower case. A document that is not JSON has
/// no name.
pub(super) fn has_name(metadata: &str, name: &str) -> bool {
    let document = serde_json::from_str::<serde_json::Value>(metadata).unwrap_or_default();
    let found = document.get("client_name").and_then(serde_json::Value::as_str);
    found.is_some_and(|found| found.to_ascii_lowercase().contains(name))
}

/// The identifier alone.
pub(super) fn id(row: &Row) -> Result<ClientId, StoreError> {
    let id: Uuid = row.try_get(0).map_err(|error| StoreError::Unavailable(error.into()))?;
    Ok(ClientId::from_bytes(id.into_bytes()))
}

/// A new identifier holds 74 bits of chance: it is not there already unless something is wrong.
pub(super) fn there_already(id: ClientId) -> StoreError {
    corrupt(format!("client {id}"), "another client has its identifier")
}
