//! `doorward client`: the registered clients, straight from the store. It works on a store that a server
//! runs on: reads see what is committed, writes wait their turn.

mod delete;
mod export;
mod get;
mod import;
mod known;
mod line;
mod list;
mod note;
mod standing;

use clap::{Args, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser as _};

use standing::Decision;

use super::{
    exit::{Failure, Outcome},
    output::Messages,
    time,
};
use crate::{
    client::ProfileName,
    clock::Timestamp,
    store::{ClientFilter, ClientFlags, Standing},
};

/// List, show, approve, suspend, remove, export, and import clients
#[derive(Subcommand, Debug)]
pub(super) enum ClientCommand {
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
    Note(note::NoteArguments),
    #[command(visible_alias = "remove")]
    Delete(delete::DeleteArguments),
    Export(export::ExportArguments),
    Import(import::ImportArguments),
}

impl ClientCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Get(arguments) => arguments.run(),
            Self::Approve(arguments) => arguments.run(Decision::Approve, messages),
            Self::Reject(arguments) => arguments.run(Decision::Reject, messages),
            Self::Suspend(arguments) => arguments.run(Decision::Suspend, messages),
            Self::Resume(arguments) => arguments.run(Decision::Resume, messages),
            Self::Note(arguments) => arguments.run(messages),
            Self::Delete(arguments) => arguments.run(messages),
            Self::Export(arguments) => arguments.run(messages),
            Self::Import(arguments) => arguments.run(messages),
        }
    }
}

/// Which clients are meant.
#[derive(Args, Debug)]
struct FilterArguments {
    /// Only clients that came through this door
    #[arg(long, value_parser = profile_parser())]
    profile: Option<ProfileName>,
    /// Only clients with this flag
    #[arg(long, value_parser = flag_parser())]
    flag: Vec<ClientFlags>,
    /// Only clients registered at this time or later: 2026-11-23T19:30:00Z, 2026-11-23, or 12h (ago)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
    /// Only clients registered before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    until: Option<Timestamp>,
    /// Only clients of this standing
    #[arg(long, value_parser = standing_parser())]
    standing: Option<Standing>,
    /// Only clients whose name contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

impl FilterArguments {
    fn into_filter(self) -> ClientFilter {
        let mut flags = ClientFlags::default();
        for flag in self.flag {
            flags.insert(flag);
        }
        ClientFilter {
            profile: self.profile,
            flags,
            issued_from: self.since,
            issued_until: self.until,
            standing: self.standing,
            name_contains: self.name,
        }
    }
}

/// The values of `--profile`.
pub(super) fn profile_parser() -> impl clap::builder::TypedValueParser<Value = ProfileName> {
    PossibleValuesParser::new([ProfileName::Datadog, ProfileName::Rfc7591].map(ProfileName::as_str))
        .map(|name| name.parse().expect("a name of the list above"))
}

fn flag_parser() -> impl clap::builder::TypedValueParser<Value = ClientFlags> {
    PossibleValuesParser::new(ClientFlags::LOOK_ALIKE.names()).map(|_| ClientFlags::LOOK_ALIKE)
}

fn standing_parser() -> impl clap::builder::TypedValueParser<Value = Standing> {
    let names = Standing::ALL.iter().map(|standing| standing.as_str());
    PossibleValuesParser::new(names).map(|name| name.parse().expect("a name of the list above"))
}

/// What an operator writes about a client or a decision: one line, which a table can show.
fn remark(text: &str) -> Result<String, String> {
    const CHARS_MAX: usize = 500;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!("write one line of at most {CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}
