//! The story of a grant in sentences that a support engineer can read out.

use serde_json::Value;

use crate::{
    audit::{Action, ActorKind},
    clock::Timestamp,
    store::{EventRecord, GrantRecord},
};

/// How many events of a grant its timeline shows: the newest ones. Calls behind the guard leave some each day; of
/// anything else, a grant leaves fewer.
pub(crate) const EVENTS_MAX: usize = 1_000;

/// Puts the events of a grant in order: those of one moment happened in the order of their actions.
pub(crate) fn in_order(events: &mut [EventRecord]) {
    events.sort_by_key(|event| (event.at, event.action));
}

/// Tells the story of a grant from its record, absent after its end, and its events in order.
pub(crate) fn timeline(
    grant: Option<&GrantRecord>,
    events: &[EventRecord],
    now: Timestamp,
) -> Vec<String> {
    let mut told = Vec::new();
    let issued = events.iter().find(|event| event.action == Action::GrantIssued);
    if let Some(at) = issued.map(|event| event.at).or_else(|| grant.map(|it| it.issued_at)) {
        told.push(format!("Issued at {}.", shown(at)));
    }
    let redeemed = events.iter().find(|event| event.action == Action::GrantRedeemed);
    let of_record = || grant.and_then(|grant| grant.code.redeemed_at);
    let redeemed = redeemed.map(|event| event.at).or_else(of_record);
    if let Some(at) = redeemed {
        told.push(format!("Code redeemed at {}.", shown(at)));
    }
    let ending = events.iter().rev().find(|event| is_ending(event.action));
    let use_of = ending.map(Use::told_by).or_else(|| grant.map(Use::of));
    told.extend(use_of.into_iter().flat_map(Use::sentences));
    told.extend(calls(events));
    told.push(match (ending, grant) {
        (Some(ending), _) => ended(ending),
        (None, None) => "It expired and is no longer stored.".to_owned(),
        (None, Some(grant)) => state(grant, redeemed.is_some(), now),
    });
    told
}

fn shown(time: Timestamp) -> String {
    time.to_rfc3339()
}

const fn is_ending(action: Action) -> bool {
    matches!(
        action,
        Action::GrantReused | Action::GrantRevoked | Action::GrantExpired | Action::TokenRevoked
    )
}

/// How often the refresh tokens of a grant were used.
struct Use {
    refreshes: u64,
    graced: u64,
    last: Option<Timestamp>,
}

impl Use {
    fn of(grant: &GrantRecord) -> Self {
        let previous = grant.refresh.as_ref().and_then(|refresh| refresh.previous);
        Self { refreshes: grant.refreshes, graced: grant.graced, last: previous.map(|(_, at)| at) }
    }

    /// The last event of a grant sums it up.
    fn told_by(ending: &EventRecord) -> Self {
        let detail = detail(ending);
        let number = |name: &str| detail.get(name).and_then(Value::as_u64);
        Self {
            refreshes: number("refreshes").unwrap_or(0),
            graced: number("graced").unwrap_or(0),
            last: number("last_refreshed_at").map(Timestamp::from_millis),
        }
    }

    fn sentences(self) -> Vec<String> {
        let last = self.last.map(|at| format!(", last at {}", shown(at))).unwrap_or_default();
        let refreshed =
            (self.refreshes > 0).then(|| format!("Refreshed {}{last}.", times(self.refreshes)));
        let graced = (self.graced > 0).then(|| {
            format!(
                "The previous refresh token was accepted again {} within the grace period.",
                times(self.graced)
            )
        });
        refreshed.into_iter().chain(graced).collect()
    }
}

/// What the client called behind the guard, and what of that was refused. Of each kind of call, every event has a part.
fn calls(events: &[EventRecord]) -> Vec<String> {
    struct Told {
        kind: [String; 4],
        times: u64,
        last_at: u64,
    }
    let mut all: Vec<Told> = Vec::new();
    let of_guard =
        |event: &&EventRecord| matches!(event.action, Action::GuardAllowed | Action::GuardRefused);
    for event in events.iter().filter(of_guard) {
        let detail = detail(event);
        let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| detail[name].as_u64().unwrap_or(0);
        let kind = ["resource", "tool", "outcome", "needs"].map(text);
        match all.iter_mut().find(|known| known.kind == kind) {
            Some(known) => {
                known.times += number("calls");
                known.last_at = known.last_at.max(number("last_at"));
            }
            None => all.push(Told { kind, times: number("calls"), last_at: number("last_at") }),
        }
    }
    let told = |Told { kind: [resource, tool, outcome, needs], times: number, last_at }: Told| {
        let what = match &*tool {
            "" => format!("Sent requests to {resource}"),
            tool => format!("Called `{tool}` of {resource}"),
        };
        let refused = match (&*outcome, &*needs) {
            ("", _) => String::new(),
            (_, "") => ", refused".to_owned(),
            (_, needs) => format!(", refused: needs {needs}"),
        };
        let last = shown(Timestamp::from_millis(last_at));
        format!("{what} {}, last at {last}{refused}.", times(number))
    };
    all.into_iter().map(told).collect()
}

fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        number => format!("{number} times"),
    }
}

