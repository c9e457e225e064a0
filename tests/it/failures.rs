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
async fn valid_credentials_and_tokens_are_answered_however_often_their_address_failed() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let nonsense = refreshing(client, "nonsense", &[]);
    fail(&server, "/oauth2/token", "", &nonsense, 400).await;
    let code = server.grant(client).await;
    let inquiry = form(&[("token", "nonsense")]);
    let path = "/oauth2/introspect";
    for _ in 0..FAILURES * 3 {
        server.post_form(path, &basic("tools", "wrong"), &inquiry).await;
    }

    let answer = server.token(&refreshing(client, &member(&bought, "refresh_token"), &[])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = server.post_form("/token", "", &redeeming(client, &code, &[])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let inquiry = form(&[("token", &member(&answer, "access_token"))]);
    let introspected = server.post_form(path, &basic("tools", SECRET), &inquiry).await;
    assert_eq!((introspected.status, &introspected.json()["active"]), (200, &true.into()));
    let client = client.to_string();
    let token = member(&answer, "refresh_token");
    let revoking = form(&[("client_id", &client), ("token", &token)]);
    assert_eq!(server.post_form("/oauth2/revoke", "", &revoking).await.status, 200);

    // Guesses are not answered, and those of another address are.
    assert_eq!(server.token(&nonsense).await.status, 429);
    let introspected = server.post_form(path, &basic("tools", "wrong"), &inquiry).await;
    assert_eq!(introspected.status, 429);
    assert_eq!(server.post_form("/oauth2/token", FROM_ELSEWHERE, &nonsense).await.status, 400);
    let counted = "doorward_rate_limit_failures_total{outcome=\"counted\"}";
    assert!((server.metric(counted).await - 7.0).abs() < 0.5);
    let refused = "doorward_rate_limit_failures_total{outcome=\"refused\"}";
    assert!((server.metric(refused).await - 9.0).abs() < 0.5);
}

#[tokio::test]
async fn failures_at_one_family_of_endpoints_do_not_count_at_another() {
    let server = TestServer::with(limited()).await;
    let wrong = basic("tools", "wrong");
    for (path, headers, body, status) in [
        ("/oauth2/token", "", "grant_type=refresh_token&client_id=nobody", 401),
        ("/oauth2/introspect", &*wrong, "token=nonsense", 401),
    ] {
        for _ in 0..FAILURES {
            assert_eq!(server.post_form(path, headers, body).await.status, status, "{path}");
        }
        assert_eq!(server.post_form(path, headers, body).await.status, 429, "{path}");
    }
    let revoked = server.post_form("/oauth2/revoke", "", "client_id=nobody").await;
    assert_eq!(revoked.status, 429, "codes and tokens are one family");
    let asked = "GET /oauth2/authorize?client_id=nobody HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(server.exchange(asked).await.status, 400);
}

/// What browsers say of requests that a page of another site makes.
const FOREIGN: [&str; 5] = [
    "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\nsec-fetch-dest: image\r\n",
    "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\nsec-fetch-dest: script\r\n",
    "sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: iframe\r\n",
    "sec-fetch-site: same-site\r\nsec-fetch-mode: cors\r\nsec-fetch-dest: empty\r\n",
    "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\nsec-fetch-dest: empty\r\n",
];

#[tokio::test]
async fn a_hostile_page_uses_up_no_failures_of_the_address_of_its_visitors() {
    let server = TestServer::with(limited()).await;
    let client = server.new_client().await;
    for headers in FOREIGN.into_iter().cycle().take(50) {
        let image =
            format!("GET /oauth2/authorize?client_id=nobody HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        server.exchange(&image).await;
        for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
            server.post_form(path, headers, "client_id=nobody&grant_type=refresh_token").await;
        }
    }

    // Programs of the visitors learn what is wrong, and can mend it.
    let nonsense = refreshing(client, "nonsense", &[]);
    assert_eq!(refused(&server.token(&nonsense).await), (400, "invalid_grant".to_owned()));
    let wrong = basic("tools", "wrong");
    let answer = server.post_form("/oauth2/introspect", &wrong, "token=nonsense").await;
    assert_eq!(answer.status, 401);
    let navigation =
        "sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n";
    let asked =
        format!("GET /oauth2/authorize?client_id=nobody HTTP/1.1\r\nhost: x\r\n{navigation}\r\n");
    assert_eq!(server.exchange(&asked).await.status, 400);
    // A program that plays a page does not guess on without a limit.
    let answer = server.post_form("/oauth2/token", FOREIGN[0], &nonsense).await;
    assert_eq!(answer.status, 429);
}

#[tokio::test]
async fn a_hostile_page_uses_up_no_registrations_of_the_address_of_its_visitors() {
    let mut config = config();
    config.rate_limit.per_source = 2;
    let server = TestServer::with(config).await;
    let good = r#"{"redirect_uris":["https://a.example/cb"]}"#;
    for (nth, headers) in FOREIGN.into_iter().enumerate() {
        let request = format!(
            "POST /register HTTP/1.1\r\nhost: x\r\n{headers}content-type: text/plain\r\n\
             content-length: {}\r\n\r\n{good}",
            good.len()
        );
        let status = if nth < 2 { 400 } else { 429 };
        assert_eq!(server.exchange(&request).await.status, status);
    }
    assert_eq!(server.post("/register", good).await.status, 201);
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
        let answer = ask("", "nobody", REDIRECT_URI).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        assert!(answer.body.contains("Too many requests from your network have failed."));
    }
    // These requests lack what a person does not see, and name a client that is there.
    for headers in ["", FROM_ELSEWHERE] {
        assert!(!ask(headers, &client, REDIRECT_URI).await.body.contains("Too many"));
    }
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(ask("", "nobody", REDIRECT_URI).await.status, 400);
}
