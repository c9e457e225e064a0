//! Expiry: which clients time makes dormant and removes, which events stay, and what a person does at the same moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    Records, by,
    grants::{Grants, NOW, purchase},
    register_all,
    standing::{RACES, allowed, events, state},
};
use crate::{
    audit::{Action, Author},
    client::ClientIdentifier,
    clock::Timestamp,
    grant::RefreshToken,
    store::{
        ClientRecord, ClientRegistration, ClientState, ClientTerms, EventRecord, EventsOf, Expired,
        Expiry, GrantRecord, Mark, NotAllowed, Redeemed, Standing, Store, Swept, Walk, moment,
    },
};

const EXPIRY: Expiry =
    Expiry { unused_days: 30, idle_days: 400, counts_from: Timestamp::from_millis(0) };

fn at(now: Timestamp) -> Author {
    Author { at: now, ..by() }
}

/// Expires all clients that are due, `limit` at a time.
async fn expire(store: &Store, expiry: Expiry, now: Timestamp, limit: usize) -> Expired {
    let (mut all, mut walk) = (Expired::default(), Some(Walk::START));
    while let Some(from) = walk {
        let page = store.due_clients(&expiry, now, from, limit).await.unwrap();
        let due: Vec<_> = page.due.into_iter().map(|(client, _)| client).collect();
        let expired = store.expire_clients(due, expiry, at(now)).await.unwrap();
        all.dormant += expired.dormant;
        all.removed += expired.removed;
        walk = page.next;
    }
    all
}

async fn is_there(store: &Store, client: &ClientIdentifier) -> bool {
    match client {
        ClientIdentifier::Registered(id) => store.client(*id).await.unwrap().is_some(),
        ClientIdentifier::Document(url) => store.document_client(url).await.unwrap().is_some(),
    }
}

/// A client that registered then, in this state.
fn registered(records: &mut Records, issued_at: Timestamp, state: ClientState) -> ClientRecord {
    ClientRecord { issued_at, state, ..records.next() }
}

fn used(at: Timestamp) -> ClientState {
    ClientState { used_at: Some(at), ..ClientState::default() }
}

fn standing(standing: Standing, at: Timestamp) -> ClientState {
    ClientState { standing, standing_at: Some(at), ..ClientState::default() }
}

pub(in crate::store) async fn a_client_that_someone_vouches_for_does_not_expire(store: Arc<Store>) {
    let mut records = Records::new();
    let long_ago = NOW.before_days(1_000);
    let registrations = [
        ClientRegistration::by_operator("uid:0"),
        ClientRegistration::by_token("partners"),
        ClientRegistration::default(),
    ];
    let mut clients: Vec<ClientRecord> = Vec::new();
    for registration in registrations {
        for state in [ClientState::default(), used(long_ago)] {
            let client = registered(&mut records, long_ago, state);
            clients.push(ClientRecord { registration: registration.clone(), ..client });
        }
    }
    register_all(&store, &clients).await;

    for limit in [1, 100] {
        let expired = expire(&store, EXPIRY, NOW, limit).await;
        let number = usize::from(limit == 1);
        assert_eq!(expired, Expired { dormant: number, removed: number }, "the strangers");
    }

    let (vouched, strangers) = clients.split_at(4);
    for client in vouched {
        assert_eq!(store.client(client.client_id).await.unwrap().as_ref(), Some(client));
    }
    assert!(!is_there(&store, &strangers[0].client_id.into()).await);
}

pub(in crate::store) async fn a_client_is_removed_when_the_time_is_over_that_a_rule_gave_it(
    store: Arc<Store>,
) {
    let (mut records, grants) = (Records::new(), Grants::new());
    let until = |at| ClientState {
        terms: ClientTerms { expires_at: Some(at), ..ClientTerms::default() },
        used_at: Some(NOW),
        ..ClientState::default()
    };
    let over = ClientRecord {
        registration: ClientRegistration::by_token("partners"),
        ..registered(&mut records, NOW.before_days(7), until(NOW))
    };
    let left = registered(&mut records, NOW.before_days(7), until(NOW.after_seconds(1)));
    register_all(&store, &[over.clone(), left.clone()]).await;
    for client in [&over, &left] {
        let grant = GrantRecord { client: client.client_id.into(), ..grants.next() };
        store.import_grants(vec![grant]).await.unwrap();
    }
    let never = Expiry { unused_days: 0, idle_days: 0, ..EXPIRY };

    let expired = expire(&store, never, NOW, 100).await;

    assert_eq!(expired, Expired { dormant: 0, removed: 1 });
    assert!(!is_there(&store, &over.client_id.into()).await);
    assert!(is_there(&store, &left.client_id.into()).await);
    let [(_, detail)] = &*events(&store, &over.client_id.into(), Action::ClientRemoved).await
    else {
        panic!("one event")
    };
    assert_eq!((&detail["reason"], &detail["grants"]), (&json!("expired"), &json!(1)));
}

