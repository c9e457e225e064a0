//! `doorward client delete`: the named clients, or all behind a filter. Many are deleted a few at a time, with a
//! pause after each few, so that a server on the same store hardly notices.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
    time::Instant,
};

use clap::Args;
use tokio::task::JoinSet;

use super::{
    FilterArguments,
    pages::{self, Pages},
};
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed},
        settings::{OpenStore, StoreArguments},
    },
    client::ClientId,
    store::{Access, ClientFilter, Deleted, Store, StoreError},
};

/// How many are deleted at once: one transaction of the store, for which a server on it waits.
const AT_ONCE: usize = 64;

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
            delete_filtered(&store, self.filter.into_filter(), messages)?;
            Outcome::Done
        } else {
            Outcome::from_verdict(delete_named(&store, named, messages)?)
        };
        store.close()?;
        Ok(outcome)
    }
}

/// Whether all of them were there.
fn delete_named(
    store: &OpenStore,
    client_ids: Vec<ClientId>,
    messages: Messages,
) -> Result<bool, Failure> {
    let mut is_complete = true;
    for client_id in client_ids {
        match store.wait(store.handle.delete_client(client_id))? {
            Deleted::Forgotten => messages.say(format_args!("Deleted {client_id}.")),
            Deleted::NotThere => {
                insist(format_args!("There is no client {client_id}."));
                is_complete = false;
            }
        }
    }
    Ok(is_complete)
}

fn delete_filtered(
    store: &OpenStore,
    filter: ClientFilter,
    messages: Messages,
) -> Result<(), Failure> {
    let bar = pages::progress(store, &filter, messages)?;
    let mut clients = Pages::new(store, filter, None, None);
    loop {
        let some: Vec<ClientId> = clients
            .by_ref()
            .take(AT_ONCE)
            .map(|client| client.map(|client| client.client_id))
            .collect::<Result<_, _>>()?;
        if some.is_empty() {
            break;
        }
        let began = Instant::now();
        bar.inc(store.wait(delete_together(&store.handle, some))?);
        // Registrations have the disk for at least as long as deletions had it.
        thread::sleep(began.elapsed());
    }
    bar.finish_and_clear();
    messages.say(format_args!(
        "Deleted {}.",
        match bar.position() {
            1 => "1 client".to_owned(),
            number => format!("{number} clients"),
        }
    ));
    Ok(())
}

/// Asks for all deletions before it waits for one, so that the store makes few changes of them; returns how
/// many clients were there.
async fn delete_together(
    store: &Arc<dyn Store>,
    client_ids: Vec<ClientId>,
) -> Result<u64, StoreError> {
    let mut deletions = JoinSet::new();
    for client_id in client_ids {
        let store = Arc::clone(store);
        deletions.spawn(async move { store.delete_client(client_id).await });
    }
    let mut deleted = 0;
    for outcome in deletions.join_all().await {
        deleted += u64::from(outcome? == Deleted::Forgotten);
    }
    Ok(deleted)
}
