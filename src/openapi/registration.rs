//! The two doors of registration, by the table of members and the profiles.

use serde_json::{Map, Value, json};

use super::{answers, by_status, error_with, headers_of_status, json_answer, schema};
use crate::{
    client::ClientMetadata,
    config::Config,
    metadata_policy::{BODY_BYTES_MAX, Profile, VIOLATIONS_MAX},
    registration::refusals,
};

/// The only status of the `datadog` profile whose body is an OAuth error (`registration/error.rs`).
const REFUSED: u16 = 400;

pub(super) fn add_schemas(schemas: &mut Map<String, Value>) {
    for (name, schema) in [
        ("DatadogRegistrationRequest", request(&Profile::DATADOG)),
        ("RegistrationRequest", request(&Profile::RFC7591)),
        ("DatadogClientInformation", datadog_information()),
        ("ClientInformation", information()),
        ("Error", error()),
        ("RegistrationErrorWithViolations", error_with_violations()),
        ("Errors", errors()),
    ] {
        schemas.insert(name.to_owned(), schema);
    }
}

/// `POST /api/v2/oauth2/register`.
pub(crate) fn datadog(config: &Config) -> Value {
    let limit = [
        "x-ratelimit-limit",
        "x-ratelimit-period",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-name",
    ];
    let refusals = refusals::of_door(&Profile::DATADOG, config);
    let mut responses = answers([created("DatadogClientInformation", &limit)]);
    for (status, refused) in by_status(refusals) {
        let (body, said) = match status {
            REFUSED => (error_with(&refused.codes), refused.texts.join("\n")),
            // A code has no place in these.
            _ => (schema("Errors"), without_codes(&refused.texts)),
        };
        let after = if status == 503 { headers_of_status(status) } else { &[] };
        let headers = [&limit[..], after].concat();
        responses.insert(status.to_string(), json_answer(&said, &body, &headers));
    }
    json!({
        "operationId": "registerOAuthClient",
        "summary": "Register an OAuth2 client.",
        "tags": ["registration"],
        "requestBody": request_body("DatadogRegistrationRequest"),
        "responses": responses,
    })
}

/// `POST /oauth2/register`.
pub(crate) fn rfc7591(config: &Config) -> Value {
    let limit = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    let refusals = refusals::of_door(&Profile::RFC7591, config);
    let mut responses = answers([created("ClientInformation", &limit)]);
    for (status, refused) in by_status(refusals) {
        let mut body = error_with(&refused.codes);
        if status == REFUSED {
            body["$ref"] = schema("RegistrationErrorWithViolations")["$ref"].take();
        }
        let headers = [&limit[..], headers_of_status(status)].concat();
        let said = refused.texts.join("\n");
        responses.insert(status.to_string(), json_answer(&said, &body, &headers));
    }
    json!({
        "operationId": "registerClient",
        "summary": "Register a client (RFC 7591).",
        "tags": ["registration"],
        "requestBody": request_body("RegistrationRequest"),
        "responses": responses,
    })
}

fn created(information: &str, limit: &[&str]) -> (&'static str, Value) {
    let said = "The client is registered and durable.";
    ("201", json_answer(said, &schema(information), limit))
}

fn without_codes(texts: &[String]) -> String {
    let bare = |text: &String| {
        text.split_once("`: ").map_or_else(|| text.clone(), |(_, bare)| format!("- {bare}"))
    };
    texts.iter().map(bare).collect::<Vec<_>>().join("\n")
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
    let mut properties = Map::new();
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
    json!({
        "type": "object",
        "description": left_out(profile),
        "required": required,
        "properties": properties,
    })
}

/// What a registration leaves out without a fault.
fn left_out(profile: &Profile) -> &'static str {
    if profile.is_lenient {
        "Other members are ignored and not stored. These values are left out, and the response has what was \
         registered: unsupported values of `grant_types`, `response_types`, and `application_type`; a page address that \
         is not a URL; a redirect URI that is not allowed, if another one is; scopes outside the configured \
         catalogue; repeated values. `none` replaces another `token_endpoint_auth_method`."
    } else {
        "Other members are ignored and not stored. Unsupported values of `grant_types`, `response_types`, and \
         `application_type` are left out, and so are repeated values."
    }
}

fn registered() -> Map<String, Value> {
    let mut properties: Map<String, Value> = ClientMetadata::schemas()
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

/// RFC 6749 §5.2: the characters of a description.
fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error", "error_description"],
        "additionalProperties": false,
        "properties": {
            "error": { "type": "string" },
            "error_description": { "type": "string", "pattern": r"^[ !#-\[\]-~]+$" },
        },
    })
}

fn error_with_violations() -> Value {
    let mut schema = error();
    schema["required"] = json!(["error", "error_description", "violations"]);
    schema["properties"]["violations"] = json!({
        "type": "array",
        "description": "Every member with a fault, in the order of the request.",
        "minItems": 1,
        "maxItems": VIOLATIONS_MAX,
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

/// How errors look below `/api/v2`.
fn errors() -> Value {
    json!({
        "type": "object",
        "required": ["errors"],
        "additionalProperties": false,
        "properties": { "errors": { "type": "array", "minItems": 1, "items": { "type": "string" } } },
    })
}
