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
    store::{ClientRecord, Store, StoreError, change, changes},
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
                store.add_all_arrivals().await.unwrap();
            }
        });
    }
    nodes.join_all().await;

    store.add_all_arrivals().await.unwrap();

    assert_eq!(found(&all(&store).await), expected(&clients));
    assert_eq!(store.clients_without_family(None, 10).await.unwrap(), (vec![], None));
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
        store.add_all_arrivals().await.unwrap();
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

    store.add_all_arrivals().await.unwrap();

    let left = of(&store, &clients[0]).await;
    assert_eq!((left.clients, left.removed), (1, 23));
}

/// Rows that cannot be read keep no other family from its clients, and are counted once they can be read. `run` runs SQL.
pub(in crate::store) async fn counting_goes_on_beside_rows_that_cannot_be_read(
    store: &Store,
    run: impl AsyncFn(&str),
) {
    let mut records = Records::new();
    let names = ["Broken", "Row", "Well", "Broken", "Row", "Well"];
    let clients = names.map(|name| named(&mut records, name));
    register_with_families(store, &clients[..3]).await;
    store.add_all_arrivals().await.unwrap();
    register_with_families(store, &clients[3..]).await;
    run("UPDATE family_arrivals SET clients = -1 WHERE family_key LIKE 'broken%'; \
         UPDATE families SET names = '?' WHERE family_key LIKE 'row%';")
    .await;

    let arrived = store.add_arrivals(None).await.unwrap();

    assert_eq!((arrived.arrivals, arrived.unreadable.len()), (1, 2), "{arrived:?}");
    assert_eq!(of(store, &clients[2]).await.clients, 2);
    assert_eq!(of(store, &clients[0]).await.clients, 1);
    run("UPDATE family_arrivals SET clients = 1; UPDATE families SET names = '[]';").await;
    let arrived = store.add_arrivals(None).await.unwrap();
    assert_eq!((arrived.arrivals, arrived.unreadable.len()), (2, 0), "{arrived:?}");
    for client in &clients {
        assert_eq!(of(store, client).await.clients, 2);
    }
}

/// An arrival that counts clients which are gone takes none from the others. `run` runs SQL.
pub(in crate::store) async fn a_family_never_counts_fewer_than_zero_clients(
    store: &Store,
    run: impl AsyncFn(&str),
) {
    let mut records = Records::new();
    let client = named(&mut records, "App");
    register_with_families(store, std::slice::from_ref(&client)).await;
    store.add_all_arrivals().await.unwrap();
    register_with_families(store, &[named(&mut records, "App")]).await;
    run("UPDATE family_arrivals SET clients = 9;").await;
    let id = of(store, &client).await.family_id;

    let recount = async { change!(store, whole, |change| changes::recount_family(change, id)) };
    let recounted: Result<(), StoreError> = recount.await;
    recounted.unwrap();

    assert_eq!(of(store, &client).await.clients, 0);
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
