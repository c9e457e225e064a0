//! `doorward operator`: who administers this server.

mod token;

use clap::Subcommand;

use super::{
    exit::{Failure, Outcome},
    output::Messages,
};

/// Manage who administers this server
#[derive(Subcommand, Debug)]
pub(super) enum OperatorCommand {
    #[command(subcommand)]
    Token(token::TokenCommand),
}

impl OperatorCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Token(command) => command.run(messages),
        }
    }
}
