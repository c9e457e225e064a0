//! `doorward person`: who has signed in and allowed clients, and what ends, in the store or by the operator API of a
//! server.

mod end;
mod list;
mod show;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    backend::Backend,
    exit::{Failure, Outcome},
    output::Messages,
    remote::{Server, below},
};
use crate::{
    cli::time::to_rfc3339,
    clock::Clock,
    paths,
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

/// The person, if there is a session, a grant, or a remembered decision of theirs.
fn find(backend: &Backend, subject: &str) -> Result<Option<Person>, Failure> {
    match backend {
        Backend::Store(store) => store.wait(store.handle.person(subject, Clock::System.now())),
        Backend::Server(server) => {
            let Some(resource) = resource(server, subject)? else { return Ok(None) };
            let person = list::read(&resource).map_err(|reason| server.unreadable(&reason))?;
            Ok(Some(person).filter(|person| *person != Person::without_access(subject.to_owned())))
        }
    }
}

/// The person as the server shows it, also after all access has ended.
fn resource(server: &Server, subject: &str) -> Result<Option<Value>, Failure> {
    let reply = server.get(&below(paths::PEOPLE, subject), &[])?;
    if reply.is_missing() {
        return Ok(None);
    }
    reply.done().map(|mut document| Some(document["data"].take()))
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
