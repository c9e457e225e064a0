//! `doorward client list`.

use std::{fmt, num::NonZeroUsize, sync::Arc};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::Value;

use super::{
    FilterArguments, api,
    effective::{Effective, OwnStanding},
    known::{Known, Record},
    line,
    listing::Listing,
};
use crate::{
    audit::Action,
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        grant,
        output::{Messages, RecordOutput, visible_line},
        progress,
        records::{self, Forgotten, Listed, Part},
        remote::Collection,
        settings::OpenStore,
        time,
    },
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    store::{
        Access, ClientFilter, ClientRecord, ClientState, Deleted, DocumentClientRecord, LastUsed,
        Standing, Store, StoreError,
    },
};

/// List clients in the order of their registration
#[derive(Args, Debug)]
#[command(
    after_help = "Every filter must pass. --standing is about the standing that holds: a client whose family is suspended is \
suspended. Filters by name, destination, family, and source read the clients page by \
page, which takes a while among millions.

Examples:
  doorward client list --profile datadog --since 2026-11-01T00:00:00Z
  doorward client list --standing pending
  doorward client list --source 203.0.113.0/24 --unused
  doorward client list --sort used --limit 20 --output table
  doorward client list --kind document
  doorward client list --output jsonl | jq -r .client_id"
)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Registered clients, or clients with a metadata document that people have allowed or asked for [default: both
    /// with --standing pending, else registered]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// The order: the earliest registration first, or the latest use first, without clients that were never used
    #[arg(long, value_enum, value_name = "ORDER", default_value = "issued")]
    sort: Order,
    /// Show at most this many clients [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this client, the last of an earlier list
    #[arg(long, value_name = "CLIENT_ID", value_parser = grant::client)]
    after: Option<ClientIdentifier>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Which clients are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Registered,
    Document,
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    Issued,
    Used,
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { filter, kind, sort, limit, after, output, backend } = self;
        let (filter, format) = (filter.into_filter(), output.format());
        let open = || backend.open(Access::Read);
        if kind.is_none() && sort == Order::Issued && filter.standing == Some(Standing::Pending) {
            let part = Part { format, limit, after };
            return records::list::<Effective<Listing>>(&open()?, filter, part, messages);
        }
        match (kind.unwrap_or(Kind::Registered), sort) {
            (Kind::Registered, Order::Issued) => {
                let part =
                    Part { format, limit, after: after.as_ref().map(registered).transpose()? };
                records::list::<Effective<ClientRecord>>(&open()?, filter, part, messages)
            }
            (Kind::Registered, Order::Used) => {
                let backend = open()?;
                let after = after.map(|client| last_used(&backend, &client)).transpose()?;
                let part = Part { format, limit, after: after.map(Place) };
                records::list::<Effective<ByUse>>(&backend, filter, part, messages)
            }
            (Kind::Document, Order::Issued) => {
                let part = Part { format, limit, after: after.map(|client| client.to_string()) };
                records::list::<Effective<DocumentClientRecord>>(&open()?, filter, part, messages)
            }
            (Kind::Document, Order::Used) => {
                Err(Failure::Usage("--sort used lists registered clients only".to_owned()))
            }
        }
    }
}

fn registered(client: &ClientIdentifier) -> Result<ClientId, Failure> {
    match client {
        ClientIdentifier::Registered(id) => Ok(*id),
        ClientIdentifier::Document(_) => Err(Failure::Usage(
            "--after names a client with a document: add --kind document".to_owned(),
        )),
    }
}

/// Where the list by last use goes on behind a client.
fn last_used(backend: &Backend, client: &ClientIdentifier) -> Result<LastUsed, Failure> {
    let id = registered(client)?;
    let client = Known::find(backend, client)?;
    client
        .and_then(|client| match client.record {
            Record::Registered(client) => LastUsed::of(&client),
            Record::Document(_) => None,
        })
        .ok_or_else(|| Failure::Usage(format!("client {id} of --after has no last use")))
}

impl Listed for ClientRecord {
    type Id = ClientId;
    type Filter = ClientFilter;
    const NAME: &'static str = "client";
    const HEADER: &'static [&'static str] =
        &["CLIENT ID\nPROFILE", "REGISTERED", "STANDING\nFLAGS", "NAME\nREDIRECT URIS"];
    const API: Option<Collection<Self>> = Some(api::REGISTERED);

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.clients(filter, after, limit).await
    }

    /// Their number is asked for when it is known without going through them, and when somebody sees it.
    fn progress(
        store: &OpenStore,
        filter: &ClientFilter,
        messages: Messages,
    ) -> Result<ProgressBar, Failure> {
        let is_everything = *filter == ClientFilter::default();
        let total = if is_everything && progress::is_seen(messages) {
            Some(store.wait(store.handle.count_clients())?)
        } else {
            None
        };
        Ok(progress::of_clients(total, messages))
    }

    fn id(&self) -> ClientId {
        self.client_id
    }

    fn line(&self) -> Result<String, Failure> {
        line::print(self)
    }

    fn row(&self) -> Vec<String> {
        row(self).into()
    }
}

