//! The guard: protects a server that knows nothing of OAuth.
//!
//! `target.rs` reads what a request is for, or refuses it; `decision.rs` is the
//! one decision, a pure function over settings, token, grant, and request. `liveness.rs` finds out about the token and
//! its grant; `tool.rs` reads which tool a request calls by its headers. `challenge.rs` and `documents.rs` are what
//! clients are told, and `forward_auth.rs` answers proxies.

pub(crate) mod assertion;
mod challenge;
mod decision;
mod documents;
mod forward_auth;
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
    assertion::{Identity, assertion},
    liveness::Liveness,
};
pub(crate) use self::{
    decision::{
        Asked, Authorized, Decided, Decision, Guarded, Presented, Tool, decide, misfits,
        split_address,
    },
    documents::{metadata, schema as metadata_schema},
    forward_auth::{Dialect, check},
    liveness::{Found, find},
    proxy::{Proxies, Sender, answer, end_streams},
};
use crate::{config::Config, internet::Internet};

/// The guarded resources of a server, with what their handlers remember. The server holds it beside `App`.
pub(crate) struct Guards {
    all: Vec<Guarded>,
    liveness: Liveness,
    /// The resources that the built-in proxy protects.
    pub(crate) proxies: Proxies,
}

impl Guards {
    pub(crate) fn new(config: &Config, internet: &Internet) -> Self {
        let resources = config.authorization.resources.iter();
        let all = resources.filter_map(|resource| Guarded::of(resource, config)).collect();
        let proxies = Proxies::new(config, internet);
        Self { all, liveness: Liveness::new(config), proxies }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Guarded> {
        self.all.iter()
    }

    /// The resource with the guard of this id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Guarded> {
        self.all.iter().find(|guarded| guarded.settings.id == id)
    }
}

/// The door of a fuzz target: any bytes as a target.
#[cfg(fuzzing)]
pub(crate) fn fuzz_target(bytes: &[u8]) {
    target::fuzz(bytes);
}
