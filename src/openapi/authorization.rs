//! The authorization endpoint: its parameters, and what the client is sent. Other pages are not described.

use serde_json::{Map, Value, json};

use super::{add_pages, answers, by_status, form, page, schema, see_other};
use crate::{authorization::refusals, config::Config, refusal::Told, sign_in::REQUEST_BYTES_MAX};

const TO_CLIENT: &str = "Back to the redirect URI of the client, with `state` and `iss` and";

/// One parameter of an authorization request.
struct Parameter {
    name: &'static str,
    is_required: bool,
    schema: Value,
    description: &'static str,
}

fn parameters(config: &Config) -> Vec<Parameter> {
    let text = || json!({ "type": "string" });
    let needed =
        |name, schema, description| Parameter { name, is_required: true, schema, description };
    let other =
        |name, schema, description| Parameter { name, is_required: false, schema, description };
    let scopes: Vec<&str> =
        config.registration.scopes.iter().map(|known| known.scope.as_str()).collect();
    let mut scope = text();
    if !scopes.is_empty() {
        scope["examples"] = json!([scopes.join(" ")]);
    }
    let mut resource = json!({ "type": "array", "items": text() });
    let resources = &config.authorization.resources;
    if !resources.is_empty() {
        let uris: Vec<&str> = resources.iter().map(|known| known.uri.as_str()).collect();
        resource["examples"] = json!([uris]);
    }
    vec![
        needed("client_id", text(), "What registration has answered."),
        needed("response_type", json!({ "const": "code" }), "The code flow alone."),
        other(
            "redirect_uri",
            text(),
            "One that the client has registered; may be left out where it has one only.",
        ),
        needed(
            "code_challenge",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$" }),
            "The SHA-256 of the verifier (RFC 7636 §4.2).",
        ),
        needed("code_challenge_method", json!({ "const": "S256" }), "Every client uses PKCE."),
        other("state", text(), "Comes back as it was sent."),
        other(
            "scope",
            scope,
            "What is asked for; what cannot be allowed here is left out of the answer.",
        ),
        other("resource", resource, "Where the tokens shall be used (RFC 8707); may be repeated."),
        other("prompt", text(), "`none`: nobody may be asked, so the answer is an error."),
        other("ui_locales", text(), "Language tags, separated by spaces, the preferred first."),
        other("response_mode", json!({ "const": "query" }), "The default, which is all there is."),
        other("request", json!({ "maxLength": 0 }), "Refused (RFC 9101)."),
        other("request_uri", json!({ "maxLength": 0 }), "Refused (RFC 9101)."),
    ]
}

pub(super) fn add_schemas(config: &Config, schemas: &mut Map<String, Value>) {
    let parameters = parameters(config);
    let required: Vec<&str> =
        parameters.iter().filter(|it| it.is_required).map(|it| it.name).collect();
    let described = |it: &Parameter| {
        let mut schema = it.schema.clone();
        schema["description"] = it.description.into();
        (it.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = parameters.iter().map(described).collect();
    let request = json!({ "type": "object", "required": required, "properties": properties });
    schemas.insert("AuthorizationRequest".to_owned(), request);
}

/// `GET /oauth2/authorize`.
pub(crate) fn authorize(config: &Config) -> Value {
    let described = |it: Parameter| {
        json!({
            "name": it.name,
            "in": "query",
            "required": it.is_required,
            "description": it.description,
            "schema": it.schema,
        })
    };
    let parameters: Vec<Value> = parameters(config).into_iter().map(described).collect();
    let mut responses = asked();
    add_refusals(&mut responses, refusals::of_query(config));
    json!({
        "operationId": "authorize",
        "summary": "Ask a person for access (RFC 6749 §3.1); for browsers.",
        "description": format!("The query has at most {REQUEST_BYTES_MAX} bytes."),
        "tags": ["authorization"],
        "parameters": parameters,
        "responses": responses,
    })
}

/// `POST /oauth2/authorize`.
pub(crate) fn authorize_by_form(config: &Config) -> Value {
    let mut responses = asked();
    add_refusals(&mut responses, refusals::of_form(config));
    json!({
        "operationId": "authorizeByForm",
        "summary": "The same with the parameters in the body.",
        "tags": ["authorization"],
        "requestBody": form(&schema("AuthorizationRequest"), REQUEST_BYTES_MAX),
        "responses": responses,
    })
}

/// Pages for people, among them the one that tells of a broken request whose client is told by a click.
fn add_refusals(responses: &mut Map<String, Value>, refusals: Vec<Told>) {
    add_pages(responses, refusals);
    if let Some(said) = responses.get_mut("400").and_then(|answer| answer.get_mut("description")) {
        let more = "- whatever the client would be told by a redirect, while nobody is signed in";
        *said = format!("{}\n{more}", said.as_str().unwrap_or_default()).into();
    }
}

fn asked() -> Map<String, Value> {
    let shown = "A page that asks who it is, or what they allow.";
    answers([("200", page(shown, &[])), ("303", to_client())])
}

fn to_client() -> Value {
    let refused: Vec<String> = by_status(refusals::by_redirect())
        .into_values()
        .flat_map(|refused| refused.texts)
        .collect();
    see_other(&format!("{TO_CLIENT} an error. The errors:\n{}", refused.join("\n")))
}
