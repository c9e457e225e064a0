//! The description of the public interface: OpenAPI 3.1, made from the table of members
//! (`client/metadata.rs`) and the profiles. `docs/openapi.json` is its committed snapshot.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{
    client::ClientMetadata,
    registration::{BODY_BYTES_MAX, Profile},
};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&describe()).expect("the document has string keys");
    text.push('\n');
    text
});

/// The whole document, as `GET /openapi.json` answers it.
pub fn document() -> &'static str {
    &DOCUMENT
}

fn describe() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward",
            "summary": "Dynamic client registration (RFC 7591).",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": {
            "/api/v2/oauth2/register": { "post": datadog() },
            "/oauth2/register": { "post": oauth("registerClient") },
            "/register": { "post": oauth("registerClientAtAlias") },
            "/openapi.json": { "get": {
                "operationId": "describe",
                "summary": "This document.",
                "responses": { "200": response("The OpenAPI document.", &json!({ "type": "object" }), &[]) },
            } },
        },
        "components": {
            "schemas": {
                "DatadogRegistrationRequest": request(&Profile::DATADOG),
                "RegistrationRequest": request(&Profile::RFC7591),
                "DatadogClientInformation": datadog_information(),
                "ClientInformation": information(),
                "RegistrationError": registration_error(),
                "RegistrationErrorWithViolations": registration_error_with_violations(),
                "Errors": {
                    "type": "object",
                    "required": ["errors"],
                    "additionalProperties": false,
                    "properties": { "errors": { "type": "array", "minItems": 1, "items": { "type": "string" } } },
                },
            },
            "headers": headers(),
        },
    })
}

/// What the doors describe differently, each field naming a schema or a header, but for one text.
struct Answered<'a> {
    information: &'a str,
    refusal: &'a str,
    failure: &'a str,
    too_many_requests: &'a str,
    limit: &'a [&'a str],
}

fn datadog() -> Value {
    json!({
        "operationId": "registerOAuthClient",
        "summary": "Register an OAuth2 client.",
        "requestBody": request_body("DatadogRegistrationRequest"),
        "responses": responses(&Answered {
            information: "DatadogClientInformation",
            refusal: "RegistrationError",
            failure: "Errors",
            too_many_requests: "Too many requests.",
            limit: &[
                "x-ratelimit-limit",
                "x-ratelimit-period",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
                "x-ratelimit-name",
            ],
        }),
    })
}

fn oauth(operation_id: &str) -> Value {
    json!({
        "operationId": operation_id,
        "summary": "Register a client (RFC 7591).",
        "requestBody": request_body("RegistrationRequest"),
        "responses": responses(&Answered {
            information: "ClientInformation",
            refusal: "RegistrationErrorWithViolations",
            failure: "RegistrationError",
            too_many_requests: "Too many requests; `retry-after` says when to come back.",
            limit: &["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
        }),
    })
}

fn responses(door: &Answered<'_>) -> Value {
    let answer = |description, name| response(description, &schema(name), door.limit);
    let failure = |description| answer(description, door.failure);
    json!({
        "201": answer("The client is registered and durable.", door.information),
        "400": answer("The request is refused.", door.refusal),
        "408": failure("The body did not arrive in time."),
        "413": failure("The body is too large."),
        "429": failure(door.too_many_requests),
        "500": failure("The server failed; nothing was registered."),
        "503": failure("It cannot be taken now, by the store or within the limits; nothing was registered."),
    })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn response(description: &str, schema: &Value, headers: &[&str]) -> Value {
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })))
        .collect();
    json!({
        "description": description,
        "headers": headers,
        "content": { "application/json": { "schema": schema } },
    })
}

fn request_body(name: &str) -> Value {
    json!({
        "required": true,
        "description": format!("At most {BODY_BYTES_MAX} bytes."),
        "content": { "application/json": { "schema": schema(name) } },
    })
}

/// What may be sent: every member of the table; `null` counts as omitted, unknown members are ignored.
fn request(profile: &Profile) -> Value {
    let mut required = vec!["redirect_uris"];
    if profile.requires_client_name {
        required.insert(0, "client_name");
    }
    let mut properties = serde_json::Map::new();
    for (name, mut schema) in ClientMetadata::schemas() {
        if name.ends_with("_uri") {
            schema["maxLength"] = profile.uri_characters_max.into();
        }
        if name == "scope" {
            schema["maxLength"] = profile.scope_characters_max.into();
        }
        if !required.contains(&name) {
            schema["type"] = json!([schema["type"], "null"]);
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn registered() -> serde_json::Map<String, Value> {
    let mut properties: serde_json::Map<String, Value> = ClientMetadata::schemas()
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let list = |of: &[&str]| json!({ "type": "array", "minItems": 1, "items": { "enum": of } });
    properties.insert("client_id".to_owned(), json!({ "type": "string", "format": "uuid" }));
    properties.insert("grant_types".to_owned(), list(&["authorization_code", "refresh_token"]));
    properties.insert("response_types".to_owned(), list(&["code"]));
    properties.insert("token_endpoint_auth_method".to_owned(), json!({ "const": "none" }));
    properties
}

fn datadog_information() -> Value {
    let members = [
        "client_id",
        "client_name",
        "grant_types",
        "redirect_uris",
        "response_types",
        "token_endpoint_auth_method",
    ];
    let mut properties = registered();
    properties.retain(|name, _| members.contains(&name.as_str()));
    json!({
        "type": "object",
        "required": members,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn information() -> Value {
    let mut properties = registered();
    properties.insert(
        "client_id_issued_at".to_owned(),
        json!({ "type": "integer", "description": "Seconds since 1970-01-01T00:00:00Z." }),
    );
    json!({
        "type": "object",
        "required": [
            "client_id", "client_id_issued_at", "grant_types", "redirect_uris", "response_types",
            "token_endpoint_auth_method",
        ],
        "properties": properties,
        "patternProperties": { "^(client_name|(client|logo|policy|tos)_uri)#": { "type": "string" } },
        "unevaluatedProperties": false,
    })
}

fn registration_error() -> Value {
    json!({
        "type": "object",
        "required": ["error", "error_description"],
        "additionalProperties": false,
        "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } },
    })
}

fn registration_error_with_violations() -> Value {
    let mut schema = registration_error();
    schema["required"] = json!(["error", "error_description", "violations"]);
    schema["properties"]["violations"] = json!({
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["pointer", "code", "reason"],
            "additionalProperties": false,
            "properties": {
                "pointer": { "type": "string", "description": "A JSON pointer (RFC 6901)." },
                "code": { "type": "string" },
                "reason": { "type": "string" },
            },
        },
    });
    schema
}

/// The headers that tell the state of the limit. They are absent where no limit is set.
fn headers() -> Value {
    let whole = |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    let limit = whole("Requests allowed in a period.");
    let remaining = whole("Requests left in this period.");
    let reset = whole("Seconds until this period ends.");
    json!({
        "x-ratelimit-limit": limit,
        "x-ratelimit-period": whole("Seconds in a period; periods are aligned to the clock."),
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset,
        "x-ratelimit-name": { "description": "Which limit this is.", "schema": { "const": "oauth2_register" } },
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": reset,
    })
}
