//! `doorward rule`: the admission rules, in the store or by the operator API of a server. Those of the settings come first
//! and are changed there; those in the store are changed here, and every server follows within seconds.

mod book;
mod change;
mod draft;
mod list;
mod trial;

use clap::Subcommand;

use super::{
    exit::{Failure, Outcome},
    output::Messages,
};
use crate::admission::{RuleId, Word as _};

/// List, add, edit, order, remove, and try admission rules
#[derive(Subcommand, Debug)]
pub(super) enum RuleCommand {
    List(list::ListArguments),
    Add(change::AddArguments),
    Edit(change::EditArguments),
    Move(change::MoveArguments),
    #[command(visible_alias = "delete")]
    Remove(change::RemoveArguments),
    Try(trial::TryArguments),
}

impl RuleCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Add(arguments) => arguments.run(messages),
            Self::Edit(arguments) => arguments.run(messages),
            Self::Move(arguments) => arguments.run(messages),
            Self::Remove(arguments) => arguments.run(messages),
            Self::Try(arguments) => arguments.run(messages),
        }
    }
}

/// The id of a rule on the command line.
fn id(text: &str) -> Result<String, String> {
    match RuleId::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("expected {}", RuleId::EXPECTED)),
    }
}
