//! Nodes that share one store, and whose clocks differ.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use doorward::{
    audit::Author,
    client::ClientId,
    clock::Clock,
    store::{self, Access, ClientFilter, StandingChanged, Store, Transition},
};
use tempfile::TempDir;

use crate::{
    granted::{TOOLS, config_on, member, redeeming, refreshing, refused},
    guard,
    harness::{TestServer, by},
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

#[tokio::test]
async fn a_suspension_on_one_node_ends_tokens_on_another_within_five_seconds() {
    let (ahead, behind, kept, _folder) = nodes().await;
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        let code = at.grant(client).await;
        let bought = at.token(&redeeming(client, &code, &[("resource", TOOLS)])).await;
        let access_token = member(&bought, "access_token");
        let guarded = guard::asked_at("/guard/nginx/{resource}", Some(&access_token));
        assert_eq!(other.exchange(&guarded).await.status, 200);
        let by = Author { at: at.clock.now(), ..by() };

        let suspended = kept.change_standing(&client.into(), &Transition::SUSPEND, None, by).await;

        assert_eq!(suspended.unwrap(), StandingChanged::Now { ended: 1 });
        let refresh_token = member(&bought, "refresh_token");
        let refreshed = other.token(&refreshing(client, &refresh_token, &[])).await;
        assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
        assert_eq!(other.introspect("tools", &access_token).await["active"], false);
        for node in [at, other] {
            node.clock.advance(Duration::from_secs(5));
            assert_eq!(node.exchange(&guarded).await.status, 401);
        }
    }
}
