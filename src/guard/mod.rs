//! The guard: protects a server that knows nothing of OAuth.
//!
//! `target.rs` reads what a request is for, or refuses it; `decision.rs` is the
//! one decision, a pure function over settings, token, grant, and request. `liveness.rs` finds out about the token and
//! its grant; `tool.rs` reads which tool a request calls by its headers. `challenge.rs` and `documents.rs` are what
//! clients are told, `forward_auth.rs` answers proxies, and `grpc.rs` does over gRPC.

pub(crate) mod assertion;
mod challenge;
mod decision;
mod documents;
mod forward_auth;
mod grpc;
pub(crate) mod headers;
mod liveness;
pub(crate) mod mcp;
mod memory;
mod proxy;
pub(crate) mod session_id;
mod target;
mod tool;
pub(crate) mod tool_list;

use self::{
    assertion::{Assertions, Identity},
    liveness::Liveness,
};
pub(crate) use self::{
    decision::{
        Asked, Authorized, Decided, Decision, Guarded, Presented, Tool, decide, misfits,
        split_address,
    },
    documents::{host, metadata, schema as metadata_schema},
    forward_auth::{Dialect, check},
    grpc::check_by_grpc,
    liveness::{Found, find},
    proxy::{Proxies, Sender, answer, end_streams},
};
use std::{error::Error, fmt, sync::Arc};

use crate::{config::Config, internet::Internet, metrics::GuardMetrics};

/// How much of the name of a tool the log has.
const LOGGED_CHARS_MAX: usize = 128;

/// The guarded resources of a server, with what their handlers remember. The server holds it beside `App`.
pub(crate) struct Guards {
    all: Vec<Guarded>,
    liveness: Liveness,
    assertions: Assertions,
    /// The resources that the built-in proxy protects.
    pub(crate) proxies: Proxies,
}

impl Guards {
    pub(crate) fn new(config: &Config, internet: &Internet) -> Self {
        let resources = config.authorization.resources.iter();
        let all: Vec<Guarded> =
            resources.filter_map(|resource| Guarded::of(resource, config)).collect();
        let proxies = Proxies::new(&all, config, internet);
        let (liveness, assertions) = (Liveness::new(config), Assertions::default());
        Self { all, liveness, assertions, proxies }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Guarded> {
        self.all.iter()
    }

    /// What is counted of each resource, by the id of its guard.
    pub(crate) fn metrics(&self) -> Vec<(String, Arc<GuardMetrics>)> {
        let of = |guarded: &Guarded| (guarded.settings.id.clone(), Arc::clone(&guarded.metrics));
        self.all.iter().map(of).collect()
    }

    /// The resource with the guard of this id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Guarded> {
        self.all.iter().find(|guarded| guarded.settings.id == id)
    }
}

/// What the log says of a request that does not go on: the resource, the reason, the tool, and the rule.
#[derive(Debug)]
struct Reason(String);

impl Reason {
    fn new(guarded: &Guarded, decided: &Decided<'_>, tool: Tool<'_>, description: &str) -> Self {
        let tool = match tool {
            Tool::Called(name) => {
                let name: String = name.chars().take(LOGGED_CHARS_MAX).collect();
                format!(", tool {name:?}")
            }
            Tool::None | Tool::Hidden(_) => String::new(),
        };
        let rule = decided.rule.map_or_else(String::new, |rule| format!(", rules[{rule}]"));
        Self(format!("{}: {description}{tool}{rule}", guarded.settings.id))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Reason {}

/// The door of a fuzz target: any bytes as a target.
#[cfg(fuzzing)]
pub(crate) fn fuzz_target(bytes: &[u8]) {
    target::fuzz(bytes);
}
