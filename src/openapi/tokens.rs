//! What a grant is exchanged for, the end of tokens, and what resources ask about them.

use serde_json::{Map, Value, json};

use super::{add_errors, answers, form, json_answer, schema};
use crate::{
    config::Config,
    token::{BODY_BYTES_MAX, introspection_schema, refusals, token_response_schema},
};

/// How a protected resource proves itself.
pub(super) const RESOURCE: &str = "resource";

pub(super) fn add_schemas(config: &Config, schemas: &mut Map<String, Value>) {
    let mut add = |name: &str, schema| drop(schemas.insert(name.to_owned(), schema));
    add("AuthorizationCodeTokenRequest", for_a_code());
    add("RefreshTokenRequest", for_a_refresh_token());
    add("TokenResponse", token_response_schema());
    add("RevocationRequest", for_a_token(&[client_id()]));
    if config.introspects() {
        add("IntrospectionRequest", for_a_token(&[]));
        add("IntrospectionResponse", introspection_schema());
    }
}

/// `POST /oauth2/token`.
pub(crate) fn token(config: &Config) -> Value {
    let request = json!({ "oneOf": [schema("AuthorizationCodeTokenRequest"), schema("RefreshTokenRequest")] });
    let answer = json_answer("The tokens.", &schema("TokenResponse"), &[]);
    let mut responses = answers([("200", answer)]);
    add_errors(&mut responses, refusals::of_token_endpoint(config));
    json!({
        "operationId": "exchange",
        "summary": "Exchange a code or a refresh token for tokens (RFC 6749 §3.2).",
        "description": "Clients are public: they say who they are, by `client_id` or as the user of HTTP Basic \
            authentication, and prove nothing.",
        "tags": ["tokens"],
        "requestBody": form(&request, BODY_BYTES_MAX),
        "responses": responses,
    })
}

/// `POST /oauth2/revoke`.
pub(crate) fn revoke(config: &Config) -> Value {
    let nothing = json!({ "type": "object", "maxProperties": 0, "examples": [{}] });
    let said = "The grant that the token came from has ended, and every token of it; or there was nothing to end.";
    let mut responses = answers([("200", json_answer(said, &nothing, &[]))]);
    add_errors(&mut responses, refusals::of_revocation(config));
    json!({
        "operationId": "revoke",
        "summary": "Give up a token, and what it came from (RFC 7009).",
        "tags": ["tokens"],
        "requestBody": form(&schema("RevocationRequest"), BODY_BYTES_MAX),
        "responses": responses,
    })
}

/// `POST /oauth2/introspect`, there where a resource of the settings has a secret.
pub(crate) fn introspect(config: &Config) -> Value {
    let said = "What the token allows; of one that is not good, or meant for another resource, nothing is told.";
    let answer = json_answer(said, &schema("IntrospectionResponse"), &[]);
    let mut responses = answers([("200", answer)]);
    add_errors(&mut responses, refusals::of_introspection(config));
    json!({
        "operationId": "introspect",
        "summary": "Ask about a token, as the resource it is meant for (RFC 7662).",
        "tags": ["tokens"],
        "security": [{ (RESOURCE): [] }],
        "requestBody": form(&schema("IntrospectionRequest"), BODY_BYTES_MAX),
        "responses": responses,
    })
}

fn client_id() -> (&'static str, Value) {
    let said = "Who asks; needed unless `Authorization` says it.";
    ("client_id", json!({ "type": "string", "description": said }))
}

fn resource() -> (&'static str, Value) {
    let said = "Some of the resources that were allowed (RFC 8707); all when there is none. May be repeated.";
    ("resource", json!({ "type": "array", "items": { "type": "string" }, "description": said }))
}

fn object<'name>(
    required: &[&str],
    properties: impl IntoIterator<Item = (&'name str, Value)>,
) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn for_a_code() -> Value {
    object(
        &["grant_type", "code", "code_verifier"],
        [
            ("grant_type", json!({ "const": "authorization_code" })),
            ("code", json!({ "type": "string" })),
            (
                "code_verifier",
                json!({ "type": "string", "pattern": "^[A-Za-z0-9._~-]{43,128}$", "description": "RFC 7636 §4.1." }),
            ),
            (
                "redirect_uri",
                json!({ "type": "string", "description": "When it is sent, the one of the authorization request." }),
            ),
            client_id(),
            resource(),
        ],
    )
}

fn for_a_refresh_token() -> Value {
    object(
        &["grant_type", "refresh_token"],
        [
            ("grant_type", json!({ "const": "refresh_token" })),
            ("refresh_token", json!({ "type": "string" })),
            (
                "scope",
                json!({ "type": "string", "description": "Some of what was allowed; all of it without." }),
            ),
            client_id(),
            resource(),
        ],
    )
}

fn for_a_token(more: &[(&'static str, Value)]) -> Value {
    let own = [
        (
            "token",
            json!({ "type": "string", "description": "An access token or a refresh token." }),
        ),
        (
            "token_type_hint",
            json!({ "type": "string", "description": "Passed over: a token says what it is." }),
        ),
    ];
    object(&["token"], own.into_iter().chain(more.iter().cloned()))
}
