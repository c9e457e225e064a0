//! The documented family for everyone: the sites, and the OpenID document.

use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
};

/// `GET /api/v2/oauth2/.well-known/sites`
pub(crate) const SITES: Operation = Operation {
    needs: Needs::Nothing,
    id: "getOAuth2WellKnownSites",
    summary: "List the sites: the host of this server.",
    parameters: &[],
    body: None,
    schema: Some(sites_schema),
    refusals: &[],
    handler: handler!(sites),
};

/// `GET /api/v2/oauth2/.well-known/openid-configuration`
pub(crate) const OPENID: Operation = Operation {
    needs: Needs::Nothing,
    id: "getOIDCDiscoveryDocument",
    summary: "The metadata of this server, as at /.well-known/openid-configuration.",
    parameters: &[],
    body: None,
    schema: Some(openid_schema),
    refusals: &[],
    handler: handler!(openid),
};

async fn sites(request: Request<'_>) -> Result<Answer, ApiError> {
    let issuer = &request.app.config.server.issuer;
    let host = issuer.split_once("://").map_or(&**issuer, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    Ok(Answer::one(&json!({ "id": "prod", "type": "env", "attributes": { "sites": [host] } })))
}

fn sites_schema() -> Value {
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "const": "prod" },
            "type": { "const": "env" },
            "attributes": { "type": "object", "required": ["sites"], "properties": {
                "sites": { "type": "array", "items": { "type": "string" } },
            } },
        },
    } }, "examples": [{ "data": {
        "id": "prod", "type": "env", "attributes": { "sites": ["door.example"] },
    } }] })
}

async fn openid(request: Request<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::ok(serde_json::from_slice(&request.app.metadata).unwrap_or_default()))
}

fn openid_schema() -> Value {
    json!({ "type": "object", "required": [
        "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
        "subject_types_supported", "id_token_signing_alg_values_supported",
    ], "examples": [{
        "issuer": "https://door.example",
        "authorization_endpoint": "https://door.example/oauth2/authorize",
        "token_endpoint": "https://door.example/oauth2/token",
        "jwks_uri": "https://door.example/oauth2/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }] })
}
