//! Grants: list, read with their timeline, revoke.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    query::Parameter,
};
use crate::{
    audit::Action,
    client::Scope,
    grant::{GrantId, ResourceIndicator},
    operator::OperatorScope,
    store::{EventsOf, GrantFilter, GrantRecord},
    timeline::{EVENTS_MAX, in_order, timeline},
};

const TYPE: &str = "oauth2_grants";

/// `GET /api/v2/oauth2/grants`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2Grants",
    summary: "List what people have allowed clients, in the order of issue. A grant is listed until minutes after its end.",
    parameters: &[
        Parameter {
            name: "filter[client_id]",
            about: "Only grants to this client: its `client_id`.",
        },
        Parameter {
            name: "filter[sub]",
            about: "Only grants of this person, as access tokens name the person.",
        },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `GET /api/v2/oauth2/grants/{grant_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Grant",
    summary: "Read a grant and its timeline, also after its end.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `DELETE /api/v2/oauth2/grants/{grant_id}`
pub(crate) const REVOKE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "revokeOAuth2Grant",
    summary: "Revoke a grant: its code and its refresh tokens end at once.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(revoke),
};

fn resource(grant: &GrantRecord) -> Value {
    json!({
        "id": grant.grant_id.to_string(),
        "type": TYPE,
        "attributes": {
            "client_id": grant.client.to_string(),
            "sub": grant.subject,
            "scope": grant.scope.as_ref().map(Scope::as_str),
            "resources": grant.resources.iter().map(ResourceIndicator::as_str).collect::<Vec<_>>(),
            "issued_at": moment(Some(grant.issued_at)),
            "expires_at": moment(Some(grant.expires_at)),
            "is_redeemed": grant.code.redeemed_at.is_some(),
            "refresh_token_expires_at": moment(grant.refresh.as_ref().map(|it| it.expires_at)),
            "refreshes": grant.refreshes,
        },
    })
}

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "description": "Of a grant that has ended, only the timeline.",
                "properties": {
                    "client_id": text,
                    "sub": text,
                    "scope": optional,
                    "resources": { "type": "array", "items": text },
                    "issued_at": text,
                    "expires_at": text,
                    "is_redeemed": { "type": "boolean" },
                    "refresh_token_expires_at": optional,
                    "refreshes": { "type": "integer" },
                    "timeline": { "type": "array", "items": text, "description": "A sentence each; not in lists." },
                },
            },
        },
        "examples": [{
            "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
            "type": TYPE,
            "attributes": {
                "client_id": "019aa7b4-5a1c-7bd1-b0ff-000000000001",
                "sub": "acme:248289761001",
                "scope": "read write",
                "resources": ["https://tools.example/mcp"],
                "issued_at": "2027-01-15T14:05:00Z",
                "expires_at": "2027-04-15T14:05:00Z",
                "is_redeemed": true,
                "refresh_token_expires_at": "2027-02-14T14:05:00Z",
                "refreshes": 212,
                "timeline": ["Allowed on January 15, 2027, at 14:05."],
            },
        }],
    })
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let client = request
        .query
        .parsed("filter[client_id]", "a UUID in lower case, or the URL of a metadata document")?;
    let subject = request.query.text("filter[sub]")?.map(str::to_owned);
    let filter = GrantFilter { client, subject };
    let mut after: Option<GrantId> = page.after()?;
    let mut found: Vec<GrantRecord> = Vec::new();
    while found.len() <= page.limit {
        let wanted = page.limit + 1 - found.len();
        let grants = request.app.store.grants(&filter, after, wanted).await?;
        let Some(last) = grants.last() else { break };
        after = Some(last.grant_id);
        found.extend(grants);
    }
    Ok(page.answer(&request, found, |grant| grant.grant_id.to_string(), resource))
}

/// The parameter of the path.
const GRANT_ID: &str = "grant_id";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let (id, store) = (request.id(GRANT_ID)?, &request.app.store);
    let grant = store.grant(id).await?;
    let mut events = store.newest_events(Some(&EventsOf::Grant(id)), None, EVENTS_MAX).await?;
    if grant.is_none() && events.is_empty() {
        return Err(ApiError::NotFound("grant"));
    }
    in_order(&mut events);
    let ended = || json!({ "id": id.to_string(), "type": TYPE, "attributes": {} });
    let mut document = grant.as_ref().map_or_else(ended, resource);
    document["attributes"]["timeline"] = timeline(grant.as_ref(), &events, request.now).into();
    Ok(Answer::one(&document))
}

async fn revoke(request: Request<'_>) -> Result<Answer, ApiError> {
    let revoked = request
        .app
        .store
        .revoke_grant(request.id(GRANT_ID)?, Action::GrantRevoked, "by_operator", request.author())
        .await?;
    Answer::deleted(revoked, "grant")
}
