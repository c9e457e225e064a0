//! `doorward family show`.

use clap::Args;
use serde_json::{Value, json};

use super::{Found, find, json as family_json};
use crate::{
    cli::{
        backend::{Backend, BackendArguments},
        client::family,
        exit::{Failure, Outcome},
        output::{Format, RecordOutput, insist, number, print, table, visible_json},
        records::Pages,
        time::to_rfc3339,
    },
    family::FamilyId,
    store::{Access, EventFilter, EventRecord},
};

/// How many events are shown.
const EVENTS_MAX: usize = 10;

/// Show one family: its names, registrations, people, and last events
#[derive(Args, Debug)]
#[command(after_help = "`client list --family` shows its clients.

Examples:
  doorward family show \"claude code@loopback\"
  doorward family show 3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa --output json")]
pub(in crate::cli) struct ShowArguments {
    /// The family: its identifier, or a key such as "claude code@loopback"
    #[arg(value_parser = family)]
    family: FamilyId,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

impl ShowArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Read)?;
        let Some(found) = find(&backend, self.family)? else {
            insist(format_args!("There is no family {}.", self.family));
            return Ok(Outcome::No);
        };
        let shown = Shown::of(&backend, found)?;
        print(match self.output.format() {
            Format::Table => shown.text(),
            Format::Json => visible_json(&format!("{:#}", shown.json())).into_owned(),
            Format::Jsonl => visible_json(&shown.json().to_string()).into_owned(),
        })?;
        Ok(Outcome::Done)
    }
}

/// All that is known of a family.
struct Shown {
    found: Found,
    events: Vec<EventRecord>,
}

impl Shown {
    fn of(backend: &Backend, found: Found) -> Result<Self, Failure> {
        let about = EventFilter { family: Some(found.family.family_id), ..EventFilter::default() };
        let events = Pages::<EventRecord>::new(backend, about, None, Some(EVENTS_MAX));
        let events = events.take(EVENTS_MAX).collect::<Result<_, _>>()?;
        Ok(Self { found, events })
    }

    /// The members that `family list` shows, and more.
    fn json(&self) -> Value {
        let Found { family, access, of_7_days } = &self.found;
        let mut value = family_json(family);
        value["people"] = access.people.into();
        value["connections"] = access.grants.into();
        value["registrations_7_days"] = (*of_7_days).into();
        value["events"] = self.events.iter().map(event).collect();
        value
    }

    fn text(&self) -> String {
        let Found { family, access, of_7_days } = &self.found;
        let standing = match family.standing_at {
            Some(at) => format!("{} since {}", family.standing, to_rfc3339(at)),
            None => family.standing.to_string(),
        };
        let shown = family_json(family);
        let lines = |member: &str| {
            let items = shown[member].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        };
        let registrations = format!(
            "{}, {of_7_days} of them in the last 7 days, {} removed",
            family.registrations(),
            family.removed
        );
        let connections = format!(
            "{} of {}",
            number(access.grants, "connection", "connections"),
            number(access.people, "person", "people")
        );
        let mut rows = vec![
            ("family_id", family.family_id.to_string()),
            ("key", family.key.clone()),
            ("names", lines("names")),
            ("destinations", lines("destinations")),
            ("registrations", registrations),
            ("clients", family.clients.to_string()),
            ("connections", connections),
            ("first seen", to_rfc3339(family.first_seen_at)),
            ("last seen", to_rfc3339(family.last_seen_at)),
        ];
        rows.extend(family.used_at.map(|at| ("last used", to_rfc3339(at))));
        rows.extend([("flags", lines("flags")), ("standing", standing)]);
        rows.extend(family.ceiling.as_ref().map(|ceiling| ("may hold", ceiling.words())));
        let record = table(&[], rows.iter().map(|(name, value)| vec![*name, value.as_str()]));
        if self.events.is_empty() {
            return record;
        }
        let events: Vec<[String; 3]> = self.events.iter().map(event_row).collect();
        let events = events.iter().map(|row| row.iter().map(String::as_str).collect());
        format!("{record}\n\n{}", table(&["TIME", "ACTION", "ACTOR"], events))
    }
}

fn event(event: &EventRecord) -> Value {
    json!({
        "event_id": event.event_id.to_string(),
        "at": to_rfc3339(event.at),
        "action": event.action.as_str(),
        "actor_kind": event.actor_kind.as_str(),
        "actor": event.actor,
        "client": event.client.as_ref().map(ToString::to_string),
    })
}

fn event_row(event: &EventRecord) -> [String; 3] {
    let actor = match &event.actor {
        Some(actor) => format!("{} {actor}", event.actor_kind),
        None => event.actor_kind.to_string(),
    };
    [to_rfc3339(event.at), event.action.to_string(), actor]
}
