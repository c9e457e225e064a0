//! `doorward key`: the keys that sign access tokens.

use std::io::{self, IsTerminal as _};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    exit::{Failure, Outcome},
    output::{Format, Messages, ReportOutput, insist, is_confirmed, print, table},
    settings::StoreArguments,
    time::to_rfc3339,
};
use crate::store::Access;

/// Look at the keys that sign access tokens, or throw them away
#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    List(ListArguments),
    Discard(DiscardArguments),
}

impl KeyCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(),
            Self::Discard(arguments) => arguments.run(messages),
        }
    }
}

/// List the keys that are kept, oldest first
#[derive(Args, Debug)]
#[command(
    after_help = "The newest key of the algorithm in `token.algorithm` signs, once it is a day old; the servers \
make another by themselves when it is `token.key_lifetime_days` old."
)]
pub(super) struct ListArguments {
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: StoreArguments,
}

/// Throw all keys away: servers make new ones at their next start, and no access token is good any more
#[derive(Args, Debug)]
#[command(
    after_help = "For when a key, or the secret that seals them, is lost or was seen by others. Restart the servers \
afterwards. Clients get new access tokens with the refresh tokens that they have.

Example:
  doorward key discard --yes && systemctl restart doorward"
)]
pub(super) struct DiscardArguments {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl ListArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Read)?;
        let keys = store.wait(store.handle.keys())?;
        print(match self.output.output {
            Format::Table => {
                let rows: Vec<_> = keys
                    .iter()
                    .map(|key| [key.key_id.clone(), key.algorithm.clone(), to_rfc3339(key.made_at)])
                    .collect();
                let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
                table(&["KEY", "ALGORITHM", "MADE"], rows)
            }
            Format::Json | Format::Jsonl => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|key| {
                        let made_at = to_rfc3339(key.made_at);
                        json!({ "kid": key.key_id, "alg": key.algorithm, "made_at": made_at })
                    })
                    .collect();
                json!(keys).to_string()
            }
        })?;
        store.close()?;
        Ok(Outcome::Done)
    }
}

impl DiscardArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "there is no terminal to ask on: say --yes to discard without being asked".into(),
            ));
        }
        let store = self.store.open(Access::Command)?;
        let keys = store.wait(store.handle.keys())?;
        if !self.yes && !is_confirmed("Discard all signing keys for good?") {
            insist("Nothing was discarded.");
            return Ok(Outcome::No);
        }
        let count = keys.len();
        for key in keys {
            store.wait(store.handle.forget_key(key.key_id))?;
        }
        store.close()?;
        messages.say(format_args!("Discarded {count} keys. Restart the servers."));
        Ok(Outcome::Done)
    }
}
