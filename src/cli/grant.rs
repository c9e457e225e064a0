//! `doorward grant`: what people have allowed clients, straight from the store, also beside a running server. No
//! secret is shown: the store has hashes alone.

use std::{num::NonZeroUsize, sync::Arc};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    author::author,
    exit::{Failure, Outcome},
    output::{
        Format, Messages, RecordOutput, ReportOutput, insist, print, table, visible_json,
        visible_line,
    },
    records::{self, Doomed, Forgotten, Listed, Part},
    settings::StoreArguments,
    time::to_rfc3339,
};
use crate::{
    audit::Action,
    client::{ClientIdentifier, Scope},
    clock::Clock,
    event_json::{EventJson, event_json},
    grant::{GrantId, ResourceIndicator},
    store::{Access, Deleted, EventRecord, EventsOf, GrantFilter, GrantRecord, Store, StoreError},
    timeline::timeline,
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
    /// Go on behind this grant, the last of an earlier list
    #[arg(long, value_name = "GRANT_ID")]
    after: Option<GrantId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    store: StoreArguments,
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
    store: StoreArguments,
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
    store: StoreArguments,
}

/// The arguments of [`FilterArguments`].
const FILTERS: [&str; 2] = ["client", "subject"];

pub(super) fn client(text: &str) -> Result<ClientIdentifier, String> {
    text.parse().map_err(|_| "neither a UUID in lower case nor the URL of a document".to_owned())
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<GrantRecord>(self.store, self.filter.into_filter(), part, messages)
    }
}

/// More events than a grant leaves.
const EVENTS_MAX: usize = 100;

/// A grant with its story, as programs read it.
#[derive(Serialize)]
struct Shown<'a> {
    grant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Line<'a>>,
    timeline: &'a [String],
    events: Vec<EventJson<'a>>,
}

impl ShowArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let id = self.grant_id;
        let store = self.store.open(Access::Read)?;
        let grant = store.wait(store.handle.grant(id))?;
        let of = EventsOf::Grant(id);
        let mut events = store.wait(store.handle.newest_events(Some(&of), None, EVENTS_MAX))?;
        if grant.is_none() && events.is_empty() {
            insist(format_args!("There is no grant {id}."));
            return Ok(Outcome::No);
        }
        // Events of one moment happened in the order of their actions.
        events.sort_by_key(|event| (event.at, event.action));
        let timeline = timeline(grant.as_ref(), &events, Clock::System.now());
        let shown = Shown {
            grant_id: id.to_string(),
            grant: grant.as_ref().map(line),
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
    grant: Option<&GrantRecord>,
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
    let grant = grant.map(line);
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
        let doomed = Doomed::<GrantRecord> {
            named: self.grant_ids,
            filter: self.filter.into_filter(),
            is_sure: self.yes,
            is_rehearsal: self.dry_run,
        };
        records::forget(self.store, doomed, messages)
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
    resources: Vec<&'a str>,
    issued_at: String,
    expires_at: String,
    /// Whether its code has bought tokens.
    is_redeemed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_at: Option<String>,
}

fn line(grant: &GrantRecord) -> Line<'_> {
    Line {
        grant_id: grant.grant_id.to_string(),
        client_id: grant.client.to_string(),
        sub: &grant.subject,
        scope: grant.scope.as_ref().map(Scope::as_str),
        resources: grant.resources.iter().map(ResourceIndicator::as_str).collect(),
        issued_at: to_rfc3339(grant.issued_at),
        expires_at: to_rfc3339(grant.expires_at),
        is_redeemed: grant.code.redeemed_at.is_some(),
        refresh_token_expires_at: grant.refresh.as_ref().map(|it| to_rfc3339(it.expires_at)),
    }
}

impl Listed for GrantRecord {
    type Id = GrantId;
    type Filter = GrantFilter;
    const NAME: &'static str = "grant";
    const HEADER: &'static [&'static str] =
        &["GRANT ID", "MADE", "ENDS", "SUBJECT", "CLIENT", "SCOPE", "RESOURCES"];

    async fn page(
        store: &Store,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.grants(filter, after, limit).await
    }

    fn id(&self) -> GrantId {
        self.grant_id
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string(&line(self)).expect("strings under string keys are JSON"))
    }

    fn row(&self) -> Vec<String> {
        let line = line(self);
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

impl Forgotten for GrantRecord {
    const FORGET: &'static str = "Revoke";

    async fn forget(store: Arc<Store>, id: GrantId) -> Result<Deleted, StoreError> {
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", author()).await
    }
}
