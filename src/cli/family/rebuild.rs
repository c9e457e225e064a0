//! `doorward family rebuild`.

use clap::Args;

use crate::{
    cli::{
        backend::LocalArguments,
        exit::{Failure, Outcome},
        output::{Messages, number},
        progress,
    },
    clock::Clock,
    store::Access,
};

/// Count all families anew from the clients; a server counts them by itself
#[derive(Args, Debug)]
#[command(
    after_help = "Reads every client, also beside a running server, and changes nothing that is right. Decisions about \
families stay.

Example:
  doorward family rebuild"
)]
pub(in crate::cli) struct RebuildArguments {
    #[command(flatten)]
    store: LocalArguments,
}

impl RebuildArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Command)?;
        let total = if progress::is_seen(messages) {
            Some(store.wait(store.handle.count_clients())?)
        } else {
            None
        };
        let bar = progress::of_clients(total, messages);
        let watch = |clients: usize| bar.inc(clients as u64);
        let families = store.wait(store.handle.rebuild_families(Clock::System.now(), &watch))?;
        bar.finish_and_clear();
        store.close()?;
        messages.say(format_args!("Counted {}.", number(families, "family", "families")));
        Ok(Outcome::Done)
    }
}
