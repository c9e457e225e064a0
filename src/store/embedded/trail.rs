//! The trail behind a place.

use rusqlite::Connection;

use super::{fault::store_error, rows::rows};
use crate::store::{
    ClientRecord, EventRecord, StoreError, TrailPosition,
    statements::webhooks,
    webhooks::{Placed, clients_behind, events_behind},
};

/// Events and clients behind a place.
type Behind = (Vec<Placed<EventRecord>>, Vec<Placed<ClientRecord>>);

/// Events and clients, of one snapshot.
pub(super) fn behind(
    connection: &Connection,
    position: &TrailPosition,
    limit: usize,
) -> Result<Behind, StoreError> {
    let snapshot = connection.unchecked_transaction().map_err(store_error)?;
    let events = rows(&snapshot, &webhooks::SELECT_EVENTS, &events_behind(position, limit, None))?;
    let clients =
        rows(&snapshot, &webhooks::SELECT_CLIENTS, &clients_behind(position, limit, None))?;
    Ok((events, clients))
}
