//! The client that a request names by its `client_id`: one that registered here, or one that publishes its
//! metadata (Client ID Metadata Documents).

use std::{net::IpAddr, sync::Arc};

use serde::Deserialize;

use crate::{
    admission::{Candidate, Door, Rejection},
    app::App,
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, ClientMetadata, DocumentUrl, GrantTypes},
    client_document::DocumentError,
    clock::Timestamp,
    http::caller::Caller,
    store::{ClientRecord, ClientRegistration, ClientState, ClientTerms, GrantRecord, StoreError},
};

/// A client, as the endpoints meet it.
#[derive(Clone, Debug)]
pub(crate) struct IdentifiedClient {
    pub(crate) identifier: ClientIdentifier,
    /// What it says of itself.
    pub(crate) metadata: ClientMetadata,
    /// When it registered; `None` for a client with a document.
    pub(crate) registered_at: Option<Timestamp>,
    /// What operators and time made of it.
    pub(crate) state: ClientState,
    /// How far it has changed its own registration.
    pub(crate) registration: ClientRegistration,
    /// Whether a rule holds it, and the store does not know it: no person who is signed in has asked for it yet.
    pub(crate) is_held: bool,
}

impl IdentifiedClient {
    /// Whether a consent from this moment counts: since then neither the standing of the client changed, nor what people
    /// know it by.
    pub(crate) fn is_as_it_was(&self, allowed_at: Timestamp) -> bool {
        let changes = [self.state.standing_at, self.registration.changed_at];
        changes.into_iter().flatten().all(|changed_at| changed_at <= allowed_at)
    }
}

/// Why there is no client, as far as is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentifyError {
    /// None registered by this identifier (any more).
    #[error("no client has registered by this identifier")]
    Unknown(ClientId),
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It would be one with a document, and there is something wrong with that.
    #[error("{}: {reason}", url.host())]
    Document { url: DocumentUrl, reason: Arc<DocumentError> },
    /// It is one with a document, and the operator does not let it in.
    #[error("an admission rule rejects the client: {}", .0.reason)]
    Rejected(Rejection),
}

/// Who names a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedBy<'a> {
    pub(crate) address: IpAddr,
    pub(crate) caller: Caller,
    /// The person, if somebody is signed in.
    pub(crate) subject: Option<&'a str>,
}

/// What the token endpoints need of a client.
pub(crate) struct TokenClient {
    /// The grant types that it may use.
    pub(crate) grant_types: GrantTypes,
    /// What operators and time made of it.
    pub(crate) state: ClientState,
    /// As it is stored; `None` for a client with a metadata document.
    pub(crate) metadata: Option<String>,
}

/// Whether a grant gives tokens: not where an operator blocks its client, or forbids it a scope. Both end the grants that
/// are there; others may come by an import.
pub(crate) fn gives_tokens(state: &ClientState, grant: &GrantRecord) -> bool {
    state.standing.is_usable() && !state.forbids(grant.scope.as_ref())
}

/// The client of this identifier, unless its time is over.
async fn existing(app: &App, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
    Ok(app.store.client(id).await?.filter(|client| exists(app, client)))
}

/// Whether the time of a client is not over. After that, the sweep removes it soon.
fn exists(app: &App, client: &ClientRecord) -> bool {
    !client.state.terms.are_over(app.clock.now())
}

/// The client of this identifier at the token endpoints; `None` if it does not exist. Waits for the store alone, never for
/// a document.
pub(crate) async fn for_tokens(
    app: &App,
    identifier: &ClientIdentifier,
) -> Result<Option<TokenClient>, StoreError> {
    /// The rest is skipped, which takes a fifth of the time that reading it would.
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        grant_types: GrantTypes,
    }
    let id = match identifier {
        ClientIdentifier::Registered(id) => *id,
        // A suspension deletes its grants, and each request fetches its record only when it is authorized.
        ClientIdentifier::Document(url) => {
            let grant_types = app.client_documents.grant_types(url);
            return Ok(grant_types.map(|grant_types| TokenClient {
                grant_types,
                state: ClientState::default(),
                metadata: None,
            }));
        }
    };
    let Some(record) = existing(app, id).await? else { return Ok(None) };
    let Part { grant_types } =
        serde_json::from_str(&record.metadata).map_err(|error| unreadable(id, error))?;
    let state = app.families.state_of_stored(&record.metadata, record.state);
    Ok(Some(TokenClient { grant_types, state, metadata: Some(record.metadata) }))
}

