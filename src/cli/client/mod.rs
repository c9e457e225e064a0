//! `doorward client`: the registered clients, straight from the store. It works on a store that a server
//! runs on: reads see what is committed, writes wait their turn.

mod delete;
mod export;
mod get;
mod import;
mod line;
mod list;

use clap::{Args, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser as _};

use super::{
    exit::{Failure, Outcome},
    output::Messages,
    time,
};
use crate::{
    client::ProfileName,
    clock::Timestamp,
    store::{ClientFilter, ClientFlags},
};

/// List, show, delete, export and import the registered clients
#[derive(Subcommand, Debug)]
pub(super) enum ClientCommand {
    List(list::ListArguments),
    Get(get::GetArguments),
    Delete(delete::DeleteArguments),
    Export(export::ExportArguments),
    Import(import::ImportArguments),
}

impl ClientCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
            Self::Get(arguments) => arguments.run(),
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
