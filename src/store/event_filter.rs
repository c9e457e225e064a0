//! Which events a search finds, and in which order.

use super::{EventRecord, EventsOf, Store, StoreError};
use crate::{
    audit::{Action, EventId},
    client::ClientIdentifier,
    clock::Timestamp,
    family::FamilyId,
    grant::GrantId,
};

/// Which events, in which order. An absent member admits every event.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only events about this client.
    pub client: Option<ClientIdentifier>,
    /// Only events about this grant.
    pub grant: Option<GrantId>,
    /// Only decisions about this family, and removals of its clients.
    pub family: Option<FamilyId>,
    /// Only events about this person's access.
    pub subject: Option<String>,
    /// Only events by this actor.
    pub actor: Option<String>,
    /// Only events of this action.
    pub action: Option<Action>,
    /// Only events at this time or later.
    pub since: Option<Timestamp>,
    /// Only events before this time.
    pub until: Option<Timestamp>,
    /// In which order.
    pub order: EventOrder,
}

/// The order of events.
#[derive(Clone, Copy, Debug, Default)]
pub enum EventOrder {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// The least number of events to read at once: a filter may let few of them through.
const READ_MIN: usize = 500;

/// How often one question reads.
const READS_MAX: usize = 3;

/// What one question found.
#[derive(Debug, Default)]
pub struct EventLook {
    /// Events that pass: fewer than were asked for, or none, where few do.
    pub events: Vec<EventRecord>,
    /// Behind which the list goes on; `None` at its end.
    pub next: Option<EventId>,
}

impl Store {
    /// At most `limit` events that pass `filter`, in its order, beginning after `after`. A page may hold fewer and not be
    /// the last: the last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_events(
        &self,
        filter: &EventFilter,
        mut after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        loop {
            let look = self.look_for_events(filter, after, limit).await?;
            if look.next.is_none() || !look.events.is_empty() {
                return Ok(look.events);
            }
            after = look.next;
        }
    }

    /// At most `limit` events that pass `filter`, in its order, beginning after `after`, among as many events as one
    /// question reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look_for_events(
        &self,
        filter: &EventFilter,
        mut after: Option<EventId>,
        limit: usize,
    ) -> Result<EventLook, StoreError> {
        let mut found = Vec::new();
        for _ in 0..READS_MAX {
            let events = filter.read(self, after, limit.max(READ_MIN)).await?;
            let Some(last) = events.last() else {
                return Ok(EventLook { events: found, next: None });
            };
            let is_over = filter.ends_at(last);
            after = Some(last.event_id).filter(|_| !is_over);
            found.extend(events.into_iter().filter(|event| filter.admits(event)));
            if found.len() > limit {
                found.truncate(limit);
                after = found.last().map(|event| event.event_id);
            }
            if is_over || found.len() == limit {
                break;
            }
        }
        Ok(EventLook { events: found, next: after })
    }
}

impl EventFilter {
    /// The next events in order, before the filter.
    async fn read(
        &self,
        store: &Store,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let [since, until] = [self.since, self.until].map(|time| time.map(first_at));
        match self.order {
            EventOrder::NewestFirst => {
                let of = self.narrowest();
                store.newest_trail(of.as_ref(), self.action, earlier(after, until), limit).await
            }
            EventOrder::OldestFirst => {
                store.trail(self.action, after.or(since), until, limit).await
            }
        }
    }

    /// The filter that lets the fewest events through, of those that the store has an index for.
    fn narrowest(&self) -> Option<EventsOf> {
        let grant = self.grant.map(EventsOf::Grant);
        let subject = || self.subject.clone().map(EventsOf::Subject);
        let family = || self.family.map(EventsOf::Family);
        let client = || self.client.clone().map(EventsOf::Client);
        grant.or_else(subject).or_else(client).or_else(family)
    }

    /// Whether an event passes.
    pub fn admits(&self, event: &EventRecord) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        is(self.client.as_ref(), event.client.as_ref())
            && is(self.grant.as_ref(), event.grant_id.as_ref())
            && is(self.subject.as_ref(), event.subject.as_ref())
            && is(self.family.as_ref(), event.family.as_ref())
            && (self.family.is_none() || event.action != Action::ClientRegistered)
            && is(self.actor.as_ref(), event.actor.as_ref())
            && is(self.action.as_ref(), Some(&event.action))
            && self.since.is_none_or(|since| since <= event.at)
            && self.until.is_none_or(|until| event.at < until)
    }

    /// Whether no event after this one can be admitted.
    fn ends_at(&self, event: &EventRecord) -> bool {
        match self.order {
            EventOrder::NewestFirst => self.since.is_some_and(|since| event.at < since),
            EventOrder::OldestFirst => self.until.is_some_and(|until| until <= event.at),
        }
    }
}

/// Sorts before every event at `time` or later, and after every earlier one.
fn first_at(time: Timestamp) -> EventId {
    const MILLIS_MAX: u128 = (1 << 48) - 1;
    let millis = u128::from(time.as_millis()).min(MILLIS_MAX);
    EventId::from_bytes((millis << 80).to_be_bytes())
}

fn earlier(one: Option<EventId>, other: Option<EventId>) -> Option<EventId> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
