//! `doorward audit`: who did what, in the store or by the operator API of a server.

mod follow;
mod trail;

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand, builder::TypedValueParser};
use serde_json::Value;

use super::{
    backend::BackendArguments,
    client::family,
    exit::{Failure, Outcome},
    export::export,
    grant,
    output::{Messages, RecordOutput, visible_line},
    records::{self, Listed, Part},
    remote::{Collection, Query, Read},
    settings::one_of,
    time::{self, to_rfc3339},
};
use crate::{
    audit::{Action, ActorKind, EventId},
    client::ClientIdentifier,
    clock::Timestamp,
    event_json::event_json,
    family::FamilyId,
    grant::GrantId,
    paths,
    store::{Access, EventFilter, EventOrder, EventRecord, Store, StoreError},
};

/// List, follow, and export audit events: who did what
#[derive(Subcommand, Debug)]
pub(super) enum AuditCommand {
    List(ListArguments),
    Follow(follow::FollowArguments),
    Export(ExportArguments),
}

impl AuditCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Follow(arguments) => arguments.run(messages),
            Self::Export(arguments) => arguments.run(messages),
        }
    }
}

/// List audit events, newest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward audit list --since 24h --action grant.reused
  doorward audit list --client 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward audit list --subject acme:248289761001 --output jsonl | jq -r .action")]
pub(super) struct ListArguments {
    #[command(flatten)]
    about: AboutArguments,
    #[command(flatten)]
    period: PeriodArguments,
    /// Show at most this many events [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this event, the last of an earlier list
    #[arg(long, value_name = "EVENT_ID")]
    after: Option<EventId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Write audit events as JSON Lines, oldest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward audit export events.jsonl
  doorward audit export --since 2026-11-01 --until 2026-12-01 | gzip > november.jsonl.gz")]
pub(super) struct ExportArguments {
    /// A new file to write to [default: standard output]
    file: Option<PathBuf>,
    #[command(flatten)]
    period: PeriodArguments,
    #[command(flatten)]
    backend: BackendArguments,
}

/// What events are about.
#[derive(Args, Debug)]
struct AboutArguments {
    /// Only events about this client: a UUID, or the URL of a metadata document
    #[arg(long, value_name = "CLIENT_ID", value_parser = grant::client)]
    client: Option<ClientIdentifier>,
    /// Only events about this grant
    #[arg(long, value_name = "GRANT_ID")]
    grant: Option<GrantId>,
    /// Only decisions about this family, and removals of its clients: an identifier, or a key
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    family: Option<FamilyId>,
    /// Only events about this person's access, as access tokens name the person in `sub`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only events of this action
    #[arg(long, value_parser = action_parser(), hide_possible_values = true)]
    action: Option<Action>,
}

impl AboutArguments {
    fn into_filter(self) -> EventFilter {
        let Self { client, grant, family, subject, action } = self;
        EventFilter { client, grant, family, subject, action, ..EventFilter::default() }
    }
}

#[derive(Args, Debug)]
struct PeriodArguments {
    /// Only events at this time or later: 2026-11-23T19:30:00Z, 2026-11-23, or 12h (ago)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
    /// Only events before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    until: Option<Timestamp>,
}

fn action_parser() -> impl TypedValueParser<Value = Action> {
    one_of(Action::ALL.iter().map(|action| action.as_str()))
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        let PeriodArguments { since, until } = self.period;
        let filter = EventFilter { since, until, ..self.about.into_filter() };
        records::list::<EventRecord>(&self.backend.open(Access::Read)?, filter, part, messages)
    }
}

impl ExportArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let filter = EventFilter {
            since: self.period.since,
            until: self.period.until,
            order: EventOrder::OldestFirst,
            ..EventFilter::default()
        };
        export::<EventRecord>(self.backend, filter, self.file, messages)
    }
}

