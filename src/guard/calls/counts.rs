//! Counts of calls, in a table of a fixed size that people share.
//!
//! When all places are taken, a person with fewer than an equal part takes one from the person who has the most, and so does
//! a grant among those of its person. However many grants a person has, they take no place that others are entitled to.

use std::{collections::HashMap, sync::Arc};

use crate::{
    client::ClientIdentifier,
    clock::Timestamp,
    grant::GrantId,
    metrics::{GuardMetrics, GuardOutcome},
};

/// How many counts there are in all: together less than 16 MiB.
pub(super) const COUNTS_MAX: usize = 1 << 15;
/// How many counts one grant has. Further tools are counted together, without a name.
pub(super) const COUNTS_OF_GRANT_MAX: usize = 32;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    people: HashMap<Arc<str>, OfPerson>,
    places: usize,
}

#[derive(Debug, Default)]
struct OfPerson {
    grants: HashMap<GrantId, OfGrant>,
    places: usize,
}

#[derive(Debug)]
pub(super) struct OfGrant {
    pub(super) client: ClientIdentifier,
    pub(super) counts: Vec<Count>,
}

/// Who made a call: the subject, and the grant.
pub(super) type Holder<'a> = (&'a str, GrantId);

/// Where a count is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) subject: Arc<str>,
    pub(super) grant: GrantId,
}

/// How often a grant made one kind of call.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub(super) kind: Kind<Box<str>>,
    /// The scopes that the token lacks.
    pub(super) needs: Box<str>,
    /// Since the last event.
    pub(super) calls: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) stored_at: Option<Timestamp>,
    /// The calls that events have counted.
    pub(super) stored: u64,
    /// The metrics of the resource.
    metrics: Arc<GuardMetrics>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind<T> {
    /// The id of the guard.
    pub(super) resource: T,
    /// Empty for requests that call no tool, or one that the guard does not see.
    pub(super) tool: T,
    pub(super) outcome: GuardOutcome,
}

impl Kind<Box<str>> {
    pub(super) fn borrowed(&self) -> Kind<&str> {
        Kind { resource: &self.resource, tool: &self.tool, outcome: self.outcome }
    }
}

impl Count {
    /// The count of the first call of a kind.
    pub(super) fn new(
        kind: Kind<&str>,
        needs: Box<str>,
        metrics: &Arc<GuardMetrics>,
        now: Timestamp,
    ) -> Self {
        let Kind { resource, tool, outcome } = kind;
        Self {
            kind: Kind { resource: resource.into(), tool: tool.into(), outcome },
            needs,
            calls: 1,
            first_at: now,
            last_at: now,
            stored_at: None,
            stored: 0,
            metrics: Arc::clone(metrics),
        }
    }

    pub(super) fn add_one(&mut self, now: Timestamp) {
        if self.calls == 0 {
            self.first_at = now;
        }
        self.calls += 1;
        self.last_at = now.max(self.last_at);
    }

    /// Whether another event is due: about the first calls, when as many have come as were stored before, and about the
    /// others when the last event is from before then. A crash loses no more calls of a kind than its events count, and
    /// an event doubles what they count, so a thousand calls leave about ten.
    pub(super) fn is_due(&self, since: Timestamp) -> bool {
        let is_old = self.stored_at.is_none_or(|at| at <= since);
        self.calls > 0 && (is_old || self.calls >= self.stored)
    }

    /// Takes off calls that an event counts. Those since then stay noted.
    pub(super) fn take_off(&mut self, calls: u64, until: Timestamp, now: Timestamp) {
        self.calls = self.calls.saturating_sub(calls);
        self.stored = self.stored.saturating_add(calls);
        self.first_at = until;
        self.stored_at = Some(now);
    }
}

impl Counts {
    pub(super) fn get(&mut self, holder: Holder<'_>, kind: &Kind<&str>) -> Option<&mut Count> {
        let (subject, grant) = holder;
        let of_grant = self.people.get_mut(subject)?.grants.get_mut(&grant)?;
        of_grant.counts.iter_mut().find(|count| count.kind.borrowed() == *kind)
    }

    /// Whether a grant has places left for tools by their names.
    pub(super) fn may_name_more(&self, (subject, grant): Holder<'_>) -> bool {
        let of_grant = self.people.get(subject).and_then(|of| of.grants.get(&grant));
        of_grant.is_none_or(|of| of.counts.len() < COUNTS_OF_GRANT_MAX)
    }

    /// Whether the holder may add a count. When all places are taken, the one with the most loses one.
    pub(super) fn make_room(&mut self, (subject, grant): Holder<'_>) -> bool {
        if self.places < COUNTS_MAX {
            return true;
        }
        let own = self.people.get(subject);
        let places = own.map_or(0, |of| of.places);
        let people = self.people.len() + usize::from(own.is_none());
        if places < COUNTS_MAX / people {
            // Another person has more than an equal part.
            let most = self.people.iter().max_by_key(|(_, of)| of.places);
            let from = most.map(|(subject, _)| Arc::clone(subject));
            return from.is_some_and(|from| self.take_from(&from));
        }
        let may_take = own.is_some_and(|of| {
            let of_grant = of.grants.get(&grant);
            let grants = of.grants.len() + usize::from(of_grant.is_none());
            of_grant.map_or(0, |of| of.counts.len()) < places / grants
        });
        may_take && self.take_from(subject)
    }

    /// Frees a place of the grant of a person that has the most: the one with the fewest calls that are not stored.
    fn take_from(&mut self, subject: &str) -> bool {
        let Some(of_person) = self.people.get_mut(subject) else { return false };
        let most = of_person.grants.values_mut().max_by_key(|of| of.counts.len());
        let Some(of_grant) = most else { return false };
        let counts = of_grant.counts.iter().enumerate();
        let Some((nth, _)) = counts.min_by_key(|(_, count)| (count.calls, count.last_at)) else {
            return false;
        };
        let lost = of_grant.counts.swap_remove(nth);
        lost.metrics.calls_dropped.add(lost.calls);
        of_person.places -= 1;
        self.places -= 1;
        true
    }

    /// Adds a count, for which there is room.
    pub(super) fn insert(
        &mut self,
        (subject, grant): Holder<'_>,
        client: ClientIdentifier,
        count: Count,
    ) {
        let of_person = self.people.entry(subject.into()).or_default();
        let of_grant = of_person.grants.entry(grant);
        let of_grant = of_grant.or_insert_with(|| OfGrant { client, counts: Vec::new() });
        of_grant.counts.push(count);
        of_person.places += 1;
        self.places += 1;
    }

    /// Forgets kinds of calls of which nothing waits and nothing came since then.
    pub(super) fn drop_idle(&mut self, since: Timestamp) {
        let is_idle = |count: &Count| count.calls == 0 && count.last_at <= since;
        self.people.retain(|_, of_person| {
            of_person.grants.retain(|_, of| {
                of.counts.retain(|count| !is_idle(count));
                !of.counts.is_empty()
            });
            of_person.places = of_person.grants.values().map(|of| of.counts.len()).sum();
            of_person.places > 0
        });
        self.places = self.people.values().map(|of| of.places).sum();
    }

    /// The counts of each grant.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &OfGrant)> {
        self.people.iter().flat_map(|(subject, of_person)| {
            let place = |grant: &GrantId| Place { subject: Arc::clone(subject), grant: *grant };
            of_person.grants.iter().map(move |(grant, of)| (place(grant), of))
        })
    }
}
