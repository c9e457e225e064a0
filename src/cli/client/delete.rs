//! `doorward client delete`.

use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;

use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Messages, insist},
        settings::StoreArguments,
    },
    client::ClientId,
    store::{Access, Deleted},
};

/// Delete clients for good
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward client delete 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e
  doorward client list --flag look_alike --output jsonl | jq -r .client_id \\
    | xargs doorward client delete --yes")]
pub(in crate::cli) struct DeleteArguments {
    /// The clients
    #[arg(required = true, value_name = "CLIENT_ID")]
    client_ids: Vec<ClientId>,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl DeleteArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let number = self.client_ids.len();
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "there is no terminal to ask on: say --yes to delete without being asked".into(),
            ));
        }
        let store = self.store.open(Access::Command)?;
        if !self.yes && !is_confirmed(number) {
            insist("Nothing was deleted.");
            return Ok(Outcome::No);
        }
        let mut is_complete = true;
        for client_id in self.client_ids {
            match store.wait(store.handle.delete_client(client_id))? {
                Deleted::Forgotten => messages.say(format_args!("Deleted {client_id}.")),
                Deleted::NotThere => {
                    insist(format_args!("There is no client {client_id}."));
                    is_complete = false;
                }
            }
        }
        store.close()?;
        Ok(Outcome::from_verdict(is_complete))
    }
}

/// Whether the person at the terminal says yes. Silence is no.
fn is_confirmed(number: usize) -> bool {
    let noun = if number == 1 { "client" } else { "clients" };
    let mut stderr = io::stderr();
    let asked = write!(stderr, "Delete {number} {noun} for good? [y/N] ").and(stderr.flush());
    let mut answer = String::new();
    asked.and_then(|()| io::stdin().read_line(&mut answer)).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
