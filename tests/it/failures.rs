//! How often a source may fail where something can be guessed, and that nobody pays for it who succeeds.

use std::time::Duration;

use doorward::config::Config;

use crate::{
    flow::REDIRECT_URI,
    granted::{
        SECRET, VERIFIER, basic, config, crossed_code, crossed_token, form, member, redeeming,
        refreshing, refused,
    },
    harness::{Answer, TestServer},
};

/// How often a source may fail in these tests.
const FAILURES: u32 = 3;
const TOO_MANY: (u16, &str) = (429, "temporarily_unavailable");

fn limited() -> Config {
    let mut config = config();
    config.rate_limit.failures_per_source = FAILURES;
    config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    config
}

const FROM_ELSEWHERE: &str = "x-forwarded-for: 192.0.2.2\r\n";

/// Fails as often as it may, and is then refused; returns the last answer.
async fn fail(server: &TestServer, path: &str, headers: &str, body: &str, status: u16) -> Answer {
    server.clock.advance(Duration::from_mins(1));
    for _ in 0..FAILURES {
        let answer = server.post_form(path, headers, body).await;
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
    }
    let answer = server.post_form(path, headers, body).await;
    let (status, code) = refused(&answer);
    assert_eq!((status, &*code), TOO_MANY, "{path} {body}");
    assert_eq!(answer.header("retry-after"), Some("60"));
    answer
}

#[tokio::test]
async fn whatever_is_guessed_a_source_is_told_so_often_and_then_waits() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    let (code, other_code) = (server.grant(client).await, server.grant(client).await);
    let (one, other) = (server.tokens(client).await, server.tokens(client).await);
    let token = crossed_token(&member(&one, "refresh_token"), &member(&other, "refresh_token"));
    let verifier = VERIFIER.replace('d', "e");
    let unknown = "0199f2a4-7c11-7abc-8def-001122334455".parse().unwrap();
    for (body, status) in [
        (redeeming(unknown, &code, &[]), 401),
        (redeeming(client, &code, &[("client_id", "nobody")]), 401),
        (redeeming(client, &crossed_code(&code, &other_code), &[]), 400),
        (redeeming(client, &code, &[("code_verifier", &verifier)]), 400),
        (refreshing(client, &token, &[]), 400),
        (refreshing(client, "nonsense", &[]), 400),
    ] {
        fail(&server, "/oauth2/token", "", &body, status).await;
    }
    let body = form(&[("token", "nonsense")]);
    let answer = fail(&server, "/oauth2/introspect", &basic("tools", "wrong"), &body, 401).await;
    assert_eq!(answer.header("www-authenticate"), None);
    let client = client.to_string();
    fail(&server, "/oauth2/revoke", "", &form(&[("client_id", "nobody")]), 401).await;
    // What is no token is answered as any other (RFC 7009, section 2.2), and counts all the same.
    let body = form(&[("client_id", &client), ("token", &token)]);
    fail(&server, "/oauth2/revoke", "", &body, 200).await;
}

#[tokio::test]
async fn a_source_that_failed_too_often_waits_whatever_it_asks_and_others_do_not() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    let (bought, code) = (server.tokens(client).await, server.grant(client).await);
    let refresh = refreshing(client, &member(&bought, "refresh_token"), &[]);
    let redeem = redeeming(client, &code, &[]);
    fail(&server, "/oauth2/token", "", &refreshing(client, "nonsense", &[]), 400).await;

    assert_eq!(refused(&server.token(&refresh).await).0, 429);
    assert_eq!(refused(&server.post_form("/token", "", &redeem).await).0, 429);
    let introspect = form(&[("token", "nonsense")]);
    let (path, credentials) = ("/oauth2/introspect", basic("tools", SECRET));
    assert_eq!(refused(&server.post_form(path, &credentials, &introspect).await).0, 429);
    let answer = server.post_form("/oauth2/token", FROM_ELSEWHERE, &refresh).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let token = member(&answer, "refresh_token");
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(server.token(&refreshing(client, &token, &[])).await.status, 200);
    let counted = "doorward_rate_limit_failures_total{outcome=\"counted\"}";
    assert!((server.metric(counted).await - 3.0).abs() < 0.5);
    let refused = "doorward_rate_limit_failures_total{outcome=\"refused\"}";
    assert!((server.metric(refused).await - 4.0).abs() < 0.5);
}

#[tokio::test]
async fn who_succeeds_is_not_counted_nor_what_nobody_guesses() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    let mut token = member(&server.tokens(client).await, "refresh_token");
    for _ in 0..FAILURES * 3 {
        let answer = server.token(&refreshing(client, &token, &[])).await;
        token = member(&answer, "refresh_token");
        // A resource is shown what strangers bring it; a client may be made badly.
        server.introspect("tools", "nonsense").await;
        let answer = server.token(&refreshing(client, &token, &[("scope", "more")])).await;
        assert_eq!(refused(&answer), (400, "invalid_scope".to_owned()));
        let answer = server.token("grant_type=refresh_token").await;
        assert_eq!(refused(&answer), (400, "invalid_request".to_owned()));
    }
}

#[tokio::test]
async fn a_source_that_names_clients_that_are_not_there_is_shown_a_page_that_says_so() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    let ask = async |headers: &str, client: &str, redirect_uri: &str| {
        let query = form(&[("client_id", client), ("redirect_uri", redirect_uri)]);
        let head = format!("GET /oauth2/authorize?{query} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        server.exchange(&head).await
    };
    let client = client.to_string();
    assert_eq!(ask("", &client, "https://elsewhere.example").await.status, 400);
    for _ in 1..FAILURES {
        assert_eq!(ask("", "nobody", REDIRECT_URI).await.status, 400);
    }
    for _ in 0..2 {
        let answer = ask("", &client, REDIRECT_URI).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        assert!(answer.body.contains("Too many requests from your network have failed."));
    }
    // This request lacks what a person does not see: only a source that may try learns of that.
    assert!(!ask(FROM_ELSEWHERE, &client, REDIRECT_URI).await.body.contains("Too many"));
    assert_eq!(server.token("client_id=nobody").await.status, 429, "it is one count");
    server.clock.advance(Duration::from_mins(1));
    assert_ne!(ask("", &client, REDIRECT_URI).await.status, 429);
}
