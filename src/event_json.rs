//! An event as programs read it: the one JSON form of an event, in lists, exports, and webhooks.

use serde::Serialize;
use serde_json::Value;

use crate::{clock::Timestamp, store::EventRecord};

/// An event. Members are named as in the operator API.
#[derive(Serialize)]
pub(crate) struct EventJson<'a> {
    id: String,
    time: String,
    actor: ActorJson<'a>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
}

#[derive(Serialize)]
struct ActorJson<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// The JSON form of an event.
pub(crate) fn event_json(event: &EventRecord) -> EventJson<'_> {
    EventJson {
        id: event.event_id.to_string(),
        time: event.at.to_rfc3339(),
        actor: ActorJson {
            r#type: event.actor_kind.as_str(),
            id: event.actor.as_deref(),
            role: event.actor_role.as_deref(),
            client_id: event.actor_client.as_ref().map(ToString::to_string),
        },
        action: event.action.as_str(),
        client_id: event.client.as_ref().map(ToString::to_string),
        family: event.family.map(|family| family.to_string()),
        grant_id: event.grant_id.map(|grant| grant.to_string()),
        sub: event.subject.as_deref(),
        source: event.source.map(|source| source.to_string()),
        request_id: event.request_id.as_deref(),
        detail: event.detail.as_deref().and_then(detail),
    }
}

/// A stored detail without absent members, its times in RFC 3339. `None` for what is no JSON object.
fn detail(stored: &str) -> Option<Value> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(stored) else { return None };
    members.retain(|_, value| !value.is_null());
    for (name, value) in &mut members {
        if name.ends_with("_at")
            && let Some(millis) = value.as_u64()
        {
            *value = Timestamp::from_millis(millis).to_rfc3339().into();
        }
    }
    Some(Value::Object(members))
}
