//! The promises about clients whose families are not told of them yet.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Records, by,
    families::{all, expected, found, named, of},
    register_all, register_with_families,
};
use crate::{
    audit::Action,
    store::{ClientRecord, Store},
};

pub(in crate::store) async fn arrivals_are_added_once_by_however_many_nodes(store: Arc<Store>) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> =
        (0..60).map(|nth| named(&mut records, &format!("App{} {}.0", nth % 7, nth % 4))).collect();
    let mut nodes = JoinSet::new();
    for some in clients.chunks(10) {
        let (store, some) = (Arc::clone(&store), some.to_vec());
        nodes.spawn(async move {
            for client in some.chunks(3) {
                register_with_families(&store, client).await;
                store.add_arrivals().await.unwrap();
            }
        });
    }
    nodes.join_all().await;

    while !store.add_arrivals().await.unwrap().0 {}

    assert_eq!(found(&all(&store).await), expected(&clients));
    assert_eq!(store.clients_without_family(None, 10).await.unwrap(), []);
}

pub(in crate::store) async fn a_client_that_is_removed_before_its_family_is_told_of_it_was_seen(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let clients = [named(&mut records, "App"), named(&mut records, "App")];
    register_with_families(&store, &clients).await;
    let id = clients[0].client_id;

    store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();

    for _ in 0..2 {
        store.add_arrivals().await.unwrap();
        let left = of(&store, &clients[1]).await;
        assert_eq!((left.clients, left.removed), (1, 1));
    }
}

pub(in crate::store) async fn clients_that_are_removed_at_once_before_their_family_is_told_were_seen(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> = (0..24).map(|_| named(&mut records, "App")).collect();
    register_with_families(&store, &clients).await;
    let mut calls = JoinSet::new();
    for client in &clients[1..] {
        let (store, id) = (Arc::clone(&store), client.client_id);
        calls.spawn(async move {
            store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();
        });
    }
    calls.join_all().await;

    while !store.add_arrivals().await.unwrap().0 {}

    let left = of(&store, &clients[0]).await;
    assert_eq!((left.clients, left.removed), (1, 23));
}

/// Clients that an earlier release counted in a table of its own are not counted again. `run` runs SQL.
pub(in crate::store) async fn what_an_earlier_release_counted_is_counted_once(
    store: &Store,
    run: impl AsyncFnOnce(&str),
) {
    let mut records = Records::new();
    let clients: Vec<ClientRecord> = (0..3).map(|_| named(&mut records, "App")).collect();
    register_all(store, &clients).await;
    store.count_in_families(&clients).await.unwrap();
    run(
        "INSERT INTO family_clients (family_id, client_id) SELECT family, client_id FROM clients; \
         UPDATE clients SET family = NULL;",
    )
    .await;
    let id = clients[0].client_id;

    store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();
    store.count_in_families(&clients[1..2]).await.unwrap();
    for _ in 0..2 {
        let family = of(store, &clients[1]).await;
        assert_eq!((family.clients, family.removed), (2, 1));
        store.rebuild_families(by().at, &|_| {}).await.unwrap();
    }
}
