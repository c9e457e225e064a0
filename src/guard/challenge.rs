//! What a client is told that may not go on: the challenge (RFC 6750 §3, RFC 9728 §5.1) and a body that says the same,
//! as a JSON-RPC error for MCP requests.

use serde_json::{Value, json};

#[cfg(test)]
use super::decision::Rejection;
use super::{Decision, Guarded};

/// A refusal as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// `WWW-Authenticate`; absent where no token helps.
    pub(crate) challenge: Option<String>,
    /// The error code.
    pub(crate) code: &'static str,
    pub(crate) description: String,
}

/// What is told of a decision; `None` when the request goes on.
pub(crate) fn told(guarded: &Guarded, decision: &Decision<'_>) -> Option<Told> {
    let metadata = || format!("resource_metadata=\"{}\"", guarded.metadata_url);
    let scopes = |scope: &str| match scope {
        "" => String::new(),
        scope => format!(", scope=\"{scope}\""),
    };
    let told = |status, challenge, code, description: &str| {
        Some(Told { status, challenge, code, description: description.to_owned() })
    };
    match decision {
        Decision::Public | Decision::Allow(_) | Decision::Preflight => None,
        Decision::SignIn { scope, fault: None } => {
            let challenge = format!("Bearer {}{}", metadata(), scopes(scope));
            told(401, Some(challenge), "unauthorized", "the request needs an access token")
        }
        Decision::SignIn { scope, fault: Some(fault) } => {
            let challenge = format!(
                "Bearer {}{}, error=\"invalid_token\", error_description=\"{fault}\"",
                metadata(),
                scopes(scope)
            );
            told(401, Some(challenge), "invalid_token", fault)
        }
        Decision::StepUp { scope } => {
            let description = "the request needs more scopes than the token has";
            let challenge = format!(
                "Bearer error=\"insufficient_scope\"{}, {}, error_description=\"{description}\"",
                scopes(scope),
                metadata()
            );
            told(403, Some(challenge), "insufficient_scope", description)
        }
        Decision::Denied => told(403, None, "access_denied", "a rule denies the request"),
        Decision::Rejected(refusal) => {
            let code = match refusal.status() {
                503 => "temporarily_unavailable",
                _ => "invalid_request",
            };
            told(refusal.status(), None, code, &refusal.to_string())
        }
    }
}

impl Told {
    /// The body for clients that speak no MCP.
    pub(crate) fn json(&self) -> Value {
        json!({ "error": self.code, "error_description": self.description })
    }

    /// The body for MCP clients; `id` is that of the request, in JSON.
    pub(crate) fn json_rpc(&self, id: Option<&Value>) -> Value {
        json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": -32001, "message": self.description, "data": { "error": self.code } },
        })
    }
}

/// One refusal of each kind, with what to do about it, for the page of errors.
#[cfg(test)]
pub(crate) fn refusals(guarded: &Guarded) -> Vec<(Told, &'static str)> {
    let sign_in = |fault| Decision::SignIn { scope: "read".to_owned(), fault };
    let mut decisions = vec![
        sign_in(None),
        sign_in(Some("the access token has expired")),
        Decision::StepUp { scope: "write".to_owned() },
        Decision::Denied,
    ];
    decisions.extend(
        [
            Rejection::Ambiguous("the text says which header two servers could read differently"),
            Rejection::HiddenTool("the text says why"),
            Rejection::ToolCase,
            Rejection::OtherHost,
            Rejection::OtherPath,
            Rejection::Origin,
            Rejection::Unavailable,
        ]
        .map(Decision::Rejected),
    );
    let all = decisions.iter();
    all.filter_map(|decision| Some((told(guarded, decision)?, fix(decision)))).collect()
}

#[cfg(test)]
const fn fix(decision: &Decision<'_>) -> &'static str {
    match decision {
        Decision::Public | Decision::Allow(_) | Decision::Preflight => "",
        Decision::SignIn { fault: None, .. } => {
            "Get an access token: the challenge names the metadata of the resource (RFC 9728)."
        }
        Decision::SignIn { .. } => "Refresh the access token, or authorize again.",
        Decision::StepUp { .. } => "Authorize again with the `scope` of the challenge.",
        Decision::Denied => "Ask the administrator, whose rules deny this request.",
        Decision::Rejected(rejection) => match rejection {
            Rejection::Ambiguous(_) | Rejection::Target(_) => {
                "Send a request that every server reads alike."
            }
            Rejection::HiddenTool(_) => {
                "Send the headers of MCP that name the method and the tool."
            }
            Rejection::ToolCase => "Write the name of the tool as the server lists it.",
            Rejection::OtherHost => "Send the request to the host of the resource.",
            Rejection::OtherPath => "Send the request to a path of the resource.",
            Rejection::Origin => "Have the administrator allow the origin of the page.",
            Rejection::Unavailable => "Send the same request again in a moment.",
        },
    }
}
