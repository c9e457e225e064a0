//! `doorward person end` and `forget`.

use clap::Args;

use super::find;
use crate::{
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal, number, visible_line},
        progress,
        remote::{Server, below},
    },
    paths,
    store::{Access, AccessEnded, LOOKED_AT, Person, PersonChange},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct EndArguments {
    /// The people, as access tokens name them in `sub`
    #[arg(value_name = "SUBJECT", required = true)]
    subjects: Vec<String>,
    /// Do not ask before access is lost; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say what would end, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

const fn verb(change: PersonChange) -> &'static str {
    match change {
        PersonChange::End => "end all access of",
        PersonChange::Forget => "forget",
    }
}

impl EndArguments {
    pub(super) fn run(self, change: PersonChange, messages: Messages) -> Result<Outcome, Failure> {
        let is_asked = !self.yes && !self.dry_run;
        needs_a_terminal(!is_asked, &format!("{} people", verb(change)))?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let backend = self.backend.open(access)?;
        let (people, is_complete) = find_all(&backend, &self.subjects)?;
        for person in &people {
            let (label, extent) = (visible_line(&person.subject), extent(person));
            if self.dry_run {
                messages.say(format_args!("Would {} {label}: {extent}.", verb(change)));
            } else if is_asked {
                insist(format_args!("{label}: {extent}."));
            }
        }
        if self.dry_run || people.is_empty() {
            return Ok(Outcome::from_verdict(is_complete));
        }
        let named = if people.len() == 1 { "this person" } else { "these people" };
        if is_asked && !is_confirmed(&format!("Do you want to {} {named}?", verb(change))) {
            insist("Nothing was changed.");
            return Ok(Outcome::No);
        }
        for person in &people {
            end(&backend, person, change, messages)?;
        }
        backend.close()?;
        Ok(Outcome::from_verdict(is_complete))
    }
}

/// The people that are there, each once, and whether those are all; says which are not.
fn find_all(backend: &Backend, subjects: &[String]) -> Result<(Vec<Person>, bool), Failure> {
    let (mut people, mut is_complete): (Vec<Person>, bool) = (Vec::new(), true);
    for subject in subjects {
        if people.iter().any(|person| person.subject == *subject) {
            continue;
        }
        if let Some(person) = find(backend, subject)? {
            people.push(person);
        } else {
            let label = visible_line(subject);
            insist(format_args!("There is no person {label} with access or a decision."));
            is_complete = false;
        }
    }
    Ok((people, is_complete))
}

/// What a person loses, in words.
fn extent(person: &Person) -> String {
    let counted = |count: u64, word: &str| {
        let at_least = if count == LOOKED_AT { "at least " } else { "" };
        format!("{at_least}{}", number(count, word, &format!("{word}s")))
    };
    let apps = counted(person.apps, "app");
    let grants = counted(person.grants, "grant");
    let sessions = counted(person.sessions, "session");
    let consents = counted(person.consents, "remembered decision");
    format!("{apps} ({grants}), {sessions}, {consents}")
}

fn end(
    backend: &Backend,
    person: &Person,
    change: PersonChange,
    messages: Messages,
) -> Result<(), Failure> {
    let ended = match backend {
        Backend::Store(store) => {
            let bar = progress::of_records("sessions and grants", None, messages);
            let watch = |ended: usize| bar.inc(ended as u64);
            let by = author();
            let ended =
                store.wait(store.handle.end_access(&person.subject, change, &by, &watch))?;
            bar.finish_and_clear();
            ended
        }
        Backend::Server(server) => end_at(server, &person.subject, change)?,
    };
    let label = visible_line(&person.subject);
    let of = [
        number(ended.grants as u64, "grant", "grants"),
        number(ended.sessions as u64, "session", "sessions"),
        number(ended.consents as u64, "remembered decision", "remembered decisions"),
    ]
    .join(", ");
    match change {
        PersonChange::End => messages.say(format_args!("Ended all access of {label}: {of}.")),
        PersonChange::Forget => {
            messages.say(format_args!("Forgot {label}: {of}."));
            messages.say("Audit events keep the subject until audit.keep_days have passed.");
        }
    }
    Ok(())
}

/// What ended at a server; nothing where all access has ended meanwhile.
fn end_at(server: &Server, subject: &str, change: PersonChange) -> Result<AccessEnded, Failure> {
    let person = below(paths::PEOPLE, subject);
    let reply = match change {
        PersonChange::End => server.remove(&person),
        PersonChange::Forget => server.remove(&format!("{person}/data")),
    }?;
    if reply.is_missing() {
        return Ok(AccessEnded::default());
    }
    let ended = &reply.done()?["meta"];
    let count = |of: &str| ended[of].as_u64().and_then(|count| usize::try_from(count).ok());
    Ok(AccessEnded {
        sessions: count("sessions").unwrap_or_default(),
        grants: count("grants").unwrap_or_default(),
        consents: count("consents").unwrap_or_default(),
    })
}