pub(in crate::store) async fn unused_clients_are_removed_and_idle_ones_become_dormant_first(
    store: Arc<Store>,
) {
    let (mut records, grants) = (Records::new(), Grants::new());
    let long_ago = NOW.before_days(1_000);
    let dormant = ClientState {
        used_at: Some(NOW.before_days(490)),
        ..standing(Standing::Dormant, NOW.before_days(90))
    };
    let rows = [
        ("unused", NOW.before_days(30), ClientState::default()),
        ("young", NOW.before_days(29), ClientState::default()),
        ("idle", long_ago, used(NOW.before_days(400))),
        ("used", long_ago, used(NOW.before_days(399))),
        ("dormant", long_ago, dormant),
        ("pending", long_ago, standing(Standing::Pending, long_ago)),
        ("suspended", long_ago, standing(Standing::Suspended, long_ago)),
        ("approved", long_ago, standing(Standing::Active, NOW.before_days(10))),
        ("authorized", long_ago, used(NOW.before_days(600))),
    ];
    let mut named: BTreeMap<&str, ClientIdentifier> = BTreeMap::new();
    for (name, issued_at, state) in rows {
        let client = registered(&mut records, issued_at, state);
        named.insert(name, client.client_id.into());
        register_all(&store, &[client]).await;
    }
    let grant = GrantRecord { client: named["authorized"].clone(), ..grants.next() };
    store.allow(allowed(&grant), by()).await.unwrap().unwrap();

    for limit in [2, 100] {
        let expired = expire(&store, EXPIRY, NOW, limit).await;
        let first = limit == 2;
        let expected = Expired { dormant: first.into(), removed: if first { 2 } else { 0 } };
        assert_eq!(expired, expected, "a second sweep finds nothing");
    }

    for (name, client) in &named {
        assert_eq!(
            is_there(&store, client).await,
            !matches!(*name, "unused" | "dormant"),
            "{name}"
        );
    }
    let now = state(&store, &named["idle"]).await;
    assert_eq!((now.standing, now.standing_at), (Standing::Dormant, Some(NOW)));
    let [(event, detail)] = &*events(&store, &named["idle"], Action::ClientDormant).await else {
        panic!("one event")
    };
    assert_eq!((event.at, event.actor_kind.as_str()), (NOW, "system"));
    assert_eq!(*detail, json!({ "from": "active", "reason": "idle", "unused_days": 400 }));
    for (name, reason, days, registered) in
        [("unused", "unused", 30, NOW.before_days(30)), ("dormant", "idle", 490, long_ago)]
    {
        let [(event, detail)] = &*events(&store, &named[name], Action::ClientRemoved).await else {
            panic!("one event")
        };
        assert!(event.family.is_some());
        let registered = registered.as_millis();
        assert_eq!(
            *detail,
            json!({
                "reason": reason, "name": "Example", "registered_at": registered, "grants": 0,
                "unused_days": days,
            })
        );
    }
}

pub(in crate::store) async fn a_client_with_a_document_expires_as_if_it_had_been_used_when_it_was_allowed(
    store: Arc<Store>,
) {
    let client: ClientIdentifier = "https://app.example/client.json".parse().unwrap();
    let grant = GrantRecord { client: client.clone(), ..Grants::new().next() };
    store.allow(allowed(&grant), by()).await.unwrap().unwrap();
    let idle_at = NOW.after_days(400);

    assert_eq!(expire(&store, EXPIRY, idle_at.before_seconds(1), 1).await, Expired::default());
    let dormant = Expired { dormant: 1, removed: 0 };
    assert_eq!(expire(&store, EXPIRY, idle_at, 1).await, dormant);
    assert_eq!(state(&store, &client).await.standing, Standing::Dormant);
    let removed = Expired { dormant: 0, removed: 1 };
    assert_eq!(expire(&store, EXPIRY, idle_at.after_days(90), 1).await, removed);

    assert!(!is_there(&store, &client).await);
    assert!(store.grant(grant.grant_id).await.unwrap().is_none());
    let [(_, detail)] = &*events(&store, &client, Action::ClientRemoved).await else {
        panic!("one event")
    };
    assert_eq!((&detail["reason"], &detail["unused_days"]), (&json!("idle"), &json!(490)));
    // A person who allows it again begins anew.
    let grant = GrantRecord { client: client.clone(), ..Grants::new().next() };
    assert_eq!(store.allow(allowed(&grant), by()).await.unwrap(), Ok(()));
    assert_eq!(state(&store, &client).await, ClientState::default());
}

