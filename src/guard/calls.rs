//! What clients do behind the guard: how often each grant called each tool, and with which outcome. Requests note it in
//! memory of a fixed size; batches bring it to the store as events: whenever the calls of a kind have doubled, and once a
//! day.
//!
//! Only requests with a valid token are noted. People share the memory (`counts.rs`).

mod counts;

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::json;

use self::counts::{Count, Counts, Kind, OfGrant, Place};
use super::{Authorized, Decided, Decision, Guarded, Tool};
use crate::{
    audit::{Action, Actor, Author},
    clock::Timestamp,
    metrics::{GuardOutcome, Label as _},
    store::{EventRecord, Store, StoreError},
};

/// The longest name of a tool, and the longest list of scopes, that is noted.
const CHARS_MAX: usize = 128;
/// How long calls of a kind wait for the next event about it at most.
const STORE_EVERY_DAYS: u64 = 1;
/// How many events one change stores.
const BATCH: usize = 500;

/// The calls that are noted.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    noted: Mutex<Counts>,
}

/// A count, on its way to the store.
struct Due {
    place: Place,
    count: Count,
    event: EventRecord,
}

impl Calls {
    /// Notes a request with a valid token.
    pub(super) fn note(
        &self,
        (guarded, authorized): (&Guarded, &Authorized),
        tool: Tool<'_>,
        decided: &Decided<'_>,
        now: Timestamp,
    ) {
        let tool = match tool {
            Tool::Called(name) => shortened(name),
            Tool::None | Tool::Hidden(_) => "",
        };
        let outcome = decided.decision.outcome();
        let kind = Kind { resource: &*guarded.settings.id, tool, outcome };
        let holder = (&*authorized.subject, authorized.grant);
        let mut noted = self.noted();
        if let Some(count) = noted.get(holder, &kind) {
            return count.add_one(now);
        }
        let unnamed = Kind { tool: "", ..kind };
        let kind = if noted.may_name_more(holder) { kind } else { unnamed };
        if let Some(count) = noted.get(holder, &kind) {
            return count.add_one(now);
        }
        if let Some(client) = authorized.client()
            && noted.make_room(holder)
        {
            let needs = match decided.decision {
                Decision::StepUp { .. } => lacking(guarded, authorized, decided.rule),
                _ => Box::default(),
            };
            return noted.insert(holder, client, Count::new(kind, needs, &guarded.metrics, now));
        }
        match noted.get(holder, &unnamed) {
            Some(count) => count.add_one(now),
            None => guarded.metrics.calls_dropped.add_one(),
        }
    }

    /// Stores the calls of each kind that have waited long enough; at the end all. What could not be stored stays noted,
    /// also if the caller stops waiting.
    pub(crate) async fn store(
        &self,
        store: &Store,
        by: &Author,
        is_end: bool,
    ) -> Result<(), StoreError> {
        let mut due = self.due(by, is_end);
        while !due.is_empty() {
            let later = due.split_off(due.len().min(BATCH));
            let batch = mem::replace(&mut due, later);
            store.record_events(batch.iter().map(|due| due.event.clone()).collect()).await?;
            self.stored(&batch, by.at);
        }
        Ok(())
    }

    fn due(&self, by: &Author, is_end: bool) -> Vec<Due> {
        let since = by.at.before_days(STORE_EVERY_DAYS);
        let is_due = |count: &&Count| (is_end && count.calls > 0) || count.is_due(since);
        let mut noted = self.noted();
        noted.drop_idle(since);
        let of_grant = |(place, of): (Place, &OfGrant)| {
            let due = of.counts.iter().filter(is_due).map(|count| {
                let (event, count) = (event(&place, of, count, by), count.clone());
                Due { place: place.clone(), count, event }
            });
            due.collect::<Vec<_>>()
        };
        noted.iter().flat_map(of_grant).collect()
    }

    /// Takes off what is stored. Calls since then stay noted.
    fn stored(&self, batch: &[Due], now: Timestamp) {
        let mut noted = self.noted();
        for Due { place, count: stored, .. } in batch {
            let kind = stored.kind.borrowed();
            if let Some(count) = noted.get((&place.subject, place.grant), &kind) {
                count.take_off(stored.calls, stored.last_at, now);
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, Counts> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event about the calls of one kind since the last one.
fn event(place: &Place, of: &OfGrant, count: &Count, by: &Author) -> EventRecord {
    let Count { kind, needs, calls, first_at, last_at, .. } = count;
    let is_allowed = kind.outcome == GuardOutcome::Allowed;
    let action = if is_allowed { Action::GuardAllowed } else { Action::GuardRefused };
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let detail = json!({
        "resource": kind.resource,
        "tool": named(&kind.tool),
        "outcome": (!is_allowed).then(|| kind.outcome.as_str()),
        "needs": named(needs),
        "calls": calls,
        "first_at": first_at.as_millis(),
        "last_at": last_at.as_millis(),
    });
    let actor = Actor::Client(of.client.clone());
    let event = by.event(action).about(&of.client).with(&detail);
    EventRecord {
        actor_kind: actor.kind(),
        actor: actor.id(),
        grant_id: Some(place.grant),
        subject: Some(place.subject.to_string()),
        ..event
    }
}

/// The scopes that a request needs and its token lacks.
fn lacking(guarded: &Guarded, authorized: &Authorized, rule: Option<usize>) -> Box<str> {
    let rule = rule.and_then(|nth| guarded.settings.rules.get(nth));
    let lacks = |scope: &&str| authorized.scope.split(' ').all(|held| held != *scope);
    let scopes: Vec<&str> = guarded.required(rule).filter(lacks).collect();
    shortened(&scopes.join(" ")).into()
}

fn shortened(text: &str) -> &str {
    text.char_indices().nth(CHARS_MAX).map_or(text, |(end, _)| text.split_at(end).0)
}

#[cfg(test)]
mod tests;
