//! Sessions of people: list, end.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{self, Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    query::Parameter,
};
use crate::{
    operator::OperatorScope,
    store::{SessionId, SessionRecord},
};

const TYPE: &str = "oauth2_sessions";

/// `GET /api/v2/oauth2/sessions`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2Sessions",
    summary: "List sessions in the order in which people signed in. A session is listed until minutes after its end.",
    parameters: &[
        Parameter {
            name: "filter[sub]",
            about: "Only sessions of this person, as access tokens name the person.",
        },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `DELETE /api/v2/oauth2/sessions/{session_id}`
pub(crate) const END: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "deleteOAuth2Session",
    summary: "End a session: the person has to sign in again in that browser. Grants go on.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND],
    handler: handler!(end),
};

fn resource(session: &SessionRecord) -> Value {
    json!({
        "id": session.session_id.to_string(),
        "type": TYPE,
        "attributes": {
            "sub": session.owner.subject,
            "name": session.owner.name,
            "email": session.owner.email,
            "signed_in_at": moment(Some(session.signed_in_at)),
            "idle_at": moment(Some(session.idle_at)),
            "expires_at": moment(Some(session.expires_at)),
        },
    })
}

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    let properties = json!({
        "sub": text,
        "name": optional,
        "email": optional,
        "signed_in_at": text,
        "idle_at": { "type": "string", "description": "When it ends unless it is used." },
        "expires_at": text,
    });
    let mut schema = document::resource_schema(
        TYPE,
        &["sub", "name", "email", "signed_in_at", "idle_at", "expires_at"],
        &properties,
    );
    schema["examples"] = json!([{
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": TYPE,
        "attributes": {
            "sub": "acme:248289761001",
            "name": "Ada Lovelace",
            "email": "ada@acme.example",
            "signed_in_at": "2027-01-15T08:00:00Z",
            "idle_at": "2027-01-15T20:00:00Z",
            "expires_at": "2027-01-22T08:00:00Z",
        },
    }]);
    schema
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let subject = request.query.text("filter[sub]")?;
    let after: Option<SessionId> = page.after()?;
    let found = request.app.store.sessions(subject, after, page.limit + 1).await?;
    Ok(page.answer(&request, found, |session| session.session_id.to_string(), resource))
}

/// The parameter of the path.
const SESSION_ID: &str = "session_id";

async fn end(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.id(SESSION_ID)?;
    let outcome = request.app.store.end_session(id, request.author()).await?;
    Answer::deleted(outcome, "session")
}
