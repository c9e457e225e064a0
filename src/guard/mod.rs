//! The guard: protects a server that knows nothing of OAuth.
//!
//! `target.rs` reads what a request is for, or refuses it; `decision.rs` is the
//! one decision, a pure function over settings, token, grant, and request. `liveness.rs` finds out about the token and
//! its grant; `tool.rs` reads which tool a request calls by its headers. `challenge.rs` and `documents.rs` are what
//! clients are told, `forward_auth.rs` answers proxies, and `grpc.rs` does over gRPC. `calls.rs` counts what clients did.

mod assertion;
mod calls;
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

#[cfg(test)]
pub(crate) use self::challenge::{Told, refusals};
use self::{assertion::Assertions, calls::Calls, liveness::Liveness};
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

use uuid::Uuid;

use crate::{
    config::Config,
    http::{answer::Response, request_event::Outcome},
    internet::Internet,
    metrics::GuardMetrics,
};

/// How much of the name of a tool the log has.
const LOGGED_CHARS_MAX: usize = 128;

/// The guarded resources of a server, with what their handlers remember. The server holds it beside `App`.
pub(crate) struct Guards {
    all: Vec<Guarded>,
    liveness: Liveness,
    assertions: Assertions,
    /// What clients did and is not stored yet.
    pub(crate) calls: Calls,
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
        Self { all, liveness, assertions, calls: Calls::default(), proxies }
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

/// Notes in a response its client, and whether the log gets it with its resource: of allowed requests the log gets the first
/// of every `every`, and each that failed. `nth` requests came before.
fn sampled(
    every: u64,
    guarded: &Guarded,
    nth: u64,
    client_id: Option<Uuid>,
    response: &mut Response,
) {
    let outcome = response.extensions_mut().get_or_insert_with(Outcome::default);
    outcome.client_id = client_id;
    let is_logged = outcome.cause.is_some() || (every > 0 && nth.is_multiple_of(every));
    if is_logged {
        outcome.resource = Some(guarded.settings.id.as_str().into());
    } else {
        outcome.is_sampled_out = true;
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::{
        config::{self, Sources},
        http::answer,
    };

    #[test]
    fn the_log_has_the_first_of_so_many_allowed_requests_and_each_that_fails() {
        let resources = r#"[{ uri = "https://mcp.example", guard = { id = "tools" } }]"#;
        let flags = vec![("authorization.resources", resources.to_owned())];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        let guarded = Guarded::of(&config.authorization.resources[0], &config).unwrap();
        let is_logged = |every, nth, fails: bool| {
            let mut response = answer::json(http::StatusCode::OK, "{}");
            if fails {
                let cause: Arc<dyn Error + Send + Sync> = Arc::new(io::Error::other("gone"));
                let outcome = Outcome { cause: Some(cause), ..Outcome::default() };
                response.extensions_mut().insert(outcome);
            }
            sampled(every, &guarded, nth, None, &mut response);
            let outcome = response.extensions().get::<Outcome>().unwrap();
            assert_eq!(outcome.resource.is_some(), !outcome.is_sampled_out);
            !outcome.is_sampled_out
        };
        let logged = |every| (0..6).filter(|nth| is_logged(every, *nth, false)).collect::<Vec<_>>();
        assert_eq!(logged(3), [0, 3]);
        assert_eq!(logged(1), [0, 1, 2, 3, 4, 5]);
        assert!(logged(0).is_empty());
        assert!(is_logged(3, 1, true));
    }
}
