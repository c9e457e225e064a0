//! What a client is told that may not go on: the challenge (RFC 6750 §3, RFC 9728 §5.1) and a body that says the same,
//! as a JSON-RPC error for MCP requests.

use serde_json::{Value, json};

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
    let metadata = format!("resource_metadata=\"{}\"", guarded.metadata_url);
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
            let challenge = format!("Bearer {metadata}{}", scopes(scope));
            told(401, Some(challenge), "unauthorized", "the request needs an access token")
        }
        Decision::SignIn { scope, fault: Some(fault) } => {
            let challenge = format!(
                "Bearer {metadata}{}, error=\"invalid_token\", error_description=\"{fault}\"",
                scopes(scope)
            );
            told(401, Some(challenge), "invalid_token", fault)
        }
        Decision::StepUp { scope } => {
            let description = "the request needs more scopes than the token has";
            let challenge = format!(
                "Bearer error=\"insufficient_scope\"{}, {metadata}, error_description=\"{description}\"",
                scopes(scope)
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
