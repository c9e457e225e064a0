//! `doorward client`: clients, in the store or by the operator API of a server. It works on a store that a server
//! runs on: reads see what is committed, writes wait their turn.

mod add;
mod api;
mod delete;
mod effective;
mod export;
mod filter;
mod get;
mod import;
mod known;
pub(super) mod line;
mod list;
mod listing;
mod note;
mod restrict;
mod standing;

use clap::Subcommand;

use filter::FilterArguments;
pub(super) use filter::{destination, family, profile_parser, standing_parser};
pub(super) use restrict::CeilingArguments;
use standing::Decision;

use super::{
    exit::{Failure, Outcome},
    output::Messages,
};
use crate::audit;

/// Add, list, show, approve, suspend, restrict, remove, export, and import clients
#[derive(Subcommand, Debug)]
pub(super) enum ClientCommand {
    Add(add::AddArguments),
    List(list::ListArguments),
    #[command(visible_alias = "show")]
    Get(get::GetArguments),
    /// Approve pending clients, so that people can allow them
    #[command(after_help = "Examples:
  doorward client list --standing pending
  doorward client approve 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --reason \"Reviewed by security\"")]
    Approve(standing::StandingArguments),
    /// Reject pending clients, which removes them
    #[command(after_help = "Examples:
  doorward client reject 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --reason \"Unknown vendor\"")]
    Reject(standing::StandingArguments),
    /// Suspend clients: their codes and refresh tokens end at once, and no one can allow them
    #[command(
        after_help = "Everyone loses the access that they gave these clients. `client resume` lets people \
allow them again. Access tokens that are not introspected stay valid until they expire.

Examples:
  doorward client suspend 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --dry-run
  doorward client suspend https://app.example/client.json --reason \"Ticket 4711\" --yes"
    )]
    Suspend(standing::StandingArguments),
    /// Resume suspended clients; everyone has to allow them again
    #[command(after_help = "Examples:
  doorward client resume 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e")]
    Resume(standing::StandingArguments),
    Restrict(restrict::RestrictArguments),
    Note(note::NoteArguments),
    #[command(visible_alias = "remove")]
    Delete(delete::DeleteArguments),
    Export(export::ExportArguments),
    Import(import::ImportArguments),
}

impl ClientCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Add(arguments) => arguments.run(messages),
            Self::List(arguments) => arguments.run(messages),
            Self::Get(arguments) => arguments.run(),
            Self::Approve(arguments) => arguments.run(Decision::Approve, messages),
            Self::Reject(arguments) => arguments.run(Decision::Reject, messages),
            Self::Suspend(arguments) => arguments.run(Decision::Suspend, messages),
            Self::Resume(arguments) => arguments.run(Decision::Resume, messages),
            Self::Restrict(arguments) => arguments.run(messages),
            Self::Note(arguments) => arguments.run(messages),
            Self::Delete(arguments) => arguments.run(messages),
            Self::Export(arguments) => arguments.run(messages),
            Self::Import(arguments) => arguments.run(messages),
        }
    }
}

/// What an operator writes about a client or a decision.
pub(super) fn remark(text: &str) -> Result<String, String> {
    audit::remark(text).map_err(|expected| format!("write {expected}"))
}
