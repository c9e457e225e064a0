//! `doorward person show`.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{json as person_json, list, resource};
use crate::{
    cli::{
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        output::{Format, ReportOutput, insist, print, table, visible_json, visible_line},
        records::Pages,
        remote::{Server, moment, moment_or_none},
        session::Session,
        settings::OpenStore,
        time::to_rfc3339,
    },
    client::{ClientIdentifier, ClientMetadata},
    clock::{Clock, Timestamp},
    event_json::event_json,
    store::{Access, EventFilter, EventRecord, Person},
};

/// How many apps, sessions, and events are shown.
const SHOWN_MAX: usize = 100;
const EVENTS_MAX: usize = 10;

/// Show a person: connected apps, sessions, and last events
#[derive(Args, Debug)]
#[command(
    after_help = "At most 100 apps and sessions are shown; `grant list --subject` and `session list --subject` show \
all.

Examples:
  doorward person show acme:248289761001
  doorward person show acme:248289761001 --output json | jq -r '.connected[].client_id'"
)]
pub(in crate::cli) struct ShowArguments {
    /// The person, as access tokens name it in `sub`
    #[arg(value_name = "SUBJECT")]
    subject: String,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// All that is known of a person.
struct Shown {
    person: Person,
    connected: Vec<Connected>,
    sessions: Vec<Session>,
    events: Vec<EventRecord>,
}

/// What the person has allowed one client.
#[derive(Deserialize)]
struct Connected {
    client_id: String,
    client_name: Option<String>,
    scopes: Vec<String>,
    #[serde(deserialize_with = "moment")]
    created_at: Timestamp,
    #[serde(deserialize_with = "moment")]
    modified_at: Timestamp,
    #[serde(default, deserialize_with = "moment_or_none")]
    last_exercised: Option<Timestamp>,
}

impl ShowArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Read)?;
        let Some(shown) = Shown::of(&backend, &self.subject)? else {
            insist(format_args!("There is no person {}.", visible_line(&self.subject)));
            return Ok(Outcome::No);
        };
        print(match self.output.output {
            Format::Table => shown.text(),
            Format::Json => visible_json(&format!("{:#}", shown.json()?)).into_owned(),
            Format::Jsonl => visible_json(&shown.json()?.to_string()).into_owned(),
        })?;
        Ok(Outcome::Done)
    }
}

impl Shown {
    fn of(backend: &Backend, subject: &str) -> Result<Option<Self>, Failure> {
        let subject = subject.to_owned();
        let about = EventFilter { subject: Some(subject.clone()), ..EventFilter::default() };
        let events = Pages::<EventRecord>::new(backend, about, None, Some(EVENTS_MAX));
        let events: Vec<_> = events.take(EVENTS_MAX).collect::<Result<_, _>>()?;
        let found = match backend {
            Backend::Store(store) => in_store(store, &subject)?,
            Backend::Server(server) => at(server, &subject)?,
        };
        let (person, connected) = match found {
            Some(found) => found,
            None if events.is_empty() => return Ok(None),
            None => (Person::without_access(subject.clone()), Vec::new()),
        };
        let sessions = Pages::<Session>::new(backend, Some(subject), None, Some(SHOWN_MAX));
        let sessions = sessions.take(SHOWN_MAX).collect::<Result<_, _>>()?;
        Ok(Some(Self { person, connected, sessions, events }))
    }

    /// The members that `person list` shows, and more.
    fn json(&self) -> Result<Value, Failure> {
        let connected = self.connected.iter().map(|app| {
            json!({
                "client_id": app.client_id,
                "client_name": app.client_name,
                "scopes": app.scopes,
                "first_allowed_at": to_rfc3339(app.created_at),
                "allowed_at": to_rfc3339(app.modified_at),
                "used_at": app.last_exercised.map(to_rfc3339),
            })
        });
        let sessions = self.sessions.iter().map(|session| {
            json!({
                "session_id": session.id.to_string(),
                "signed_in_at": session.signed_in_at(),
                "idle_at": session.idle_at(),
                "expires_at": session.expires_at(),
            })
        });
        let events = self.events.iter().map(event_json).map(serde_json::to_value);
        let events: Result<Vec<Value>, _> = events.collect();
        let mut value = person_json(&self.person);
        value["connected"] = connected.collect();
        value["signed_in"] = sessions.collect();
        value["events"] = events.map_err(Failure::of("cannot write an event as JSON"))?.into();
        Ok(value)
    }

