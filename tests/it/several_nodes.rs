//! Nodes that share one store, and whose clocks differ.

use std::{collections::BTreeSet, sync::Arc};

use doorward::{
    client::ClientId,
    clock::Clock,
    store::{self, Access, ClientFilter, Store},
};
use tempfile::TempDir;

use crate::{
    granted::{config_on, member, redeeming, refreshing, refused},
    harness::TestServer,
    postgres,
};

/// By how much the clock of one node is ahead of the other's, in seconds: more than clocks that are looked
/// after ever are, and less than a code lives.
const SKEW: u64 = 45;

/// Two nodes on one store, the first with the clock that is ahead, and what has to live as long.
async fn nodes() -> (TestServer, TestServer, Arc<Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let now = Clock::System.now();
    let ahead =
        TestServer::kept_by_at(Arc::clone(&kept), config.clone(), now.after_seconds(SKEW)).await;
    let behind = TestServer::kept_by_at(Arc::clone(&kept), config, now).await;
    (ahead, behind, kept, folder)
}

#[tokio::test]
async fn clients_of_nodes_whose_clocks_differ_are_all_there_and_good_at_each_of_them() {
    let (ahead, behind, kept, _folder) = nodes().await;
    let mut registered = BTreeSet::new();
    for node in [&ahead, &behind, &ahead, &behind] {
        registered.insert(node.new_client().await);
    }

    let listed = kept.clients(&ClientFilter::default(), None, 10).await.unwrap();
    let listed: Vec<ClientId> = listed.iter().map(|client| client.client_id).collect();

    assert_eq!(listed, registered.iter().copied().collect::<Vec<_>>());
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        assert_eq!(other.tokens(client).await.status, 200);
    }
}

#[tokio::test]
async fn what_one_node_grants_is_good_at_another_whose_clock_differs() {
    let (ahead, behind, _kept, _folder) = nodes().await;
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        let code = at.grant(client).await;
        let bought = other.token(&redeeming(client, &code, &[])).await;
        assert_eq!(bought.status, 200, "{bought:?}");
        let mut refresh_token = member(&bought, "refresh_token");
        for node in [at, other, at] {
            let rotated = node.token(&refreshing(client, &refresh_token, &[])).await;
            assert_eq!(rotated.status, 200, "{rotated:?}");
            for asked in [at, other] {
                let told = asked.introspect("tools", &member(&rotated, "access_token")).await;
                assert_eq!(told["active"], true, "{told}");
            }
            refresh_token = member(&rotated, "refresh_token");
        }
        let again = other.token(&redeeming(client, &code, &[])).await;
        assert_eq!(refused(&again), (400, "invalid_grant".to_owned()), "a code is good once");
    }
}
