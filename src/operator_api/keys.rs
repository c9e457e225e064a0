//! The keys that sign access tokens: list, make another one sign, discard.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page,
};
use crate::{
    audit::Actor,
    keys::{KeyUse, KeysError, uses},
    operator::OperatorScope,
    store::KeyRecord,
};

const TYPE: &str = "oauth2_keys";

/// `GET /api/v2/oauth2/keys`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "listOAuth2Keys",
    summary: "List the keys that sign access tokens, oldest first; never the private keys.",
    parameters: &[],
    body: None,
    schema: Some(|| {
        json!({ "type": "object", "required": ["data"], "properties": {
            "data": { "type": "array", "items": resource_schema() },
        } })
    }),
    refusals: &[],
    handler: handler!(list),
};

/// `POST /api/v2/oauth2/keys`
pub(crate) const ROTATE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "createOAuth2Key",
    summary: "Make another key. Servers publish it within a minute, and sign with it after a day. No token becomes invalid.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY],
    handler: handler!(rotate),
};

/// `DELETE /api/v2/oauth2/keys/{key_id}`
pub(crate) const DISCARD: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2Key",
    summary: "Discard a key that others have seen: access tokens that it signed become invalid. Servers notice within a \
        minute; without a key, they make one that signs at once.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(discard),
};

fn resource(key: &KeyRecord, used: KeyUse) -> Value {
    json!({
        "id": key.key_id,
        "type": TYPE,
        "attributes": {
            "alg": key.algorithm,
            "made_at": moment(Some(key.made_at)),
            "use": used.as_str(),
        },
    })
}

fn resource_schema() -> Value {
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "description": "Its `kid` at the address of the JWK Set." },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["alg", "made_at", "use"],
                "properties": {
                    "alg": { "type": "string" },
                    "made_at": { "type": "string" },
                    "use": { "enum": KeyUse::ALL.map(KeyUse::as_str) },
                    "signs_from": {
                        "type": "string",
                        "description": "When it begins to sign; only in the answer that made it.",
                    },
                },
            },
        },
        "examples": [{
            "id": "4pFLUtnkYBcYyXb_KGmCXM8SQXsTTkRdMSUS-XWjTns",
            "type": TYPE,
            "attributes": {
                "alg": "ES256",
                "made_at": "2027-01-15T14:05:00Z",
                "use": KeyUse::Signs.as_str(),
            },
        }],
    })
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let keys = request.app.store.keys().await?;
    let used = uses(&keys, request.now);
    let data: Vec<Value> = keys.iter().zip(used).map(|(key, used)| resource(key, used)).collect();
    Ok(Answer::ok(json!({ "data": data })))
}

async fn rotate(request: Request<'_>) -> Result<Answer, ApiError> {
    let (app, author) = (request.app, request.author());
    let made = app.keys.rotate(&app.store, &author).await.map_err(|error| match error {
        KeysError::Store(error) => error.into(),
        error => ApiError::Unprocessable { pointer: "", detail: format!("{error}.") },
    })?;
    let signs_from = made.signs_from.to_rfc3339();
    if !made.is_new {
        let (id, algorithm) = (&made.key_id, &made.algorithm);
        let detail = format!("Key {id} ({algorithm}) waits already, and signs from {signs_from}.");
        return Err(ApiError::Conflict { pointer: "", detail });
    }
    follow(&request).await;
    let key = KeyRecord {
        key_id: made.key_id,
        algorithm: made.algorithm,
        made_at: author.at,
        sealed: Vec::new(),
    };
    let mut resource = resource(&key, KeyUse::SignsNext);
    resource["attributes"]["signs_from"] = signs_from.into();
    Ok(Answer::one(&resource).created())
}

async fn discard(request: Request<'_>) -> Result<Answer, ApiError> {
    let (id, store) = (request.path("key_id")?, &request.app.store);
    if !store.keys().await?.iter().any(|key| key.key_id == id) {
        return Err(ApiError::NotFound("key"));
    }
    store.forget_key(id, request.author()).await?;
    follow(&request).await;
    Ok(Answer::nothing())
}

/// Lets this node follow at once; the others look within a minute. What fails here is tried again then.
async fn follow(request: &Request<'_>) {
    let app = request.app;
    let _followed = app.keys.upkeep(&app.store, &app.system(Actor::System)).await;
}