impl Forgotten for ClientRecord {
    const FORGET: &'static str = "Delete";

    async fn forget(store: Arc<Store>, id: ClientId) -> Result<Deleted, StoreError> {
        store.remove_client(id, Action::ClientRemoved, "by_operator", author()).await
    }
}

/// Two lines, so that a row fits a terminal of 80 columns.
fn row(client: &ClientRecord) -> [String; 4] {
    let (name, redirect_uris) = name_and_redirect_uris(&client.metadata);
    [
        format!("{}\n{}", client.client_id, client.profile.as_str()),
        moment(client.issued_at),
        format!("{}\n{}", client.state.standing, line::flag_names(client.flags).join(" ")),
        format!("{name}\n{redirect_uris}"),
    ]
}

/// The name, and the first redirect URI with the number of others.
fn name_and_redirect_uris(metadata: &str) -> (String, String) {
    let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let redirect_uris = match metadata.get("redirect_uris").and_then(Value::as_array) {
        Some(uris) => match uris.as_slice() {
            [] => String::new(),
            [only] => text(only),
            [first, others @ ..] => format!("{} +{}", text(first), others.len()),
        },
        None => String::new(),
    };
    let name = metadata.get("client_name").map(text).unwrap_or_default();
    (visible_line(&name), redirect_uris)
}

/// A client in the list by last use.
pub(super) struct ByUse(pub(super) ClientRecord);

/// The place of a client in that list; a command line names the client.
#[derive(Clone, Copy)]
pub(super) struct Place(LastUsed);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.client_id.fmt(f)
    }
}

impl Listed for ByUse {
    type Id = Place;
    type Filter = ClientFilter;
    const NAME: &'static str = "client";
    const HEADER: &'static [&'static str] =
        &["CLIENT ID\nPROFILE", "LAST USED", "STANDING\nFLAGS", "NAME\nREDIRECT URIS"];
    const API: Option<Collection<Self>> = Some(api::BY_USE);

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let after = after.map(|Place(last)| last);
        let page = store.clients_by_use(filter, after, limit).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn id(&self) -> Place {
        let Self(client) = self;
        let used_at = client.state.used_at.unwrap_or(client.issued_at);
        Place(LastUsed { used_at, client_id: client.client_id })
    }

    fn cursor(Place(last): &Place) -> String {
        format!("{}.{}", last.used_at.as_millis(), last.client_id)
    }

    fn line(&self) -> Result<String, Failure> {
        line::print(&self.0)
    }

    fn row(&self) -> Vec<String> {
        let Place(LastUsed { used_at, .. }) = self.id();
        let [client, _, standing, name] = row(&self.0);
        vec![client, moment(used_at), standing, name]
    }
}

impl OwnStanding for ByUse {
    fn state(&self) -> &ClientState {
        &self.0.state
    }

    fn metadata(&self) -> &str {
        &self.0.metadata
    }
}

impl Listed for DocumentClientRecord {
    type Id = String;
    type Filter = ClientFilter;
    const NAME: &'static str = "client";
    const HEADER: &'static [&'static str] =
        &["NAME\nCLIENT ID", "FIRST ALLOWED", "STANDING", "REDIRECT URIS"];
    const API: Option<Collection<Self>> = Some(api::DOCUMENTS);

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.document_clients_behind(filter, after.as_deref(), limit).await
    }

    fn id(&self) -> String {
        self.url.clone()
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(line::document(self).to_string())
    }

    fn row(&self) -> Vec<String> {
        let (name, redirect_uris) = name_and_redirect_uris(&self.metadata);
        let standing = self.state.standing.to_string();
        vec![
            format!("{name}\n{}", self.url),
            moment(self.first_allowed_at),
            standing,
            redirect_uris,
        ]
    }
}

impl DocumentClientRecord {
    /// As a row below the header of registered clients.
    pub(super) fn row_among_others(&self) -> Vec<String> {
        let (name, redirect_uris) = name_and_redirect_uris(&self.metadata);
        vec![
            format!("{}\ndocument", self.url),
            moment(self.first_allowed_at),
            self.state.standing.to_string(),
            format!("{name}\n{redirect_uris}"),
        ]
    }
}

/// A time in two lines, to the second.
fn moment(at: Timestamp) -> String {
    let at = Timestamp::from_millis(at.as_seconds().saturating_mul(1_000));
    time::to_rfc3339(at).replace('T', "\n")
}
