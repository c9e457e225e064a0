//! Where people decide: the authorization endpoint, and the pages that programs hardly ever ask for themselves.

use serde_json::{Map, Value, json};

use super::{add_pages, answers, by_status, form, page, schema, see_other};
use crate::{
    authorization::refusals,
    config::Config,
    error_code::Refusal,
    sign_in::{self, FORM_BYTES_MAX, REQUEST_BYTES_MAX},
};

const OWN_FORM: &str =
    "For the form of this server's own page: a browser has to say that it comes from there.";
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
fn add_refusals(responses: &mut Map<String, Value>, refusals: Vec<Refusal>) {
    add_pages(responses, refusals);
    if let Some(said) = responses.get_mut("400").and_then(|answer| answer.get_mut("description")) {
        let more = "- whatever the client would be told by a redirect, while nobody is signed in";
        *said = format!("{}\n{more}", said.as_str().unwrap_or_default()).into();
    }
}

fn asked() -> Map<String, Value> {
    let shown = "A page that asks who it is, or what they allow.";
    answers([("200", page(shown, &[])), ("303", to_client("an error", ""))])
}

fn to_client(what: &str, more: &str) -> Value {
    let refused: Vec<String> = by_status(refusals::by_redirect())
        .into_values()
        .flat_map(|refused| refused.texts)
        .collect();
    see_other(&format!("{TO_CLIENT} {what}.{more} The errors:\n{}", refused.join("\n")))
}

/// `POST /oauth2/consent`.
pub(crate) fn consent(config: &Config) -> Value {
    let request = json!({
        "type": "object",
        "required": ["request", "decision"],
        "properties": {
            "request": { "type": "string", "description": "The authorization request, as a query." },
            "form_token": { "type": "string", "description": "What binds the form to session and request." },
            "decision": { "enum": ["allow", "deny", "back"] },
        },
    });
    let back = " Or back to the authorization endpoint, when nobody is signed in any more, or the page \
        showed the client as it is no longer.";
    let mut responses = answers([("303", to_client("a `code` or an error", back))]);
    add_pages(&mut responses, refusals::of_decision(config));
    json!({
        "operationId": "decide",
        "summary": "What a person has decided.",
        "description": OWN_FORM,
        "tags": ["pages"],
        "requestBody": form(&request, FORM_BYTES_MAX),
        "responses": responses,
    })
}

/// `GET /oauth2/grants`.
pub(crate) fn grants(_: &Config) -> Value {
    let shown = "A page of connected apps, or one that asks the person to sign in.";
    let mut responses = answers([("200", page(shown, &[]))]);
    add_pages(&mut responses, refusals::of_grants());
    json!({
        "operationId": "showGrants",
        "summary": "A person's connected apps (OAuth 2.1 §7.9).",
        "tags": ["pages"],
        "parameters": [{
            "name": "before",
            "in": "query",
            "description": "A grant: the page shows the apps of older ones.",
            "schema": { "type": "string" },
        }],
        "responses": responses,
    })
}

/// `POST /oauth2/grants`.
pub(crate) fn take_back(config: &Config) -> Value {
    let request = json!({
        "type": "object",
        "required": ["client", "form_token"],
        "properties": {
            "client": { "type": "string", "description": "The client identifier of the app." },
            "form_token": { "type": "string", "description": "Binds the form to the session and the app." },
        },
    });
    let led = "Back to the page: every grant of the app has ended, with its tokens.";
    let mut responses =
        answers([("200", page("One that asks who it is.", &[])), ("303", see_other(led))]);
    add_pages(&mut responses, refusals::of_revocation(config));
    json!({
        "operationId": "takeBack",
        "summary": "Disconnect an app.",
        "description": OWN_FORM,
        "tags": ["pages"],
        "requestBody": form(&request, FORM_BYTES_MAX),
        "responses": responses,
    })
}

