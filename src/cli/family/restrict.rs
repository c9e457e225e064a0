//! `doorward family restrict`.

use clap::Args;

use serde_json::json;

use super::{body, change_at, find, path};
use crate::{
    ceiling::Ceiling,
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        client::{CeilingArguments, family, remark},
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal, number, visible_line},
        progress,
    },
    clock::Clock,
    family::FamilyId,
    store::{Access, FamilyAccess, FamilyEdit, FamilyEdited},
};

/// Restrict the scopes of all clients of a family; ends the connections that have another one
#[derive(Args, Debug)]
#[command(
    after_help = "The restriction holds for every client of the family, whenever it registered, beside those of the client \
and of an admission rule. Consent pages offer only what is left. Scopes that are allowed again add nothing to the connections \
that exist. A command that was cut short is simply run again.

Examples:
  doorward family restrict \"claude code@loopback\" --only \"read search\" --dry-run
  doorward family restrict \"claude code@loopback\" --except admin --yes
  doorward family restrict \"claude code@loopback\" --lift"
)]
pub(in crate::cli) struct RestrictArguments {
    /// The family: its identifier, or a key such as "claude code@loopback"
    #[arg(value_parser = family)]
    family: FamilyId,
    #[command(flatten)]
    ceiling: CeilingArguments,
    /// Why, for the audit event
    #[arg(long, value_name = "TEXT", value_parser = remark)]
    reason: Option<String>,
    /// Do not ask before people lose access; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl RestrictArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let is_sure = self.yes || self.dry_run || self.ceiling.lift;
        needs_a_terminal(is_sure, "restrict")?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let backend = self.backend.open(access)?;
        let Some(family) = find(&backend, self.family)?.map(|found| found.family) else {
            insist(format_args!("There is no family {}.", self.family));
            return Ok(Outcome::No);
        };
        let ceiling = self.ceiling.ceiling();
        let words = ceiling.as_ref().map_or_else(|| "every scope".to_owned(), Ceiling::words);
        let label = visible_line(&family.key);
        let lost = match &ceiling {
            Some(ceiling) if !is_sure || self.dry_run => {
                access_above(&backend, self.family, ceiling)?
            }
            _ => FamilyAccess::default(),
        };
        if self.dry_run {
            let would = format!("Would let the clients of {label} hold {words}");
            messages.say(format_args!("{would}: {} would end.", extent(lost)));
            return Ok(Outcome::Done);
        }
        if !is_sure {
            insist(format_args!("{label}: {} would end.", extent(lost)));
            if !is_confirmed(&format!("Let its clients hold {words}?")) {
                insist("Nothing was changed.");
                return Ok(Outcome::No);
            }
        }
        let edited = match &backend {
            Backend::Store(store) => {
                let bar = progress::of_clients(Some(family.clients), messages);
                let watch = |clients: usize, _| bar.inc(clients as u64);
                let (ceiling, reason) = (Some(ceiling), self.reason);
                let edit = FamilyEdit { ceiling, reason, ..FamilyEdit::default() };
                let edited = store.handle.edit_family(self.family, edit, author(), &watch);
                let edited = store.wait(edited)?;
                bar.finish_and_clear();
                edited
            }
            Backend::Server(server) => {
                let attributes = json!({ "ceiling": ceiling });
                change_at(server, self.family, attributes, self.reason.as_deref())?
            }
        };
        backend.close()?;
        let FamilyEdited::Now { ended, .. } = edited else {
            insist(format_args!("There is no family {}.", self.family));
            return Ok(Outcome::No);
        };
        let ended = number(ended as u64, "connection", "connections");
        messages.say(format_args!("The clients of {label} may hold {words}: {ended} ended."));
        Ok(Outcome::Done)
    }
}

/// What a ceiling would end.
fn access_above(
    backend: &Backend,
    id: FamilyId,
    ceiling: &Ceiling,
) -> Result<FamilyAccess, Failure> {
    match backend {
        Backend::Store(store) => {
            store.wait(store.handle.family_access_above(id, ceiling, Clock::System.now()))
        }
        Backend::Server(server) => {
            let path = format!("{}?dry_run=true", path(id));
            let reply = server.patch(&path, None, &body(id, &json!({ "ceiling": ceiling })))?;
            let meta = &reply.done()?["meta"];
            let count = |name: &str| meta[name].as_u64().unwrap_or_default();
            Ok(FamilyAccess { grants: count("connections"), people: count("people") })
        }
    }
}

fn extent(lost: FamilyAccess) -> String {
    let connections = number(lost.grants, "connection", "connections");
    format!("{connections} of {}", number(lost.people, "person", "people"))
}
