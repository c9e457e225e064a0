//! Is everything there that a server with these settings needs, and if not, what is to be done? Each check
//! is a function in [`CHECKS`]; it looks, and changes nothing but a counter of its own in Redis. How findings are shown is the command's
//! (`cli/doctor.rs`), whether settings are good at all is said by `config/`.

mod addresses;
mod certificate;
mod clock;
mod descriptors;
mod expiry;
mod guard_questions;
mod guards;
mod keys;
mod limiter;
mod operators;
mod providers;
mod public_address;
mod rules;
mod secret_files;
mod store;
mod traces;
mod upgrade;
mod webhooks;

use std::io;

use tokio::runtime::{self, Runtime};

use crate::{
    clock::{Clock, Timestamp},
    config::{Config, SecretFile},
    http::rate_limit::{self, LinkError},
};

/// What is looked at, in the order in which a server needs it.
const CHECKS: &[fn(&Examined<'_>) -> Vec<Finding>] = &[
    store::folder,
    store::database,
    store::tables,
    expiry::preview,
    keys::signing,
    rules::readable,
    secret_files::private,
    clock::plausible,
    limiter::redis,
    certificate::files,
    providers::reachable,
    guards::guarded,
    webhooks::delivering,
    traces::accepted,
    descriptors::enough,
    addresses::listeners,
    operators::apart,
    guard_questions::apart,
];

/// What an upgrade looks at.
const UPGRADE_CHECKS: &[fn(&Examined<'_>) -> Vec<Finding>] =
    &[upgrade::tables, keys::signing, secret_files::private];

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// A server runs, but something should be seen to.
    Warning,
    /// A server does not run, or not as it is meant to.
    Problem,
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What one look has found. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// What was looked at.
    pub(crate) check: &'static str,
    /// A file, an address, a setting.
    pub(crate) place: String,
    pub(crate) what: String,
    /// What to do about it; `None` when there is nothing to do.
    pub(crate) advice: Option<String>,
    /// The numbers in it, for programs.
    pub(crate) data: Option<serde_json::Value>,
}

/// A check, and the place it looks at: what findings are made of.
struct Look {
    check: &'static str,
    place: String,
}

impl Look {
    fn at(check: &'static str, place: &impl ToString) -> Self {
        Self { check, place: place.to_string() }
    }

    fn ok(self, what: impl Into<String>) -> Finding {
        self.finding(Verdict::Ok, what.into(), None)
    }

    fn warning(self, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.finding(Verdict::Warning, what.into(), Some(advice.into()))
    }

    fn problem(self, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.finding(Verdict::Problem, what.into(), Some(advice.into()))
    }

    fn finding(self, verdict: Verdict, what: String, advice: Option<String>) -> Finding {
        Finding { verdict, check: self.check, place: self.place, what, advice, data: None }
    }
}

/// What the checks look at.
struct Examined<'a> {
    config: &'a Config,
    /// The files that the settings take secrets from.
    secret_files: &'a [SecretFile],
    clock: &'a Clock,
    /// What Redis said, and what time it was here then; `None` where there is none.
    redis: Option<(Timestamp, Result<Timestamp, LinkError>)>,
    /// Nobody is asked who is not ours.
    is_offline: bool,
    runtime: Runtime,
}

impl Examined<'_> {
    /// For checks that have to wait.
    fn wait<T>(&self, until: impl Future<Output = T>) -> T {
        self.runtime.block_on(until)
    }
}

/// Everything that is found, in the order of the checks; `is_offline` leaves the providers of others alone.
pub(crate) fn examine(
    config: &Config,
    secret_files: &[SecretFile],
    clock: &Clock,
    is_offline: bool,
) -> io::Result<Vec<Finding>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = rate_limit::probe(&config.rate_limit, &config.server.issuer);
    let redis = runtime.block_on(asked).map(|answer| (clock.now(), answer));
    let examined = Examined { config, secret_files, clock, redis, is_offline, runtime };
    Ok(CHECKS.iter().flat_map(|check| check(&examined)).collect())
}

/// What a start of this release would change.
pub(crate) fn examine_upgrade(
    config: &Config,
    secret_files: &[SecretFile],
    clock: &Clock,
) -> io::Result<Vec<Finding>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let examined = Examined { config, secret_files, clock, redis: None, is_offline: true, runtime };
    Ok(UPGRADE_CHECKS.iter().flat_map(|check| check(&examined)).collect())
}
