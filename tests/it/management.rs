//! What the operator can see.

use std::time::Duration;

use serde_json::json;

use crate::{
    granted::{self, member, redeeming, refreshing},
    harness::{TestServer, config},
};
use doorward::store::Failure;

#[tokio::test]
async fn the_process_says_that_it_is_alive_ready_and_which_release_it_is() {
    let server = TestServer::start().await;

    assert_eq!(server.look("/livez").await.json(), json!({ "status": "alive" }));
    for path in ["/readyz", "/healthz"] {
        let answer = server.look(path).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ready" })));
    }
    assert_eq!(server.look("/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_server_whose_store_fails_is_alive_but_not_ready_until_the_store_is_well() {
    let server = TestServer::start().await;

    server.fail(Failure::Unavailable);
    let answer = server.look("/readyz?verbose").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["checks"]["store"], "the store is unavailable");
    assert_eq!(server.look("/livez").await.status, 200);

    server.fail(Failure::None);
    let answer = server.look_until("/readyz", 200).await;
    assert_eq!(answer.json()["status"], "ready");
}

#[tokio::test]
async fn what_was_answered_is_counted() {
    let server = TestServer::start().await;

    server.post("/register", "{}").await;
    server.post("/nothing", "{}").await;

    let answer = server.look("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    for line in [
        "doorward_http_requests_total{route=\"unknown\",status=\"4xx\"} 1",
        "doorward_http_request_duration_seconds_count{route=\"/register\"} 1",
        "doorward_http_request_duration_seconds_bucket{route=\"/register\",le=\"+Inf\"} 1",
        concat!("doorward_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "process_start_time_seconds 1800000000",
    ] {
        assert!(answer.body.lines().any(|there| there == line), "{line}\n{}", answer.body);
    }
}

#[tokio::test]
async fn registrations_are_counted_by_door_and_by_what_became_of_them() {
    let mut config = config();
    config.rate_limit.per_source = 4;
    let server = TestServer::with(config).await;
    let good = r#"{"client_name":"An app","redirect_uris":["https://app.example/cb"]}"#;

    server.post("/register", good).await;
    server.post("/oauth2/register", good).await;
    server.post("/api/v2/oauth2/register", "{}").await;
    server.fail(Failure::Busy);
    server.post("/api/v2/oauth2/register", good).await;
    server.post("/api/v2/oauth2/register", good).await;
    server.exchange("OPTIONS /register HTTP/1.1\r\nhost: x\r\n\r\n").await;

    for (labels, count) in [
        ("profile=\"rfc7591\",outcome=\"accepted\"", 2.0),
        ("profile=\"rfc7591\",outcome=\"refused\"", 0.0),
        ("profile=\"datadog\",outcome=\"refused\"", 1.0),
        ("profile=\"datadog\",outcome=\"unavailable\"", 1.0),
        ("profile=\"datadog\",outcome=\"rate_limited\"", 1.0),
        ("profile=\"datadog\",outcome=\"failed\"", 0.0),
    ] {
        let name = format!("doorward_registrations_total{{{labels}}}");
        assert!((server.metric(&name).await - count).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn refused_registrations_are_counted_by_door_and_reason() {
    let mut config = config();
    config.rate_limit.per_source = 6;
    let server = TestServer::with(config).await;
    let redirecting = |uri: &str| format!(r#"{{"client_name":"App","redirect_uris":["{uri}"]}}"#);
    let good = redirecting("https://app.example/cb");

    server.post("/register", "no JSON").await;
    server.post("/register", &redirecting("http://app.example/cb")).await;
    server.post("/register", r#"{"redirect_uris":"https://app.example/cb"}"#).await;
    server.post("/api/v2/oauth2/register", "{}").await;
    for failure in [Failure::Busy, Failure::Unavailable] {
        server.fail(failure);
        server.post("/oauth2/register", &good).await;
    }
    server.post("/oauth2/register", &good).await;

    for (profile, reason, count) in [
        ("rfc7591", "invalid_json", 1.0),
        ("rfc7591", "invalid_redirect_uri", 1.0),
        ("rfc7591", "invalid_client_metadata", 1.0),
        ("rfc7591", "store_busy", 1.0),
        ("rfc7591", "store_unavailable", 1.0),
        ("rfc7591", "source_limit", 1.0),
        ("rfc7591", "admission_rule", 0.0),
        ("datadog", "invalid_client_metadata", 1.0),
        ("datadog", "source_limit", 0.0),
    ] {
        let labels = format!("profile=\"{profile}\",reason=\"{reason}\"");
        let name = format!("doorward_registrations_refused_total{{{labels}}}");
        assert!((server.metric(&name).await - count).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn tokens_are_counted_by_what_bought_them_and_so_is_what_is_used_again() {
    let server = TestServer::with(granted::config()).await;
    let client = server.new_client().await;
    let redeem = redeeming(client, &server.grant(client).await, &[]);
    let bought = server.token(&redeem).await;
    let refresh = refreshing(client, &member(&bought, "refresh_token"), &[]);
    for _ in 0..2 {
        assert_eq!(server.token(&refresh).await.status, 200);
    }
    server.clock.advance(Duration::from_secs(31));
    assert_eq!(server.token(&refresh).await.status, 400);
    assert_eq!(server.token(&refresh).await.status, 400, "its grant is revoked");
    let other = redeeming(client, &server.grant(client).await, &[]);
    assert_eq!(server.token(&other).await.status, 200);
    assert_eq!(server.token(&other).await.status, 400);
    let third = redeeming(client, &server.grant(client).await, &[]);
    let third = member(&server.token(&third).await, "refresh_token");
    server.clock.advance(Duration::from_hours(24 * 400));
    assert_eq!(server.token(&refreshing(client, &third, &[])).await.status, 400);

    for (name, count) in [
        ("doorward_tokens_issued_total{grant_type=\"authorization_code\"}", 3.0),
        ("doorward_tokens_issued_total{grant_type=\"refresh_token\"}", 2.0),
        ("doorward_refreshes_total{outcome=\"rotated\"}", 1.0),
        ("doorward_refreshes_total{outcome=\"grace\"}", 1.0),
        ("doorward_refreshes_total{outcome=\"reused\"}", 1.0),
        ("doorward_refreshes_total{outcome=\"invalid\"}", 1.0),
        ("doorward_refreshes_total{outcome=\"expired\"}", 1.0),
        ("doorward_refreshes_total{outcome=\"failed\"}", 0.0),
        ("doorward_used_again_total{kind=\"refresh_token\"}", 1.0),
        ("doorward_used_again_total{kind=\"code\"}", 1.0),
    ] {
        assert!((server.metric(name).await - count).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn what_the_store_does_and_what_waits_for_it_is_shown() {
    let server = TestServer::start().await;
    let good = r#"{"client_name":"An app","redirect_uris":["https://app.example/cb"]}"#;

    server.post("/register", good).await;

    let duration = "doorward_store_operation_duration_seconds_count";
    assert!(
        (server.metric(&format!("{duration}{{operation=\"registration\"}}")).await - 1.0).abs()
            < 0.5
    );
    let queues =
        server.look("/metrics").await.body.matches("doorward_store_queue_capacity{").count();
    assert!(queues > 0);
}

#[tokio::test]
async fn the_management_listener_can_only_be_read() {
    let server = TestServer::start().await;
    for path in ["/livez", "/readyz", "/healthz", "/version", "/metrics"] {
        assert_eq!(server.manage("HEAD", path).await.status, 200, "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = server.manage(method, path).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
        }
    }
    assert_eq!(server.look("/register").await.status, 404);
}

/// As on the public listener (RFC 9112 §3.2).
#[tokio::test]
async fn the_management_listener_requires_one_host() {
    let server = TestServer::start().await;
    for (head, status) in [
        ("GET /livez HTTP/1.1\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400),
        ("GET /readyz HTTP/1.1\r\nhost: a/b\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET /livez HTTP/1.0\r\n", 200),
    ] {
        let answer = crate::harness::exchange(
            server.management,
            &format!("{head}connection: close\r\n\r\n"),
        )
        .await;
        assert_eq!(answer.status, status, "{head}");
    }
}
