//! How often strangers may register, and who is the stranger.

use std::time::Duration;

use crate::{
    granted::{self, redeeming},
    harness::{TestServer, config},
    memory_store::Failure,
};

fn from(forwarded_for: &str) -> String {
    format!(
        "POST /register HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded_for}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    )
}

#[tokio::test]
async fn a_caller_that_asks_too_often_waits_for_the_next_window() {
    let mut config = config();
    config.rate_limit.per_source = 2;
    let server = TestServer::with(config).await;

    for _ in 0..2 {
        assert_ne!(server.post("/register", "{}").await.status, 429);
    }
    assert_eq!(server.post("/register", "{}").await.status, 429);
    assert_eq!(server.post("/api/v2/oauth2/register", "{}").await.status, 429);

    server.clock.advance(Duration::from_mins(1));
    assert_ne!(server.post("/register", "{}").await.status, 429);
}

#[tokio::test]
async fn the_limit_is_told_when_the_body_is_too_large_or_the_store_fails() {
    let mut config = config();
    config.rate_limit.per_source = 9;
    let server = TestServer::with(config).await;
    let good = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"]}"#;
    let large = "x".repeat(65 << 10);

    for (remaining, body, failure, status) in [
        ("8", &*large, Failure::None, 413),
        ("7", good, Failure::Busy, 503),
        ("6", good, Failure::Corrupt, 500),
    ] {
        server.store.fail(failure);
        let answer = server.post("/api/v2/oauth2/register", body).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(remaining), "{status}");
    }
    let answer = server.post("/register", &large).await;
    assert_eq!((answer.status, answer.header("ratelimit-remaining")), (413, Some("5")));
}

#[tokio::test]
async fn all_callers_together_can_be_limited() {
    let mut config = config();
    config.rate_limit.total = 1;
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = TestServer::with(config).await;

    assert_ne!(server.exchange(&from("192.0.2.1")).await.status, 429);
    assert_eq!(server.exchange(&from("192.0.2.2")).await.status, 429);
}

#[tokio::test]
async fn behind_a_trusted_proxy_callers_are_told_apart() {
    let mut config = config();
    config.rate_limit.per_source = 1;
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = TestServer::with(config).await;

    assert_ne!(server.exchange(&from("192.0.2.1")).await.status, 429);
    assert_ne!(server.exchange(&from("192.0.2.2")).await.status, 429);
    assert_eq!(server.exchange(&from("192.0.2.66, 192.0.2.1")).await.status, 429);
}

#[tokio::test]
async fn a_stranger_cannot_choose_its_address() {
    let mut config = config();
    config.rate_limit.per_source = 1;
    let server = TestServer::with(config).await;

    assert_ne!(server.exchange(&from("192.0.2.1")).await.status, 429);
    assert_eq!(server.exchange(&from("192.0.2.2")).await.status, 429);
}

#[tokio::test]
async fn a_request_identifier_is_taken_over_from_a_trusted_proxy_alone() {
    let request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\nx-request-id: abc-1\r\n\r\n";
    let server = TestServer::start().await;
    assert_ne!(server.exchange(request).await.header("x-request-id"), Some("abc-1"));

    let mut config = config();
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = TestServer::with(config).await;
    assert_eq!(server.exchange(request).await.header("x-request-id"), Some("abc-1"));
}

#[tokio::test]
async fn nobody_uses_up_what_a_client_may_ask_elsewhere() {
    let mut config = granted::config();
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    config.token.per_client = 2;
    let server = TestServer::with(config).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let body = redeeming(client, &code, &[]);
    let nonsense = redeeming(client, "nonsense", &[]);
    let from = |source: &str| format!("x-forwarded-for: {source}\r\n");
    for status in [400, 400, 429, 429] {
        let answer = server.post_form("/oauth2/token", &from("203.0.113.1"), &nonsense).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // Everybody knows the name of a client.
    assert_eq!(server.post_form("/oauth2/token", &from("203.0.113.1"), &body).await.status, 429);
    assert_eq!(server.post_form("/oauth2/token", &from("203.0.113.2"), &body).await.status, 200);
}
