//! What the bodies that create operator tokens and initial access tokens share. A token is in the answer that creates it,
//! and in no other: the store has only a hash.

use serde_json::{Map, Value, json};

use super::{document, error::ApiError, page};
use crate::{clock::Timestamp, json::pointer_step};

/// The longest lifetime, as on the command line.
const DAYS_MAX: u64 = 100 * 366;

/// The attributes of a token that is to be created.
pub(super) struct Wanted<'body>(&'body Map<String, Value>);

impl<'body> Wanted<'body> {
    /// Reads a body that has these attributes and no others.
    pub(super) fn of(body: &'body Value, kind: &str, names: &[&str]) -> Result<Self, ApiError> {
        let (id, attributes) = page::new_resource(body, kind)?;
        if id.is_some() {
            return Err(ApiError::member("/data/id", "The server chooses the identifier."));
        }
        let refused = || ApiError::member("/data/attributes", "The member must be an object.");
        let attributes = attributes.ok_or_else(refused)?;
        match attributes.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(ApiError::member(
                &format!("/data/attributes/{}", pointer_step(name)),
                "A token has no such member.",
            )),
            None => Ok(Self(attributes)),
        }
    }

    /// A member that `read` takes; `None` if it is absent.
    pub(super) fn member<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'body Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let refused = || {
            let pointer = format!("/data/attributes/{name}");
            ApiError::member(&pointer, format!("The value must be {expected}."))
        };
        read(value).map(Some).ok_or_else(refused)
    }

    /// A member that must be there.
    pub(super) fn required<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'body Value) -> Option<T>,
    ) -> Result<T, ApiError> {
        let pointer = format!("/data/attributes/{name}");
        let missing = || ApiError::member(&pointer, format!("The value must be {expected}."));
        self.member(name, expected, read)?.ok_or_else(missing)
    }

    /// When the token expires: in so many days unless `expires_at` says otherwise, and never if it is null.
    pub(super) fn expires_at(
        &self,
        now: Timestamp,
        days: u64,
    ) -> Result<Option<Timestamp>, ApiError> {
        let expected = "null, or a later time in RFC 3339, within 100 years";
        let latest = now.after_days(DAYS_MAX);
        let expires_at = self.member("expires_at", expected, |value| match value {
            Value::Null => Some(None),
            Value::String(text) => {
                let at = Timestamp::from_rfc3339(text);
                at.filter(|at| *at > now && *at <= latest).map(Some)
            }
            _ => None,
        })?;
        Ok(expires_at.unwrap_or_else(|| Some(now.after_days(days))))
    }
}

/// The schema of a body with these properties.
pub(super) fn body_schema(
    kind: &str,
    required: &[&str],
    properties: &Value,
    example: &Value,
) -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["type", "attributes"],
            "properties": {
                "type": { "const": kind },
                "attributes": {
                    "type": "object",
                    "required": required,
                    "properties": properties,
                    "additionalProperties": false,
                },
            },
        } },
        "examples": [{ "data": { "type": kind, "attributes": example } }],
    })
}

/// The schema of a token with these properties.
pub(super) fn resource_schema(kind: &str, properties: &Value, example: &Value) -> Value {
    let mut schema = document::resource_schema(kind, &["name"], properties);
    schema["examples"] = json!([{
        "id": "019aa7b5-0c44-7a10-8f2e-5d6c7b8a9013",
        "type": kind,
        "attributes": example,
    }]);
    schema
}

/// The schema of the answer that creates a token.
pub(super) fn created_schema(mut resource: Value, example: &str) -> Value {
    resource["properties"]["attributes"]["required"] = json!(["name", "token"]);
    resource["properties"]["attributes"]["properties"]["token"] =
        json!({ "type": "string", "description": "The token, which no other answer has." });
    resource["examples"][0]["attributes"]["token"] = example.into();
    page::one_schema(&resource)
}
