//! Clients in lists, with the standing that holds: `suspended` if their family is.

use indicatif::ProgressBar;
use serde_json::Value;

use crate::{
    cli::{
        exit::Failure,
        output::Messages,
        records::Listed,
        remote::{Collection, Read},
        settings::OpenStore,
    },
    store::{
        ClientFilter, ClientRecord, ClientState, DocumentClientRecord, Standing, Store, StoreError,
    },
};

/// A client, and the standing that holds for it.
pub(super) struct Effective<T> {
    client: T,
    standing: Standing,
}

/// What is listed of a client, with its own standing.
pub(super) trait OwnStanding: Listed<Filter = ClientFilter> {
    fn state(&self) -> &ClientState;

    fn metadata(&self) -> &str;
}

impl OwnStanding for ClientRecord {
    fn state(&self) -> &ClientState {
        &self.state
    }

    fn metadata(&self) -> &str {
        &self.metadata
    }
}

impl OwnStanding for DocumentClientRecord {
    fn state(&self) -> &ClientState {
        &self.state
    }

    fn metadata(&self) -> &str {
        &self.metadata
    }
}

/// The standing that a resource of the operator API says; that of a server which does not say it is not known.
pub(super) fn of_resource(resource: &Value, own: Standing) -> Standing {
    let standing = resource["attributes"]["effective_standing"].as_str();
    standing.and_then(|standing| standing.parse().ok()).unwrap_or(own)
}

/// Says the standing that holds in the JSON form of a client, if it is not its own.
pub(super) fn add_to(value: &mut Value, own: Standing, effective: Standing) {
    if own != effective {
        value["effective_standing"] = effective.as_str().into();
    }
}

/// The place of the standing in every row.
const COLUMN: usize = 2;

impl<T: OwnStanding> Listed for Effective<T> {
    type Id = T::Id;
    type Filter = ClientFilter;
    const NAME: &'static str = T::NAME;
    const HEADER: &'static [&'static str] = T::HEADER;
    const API: Option<Collection<Self>> = match T::API {
        Some(Collection { path, query, page_max, .. }) => {
            Some(Collection { path, query, read: read::<T>, page_max })
        }
        None => None,
    };

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<T::Id>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = T::page(store, filter, after, limit).await?;
        let suspended = store.suspended_families().await?;
        let effective = |client: T| {
            let standing = suspended.standing_of(client.state(), client.metadata());
            Self { client, standing }
        };
        Ok(page.into_iter().map(effective).collect())
    }

    fn progress(
        store: &OpenStore,
        filter: &ClientFilter,
        messages: Messages,
    ) -> Result<ProgressBar, Failure> {
        T::progress(store, filter, messages)
    }

    fn id(&self) -> T::Id {
        self.client.id()
    }

    fn is_listed(&self, filter: &ClientFilter) -> bool {
        self.client.is_listed(filter)
    }

    fn cursor(id: &T::Id) -> String {
        T::cursor(id)
    }

    fn line(&self) -> Result<String, Failure> {
        let own = self.client.state().standing;
        let line = self.client.line()?;
        if own == self.standing {
            return Ok(line);
        }
        // Behind the other members, which keep their order.
        let members = line.strip_suffix('}').unwrap_or(&line);
        Ok(format!("{members},\"effective_standing\":\"{}\"}}", self.standing))
    }

    fn row(&self) -> Vec<String> {
        let mut row = self.client.row();
        let own = self.client.state().standing;
        if own != self.standing
            && let Some(cell) = row.get_mut(COLUMN)
        {
            let rest = cell.strip_prefix(own.as_str()).unwrap_or_default();
            *cell = format!("{}\nby family{rest}", self.standing);
        }
        row
    }
}

fn read<T: OwnStanding>(resource: &Value) -> Option<Read<Effective<T>>> {
    let Collection { read, .. } = T::API?;
    let client = read(resource)?;
    Some(client.map(|client| {
        let standing = of_resource(resource, client.state().standing);
        Effective { client, standing }
    }))
}
