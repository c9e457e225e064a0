//! `doorward person`: who has signed in and allowed clients, and what ends. Works beside a running server.

mod end;
mod list;
mod show;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    exit::{Failure, Outcome},
    output::Messages,
};
use crate::{
    cli::time::to_rfc3339,
    store::{Person, PersonChange},
};

/// List, show, and sign out people, and delete what the store has of them
#[derive(Subcommand, Debug)]
pub(super) enum PersonCommand {
    List(list::ListArguments),
    Show(show::ShowArguments),
    /// End all access of people: every session, every connection to a client, and every remembered decision
    #[command(
        after_help = "To block a person, disable the account at the identity provider first: the provider may let them \
sign in again, and then they are asked about each client as for the first time. Access tokens end at once where the resource \
introspects them, and when they expire elsewhere. A command that was cut short is simply run again.

Examples:
  doorward person end acme:248289761001 --dry-run
  doorward person end acme:248289761001 acme:248289761002 --yes"
    )]
    End(end::EndArguments),
    /// End all access of people, and delete what the store has of them
    #[command(
        after_help = "Sessions with their name and email address, connections, remembered decisions, and the claims \
stored with them are deleted. Audit events are not changed: they keep the subject and, if addresses are stored, the address of \
each request, until audit.keep_days have passed. Backups, exports, and receivers of webhooks keep what they have. A person who \
signs in again is stored again: disable the account at the identity provider first.

Examples:
  doorward person forget acme:248289761001 --dry-run
  doorward person forget acme:248289761001 --yes"
    )]
    Forget(end::EndArguments),
}

impl PersonCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Show(arguments) => arguments.run(),
            Self::End(arguments) => arguments.run(PersonChange::End, messages),
            Self::Forget(arguments) => arguments.run(PersonChange::Forget, messages),
        }
    }
}

/// A person as programs read it.
fn json(person: &Person) -> Value {
    json!({
        "sub": person.subject,
        "name": person.name,
        "email": person.email,
        "apps": person.apps,
        "grants": person.grants,
        "sessions": person.sessions,
        "consents": person.consents,
        "used_at": person.used_at.map(to_rfc3339),
    })
}
