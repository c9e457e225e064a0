//! `doorward rule add`, `edit`, `move`, and `remove`.

use std::num::NonZeroUsize;

use clap::Args;

use super::{book::Book, draft::DraftArguments, id};
use crate::{
    admission::RuleId,
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal},
    },
    store::{Access, RULE_BYTES_MAX, RULES_MAX, RuleChange, RuleChanged},
};

/// Add an admission rule, after all others unless --position says where
#[derive(Args, Debug)]
#[command(
    after_help = "Servers follow within 5 seconds. The rules of the settings come before all of these. To see what a rule \
would do before you add it, use `doorward rule try`, or --mode observe.

Examples:
  doorward rule add no-tunnels --any-destination '*.tunnel.example' --effect reject --reason 'no tunnels'
  doorward rule add office --source 10.0.0.0/8 --effect allow --position 1
  doorward rule add --json '{\"id\": \"unknown\", \"door\": \"document\", \"effect\": \"hold\"}'"
)]
pub(in crate::cli) struct AddArguments {
    /// The id of the rule
    #[arg(value_name = "RULE_ID", value_parser = id, required_unless_present = "json")]
    rule_id: Option<String>,
    #[command(flatten)]
    draft: DraftArguments,
    /// The position among the rules in the store, from 1
    #[arg(long, value_name = "NUMBER")]
    position: Option<NonZeroUsize>,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Edit an admission rule: the members that are given replace those of the rule
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward rule edit no-tunnels --mode enforce
  doorward rule edit no-tunnels --effect hold --clear note
  doorward rule edit no-tunnels --json - < rule.json")]
pub(in crate::cli) struct EditArguments {
    /// The id of the rule
    #[arg(value_name = "RULE_ID", value_parser = id)]
    rule_id: String,
    #[command(flatten)]
    draft: DraftArguments,
    /// Remove this member of the rule; repeatable
    #[arg(long, value_name = "MEMBER")]
    clear: Vec<String>,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Move an admission rule to another position
#[derive(Args, Debug)]
#[command(after_help = "Example:
  doorward rule move office --to 1")]
pub(in crate::cli) struct MoveArguments {
    /// The id of the rule
    #[arg(value_name = "RULE_ID", value_parser = id)]
    rule_id: String,
    /// The position among the rules in the store, from 1
    #[arg(long, value_name = "NUMBER")]
    to: NonZeroUsize,
    #[command(flatten)]
    backend: BackendArguments,
}

/// Remove admission rules
#[derive(Args, Debug)]
#[command(
    after_help = "The audit event has the whole rule: `doorward audit list --action rule.deleted`.

Example:
  doorward rule remove no-tunnels --yes"
)]
pub(in crate::cli) struct RemoveArguments {
    /// The ids of the rules
    #[arg(value_name = "RULE_ID", required = true, value_parser = id)]
    rule_ids: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl AddArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let rule = self.draft.rule(self.rule_id.as_deref())?;
        let book = Book::open(self.backend, Access::Command)?;
        if book.of_settings.iter().any(|other| other.id == rule.id) {
            insist(format_args!(
                "Rule {} is in the settings: choose another id.",
                rule.id.as_str()
            ));
            return Ok(Outcome::No);
        }
        let id = rule.id.as_str().to_owned();
        let place = self.position.map(|position| position.get() - 1);
        let wanted = RuleChange::Add { id: id.clone(), rule: rule.to_json(), place };
        made(book, &id, wanted, "Added", messages)
    }
}

impl EditArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { rule_id, draft, clear, backend } = self;
        if draft.is_empty() && clear.is_empty() {
            return Err(Failure::Usage("give at least one member to change".to_owned()));
        }
        let book = Book::open(backend, Access::Command)?;
        let Some(before) = book.stored(&rule_id) else {
            insist(absent(&rule_id));
            return Ok(Outcome::No);
        };
        let rule = draft.edited(&rule_id, &before.rule, &clear)?.to_json();
        let wanted = RuleChange::Edit { id: rule_id.clone(), rule, place: None };
        made(book, &rule_id, wanted, "Edited", messages)
    }
}

impl MoveArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let book = Book::open(self.backend, Access::Command)?;
        let wanted = RuleChange::Move { id: self.rule_id.clone(), place: self.to.get() - 1 };
        made(book, &self.rule_id, wanted, "Moved", messages)
    }
}

impl RemoveArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        needs_a_terminal(self.yes || self.dry_run, "remove")?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let book = Book::open(self.backend, access)?;
        let mut named = self.rule_ids;
        named.dedup();
        let count = named.len();
        let (found, missing): (Vec<String>, Vec<String>) =
            named.into_iter().partition(|id| book.stored(id).is_some());
        for id in &missing {
            insist(absent(id));
        }
        let rules = found.join(", ");
        if self.dry_run || found.is_empty() {
            if !found.is_empty() {
                messages.say(format_args!("Would remove {rules}."));
            }
            return Ok(Outcome::from_verdict(missing.is_empty()));
        }
        if !self.yes && !is_confirmed(&format!("Remove {rules}?")) {
            insist("Nothing was removed.");
            return Ok(Outcome::No);
        }
        let mut removed = 0;
        for id in found {
            let wanted = RuleChange::Remove { id: id.clone() };
            match book.change(wanted)? {
                RuleChanged::Now => {
                    removed += 1;
                    messages.say(format_args!("Removed rule {id}."));
                }
                other => insist(refusal(&id, other)),
            }
        }
        book.close()?;
        Ok(Outcome::from_verdict(removed == count))
    }
}

/// Makes a change, and says what became of it.
fn made(
    book: Book,
    id: &str,
    wanted: RuleChange,
    past: &str,
    messages: Messages,
) -> Result<Outcome, Failure> {
    let changed = book.change(wanted)?;
    let place = book.place(id)?;
    book.close()?;
    if changed != RuleChanged::Now {
        insist(refusal(id, changed));
        return Ok(Outcome::No);
    }
    if let Some((place, count)) = place {
        let position = place + 1;
        messages.say(format_args!("{past} rule {id}, at position {position} of {count}."));
    }
    Ok(Outcome::Done)
}

fn absent(id: &str) -> String {
    if id == RuleId::look_alikes().as_str() {
        return format!(
            "Rule {id} ships with Doorward: set registration.look_alikes, or add a rule {id} to replace it."
        );
    }
    format!("There is no rule {id} in the store.")
}

fn refusal(id: &str, changed: RuleChanged) -> String {
    match changed {
        RuleChanged::Now | RuleChanged::NotThere => absent(id),
        RuleChanged::Superseded => format!("Rule {id} was changed at the same moment: try again."),
        RuleChanged::Exists => format!("Rule {id} exists already: edit it, or choose another id."),
        RuleChanged::TooMuch => format!(
            "Rule {id} can't be stored: the store keeps {RULES_MAX} rules of at most {RULE_BYTES_MAX} bytes."
        ),
    }
}
