//! Admission rules: their order, their number, and the events about them.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::by;
use crate::{
    audit::{Action, Actor, Author},
    clock::Timestamp,
    store::{EventRecord, RULE_BYTES_MAX, RULES_MAX, RuleChange, RuleChanged, RuleRecord, Store},
};

fn form(id: &str) -> String {
    json!({ "id": id, "door": "rfc7591", "effect": "hold" }).to_string()
}

fn add(id: &str, place: Option<usize>) -> RuleChange {
    RuleChange::Add { id: id.to_owned(), rule: form(id), place }
}

fn operator() -> Author {
    Author { actor: Actor::Operator("uid:7".to_owned()), ..by() }
}

async fn change(store: &Store, wanted: RuleChange) -> RuleChanged {
    let before = store.rules_mark().await.unwrap();
    // Each a second after the one before: events sort by time.
    let at = by().at.max(Timestamp::from_millis(before + 1_000));
    let outcome = store.change_rules(wanted, Author { at, ..operator() }).await.unwrap();
    assert!(store.rules_mark().await.unwrap() > before, "nodes see that something changed");
    outcome
}

async fn order(store: &Store) -> Vec<String> {
    let rules = store.rules().await.unwrap();
    let positions: Vec<u64> = rules.iter().map(|rule| rule.position).collect();
    assert_eq!(positions, (0..rules.len() as u64).collect::<Vec<_>>());
    rules.into_iter().map(|rule| rule.rule_id).collect()
}

/// The events about rules in their order: action and detail.
async fn events(store: &Store) -> Vec<(Action, Value, EventRecord)> {
    let mut events = store.newest_events(None, None, 100).await.unwrap();
    events.reverse();
    let is_of_rule = |event: &EventRecord| event.action.as_str().starts_with("rule.");
    let of_rules = events.into_iter().filter(is_of_rule);
    of_rules
        .map(|event| {
            let detail = serde_json::from_str(event.detail.as_deref().unwrap()).unwrap();
            (event.action, detail, event)
        })
        .collect()
}

pub(in crate::store) async fn rules_keep_their_order_and_each_change_leaves_an_event(
    store: Arc<Store>,
) {
    assert_eq!((store.rules().await.unwrap(), store.rules_mark().await.unwrap()), (Vec::new(), 0));
    for (id, place) in [("b", None), ("c", None), ("a", Some(0)), ("d", Some(99))] {
        assert_eq!(change(&store, add(id, place)).await, RuleChanged::Now);
    }
    assert_eq!(order(&store).await, ["a", "b", "c", "d"]);
    let [first, ..] = &*store.rules().await.unwrap() else { panic!("there are four") };
    let expected = RuleRecord {
        rule_id: "a".to_owned(),
        position: 0,
        rule: form("a"),
        changed_at: by().at.after_seconds(2),
        changed_by: Some("uid:7".to_owned()),
    };
    assert_eq!(*first, expected);

    let to = |id: &str, place| RuleChange::Move { id: id.to_owned(), place };
    for (wanted, expected) in [
        (to("d", 0), ["d", "a", "b", "c"]),
        (to("d", 2), ["a", "b", "d", "c"]),
        (to("a", 99), ["b", "d", "c", "a"]),
        (to("a", 3), ["b", "d", "c", "a"]),
    ] {
        assert_eq!(change(&store, wanted.clone()).await, RuleChanged::Now);
        assert_eq!(order(&store).await, expected, "{wanted:?}");
    }
    let rule = json!({ "id": "d", "door": "document", "effect": "allow" }).to_string();
    let edit = |id: &str| RuleChange::Edit { id: id.to_owned(), rule: rule.clone(), place: None };
    assert_eq!(change(&store, edit("d")).await, RuleChanged::Now);
    assert_eq!(store.rules().await.unwrap()[1].rule, rule);
    let remove = |id: &str| RuleChange::Remove { id: id.to_owned() };
    assert_eq!(change(&store, remove("b")).await, RuleChanged::Now);
    assert_eq!(order(&store).await, ["d", "c", "a"]);

    let told = events(&store).await;
    let actions: Vec<Action> = told.iter().map(|(action, ..)| *action).collect();
    let expected =
        [&[Action::RuleCreated; 4][..], &[Action::RuleChanged; 5], &[Action::RuleDeleted]].concat();
    assert_eq!(actions, expected);
    assert!(told.iter().all(|(.., event)| event.actor.as_deref() == Some("uid:7")));
    let form: Value = serde_json::from_str(&form("b")).unwrap();
    assert_eq!(told[9].1, json!({ "rule_id": "b", "position": 1, "rule": form }));
    assert_eq!(told[8].1["rule"]["effect"], "allow");
    assert_eq!(told[4].1["position"], 1);
}

