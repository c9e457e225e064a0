//! The numbers of the first page: clients, grants, and people.

use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
};
use crate::{
    clock::Timestamp,
    operator::OperatorScope,
    store::{Counts, Overview, Standings},
};

/// `GET /api/v2/oauth2/overview`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2Overview",
    summary: "Count clients, grants, and people; at most every 30 seconds.",
    parameters: &[],
    body: None,
    schema: Some(schema),
    refusals: &[],
    handler: handler!(read),
};

const TYPE: &str = "oauth2_overview";

/// For how long what was counted is good, in seconds.
const GOOD_SECONDS: u64 = 30;

/// What is counted now, or was a moment ago: one call counts, and those that come meanwhile wait for it.
async fn counted(request: &Request<'_>) -> Result<(Timestamp, Overview), ApiError> {
    let mut counted = request.app.overview.lock().await;
    if let Some((at, overview)) = &*counted
        && request.now < at.after_seconds(GOOD_SECONDS)
    {
        return Ok((*at, overview.clone()));
    }
    let overview = request.app.store.overview(request.now).await?;
    Ok(counted.insert((request.now, overview)).clone())
}

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    let (counted_at, overview) = counted(&request).await?;
    let Overview { counts, standings } = overview;
    let Standings { pending, suspended, dormant } = standings;
    let Counts {
        clients,
        document_clients,
        registered_last_day,
        registered_last_week,
        grants,
        people,
    } = counts;
    Ok(Answer::one(&json!({
        "id": "overview",
        "type": TYPE,
        "attributes": {
            "counted_at": moment(Some(counted_at)),
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
                "counted_at": { "type": "string", "format": "date-time" },
                "clients": number("Registered clients of every standing."),
                "document_clients": number("Clients with a metadata document that a person has allowed."),
                "pending": number("Clients of both kinds that wait for an operator."),
                "suspended": number("Clients of both kinds that an operator blocked, alone or with their family."),
                "dormant": number("Clients of both kinds that were not used for a long time."),
                "registered_last_day": number("Registrations of the last 24 hours whose clients exist."),
                "registered_last_week": number("The same of the last 7 days."),
                "grants": number("Grants that have not ended."),
                "people": number("People with such a grant."),
            } },
        },
    } }, "examples": [{ "data": { "id": "overview", "type": TYPE, "attributes": {
        "counted_at": "2027-01-15T14:05:00Z",
        "clients": 18_233,
        "document_clients": 4,
        "pending": 3,
        "suspended": 1,
        "dormant": 870,
        "registered_last_day": 412,
        "registered_last_week": 2_904,
        "grants": 5_120,
        "people": 731,
    } } }] })
}
