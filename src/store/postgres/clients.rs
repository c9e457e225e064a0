//! Clients: the columns of a batch, and names, which the driver searches itself.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    fault::Fault,
    rows::{Column, columns},
};
use crate::{
    client::ClientId,
    store::{ClientRecord, StoreError, column::corrupt},
};

/// The columns of clients; `Err` when one was registered later than the table can hold.
pub(super) fn checked_columns<'a>(
    clients: impl ExactSizeIterator<Item = &'a ClientRecord> + Clone,
) -> Result<Vec<Column<'a>>, Fault> {
    for client in clients.clone() {
        i64::try_from(client.issued_at.as_millis()).map_err(Fault::Unwritable)?;
    }
    Ok(columns(clients))
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
