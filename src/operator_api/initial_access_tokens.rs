//! Initial access tokens (RFC 7591 §3): list, create, revoke.

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
    operator::OperatorScope,
    registration::{self, InitialAccessToken},
    store::{InitialAccessTokenId, InitialAccessTokenRecord},
};

const TYPE: &str = "oauth2_initial_access_tokens";

/// The most clients that can register with one token, as on the command line.
const USES_MAX: u64 = 1_000_000_000;

/// `GET /api/v2/oauth2/initial_access_tokens`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "listOAuth2InitialAccessTokens",
    summary: "List initial access tokens in the order of their creation, expired and used up ones too; never the tokens \
              themselves.",
    parameters: &[CURSOR, LIMIT],
    body: None,
    schema: Some(|| page::schema(&schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `POST /api/v2/oauth2/initial_access_tokens`
pub(crate) const CREATE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "createOAuth2InitialAccessToken",
    summary: "Create an initial access token. The answer has the token, and no other answer does.",
    parameters: &[],
    body: Some(|| {
        let word = |about: &str| json!({ "type": "string", "maxLength": 64, "description": about });
        let properties = json!({
            "name": word("Lower-case letters, digits, hyphens, and underscores; not `none`."),
            "policy": word("The policy by which admission rules know the token; its name if absent."),
            "uses_max": {
                "type": "integer",
                "minimum": 1,
                "maximum": USES_MAX,
                "description": "How many clients can register with it; 1 if absent.",
            },
            "expires_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "In 30 days if absent; null for never.",
            },
        });
        body_schema(TYPE, &["name"], &properties, &json!({ "name": "partners", "uses_max": 10 }))
    }),
    schema: Some(|| created_schema(schema(), "dwi_AZqntQxEehCPLl1se4qQE3...")),
    refusals: &[StatusCode::CONFLICT],
    handler: handler!(create),
};

/// `DELETE /api/v2/oauth2/initial_access_tokens/{initial_access_token_id}`
pub(crate) const REVOKE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2InitialAccessToken",
    summary: "Revoke an initial access token: no client can register with it any more. Clients that have stay.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(revoke),
};

fn resource(token: &InitialAccessTokenRecord) -> Value {
    json!({
        "id": token.initial_access_token_id.to_string(),
        "type": TYPE,
        "attributes": {
            "name": token.name,
            "policy": token.policy,
            "uses": token.uses,
            "uses_max": token.uses_max,
            "created_at": moment(Some(token.created_at)),
            "expires_at": moment(token.expires_at),
            "used_at": moment(token.used_at),
        },
    })
}

fn schema() -> Value {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let optional = json!({ "type": ["string", "null"] });
    let properties = json!({
        "name": text,
        "policy": text,
        "uses": number,
        "uses_max": number,
        "created_at": text,
        "expires_at": optional,
        "used_at": optional,
    });
    let example = json!({
        "name": "partners",
        "policy": "partners",
        "uses": 0,
        "uses_max": 10,
        "created_at": "2027-01-15T14:05:00Z",
        "expires_at": "2027-02-14T14:05:00Z",
        "used_at": null,
    });
    resource_schema(TYPE, &properties, &example)
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let after: Option<InitialAccessTokenId> = page.after()?;
    let found = request.app.store.initial_access_tokens(after, page.limit + 1).await?;
    let cursor = |token: &InitialAccessTokenRecord| token.initial_access_token_id.to_string();
    Ok(page.answer(&request, found, cursor, resource))
}

async fn create(request: Request<'_>) -> Result<Answer, ApiError> {
    let names = ["name", "policy", "uses_max", "expires_at"];
    let wanted = Wanted::of(&request.body, TYPE, &names)?;
    let word = |value: &Value| registration::token_word(value.as_str()?).ok();
    let expected = "1 to 64 lower-case letters, digits, hyphens, and underscores, and not none";
    let name = wanted.required("name", expected, word)?;
    let policy = wanted.member("policy", expected, word)?.unwrap_or_else(|| name.clone());
    let expected = format!("a whole number from 1 to {USES_MAX}");
    let uses_max = wanted.member("uses_max", &expected, |value| {
        value.as_u64().filter(|uses| (1..=USES_MAX).contains(uses))
    })?;
    let expires_at = wanted.expires_at(request.now, 30)?;
    let token = InitialAccessToken::generate(request.now, &request.app.entropy);
    let record = InitialAccessTokenRecord {
        initial_access_token_id: token.id,
        name,
        policy,
        hash: token.secret.hash(),
        created_at: request.now,
        expires_at,
        uses_max: uses_max.unwrap_or(1),
        uses: 0,
        used_at: None,
    };
    let store = &request.app.store;
    if !store.create_initial_access_token(record.clone(), request.author()).await? {
        let detail = format!("There is already an initial access token named {}.", record.name);
        return Err(ApiError::Conflict { pointer: "/data/attributes/name", detail });
    }
    let mut created = resource(&record);
    created["attributes"]["token"] = token.to_string().into();
    Ok(Answer::one(&created).created())
}

/// The parameter of the path.
const INITIAL_ACCESS_TOKEN_ID: &str = "initial_access_token_id";

async fn revoke(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.id(INITIAL_ACCESS_TOKEN_ID)?;
    let outcome = request.app.store.revoke_initial_access_token(id, request.author()).await?;
    Answer::deleted(outcome, "initial access token")
}
