//! People: list, read, end all access.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    clients::Known,
    document::{self, Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
};
use crate::{
    operator::OperatorScope,
    store::{Authorization, EventsOf, Person, PersonChange},
};

const TYPE: &str = "oauth2_people";

/// How many apps of one person are shown.
const APPS_MAX: usize = 100;

/// `GET /api/v2/oauth2/people`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2People",
    summary: "List people who have signed in or allowed a client, by subject, for as long as a session, a grant, or a \
        remembered decision of theirs is stored.",
    parameters: &[CURSOR, LIMIT],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `GET /api/v2/oauth2/people/{subject}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Person",
    summary: "Read a person with the clients that they have authorized, also after all access has ended.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `DELETE /api/v2/oauth2/people/{subject}`
pub(crate) const END: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "deleteOAuth2Person",
    summary: "End all access of a person: every session, every grant, and every remembered decision. The provider may \
        let the person sign in again.",
    parameters: &[],
    body: None,
    schema: Some(ended_schema),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(end),
};

/// `DELETE /api/v2/oauth2/people/{subject}/data`
pub(crate) const FORGET: Operation = Operation {
    needs: Needs::Scope(OperatorScope::Admin),
    id: "deleteOAuth2PersonData",
    summary: "End all access of a person, and delete what the store has of them. Audit events keep the subject until \
        `audit.keep_days` have passed.",
    parameters: &[],
    body: None,
    schema: Some(ended_schema),
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(forget),
};

fn resource(person: &Person) -> Value {
    json!({
        "id": person.subject,
        "type": TYPE,
        "attributes": {
            "name": person.name,
            "email": person.email,
            "apps": person.apps,
            "grants": person.grants,
            "sessions": person.sessions,
            "consents": person.consents,
            "last_used_at": moment(person.used_at),
        },
    })
}

fn resource_schema() -> Value {
    let optional = json!({ "type": ["string", "null"] });
    let count = |description: &str| json!({ "type": "integer", "maximum": 1000, "description": description });
    json!({
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "description": "The subject: the `sub` of access tokens." },
            "type": { "const": TYPE },
            "attributes": {
                "type": "object",
                "required": ["name", "email", "apps", "grants", "sessions", "consents", "last_used_at"],
                "properties": {
                    "name": optional,
                    "email": optional,
                    "apps": count("Clients with a live grant, of the first 1,000 grants."),
                    "grants": count("Live grants, at most 1,000."),
                    "sessions": count("Sessions that last, at most 1,000."),
                    "consents": count("Remembered decisions, at most 1,000."),
                    "last_used_at": optional,
                    "authorized_clients": {
                        "type": "array",
                        "description": "At most 100; not in lists.",
                        "items": { "type": "object", "properties": {
                            "client_id": { "type": "string" },
                            "client_name": optional,
                            "scopes": { "type": "array", "items": { "type": "string" } },
                            "created_at": { "type": "string" },
                            "modified_at": { "type": "string" },
                            "last_exercised": optional,
                        } },
                    },
                },
            },
        },
        "examples": [{
            "id": "acme:248289761001",
            "type": TYPE,
            "attributes": {
                "name": "Ada Lovelace",
                "email": "ada@acme.example",
                "apps": 2,
                "grants": 3,
                "sessions": 1,
                "consents": 2,
                "last_used_at": "2027-01-15T14:05:00Z",
            },
        }],
    })
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let after = page.cursor.unwrap_or_default();
    let found = request.app.store.people(request.now, after, page.limit + 1).await?;
    Ok(page.answer(&request, found, |person| person.subject.clone(), resource))
}

/// The parameter of the path.
const SUBJECT: &str = "subject";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let (subject, store) = (request.path(SUBJECT)?, &request.app.store);
    let found = store.person(&subject, request.now).await?;
    if found.is_none() {
        let of = EventsOf::Subject(subject.clone());
        if store.newest_events(Some(&of), None, 1).await?.is_empty() {
            return Err(ApiError::NotFound("person"));
        }
    }
    let person = found.unwrap_or_else(|| Person::without_access(subject.clone()));
    let apps = store.authorizations_of_person(&subject, request.now, "", APPS_MAX).await?;
    let mut document = resource(&person);
    let mut clients = Vec::with_capacity(apps.len());
    for app in &apps {
        let client = Known::named(request.app, &app.client).await?;
        clients.push(authorized_client(app, client.as_ref()));
    }
    document["attributes"]["authorized_clients"] = clients.into();
    Ok(Answer::one(&document))
}

fn authorized_client(authorization: &Authorization, client: Option<&Known>) -> Value {
    json!({
        "client_id": authorization.client.to_string(),
        "client_name": client.and_then(Known::name),
        "scopes": authorization.scopes(),
        "created_at": moment(Some(authorization.created_at)),
        "modified_at": moment(Some(authorization.modified_at)),
        "last_exercised": moment(authorization.used_at),
    })
}

async fn end(request: Request<'_>) -> Result<Answer, ApiError> {
    end_access(&request, PersonChange::End).await
}

async fn forget(request: Request<'_>) -> Result<Answer, ApiError> {
    end_access(&request, PersonChange::Forget).await
}

async fn end_access(request: &Request<'_>, change: PersonChange) -> Result<Answer, ApiError> {
    let (subject, store) = (request.path(SUBJECT)?, &request.app.store);
    if store.person(&subject, request.now).await?.is_none() {
        return Err(ApiError::NotFound("person"));
    }
    let ended = store.end_access(&subject, change, &request.author(), &|_| {}).await?;
    Ok(Answer::counted(&json!({
        "sessions": ended.sessions,
        "grants": ended.grants,
        "consents": ended.consents,
    })))
}

fn ended_schema() -> Value {
    document::counted_schema(&json!({
        "sessions": "Sessions that ended.",
        "grants": "Grants that ended.",
        "consents": "Remembered decisions that were deleted.",
    }))
}
