//! Documents as JSON:API writes them.

use http::{HeaderValue, StatusCode, header::ETAG};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::{
    clock::Timestamp,
    http::answer::{self, Response},
    store::Deleted,
};

/// What an operation answers.
pub(crate) struct Answer {
    status: StatusCode,
    /// `None` for an empty body.
    body: Option<Value>,
    etag: Option<String>,
}

impl Answer {
    /// 200 with a document.
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), etag: None }
    }

    /// 201 with what was created.
    #[must_use]
    pub(super) fn created(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// 200 with one resource.
    pub(super) fn one(resource: &Value) -> Self {
        Self::ok(json!({ "data": resource }))
    }

    /// With what is no part of the resource.
    #[must_use]
    pub(super) fn with_meta(mut self, meta: &Value) -> Self {
        for (name, value) in meta.as_object().into_iter().flatten() {
            if let Some(body) = &mut self.body {
                body["meta"][name] = value.clone();
            }
        }
        self
    }

    /// 200 with what a change counted.
    pub(super) fn counted(counts: &Value) -> Self {
        Self::ok(json!({ "meta": counts }))
    }

    /// 204.
    pub(super) const fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, etag: None }
    }

    /// 204 after a deletion, or that there is no such `what`.
    pub(super) const fn deleted(outcome: Deleted, what: &'static str) -> Result<Self, ApiError> {
        match outcome {
            Deleted::Forgotten => Ok(Self::nothing()),
            Deleted::NotThere => Err(ApiError::NotFound(what)),
        }
    }

    /// With the version of the resource.
    #[must_use]
    pub(super) fn tagged(self, version: &str) -> Self {
        Self { etag: Some(format!("\"{version}\"")), ..self }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = if let Some(body) = self.body {
            answer::json(self.status, body.to_string())
        } else {
            let mut response = Response::default();
            *response.status_mut() = self.status;
            response
        };
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            response.headers_mut().insert(ETAG, etag);
        }
        response
    }
}

/// The schema of a resource of this kind that a UUID names.
pub(super) fn resource_schema(kind: &str, required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "type": { "const": kind },
            "attributes": { "type": "object", "required": required, "properties": properties },
        },
    })
}

/// The schema of a body that gives a resource of this kind attributes.
pub(super) fn body_schema(kind: &str, id: &Value, attributes: &Value, example: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["id", "type"],
            "properties": { "id": id, "type": { "const": kind }, "attributes": attributes },
        } },
        "examples": [{ "data": example }],
    })
}

/// The schema of [`Answer::counted`], with what each member counts.
pub(super) fn counted_schema(counts: &Value) -> Value {
    let counts: Vec<(&String, &Value)> = counts.as_object().into_iter().flatten().collect();
    let properties: Map<String, Value> = counts
        .iter()
        .map(|(name, about)| {
            let schema = json!({ "type": "integer", "minimum": 0, "description": about });
            ((*name).clone(), schema)
        })
        .collect();
    let example: Map<String, Value> =
        counts.iter().map(|(name, _)| ((*name).clone(), json!(2))).collect();
    json!({
        "type": "object",
        "required": ["meta"],
        "properties": { "meta": {
            "type": "object",
            "required": properties.keys().collect::<Vec<_>>(),
            "properties": properties,
        } },
        "examples": [{ "meta": example }],
    })
}

/// A moment, or `null`.
pub(super) fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.to_rfc3339().into())
}

/// Names a resource in a relationship.
pub(super) fn link(kind: &str, id: &str) -> Value {
    json!({ "data": { "type": kind, "id": id } })
}
