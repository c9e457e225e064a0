//! `doorward family`: what an operator would call one app, however often it registered, in the store or by the operator
//! API of a server.

mod decide;
mod list;
mod rebuild;
mod restrict;
mod show;

use clap::Subcommand;

use decide::Decision;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    backend::Backend,
    exit::{Failure, Outcome},
    output::Messages,
    remote::{Read, Server, attributes, moment, moment_or_none},
};
use crate::{
    ceiling::Ceiling,
    cli::{client::line, time::to_rfc3339},
    clock::{Clock, Timestamp},
    family::{FamilyId, FamilyKey},
    paths,
    store::{ClientFlags, FamilyAccess, FamilyEdited, FamilyNames, FamilyRecord},
};

/// List, show, suspend, resume, restrict, and remove families: all registrations of one app
#[derive(Subcommand, Debug)]
pub(super) enum FamilyCommand {
    List(list::ListArguments),
    Show(show::ShowArguments),
    /// Suspend families: every connection to their clients ends, and no one can allow one of them, whenever it registered
    #[command(
        after_help = "Everyone loses the access that they gave clients of these families. Clients keep their own \
standing, and `family resume` lets people allow them again. A command that was cut short is simply run again.

Examples:
  doorward family suspend \"claude code@loopback\" --dry-run
  doorward family suspend 3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa --reason \"Ticket 4711\" --yes"
    )]
    Suspend(decide::DecideArguments),
    /// Resume suspended families; everyone has to allow their clients again
    #[command(after_help = "Examples:
  doorward family resume \"claude code@loopback\"")]
    Resume(decide::DecideArguments),
    Restrict(restrict::RestrictArguments),
    /// Remove every registered client of families; new ones can register
    #[command(
        visible_alias = "delete",
        after_help = "Removed clients are gone for good; most apps register again when they are used. To keep them out, \
suspend the family, or add an admission rule.

Examples:
  doorward family remove \"probe@probe.example\" --dry-run
  doorward family remove \"probe@probe.example\" --yes"
    )]
    Remove(decide::DecideArguments),
    Rebuild(rebuild::RebuildArguments),
}

impl FamilyCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Show(arguments) => arguments.run(),
            Self::Suspend(arguments) => arguments.run(Decision::Suspend, messages),
            Self::Resume(arguments) => arguments.run(Decision::Resume, messages),
            Self::Restrict(arguments) => arguments.run(messages),
            Self::Remove(arguments) => arguments.run(Decision::Remove, messages),
            Self::Rebuild(arguments) => arguments.run(messages),
        }
    }
}

/// A family with its connections as of now.
struct Found {
    family: FamilyRecord,
    access: FamilyAccess,
    /// How many of its clients registered in the last 7 days.
    of_7_days: u64,
}

fn find(backend: &Backend, id: FamilyId) -> Result<Option<Found>, Failure> {
    match backend {
        Backend::Store(store) => {
            let (handle, now) = (&store.handle, Clock::System.now());
            let Some(family) = store.wait(handle.family(id))? else { return Ok(None) };
            Ok(Some(Found {
                family,
                access: store.wait(handle.family_access(id, now))?,
                of_7_days: store.wait(handle.family_registrations(id, now.before_days(7)))?,
            }))
        }
        Backend::Server(server) => {
            let reply = server.get(&path(id), &[])?;
            if reply.is_missing() {
                return Ok(None);
            }
            let resource = &reply.done()?["data"];
            let family = read(resource).map_err(|reason| server.unreadable(&reason))?;
            let count = |name: &str| resource["attributes"][name].as_u64().unwrap_or_default();
            let access = FamilyAccess { grants: count("connections"), people: count("people") };
            Ok(Some(Found { family, access, of_7_days: count("registrations_7_days") }))
        }
    }
}

/// The path of a family in the operator API.
fn path(id: FamilyId) -> String {
    format!("{}/{id}", paths::FAMILIES)
}

/// The body of a change of a family at a server.
fn body(id: FamilyId, attributes: &Value) -> Value {
    json!({ "data": { "id": id.to_string(), "type": "oauth2_families", "attributes": attributes } })
}

/// Changes attributes of a family at a server.
fn change_at(
    server: &Server,
    id: FamilyId,
    mut attributes: Value,
    reason: Option<&str>,
) -> Result<FamilyEdited, Failure> {
    if let Some(reason) = reason {
        attributes["reason"] = reason.into();
    }
    let reply = server.patch(&path(id), None, &body(id, &attributes))?;
    if reply.is_missing() {
        return Ok(FamilyEdited::NotThere);
    }
    let meta = &reply.done()?["meta"];
    let ended = meta["connections"].as_u64().and_then(|ended| usize::try_from(ended).ok());
    let is_changed = meta["is_changed"].as_bool().unwrap_or(true);
    Ok(FamilyEdited::Now { is_changed, ended: ended.unwrap_or_default() })
}

/// The family of a resource of the operator API.
fn read(resource: &Value) -> Read<FamilyRecord> {
    #[derive(Deserialize)]
    struct Attributes {
        key: String,
        names: Vec<String>,
        registrations: u64,
        clients: u64,
        people: u64,
        flags: Vec<String>,
        #[serde(deserialize_with = "moment")]
        first_seen_at: Timestamp,
        #[serde(deserialize_with = "moment")]
        last_seen_at: Timestamp,
        #[serde(default, deserialize_with = "moment_or_none")]
        used_at: Option<Timestamp>,
        standing: String,
        #[serde(default, deserialize_with = "moment_or_none")]
        standing_at: Option<Timestamp>,
        ceiling: Option<Ceiling>,
    }
    let family: Attributes = attributes(resource)?;
    let id = resource["id"].as_str().and_then(|id| id.parse().ok());
    let mut flags = ClientFlags::default();
    for name in &family.flags {
        flags.insert(line::parse_flag(name).ok_or("flag is unknown")?);
    }
    Ok(FamilyRecord {
        family_id: id.ok_or("id is unknown")?,
        key: family.key,
        names: FamilyNames::in_order(family.names),
        clients: family.clients,
        removed: family.registrations.saturating_sub(family.clients),
        people: family.people,
        flags,
        first_seen_at: family.first_seen_at,
        last_seen_at: family.last_seen_at,
        used_at: family.used_at,
        standing: family.standing.parse().map_err(|()| "standing is unknown")?,
        standing_at: family.standing_at,
        ceiling: family.ceiling,
    })
}

/// A family as programs read it.
fn json(family: &FamilyRecord) -> Value {
    let key = family.key.parse::<FamilyKey>().ok();
    let places = key.iter().flat_map(FamilyKey::destinations).map(ToString::to_string);
    let mut value = json!({
        "family_id": family.family_id.to_string(),
        "key": family.key,
        "names": family.names.iter().collect::<Vec<_>>(),
        "destinations": places.collect::<Vec<_>>(),
        "registrations": family.registrations(),
        "clients": family.clients,
        "people": family.people,
        "first_seen_at": to_rfc3339(family.first_seen_at),
        "last_seen_at": to_rfc3339(family.last_seen_at),
        "used_at": family.used_at.map(to_rfc3339),
        "flags": line::flag_names(family.flags),
        "standing": family.standing.as_str(),
    });
    if let Some(at) = family.standing_at {
        value["standing_at"] = to_rfc3339(at).into();
    }
    if let Some(ceiling) = &family.ceiling {
        value["ceiling"] = json!(ceiling);
    }
    value
}

/// The day of a time, in UTC.
fn day(at: Timestamp) -> String {
    to_rfc3339(at).split('T').next().unwrap_or_default().to_owned()
}
