//! What clients do with their own registration: one of all who try, and nothing that an operator decided against.

use std::sync::Arc;

use super::{Records, by, grants::Grants, register_all};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::Scope,
    clock::Timestamp,
    store::{
        ClientFlags, ClientRecord, ClientRegistration, ClientState, ClientTerms, ClientUpdate,
        EventsOf, Generation, GrantRecord, Standing, Store, Updated,
    },
};

const NAME: &str = r#"{"client_name":"Another","redirect_uris":["https://app.example/cb"]}"#;

pub(super) fn update(client: &ClientRecord, generation: u64, metadata: &str) -> ClientUpdate {
    ClientUpdate {
        client_id: client.client_id,
        generation: Generation::new(generation),
        metadata: metadata.to_owned(),
        flags: ClientFlags::LOOK_ALIKE,
        is_held: false,
        terms: ClientTerms::default(),
        label_before: None,
    }
}

async fn registered(store: &Store, records: &mut Records) -> ClientRecord {
    let client = records.next();
    register_all(store, std::slice::from_ref(&client)).await;
    client
}

async fn actions(store: &Store, client: &ClientRecord) -> Vec<Action> {
    let of = EventsOf::Client(client.client_id.into());
    let events = store.newest_events(Some(&of), None, 1_000).await.unwrap();
    events.into_iter().map(|event| event.action).collect()
}

pub(in crate::store) async fn an_update_begins_the_next_generation_and_is_read_back(
    store: Arc<Store>,
) {
    let client = registered(&store, &mut Records::new()).await;
    let at = |millis| Author { at: Timestamp::from_millis(millis), ..by() };
    let same_name = NAME.replace('}', r#","software_version":"2"}"#);
    for (generation, metadata, changed_at) in [(0, NAME, 1), (1, &*same_name, 1), (2, NAME, 1)] {
        let made =
            store.update_registration(update(&client, generation, metadata), at(generation + 1));
        let registration = ClientRegistration {
            generation: Generation::new(generation + 1),
            changed_at: Some(Timestamp::from_millis(changed_at)),
            registered_by: None,
        };
        assert_eq!(made.await.unwrap(), Updated::Now(registration.clone()));
        let expected = ClientRecord {
            metadata: metadata.to_owned(),
            flags: ClientFlags::LOOK_ALIKE,
            registration,
            ..client.clone()
        };
        assert_eq!(store.client(client.client_id).await.unwrap(), Some(expected));
    }
    assert_eq!(actions(&store, &client).await, [Action::ClientUpdated; 3]);
}

pub(in crate::store) async fn of_fifty_updates_of_one_generation_one_is_made(store: Arc<Store>) {
    let client = registered(&store, &mut Records::new()).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, update) = (Arc::clone(&store), update(&client, 0, NAME));
        calls.spawn(async move { store.update_registration(update, by()).await.unwrap() });
    }
    let outcomes = calls.join_all().await;
    let made = outcomes.iter().filter(|outcome| matches!(outcome, Updated::Now(_))).count();
    let refused = outcomes.iter().filter(|outcome| **outcome == Updated::NotThere).count();
    assert_eq!((made, refused), (1, 49));
    assert_eq!(actions(&store, &client).await, [Action::ClientUpdated]);
}

pub(in crate::store) async fn nothing_changes_for_another_generation_or_a_blocked_client(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let unknown = records.next();
    let active = registered(&store, &mut records).await;
    for (client, generation) in [(&unknown, 0), (&active, 1), (&active, u64::MAX)] {
        let updated = store.update_registration(update(client, generation, NAME), by()).await;
        assert_eq!(updated.unwrap(), Updated::NotThere);
        let generation = Generation::new(generation);
        let removed = store.remove_registration(client.client_id, generation, by()).await;
        assert_eq!(removed.unwrap(), Updated::NotThere);
    }
    assert_eq!(store.client(active.client_id).await.unwrap(), Some(active));
    for standing in [Standing::Pending, Standing::Suspended] {
        let state = ClientState { standing, ..ClientState::default() };
        let client = ClientRecord { state, ..records.next() };
        register_all(&store, std::slice::from_ref(&client)).await;
        let updated = store.update_registration(update(&client, 0, NAME), by()).await;
        assert_eq!(updated.unwrap(), Updated::Is(standing));
        assert_eq!(store.client(client.client_id).await.unwrap().as_ref(), Some(&client));
        let removed =
            store.remove_registration(client.client_id, Generation::default(), by()).await;
        let expected =
            if standing == Standing::Suspended { Updated::Is(standing) } else { Updated::Now(()) };
        assert_eq!(removed.unwrap(), expected);
    }
}

