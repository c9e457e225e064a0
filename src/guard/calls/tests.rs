//! What is noted of calls, and who has room for more.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    counts::{COUNTS_MAX, COUNTS_OF_GRANT_MAX},
    *,
};
use crate::{
    config::{self, Sources},
    entropy::Entropy,
    grant::GrantId,
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
    of_person("acme|alice", grant)
}

fn of_person(subject: &str, grant: u16) -> Authorized {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&grant.to_be_bytes());
    Authorized {
        subject: subject.into(),
        client_id: "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e".into(),
        grant: GrantId::from_bytes(id),
        scope: "tools:read".into(),
        granted: "tools:read".into(),
        expires_at: NOW.after_days(1),
        identity: Arc::default(),
    }
}

fn call(calls: &Calls, guarded: &Guarded, grant: u16, tool: &str, now: Timestamp) {
    call_of(calls, guarded, &authorized(grant), tool, now);
}

fn call_of(calls: &Calls, guarded: &Guarded, by: &Authorized, tool: &str, now: Timestamp) {
    let authorized = by;
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
    let decided = decide(guarded, &asked, Presented::Valid(authorized));
    calls.note((guarded, authorized), tool, &decided, now);
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
fn calls_are_counted_by_grant_tool_and_outcome_and_stored_within_a_day() {
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
    let next_day = NOW.after_days(1).after_seconds(1);
    assert_eq!(stored(&calls, next_day, false), ["guard.allowed echo - 1"]);
    call(&calls, &guarded, 1, "echo", next_day);
    assert_eq!(stored(&calls, next_day, true), ["guard.allowed echo - 1"], "at the end, all");
    assert!(stored(&calls, next_day, true).is_empty());
    drop(calls.due(&by(NOW.after_days(9)), false));
    assert!(calls.noted().iter().next().is_none(), "what is idle is forgotten");
}

/// Calls once a second for ten hours, looked at every 30 seconds.
#[test]
fn a_crash_loses_no_more_calls_than_are_stored_and_many_calls_leave_few_events() {
    let (calls, guarded) = (Calls::default(), guarded());
    let (mut kept, mut events) = (0, 0);
    for second in 1..=36_000 {
        let now = NOW.after_seconds(second);
        call(&calls, &guarded, 1, "echo", now);
        if second % 30 == 0 {
            let due = calls.due(&by(now), false);
            calls.stored(&due, now);
            kept += due.iter().map(|due| due.count.calls).sum::<u64>();
            events += due.len();
            assert!(
                second - kept <= kept,
                "{} calls would be lost, {kept} are kept",
                second - kept
            );
        }
    }
    assert!(events <= 12, "{events} events");
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
    let detail: serde_json::Value = serde_json::from_str(event.detail.as_deref().unwrap()).unwrap();
    assert_eq!(
        detail,
        json!({
            "resource": "tools", "tool": "delete_repo", "outcome": "insufficient_scope",
            "needs": "tools:write", "calls": 2,
            "first_at": 1_800_000_000_000_u64, "last_at": 1_800_000_009_000_u64,
        })
    );
}

/// The counts of a person by grant and tool, and how many calls each has.
fn noted_of(calls: &Calls, subject: &str) -> BTreeMap<(GrantId, String), u64> {
    let noted = calls.noted();
    let of_person = noted.iter().filter(|(place, _)| *place.subject == *subject);
    let counts = of_person.flat_map(|(place, of)| {
        of.counts.iter().map(move |it| ((place.grant, it.kind.tool.to_string()), it.calls))
    });
    counts.collect()
}

fn places(calls: &Calls) -> usize {
    calls.noted().iter().map(|(_, of)| of.counts.len()).sum()
}

/// A person calls twenty tools with each of these grants.
fn call_by_many_grants(calls: &Calls, guarded: &Guarded, subject: &str, grants: Range<u16>) {
    for grant in grants {
        for nth in 0..20 {
            call_of(calls, guarded, &of_person(subject, grant), &format!("tool-{nth}"), NOW);
        }
    }
}

#[test]
fn a_grant_takes_no_more_than_its_places_and_no_call_of_it_is_lost() {
    let (calls, guarded) = (Calls::default(), guarded());
    for nth in 0..1_000 {
        call(&calls, &guarded, 1, &format!("tool-{nth}"), NOW);
    }
    call_of(&calls, &guarded, &of_person("acme|bob", 2), "echo", NOW);
    let noted = noted_of(&calls, "acme|alice");
    assert!(noted.len() <= COUNTS_OF_GRANT_MAX + 1, "{}", noted.len());
    assert_eq!(noted.values().sum::<u64>(), 1_000);
}

#[test]
fn any_number_of_grants_fits_into_a_fixed_memory() {
    let (calls, guarded) = (Calls::default(), guarded());
    call_by_many_grants(&calls, &guarded, "acme|alice", 0..2_000);
    assert_eq!(places(&calls), COUNTS_MAX);
    let noted: u64 = noted_of(&calls, "acme|alice").values().sum();
    assert_eq!(noted + guarded.metrics.calls_dropped.value(), 40_000, "each call is accounted for");
}

#[test]
fn a_person_with_many_grants_takes_no_place_that_others_need() {
    let (calls, guarded) = (Calls::default(), guarded());
    call_of(&calls, &guarded, &of_person("acme|bob", 9_000), "echo", NOW);
    call_by_many_grants(&calls, &guarded, "acme|eve", 0..2_000);
    let people: Vec<String> = (0..100).map(|nth| format!("acme|person-{nth}")).collect();
    for (nth, person) in (10_000..).zip(&people) {
        call_by_many_grants(&calls, &guarded, person, nth..nth + 1);
    }
    // Eve goes on, with old grants and new ones.
    call_by_many_grants(&calls, &guarded, "acme|eve", 1_000..4_000);
    for person in &people {
        let noted = noted_of(&calls, person);
        assert_eq!((noted.len(), noted.values().sum::<u64>()), (20, 20), "{person}");
    }
    assert_eq!(noted_of(&calls, "acme|bob").len(), 1);
    assert_eq!(places(&calls), COUNTS_MAX);
}

#[test]
fn a_client_that_many_people_use_takes_no_place_that_others_need() {
    let (calls, guarded) = (Calls::default(), guarded());
    for nth in 0..2_000 {
        call_by_many_grants(&calls, &guarded, &format!("acme|user-{nth}"), nth..nth + 1);
    }
    assert_eq!(places(&calls), COUNTS_MAX);
    let alice = authorized(9_000);
    for tool in ["echo", "delete_repo", "echo"] {
        call_of(&calls, &guarded, &alice, tool, NOW);
    }
    assert_eq!(noted_of(&calls, "acme|alice").values().sum::<u64>(), 3);
    let equal_part = COUNTS_MAX / 2_001;
    let all_have_theirs = (0..1_000)
        .all(|nth| noted_of(&calls, &format!("acme|user-{nth}")).len() >= equal_part.min(20) - 1);
    assert!(all_have_theirs, "the others keep an equal part");
}

#[test]
fn a_grant_takes_no_place_that_other_grants_of_its_person_need() {
    let (calls, guarded) = (Calls::default(), guarded());
    call_by_many_grants(&calls, &guarded, "acme|alice", 0..2_000);
    let latest = authorized(5_000);
    for tool in ["echo", "delete_repo"] {
        call_of(&calls, &guarded, &latest, tool, NOW);
    }
    let noted = noted_of(&calls, "acme|alice");
    assert!(noted.contains_key(&(latest.grant, "echo".to_owned())));
    assert!(noted.contains_key(&(latest.grant, "delete_repo".to_owned())));
    assert_eq!(places(&calls), COUNTS_MAX);
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let long = "ä".repeat(500);
    assert_eq!(shortened(&long), "ä".repeat(CHARS_MAX));
    assert_eq!(shortened("echo"), "echo");
}
