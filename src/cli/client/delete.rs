//! `doorward client delete`: the named clients, or all behind a filter. Many are deleted a few at a time, with a
//! pause after each few, so that a server on the same store hardly notices.

use std::io::{self, IsTerminal as _};

use clap::Args;

use super::{FilterArguments, list};
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed},
        records,
        settings::StoreArguments,
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
        required_unless_present_any = FILTERS,
        conflicts_with_all = FILTERS
    )]
    client_ids: Vec<ClientId>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// The arguments of [`FilterArguments`].
const FILTERS: [&str; 5] = ["profile", "flag", "since", "until", "name"];

impl DeleteArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "there is no terminal to ask on: say --yes to delete without being asked".into(),
            ));
        }
        let store = self.store.open(Access::Command)?;
        let named = self.client_ids;
        let whom = match named.len() {
            0 => "all clients behind this filter".to_owned(),
            1 => "1 client".to_owned(),
            number => format!("{number} clients"),
        };
        if !self.yes && !is_confirmed(&format!("Delete {whom} for good?")) {
            insist("Nothing was deleted.");
            return Ok(Outcome::No);
        }
        let outcome = if named.is_empty() {
            let filter = self.filter.into_filter();
            let bar = list::progress(&store, &filter, messages)?;
            records::forget_all::<ClientRecord>(&store, filter, "Deleted", &bar, messages)?;
            Outcome::Done
        } else {
            let all = records::forget_named::<ClientRecord>(&store, named, "Deleted", messages)?;
            Outcome::from_verdict(all)
        };
        store.close()?;
        Ok(outcome)
    }
}