pub(in crate::store) async fn a_grant_proves_a_use_that_was_never_stored(store: Arc<Store>) {
    let (mut records, grants) = (Records::new(), Grants::new());
    let client = registered(&mut records, NOW.before_days(1_000), ClientState::default());
    register_all(&store, std::slice::from_ref(&client)).await;
    let client: ClientIdentifier = client.client_id.into();
    let grant = GrantRecord { client: client.clone(), ..grants.next() };
    store.allow(allowed(&grant), by()).await.unwrap().unwrap();
    let later = NOW.after_days(1);

    // The grant has expired, and is not swept yet.
    assert_eq!(expire(&store, EXPIRY, later, 10).await, Expired::default());

    assert_eq!(state(&store, &client).await.used_at, Some(NOW));
}

pub(in crate::store) async fn a_client_that_is_allowed_in_the_moment_of_its_expiry_stays_usable(
    store: Arc<Store>,
) {
    let (mut records, grants) = (Records::new(), Grants::new());
    let mut removed_first = 0;
    for round in 0..RACES {
        let long_ago = NOW.before_days(1_000);
        let state_before = match round % 3 {
            0 => ClientState::default(),
            1 => used(NOW.before_days(400)),
            _ => standing(Standing::Dormant, long_ago),
        };
        let client = registered(&mut records, long_ago, state_before);
        register_all(&store, std::slice::from_ref(&client)).await;
        let client: ClientIdentifier = client.client_id.into();
        let grant = GrantRecord { client: client.clone(), ..grants.next() };

        let (was_allowed, expired) = tokio::join!(
            store.allow(allowed(&grant), by()),
            store.expire_clients(vec![client.clone()], EXPIRY, at(NOW)),
        );

        match (was_allowed.unwrap(), expired.unwrap()) {
            (Err(NotAllowed::NotThere), Expired { dormant: 0, removed: 1 }) => {
                removed_first += 1;
                assert!(!is_there(&store, &client).await);
                assert!(store.grant(grant.grant_id).await.unwrap().is_none());
            }
            (Ok(()), Expired { removed: 0, .. }) => {
                assert_eq!(state(&store, &client).await.standing, Standing::Active);
                assert!(store.grant(grant.grant_id).await.unwrap().is_some());
            }
            outcome => panic!("round {round}: {outcome:?}"),
        }
    }
    // In turn, the change that comes first is one or the other.
    println!("removed first: {removed_first} of {RACES}");
}

pub(in crate::store) async fn an_expired_grant_leaves_an_event_if_its_code_was_redeemed(
    store: Arc<Store>,
) {
    let grants = Grants::new();
    let client: ClientIdentifier = "https://app.example/client.json".parse().unwrap();
    let [unredeemed, redeemed] =
        [0, 1].map(|_| GrantRecord { client: client.clone(), ..grants.next() });
    for grant in [&unredeemed, &redeemed] {
        store.allow(allowed(grant), by()).await.unwrap().unwrap();
    }
    let token = RefreshToken::generate(redeemed.grant_id, &crate::entropy::Entropy::seeded(9));
    let bought = purchase(Some(&token));
    let idle_at = bought.refresh.as_ref().unwrap().expires_at;
    let outcome = store
        .redeem_code(redeemed.grant_id, bought, by().event(Action::GrantRedeemed))
        .await
        .unwrap();
    assert_eq!(outcome, Redeemed::Now);

    // A refresh token that has expired ends the grant: no other token lives as long.
    let page = store.sweep(Swept::Grants, None, 10, &at(idle_at)).await.unwrap();

    assert_eq!(page.forgotten, 2);
    let told = |grant: &GrantRecord| EventsOf::Grant(grant.grant_id);
    let last = store.newest_events(Some(&told(&redeemed)), None, 1).await.unwrap();
    assert_eq!((last[0].action, last[0].at), (Action::GrantExpired, idle_at));
    assert_eq!(last[0].subject.as_deref(), Some(redeemed.subject.as_str()));
    let detail: serde_json::Value =
        serde_json::from_str(last[0].detail.as_deref().unwrap()).unwrap();
    assert_eq!(
        detail,
        json!({ "reason": "expired", "refreshes": 0, "graced": 0, "last_refreshed_at": null })
    );
    let last = store.newest_events(Some(&told(&unredeemed)), None, 1).await.unwrap();
    assert_eq!(last[0].action, Action::GrantIssued);
}

