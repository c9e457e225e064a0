//! Audit events.

use super::{
    EventRecord, Store, StoreError, change, changes,
    column::{Value, first_after},
    statements::events,
};
use crate::{
    audit::{Action, EventId},
    client::ClientIdentifier,
    family::FamilyId,
    grant::GrantId,
};

/// What events are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsOf {
    /// A client.
    Client(ClientIdentifier),
    /// A grant.
    Grant(GrantId),
    /// A family: decisions about it, and removals of its clients.
    Family(FamilyId),
    /// A person's access.
    Subject(String),
}

impl Store {
    /// Stores events about what changes nothing else.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_events(&self, events: Vec<EventRecord>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::record_events(change, &events))
    }

    /// At most `limit` events, of one action where `action` is given, in their order, beginning after `after` and not
    /// behind `last`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(
        &self,
        action: Option<Action>,
        after: Option<EventId>,
        last: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Vec::new()) };
        let action = Value::Text(action.map(|action| action.as_str().into()));
        let parameters = vec![Value::Id(first), before(last), action, Value::limit(limit)];
        self.select(&events::SELECT_PAGE, parameters).await
    }

    /// At most `limit` events, the newest first, beginning with the last one before `before`; about one thing where `of`
    /// is given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_events(
        &self,
        of: Option<&EventsOf>,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let rest = [self::before(before), Value::limit(limit)];
        let (statement, key) = match of {
            None => return self.select(&events::SELECT_NEWEST, rest.into()).await,
            Some(EventsOf::Client(client)) => {
                (&events::SELECT_OF_CLIENT, Value::text(&client.to_string()))
            }
            Some(EventsOf::Grant(id)) => (&events::SELECT_OF_GRANT, Value::Id(*id.as_bytes())),
            Some(EventsOf::Family(id)) => (&events::SELECT_OF_FAMILY, Value::Id(*id.as_bytes())),
            Some(EventsOf::Subject(subject)) => (&events::SELECT_OF_SUBJECT, Value::text(subject)),
        };
        self.select(statement, [key].into_iter().chain(rest).collect()).await
    }
}

pub(super) fn before(event: Option<EventId>) -> Value<'static> {
    event.map_or(Value::LAST, |event| Value::Id(*event.as_bytes()))
}
