//! What a client reads first: the metadata, the keys, and this document.

use serde_json::{Map, Value, json};

use super::{answers, examples, json_answer, schema};
use crate::{config::Config, guard, keys, paths, server_metadata};

/// `GET /.well-known/oauth-authorization-server`: the members of the document that is answered, each with its
/// type.
pub(crate) fn metadata(config: &Config) -> Value {
    let document: Map<String, Value> = serde_json::from_slice(&server_metadata::document(config))
        .expect("the metadata is an object");
    let described = |(name, value): (&String, &Value)| (name.clone(), of_member(name, value));
    let properties: Map<String, Value> = document.iter().map(described).collect();
    let names: Vec<&String> = document.keys().collect();
    let schema = json!({
        "type": "object",
        "required": names,
        "additionalProperties": false,
        "properties": properties,
    });
    let mut answer = json_answer("The metadata.", &schema, &[]);
    answer["content"]["application/json"]["example"] = document.into();
    json!({
        "operationId": "readMetadata",
        "summary": "The metadata of the authorization server (RFC 8414).",
        "tags": ["discovery"],
        "responses": answers([("200", answer)]),
    })
}

fn of_member(name: &str, value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            json!({ "type": "array", "minItems": 1, "items": { "enum": values } })
        }
        Value::Bool(value) => json!({ "const": value }),
        value if name == "issuer" => json!({ "const": value }),
        _ => json!({ "type": "string", "format": "uri" }),
    }
}

/// `GET /oauth2/jwks`.
pub(crate) fn jwks(_: &Config) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["keys"],
        "additionalProperties": false,
        "properties": { "keys": { "type": "array", "items": keys::jwk_schema() } },
        "examples": [examples::keys()],
    });
    let answer =
        json_answer("The keys that sign now, signed lately, or will sign next.", &schema, &[]);
    json!({
        "operationId": "readKeys",
        "summary": "The public keys that access tokens are signed with (RFC 7517).",
        "tags": ["discovery"],
        "responses": answers([("200", answer)]),
    })
}

/// `GET /.well-known/oauth-protected-resource/{path}`.
pub(crate) fn resource_metadata_below(config: &Config) -> Value {
    let mut described = resource_metadata(config);
    described["operationId"] = "readResourceMetadataAtPath".into();
    described["parameters"] = json!([{
        "name": "path",
        "in": "path",
        "required": true,
        "description": "The path of the resource, which may have several segments.",
        "schema": { "type": "string" },
    }]);
    described
}

/// `GET /.well-known/oauth-protected-resource`.
pub(crate) fn resource_metadata(config: &Config) -> Value {
    let mut schema_of_metadata = guard::metadata_schema();
    schema_of_metadata["examples"] = json!([examples::resource_metadata(config)]);
    let answer = json_answer("The metadata.", &schema_of_metadata, &[]);
    let none = json_answer("No such resource is at this host and path.", &schema("Error"), &[]);
    json!({
        "operationId": "readResourceMetadata",
        "summary": "The metadata of a guarded resource, or of the operator API (RFC 9728): `Host` and the path behind the name choose it.",
        "tags": ["discovery"],
        "responses": answers([("200", answer), ("404", none)]),
    })
}

/// `GET /openapi.json`.
pub(crate) fn description(_: &Config) -> Value {
    let example = json!({ "openapi": "3.1.0", "info": { "title": "Doorward" }, "paths": {} });
    let schema = json!({ "type": "object", "examples": [example] });
    let answer = json_answer("The OpenAPI document.", &schema, &[]);
    json!({
        "operationId": "describe",
        "summary": "This document.",
        "tags": ["discovery"],
        "responses": answers([("200", answer)]),
    })
}

/// `GET /`.
pub(crate) fn home(config: &Config) -> Value {
    let uri = json!({ "type": "string", "format": "uri" });
    let mut properties = json!({ "issuer": uri, "registration_endpoint": uri, "openapi": uri });
    let issuer = &config.server.issuer;
    let mut example = json!({
        "issuer": issuer,
        "registration_endpoint": format!("{issuer}{}", paths::REGISTER),
        "openapi": format!("{issuer}{}", paths::OPENAPI),
    });
    if config.authorizes() {
        properties["metadata"] = uri;
        example["metadata"] = format!("{issuer}{}", paths::AUTHORIZATION_SERVER).into();
    }
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    let schema = json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
        "examples": [example],
    });
    let mut answer = json_answer("Where to start, or a page for a browser.", &schema, &[]);
    answer["content"]["text/html"] = json!({ "schema": { "type": "string" } });
    json!({
        "operationId": "start",
        "summary": "What this server is, and where to start.",
        "tags": ["discovery"],
        "responses": answers([("200", answer)]),
    })
}
