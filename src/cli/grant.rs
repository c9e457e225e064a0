//! `doorward grant`: what people have allowed clients, in the store or by the operator API of a server. No secret is
//! shown: the store has hashes alone.

use std::{num::NonZeroUsize, sync::Arc};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    author::author,
    backend::{Backend, BackendArguments},
    exit::{Failure, Outcome},
    output::{
        Format, Messages, RecordOutput, ReportOutput, insist, print, table, visible_json,
        visible_line,
    },
    records::{self, Doomed, Forgotten, Listed, Pages, Part},
    remote::{Collection, Query, Read, Server, attributes, moment, moment_or_none},
    settings::OpenStore,
    time::to_rfc3339,
};
use crate::{
    audit::Action,
    client::{ClientIdentifier, Scope},
    clock::{Clock, Timestamp},
    event_json::{EventJson, event_json},
    grant::{GrantId, ResourceIndicator},
    paths,
    store::{
        Access, Deleted, EventFilter, EventOrder, EventRecord, EventsOf, GrantFilter, GrantRecord,
        Store, StoreError,
    },
    timeline::{EVENTS_MAX, in_order, timeline},
};

/// List, show, and revoke what people have allowed clients
#[derive(Subcommand, Debug)]
pub(super) enum GrantCommand {
    List(ListArguments),
    Show(ShowArguments),
    Revoke(RevokeArguments),
}

impl GrantCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Show(arguments) => arguments.run(),
            Self::Revoke(arguments) => arguments.run(messages),
        }
    }
}

/// Which grants are meant.
#[derive(Args, Debug)]
struct FilterArguments {
    /// Only grants to this client: a UUID, or the URL of a metadata document
    #[arg(long, value_name = "CLIENT_ID", value_parser = client)]
    client: Option<ClientIdentifier>,
    /// Only grants by this resource owner, as access tokens name it in `sub`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
}

impl FilterArguments {
    fn into_filter(self) -> GrantFilter {
        GrantFilter { client: self.client, subject: self.subject }
    }
}

/// List grants in the order in which they were made
#[derive(Args, Debug)]
#[command(
    after_help = "A grant is listed until it is forgotten, within minutes of its end. All grants are looked \
through, whatever the filter: among millions this takes a while.

Examples:
  doorward grant list --subject acme:248289761001
  doorward grant list --client 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --output jsonl | jq -r .sub"
)]
pub(super) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Show at most this many grants [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this grant, the last of an earlier list
    #[arg(long, value_name = "GRANT_ID")]
    after: Option<GrantId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Show a grant and its timeline, also after its end
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward grant show 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward grant show 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --output json | jq -r '.timeline[]'")]
pub(super) struct ShowArguments {
    /// The grant
    #[arg(value_name = "GRANT_ID")]
    grant_id: GrantId,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Revoke grants for good: their codes and refresh tokens end at once, access tokens when they expire
#[derive(Args, Debug)]
#[command(
    after_help = "Resources that introspect know at once that a token has ended; the others take it until it \
expires (`token.access_token_lifetime_seconds`). What was allowed before is remembered all the same, and \
makes the next question to the person shorter. With --client or --subject, or both, all such grants are \
revoked, a few at a time; what is cut short is simply run again.

Examples:
  doorward grant revoke 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward grant revoke --subject acme:248289761001 --yes"
)]
pub(super) struct RevokeArguments {
    /// The grants
    #[arg(
        value_name = "GRANT_ID",
        required_unless_present_any = FILTERS,
        conflicts_with_all = FILTERS
    )]
    grant_ids: Vec<GrantId>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say how many there are, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

/// The arguments of [`FilterArguments`].
const FILTERS: [&str; 2] = ["client", "subject"];

pub(super) fn client(text: &str) -> Result<ClientIdentifier, String> {
    text.parse().map_err(|_| "neither a UUID in lower case nor the URL of a document".to_owned())
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<Grant>(
            &self.backend.open(Access::Read)?,
            self.filter.into_filter(),
            part,
            messages,
        )
    }
}

/// A grant with its story.
struct Story {
    grant: Option<Grant>,
    timeline: Vec<String>,
    events: Vec<EventRecord>,
}

/// The same as programs read it.
#[derive(Serialize)]
struct Shown<'a> {
    grant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Line<'a>>,
    timeline: &'a [String],
    events: Vec<EventJson<'a>>,
}

