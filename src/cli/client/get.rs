//! `doorward client get`.

use clap::Args;
use serde_json::{Value, json};

use super::{
    effective,
    known::{Connections, Known, Record},
    line,
};
use crate::{
    cli::{
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        grant,
        output::{Format, RecordOutput, insist, print, table, visible_json},
        records::Pages,
        time,
    },
    client::ClientIdentifier,
    clock::Clock,
    store::{Access, ClientRecord, DocumentClientRecord, EventFilter, EventOrder, EventRecord},
};

/// How many events are shown.
const EVENTS_MAX: usize = 10;

/// Show one client: its record, its connections, and its last events
#[derive(Args, Debug)]
#[command(
    after_help = "A connection is a live grant: something that a person has allowed this client.

Examples:
  doorward client get 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward client get https://app.example/client.json --output json | jq .people"
)]
pub(in crate::cli) struct GetArguments {
    /// The client: a UUID, or the URL of a metadata document
    #[arg(value_parser = grant::client)]
    client_id: ClientIdentifier,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

impl GetArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Read)?;
        let Some(client) = Known::find(&backend, &self.client_id)? else {
            insist(format_args!(
                "There is no client {0}. If it was removed, doorward audit list --client {0} shows when, and who did it.",
                self.client_id
            ));
            return Ok(Outcome::No);
        };
        let shown = Shown::of(&backend, client)?;
        print(match self.output.format() {
            Format::Table => shown.text(),
            Format::Json => visible_json(&format!("{:#}", shown.json()?)).into_owned(),
            Format::Jsonl => visible_json(&shown.json()?.to_string()).into_owned(),
        })?;
        Ok(Outcome::Done)
    }
}

/// All that is known of a client.
struct Shown {
    client: Known,
    connections: Connections,
    events: Vec<EventRecord>,
}

impl Shown {
    fn of(backend: &Backend, client: Known) -> Result<Self, Failure> {
        let filter = EventFilter {
            client: Some(client.identifier.clone()),
            order: EventOrder::NewestFirst,
            ..EventFilter::default()
        };
        let events = Pages::<EventRecord>::new(backend, filter, None, Some(EVENTS_MAX));
        let events = events.take(EVENTS_MAX).collect::<Result<_, _>>()?;
        let connections = client.connections(backend, Clock::System.now())?;
        Ok(Self { client, connections, events })
    }

    /// The members that `client list` shows, and more.
    fn json(&self) -> Result<Value, Failure> {
        let mut value = match &self.client.record {
            Record::Registered(client) => serde_json::from_str(&line::print(client)?)
                .map_err(Failure::of("the record is not JSON"))?,
            Record::Document(client) => line::document(client),
        };
        let own = self.client.state().standing;
        value["standing"] = own.as_str().into();
        effective::add_to(&mut value, own, self.client.effective_standing);
        value["connections"] = self.connections.number.into();
        value["people"] = self.connections.people.into();
        value["events"] = self.events.iter().map(event).collect();
        Ok(value)
    }

    /// A row for each thing that is known, and the events below.
    fn text(&self) -> String {
        let mut rows = match &self.client.record {
            Record::Registered(client) => registered_rows(client),
            Record::Document(client) => document_rows(client),
        };
        let state = self.client.state();
        let standing = match state.standing_at {
            Some(at) => format!("{} since {}", state.standing, time::to_rfc3339(at)),
            None => state.standing.to_string(),
        };
        let is_of_family = state.standing != self.client.effective_standing;
        rows.push(("standing", if is_of_family { by_family(&standing) } else { standing }));
        rows.extend(state.used_at.map(|at| ("last used", time::to_rfc3339(at))));
        rows.extend(state.ceiling.as_ref().map(|ceiling| ("may hold", ceiling.words())));
        let terms = &state.terms;
        rows.extend(terms.ceiling.as_ref().map(|ceiling| ("by a rule", ceiling.words())));
        rows.extend(terms.label.as_ref().map(|label| ("label", label.clone())));
        rows.extend(terms.expires_at.map(|at| ("removed at", time::to_rfc3339(at))));
        rows.extend(state.note.as_ref().map(|note| ("note", note.clone())));
        rows.push(("connections", self.connections.words()));
        let mut rows: Vec<_> =
            rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let metadata = self.client.metadata();
        for (member, value) in metadata.as_object().into_iter().flatten() {
            rows.push((member.clone(), cell(value)));
        }
        let record =
            table(&[], rows.iter().map(|(name, value)| vec![name.as_str(), value.as_str()]));
        if self.events.is_empty() {
            return record;
        }
        let events: Vec<[String; 3]> = self.events.iter().map(event_row).collect();
        let events = events.iter().map(|row| row.iter().map(String::as_str).collect());
        format!("{record}\n\n{}", table(&["TIME", "ACTION", "ACTOR"], events))
    }
}

/// What holds while the family of a client is suspended, and what holds when it is resumed.
fn by_family(own: &str) -> String {
    format!("suspended by its family; its own: {own}")
}

fn registered_rows(client: &ClientRecord) -> Vec<(&'static str, String)> {
    vec![
        ("client_id", client.client_id.to_string()),
        ("registered", time::to_rfc3339(client.issued_at)),
        ("profile", client.profile.as_str().to_owned()),
        ("source", client.source.map_or("not kept".to_owned(), |ip| ip.to_string())),
        ("flags", line::flag_names(client.flags).join(" ")),
    ]
}

fn document_rows(client: &DocumentClientRecord) -> Vec<(&'static str, String)> {
    vec![
        ("client_id", client.url.clone()),
        ("document_client_id", client.document_client_id.to_string()),
        ("first allowed", time::to_rfc3339(client.first_allowed_at)),
        ("last allowed", time::to_rfc3339(client.allowed_at)),
    ]
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

fn event(event: &EventRecord) -> Value {
    json!({
        "event_id": event.event_id.to_string(),
        "at": time::to_rfc3339(event.at),
        "action": event.action.as_str(),
        "actor_kind": event.actor_kind.as_str(),
        "actor": event.actor,
    })
}

fn event_row(event: &EventRecord) -> [String; 3] {
    let actor = match &event.actor {
        Some(actor) => format!("{} {actor}", event.actor_kind),
        None => event.actor_kind.to_string(),
    };
    [time::to_rfc3339(event.at), event.action.to_string(), actor]
}
