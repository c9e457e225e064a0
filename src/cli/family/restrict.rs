//! `doorward family restrict`.

use clap::Args;

use crate::{
    ceiling::Ceiling,
    cli::{
        author::author,
        client::{CeilingArguments, family, remark},
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal, number, visible_line},
        progress,
        settings::StoreArguments,
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
    store: StoreArguments,
}

impl RestrictArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let is_sure = self.yes || self.dry_run || self.ceiling.lift;
        needs_a_terminal(is_sure, "restrict")?;
        let store = self.store.open(if self.dry_run { Access::Read } else { Access::Command })?;
        let Some(family) = store.wait(store.handle.family(self.family))? else {
            insist(format_args!("There is no family {}.", self.family));
            return Ok(Outcome::No);
        };
        let ceiling = self.ceiling.ceiling();
        let words = ceiling.as_ref().map_or_else(|| "every scope".to_owned(), Ceiling::words);
        let label = visible_line(&family.key);
        let lost = match &ceiling {
            Some(ceiling) if !is_sure || self.dry_run => {
                let now = Clock::System.now();
                store.wait(store.handle.family_access_above(self.family, ceiling, now))?
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
        let bar = progress::of_clients(Some(family.clients), messages);
        let watch = |clients: usize, _| bar.inc(clients as u64);
        let edit =
            FamilyEdit { ceiling: Some(ceiling), reason: self.reason, ..FamilyEdit::default() };
        let edited = store.wait(store.handle.edit_family(self.family, edit, author(), &watch))?;
        bar.finish_and_clear();
        store.close()?;
        let FamilyEdited::Now { ended, .. } = edited else {
            insist(format_args!("There is no family {}.", self.family));
            return Ok(Outcome::No);
        };
        let ended = number(ended as u64, "connection", "connections");
        messages.say(format_args!("The clients of {label} may hold {words}: {ended} ended."));
        Ok(Outcome::Done)
    }
}

fn extent(lost: FamilyAccess) -> String {
    let connections = number(lost.grants, "connection", "connections");
    format!("{connections} of {}", number(lost.people, "person", "people"))
}