pub(in crate::store) async fn a_change_of_rules_that_cannot_be_made_changes_nothing(
    store: Arc<Store>,
) {
    assert_eq!(change(&store, add("a", None)).await, RuleChanged::Now);
    let id = "b".to_owned();
    let long = format!("\"{}\"", "x".repeat(RULE_BYTES_MAX));
    for (wanted, expected) in [
        (add("a", Some(0)), RuleChanged::Exists),
        (RuleChange::Edit { id: id.clone(), rule: form("b"), place: None }, RuleChanged::NotThere),
        (RuleChange::Move { id: id.clone(), place: 0 }, RuleChanged::NotThere),
        (RuleChange::Remove { id: id.clone() }, RuleChanged::NotThere),
        (RuleChange::Add { id, rule: long.clone(), place: None }, RuleChanged::TooMuch),
        (RuleChange::Edit { id: "a".to_owned(), rule: long, place: None }, RuleChanged::TooMuch),
    ] {
        let outcome = store.change_rules(wanted.clone(), operator()).await.unwrap();
        assert_eq!(outcome, expected, "{wanted:?}");
    }
    assert_eq!(order(&store).await, ["a"]);
    assert_eq!(store.rules().await.unwrap()[0].rule, form("a"));
    assert_eq!(events(&store).await.len(), 1);
}

pub(in crate::store) async fn changes_of_rules_at_once_happen_one_after_another(store: Arc<Store>) {
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        calls.spawn(async move {
            let wanted = add(&format!("rule-{number}"), Some(0));
            store.change_rules(wanted, operator()).await.unwrap()
        });
    }
    assert_eq!(calls.join_all().await, [RuleChanged::Now; 20]);
    assert_eq!(order(&store).await.len(), 20);
}

pub(in crate::store) async fn imported_rules_are_those_that_are_new_or_were_changed_later(
    store: Arc<Store>,
) {
    let record = |id: &str, position, later| RuleRecord {
        rule_id: id.to_owned(),
        position,
        rule: form(&format!("{id}{later}")),
        changed_at: by().at.after_seconds(later),
        changed_by: None,
    };
    assert_eq!(store.import_rules(Vec::new()).await.unwrap(), 0);
    let first = vec![record("a", 0, 5), record("b", 1, 5)];
    assert_eq!(store.import_rules(first.clone()).await.unwrap(), 2);
    assert_eq!(store.rules().await.unwrap(), first);
    let mark = store.rules_mark().await.unwrap();
    assert!(mark > 0);

    let then = vec![record("a", 0, 4), record("b", 1, 6), record("c", 2, 1)];
    assert_eq!(store.import_rules(then.clone()).await.unwrap(), 2);

    let expected = [first[0].clone(), then[1].clone(), then[2].clone()];
    assert_eq!(store.rules().await.unwrap(), expected);
    assert!(store.rules_mark().await.unwrap() > mark);
}

/// The number is a bound of every node's memory.
pub(in crate::store) async fn no_more_rules_are_kept_than_may_be(store: Arc<Store>) {
    let all = (0..RULES_MAX as u64).map(|position| RuleRecord {
        rule_id: format!("rule-{position}"),
        position,
        rule: form("a"),
        changed_at: by().at,
        changed_by: None,
    });
    store.import_rules(all.collect()).await.unwrap();
    assert_eq!(change(&store, add("one-more", Some(0))).await, RuleChanged::TooMuch);
    let remove = RuleChange::Remove { id: "rule-5".to_owned() };
    assert_eq!(change(&store, remove).await, RuleChanged::Now);
    assert_eq!(change(&store, add("one-more", Some(0))).await, RuleChanged::Now);
    assert_eq!(order(&store).await.len(), RULES_MAX);
}
