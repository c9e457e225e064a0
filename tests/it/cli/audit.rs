//! `doorward audit` and `doorward grant show`: who did what, read from the store.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command},
    sync::Arc,
};

use doorward::{
    audit::{Action, Actor, Author},
    client::{ClientId, ProfileName},
    clock::Timestamp,
    entropy::Entropy,
    store::{ClientFlags, ClientRecord, ClientRegistration, ClientState, EventRecord},
};
use serde_json::json;

use super::{
    grants::{grant, in_store},
    *,
};

/// January 2027.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn author(seconds: u64, actor: Actor) -> Author {
    Author::new(actor, NOW.after_seconds(seconds), Entropy::System)
}

/// Two grants of two people, one of which an operator revoked. Returns the identifiers of the grants.
fn with_events() -> (Doorward, [String; 2]) {
    let doorward = Doorward::new();
    let entropy = Entropy::seeded(3);
    let grants = [(0, "acme:1"), (60, "acme:2")]
        .map(|(nth, subject)| grant(nth, &id(nth + 1), subject, &entropy));
    in_store(&doorward, async |store| {
        for (seconds, grant) in [0, 60].into_iter().zip(&grants) {
            store.keep_grant(grant.clone()).await.unwrap();
            let by = author(seconds, Actor::Person(grant.subject.clone()));
            let event = by.event(Action::GrantIssued).about_grant(grant);
            let event: EventRecord = event.with(&json!({ "scope": "read write", "reason": null }));
            store.record_events(vec![event]).await.unwrap();
        }
        let by = author(120, Actor::Operator("uid:0".to_owned()));
        let id = grants[1].grant_id;
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", by).await.unwrap();
    });
    (doorward, grants.map(|grant| grant.grant_id.to_string()))
}

fn id(number: u32) -> String {
    format!("0199f2a4-7c11-7abc-8def-{number:012}")
}

/// Minutes and seconds of the time of an event.
fn minute(line: &Value) -> String {
    let time = line["time"].as_str().unwrap();
    time.get(14..19).expect("RFC 3339 without decimals").to_owned()
}

/// The minutes and seconds at which the listed events happened.
fn listed(doorward: &Doorward, more: &[&str]) -> Vec<String> {
    let ran = doorward.run(&[&["--quiet", "audit", "list"], more].concat());
    ran.lines().iter().map(minute).collect()
}

#[test]
fn events_are_listed_newest_first_and_by_what_they_are_about() {
    let (doorward, [first, second]) = with_events();
    let every = ["02:00", "01:00", "00:00"];
    assert_eq!(listed(&doorward, &[]), every);
    assert_eq!(listed(&doorward, &["--client", &id(1)]), every[2..]);
    assert_eq!(listed(&doorward, &["--grant", &second]), every[..2]);
    assert_eq!(listed(&doorward, &["--subject", "acme:2"]), every[..2]);
    assert_eq!(listed(&doorward, &["--action", "grant.issued"]), every[1..]);
    assert_eq!(
        listed(&doorward, &["--subject", "acme:2", "--action", "grant.issued"]),
        every[1..2]
    );
    assert_eq!(listed(&doorward, &["--grant", &first, "--client", &id(61)]), [""; 0]);
    assert_eq!(listed(&doorward, &["--since", "1800000060"]), every[..2]);
    assert_eq!(listed(&doorward, &["--until", "1800000060"]), every[2..]);
    assert_eq!(listed(&doorward, &["--since", "1800000060", "--until", "1800000120"]), every[1..2]);
    assert_eq!(listed(&doorward, &["--limit", "2"]), every[..2]);
    let last = doorward.run(&["-q", "audit", "list", "--limit", "2"]).lines().remove(1);
    assert_eq!(listed(&doorward, &["--after", last["id"].as_str().unwrap()]), every[2..]);
    let refused = doorward.run(&["audit", "list", "--action", "client.invented"]);
    assert_eq!(refused.code, Some(2));
}

#[test]
fn an_event_has_one_json_form_and_a_table_of_eighty_columns() {
    let (doorward, [first, _]) = with_events();
    let mut line = doorward.run(&["-q", "audit", "list", "--grant", &first]).lines().remove(0);
    assert!(line.as_object_mut().unwrap().remove("id").is_some_and(|id| id.is_string()));
    assert_eq!(
        line,
        json!({
            "time": "2027-01-15T08:00:00Z",
            "actor": { "type": "person", "id": "acme:1" },
            "action": "grant.issued",
            "client_id": id(1),
            "grant_id": first,
            "sub": "acme:1",
            "detail": { "scope": "read write" },
        })
    );
    let table = doorward.run(&["-q", "audit", "list", "--output", "table"]).result();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains(&first) && table.contains("by operator uid:0"), "{table}");
}

