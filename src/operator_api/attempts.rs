//! Attempts: why clients fail.

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
use crate::{attempt::AttemptReason, operator::OperatorScope, store::AttemptRecord};

const TYPE: &str = "oauth2_attempts";

const REASON: &str = "filter[reason]";
const NETWORK: &str = "filter[source_network]";
const TARGET: &str = "filter[target]";

/// `GET /api/v2/oauth2/attempts`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::AuditRead),
    id: "listOAuth2Attempts",
    summary: "List refused registrations, authorizations, and token requests by reason, target, and network, the latest \
        first. Counts are at most 30 seconds old.",
    parameters: &[
        Parameter { name: REASON, about: "Only attempts refused for this reason." },
        Parameter { name: TARGET, about: "Only attempts about this family or destination." },
        Parameter { name: NETWORK, about: "Only attempts from this network, as lists show it." },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

fn resource(row: &AttemptRecord) -> Value {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "id": row.id().to_string(),
        "type": TYPE,
        "attributes": {
            "reason": row.reason,
            "target": known(&row.target),
            "source_network": known(&row.network),
            "attempts": row.attempts,
            "first_at": moment(Some(row.first_at)),
            "last_at": moment(Some(row.last_at)),
            "last_request_id": row.request_id,
            "advice": row.advice(),
        },
    })
}

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let optional =
        |description: &str| json!({ "type": ["string", "null"], "description": description });
    let reasons: Vec<&str> = AttemptReason::ALL.iter().map(|reason| reason.as_str()).collect();
    let properties = json!({
        "reason": { "type": "string", "description": format!("{}.", reasons.join(", ")) },
        "target": optional("The family of the client, or the destination of the request."),
        "source_network": optional("An IPv4 /24 or an IPv6 /48, if addresses are stored."),
        "attempts": { "type": "integer" },
        "first_at": text,
        "last_at": text,
        "last_request_id": text,
        "advice": optional("What the operator or the developer of the client does about it."),
    });
    let mut schema = document::resource_schema(
        TYPE,
        &[
            "reason",
            "target",
            "source_network",
            "attempts",
            "first_at",
            "last_at",
            "last_request_id",
            "advice",
        ],
        &properties,
    );
    schema["examples"] = json!([{
        "id": "3c1f5d43-6a2e-8b1d-9c55-0d7a5be2f0aa",
        "type": TYPE,
        "attributes": {
            "reason": AttemptReason::TokenVerifier.as_str(),
            "target": "claude code@loopback",
            "source_network": "192.0.2.0/24",
            "attempts": 212,
            "first_at": "2027-01-15T08:00:00Z",
            "last_at": "2027-01-15T14:05:00Z",
            "last_request_id": "4bf92f3577b34da6",
            "advice": AttemptReason::TokenVerifier.advice(),
        },
    }]);
    schema
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let reason: Option<AttemptReason> =
        request.query.parsed(REASON, "a reason that the description names")?;
    let [target, network] = [TARGET, NETWORK].map(|name| request.query.text(name));
    let (target, network) = (target?, network?);
    let filter = |row: &AttemptRecord| {
        reason.is_none_or(|reason| row.reason == reason.as_str())
            && target.is_none_or(|target| row.target == target)
            && network.is_none_or(|network| row.network == network)
    };
    let found = request.app.store.attempts_page(filter, page.after()?, page.limit + 1).await?;
    Ok(page.answer(&request, found, |row| row.place().to_string(), resource))
}
