//! `doorward client delete`: the named clients, or all behind a filter. Many are deleted a few at a time, with a
//! pause after each few, so that a server on the same store hardly notices.

use clap::Args;

use super::FilterArguments;
use crate::{
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        output::Messages,
        records::{self, Doomed},
    },
    client::ClientId,
    store::{Access, ClientRecord},
};

/// Delete clients for good
#[derive(Args, Debug)]
#[command(
    after_help = "Behind a filter all clients are deleted, a few at a time: `client list` with the same \
filter shows them beforehand. What is cut short is simply run again.

Examples:
  doorward client delete 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward client delete --flag look_alike --until 2026-06-01T00:00:00Z --yes"
)]
pub(in crate::cli) struct DeleteArguments {
    /// The clients
    #[arg(
        value_name = "CLIENT_ID",
        required_unless_present_any = FilterArguments::NAMES,
        conflicts_with_all = FilterArguments::NAMES
    )]
    client_ids: Vec<ClientId>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say how many there are, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl DeleteArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let doomed = Doomed::<ClientRecord> {
            named: self.client_ids,
            filter: self.filter.into_filter(),
            is_sure: self.yes,
            is_rehearsal: self.dry_run,
        };
        records::forget(|| self.backend.open(Access::Command), doomed, messages)
    }
}
