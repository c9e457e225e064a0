//! Clients: the columns of a batch.

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

/// The identifier alone.
pub(super) fn id(row: &Row) -> Result<ClientId, StoreError> {
    let id: Uuid = row.try_get(0).map_err(|error| StoreError::Unavailable(error.into()))?;
    Ok(ClientId::from_bytes(id.into_bytes()))
}

/// A new identifier holds 74 bits of chance: it is not there already unless something is wrong.
pub(super) fn there_already(id: ClientId) -> StoreError {
    corrupt(format!("client {id}"), "another client has its identifier")
}
