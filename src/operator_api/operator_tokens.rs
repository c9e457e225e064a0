//! Operator tokens: list, create, revoke.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    credentials::{Wanted, body_schema, created_schema, resource_schema},
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
};
use crate::{
    operator::{OperatorScope, OperatorToken, OperatorTokenId, Role, token_name},
    store::OperatorTokenRecord,
};

const TYPE: &str = "oauth2_operator_tokens";

/// `GET /api/v2/oauth2/operator_tokens`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "listOAuth2OperatorTokens",
    summary: "List operator tokens in the order of their creation, expired ones too; never the tokens themselves.",
    parameters: &[CURSOR, LIMIT],
    body: None,
    schema: Some(|| page::schema(&schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `POST /api/v2/oauth2/operator_tokens`
pub(crate) const CREATE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "createOAuth2OperatorToken",
    summary: "Create an operator token. The answer has the token, and no other answer does.",
    parameters: &[],
    body: Some(|| {
        let role =
            json!({ "enum": Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>() });
        let expires_at = json!({
            "type": ["string", "null"],
            "format": "date-time",
            "description": "In 90 days if absent; null for never.",
        });
        let name = json!({ "type": "string", "maxLength": 100, "description": "The name that audit events show." });
        let properties = json!({ "name": name, "role": role, "expires_at": expires_at });
        body_schema(
            TYPE,
            &["name", "role"],
            &properties,
            &json!({ "name": "CI", "role": "viewer" }),
        )
    }),
    schema: Some(|| created_schema(schema(), "dwo_AZqntQxEehCPLl1se4qQE3...")),
    refusals: &[StatusCode::CONFLICT],
    handler: handler!(create),
};

/// `DELETE /api/v2/oauth2/operator_tokens/{operator_token_id}`
pub(crate) const REVOKE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2OperatorToken",
    summary: "Revoke an operator token: the next call with it fails.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(revoke),
};

fn resource(token: &OperatorTokenRecord) -> Value {
    json!({
        "id": token.operator_token_id.to_string(),
        "type": TYPE,
        "attributes": {
            "name": token.name,
            "role": token.role.as_str(),
            "created_at": moment(Some(token.created_at)),
            "expires_at": moment(token.expires_at),
            "used_at": moment(token.used_at),
        },
    })
}

fn schema() -> Value {
    let (text, optional) = (json!({ "type": "string" }), json!({ "type": ["string", "null"] }));
    let properties = json!({
        "name": text,
        "role": text,
        "created_at": text,
        "expires_at": optional,
        "used_at": optional,
    });
    let example = json!({
        "name": "CI",
        "role": "viewer",
        "created_at": "2027-01-15T14:05:00Z",
        "expires_at": "2027-04-15T14:05:00Z",
        "used_at": null,
    });
    resource_schema(TYPE, &properties, &example)
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let after: Option<OperatorTokenId> = page.after()?;
    let found = request.app.store.operator_tokens(after, page.limit + 1).await?;
    Ok(page.answer(&request, found, |token| token.operator_token_id.to_string(), resource))
}

async fn create(request: Request<'_>) -> Result<Answer, ApiError> {
    let wanted = Wanted::of(&request.body, TYPE, &["name", "role", "expires_at"])?;
    let name = wanted.required("name", "one line of at most 100 characters", |value| {
        token_name(value.as_str()?).ok()
    })?;
    let role = wanted.required("role", "viewer, operator, or admin", |value| {
        value.as_str()?.parse::<Role>().ok()
    })?;
    let expires_at = wanted.expires_at(request.now, 90)?;
    let token = OperatorToken::generate(request.now, &request.app.entropy);
    let record = OperatorTokenRecord {
        operator_token_id: token.id,
        name,
        role,
        hash: token.secret.hash(),
        created_at: request.now,
        expires_at,
        used_at: None,
    };
    let store = &request.app.store;
    if !store.create_operator_token(record.clone(), request.author()).await? {
        let detail = format!("There is already an operator token named {}.", record.name);
        return Err(ApiError::Conflict { pointer: "/data/attributes/name", detail });
    }
    let mut created = resource(&record);
    created["attributes"]["token"] = token.to_string().into();
    Ok(Answer::one(&created).created())
}

/// The parameter of the path.
const OPERATOR_TOKEN_ID: &str = "operator_token_id";

async fn revoke(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.id(OPERATOR_TOKEN_ID)?;
    let outcome = request.app.store.revoke_operator_token(id, request.author()).await?;
    Answer::deleted(outcome, "operator token")
}
