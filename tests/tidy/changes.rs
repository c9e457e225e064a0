//! Every change of the store leaves an audit event.

use std::collections::BTreeSet;

use super::{none, source::read_sources};

/// The changes without an event, and why.
const WITHOUT_EVENT: &[(&str, &str)] = &[
    ("keep_grants", "imports copy records; the events about them are in the other store"),
    ("import_document_clients", "imports copy records"),
    ("import_consents", "imports copy records"),
    ("import_keys", "imports copy records"),
    ("import_rules", "imports copy records"),
    (
        "add_client",
        "the record of a client is the event of its registration, and names the operator",
    ),
    ("import_initial_access_tokens", "imports copy records"),
    ("keep_sessions", "imports copy records"),
    ("supersede_refresh_token", "the grant counts its refreshes, and its last event sums them up"),
    ("prolong_session", "the use of a session decides nothing about access"),
    ("note_client_uses", "uses are counted aside, and decide nothing about access"),
    ("note_document_client_uses", "uses are counted aside, and decide nothing about access"),
    ("begin_webhooks", "cursors of webhooks follow events, and are none"),
    ("advance_webhook", "cursors of webhooks follow events, and are none"),
    ("note_webhook_failure", "cursors of webhooks follow events, and are none"),
    ("put_mark", "a mark is a moment that the server itself has to remember"),
    ("claim_mark", "a mark is a moment that the server itself has to remember"),
    (
        "forget_events",
        "the settings say how long events are stored; an event about it would be the next to go",
    ),
    ("note_operator_token_uses", "uses are counted aside, and decide nothing about access"),
    ("import_operator_tokens", "imports copy records"),
    ("count_in_families", "families are counted aside, and decide nothing about access"),
    ("add_arrivals", "families are counted aside, and decide nothing about access"),
    ("add_some_arrivals_of", "families are counted aside, and decide nothing about access"),
    ("check_members", "families are counted aside"),
    ("recount_family", "families are counted aside"),
    ("put_family_use", "the people of families are counted aside"),
    ("import_families", "imports copy records"),
    ("note_attempts", "attempts are counted aside, and strangers must not grow the audit log"),
    ("trim_attempts", "attempts are counted aside"),
    ("put_note", "a note decides nothing about access"),
];

/// The functions of a file by name, with their text.
fn functions(text: &str) -> Vec<(&str, &str, bool)> {
    let parts = text.split("\n}\n").filter_map(|part| {
        let (before, rest) = part.split_once("async fn ")?;
        let name = rest.split(['<', '(']).next()?;
        Some((name, rest, before.ends_with("pub(in crate::store) ")))
    });
    parts.collect()
}

#[test]
fn every_change_of_the_store_leaves_an_event_or_says_why_not() {
    let text: String =
        read_sources("src/store/changes").into_iter().map(|source| source.text).collect();
    let functions = functions(&text);
    let mut recording: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = recording.len();
        for (name, body, _) in &functions {
            let calls = |other: &&&str| body.contains(&format!(" {other}(change"));
            let is_direct =
                ["events::INSERT", ".record(", "Some(event)"].iter().any(|it| body.contains(it));
            if is_direct || recording.iter().find(calls).is_some() {
                recording.insert(name);
            }
        }
        if recording.len() == before {
            break;
        }
    }
    let changes: BTreeSet<&str> =
        functions.iter().filter(|(_, _, is_public)| *is_public).map(|(name, ..)| *name).collect();
    assert!(changes.len() >= 15, "not every change was read: {changes:?}");
    let excepted: BTreeSet<&str> = WITHOUT_EVENT.iter().map(|(name, _)| *name).collect();
    let mut faults = Vec::new();
    for name in &changes {
        match (recording.contains(name), excepted.contains(name)) {
            (false, false) => faults.push(format!("{name} leaves no event")),
            (true, true) => faults.push(format!("{name} leaves an event: remove the exception")),
            (true, false) | (false, true) => {}
        }
    }
    faults.extend(excepted.difference(&changes).map(|name| format!("there is no change {name}")));
    none(&faults);
}
