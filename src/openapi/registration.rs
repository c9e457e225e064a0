//! The two doors of registration and what a client does with its registration, by the table of members and the profiles.

use serde_json::{Map, Value, json};

use super::{add_errors, answers, by_status, error_with, headers_of_status, json_answer, schema};
use crate::{
    client::ClientMetadata,
    config::{Config, RegistrationAccess},
    metadata_policy::{BODY_BYTES_MAX, Profile, VIOLATIONS_MAX},
    refusal::Told,
    registration::refusals,
};

/// The only status of the `datadog` profile whose body is an OAuth error (`registration/error.rs`).
const REFUSED: u16 = 400;

/// How a client proves that a registration is its own.
pub(super) const REGISTRATION: &str = "registration";

pub(super) fn add_schemas(config: &Config, schemas: &mut Map<String, Value>) {
    if config.registration.management {
        schemas.insert("RegistrationUpdate".to_owned(), update());
    }
    for (name, schema) in [
        ("DatadogRegistrationRequest", request(&Profile::DATADOG)),
        ("RegistrationRequest", request(&Profile::RFC7591)),
        ("DatadogClientInformation", datadog_information()),
        ("ClientInformation", information(config)),
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
        let after = if status == 429 { &[] } else { headers_of_status(status) };
        let headers = [&limit[..], after].concat();
        responses.insert(status.to_string(), json_answer(&said, &body, &headers));
    }
    let described = json!({
        "operationId": "registerOAuthClient",
        "summary": "Register an OAuth2 client.",
        "tags": ["registration"],
        "requestBody": request_body("DatadogRegistrationRequest"),
        "responses": responses,
    });
    with_initial_access(config, described)
}

/// How an operator lets a client register.
pub(super) const INITIAL_ACCESS: &str = "initial_access";

/// Describes the token that an endpoint needs, or takes.
fn with_initial_access(config: &Config, mut operation: Value) -> Value {
    let token = json!({ (INITIAL_ACCESS): [] });
    match config.registration.access {
        RegistrationAccess::Open => {}
        RegistrationAccess::Token => operation["security"] = json!([token]),
        RegistrationAccess::Either => operation["security"] = json!([{}, token]),
    }
    operation
}

/// `POST /oauth2/register`.
pub(crate) fn rfc7591(config: &Config) -> Value {
    let mut responses = answers([created("ClientInformation", &LIMIT)]);
    add_registration_errors(&mut responses, refusals::of_door(&Profile::RFC7591, config));
    let described = json!({
        "operationId": "registerClient",
        "summary": "Register a client (RFC 7591).",
        "tags": ["registration"],
        "requestBody": request_body("RegistrationRequest"),
        "responses": responses,
    });
    with_initial_access(config, described)
}

/// The state of the limit, in the `rfc7591` profile.
const LIMIT: [&str; 3] = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];

/// Adds the answers to refused metadata: those of a registration in the `rfc7591` profile.
fn add_registration_errors(answers: &mut Map<String, Value>, refusals: Vec<Told>) {
    for (status, refused) in by_status(refusals) {
        let mut body = error_with(&refused.codes);
        if status == REFUSED {
            body["$ref"] = schema("RegistrationErrorWithViolations")["$ref"].take();
        }
        let headers = [&LIMIT[..], headers_of_status(status)].concat();
        let said = refused.texts.join("\n");
        answers.insert(status.to_string(), json_answer(&said, &body, &headers));
    }
}

/// The operations of RFC 7592 share the path and the proof.
fn of_registration(id: &str, summary: &str, mut operation: Value) -> Value {
    operation["operationId"] = id.into();
    operation["summary"] = summary.into();
    operation["tags"] = json!(["registration"]);
    operation["security"] = json!([{ (REGISTRATION): [] }]);
    operation["parameters"] = json!([{
        "name": "client_id",
        "in": "path",
        "required": true,
        "schema": { "type": "string", "format": "uuid" },
    }]);
    operation
}

fn current() -> (&'static str, Value) {
    ("200", json_answer("What is registered.", &schema("ClientInformation"), &[]))
}

/// `GET /oauth2/register/{client_id}`.
pub(crate) fn read_registration(_: &Config) -> Value {
    let mut responses = answers([current()]);
    add_errors(&mut responses, refusals::of_reading());
    let summary = "Read what is registered (RFC 7592 §2.1).";
    of_registration("readClient", summary, json!({ "responses": responses }))
}

/// `PUT /oauth2/register/{client_id}`.
pub(crate) fn update_registration(config: &Config) -> Value {
    let mut responses = answers([current()]);
    add_registration_errors(&mut responses, refusals::of_updating(config));
    let summary = "Replace what is registered (RFC 7592 §2.2).";
    let operation = json!({
        "description": "The response has a new registration access token, and the one before is no longer valid.",
        "requestBody": request_body("RegistrationUpdate"),
        "responses": responses,
    });
    of_registration("updateClient", summary, operation)
}

/// `DELETE /oauth2/register/{client_id}`.
pub(crate) fn remove_registration(_: &Config) -> Value {
    let said = "The client and everything that people allowed it are gone.";
    let mut responses = answers([("204", json!({ "description": said }))]);
    add_errors(&mut responses, refusals::of_removing());
    let summary = "Remove the client (RFC 7592 §2.3).";
    of_registration("removeClient", summary, json!({ "responses": responses }))
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
        // The address of a page that is too long is left out where others are.
        if name.ends_with("_uri") && (name == "jwks_uri" || !profile.is_lenient) {
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
         is not a URL, or too long; a redirect URI that is not allowed, if another one is; scopes outside the configured \
         catalogue; repeated values. `none` replaces another `token_endpoint_auth_method`."
    } else {
        "Other members are ignored and not stored. Unsupported values of `grant_types`, `response_types`, and \
         `application_type` are left out, and so are repeated values."
    }
}

/// What replaces a registration: a registration request that names the client, and nothing that the server sets.
fn update() -> Value {
    let mut update = request(&Profile::RFC7591);
    update["required"] = json!(["client_id", "redirect_uris"]);
    update["properties"]["client_id"] = json!({ "type": "string", "format": "uuid" });
    for member in [
        "client_id_issued_at",
        "client_secret",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
    ] {
        update["properties"][member] = json!({ "type": "null" });
    }
    update
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

fn information(config: &Config) -> Value {
    let mut required = vec![
        "client_id",
        "client_id_issued_at",
        "grant_types",
        "redirect_uris",
        "response_types",
        "token_endpoint_auth_method",
    ];
    let mut properties = registered();
    if config.registration.management {
        let members = ["registration_access_token", "registration_client_uri"];
        required.extend(members);
        properties.insert(members[0].to_owned(), json!({ "type": "string" }));
        properties.insert(members[1].to_owned(), json!({ "type": "string", "format": "uri" }));
    }
    properties.insert(
        "client_id_issued_at".to_owned(),
        json!({ "type": "integer", "description": "Seconds since 1970-01-01T00:00:00Z." }),
    );
    json!({
        "type": "object",
        "required": required,
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