#[test]
fn registrations_are_listed_and_exported_among_the_events() {
    let (doorward, _) = with_events();
    let at = NOW.after_seconds(30);
    let record = ClientRecord {
        client_id: ClientId::generate(at, &Entropy::seeded(5)),
        issued_at: at,
        profile: ProfileName::Rfc7591,
        source: None,
        flags: ClientFlags::default(),
        metadata: r#"{"redirect_uris":["https://app.example/cb"],"client_name":"An app"}"#.into(),
        registration: ClientRegistration::default(),
        state: ClientState::default(),
    };
    let registered = EventRecord::registration(&record);
    in_store(&doorward, async |store| {
        store.register_client(Arc::new(record.clone()), None).await.unwrap();
    });
    assert_eq!(listed(&doorward, &[]), ["02:00", "01:00", "00:30", "00:00"]);
    assert_eq!(listed(&doorward, &["--action", "client.registered"]), ["00:30"]);
    assert_eq!(listed(&doorward, &["--client", &record.client_id.to_string()]), ["00:30"]);
    assert_eq!(listed(&doorward, &["--subject", "acme:1"]), ["00:00"]);
    let exported = doorward.run(&["-q", "audit", "export"]).lines();
    let family = registered.family.unwrap().to_string();
    assert_eq!(
        exported[1],
        json!({
            "id": record.client_id.to_string(),
            "time": "2027-01-15T08:00:30Z",
            "actor": { "type": "client", "id": record.client_id.to_string() },
            "action": "client.registered",
            "client_id": record.client_id.to_string(),
            "family": family,
            "detail": { "name": "An app", "profile": "rfc7591" },
        })
    );
}

#[test]
fn an_export_is_oldest_first_and_writes_a_new_file_only() {
    let (doorward, _) = with_events();
    let times = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| minute(&line)).collect()
    };
    let every = ["00:00", "01:00", "02:00"];
    assert_eq!(times(&doorward.run(&["-q", "audit", "export"]).result()), every);
    let period = ["-q", "audit", "export", "--since", "1800000060", "--until", "1800000120"];
    assert_eq!(times(&doorward.run(&period).result()), every[1..2]);
    let ran = doorward.run(&["audit", "export", "events.jsonl"]);
    assert_eq!((ran.code, &*ran.err), (Some(0), "Exported 3 events.\n"));
    assert_eq!(times(&doorward.read("events.jsonl")), every);
    let again = doorward.run(&["audit", "export", "events.jsonl"]).complaint(1);
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn a_grant_tells_its_story_also_after_its_end() {
    let (doorward, [first, second]) = with_events();
    let told = doorward.run(&["grant", "show", &first]).result();
    assert!(told.contains("Issued at 2027-01-15T08:00:00Z."), "{told}");
    assert!(told.contains("acme:1") && told.contains(&id(1)), "{told}");
    let ended = doorward.run(&["grant", "show", &second, "--output", "json"]).result();
    let ended: Value = serde_json::from_str(&ended).unwrap();
    assert_eq!(
        ended["timeline"],
        json!([
            "Issued at 2027-01-15T08:01:00Z.",
            "At 2027-01-15T08:02:00Z the operator uid:0 revoked the grant: the connection ended.",
        ])
    );
    assert_eq!(ended["grant"], Value::Null);
    assert_eq!(ended["events"].as_array().unwrap().len(), 2);
    let nothing = doorward.run(&["grant", "show", &id(9)]);
    assert_eq!((nothing.code, &*nothing.out), (Some(3), ""));
}

/// A run of `audit follow`, once it follows.
fn following(doorward: &Doorward, more: &[&str]) -> Child {
    follow(doorward.command(&[&["audit", "follow"], more].concat()))
}

/// The same of a command that may name a server.
pub(super) fn follow(mut command: Command) -> Child {
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "Following audit events. Press Ctrl-C to stop.\n");
    child
}

pub(super) fn interrupt(child: &Child) {
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
}

#[test]
fn events_are_followed_as_they_are_stored_until_an_interrupt() {
    let (doorward, [first, _]) = with_events();
    let mut all = following(&doorward, &[]);
    let some = following(&doorward, &["--action", "grant.revoked", "--output", "table"]);
    in_store(&doorward, async |store| {
        // The later event is stored first.
        for seconds in [300, 240] {
            let by = author(seconds, Actor::Person("acme:1".to_owned()));
            store.record_events(vec![by.event(Action::ConsentDenied)]).await.unwrap();
        }
        let by = author(360, Actor::Operator("uid:0".to_owned()));
        let id = first.parse().unwrap();
        store.revoke_grant(id, Action::GrantRevoked, "by_operator", by).await.unwrap();
    });
    let lines = BufReader::new(all.stdout.as_mut().unwrap()).lines().take(3);
    let times: Vec<_> =
        lines.map(|line| minute(&serde_json::from_str::<Value>(&line.unwrap()).unwrap())).collect();
    assert_eq!(times, ["04:00", "05:00", "06:00"], "in the order of an export");
    interrupt(&all);
    assert_eq!(Ran::of(all).code, Some(0));
    // What is stored before the interrupt is printed.
    interrupt(&some);
    let shown = Ran::of(some);
    assert_eq!((shown.code, shown.out.lines().count()), (Some(0), 1), "{shown:?}");
    assert!(shown.out.starts_with("2027-01-15T08:06:00Z  grant.revoked  by operator uid:0"));
}

#[test]
fn following_ends_quietly_when_no_one_reads_any_more() {
    let (doorward, _) = with_events();
    let mut child = following(&doorward, &[]);
    drop(child.stdout.take());
    let ran = Ran::of(child);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
}
