//! Audit events, as the documented audit API of the family answers them.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    authentication::Needs,
    document::{self, Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, Page},
    query::Parameter,
};
use crate::{
    audit::EventId,
    event_json::event_json,
    operator::OperatorScope,
    store::{EventFilter, EventOrder, EventRecord, TrailPage},
};

/// `GET /api/v2/audit/events`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::AuditRead),
    id: "listAuditEvents",
    summary: "List audit events, newest first unless `sort` says otherwise.",
    parameters: &[
        Parameter {
            name: QUERY,
            about: "Terms such as `@action:grant.reused`, all of which must match: `@action`, `@actor.id`, \
                `@client_id`, `@family`, `@grant_id`, and `@sub`. A value with spaces stands in double quotes.",
        },
        Parameter { name: "filter[from]", about: "At this time or later (RFC 3339)." },
        Parameter { name: "filter[to]", about: "Before this time (RFC 3339)." },
        Parameter {
            name: "sort",
            about: "`timestamp`, `-timestamp`, or `stored`: in the order in which they were stored, whatever clocks say, \
                from now on. With `stored`, the first answer has no events; each answer has `meta.page.after`, to ask \
                again with later. No event is left out. When the last clients are removed, registrations before them may come a second time.",
        },
        CURSOR,
        Parameter { name: "page[limit]", about: "How many at most: 1 to 1000; 10 if omitted." },
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

const QUERY: &str = "filter[query]";

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::with_limit(&request, 10, 1_000)?;
    let mut filter = EventFilter {
        since: request.query.moment("filter[from]")?,
        until: request.query.moment("filter[to]")?,
        ..EventFilter::default()
    };
    for (name, value) in terms(request.query.text(QUERY)?.unwrap_or_default())? {
        narrow(&mut filter, name, &value)?;
    }
    filter.order = match request.query.text("sort")? {
        None | Some("-timestamp") => EventOrder::NewestFirst,
        Some("timestamp") => EventOrder::OldestFirst,
        Some("stored") => return list_as_stored(&request, &page, &filter).await,
        Some(_) => {
            let detail = "The value must be timestamp, -timestamp, or stored.";
            return Err(ApiError::parameter("sort", detail));
        }
    };
    let after: Option<EventId> = page.after()?;
    let look = request.app.store.look_for_events(&filter, after, page.limit + 1).await?;
    let next = look.next.map(|id| id.to_string());
    Ok(page.answer_behind(
        &request,
        (look.events, next),
        |event| event.event_id.to_string(),
        resource,
    ))
}

/// Lists what was stored behind the cursor; without one, only says where to go on.
async fn list_as_stored(
    request: &Request<'_>,
    page: &Page<'_>,
    filter: &EventFilter,
) -> Result<Answer, ApiError> {
    let store = &request.app.store;
    let found = match page.after()? {
        None => TrailPage { entries: Vec::new(), place: store.trail_end().await? },
        Some(place) => store.follow_trail(place, page.limit).await?.ok_or_else(page::bad_cursor)?,
    };
    let has_more = !found.entries.is_empty();
    let events = found.entries.iter().map(|entry| &entry.event);
    let events = events.filter(|event| filter.admits(event)).map(resource);
    let data: Vec<Value> = events.collect();
    Ok(page::answer_until(request, &data, &found.place.to_string(), has_more))
}

fn bad_query(detail: String) -> ApiError {
    ApiError::parameter(QUERY, detail)
}

/// Splits a query into names and values.
fn terms(text: &str) -> Result<Vec<(&str, String)>, ApiError> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = rest
            .split_once(':')
            .ok_or_else(|| bad_query(format!("{rest} is not a term: write @name:value")))?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| bad_query("A quotation mark is missing.".to_owned()))?,
            None => value.split_once(' ').unwrap_or((value, "")),
        };
        let name = name.trim_start_matches('@');
        if terms.iter().any(|(known, _)| *known == name) {
            return Err(bad_query(format!("@{name} is there twice.")));
        }
        terms.push((name, value.to_owned()));
        rest = after.trim_start();
    }
    Ok(terms)
}

fn narrow(filter: &mut EventFilter, name: &str, value: &str) -> Result<(), ApiError> {
    fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<Option<T>, ApiError> {
        let refused = |_| bad_query(format!("{value} cannot be the value of @{name}."));
        value.parse().map(Some).map_err(refused)
    }
    match name {
        "action" => filter.action = parsed(name, value)?,
        "actor.id" => filter.actor = Some(value.to_owned()),
        "client_id" => filter.client = parsed(name, value)?,
        "family" => filter.family = parsed(name, value)?,
        "grant_id" => filter.grant = parsed(name, value)?,
        "sub" => filter.subject = Some(value.to_owned()),
        _ => return Err(bad_query(format!("Events have no @{name}."))),
    }
    Ok(())
}

fn resource(event: &EventRecord) -> Value {
    let of_kind = format!("actor_type:{}", event.actor_kind);
    json!({
        "id": event.event_id.to_string(),
        "type": "audit",
        "attributes": {
            "timestamp": moment(Some(event.at)),
            "service": "doorward",
            "message": event.action.as_str(),
            "tags": [format!("action:{}", event.action), of_kind],
            "attributes": event_json(event),
        },
    })
}

fn resource_schema() -> Value {
    let text = json!({ "type": "string" });
    let properties = json!({
        "timestamp": text,
        "service": { "const": "doorward" },
        "message": { "type": "string", "description": "The action." },
        "tags": { "type": "array", "items": text },
        "attributes": { "type": "object", "description": "The event, as `doorward audit` writes it." },
    });
    let mut schema = document::resource_schema(
        "audit",
        &["timestamp", "service", "message", "tags", "attributes"],
        &properties,
    );
    schema["examples"] = json!([{
        "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
        "type": "audit",
        "attributes": {
            "timestamp": "2027-01-15T14:05:00Z",
            "service": "doorward",
            "message": "client.suspended",
            "tags": ["action:client.suspended", "actor_type:operator"],
            "attributes": {
                "id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e",
                "time": "2027-01-15T14:05:00Z",
                "action": "client.suspended",
                "outcome": "success",
                "actor": { "type": "operator", "id": "oncall", "role": "operator" },
                "client_id": "019aa7b4-5a1c-7bd1-b0ff-000000000001",
                "detail": { "reason": "Ticket 4711" },
            },
        },
    }]);
    schema
}
