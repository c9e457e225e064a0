//! `doorward person`: who has access, straight from the store.

use doorward::{
    clock::Timestamp,
    entropy::Entropy,
    secret::SecretHash,
    store::{GrantRecord, ResourceOwner, SessionId, SessionRecord},
};
use serde_json::json;

use super::{
    grants::{grant, in_store},
    *,
};
use crate::harness::by;

/// January 2027, when grants of these tests begin; they last a year.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Two people: one is signed in and has allowed two clients, the other has allowed one.
fn with_people() -> Doorward {
    let clients = [line(1, &metadata("first")), line(2, &metadata("second"))];
    let doorward = Doorward::with_clients(&clients);
    let entropy = Entropy::seeded(3);
    let session = SessionRecord {
        session_id: SessionId::generate(NOW, &entropy),
        hash: SecretHash::of(b"a browser"),
        owner: ResourceOwner {
            subject: "acme:1".to_owned(),
            name: Some("Ada Lovelace".to_owned()),
            email: Some("Ada@acme.example".to_owned()),
            identity: None,
        },
        signed_in_at: NOW,
        idle_at: NOW.after_days(300),
        expires_at: NOW.after_days(300),
    };
    let grants: Vec<GrantRecord> = [(1, 1, "acme:1"), (2, 2, "acme:1"), (3, 1, "acme:2")]
        .into_iter()
        .map(|(nth, client, subject)| grant(nth, &id(client), subject, &entropy))
        .collect();
    in_store(&doorward, async |store| {
        store.begin_session(session.clone(), by()).await.unwrap();
        for grant in &grants {
            store.keep_grant(grant.clone()).await.unwrap();
        }
    });
    doorward
}

#[test]
fn people_are_listed_and_found_by_name_or_address() {
    let doorward = with_people();
    let listed = doorward.run(&["-q", "person", "list"]).lines();
    assert_eq!(
        listed[0],
        json!({
            "sub": "acme:1", "name": "Ada Lovelace", "email": "Ada@acme.example",
            "apps": 2, "grants": 2, "sessions": 1, "consents": 0, "used_at": "2027-01-15T08:00:02Z",
        })
    );
    let subjects = |more: &[&str]| -> Vec<String> {
        let lines = doorward.run(&[&["-q", "person", "list"], more].concat()).lines();
        lines.iter().map(|line| line["sub"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&[]), ["acme:1", "acme:2"]);
    assert_eq!(subjects(&["--limit", "1"]), ["acme:1"]);
    assert_eq!(subjects(&["--after", "acme:1"]), ["acme:2"]);
    for text in ["ada@ACME.example", "lovelace", "e:1"] {
        assert_eq!(subjects(&["--matching", text]), ["acme:1"], "{text}");
    }
    let table = doorward.run(&["-q", "person", "list", "--output", "table"]).result();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("Ada Lovelace, Ada@acme.example"), "{table}");
}

#[test]
fn a_person_is_shown_with_apps_sessions_and_events() {
    let doorward = with_people();
    let shown = doorward.run(&["person", "show", "acme:1"]).result();
    for text in ["Ada Lovelace", "first", &id(2), "read write", "signin.succeeded"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let json = doorward.run(&["person", "show", "acme:1", "--output", "json"]).result();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["connected"][0]["client_name"], "first");
    assert_eq!(json["signed_in"].as_array().unwrap().len(), 1);
    let unknown = doorward.run(&["person", "show", "acme:9"]);
    assert_eq!((unknown.code, &*unknown.err), (Some(3), "There is no person acme:9.\n"));
}

#[test]
fn all_access_of_a_person_ends_after_the_command_said_what_that_is() {
    let doorward = with_people();
    let rehearsed = doorward.run(&["person", "end", "acme:1", "--dry-run"]);
    assert_eq!(
        rehearsed.err,
        "Would end all access of acme:1: 2 apps (2 grants), 1 session, 0 remembered decisions.\n"
    );
    let asked = doorward.run(&["person", "end", "acme:1"]).complaint(2);
    assert!(asked.contains("--yes"), "{asked}");
    assert_eq!(doorward.run(&["-q", "grant", "list"]).lines().len(), 3, "nothing has ended");

    let ended = doorward.run(&["person", "end", "acme:1", "acme:9", "--yes"]);
    assert_eq!(
        (ended.code, &*ended.err),
        (
            Some(3),
            "There is no person acme:9 with access or a decision.\n\
             Ended all access of acme:1: 2 grants, 1 session, 0 remembered decisions.\n"
        )
    );
    assert_eq!(doorward.run(&["-q", "grant", "list"]).lines()[0]["sub"], "acme:2");
    assert_eq!(doorward.run(&["-q", "person", "list"]).lines().len(), 1);
    let events = doorward.run(&["-q", "audit", "list", "--subject", "acme:1"]).lines();
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    for (action, count) in [("grant.revoked", 2), ("session.ended", 1), ("person.ended", 1)] {
        assert_eq!(actions.iter().filter(|one| **one == action).count(), count, "{actions:?}");
    }
    // Also after the end, a person has a story.
    let shown = doorward.run(&["person", "show", "acme:1"]).result();
    assert!(shown.contains("person.ended") && !shown.contains("Ada"), "{shown}");

    let forgotten = doorward.run(&["person", "forget", "acme:2", "--yes"]);
    assert!(forgotten.err.starts_with("Forgot acme:2: 1 grant, "), "{forgotten:?}");
    assert!(forgotten.err.contains("audit.keep_days"), "{forgotten:?}");
    assert!(doorward.run(&["-q", "person", "list"]).result().is_empty());
}
