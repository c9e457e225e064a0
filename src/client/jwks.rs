//! `jwks` (RFC 7591 §2, RFC 7517): a client's public keys by value.

use serde::Deserialize;
use serde_json::json;

use super::{
    fault::{MemberFaults, Problem},
    member::Member,
};
use crate::json::{Object, Value};

/// Members that hold secret key material (RFC 7518 §6).
const SECRET_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A JWK Set as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct JwkSet(serde_json::Value);

/// Why a key set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwkSetError {
    /// Not an object with an array of keys, each an object with a `kty`.
    #[error("is not a JWK Set (RFC 7517 section 5)")]
    NotASet,
    /// A private or symmetric key: whoever sent it must change it now.
    #[error("contains a private or symmetric key")]
    SecretKey,
}

impl JwkSet {
    fn parse(value: &Value<'_>) -> Result<Self, JwkSetError> {
        let Value::Object(set) = value else { return Err(JwkSetError::NotASet) };
        let Some(Value::Array(keys)) = set.get("keys") else { return Err(JwkSetError::NotASet) };
        for key in keys {
            let Value::Object(key) = key else { return Err(JwkSetError::NotASet) };
            check_public(key)?;
        }
        serde_json::to_value(value).map(Self).map_err(|_| JwkSetError::NotASet)
    }
}

fn check_public(key: &Object<'_>) -> Result<(), JwkSetError> {
    if !matches!(key.get("kty"), Some(Value::String(_))) {
        return Err(JwkSetError::NotASet);
    }
    if SECRET_MEMBERS.iter().any(|member| key.get(member).is_some()) {
        return Err(JwkSetError::SecretKey);
    }
    Ok(())
}

impl Member for Option<JwkSet> {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        match JwkSet::parse(value) {
            Ok(set) => *self = Some(set),
            Err(error) => faults.refuse(Problem::JwkSet(error)),
        }
    }

    fn write(&self, json: &mut String) {
        let set = self.as_ref().map(|set| set.0.to_string());
        json.push_str(set.as_deref().unwrap_or("null"));
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": { "type": "object" } } } })
    }
}
