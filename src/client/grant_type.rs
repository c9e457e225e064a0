//! `grant_types` and `response_types`, and which go together (RFC 7591 §2.1). A client may list more than
//! is supported here; what remains is what it may use (RFC 7591 §3.2.1 lets a server replace values).

use serde::Deserialize;
use serde_json::json;

use super::{
    fault::{MemberFaults, Problem},
    member::{Member, array_schema, read_texts, write_texts},
};
use crate::json::Value;

/// A way to get a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
}

/// The grants a client may use: `authorization_code` always among them, none twice, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct GrantTypes(Vec<GrantType>);

/// What the authorization endpoint answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// RFC 6749 §4.1.2.
    Code,
}

/// The response types a client may use: `code`, the only one there is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ResponseTypes(Vec<ResponseType>);

/// Why a list is refused: nothing that works would remain of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantTypeError {
    /// `grant_types` without `authorization_code`.
    #[error(
        "must list authorization_code; grant types other than that and refresh_token are not supported"
    )]
    NoAuthorizationCode,
    /// `response_types` without `code`.
    #[error("must list code; other response types are not supported")]
    NoCode,
}

impl GrantTypes {
    /// The grants, in the order in which the client listed them.
    pub fn as_slice(&self) -> &[GrantType] {
        &self.0
    }
}

impl Default for GrantTypes {
    fn default() -> Self {
        Self(vec![GrantType::AuthorizationCode, GrantType::RefreshToken])
    }
}

impl Default for ResponseTypes {
    fn default() -> Self {
        Self(vec![ResponseType::Code])
    }
}

impl Member for GrantTypes {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        let before = faults.faults.len();
        self.0.clear();
        read_texts(value, faults, |text| {
            let grant_type = match text {
                "authorization_code" => GrantType::AuthorizationCode,
                "refresh_token" => GrantType::RefreshToken,
                _ => return Ok(()),
            };
            if !self.0.contains(&grant_type) {
                self.0.push(grant_type);
            }
            Ok(())
        });
        if !self.0.contains(&GrantType::AuthorizationCode) && faults.faults.len() == before {
            faults.refuse(Problem::GrantType(GrantTypeError::NoAuthorizationCode));
        }
    }

    fn write(&self, json: &mut String) {
        write_texts(
            json,
            self.0.iter().map(|grant_type| match grant_type {
                GrantType::AuthorizationCode => "authorization_code",
                GrantType::RefreshToken => "refresh_token",
            }),
        );
    }

    fn schema() -> serde_json::Value {
        array_schema(
            &json!({ "type": "string", "examples": ["authorization_code", "refresh_token"] }),
        )
    }
}

impl Member for ResponseTypes {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        let before = faults.faults.len();
        let mut has_code = false;
        read_texts(value, faults, |text| {
            has_code |= text == "code";
            Ok(())
        });
        if !has_code && faults.faults.len() == before {
            faults.refuse(Problem::GrantType(GrantTypeError::NoCode));
        }
    }

    fn write(&self, json: &mut String) {
        write_texts(
            json,
            self.0.iter().map(|response_type| match response_type {
                ResponseType::Code => "code",
            }),
        );
    }

    fn schema() -> serde_json::Value {
        array_schema(&json!({ "type": "string", "examples": ["code"] }))
    }
}
