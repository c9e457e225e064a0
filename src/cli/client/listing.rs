//! Pending clients of both kinds in one list: those that have registered, then those with a metadata document.

use super::{api, effective::OwnStanding, line};
use crate::{
    cli::{exit::Failure, records::Listed, remote::Collection},
    client::{ClientIdentifier, DocumentUrl},
    store::{ClientFilter, ClientRecord, ClientState, DocumentClientRecord, Store, StoreError},
};

/// A client of either kind.
pub(super) enum Listing {
    Registered(ClientRecord),
    Document(DocumentUrl, DocumentClientRecord),
}

impl Listed for Listing {
    type Id = ClientIdentifier;
    type Filter = ClientFilter;
    const NAME: &'static str = ClientRecord::NAME;
    const HEADER: &'static [&'static str] = ClientRecord::HEADER;
    const API: Option<Collection<Self>> = Some(api::BOTH);

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<ClientIdentifier>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let (registered, url) = match after {
            None => (Some(None), None),
            Some(ClientIdentifier::Registered(id)) => (Some(Some(id)), None),
            Some(ClientIdentifier::Document(url)) => (None, Some(url.to_string())),
        };
        if let Some(after) = registered {
            let page = store.clients(filter, after, limit).await?;
            if !page.is_empty() {
                return Ok(page.into_iter().map(Self::Registered).collect());
            }
        }
        let page = store.document_clients_behind(filter, url.as_deref(), limit).await?;
        page.into_iter().map(document).collect()
    }

    fn id(&self) -> ClientIdentifier {
        match self {
            Self::Registered(client) => client.client_id.into(),
            Self::Document(url, _) => ClientIdentifier::Document(url.clone()),
        }
    }

    fn line(&self) -> Result<String, Failure> {
        match self {
            Self::Registered(client) => line::print(client),
            Self::Document(_, client) => Ok(line::document(client).to_string()),
        }
    }

    fn row(&self) -> Vec<String> {
        match self {
            Self::Registered(client) => client.row(),
            Self::Document(_, client) => client.row_among_others(),
        }
    }
}

impl OwnStanding for Listing {
    fn state(&self) -> &ClientState {
        match self {
            Self::Registered(client) => &client.state,
            Self::Document(_, client) => &client.state,
        }
    }

    fn metadata(&self) -> &str {
        match self {
            Self::Registered(client) => &client.metadata,
            Self::Document(_, client) => &client.metadata,
        }
    }
}

fn document(client: DocumentClientRecord) -> Result<Listing, StoreError> {
    match client.url.parse() {
        Ok(url) => Ok(Listing::Document(url, client)),
        Err(error) => Err(StoreError::Corrupt {
            what: format!("client {}", client.url),
            source: Box::new(error),
        }),
    }
}