fn detail(event: &EventRecord) -> Value {
    event.detail.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn ended(event: &EventRecord) -> String {
    let detail = detail(event);
    let reason = detail.get("reason").and_then(Value::as_str).unwrap_or_default();
    let from = event.source.map(|source| format!(" from {source}")).unwrap_or_default();
    let what = match (event.action, reason) {
        (Action::GrantReused, "code") => format!("the code was presented again{from}"),
        (Action::GrantReused, _) => format!("an old refresh token was presented again{from}"),
        (Action::TokenRevoked, _) => format!("the client revoked its token{from}"),
        (Action::GrantExpired, _) => "the grant expired".to_owned(),
        (_, "disconnected") => "the person disconnected the app".to_owned(),
        (_, "access_ended") => format!("{} ended all access of the person", actor(event)),
        (_, "person_forgotten") => format!("{} had the person forgotten", actor(event)),
        (_, "client_suspended") => "the client was suspended".to_owned(),
        (_, "client_removed") => "the client was removed".to_owned(),
        (_, "client_held") => "the client changed and waits for approval".to_owned(),
        _ => format!("{} revoked the grant", actor(event)),
    };
    format!("At {} {what}: the connection ended.", shown(event.at))
}

fn actor(event: &EventRecord) -> String {
    let id = event.actor.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    match event.actor_kind {
        ActorKind::System => "the server".to_owned(),
        kind => format!("the {kind}{id}"),
    }
}

/// The state of a grant that has not been ended.
fn state(grant: &GrantRecord, is_redeemed: bool, now: Timestamp) -> String {
    let refresh = grant.refresh.as_ref().map(|refresh| refresh.expires_at);
    let expires_at = refresh.map_or(grant.expires_at, |at| at.min(grant.expires_at));
    let expires = shown(expires_at);
    match (expires_at <= now, is_redeemed, refresh.is_some()) {
        (true, true, _) => format!("It expired at {expires}."),
        (true, false, _) => format!("Its code expired at {expires} without being redeemed."),
        (false, false, _) => format!("Its code is not redeemed yet and expires at {expires}."),
        (false, true, true) => format!("It is active, and expires at {expires} unless it is used."),
        (false, true, false) => format!("It is active, and expires at {expires}."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        audit::{Actor, Author},
        entropy::Entropy,
    };

    fn event(seconds: u64, actor: Actor, action: Action) -> EventRecord {
        let at = Timestamp::from_millis(1_800_000_000_000).after_seconds(seconds);
        Author::new(actor, at, Entropy::seeded(1)).event(action)
    }

    #[test]
    fn an_ended_grant_tells_how_it_was_used_and_why_it_ended() {
        let summary = json!({
            "reason": "refresh_token", "refreshes": 212, "graced": 1,
            "last_refreshed_at": 1_800_000_120_000_u64,
        });
        let events = [
            event(0, Actor::System, Action::ConsentAllowed),
            event(0, Actor::System, Action::GrantIssued),
            event(5, Actor::System, Action::GrantRedeemed),
            event(180, Actor::System, Action::GrantReused).with(&summary),
        ];
        let now = Timestamp::from_millis(1_900_000_000_000);
        assert_eq!(
            timeline(None, &events, now).join(" "),
            "Issued at 2027-01-15T08:00:00Z. Code redeemed at 2027-01-15T08:00:05Z. \
             Refreshed 212 times, last at 2027-01-15T08:02:00Z. \
             The previous refresh token was accepted again once within the grace period. \
             At 2027-01-15T08:03:00Z an old refresh token was presented again: \
             the connection ended."
        );
    }

    #[test]
    fn calls_behind_the_guard_are_told_with_what_a_refused_one_needs() {
        let call = |action, detail: &Value| event(0, Actor::System, action).with(detail);
        let at = 1_800_000_120_000_u64;
        let echo = json!({ "resource": "tools", "tool": "echo", "calls": 3, "last_at": at });
        let delete = json!({
            "resource": "tools", "tool": "delete_repo", "outcome": "insufficient_scope",
            "needs": "tools:write", "calls": 1, "last_at": at,
        });
        let events = [
            call(Action::GuardAllowed, &echo),
            call(Action::GuardRefused, &delete),
            call(Action::GuardAllowed, &echo),
            call(
                Action::GuardRefused,
                &json!({ "resource": "tools", "outcome": "denied", "calls": 2, "last_at": at }),
            ),
        ];
        assert_eq!(
            calls(&events),
            [
                "Called `echo` of tools 6 times, last at 2027-01-15T08:02:00Z.",
                "Called `delete_repo` of tools once, last at 2027-01-15T08:02:00Z, refused: needs \
                 tools:write.",
                "Sent requests to tools 2 times, last at 2027-01-15T08:02:00Z, refused.",
            ]
        );
    }

    #[test]
    fn each_ending_has_its_own_words() {
        let operator = || Actor::Operator("uid:0".to_owned());
        for (action, reason, words) in [
            (Action::GrantReused, "code", "the code was presented again:"),
            (Action::TokenRevoked, "by_client", "the client revoked its token:"),
            (Action::GrantRevoked, "disconnected", "the person disconnected the app:"),
            (Action::GrantRevoked, "client_suspended", "the client was suspended:"),
            (Action::GrantRevoked, "client_removed", "the client was removed:"),
            (Action::GrantRevoked, "client_held", "the client changed and waits for approval:"),
            (
                Action::GrantRevoked,
                "access_ended",
                "the operator uid:0 ended all access of the person:",
            ),
            (
                Action::GrantRevoked,
                "person_forgotten",
                "the operator uid:0 had the person forgotten:",
            ),
            (Action::GrantRevoked, "by_operator", "the operator uid:0 revoked the grant:"),
        ] {
            let ended = event(1, operator(), action).with(&json!({ "reason": reason }));
            let told = timeline(None, &[ended], Timestamp::from_millis(0)).join(" ");
            assert!(told.contains(words), "{reason}: {told}");
        }
        let issued = event(0, Actor::System, Action::GrantIssued);
        let told = timeline(None, &[issued], Timestamp::from_millis(0));
        assert_eq!(told[1], "It expired and is no longer stored.");
    }
}
