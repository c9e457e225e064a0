//! `doorward key`: the keys that sign access tokens.

use std::rc::Rc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    exit::{Failure, Outcome},
    output::{
        Format, Messages, ReportOutput, insist, is_confirmed, needs_a_terminal, print, table,
    },
    settings::{OpenStore, StoreArguments, waiting_runtime},
    time::to_rfc3339,
};
use crate::{
    cli::author::author,
    clock::Clock,
    config::Secret,
    entropy::Entropy,
    keys::{self, Keys, KeysError},
    store::Access,
};

/// Look at the keys that sign access tokens, have another one sign, or throw them away
#[derive(Subcommand, Debug)]
pub(super) enum KeyCommand {
    List(ListArguments),
    Rotate(RotateArguments),
    Discard(DiscardArguments),
}

impl KeyCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(),
            Self::Rotate(arguments) => arguments.run(messages),
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

/// Make another key, which signs in a day: before it is time
#[derive(Args, Debug)]
#[command(
    after_help = "The servers publish the new key within a minute, sign with it after a day, when everyone who caches \
the published keys has it, and forget the old one when its last token has expired. No token becomes invalid. \
Needs the secret that seals the keys: give the settings of the servers. When a key waits already, none is made, and the \
exit code is 3. For a key that was seen by others see `doorward key discard`.

Example:
  doorward key rotate --yes --config doorward.toml"
)]
pub(super) struct RotateArguments {
    /// Do not ask
    #[arg(long)]
    yes: bool,
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
    /// Say what would be discarded, and discard nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl ListArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Read)?;
        let keys = store.wait(store.handle.keys())?;
        let uses = keys::uses(&keys, Clock::System.now());
        print(match self.output.output {
            Format::Table => {
                let rows: Vec<_> = keys
                    .iter()
                    .zip(&uses)
                    .map(|(key, one)| {
                        let (id, algorithm) = (key.key_id.clone(), key.algorithm.clone());
                        [id, algorithm, to_rfc3339(key.made_at), one.as_str().to_owned()]
                    })
                    .collect();
                let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
                table(&["KEY", "ALGORITHM", "MADE", "USE"], rows)
            }
            Format::Json | Format::Jsonl => {
                let keys: Vec<_> = keys
                    .iter()
                    .zip(&uses)
                    .map(|(key, one)| {
                        let made_at = to_rfc3339(key.made_at);
                        let (kid, alg) = (&key.key_id, &key.algorithm);
                        json!({ "kid": kid, "alg": alg, "made_at": made_at, "use": one.as_str() })
                    })
                    .collect();
                json!(keys).to_string()
            }
        })?;
        store.close()?;
        Ok(Outcome::Done)
    }
}

impl RotateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        needs_a_terminal(self.yes, "rotate")?;
        let mut config = self.store.load()?;
        let secret = keys::secret_there(&config).map_err(Failure::of("nothing was rotated"))?;
        config.token.keys_secret = Secret::new(secret.as_deref().unwrap_or_default());
        let keys = Keys::new(&config.token, &Entropy::System);
        let store = OpenStore::open(config, Access::Command, &Rc::new(waiting_runtime()?))?;
        if !self.yes && !is_confirmed("Have another key sign from tomorrow on?") {
            insist("Nothing was rotated.");
            return Ok(Outcome::No);
        }
        let rotated = store.wait_for(keys.rotate(&store.handle, &author()));
        store.close()?;
        let key = rotated.map_err(|error| match error {
            KeysError::None => {
                Failure::because("there is no signing key yet: a server makes one when it starts")
            }
            error => Failure::of("nothing was rotated")(error),
        })?;
        let (id, algorithm, signs_from) = (&key.key_id, &key.algorithm, to_rfc3339(key.signs_from));
        if key.is_new {
            messages
                .say(format_args!("Made key {id} ({algorithm}), which signs from {signs_from}."));
        } else {
            insist(format!("Key {id} ({algorithm}) waits already, and signs from {signs_from}."));
        }
        Ok(Outcome::from_verdict(key.is_new))
    }
}

impl DiscardArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        needs_a_terminal(self.yes || self.dry_run, "discard")?;
        let store = self.store.open(Access::Command)?;
        let keys = store.wait(store.handle.keys())?;
        let all = match keys.len() {
            1 => "the signing key".to_owned(),
            count => format!("all {count} signing keys"),
        };
        if self.dry_run {
            messages.say(format_args!("Would discard {all}."));
            store.close()?;
            return Ok(Outcome::Done);
        }
        if !self.yes && !is_confirmed(&format!("Discard {all} for good?")) {
            insist("Nothing was discarded.");
            return Ok(Outcome::No);
        }
        let count = keys.len();
        for key in keys {
            store.wait(store.handle.forget_key(key.key_id, author()))?;
        }
        store.close()?;
        messages.say(format_args!("Discarded {count} keys. Restart the servers."));
        Ok(Outcome::Done)
    }
}
