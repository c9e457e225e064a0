//! `doorward attempt`: why clients fail, straight from the store.

use doorward::{clock::Timestamp, store::AttemptRecord};
use serde_json::json;

use super::{grants::in_store, *};

/// January 2027.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

#[test]
fn attempts_are_listed_with_what_to_do_about_each() {
    let doorward = Doorward::new();
    let row = |nth: u64, reason: &str, target: &str| AttemptRecord {
        reason: reason.to_owned(),
        target: target.to_owned(),
        network: "192.0.2.0/24".to_owned(),
        attempts: nth,
        first_at: NOW,
        last_at: NOW.after_seconds(nth),
        request_id: "4bf92f3577b34da6".to_owned(),
    };
    let rows = [
        row(1, "registration.redirect_uri", "\u{202e}evil.example"),
        row(2, "token.invalid_grant", "claude code@loopback"),
        row(3, "authorization.pkce", ""),
    ];
    in_store(&doorward, async |store| store.note_attempts(rows.to_vec()).await.unwrap());

    let lines = doorward.run(&["-q", "attempt", "list"]).lines();
    assert_eq!(lines.len(), 3);
    let mut line = lines[1].clone();
    let members = line.as_object_mut().unwrap();
    assert!(members.remove("id").is_some_and(|id| id.is_string()));
    assert!(members.remove("advice").unwrap().as_str().unwrap().contains("was used before"));
    assert_eq!(
        line,
        json!({
            "reason": "token.invalid_grant",
            "target": "claude code@loopback",
            "source_network": "192.0.2.0/24",
            "attempts": 2,
            "first_at": "2027-01-15T08:00:00Z",
            "last_at": "2027-01-15T08:00:02Z",
            "last_request_id": "4bf92f3577b34da6",
        })
    );
    assert_eq!(lines[0]["target"], Value::Null);
    let reasons = |more: &[&str]| -> Vec<String> {
        let lines = doorward.run(&[&["-q", "attempt", "list"], more].concat()).lines();
        lines.iter().map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
    };
    let every = ["authorization.pkce", "token.invalid_grant", "registration.redirect_uri"];
    assert_eq!(reasons(&[]), every);
    assert_eq!(reasons(&["--reason", "authorization.pkce"]), every[..1]);
    let first = doorward.run(&["attempt", "list", "--limit", "1"]);
    let after = first.err.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(reasons(&["--after", &after]), every[1..]);
    let refused = doorward.run(&["attempt", "list", "--reason", "bad luck"]);
    assert_eq!(refused.code, Some(2));

    let table = doorward.run(&["-q", "attempt", "list", "--output", "table"]).result();
    assert!(table.contains("claude code@loopback") && table.contains("PKCE"), "{table}");
    assert!(!table.contains('\u{202e}'), "{table}");
}
