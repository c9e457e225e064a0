//! Clients: what a batch can hold, and what it answers.

use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use crate::{
    client::ClientId,
    store::{ClientRecord, StoreError, column::corrupt},
};

/// `Err` when a client registered later than the table can hold.
pub(super) fn check_times<'a>(
    clients: impl IntoIterator<Item = &'a ClientRecord>,
) -> Result<(), Fault> {
    for client in clients {
        i64::try_from(client.issued_at.as_millis()).map_err(Fault::Unwritable)?;
    }
    Ok(())
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
