//! The promises of the store itself: ready, closed.

use super::by;
use crate::audit::Action;
use std::sync::Arc;

use tokio::task::{self, JoinSet};

use super::{Records, grants::Grants, register_all};
use crate::store::{ClientFilter, GrantFilter, Store, StoreError};

pub(in crate::store) async fn an_open_store_is_ready(store: Arc<Store>) {
    store.ready().await.unwrap();
    register_all(&store, &Records::new().take(1)).await;
    store.ready().await.unwrap();

    assert_eq!(store.count_clients().await.unwrap(), 1, "asking leaves nothing behind");
}

pub(in crate::store) async fn after_close_every_method_is_unavailable(store: Arc<Store>) {
    let mut records = Records::new();
    let client = records.next();
    register_all(&store, std::slice::from_ref(&client)).await;
    store.close().await.unwrap();

    let id = client.client_id;
    let unavailable = |answer: Result<(), StoreError>| {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    };
    unavailable(store.register_client(Arc::new(records.next()), None).await);
    unavailable(store.client(id).await.map(drop));
    unavailable(store.clients(&ClientFilter::default(), None, 1).await.map(drop));
    unavailable(store.count_clients().await.map(drop));
    unavailable(
        store.remove_client(id, Action::ClientRemoved, "by_operator", by()).await.map(drop),
    );
    unavailable(store.import_clients(vec![client]).await.map(drop));
    unavailable(store.grants(&GrantFilter::default(), None, 1).await.map(drop));
    unavailable(store.newest_grants("acme:7", None, 1).await.map(drop));
    unavailable(store.import_grants(vec![Grants::new().next()]).await.map(drop));
    unavailable(store.sessions(None, None, 1).await.map(drop));
    unavailable(store.keys().await.map(drop));
    unavailable(store.ready().await);
    unavailable(store.close().await);
}

pub(in crate::store) async fn close_waits_for_what_was_accepted(store: Arc<Store>) {
    let mut calls = JoinSet::new();
    for client in Records::new().take(50) {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.register_client(Arc::new(client), None).await });
    }
    // On the one thread of a test, this lets each call begin, thus be accepted, before the close.
    task::yield_now().await;

    store.close().await.unwrap();

    for answer in calls.join_all().await {
        answer.unwrap();
    }
}