impl Story {
    /// `None` when neither a grant nor an event has this identifier.
    fn find(backend: &Backend, id: GrantId) -> Result<Option<Self>, Failure> {
        match backend {
            Backend::Store(store) => Self::in_store(store, id),
            Backend::Server(server) => Self::at(server, backend, id),
        }
    }

    fn in_store(store: &OpenStore, id: GrantId) -> Result<Option<Self>, Failure> {
        let grant = store.wait(store.handle.grant(id))?;
        let of = EventsOf::Grant(id);
        let mut events = store.wait(store.handle.newest_events(Some(&of), None, EVENTS_MAX))?;
        if grant.is_none() && events.is_empty() {
            return Ok(None);
        }
        in_order(&mut events);
        let timeline = timeline(grant.as_ref(), &events, Clock::System.now());
        Ok(Some(Self { grant: grant.map(Grant::from), timeline, events }))
    }

    fn at(server: &Server, backend: &Backend, id: GrantId) -> Result<Option<Self>, Failure> {
        let reply = server.get(&format!("{}/{id}", paths::OPERATOR_GRANTS), &[])?;
        if reply.is_missing() {
            return Ok(None);
        }
        let resource = &reply.done()?["data"];
        let sentences = resource["attributes"]["timeline"].as_array().into_iter().flatten();
        let timeline = sentences.filter_map(Value::as_str).map(str::to_owned).collect();
        // Of a grant that has ended, only the timeline is left.
        let is_there = resource["attributes"]["client_id"].is_string();
        let grant = is_there.then(|| Grant::read(resource)).transpose();
        let filter = EventFilter {
            grant: Some(id),
            order: EventOrder::NewestFirst,
            ..EventFilter::default()
        };
        let events = Pages::<EventRecord>::new(backend, filter, None, Some(EVENTS_MAX));
        let mut events: Vec<_> = events.take(EVENTS_MAX).collect::<Result<_, _>>()?;
        in_order(&mut events);
        let grant = grant.map_err(|reason| server.unreadable(&reason))?;
        Ok(Some(Self { grant, timeline, events }))
    }
}

impl ShowArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let id = self.grant_id;
        let backend = self.backend.open(Access::Read)?;
        let Some(Story { grant, timeline, events }) = Story::find(&backend, id)? else {
            insist(format_args!("There is no grant {id}."));
            return Ok(Outcome::No);
        };
        let shown = Shown {
            grant_id: id.to_string(),
            grant: grant.as_ref().map(Grant::line),
            timeline: &timeline,
            events: events.iter().map(event_json).collect(),
        };
        let json = match self.output.output {
            Format::Table => {
                return print(report(id, grant.as_ref(), &events, &timeline)).map(done);
            }
            Format::Json => serde_json::to_string_pretty(&shown),
            Format::Jsonl => serde_json::to_string(&shown),
        };
        let json = json.map_err(Failure::of("cannot write a grant as JSON"))?;
        print(visible_json(&json)).map(done)
    }
}

const fn done((): ()) -> Outcome {
    Outcome::Done
}

/// A grant for people: whose it is, then its timeline, a sentence a line.
fn report(
    id: GrantId,
    grant: Option<&Grant>,
    events: &[EventRecord],
    timeline: &[String],
) -> String {
    let id = id.to_string();
    let of_events = |event: &EventRecord| Some((event.client.clone()?, event.subject.clone()?));
    let parties = grant
        .map(|grant| (grant.client.clone(), grant.subject.clone()))
        .or_else(|| events.iter().find_map(of_events));
    let (client, subject) =
        parties.map_or_else(Default::default, |(client, subject)| (client.to_string(), subject));
    let grant = grant.map(Grant::line);
    let scope = grant.as_ref().and_then(|grant| grant.scope).unwrap_or_default();
    let resources = grant.as_ref().map(|grant| grant.resources.join(" ")).unwrap_or_default();
    let rows = [
        ("Grant", &*id),
        ("Client", &*client),
        ("Subject", &*subject),
        ("Scope", scope),
        ("Resources", &*resources),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    let facts = table(&[], rows.map(|(name, value)| vec![name, value]));
    let sentences: Vec<String> = timeline.iter().map(|sentence| visible_line(sentence)).collect();
    format!("{facts}\n\n{}", sentences.join("\n"))
}

impl RevokeArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let doomed = Doomed::<Grant> {
            named: self.grant_ids,
            filter: self.filter.into_filter(),
            is_sure: self.yes,
            is_rehearsal: self.dry_run,
        };
        records::forget(|| self.backend.open(Access::Command), doomed, messages)
    }
}

