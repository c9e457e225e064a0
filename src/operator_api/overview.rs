//! The numbers of the first page: clients, grants, and people.

use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
};
use crate::{operator::OperatorScope, store::Overview};

/// `GET /api/v2/oauth2/overview`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Overview",
    summary: "Count clients, grants, and people.",
    parameters: &[],
    body: None,
    schema: Some(schema),
    refusals: &[],
    handler: handler!(read),
};

const TYPE: &str = "oauth2_overview";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let Overview {
        clients,
        document_clients,
        pending,
        suspended,
        dormant,
        registered_last_day,
        registered_last_week,
        grants,
        people,
    } = request.app.store.overview(request.now).await?;
    Ok(Answer::one(&json!({
        "id": "overview",
        "type": TYPE,
        "attributes": {
            "clients": clients,
            "document_clients": document_clients,
            "pending": pending,
            "suspended": suspended,
            "dormant": dormant,
            "registered_last_day": registered_last_day,
            "registered_last_week": registered_last_week,
            "grants": grants,
            "people": people,
        },
    })))
}

fn schema() -> Value {
    let number =
        |description: &str| json!({ "type": "integer", "minimum": 0, "description": description });
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "const": "overview" },
            "type": { "const": TYPE },
            "attributes": { "type": "object", "properties": {
                "clients": number("Registered clients of every standing."),
                "document_clients": number("Clients with a metadata document that a person has allowed."),
                "pending": number("Clients that wait for an operator."),
                "suspended": number("Clients that an operator blocked."),
                "dormant": number("Clients that were not used for a long time."),
                "registered_last_day": number("Registrations of the last 24 hours whose clients exist."),
                "registered_last_week": number("The same of the last 7 days."),
                "grants": number("Grants that have not ended."),
                "people": number("People with such a grant."),
            } },
        },
    } } })
}
