//! The promises of clients.

use super::by;
use crate::audit::Action;
use std::{net::IpAddr, sync::Arc};

use tokio::task::JoinSet;

use super::{Records, everything, register_all};
use crate::{
    client::ProfileName,
    clock::Timestamp,
    store::{
        ClientFilter, ClientFlags, ClientRecord, ClientState, Deleted, Imported, Standing, Store,
        StoreError,
    },
};

pub(in crate::store) async fn a_registered_client_is_read_back_as_it_was(store: Arc<Store>) {
    let mut records = Records::new();
    let clients = [
        ClientRecord { profile: ProfileName::Datadog, ..records.next() },
        ClientRecord { source: None, ..records.next() },
        ClientRecord { source: Some("2001:db8::1".parse().unwrap()), ..records.next() },
        ClientRecord { source: Some("::ffff:192.0.2.1".parse().unwrap()), ..records.next() },
        ClientRecord { flags: ClientFlags::from_bits(u32::MAX), ..records.next() },
        ClientRecord { issued_at: Timestamp::from_millis(0), ..records.next() },
        ClientRecord {
            metadata: "{\"client_name\":\"T\u{e9}\u{1f980}\\u0041 '\\\"\"}".to_owned(),
            ..records.next()
        },
        ClientRecord {
            metadata: format!("{{\"a\":\"{}\"}}", "x".repeat(60_000)),
            ..records.next()
        },
    ];
    register_all(&store, &clients).await;

    for client in &clients {
        assert_eq!(store.client(client.client_id).await.unwrap().as_ref(), Some(client));
    }
    assert_eq!(store.count_clients().await.unwrap(), clients.len() as u64);
}

pub(in crate::store) async fn an_unknown_client_is_not_there(store: Arc<Store>) {
    let mut records = Records::new();
    register_all(&store, &records.take(2)).await;

    assert_eq!(store.client(records.next().client_id).await.unwrap(), None);
}

pub(in crate::store) async fn an_identifier_is_registered_once(store: Arc<Store>) {
    let first = Records::new().next();
    let second = ClientRecord { metadata: "{}".to_owned(), ..first.clone() };
    store.register_client(Arc::new(first.clone()), None).await.unwrap();

    let refused = store.register_client(Arc::new(second), None).await;

    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(store.client(first.client_id).await.unwrap(), Some(first));
}

pub(in crate::store) async fn a_refused_duplicate_does_not_touch_its_neighbours(store: Arc<Store>) {
    let mut records = Records::new();
    let there = records.next();
    register_all(&store, std::slice::from_ref(&there)).await;
    let neighbours = records.take(20);
    let mut calls = JoinSet::new();
    for (index, client) in neighbours.iter().cloned().enumerate() {
        if index == 10 {
            let (store, there) = (Arc::clone(&store), Arc::new(there.clone()));
            calls.spawn(async move { store.register_client(there, None).await.is_err() });
        }
        let store = Arc::clone(&store);
        calls.spawn(async move { store.register_client(Arc::new(client), None).await.is_ok() });
    }

    assert!(calls.join_all().await.into_iter().all(|as_expected| as_expected));
    for client in neighbours {
        assert_eq!(store.client(client.client_id).await.unwrap(), Some(client));
    }
}

pub(in crate::store) async fn clients_registered_at_once_are_all_kept(store: Arc<Store>) {
    let clients = Records::new().take(300);
    let mut calls = JoinSet::new();
    for client in clients.iter().cloned() {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.register_client(Arc::new(client), None).await });
    }
    for answer in calls.join_all().await {
        answer.unwrap();
    }

    assert_eq!(everything(&store, &ClientFilter::default(), 1_000).await, clients);
}

pub(in crate::store) async fn pages_follow_each_other_in_the_order_of_identifiers(
    store: Arc<Store>,
) {
    let clients = Records::new().take(10);
    for client in clients.iter().rev() {
        store.register_client(Arc::new(client.clone()), None).await.unwrap();
    }

    for limit in [1, 3, 10, 11] {
        assert_eq!(everything(&store, &ClientFilter::default(), limit).await, clients);
    }
}

