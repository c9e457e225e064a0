//! How often strangers may register, and who is the stranger.

use std::time::Duration;

use crate::{
    granted::{self, redeeming},
    harness::{TestServer, config},
};
use doorward::store::Failure;

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
        server.fail(failure);
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
async fn only_a_client_itself_uses_up_its_requests_at_the_token_endpoint() {
    let mut config = granted::config();
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    config.token.per_client = 2;
    let server = TestServer::with(config).await;
    let client = server.new_client().await;
    let mut token = granted::member(&server.tokens(client).await, "refresh_token");
    server.clock.advance(Duration::from_mins(1));
    let nonsense = redeeming(client, "nonsense", &[]);
    let here = "x-forwarded-for: 203.0.113.1\r\n";
    // Everyone can learn the name of a client.
    for _ in 0..4 {
        assert_eq!(server.post_form("/oauth2/token", here, &nonsense).await.status, 400);
    }
    for status in [200, 200, 429] {
        let body = granted::refreshing(client, &token, &[]);
        let answer = server.post_form("/oauth2/token", here, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 200 {
            token = granted::member(&answer, "refresh_token");
        }
    }
    let body = granted::refreshing(client, &token, &[]);
    let answer = server.post_form("/oauth2/token", "x-forwarded-for: 203.0.113.2\r\n", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

const GOOD: &str = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"]}"#;

/// A registration of about `bytes` bytes, of a length it says or not.
fn large(source: &str, bytes: usize, is_chunked: bool) -> String {
    let body =
        format!(r#"{{"redirect_uris":["https://a.example/cb"],"x":"{}"}}"#, "x".repeat(bytes));
    let head = format!(
        "POST /register HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {source}\r\n\
         content-type: application/json\r\n"
    );
    if is_chunked {
        format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    } else {
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    }
}

#[tokio::test]
async fn registrations_have_a_budget_of_bytes_by_source_and_in_all() {
    for is_chunked in [false, true] {
        let mut config = config();
        config.rate_limit.bytes_per_source = 3_000;
        config.rate_limit.bytes_total = 8_000;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        let server = TestServer::with(config).await;

        assert_eq!(server.exchange(&large("192.0.2.1", 2_000, is_chunked)).await.status, 201);
        let answer = server.exchange(&large("192.0.2.1", 2_000, is_chunked)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        let text = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert_eq!(text, "too many bytes of registrations from this address in this period");
        // What was refused is not charged.
        assert_eq!(server.exchange(&large("192.0.2.1", 100, is_chunked)).await.status, 201);
        for source in ["192.0.2.2", "192.0.2.3"] {
            assert_eq!(server.exchange(&large(source, 2_500, is_chunked)).await.status, 201);
        }
        let answer = server.exchange(&large("192.0.2.4", 2_500, is_chunked)).await;
        assert!(answer.body.contains("too many bytes of registrations from all addresses"));
        server.clock.advance(Duration::from_mins(1));
        assert_eq!(server.exchange(&large("192.0.2.1", 2_000, is_chunked)).await.status, 201);
    }
}

#[tokio::test]
async fn by_default_one_address_stores_little_and_clients_of_the_field_fit() {
    let mut config = config();
    config.rate_limit = doorward::config::Config::default().rate_limit;
    let server = TestServer::with(config).await;
    // The largest registration of the field has less than 10 KiB.
    assert_eq!(server.exchange(&large("", 10_000, false)).await.status, 201);
    let mut stored = 0;
    for _ in 0..60 {
        stored +=
            u64::from(server.exchange(&large("", 60_000, false)).await.status == 201) * 60_000;
    }
    assert!(stored < 200_000, "{stored} bytes in a minute");
    assert_eq!(server.post("/register", GOOD).await.status, 429, "sixty were asked for");
}
