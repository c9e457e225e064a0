//! `doorward key`: the keys that sign access tokens, in the store or by the operator API of a server.

use std::rc::Rc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    backend::{Backend, BackendArguments, Choice},
    exit::{Failure, Outcome},
    output::{
        Format, Messages, ReportOutput, insist, is_confirmed, needs_a_terminal, print, table,
    },
    remote::{Server, below},
    settings::{OpenStore, StoreArguments, waiting_runtime},
    time::to_rfc3339,
};
use crate::{
    cli::author::author,
    clock::{Clock, Timestamp},
    config::Secret,
    entropy::Entropy,
    keys::{self, KeyUse, Keys, KeysError},
    paths,
    store::{Access, KeyRecord},
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
    backend: BackendArguments,
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
    backend: BackendArguments,
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
    backend: BackendArguments,
}

/// The keys, oldest first, with what each is used for.
fn all(backend: &Backend) -> Result<Vec<(KeyRecord, &'static str)>, Failure> {
    match backend {
        Backend::Store(store) => {
            let keys = store.wait(store.handle.keys())?;
            let uses = keys::uses(&keys, Clock::System.now());
            Ok(keys.into_iter().zip(uses.into_iter().map(KeyUse::as_str)).collect())
        }
        Backend::Server(server) => {
            let document = server.get(paths::KEYS, &[])?.done()?;
            let keys = document["data"].as_array().into_iter().flatten();
            let read: Option<_> = keys.map(read).collect();
            read.ok_or_else(|| server.unreadable("a key is incomplete"))
        }
    }
}

/// The key of a resource of the operator API, which has no private key.
fn read(resource: &Value) -> Option<(KeyRecord, &'static str)> {
    let attributes = &resource["attributes"];
    let made_at = Timestamp::from_rfc3339(attributes["made_at"].as_str()?)?;
    let used = KeyUse::ALL.map(KeyUse::as_str).into_iter().find(|one| attributes["use"] == *one)?;
    let key = KeyRecord {
        key_id: resource["id"].as_str()?.to_owned(),
        algorithm: attributes["alg"].as_str()?.to_owned(),
        made_at,
        sealed: Vec::new(),
    };
    Some((key, used))
}

impl ListArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Read)?;
        let keys = all(&backend)?;
        print(match self.output.output {
            Format::Table => {
                let rows: Vec<_> = keys
                    .iter()
                    .map(|(key, used)| {
                        let (id, algorithm) = (key.key_id.clone(), key.algorithm.clone());
                        [id, algorithm, to_rfc3339(key.made_at), (*used).to_owned()]
                    })
                    .collect();
                let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
                table(&["KEY", "ALGORITHM", "MADE", "USE"], rows)
            }
            Format::Json | Format::Jsonl => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|(key, used)| {
                        let made_at = to_rfc3339(key.made_at);
                        let (kid, alg) = (&key.key_id, &key.algorithm);
                        json!({ "kid": kid, "alg": alg, "made_at": made_at, "use": used })
                    })
                    .collect();
                json!(keys).to_string()
            }
        })?;
        backend.close()?;
        Ok(Outcome::Done)
    }
}

/// A key that was made, or why none was.
enum Rotated {
    Made { id: String, algorithm: String, signs_from: String },
    WaitsAlready(String),
}

impl RotateArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        needs_a_terminal(self.yes, "rotate")?;
        let is_sure = self.yes;
        let confirmed = || is_sure || is_confirmed("Have another key sign from tomorrow on?");
        let rotated = match self.backend.choose()? {
            Choice::Store(store) => rotate(store, confirmed)?,
            Choice::Server(server) => confirmed().then(|| rotate_at(&server)).transpose()?,
        };
        match rotated {
            None => {
                insist("Nothing was rotated.");
                Ok(Outcome::No)
            }
            Some(Rotated::Made { id, algorithm, signs_from }) => {
                messages.say(format_args!(
                    "Made key {id} ({algorithm}), which signs from {signs_from}."
                ));
                Ok(Outcome::Done)
            }
            Some(Rotated::WaitsAlready(told)) => {
                insist(told);
                Ok(Outcome::No)
            }
        }
    }
}

/// Makes a key beside the store, with the secret of its servers; `None` if the operator does not confirm it.
fn rotate(
    store: StoreArguments,
    confirmed: impl FnOnce() -> bool,
) -> Result<Option<Rotated>, Failure> {
    let mut config = store.load()?;
    let secret = keys::secret_there(&config).map_err(Failure::of("nothing was rotated"))?;
    config.token.keys_secret = Secret::new(secret.as_deref().unwrap_or_default());
    let keys = Keys::new(&config.token, &Entropy::System);
    let store = OpenStore::open(config, Access::Command, &Rc::new(waiting_runtime()?))?;
    if !confirmed() {
        return Ok(None);
    }
    let rotated = store.wait_for(keys.rotate(&store.handle, &author()));
    store.close()?;
    let key = rotated.map_err(|error| match error {
        KeysError::None => {
            Failure::because("there is no signing key yet: a server makes one when it starts")
        }
        error => Failure::of("nothing was rotated")(error),
    })?;
    let (id, algorithm, signs_from) = (key.key_id, key.algorithm, to_rfc3339(key.signs_from));
    Ok(Some(if key.is_new {
        Rotated::Made { id, algorithm, signs_from }
    } else {
        Rotated::WaitsAlready(format!(
            "Key {id} ({algorithm}) waits already, and signs from {signs_from}."
        ))
    }))
}

fn rotate_at(server: &Server) -> Result<Rotated, Failure> {
    let reply = server.post(paths::KEYS, None)?;
    if reply.is_conflict() {
        return Ok(Rotated::WaitsAlready(reply.details().join(" ")));
    }
    let key = &reply.done()?["data"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let attributes = &key["attributes"];
    let made = || {
        Some(Rotated::Made {
            id: text(&key["id"])?,
            algorithm: text(&attributes["alg"])?,
            signs_from: text(&attributes["signs_from"])?,
        })
    };
    made().ok_or_else(|| server.unreadable("the key is incomplete"))
}

impl DiscardArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        needs_a_terminal(self.yes || self.dry_run, "discard")?;
        let backend = self.backend.open(Access::Command)?;
        let keys = all(&backend)?;
        let all = match keys.len() {
            1 => "the signing key".to_owned(),
            count => format!("all {count} signing keys"),
        };
        if self.dry_run {
            messages.say(format_args!("Would discard {all}."));
            backend.close()?;
            return Ok(Outcome::Done);
        }
        if !self.yes && !is_confirmed(&format!("Discard {all} for good?")) {
            insist("Nothing was discarded.");
            return Ok(Outcome::No);
        }
        let count = keys.len();
        for (key, _) in keys {
            match &backend {
                Backend::Store(store) => {
                    store.wait(store.handle.forget_key(key.key_id, author()))?;
                }
                Backend::Server(server) => {
                    let reply = server.remove(&below(paths::KEYS, &key.key_id))?;
                    if !reply.is_missing() {
                        reply.done()?;
                    }
                }
            }
        }
        backend.close()?;
        messages.say(format_args!("Discarded {count} keys. Restart the servers."));
        Ok(Outcome::Done)
    }
}
