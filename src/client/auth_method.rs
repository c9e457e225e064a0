//! `token_endpoint_auth_method` (RFC 7591 §2). Clients here are public and keep no secret; the methods
//! with a secret are known because real clients ask for them, and a profile may replace them by `none`.

use serde::Deserialize;
use serde_json::json;

use super::{
    fault::{MemberFaults, Problem},
    member::{Member, text},
};
use crate::json::{self, Value};

/// How a client proves who it is at the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpointAuthMethod {
    /// Not at all: a public client.
    #[default]
    None,
    /// A secret in the `Authorization` header. Never registered.
    ClientSecretBasic,
    /// A secret in the form. Never registered.
    ClientSecretPost,
}

impl Member for TokenEndpointAuthMethod {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        match text(value) {
            Ok("none") => *self = Self::None,
            Ok("client_secret_basic") => *self = Self::ClientSecretBasic,
            Ok("client_secret_post") => *self = Self::ClientSecretPost,
            Ok(_) => faults.refuse(Problem::AuthMethod),
            Err(problem) => faults.refuse(problem),
        }
    }

    fn write(&self, json: &mut String) {
        let text = match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        };
        json::write_text(json, text);
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["none"] })
    }
}
