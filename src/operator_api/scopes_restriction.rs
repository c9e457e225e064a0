//! The documented scopes restriction of a client: its scope ceiling.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    clients::{CLIENT_ID, Known},
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
};
use crate::{
    ceiling::Ceiling, client::Scope, json::pointer_step, operator::OperatorScope,
    store::ClientEdited,
};

const TYPE: &str = "scopes_restriction";
const UPSERT: &str = "upsert_scopes_restriction";
/// The scopes that the family keeps apart from permissions.
const OIDC: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// `GET /api/v2/oauth2/clients/{client_id}/scopes_restriction`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::AuthorizedAppsRead),
    id: "getScopesRestriction",
    summary: "Read which scopes a client may hold. `ETag` is the version of the client, for `If-Match`.",
    parameters: &[],
    body: None,
    schema: Some(schema),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `POST /api/v2/oauth2/clients/{client_id}/scopes_restriction`
pub(crate) const PUT: Operation = Operation {
    needs: Needs::Scope(OperatorScope::AuthorizedAppsWrite),
    id: "upsertScopesRestriction",
    summary: "Restrict the scopes of a client, which ends every grant with another scope.",
    parameters: &[],
    body: Some(body_schema),
    schema: Some(schema),
    refusals: &[StatusCode::NOT_FOUND, StatusCode::PRECONDITION_FAILED],
    handler: handler!(put),
};

/// `DELETE /api/v2/oauth2/clients/{client_id}/scopes_restriction`
pub(crate) const LIFT: Operation = Operation {
    needs: Needs::Scope(OperatorScope::AuthorizedAppsWrite),
    id: "deleteScopesRestriction",
    summary: "Let a client hold every scope; this adds nothing to existing grants.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::NOT_FOUND, StatusCode::PRECONDITION_FAILED],
    handler: handler!(lift),
};

fn schema() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["required_permission_scopes", "scopes_restriction"],
                "properties": {
                    "required_permission_scopes": { "type": "null" },
                    "scopes_restriction": {
                        "type": ["object", "null"],
                        "description": "The scopes that the client may hold; null without a restriction, and where only \
                            the forbidden scopes are known.",
                        "properties": { "oidc_scopes": texts, "permission_scopes": texts },
                    },
                    "ceiling": {
                        "type": ["object", "null"],
                        "description": "`only` or `except` with scopes.",
                    },
                },
            },
        },
    } }, "examples": [{ "data": {
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": TYPE,
        "attributes": {
            "required_permission_scopes": null,
            "scopes_restriction": { "oidc_scopes": ["openid"], "permission_scopes": ["read"] },
            "ceiling": { "only": ["openid", "read"] },
        },
    } }] })
}

fn body_schema() -> Value {
    let oidc = json!({ "type": "array", "items": { "enum": OIDC } });
    let permissions = json!({ "type": "array", "items": { "type": "string" } });
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["type", "attributes"],
        "properties": {
            "type": { "const": UPSERT },
            "attributes": {
                "type": "object",
                "description": "At least one of the two; the other is empty if omitted.",
                "properties": { "oidc_scopes": oidc, "permission_scopes": permissions },
            },
        },
    } }, "examples": [{ "data": {
        "type": UPSERT,
        "attributes": { "oidc_scopes": ["openid"], "permission_scopes": ["read"] },
    } }] })
}

/// The document of a client with a ceiling, or without, in the version of the client.
fn document(request: &Request<'_>, client: &Known) -> Answer {
    let ceiling = client.state().ceiling.as_ref();
    let allowed: Option<Vec<&str>> = match ceiling {
        None => None,
        Some(Ceiling::Only(tokens)) => Some(tokens.iter().map(String::as_str).collect()),
        // Without a catalogue, what is left cannot be listed.
        Some(ceiling @ Ceiling::Except(_)) => {
            let known = request.app.config.registration.scopes.iter();
            let known: Vec<&str> = known.map(|known| known.scope.as_str()).collect();
            let left = known.iter().copied().filter(|scope| ceiling.allows(scope)).collect();
            (!known.is_empty()).then_some(left)
        }
    };
    let restriction = allowed.map(|allowed| {
        let (oidc, permissions): (Vec<&str>, Vec<&str>) =
            allowed.into_iter().partition(|scope| OIDC.contains(scope));
        json!({ "oidc_scopes": oidc, "permission_scopes": permissions })
    });
    Answer::one(&json!({
        "id": client.id(),
        "type": TYPE,
        "attributes": {
            "required_permission_scopes": null,
            "scopes_restriction": restriction,
            "ceiling": ceiling,
        },
    }))
    .tagged(&client.state().version())
}

