//! The client that a request names by its `client_id`: one that registered here, or one that publishes its
//! metadata (Client ID Metadata Documents).

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    app::App,
    client::{ClientId, ClientIdentifier, ClientMetadata, DocumentUrl, GrantTypes},
    client_document::DocumentError,
    clock::Timestamp,
    store::{ClientFlags, ClientRecord, StoreError},
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

/// Why there is no client, as far as is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentifyError {
    /// None registered by this identifier (any more).
    #[error("no client has registered by this identifier")]
    Unknown,
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It would be one with a document, and there is something wrong with that.
    #[error("{}: {reason}", url.host())]
    Document { url: DocumentUrl, reason: Arc<DocumentError> },
}

impl IdentifyError {
    /// Whether there may be such a client, and it is worth asking again; else there is none.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Store(_) => true,
            Self::Document { reason, .. } => reason.is_passing(),
        }
    }
}

/// The client of this identifier; `None` when there is none (any more).
pub(crate) async fn find(
    app: &App,
    identifier: &ClientIdentifier,
) -> Result<Option<IdentifiedClient>, IdentifyError> {
    match identify(app, identifier).await {
        Ok(client) => Ok(Some(client)),
        Err(error) if error.is_passing() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The grants that the client of this identifier has registered for: all that is needed of it where it asks
/// for tokens. `None` when there is none (any more).
pub(crate) async fn grant_types(
    app: &App,
    identifier: &ClientIdentifier,
) -> Result<Option<GrantTypes>, IdentifyError> {
    /// The rest is passed over, which takes a fifth of the time that reading it would.
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        grant_types: GrantTypes,
    }
    let ClientIdentifier::Registered(id) = identifier else {
        return Ok(find(app, identifier).await?.map(|client| client.metadata.grant_types));
    };
    let Some(record) = app.store.client(*id).await? else { return Ok(None) };
    let part: Part =
        serde_json::from_str(&record.metadata).map_err(|error| unreadable(*id, error))?;
    Ok(Some(part.grant_types))
}

/// The client of this identifier, or what to tell people of it.
pub(crate) async fn identify(
    app: &App,
    identifier: &ClientIdentifier,
) -> Result<IdentifiedClient, IdentifyError> {
    match identifier {
        ClientIdentifier::Registered(id) => registered(app, *id).await,
        ClientIdentifier::Document(url) => published(app, url).await,
    }
}

async fn registered(app: &App, id: ClientId) -> Result<IdentifiedClient, IdentifyError> {
    let record = app.store.client(id).await?.ok_or(IdentifyError::Unknown)?;
    Ok(IdentifiedClient {
        identifier: id.into(),
        metadata: metadata(&record)?,
        registered_at: Some(record.issued_at),
        flags: record.flags,
    })
}

/// What a client said of itself when it registered.
pub(crate) fn metadata(record: &ClientRecord) -> Result<ClientMetadata, StoreError> {
    serde_json::from_str(&record.metadata).map_err(|error| unreadable(record.client_id, error))
}

fn unreadable(id: ClientId, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: format!("the metadata of client {id}"), source: error.into() }
}

async fn published(app: &App, url: &DocumentUrl) -> Result<IdentifiedClient, IdentifyError> {
    let found = app.client_documents.metadata(url).await;
    let metadata = found.map_err(|reason| IdentifyError::Document { url: url.clone(), reason })?;
    let mut flags = ClientFlags::default();
    if app.protected_names.are_borrowed_at(url.host(), &metadata) {
        flags.insert(ClientFlags::LOOK_ALIKE);
    }
    Ok(IdentifiedClient {
        identifier: ClientIdentifier::Document(url.clone()),
        metadata: ClientMetadata::clone(&metadata),
        registered_at: None,
        flags,
    })
}
