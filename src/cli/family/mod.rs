//! `doorward family`: what an operator would call one app, however often it registered. Works beside a running server.

mod decide;
mod list;
mod rebuild;
mod restrict;
mod show;

use clap::Subcommand;

use decide::Decision;

use super::{
    exit::{Failure, Outcome},
    output::Messages,
};
use crate::{
    cli::{client::line, time::to_rfc3339},
    clock::Timestamp,
    family::FamilyKey,
    store::FamilyRecord,
};
use serde_json::{Value, json};

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
