//! What clients do behind the guard: how often each grant called each tool, and with which outcome. Requests note it in
//! memory of a fixed size; batches bring it to the store as events, about one a day for each kind of call.
//!
//! Only requests with a valid token are noted. A grant has few places, so one grant cannot use all of them up.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::json;

use super::{Authorized, Decided, Decision, Guarded, Tool};
use crate::{
    audit::{Action, Actor, Author},
    client::ClientIdentifier,
    clock::Timestamp,
    grant::GrantId,
    metrics::{GuardOutcome, Label as _},
    store::{EventRecord, Store, StoreError},
};

/// How many counts there are in all: together less than 16 MiB.
const COUNTS_MAX: usize = 1 << 15;
/// How many counts one grant has. Further tools are counted together, without a name.
const COUNTS_OF_GRANT_MAX: usize = 32;
/// The longest name of a tool, and the longest list of scopes, that is noted.
const CHARS_MAX: usize = 128;
/// How long what was stored of a kind of call waits for the next event about it.
const STORE_EVERY_DAYS: u64 = 1;
/// How many events one change stores.
const BATCH: usize = 500;

/// The calls that are noted.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    by_grant: HashMap<GrantId, OfGrant>,
    counts: usize,
}

#[derive(Debug)]
struct OfGrant {
    client: ClientIdentifier,
    subject: Box<str>,
    counts: Vec<Count>,
}

/// How often a grant made one kind of call.
#[derive(Clone, Debug)]
struct Count {
    kind: Kind,
    /// The scopes that the token lacks.
    needs: Box<str>,
    /// Since the last event.
    calls: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    stored_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    /// The id of the guard.
    resource: Box<str>,
    /// Empty for requests that call no tool, or one that the guard does not see.
    tool: Box<str>,
    outcome: GuardOutcome,
}