/// The client of the path.
async fn named(request: &Request<'_>) -> Result<Known, ApiError> {
    Known::find(request.app, &request.path(CLIENT_ID)?, CLIENT_ID).await
}

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    Ok(document(&request, &named(&request).await?))
}

async fn put(request: Request<'_>) -> Result<Answer, ApiError> {
    let client = named(&request).await?;
    restrict(&request, &client, Some(Ceiling::Only(scopes(&request)?))).await?;
    Ok(document(&request, &named(&request).await?))
}

async fn lift(request: Request<'_>) -> Result<Answer, ApiError> {
    restrict(&request, &named(&request).await?, None).await?;
    Ok(Answer::nothing())
}

async fn restrict(
    request: &Request<'_>,
    client: &Known,
    ceiling: Option<Ceiling>,
) -> Result<(), ApiError> {
    let (store, identifier) = (&request.app.store, client.identifier()?);
    let restricted = store
        .restrict_unchanged_client(&identifier, ceiling, request.versions(), request.author())
        .await?;
    match restricted {
        ClientEdited::Now => Ok(()),
        ClientEdited::Superseded => Err(ApiError::Superseded),
        ClientEdited::Is(_) | ClientEdited::NotThere => Err(ApiError::NotFound("client")),
    }
}

/// The scopes in the body.
fn scopes(request: &Request<'_>) -> Result<Vec<String>, ApiError> {
    let data = &request.body["data"];
    if data["type"].as_str() != Some(UPSERT) {
        return Err(ApiError::member("/data/type", format!("The value must be {UPSERT}.")));
    }
    let attributes = &data["attributes"];
    let lists = [("oidc_scopes", true), ("permission_scopes", false)];
    // With a typing error, the list that is missing would count as empty, and every grant with one of its scopes end.
    let mut names = attributes.as_object().into_iter().flat_map(|attributes| attributes.keys());
    if let Some(unknown) = names.find(|name| lists.iter().all(|(known, _)| known != name)) {
        let pointer = format!("/data/attributes/{}", pointer_step(unknown));
        return Err(ApiError::member(&pointer, "There is no such list of scopes."));
    }
    if lists.iter().all(|(name, _)| attributes[name].is_null()) {
        let detail = "oidc_scopes or permission_scopes is required.";
        return Err(ApiError::member("/data/attributes", detail));
    }
    let mut scopes = Vec::new();
    for (name, is_oidc) in lists {
        let pointer = format!("/data/attributes/{name}");
        let list = match &attributes[name] {
            Value::Null => continue,
            Value::Array(list) => list,
            _ => return Err(ApiError::member(&pointer, "The value must be a list of scopes.")),
        };
        for (nth, scope) in list.iter().enumerate() {
            let text = scope.as_str().unwrap_or_default();
            if !is_valid(request, text, is_oidc) {
                let detail = if is_oidc {
                    format!("The value must be one of {}.", OIDC.join(", "))
                } else {
                    "The value must be the name of a known scope.".to_owned()
                };
                return Err(ApiError::member(&format!("{pointer}/{nth}"), detail));
            }
            if !scopes.iter().any(|known| known == text) {
                scopes.push(text.to_owned());
            }
        }
    }
    Ok(scopes)
}

/// Whether a text names a scope: one of this API, or of the catalogue, if there is one.
fn is_valid(request: &Request<'_>, text: &str, is_oidc: bool) -> bool {
    if is_oidc {
        return OIDC.contains(&text);
    }
    let catalogue = &request.app.config.registration.scopes;
    let scope = Scope::parse(text).ok().flatten();
    scope.is_some_and(|scope| scope.tokens().count() == 1)
        && (catalogue.is_empty()
            || text.parse::<OperatorScope>().is_ok()
            || catalogue.iter().any(|known| known.scope == text))
}
