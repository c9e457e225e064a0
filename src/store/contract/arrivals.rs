//! The promises about clients whose families are not told of them yet.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Records, by, everything,
    families::{all, allowed, expected, found, named, of},
    grants::Grants,
    register_with_families,
    registrations::update,
};
use crate::{
    audit::Action,
    clock::Timestamp,
    store::{ClientFilter, ClientRecord, Store},
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

/// Operators see the clients of a family, and the people who gave them access, before the family counts them.
pub(in crate::store) async fn a_family_has_its_clients_before_it_is_told_of_them(
    store: Arc<Store>,
) {
    let (mut records, grants) = (Records::new(), Grants::new());
    let names = ["App", "Other", "App", "App", "Other", "App"];
    let clients = names.map(|name| named(&mut records, name));
    register_with_families(&store, &clients[..2]).await;
    store.add_all_arrivals().await.unwrap();
    register_with_families(&store, &clients[2..]).await;
    let gone = clients[3].client_id;
    store.remove_client(gone, Action::ClientRemoved, "by_operator", by()).await.unwrap();
    store.allow(allowed(&clients[5], &grants), by()).await.unwrap().unwrap();
    let id = of(&store, &clients[0]).await.family_id;
    let filter = ClientFilter { family: Some(id), ..ClientFilter::default() };
    let app = [0, 2, 5].map(|nth| clients[nth].client_id);
    let since_third = clients[2].issued_at;

    for told in [false, true, true] {
        if told {
            store.add_all_arrivals().await.unwrap();
        }
        for limit in [1, 2, 10] {
            let found = everything(&store, &filter, limit).await;
            assert_eq!(found.iter().map(|it| it.client_id).collect::<Vec<_>>(), app, "{told}");
        }
        let registered = async |since| store.family_registrations(id, since).await.unwrap();
        assert_eq!(registered(Timestamp::from_millis(0)).await, 3, "{told}");
        assert_eq!(registered(since_third).await, 2, "{told}");
        let access = store.family_access(id, Timestamp::from_millis(0)).await.unwrap();
        assert_eq!((access.grants, access.people), (1, 1), "{told}");
    }
    store.rebuild_families(by().at, &|_| {}).await.unwrap();
    let family = of(&store, &clients[0]).await;
    assert_eq!((family.clients, family.removed, family.people), (3, 1, 1));
}

/// Whichever client of an arrival leaves first, its family lists the others.
pub(in crate::store) async fn a_family_has_the_clients_of_an_arrival_of_which_one_has_left(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    for leaves_first in [0, 1, 2] {
        let name = format!("App{leaves_first}x");
        let clients = [0; 3].map(|_| named(&mut records, &name));
        register_with_families(&store, &clients).await;
        let (changes, removed) = (&clients[leaves_first], &clients[(leaves_first + 1) % 3]);
        let metadata = named(&mut records, "Another").metadata;
        store.update_registration(update(changes, 0, &metadata), by()).await.unwrap();
        let (id, stays) = (removed.client_id, clients[(leaves_first + 2) % 3].client_id);
        store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.unwrap();

        store.add_all_arrivals().await.unwrap();

        let family = of(&store, removed).await;
        assert_eq!((family.clients, family.removed), (1, 1));
        let family = family.family_id;
        let filter = ClientFilter { family: Some(family), ..ClientFilter::default() };
        let listed = everything(&store, &filter, 10).await;
        assert_eq!(listed.iter().map(|it| it.client_id).collect::<Vec<_>>(), [stays]);
        let registered = store.family_registrations(family, Timestamp::from_millis(0)).await;
        assert_eq!(registered.unwrap(), 1);
    }
}

/// A client that changes its family and changes it back takes none of those that registered with it along.
pub(in crate::store) async fn a_family_has_the_clients_of_an_arrival_to_which_one_has_returned(
    store: Arc<Store>,
) {
    let mut records = Records::new();
    for returns in [0, 1] {
        let name = format!("App{returns}x");
        let clients = [0; 2].map(|_| named(&mut records, &name));
        register_with_families(&store, &clients).await;
        let elsewhere = named(&mut records, "Another").metadata;
        for (generation, metadata) in [(0, &elsewhere), (1, &clients[0].metadata)] {
            let update = update(&clients[returns], generation, metadata);
            store.update_registration(update, by()).await.unwrap();
        }

        store.add_all_arrivals().await.unwrap();

        let family = of(&store, &clients[0]).await;
        assert_eq!(family.clients, 2);
        let filter = ClientFilter { family: Some(family.family_id), ..ClientFilter::default() };
        assert_eq!(everything(&store, &filter, 10).await.len(), 2, "{returns}");
        store.rebuild_families(by().at, &|_| {}).await.unwrap();
        assert_eq!(of(&store, &clients[0]).await.clients, 2);
    }
}
