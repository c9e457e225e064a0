//! Refused requests are counted aside, with what an operator needs to help, and nothing else.

use std::sync::Arc;

use doorward::{
    config::Config,
    store::{self, Access, AttemptRecord, Store},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    flow::{Browser, Client},
    granted::{REDIRECT_URI, TOOLS, config_on, redeeming, refreshing},
    harness::TestServer,
    postgres,
};

/// A server, and its settings, with which a store is opened again.
async fn serve(folder: &TempDir, keeps_addresses: bool) -> (TestServer, Config) {
    let place = folder.path().to_str().unwrap().to_owned();
    let mut config = config_on(&postgres::new_database().unwrap_or(place));
    config.registration.keep_source_address = keeps_addresses;
    let kept = store::open(&config, Access::Serve).await.unwrap();
    (TestServer::kept_by(kept, config.clone()).await, config)
}

/// What is stored once the server has stopped.
async fn stored(server: TestServer, config: &Config) -> Vec<AttemptRecord> {
    server.stop().await;
    let kept: Arc<Store> = store::open(config, Access::Serve).await.unwrap();
    let attempts = kept.attempts().await.unwrap();
    kept.close().await.unwrap();
    attempts
}

/// Reason, target, and number of each row, sorted.
fn told(rows: &[AttemptRecord]) -> Vec<(&str, &str, u64)> {
    let mut told: Vec<_> =
        rows.iter().map(|row| (&*row.reason, &*row.target, row.attempts)).collect();
    told.sort_unstable();
    told
}

#[tokio::test]
async fn refused_requests_are_counted_by_reason_target_and_network() {
    let folder = TempDir::new().unwrap();
    let (server, config) = serve(&folder, true).await;
    let register = async |body: &str| server.post("/oauth2/register", body).await;
    for uri in ["http://Evil.example/cb?token=s3cret", "http://evil.example/other"] {
        register(&json!({ "redirect_uris": [uri], "client_name": "x" }).to_string()).await;
    }
    register(&json!({ "redirect_uris": [REDIRECT_URI], "client_uri": 7 }).to_string()).await;
    let last = register("{").await;
    let client = Client::with(
        &server,
        json!({ "redirect_uris": [REDIRECT_URI], "client_name": "Tools 2.1 (beta)" }),
    )
    .await;
    let mut browser = Browser::new(&server);
    browser.get(&client.request().without("code_challenge").path()).await;
    browser.get(&client.request().with("redirect_uri", "https://other.example/cb").path()).await;
    let unknown = "0199f2a4-7c11-7abc-8def-001122334455";
    browser.get(&client.request().with("client_id", unknown).path()).await;
    let id = client.id.parse().unwrap();
    server.token(&refreshing(id, "no token", &[])).await;
    let code = server.grant(id).await;
    server.token(&redeeming(id, &code, &[("code_verifier", &"x".repeat(43))])).await;
    server.token(&refreshing(unknown.parse().unwrap(), "no token", &[])).await;

    let rows = stored(server, &config).await;

    let family = "tools@app.example";
    let home = "app.example";
    assert_eq!(
        told(&rows),
        [
            ("authorization.pkce", family, 1),
            ("authorization.redirect_uri", "other.example", 1),
            ("authorization.unknown_client", home, 1),
            ("registration.invalid_json", "", 1),
            ("registration.metadata", home, 1),
            ("registration.redirect_uri", "evil.example", 2),
            ("token.invalid_grant", family, 1),
            ("token.unknown_client", "", 1),
            ("token.verifier", family, 1),
        ]
    );
    assert!(rows.iter().all(|row| row.network == "127.0.0.0/24"), "{rows:?}");
    let json = rows.iter().find(|row| row.reason == "registration.invalid_json").unwrap();
    assert_eq!(Some(&*json.request_id), last.header("x-request-id"));
    assert!(!format!("{rows:?}").contains("s3cret"), "{rows:?}");
}

#[tokio::test]
async fn attempts_name_no_network_where_addresses_are_not_kept() {
    let folder = TempDir::new().unwrap();
    let (server, config) = serve(&folder, false).await;
    server.post("/oauth2/register", "{").await;
    assert!(
        server
            .look("/metrics")
            .await
            .body
            .contains("doorward_attempts_total{reason=\"registration.invalid_json\"} 1")
    );

    let rows = stored(server, &config).await;

    assert_eq!(told(&rows), [("registration.invalid_json", "", 1)]);
    assert_eq!(rows[0].network, "");
}

#[tokio::test]
async fn what_succeeds_and_what_a_person_decides_is_no_attempt() {
    let folder = TempDir::new().unwrap();
    let (server, config) = serve(&folder, true).await;
    let client = server.new_client().await;
    server.tokens(client).await;
    let client = Client::register(&server).await;
    // Asks without a page: the person has to sign in.
    Browser::new(&server)
        .get(&client.request().and("resource", TOOLS).and("prompt", "none").path())
        .await;

    assert_eq!(told(&stored(server, &config).await), []);
}