/// A count, on its way to the store.
struct Due {
    grant: GrantId,
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
        let is_kind = |tool: &str, count: &Count| {
            count.kind.outcome == outcome
                && *count.kind.tool == *tool
                && *count.kind.resource == *guarded.settings.id
        };
        let mut noted = self.noted();
        let has_room = noted.counts < COUNTS_MAX;
        let of_grant = noted.by_grant.get_mut(&authorized.grant);
        let found = of_grant.and_then(|of| {
            // One place for each outcome is left for all other tools.
            let is_full = of.counts.len() >= COUNTS_OF_GRANT_MAX;
            let nth = of
                .counts
                .iter()
                .position(|count| is_kind(tool, count))
                .or_else(|| of.counts.iter().position(|count| is_full && is_kind("", count)))?;
            of.counts.get_mut(nth)
        });
        if let Some(count) = found {
            if count.calls == 0 {
                count.first_at = now;
            }
            count.calls += 1;
            count.last_at = now.max(count.last_at);
            return;
        }
        let Some(client) = authorized.client().filter(|_| has_room) else {
            drop(noted);
            guarded.metrics.calls_dropped.add_one();
            return;
        };
        let of_grant = noted.by_grant.entry(authorized.grant).or_insert_with(|| OfGrant {
            client,
            subject: authorized.subject.as_str().into(),
            counts: Vec::new(),
        });
        let tool = if of_grant.counts.len() < COUNTS_OF_GRANT_MAX { tool } else { "" };
        let kind =
            Kind { resource: guarded.settings.id.as_str().into(), tool: tool.into(), outcome };
        let needs = match decided.decision {
            Decision::StepUp { .. } => lacking(guarded, authorized, decided.rule),
            _ => Box::default(),
        };
        let (calls, stored_at) = (1, None);
        of_grant.counts.push(Count { kind, needs, calls, first_at: now, last_at: now, stored_at });
        noted.counts += 1;
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
        let is_due = |count: &&Count| {
            count.calls > 0 && (is_end || count.stored_at.is_none_or(|at| at <= since))
        };
        let mut noted = self.noted();
        noted.drop_idle(since);
        let of_grant = |(grant, of): (&GrantId, &OfGrant)| {
            let due = of.counts.iter().filter(is_due).map(|count| {
                let event = event(*grant, of, count, by);
                Due { grant: *grant, count: count.clone(), event }
            });
            due.collect::<Vec<_>>()
        };
        noted.by_grant.iter().flat_map(of_grant).collect()
    }

    /// Takes off what is stored. Calls since then stay noted.
    fn stored(&self, batch: &[Due], now: Timestamp) {
        let mut noted = self.noted();
        for Due { grant, count: stored, .. } in batch {
            let of_grant = noted.by_grant.get_mut(grant);
            let count =
                of_grant.and_then(|of| of.counts.iter_mut().find(|it| it.kind == stored.kind));
            if let Some(count) = count {
                count.calls = count.calls.saturating_sub(stored.calls);
                count.first_at = stored.last_at;
                count.stored_at = Some(now);
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Forgets kinds of calls of which nothing waits and nothing came since then.
    fn drop_idle(&mut self, since: Timestamp) {
        let is_idle = |count: &Count| count.calls == 0 && count.last_at <= since;
        self.by_grant.retain(|_, of| {
            of.counts.retain(|count| !is_idle(count));
            !of.counts.is_empty()
        });
        self.counts = self.by_grant.values().map(|of| of.counts.len()).sum();
    }
}

/// The event about the calls of one kind since the last one.
fn event(grant: GrantId, of: &OfGrant, count: &Count, by: &Author) -> EventRecord {
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
        grant_id: Some(grant),
        subject: Some(of.subject.to_string()),
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        config::{self, Sources},
        entropy::Entropy,
        guard::{Asked, Presented, decide},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn guarded() -> Guarded {
        let resources = r#"[{ uri = "https://mcp.example/mcp", guard = { id = "tools", upstream_validates_headers = true, rules = [
            { tools = ["delete_*"], scopes = ["tools:write", "tools:read"] },
            { tools = ["drop_all"], deny = true },
        ] } }]"#;
        let flags = vec![("authorization.resources", resources.replace('\n', ""))];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        Guarded::of(&config.authorization.resources[0], &config).unwrap()
    }

    fn authorized(grant: u16) -> Authorized {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&grant.to_be_bytes());
        Authorized {
            subject: "acme|alice".into(),
            client_id: "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e".into(),
            grant: GrantId::from_bytes(id),
            scope: "tools:read".into(),
            granted: "tools:read".into(),
            expires_at: NOW.after_days(1),
            identity: Arc::default(),
        }
    }

    fn call(calls: &Calls, guarded: &Guarded, grant: u16, tool: &str, now: Timestamp) {
        let authorized = authorized(grant);
        let tool = Tool::Called(tool);
        let asked = Asked {
            method: "POST",
            address: "https://mcp.example",
            target: b"/mcp",
            origin: None,
            is_preflight: false,
            tool,
            ambiguity: None,
        };
        let decided = decide(guarded, &asked, Presented::Valid(&authorized));
        calls.note((guarded, &authorized), tool, &decided, now);
    }

    fn by(at: Timestamp) -> Author {
        Author::new(Actor::System, at, Entropy::seeded(1))
    }

    /// What is due as stored: the action and the detail of each event, in the order of tools.
    fn stored(calls: &Calls, now: Timestamp, is_end: bool) -> Vec<String> {
        let due = calls.due(&by(now), is_end);
        calls.stored(&due, now);
        let told = |due: &Due| {
            let detail: serde_json::Value =
                serde_json::from_str(due.event.detail.as_deref().unwrap()).unwrap();
            let text = |name: &str| detail[name].as_str().unwrap_or("-").to_owned();
            let (tool, needs) = (text("tool"), text("needs"));
            format!("{} {tool} {needs} {}", due.event.action, detail["calls"])
        };
        let mut all: Vec<String> = due.iter().map(told).collect();
        all.sort();
        all
    }

    #[test]
    fn calls_are_counted_by_grant_tool_and_outcome_and_stored_once_a_day() {
        let (calls, guarded) = (Calls::default(), guarded());
        for tool in ["echo", "echo", "delete_repo", "drop_all"] {
            call(&calls, &guarded, 1, tool, NOW);
        }
        let first = stored(&calls, NOW, false);
        assert_eq!(
            first,
            [
                "guard.allowed echo - 2",
                "guard.refused delete_repo tools:write 1",
                "guard.refused drop_all - 1",
            ]
        );
        call(&calls, &guarded, 1, "echo", NOW.after_seconds(60));
        assert!(stored(&calls, NOW.after_seconds(90), false).is_empty(), "it was stored today");
        call(&calls, &guarded, 1, "echo", NOW.after_seconds(120));
        let next_day = NOW.after_days(1).after_seconds(1);
        assert_eq!(stored(&calls, next_day, false), ["guard.allowed echo - 2"]);
        call(&calls, &guarded, 1, "echo", next_day);
        assert_eq!(stored(&calls, next_day, true), ["guard.allowed echo - 1"], "at the end, all");
        assert!(stored(&calls, next_day, true).is_empty());
        drop(calls.due(&by(NOW.after_days(9)), false));
        assert!(calls.noted().by_grant.is_empty(), "what is idle is forgotten");
    }

    #[test]
    fn an_event_about_calls_names_client_person_grant_and_time() {
        let (calls, guarded) = (Calls::default(), guarded());
        call(&calls, &guarded, 1, "delete_repo", NOW);
        call(&calls, &guarded, 1, "delete_repo", NOW.after_seconds(9));
        let [due] = &calls.due(&by(NOW.after_seconds(20)), false)[..] else { panic!() };
        let event = &due.event;
        assert_eq!(event.client, authorized(1).client());
        assert_eq!(event.actor_kind.as_str(), "client");
        assert_eq!(event.subject.as_deref(), Some("acme|alice"));
        assert_eq!(event.grant_id, Some(authorized(1).grant));
        let detail: serde_json::Value =
            serde_json::from_str(event.detail.as_deref().unwrap()).unwrap();
        assert_eq!(
            detail,
            json!({
                "resource": "tools", "tool": "delete_repo", "outcome": "insufficient_scope",
                "needs": "tools:write", "calls": 2,
                "first_at": 1_800_000_000_000_u64, "last_at": 1_800_000_009_000_u64,
            })
        );
    }

    #[test]
    fn a_grant_takes_no_more_than_its_places_and_no_call_of_it_is_lost() {
        let (calls, guarded) = (Calls::default(), guarded());
        for nth in 0..1_000 {
            call(&calls, &guarded, 1, &format!("tool-{nth}"), NOW);
        }
        call(&calls, &guarded, 2, "echo", NOW);
        let noted = calls.noted();
        assert!(noted.counts <= COUNTS_OF_GRANT_MAX + 2, "{}", noted.counts);
        let of_grant = &noted.by_grant[&authorized(1).grant];
        assert_eq!(of_grant.counts.iter().map(|count| count.calls).sum::<u64>(), 1_000);
    }

    #[test]
    fn any_number_of_grants_fits_into_a_fixed_memory() {
        let (calls, guarded) = (Calls::default(), guarded());
        for grant in 0..2_000 {
            for nth in 0..20 {
                call(&calls, &guarded, grant, &format!("tool-{nth}"), NOW);
            }
        }
        let noted = calls.noted();
        assert_eq!(noted.counts, COUNTS_MAX);
        assert_eq!(guarded.metrics.calls_dropped.value(), 40_000 - COUNTS_MAX as u64);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let long = "ä".repeat(500);
        assert_eq!(shortened(&long), "ä".repeat(CHARS_MAX));
        assert_eq!(shortened("echo"), "echo");
    }
}
