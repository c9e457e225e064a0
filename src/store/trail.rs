//! The trail: audit events, and registrations, which are events by their own records. Both are merged by identifier,
//! which sorts by time.

use serde_json::json;

use super::{
    ClientRecord, EventRecord, EventsOf, Store, StoreError,
    column::{Value, first_after},
    events::before,
    statements::clients,
};
use crate::{
    audit::{Action, ActorKind, EventId},
    client::{ClientId, ClientIdentifier, ClientMetadata, ClientName},
    family::FamilyKey,
};

impl Store {
    /// At most `limit` events and registrations, of one action where `action` is given, in the order of their identifiers,
    /// beginning after `after` and not behind `last`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trail(
        &self,
        action: Option<Action>,
        after: Option<EventId>,
        last: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let events = match action {
            Some(Action::ClientRegistered) => Vec::new(),
            _ => self.events(action, after, last, limit).await?,
        };
        let registrations = match first_after(after) {
            Some(first) if has_registrations(action) => {
                let parameters = vec![Value::Id(first), before(last), Value::limit(limit)];
                self.select(&clients::SELECT_BETWEEN, parameters).await?
            }
            _ => Vec::new(),
        };
        let mut merged = merge(events, &registrations);
        merged.sort_unstable_by_key(|event| event.event_id);
        merged.truncate(limit);
        Ok(merged)
    }

    /// At most `limit` events and registrations, the newest first, beginning with the last one before `before`; about one
    /// thing where `of` is given. Of registrations, only those that `action` admits; of events, all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_trail(
        &self,
        of: Option<&EventsOf>,
        action: Option<Action>,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let events = match action {
            Some(Action::ClientRegistered) => Vec::new(),
            _ => self.newest_events(of, before, limit).await?,
        };
        let registrations = match of {
            _ if !has_registrations(action) => Vec::new(),
            None => {
                let parameters = vec![self::before(before), Value::limit(limit)];
                self.select(&clients::SELECT_NEWEST, parameters).await?
            }
            Some(EventsOf::Client(ClientIdentifier::Registered(id))) => {
                let found: Vec<ClientRecord> =
                    self.select(&clients::SELECT, vec![Value::Id(*id.as_bytes())]).await?;
                let is_before = |client: &ClientRecord| {
                    before.is_none_or(|before| event_id(client.client_id) < before)
                };
                found.into_iter().filter(is_before).collect()
            }
            Some(
                EventsOf::Client(_)
                | EventsOf::Family(_)
                | EventsOf::Grant(_)
                | EventsOf::Subject(_),
            ) => Vec::new(),
        };
        let mut merged = merge(events, &registrations);
        merged.sort_unstable_by_key(|event| std::cmp::Reverse(event.event_id));
        merged.truncate(limit);
        Ok(merged)
    }
}

/// Whether registrations pass a filter of actions.
const fn has_registrations(action: Option<Action>) -> bool {
    matches!(action, None | Some(Action::ClientRegistered))
}

fn merge(mut events: Vec<EventRecord>, registrations: &[ClientRecord]) -> Vec<EventRecord> {
    events.extend(registrations.iter().map(EventRecord::registration));
    events
}

/// A registration goes by the identifier of its client.
fn event_id(client: ClientId) -> EventId {
    EventId::from_bytes(*client.as_bytes())
}

impl EventRecord {
    /// The registration of a client, as its record tells it.
    pub fn registration(client: &ClientRecord) -> Self {
        let metadata = serde_json::from_str::<ClientMetadata>(&client.metadata).ok();
        let name = metadata.as_ref().and_then(|metadata| metadata.client_name.as_ref());
        let flags = Some(client.flags.names()).filter(|flags| !flags.is_empty());
        let detail = json!({
            "name": name.map(ClientName::as_str),
            "profile": client.profile.as_str(),
            "flags": flags,
        });
        let by_operator = client.registration.operator();
        Self {
            event_id: event_id(client.client_id),
            at: client.issued_at,
            action: Action::ClientRegistered,
            actor_kind: if by_operator.is_some() { ActorKind::Operator } else { ActorKind::Client },
            actor: Some(by_operator.map_or_else(|| client.client_id.to_string(), str::to_owned)),
            actor_role: None,
            actor_client: None,
            client: Some(ClientIdentifier::Registered(client.client_id)),
            family: metadata.as_ref().map(|metadata| FamilyKey::of(metadata).id()),
            grant_id: None,
            subject: None,
            source: client.source,
            request_id: None,
            detail: Some(detail.to_string()),
        }
    }
}