/// Whether a grant gives tokens, and has its client. `client` is what the store has of a registered one. No document is
/// fetched.
pub(crate) fn is_live(app: &App, grant: &GrantRecord, client: Option<ClientRecord>) -> bool {
    match &grant.client {
        ClientIdentifier::Registered(_) => {
            client.filter(|record| exists(app, record)).is_some_and(|record| {
                let state = app.families.state_of_stored(&record.metadata, record.state);
                gives_tokens(&state, grant)
            })
        }
        ClientIdentifier::Document(url) => app.client_documents.grant_types(url).is_some(),
    }
}

/// Notes that a grant of this client is in use.
pub(crate) fn note_use(app: &App, identifier: &ClientIdentifier) {
    if !app.last_use.note(identifier, app.clock.now()) {
        app.metrics.uses_dropped.add_one();
    }
    if let ClientIdentifier::Document(url) = identifier {
        app.client_documents.note_use(url);
    }
}

/// The client of this identifier, or what to tell people of it.
pub(crate) async fn identify(
    app: &App,
    identifier: &ClientIdentifier,
    named_by: NamedBy<'_>,
) -> Result<IdentifiedClient, IdentifyError> {
    match identifier {
        ClientIdentifier::Registered(id) => registered(app, *id).await,
        ClientIdentifier::Document(url) => published(app, url, named_by).await,
    }
}

async fn registered(app: &App, id: ClientId) -> Result<IdentifiedClient, IdentifyError> {
    let record = existing(app, id).await?.ok_or(IdentifyError::Unknown(id))?;
    let metadata = metadata(&record)?;
    Ok(IdentifiedClient {
        identifier: id.into(),
        state: app.families.state_of(&metadata, record.state),
        metadata,
        registered_at: Some(record.issued_at),
        registration: record.registration,
        is_held: false,
    })
}

/// What a client said of itself when it registered.
pub(crate) fn metadata(record: &ClientRecord) -> Result<ClientMetadata, StoreError> {
    serde_json::from_str(&record.metadata).map_err(|error| unreadable(record.client_id, error))
}

fn unreadable(id: ClientId, error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: format!("the metadata of client {id}"), source: error.into() }
}

async fn published(
    app: &App,
    url: &DocumentUrl,
    named_by: NamedBy<'_>,
) -> Result<IdentifiedClient, IdentifyError> {
    let metadata = document(app, url, named_by).await?;
    let known = app.store.document_client(url).await?;
    // At every request: nothing else is stored of the client that a rule could have decided about once.
    let candidate = Candidate {
        door: Door::Document,
        metadata: &metadata,
        document_host: Some(url.host()),
        source: Some(named_by.address.to_canonical()),
        initial_access_token: None,
        is_imitation: app.protected_names.borrowed_at(url.host(), &metadata).is_some(),
    };
    let rules = app.rules.current();
    let let_in = rules.admit(&candidate).map_err(IdentifyError::Rejected)?;
    let of_rule = ClientTerms::of(let_in.terms, app.clock.now());
    let is_known = known.is_some();
    let mut state = known.map(|known| known.state).unwrap_or_default();
    // A client that is known keeps its label and its time; the rules of today hold beside.
    if is_known {
        state.terms.ceiling = Ceiling::both(state.terms.ceiling, of_rule.ceiling.as_ref());
    } else {
        state.terms = of_rule;
    }
    Ok(IdentifiedClient {
        identifier: ClientIdentifier::Document(url.clone()),
        metadata: ClientMetadata::clone(&metadata),
        registered_at: None,
        registration: ClientRegistration::default(),
        // Once the client is known, an operator decides about it, and no rule holds it.
        is_held: let_in.is_held && !is_known,
        state: app.families.state_of(&metadata, state),
    })
}

/// The metadata at `url`, fetched unless they are fresh.
async fn document(
    app: &App,
    url: &DocumentUrl,
    named_by: NamedBy<'_>,
) -> Result<Arc<ClientMetadata>, IdentifyError> {
    let documents = &app.client_documents;
    let failed = |reason| IdentifyError::Document { url: url.clone(), reason };
    if let Some(metadata) = documents.remembered(url).map_err(failed)? {
        return Ok(metadata);
    }
    if !documents.has_grant(url) && has_consent(app, url, named_by.subject).await? {
        documents.note_grant(url);
    }
    documents.metadata(url, named_by.caller).await.map_err(failed)
}

/// Whether this person has allowed the client something before.
async fn has_consent(
    app: &App,
    url: &DocumentUrl,
    subject: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(subject) = subject else { return Ok(false) };
    let consent = app.store.consent(subject, &ClientIdentifier::Document(url.clone())).await?;
    Ok(consent.is_some_and(|consent| app.clock.now() < consent.expires_at))
}