pub(in crate::store) async fn a_filter_shows_what_passes_all_of_it(store: Arc<Store>) {
    let mut records = Records::new();
    let plain = records.next();
    let flagged = ClientRecord { flags: ClientFlags::LOOK_ALIKE, ..records.next() };
    let datadog = ClientRecord { profile: ProfileName::Datadog, ..records.next() };
    let both = ClientRecord {
        profile: ProfileName::Datadog,
        flags: ClientFlags::from_bits(0b101),
        source: Some(IpAddr::from([198, 51, 100, 7])),
        ..records.next()
    };
    let mut of_standing = |standing| ClientRecord {
        state: ClientState { standing, ..ClientState::default() },
        ..records.next()
    };
    let others = [Standing::Pending, Standing::Suspended, Standing::Dormant, Standing::Pending]
        .map(&mut of_standing);
    let [pending, suspended, dormant, later] = &others;
    register_all(&store, &[plain.clone(), flagged.clone(), datadog.clone(), both.clone()]).await;
    register_all(&store, &others).await;

    let any = ClientFilter::default;
    let of = |standing| ClientFilter { standing: Some(standing), ..any() };
    let only_datadog = || ClientFilter { profile: Some(ProfileName::Datadog), ..any() };
    for (filter, expected) in [
        (any(), vec![&plain, &flagged, &datadog, &both, pending, suspended, dormant, later]),
        (of(Standing::Active), vec![&plain, &flagged, &datadog, &both]),
        (of(Standing::Pending), vec![pending, later]),
        (of(Standing::Suspended), vec![suspended]),
        (of(Standing::Dormant), vec![dormant]),
        (
            ClientFilter { standing: Some(Standing::Active), ..only_datadog() },
            vec![&datadog, &both],
        ),
        (ClientFilter { standing: Some(Standing::Pending), ..only_datadog() }, vec![]),
        (ClientFilter { issued_from: Some(later.issued_at), ..of(Standing::Pending) }, vec![later]),
        (only_datadog(), vec![&datadog, &both]),
        (ClientFilter { flags: ClientFlags::LOOK_ALIKE, ..any() }, vec![&flagged, &both]),
        (ClientFilter { flags: ClientFlags::LOOK_ALIKE, ..only_datadog() }, vec![&both]),
        (ClientFilter { flags: ClientFlags::from_bits(0b1_0000), ..any() }, vec![]),
        (
            ClientFilter { issued_from: Some(datadog.issued_at), ..of(Standing::Active) },
            vec![&datadog, &both],
        ),
        (ClientFilter { issued_until: Some(datadog.issued_at), ..any() }, vec![&plain, &flagged]),
        (
            ClientFilter { issued_until: Some(Timestamp::from_millis(u64::MAX)), ..only_datadog() },
            vec![&datadog, &both],
        ),
    ] {
        let shown = everything(&store, &filter, 2).await;
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub(in crate::store) async fn clients_behind_a_filter_are_found_however_far_apart_they_are(
    store: Arc<Store>,
) {
    let mut clients = Records::new().take(700);
    for rare in [3, 4, 400, 699] {
        clients[rare].metadata = r#"{"client_name":"Rare"}"#.to_owned();
    }
    store.import_clients(clients.clone()).await.unwrap();
    clients.retain(|client| client.metadata.contains("Rare"));

    let filter = ClientFilter { name_contains: Some("rare".to_owned()), ..ClientFilter::default() };

    for limit in [1, 3, 1_000] {
        assert_eq!(everything(&store, &filter, limit).await, clients, "{limit} at once");
    }
}

pub(in crate::store) async fn a_name_is_found_without_regard_to_ascii_case_and_without_patterns(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let mut named =
        |metadata: &str| ClientRecord { metadata: metadata.to_owned(), ..records.next() };
    let clients = [
        named(r#"{"client_name":"Claude Code"}"#),
        named(r#"{"client_name":"100% \u00c9clair_","client_uri":"https://claude.example"}"#),
        named(r#"{"redirect_uris":["https://claude.example/cb"]}"#),
        named("not JSON, with claude in it"),
    ];
    register_all(&store, &clients).await;

    for (text, expected) in [
        ("cLAUDe", &clients[..1]),
        ("", &clients[..2]),
        ("100%", &clients[1..2]),
        ("%", &clients[1..2]),
        ("r_", &clients[1..2]),
        ("e_c", &[]),
        ("\u{c9}cl", &clients[1..2]),
        ("\u{e9}cl", &[]),
    ] {
        let filter = ClientFilter { name_contains: Some(text.to_owned()), ..Default::default() };
        assert_eq!(everything(&store, &filter, 10).await, expected, "{text:?}");
    }
}

pub(in crate::store) async fn a_deleted_client_is_gone_and_can_be_deleted_once(store: Arc<Store>) {
    let clients = Records::new().take(3);
    register_all(&store, &clients).await;
    let gone = clients[1].client_id;

    assert_eq!(
        store.remove_client(gone, Action::ClientRemoved, "by_operator", by()).await.unwrap(),
        Deleted::Forgotten
    );
    assert_eq!(
        store.remove_client(gone, Action::ClientRemoved, "by_operator", by()).await.unwrap(),
        Deleted::NotThere
    );
    assert_eq!(store.client(gone).await.unwrap(), None);
    let left = everything(&store, &ClientFilter::default(), 10).await;
    assert_eq!(left, [clients[0].clone(), clients[2].clone()]);
}

pub(in crate::store) async fn an_import_keeps_what_is_new_and_leaves_what_is_there(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let there = records.take(2);
    register_all(&store, &there).await;
    let new = records.next();
    let changed = ClientRecord { source: None, ..there[1].clone() };

    let imported = store
        .import_clients(vec![there[0].clone(), changed, new.clone(), new.clone()])
        .await
        .unwrap();

    let expected =
        [Imported::AlreadyThere, Imported::Differs, Imported::Kept, Imported::AlreadyThere];
    assert_eq!(imported, expected);
    let kept = everything(&store, &ClientFilter::default(), 10).await;
    assert_eq!(kept, [there[0].clone(), there[1].clone(), new]);
}

pub(in crate::store) async fn an_import_can_be_run_again(store: Arc<Store>) {
    let clients = Records::new().take(50);

    let first = store.import_clients(clients.clone()).await.unwrap();
    let second = store.import_clients(clients.clone()).await.unwrap();

    assert!(first.iter().all(|outcome| *outcome == Imported::Kept));
    assert!(second.iter().all(|outcome| *outcome == Imported::AlreadyThere));
    assert_eq!(everything(&store, &ClientFilter::default(), 100).await, clients);
}

pub(in crate::store) async fn an_import_that_cannot_be_kept_whole_keeps_nothing(store: Arc<Store>) {
    let mut clients = Records::new().take(3);
    // Later than any store can write.
    clients[1].issued_at = Timestamp::from_millis(u64::MAX);

    store.import_clients(clients.clone()).await.unwrap_err();

    assert_eq!(everything(&store, &ClientFilter::default(), 10).await, []);
}
