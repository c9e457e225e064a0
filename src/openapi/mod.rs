//! The description of the public interface: OpenAPI 3.1, made from what the endpoints themselves are made of: the
//! table of members (`client/metadata.rs`), the profiles, the refusals of each endpoint, the settings. Which routes
//! there are, and which operation is at each, `server/description.rs` says.
//!
//! `registration.rs`, `discovery.rs`, `authorization.rs`, and `tokens.rs` describe operations, and `examples.rs` has their
//! examples; here is what they share.
//! `docs/openapi.json` is the committed snapshot of a server with every setting that adds something.

mod authorization;
mod discovery;
#[cfg(test)]
mod errors;
mod examples;
mod registration;
mod tokens;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(crate) use self::{
    authorization::{authorize, authorize_by_form},
    discovery::{description, home, jwks, metadata, resource_metadata, resource_metadata_below},
    registration::{datadog, read_registration, remove_registration, rfc7591, update_registration},
    tokens::{introspect, revoke, token},
};
use crate::{
    config::{Config, RegistrationAccess},
    error_code::ErrorCode,
    http::form::FORM,
    operator_api,
    refusal::{Refusal, Told},
};

/// What an alias adds to the `operationId` of what it is an alias of.
pub(crate) const ALIAS: &str = "AtAlias";

/// The whole document of a server with these settings and paths.
pub(crate) fn document(config: &Config, paths: &Map<String, Value>) -> String {
    let mut schemas = Map::new();
    let mut security_schemes = Map::new();
    registration::add_schemas(config, &mut schemas);
    if config.registration.management {
        security_schemes.insert(
            registration::REGISTRATION.to_owned(),
            json!({
                "type": "http",
                "scheme": "bearer",
                "description": "The `registration_access_token` of the client.",
            }),
        );
    }
    operator_api::add_components(&mut schemas, &mut security_schemes);
    if config.authorizes() {
        tokens::add_schemas(config, &mut schemas);
        authorization::add_schemas(config, &mut schemas);
    }
    examples::add(config, &mut schemas);
    if config.registration.access != RegistrationAccess::Open {
        security_schemes.insert(
            registration::INITIAL_ACCESS.to_owned(),
            json!({
                "type": "http",
                "scheme": "bearer",
                "description": "An initial access token, from the administrator of this server.",
            }),
        );
    }
    if config.introspects() {
        security_schemes.insert(
            tokens::RESOURCE.to_owned(),
            json!({
                "type": "http",
                "scheme": "basic",
                "description": "A protected resource: the `id` and the secret of its entry in \
                    `authorization.resources`, form-encoded as RFC 6749 §2.3.1 has it.",
            }),
        );
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward",
            "summary": "Dynamic client registration (RFC 7591), and what registered clients use.",
            "description": "What this server answers with its settings. Every answer that is no page is \
                JSON. What is not described here is answered 404, another method 405 with `Allow`, and HEAD \
                as GET wherever `Allow` names it.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": config.server.issuer }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": headers(),
            "securitySchemes": security_schemes,
        },
    });
    let mut text = serde_json::to_string_pretty(&document).expect("the document has string keys");
    text.push('\n');
    text
}

/// A reference to a schema of the document.
fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A reference to a header of the document.
fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn headers_of(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), header(name))).collect()
}

/// An answer in JSON.
fn json_answer(description: &str, schema: &Value, headers: &[&str]) -> Value {
    json!({
        "description": description,
        "headers": headers_of(headers),
        "content": { "application/json": { "schema": schema } },
    })
}

/// An answer that is a page.
fn page(description: &str, headers: &[&str]) -> Value {
    json!({
        "description": description,
        "headers": headers_of(headers),
        "content": { "text/html": { "schema": { "type": "string" } } },
    })
}

/// A redirect.
fn see_other(description: &str) -> Value {
    json!({ "description": description, "headers": headers_of(&["location"]) })
}

/// The body of a request that is a form.
fn form(schema: &Value, bytes_max: usize) -> Value {
    json!({
        "required": true,
        "description": format!("At most {bytes_max} bytes; no parameter of these twice, but for `resource`."),
        "content": { (FORM): { "schema": schema } },
    })
}

/// The refusals of one status.
#[derive(Default)]
struct Refused {
    /// The codes, each once.
    codes: Vec<&'static str>,
    /// What is said, each once.
    texts: Vec<String>,
}

fn by_status(refusals: Vec<Told>) -> BTreeMap<u16, Refused> {
    let mut statuses: BTreeMap<u16, Refused> = BTreeMap::new();
    for Told { refusal: Refusal { status, code, .. }, text, .. } in refusals {
        let refused = statuses.entry(status.as_u16()).or_default();
        let code = code.map(ErrorCode::as_str);
        let text = code.map_or_else(|| format!("- {text}"), |code| format!("- `{code}`: {text}"));
        refused.codes.extend(code.filter(|code| !refused.codes.contains(code)));
        if !refused.texts.contains(&text) {
            refused.texts.push(text);
        }
    }
    statuses
}

/// Headers that an answer of this status has beside those of its endpoint.
const fn headers_of_status(status: u16) -> &'static [&'static str] {
    match status {
        429 | 503 => &["retry-after"],
        401 => &["www-authenticate"],
        _ => &[],
    }
}

/// Adds the answers to refused requests: OAuth errors, with the codes of each status.
fn add_errors(answers: &mut Map<String, Value>, refusals: Vec<Told>) {
    for (status, refused) in by_status(refusals) {
        let description = refused.texts.join("\n");
        let error = error_with(&refused.codes);
        let answer = json_answer(&description, &error, headers_of_status(status));
        answers.insert(status.to_string(), answer);
    }
}

/// Adds the pages that tell people of refusals.
fn add_pages(answers: &mut Map<String, Value>, refusals: Vec<Told>) {
    for (status, refused) in by_status(refusals) {
        let answer = page(&refused.texts.join("\n"), headers_of_status(status));
        answers.insert(status.to_string(), answer);
    }
}

/// An OAuth error with one of these codes.
fn error_with(codes: &[&str]) -> Value {
    let mut error = schema("Error");
    error["properties"] = json!({ "error": { "enum": codes } });
    error
}

fn answers(described: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    described.into_iter().map(|(status, answer)| (status.to_owned(), answer)).collect()
}

/// Every header that is described. Those that tell the state of a limit are absent where no limit is set.
fn headers() -> Value {
    let whole = |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    let limit = whole("Requests allowed in a period.");
    let remaining = whole("Requests left in this period.");
    let reset = whole("Seconds until this period ends.");
    json!({
        "location": {
            "description": "Where the browser goes on, by GET.",
            "required": true,
            "schema": { "type": "string", "format": "uri-reference" },
        },
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": reset,
        "retry-after": {
            "description": "Seconds until it is worth another try.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        },
        "www-authenticate": {
            "description": "How to say who one is; at the token endpoint only after a try by `Authorization`.",
            "schema": { "type": "string" },
        },
        "x-ratelimit-limit": limit,
        "x-ratelimit-name": { "description": "Which limit this is.", "schema": { "const": "oauth2_register" } },
        "x-ratelimit-period": whole("Seconds in a period; periods are aligned to the clock."),
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset,
    })
}