pub(in crate::store) async fn an_update_and_a_removal_at_once_happen_one_after_the_other(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    for _ in 0..100 {
        let client = registered(&store, &mut records).await;
        let (updated, removed) = tokio::join!(
            store.update_registration(update(&client, 0, NAME), by()),
            store.remove_registration(client.client_id, Generation::default(), by()),
        );
        let left = store.client(client.client_id).await.unwrap();
        match (updated.unwrap(), removed.unwrap()) {
            (Updated::Now(registration), Updated::NotThere) => {
                assert_eq!(left.unwrap().registration, registration);
                assert_eq!(actions(&store, &client).await, [Action::ClientUpdated]);
            }
            (Updated::NotThere, Updated::Now(())) => {
                assert_eq!(left, None);
                assert_eq!(actions(&store, &client).await, [Action::ClientRemoved]);
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(in crate::store) async fn an_update_replaces_the_terms_of_its_rule_and_ends_what_they_forbid(
    store: Arc<Store>,
) {
    let client = registered(&store, &mut Records::new()).await;
    let grants = Grants::new();
    let [kept, ended] = ["read", "read write"].map(|scope| GrantRecord {
        client: client.client_id.into(),
        scope: Scope::parse(scope).unwrap(),
        ..grants.next()
    });
    store.import_grants(vec![kept.clone(), ended.clone()]).await.unwrap();
    let terms = ClientTerms {
        label: Some("partners".to_owned()),
        ceiling: Some(Ceiling::Only(vec!["read".to_owned()])),
        expires_at: Some(Timestamp::from_millis(7)),
    };
    let change = ClientUpdate { terms: terms.clone(), ..update(&client, 0, &client.metadata) };

    let made = store.update_registration(change, by()).await.unwrap();

    assert!(matches!(made, Updated::Now(_)), "{made:?}");
    let stored = async || store.client(client.client_id).await.unwrap().unwrap().state.terms;
    assert_eq!(stored().await, terms);
    let relabelled = ClientUpdate {
        terms: ClientTerms { label: None, ..terms.clone() },
        label_before: Some("of the rule".to_owned()),
        ..update(&client, 1, &client.metadata)
    };
    store.update_registration(relabelled, by()).await.unwrap();
    assert_eq!(stored().await, terms, "an operator set the label");
    assert!(store.grant(ended.grant_id).await.unwrap().is_none());
    assert!(store.grant(kept.grant_id).await.unwrap().is_some());
    let freed = ClientUpdate {
        label_before: Some("partners".to_owned()),
        ..update(&client, 2, &client.metadata)
    };
    let freed = store.update_registration(freed, by()).await;
    assert!(matches!(freed.unwrap(), Updated::Now(_)));
    assert_eq!(stored().await, ClientTerms::default());
}

pub(in crate::store) async fn an_update_that_is_held_makes_the_client_pending_and_ends_its_grants(
    store: Arc<Store>,
) {
    let client = registered(&store, &mut Records::new()).await;
    let grant = GrantRecord { client: client.client_id.into(), ..Grants::new().next() };
    store.import_grants(vec![grant.clone()]).await.unwrap();
    let held = |generation, metadata| ClientUpdate {
        is_held: true,
        ..update(&client, generation, metadata)
    };
    let same = store.update_registration(held(0, &client.metadata), by()).await.unwrap();
    assert!(matches!(same, Updated::Now(_)));
    assert!(store.grant(grant.grant_id).await.unwrap().is_some(), "nothing was changed");

    let changed = store.update_registration(held(1, NAME), by()).await.unwrap();

    assert!(matches!(changed, Updated::Now(_)));
    let state = store.client(client.client_id).await.unwrap().unwrap().state;
    assert_eq!((state.standing, state.standing_at), (Standing::Pending, Some(by().at)));
    assert!(store.grant(grant.grant_id).await.unwrap().is_none());
    let again = store.update_registration(update(&client, 2, &client.metadata), by()).await;
    assert_eq!(again.unwrap(), Updated::Is(Standing::Pending));
    let mut actions = actions(&store, &client).await;
    actions.sort_unstable();
    assert_eq!(actions, [Action::ClientUpdated, Action::ClientUpdated, Action::GrantRevoked]);
}

pub(in crate::store) async fn clients_of_one_family_that_update_at_once_all_succeed(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let clients = records.take(30);
    register_all(&store, &clients).await;
    store.count_in_families(&clients).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for (nth, client) in clients.iter().enumerate() {
        let metadata = match nth % 3 {
            0 => client.metadata.replace('}', r#","software_version":"2"}"#),
            _ => NAME.to_owned(),
        };
        let (store, update) = (Arc::clone(&store), update(client, 0, &metadata));
        let removed = (nth % 5 == 0).then_some(client.client_id);
        calls.spawn(async move {
            let updated = store.update_registration(update, by()).await.unwrap();
            if let Some(id) = removed {
                let removed = store.remove_registration(id, Generation::new(1), by()).await;
                assert_eq!(removed.unwrap(), Updated::Now(()));
            }
            updated
        });
    }
    let outcomes = tokio::time::timeout(std::time::Duration::from_secs(20), calls.join_all()).await;
    let made = outcomes.expect("no two wait for each other");
    assert!(made.iter().all(|outcome| matches!(outcome, Updated::Now(_))), "{made:?}");
}

pub(in crate::store) async fn clients_that_change_places_in_their_families_never_wait_for_each_other(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let with_name = |client: &ClientRecord, name: &str| client.metadata.replace("Example", name);
    let mut pairs = Vec::new();
    for round in 0..30 {
        let names = ["first", "other"].map(|name| format!("{name} {}", "x".repeat(round)));
        let pair = names.clone().map(|name| {
            let client = records.next();
            ClientRecord { metadata: with_name(&client, &name), ..client }
        });
        register_all(&store, &pair).await;
        // Of some pairs, the families have rows already; of others, arrivals alone.
        if round % 2 == 0 {
            store.count_in_families(&pair).await.unwrap();
        }
        pairs.push((pair, names));
    }
    let raced = async {
        for (pair, [first, other]) in &pairs {
            let moves = [(&pair[0], first, other), (&pair[1], other, first)];
            let [one, two] = moves.map(|(client, from, to)| {
                let metadata = client.metadata.replace(from.as_str(), to);
                store.update_registration(update(client, 0, &metadata), by())
            });
            let (one, two) = tokio::join!(one, two);
            assert!(matches!((one.unwrap(), two.unwrap()), (Updated::Now(_), Updated::Now(_))));
        }
    };
    // PostgreSQL takes a second to find out that two changes wait for each other.
    tokio::time::timeout(std::time::Duration::from_secs(8), raced).await.expect("no two waited");
}
