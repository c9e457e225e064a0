//! When clients were last used.

use doorward::{
    client::ClientId,
    clock::Timestamp,
    store::{self, Access, Store},
};
use tempfile::TempDir;

use crate::{
    granted::{config_on, member, refreshing},
    harness::TestServer,
    postgres,
};

async fn used_at(store: &Store, client: ClientId) -> Option<u64> {
    let client = store.client(client).await.unwrap().unwrap();
    client.state.used_at.map(Timestamp::as_seconds)
}

#[tokio::test]
async fn the_last_use_of_a_client_is_stored_when_the_server_stops() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let server = TestServer::kept_by(kept, config.clone()).await;
    let [unused, used] = [server.new_client().await, server.new_client().await];
    let tokens = server.tokens(used).await;
    server.clock.advance(std::time::Duration::from_secs(100));
    let refreshed = server.token(&refreshing(used, &member(&tokens, "refresh_token"), &[])).await;
    assert_eq!(refreshed.status, 200);
    let now = server.clock.now().as_seconds();

    server.stop().await;

    let kept = store::open(&config, Access::Serve).await.unwrap();
    assert_eq!(used_at(&kept, used).await, Some(now));
    assert_eq!(used_at(&kept, unused).await, None);
}