/// `POST /oauth2/sign-in`, by the ways that there are.
pub(crate) fn sign_in(config: &Config) -> Value {
    let mut properties = json!({
        "request": { "type": "string", "description": "The authorization request that waits, as a query." },
    });
    let providers: Vec<&str> =
        config.sign_in.providers.iter().map(|provider| provider.id.as_str()).collect();
    if !providers.is_empty() {
        properties["provider"] = json!({ "enum": providers });
    }
    if config.sign_in.local {
        properties["password"] = json!({
            "type": "string",
            "format": "password",
            "description": "The one that a server for development has printed at its start.",
        });
    }
    let request = json!({ "type": "object", "properties": properties });
    let led = "To the provider, or, signed in, back to the authorization endpoint.";
    let mut responses = answers([("303", see_other(led))]);
    let own = sign_in::refusals::of_begin(config);
    if providers.is_empty() {
        add_pages(&mut responses, own);
    } else {
        // The request that waits is resolved as the authorization endpoint does it.
        add_refusals(&mut responses, [own, refusals::of_query(config)].concat());
    }
    json!({
        "operationId": "signIn",
        "summary": "Say who one is, or where that is known.",
        "description": OWN_FORM,
        "tags": ["pages"],
        "requestBody": form(&request, FORM_BYTES_MAX),
        "responses": responses,
    })
}

/// `GET /oauth2/sign-in/{provider}`.
pub(crate) fn return_from_provider(config: &Config) -> Value {
    let providers: Vec<&str> =
        config.sign_in.providers.iter().map(|provider| provider.id.as_str()).collect();
    let query = |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
    let led = "Signed in, back to the authorization endpoint.";
    let mut responses = answers([("303", see_other(led))]);
    add_pages(&mut responses, sign_in::refusals::of_return());
    json!({
        "operationId": "returnFromProvider",
        "summary": "Where a provider sends people back to (OpenID Connect Core 1.0 §3.1.2.5).",
        "description": "A `state` is accepted once, and with the cookie of the browser it was made for.",
        "tags": ["pages"],
        "parameters": [
            { "name": "provider", "in": "path", "required": true, "schema": { "type": "string", "enum": providers } },
            query("state", "What the provider was sent."),
            query("code", "What it is worth, the provider is asked."),
            query("iss", "The provider (RFC 9207)."),
            query("error", "Why nobody was signed in."),
        ],
        "responses": responses,
    })
}

/// `GET /oauth2/sign-out`.
pub(crate) fn sign_out_page(_: &Config) -> Value {
    let mut responses =
        answers([("200", page("A page that asks, or says that nobody is signed in.", &[]))]);
    add_pages(&mut responses, sign_in::refusals::of_question());
    json!({
        "operationId": "askToSignOut",
        "summary": "A page that asks whether to sign out; a query is an authorization request that waits.",
        "tags": ["pages"],
        "responses": responses,
    })
}

/// `POST /oauth2/sign-out`.
pub(crate) fn sign_out(config: &Config) -> Value {
    let request = json!({
        "type": "object",
        "properties": {
            "form_token": { "type": "string", "description": "What binds the form to the session." },
            "request": { "type": "string", "description": "An authorization request that waits, as a query." },
        },
    });
    let mut responses = answers([
        ("200", page("Nobody is signed in any more.", &[])),
        ("303", see_other("Nobody is; and back to the request that waits.")),
    ]);
    add_pages(&mut responses, sign_in::refusals::of_sign_out(config));
    json!({
        "operationId": "signOut",
        "summary": "Sign out.",
        "description": OWN_FORM,
        "tags": ["pages"],
        "requestBody": form(&request, FORM_BYTES_MAX),
        "responses": responses,
    })
}

/// `GET /oauth2/style.css`.
pub(crate) fn stylesheet(_: &Config) -> Value {
    json!({
        "operationId": "readStylesheet",
        "summary": "How the pages look.",
        "tags": ["pages"],
        "responses": { "200": {
            "description": "The stylesheet.",
            "content": { "text/css": { "schema": { "type": "string" } } },
        } },
    })
}