    fn text(&self) -> String {
        let Person { subject, name, email, used_at, .. } = &self.person;
        let facts = [
            ("Subject", Some(subject.clone())),
            ("Name", name.clone()),
            ("Email", email.clone()),
            ("Last used", used_at.map(to_rfc3339)),
        ];
        let facts: Vec<(&str, String)> = facts
            .into_iter()
            .filter_map(|(what, value)| Some((what, visible_line(&value?))))
            .collect();
        let facts = table(&[], facts.iter().map(|(what, value)| vec![*what, value.as_str()]));
        let parts = [Some(facts), self.apps(), self.browsers(), self.history()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }

    fn apps(&self) -> Option<String> {
        let rows: Vec<[String; 3]> = self
            .connected
            .iter()
            .map(|app| {
                let name = visible_line(app.client_name.as_deref().unwrap_or_default());
                let client = format!("{name}\n{}", visible_line(&app.client_id));
                let used = app.last_exercised.map_or_else(|| "never".to_owned(), to_rfc3339);
                [client.trim_start().to_owned(), app.scopes.join(" "), used]
            })
            .collect();
        rows_below(&["APP", "SCOPES", "LAST USED"], &rows)
    }

    fn browsers(&self) -> Option<String> {
        let rows: Vec<[String; 2]> = self
            .sessions
            .iter()
            .map(|session| [session.id.to_string(), session.signed_in_at()])
            .collect();
        rows_below(&["SESSION", "SIGNED IN"], &rows)
    }

    fn history(&self) -> Option<String> {
        let rows: Vec<[String; 3]> = self
            .events
            .iter()
            .map(|event| {
                let actor = event.actor.as_deref().filter(|actor| *actor != self.person.subject);
                let actor = actor.map(|actor| format!(" {}", visible_line(actor)));
                let actor = format!("{}{}", event.actor_kind, actor.unwrap_or_default());
                [to_rfc3339(event.at), event.action.to_string(), actor]
            })
            .collect();
        rows_below(&["TIME", "EVENT", "BY"], &rows)
    }
}

/// The person of the store, and what they have allowed.
fn in_store(store: &OpenStore, subject: &str) -> Result<Found, Failure> {
    let (handle, now) = (&store.handle, Clock::System.now());
    let Some(person) = store.wait(handle.person(subject, now))? else { return Ok(None) };
    let mut connected = Vec::new();
    for app in store.wait(handle.authorizations_of_person(subject, now, "", SHOWN_MAX))? {
        connected.push(Connected {
            client_id: app.client.to_string(),
            client_name: name_of(store, &app.client)?,
            scopes: app.scopes().into_iter().map(str::to_owned).collect(),
            created_at: app.created_at,
            modified_at: app.modified_at,
            last_exercised: app.used_at,
        });
    }
    Ok(Some((person, connected)))
}

/// The same at a server.
fn at(server: &Server, subject: &str) -> Result<Found, Failure> {
    let Some(mut resource) = resource(server, subject)? else { return Ok(None) };
    let person = list::read(&resource).map_err(|reason| server.unreadable(&reason))?;
    let connected = resource["attributes"]["authorized_clients"].take();
    let connected = serde_json::from_value(connected);
    let connected = connected.map_err(|error| server.unreadable(&error.to_string()))?;
    Ok(Some((person, connected)))
}

/// A person, and what they have allowed; `None` if neither is there.
type Found = Option<(Person, Vec<Connected>)>;

/// What a client calls itself, if it is there and has a name.
fn name_of(store: &OpenStore, client: &ClientIdentifier) -> Result<Option<String>, Failure> {
    let metadata = match client {
        ClientIdentifier::Registered(id) => {
            store.wait(store.handle.client(*id))?.map(|client| client.metadata)
        }
        ClientIdentifier::Document(url) => {
            store.wait(store.handle.document_client(url))?.map(|client| client.metadata)
        }
    };
    let metadata = metadata.and_then(|text| serde_json::from_str::<ClientMetadata>(&text).ok());
    let name = metadata.and_then(|metadata| metadata.client_name);
    Ok(name.map(|name| name.as_str().to_owned()))
}

/// A table, if it has rows.
fn rows_below<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> Option<String> {
    let cells = rows.iter().map(|row| row.iter().map(String::as_str).collect());
    (!rows.is_empty()).then(|| table(header, cells))
}
