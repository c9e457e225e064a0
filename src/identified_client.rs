//! The client that a request names by its `client_id`: one that registered here, or one that publishes its
//! metadata (Client ID Metadata Documents).

use crate::{
    app::App,
    client::{ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    store::{ClientFlags, StoreError},
};

/// A client, as the endpoints meet it.
#[derive(Clone, Debug)]
pub(crate) struct IdentifiedClient {
    pub(crate) identifier: ClientIdentifier,
    /// What it says of itself.
    pub(crate) metadata: ClientMetadata,
    /// When it registered; `None` for a client with a document.
    pub(crate) registered_at: Option<Timestamp>,
    pub(crate) flags: ClientFlags,
}

/// Why it is not known whether there is such a client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentifyError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The client of this identifier; `None` when there is none (any more).
pub(crate) async fn find(
    app: &App,
    identifier: &ClientIdentifier,
) -> Result<Option<IdentifiedClient>, IdentifyError> {
    let ClientIdentifier::Registered(id) = identifier else { return Ok(None) };
    let Some(record) = app.store.client(*id).await? else { return Ok(None) };
    let metadata = serde_json::from_str(&record.metadata).map_err(|error| StoreError::Corrupt {
        what: format!("the metadata of client {id}"),
        source: error.into(),
    })?;
    Ok(Some(IdentifiedClient {
        identifier: identifier.clone(),
        metadata,
        registered_at: Some(record.issued_at),
        flags: record.flags,
    }))
}