impl Listed for EventRecord {
    type Id = EventId;
    type Filter = EventFilter;
    const NAME: &'static str = "event";
    const HEADER: &'static [&'static str] = &["TIME", "ACTION", "ABOUT"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::AUDIT_EVENTS,
        query,
        read: |resource| Some(read(&resource["attributes"]["attributes"])),
        page_max: 1_000,
    });

    async fn page(
        store: &Store,
        filter: &EventFilter,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.find_events(filter, after, limit).await
    }

    fn id(&self) -> EventId {
        self.event_id
    }

    fn line(&self) -> Result<String, Failure> {
        serde_json::to_string(&event_json(self))
            .map_err(Failure::of("cannot write an event as JSON"))
    }

    /// Narrow, so that 80 columns hold it: the time takes two lines, and each fact a line of its own.
    fn row(&self) -> Vec<String> {
        vec![
            to_rfc3339(self.at).replace('T', "\n"),
            self.action.to_string(),
            about(self).join("\n"),
        ]
    }
}

/// The filter as the list of the operator API takes it.
fn query(filter: &EventFilter) -> Query {
    let sort = match filter.order {
        EventOrder::NewestFirst => "-timestamp",
        EventOrder::OldestFirst => "timestamp",
    };
    query_sorted(filter, sort)
}

/// The same in another order.
fn query_sorted(filter: &EventFilter, sort: &str) -> Query {
    let EventFilter { client, grant, family, subject, actor, action, since, until, .. } = filter;
    let terms = [
        ("client_id", client.as_ref().map(ToString::to_string)),
        ("grant_id", grant.map(|grant| grant.to_string())),
        ("family", family.map(|family| family.to_string())),
        ("sub", subject.clone()),
        ("actor.id", actor.clone()),
        ("action", action.map(|action| action.to_string())),
    ];
    let terms = terms.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let terms: Vec<_> = terms.map(|(name, value)| format!("@{name}:\"{value}\"")).collect();
    let parameters = [
        ("filter[query]", Some(terms.join(" ")).filter(|terms| !terms.is_empty())),
        ("filter[from]", since.map(to_rfc3339)),
        ("filter[to]", until.map(to_rfc3339)),
        ("sort", Some(sort.to_owned())),
    ];
    parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// An event of its one JSON form.
fn read(event: &Value) -> Read<EventRecord> {
    fn parsed<T: FromStr>(value: &Value, member: &str) -> Read<Option<T>> {
        let parsed = value.as_str().map(str::parse).transpose();
        parsed.map_err(|_| format!("{member} is unknown"))
    }
    fn required<T: FromStr>(value: &Value, member: &str) -> Read<T> {
        parsed(value, member)?.ok_or_else(|| format!("{member} is missing"))
    }
    let text = |member: &str| event[member].as_str().map(str::to_owned);
    let at = event["time"].as_str().and_then(Timestamp::from_rfc3339);
    Ok(EventRecord {
        event_id: required(&event["id"], "id")?,
        at: at.ok_or("time is missing")?,
        action: required(&event["action"], "action")?,
        actor_kind: required(&event["actor"]["type"], "actor.type")?,
        actor: event["actor"]["id"].as_str().map(str::to_owned),
        actor_role: event["actor"]["role"].as_str().map(str::to_owned),
        actor_client: parsed(&event["actor"]["client_id"], "actor.client_id")?,
        client: parsed(&event["client_id"], "client_id")?,
        family: parsed(&event["family"], "family")?,
        grant_id: parsed(&event["grant_id"], "grant_id")?,
        subject: text("sub"),
        source: parsed(&event["source"], "source")?,
        request_id: text("request_id"),
        detail: event.get("detail").map(ToString::to_string),
    })
}

/// What an event is about, a fact each.
fn about(event: &EventRecord) -> Vec<String> {
    let actor = event.actor.as_deref().filter(|_| event.actor_kind != ActorKind::Client);
    let actor = actor.map(|actor| format!(" {actor}")).unwrap_or_default();
    let role = event.actor_role.as_ref().map(|role| format!(" ({role})")).unwrap_or_default();
    let via = event.actor_client.as_ref().map(|client| format!(" via {client}"));
    let by = Some(format!("by {}{actor}{role}{}", event.actor_kind, via.unwrap_or_default()));
    let is_of_another = |subject: &&String| {
        event.actor_kind != ActorKind::Person || event.actor.as_ref() != Some(subject)
    };
    let facts = [
        by,
        event.client.as_ref().map(|client| format!("client {client}")),
        event.grant_id.map(|grant| format!("grant {grant}")),
        event.subject.as_ref().filter(is_of_another).map(|subject| format!("sub {subject}")),
    ];
    facts.iter().flatten().map(|fact| visible_line(fact)).collect()
}