/// What is shown of a grant.
pub(super) struct Grant {
    id: GrantId,
    client: ClientIdentifier,
    pub(super) subject: String,
    pub(super) scope: Option<Scope>,
    resources: Vec<String>,
    issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    is_redeemed: bool,
    refresh_token_expires_at: Option<Timestamp>,
}

impl From<GrantRecord> for Grant {
    fn from(grant: GrantRecord) -> Self {
        let resources = grant.resources.iter().map(ResourceIndicator::as_str);
        Self {
            id: grant.grant_id,
            resources: resources.map(str::to_owned).collect(),
            client: grant.client,
            subject: grant.subject,
            scope: grant.scope,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            is_redeemed: grant.code.redeemed_at.is_some(),
            refresh_token_expires_at: grant.refresh.map(|it| it.expires_at),
        }
    }
}

/// The attributes of a grant in the operator API.
#[derive(Deserialize)]
struct Attributes {
    client_id: String,
    sub: String,
    scope: Option<String>,
    resources: Vec<String>,
    #[serde(deserialize_with = "moment")]
    issued_at: Timestamp,
    #[serde(deserialize_with = "moment")]
    expires_at: Timestamp,
    is_redeemed: bool,
    #[serde(default, deserialize_with = "moment_or_none")]
    refresh_token_expires_at: Option<Timestamp>,
}

/// The filter as the list of the operator API takes it.
fn query(filter: &GrantFilter) -> Query {
    let GrantFilter { client, subject } = filter;
    let client = client.as_ref().map(|client| ("filter[client_id]", client.to_string()));
    let subject = subject.clone().map(|subject| ("filter[sub]", subject));
    client.into_iter().chain(subject).collect()
}

impl Grant {
    /// The grant of a resource.
    fn read(resource: &Value) -> Read<Self> {
        let grant: Attributes = attributes(resource)?;
        let id = resource["id"].as_str().and_then(|id| id.parse().ok());
        let scope = grant.scope.as_deref().map_or(Ok(None), Scope::parse);
        Ok(Self {
            id: id.ok_or("id is unknown")?,
            client: grant.client_id.parse().map_err(|_| "client_id is unknown")?,
            subject: grant.sub,
            scope: scope.map_err(|error| error.to_string())?,
            resources: grant.resources,
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            is_redeemed: grant.is_redeemed,
            refresh_token_expires_at: grant.refresh_token_expires_at,
        })
    }

    fn line(&self) -> Line<'_> {
        Line {
            grant_id: self.id.to_string(),
            client_id: self.client.to_string(),
            sub: &self.subject,
            scope: self.scope.as_ref().map(Scope::as_str),
            resources: &self.resources,
            issued_at: to_rfc3339(self.issued_at),
            expires_at: to_rfc3339(self.expires_at),
            is_redeemed: self.is_redeemed,
            refresh_token_expires_at: self.refresh_token_expires_at.map(to_rfc3339),
        }
    }
}

/// A grant as programs read it. Names of RFC 7662 where it has one.
#[derive(Serialize)]
struct Line<'a> {
    grant_id: String,
    client_id: String,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    resources: &'a [String],
    issued_at: String,
    expires_at: String,
    /// Whether its code has bought tokens.
    is_redeemed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_at: Option<String>,
}

impl Listed for Grant {
    type Id = GrantId;
    type Filter = GrantFilter;
    const NAME: &'static str = "grant";
    const HEADER: &'static [&'static str] =
        &["GRANT ID", "MADE", "ENDS", "SUBJECT", "CLIENT", "SCOPE", "RESOURCES"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::OPERATOR_GRANTS,
        query,
        read: |resource| Some(Self::read(resource)),
        page_max: 100,
    });

    async fn page(
        store: &Store,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let page = store.grants(filter, after, limit).await?;
        Ok(page.into_iter().map(Self::from).collect())
    }

    fn id(&self) -> GrantId {
        self.id
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(&self.line()).expect("strings under string keys are JSON"))
    }

    fn row(&self) -> Vec<String> {
        let line = self.line();
        vec![
            line.grant_id,
            line.issued_at,
            line.expires_at,
            line.sub.to_owned(),
            line.client_id,
            line.scope.unwrap_or_default().to_owned(),
            line.resources.join(" "),
        ]
    }
}

impl Forgotten for Grant {
    const FORGET: &'static str = "Revoke";

    async fn forget(store: Arc<Store>, id: GrantId) -> Result<Deleted, StoreError> {
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", author()).await
    }
}