pub(in crate::store) async fn old_events_are_deleted_in_pages_and_removals_of_clients_stay_longer(
    store: Arc<Store>,
) {
    let actions =
        [Action::ClientRemoved, Action::KeyMade, Action::ClientRejected, Action::SessionEnded];
    let mut all: Vec<EventRecord> = Vec::new();
    for day in 0..12 {
        let author = at(NOW.after_days(day));
        all.extend(actions.map(|action| author.event(action)));
    }
    store.record_events(all.clone()).await.unwrap();
    let (before, removals_before) = (NOW.after_days(8), NOW.after_days(3));

    for (limit, expected) in [(5, 3 * 4 + 5 * 2), (100, 0)] {
        let (mut after, mut forgotten) = (None, 0);
        loop {
            let (count, next) =
                store.forget_events(before, removals_before, after, limit).await.unwrap();
            assert!(count <= limit);
            forgotten += count;
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(forgotten, expected, "pages of {limit}");
    }

    let is_removal = |action| matches!(action, Action::ClientRemoved | Action::ClientRejected);
    all.retain(|event| {
        event.at >= before || (event.at >= removals_before && is_removal(event.action))
    });
    assert_eq!(store.events(None, None, None, 100).await.unwrap(), all);
}

pub(in crate::store) async fn of_nodes_that_claim_a_mark_at_once_one_succeeds(store: Arc<Store>) {
    let claim = async |now: Timestamp| {
        let before = now.before_seconds(60);
        store.claim_mark(Mark::ExpiryClaimed, now, before).await.unwrap()
    };
    let at_once = tokio::join!(claim(NOW), claim(NOW), claim(NOW));
    let claims = [at_once.0, at_once.1, at_once.2];
    assert_eq!(claims.iter().filter(|claimed| **claimed).count(), 1);
    assert!(!claim(NOW.after_seconds(59)).await);
    assert!(claim(NOW.after_seconds(60)).await);
    // A clock that was ahead does not hold the others up.
    assert!(claim(NOW).await);

    store.put_mark(Mark::ExpiryEnded, NOW).await.unwrap();
    store.put_mark(Mark::ExpiryEnded, NOW.after_days(1)).await.unwrap();
    let marks = store.marks().await.unwrap();
    assert_eq!(moment(&marks, Mark::ExpiryClaimed), Some(NOW));
    assert_eq!(moment(&marks, Mark::ExpiryEnded), Some(NOW.after_days(1)));
    assert_eq!(moment(&marks, Mark::ExpiryBegan), None);
}

pub(in crate::store) async fn a_sweep_and_the_counting_of_families_never_wait_for_each_other(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let long_ago = NOW.before_days(1_000);
    let mut of_each_family = |issued_at| -> Vec<ClientRecord> {
        ('a'..='z')
            .map(|letter| {
                let client = registered(&mut records, issued_at, ClientState::default());
                let metadata = client.metadata.replace("Example", &letter.to_string().repeat(4));
                ClientRecord { metadata, ..client }
            })
            .collect()
    };
    let rounds: Vec<_> = (0..20).map(|_| [of_each_family(long_ago), of_each_family(NOW)]).collect();
    for clients in rounds.iter().flatten() {
        register_all(&store, clients).await;
    }
    let raced = async {
        for [old, new] in &rounds {
            store.count_in_families(old).await.unwrap();
            // Two orders, neither of which is that of the families.
            let due = old.iter().rev().map(|client| client.client_id.into()).collect();
            let (expired, counted) = tokio::join!(
                store.expire_clients(due, EXPIRY, at(NOW)),
                store.count_in_families(new),
            );
            assert_eq!(expired.unwrap(), Expired { dormant: 0, removed: old.len() });
            assert_eq!(counted.unwrap(), new.len());
        }
    };
    // PostgreSQL takes a second to find out that two changes wait for each other.
    tokio::time::timeout(Duration::from_secs(8), raced).await.expect("no two waited");
}
