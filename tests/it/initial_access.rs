//! Initial access tokens (RFC 7591 §3).

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use doorward::{
    audit::Action,
    clock::{Clock, Timestamp},
    config::{Config, RegistrationAccess},
    secret::SecretHash,
    store::{
        self, Access, ClientFilter, InitialAccessTokenId, InitialAccessTokenRecord, Standing, Store,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    admission,
    granted::config_on,
    harness::{Answer, TestServer, by, config},
    postgres,
    registration_management::ask,
};

const DOORS: [&str; 3] = ["/api/v2/oauth2/register", "/oauth2/register", "/register"];

const GOOD: &str = r#"{"client_name":"An app","redirect_uris":["https://app.example/cb"]}"#;

fn config_with(access: RegistrationAccess) -> Config {
    let mut config = config();
    config.registration.access = access;
    config
}

/// Stores a token of this policy, valid for this many clients and an hour, and returns it as it is shown once.
async fn token(store: &Store, now: Timestamp, policy: &str, uses_max: u64) -> String {
    let entropy = doorward::entropy::Entropy::System;
    let id = InitialAccessTokenId::generate(now, &entropy);
    let secret: [u8; 32] = entropy.bytes();
    let record = InitialAccessTokenRecord {
        initial_access_token_id: id,
        name: id.to_string(),
        policy: policy.to_owned(),
        hash: SecretHash::of(&secret),
        created_at: now,
        expires_at: Some(now.after_seconds(3_600)),
        uses_max,
        uses: 0,
        used_at: None,
    };
    assert!(store.create_initial_access_token(record, by()).await.unwrap());
    let bytes = [&id.as_bytes()[..], &secret].concat();
    format!("dwi_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

async fn register(server: &TestServer, door: &str, authorization: &str, body: &str) -> Answer {
    let header = match authorization {
        "" => String::new(),
        value => format!("authorization: {value}\r\n"),
    };
    let length = body.len();
    server
        .exchange(&format!(
            "POST {door} HTTP/1.1\r\nhost: door.example\r\n{header}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
        .await
}

async fn uses(store: &Store) -> Vec<u64> {
    let tokens = store.initial_access_tokens(None, 100).await.unwrap();
    tokens.iter().map(|token| token.uses).collect()
}

/// Checks a 401 in the shape of its door, and returns its challenge.
fn unauthorized<'answer>(door: &str, answer: &'answer Answer) -> &'answer str {
    assert_eq!(answer.status, 401, "{answer:?}");
    let member = if door.starts_with("/api/v2") { "errors" } else { "error" };
    assert!(answer.json()[member] != Value::Null, "{answer:?}");
    answer.header("www-authenticate").unwrap()
}

#[tokio::test]
async fn a_server_that_requires_a_token_registers_no_one_without_a_valid_one() {
    let server = TestServer::with(config_with(RegistrationAccess::Token)).await;
    let now = server.clock.now();
    let valid = token(&server.kept, now, "partners", 5).await;
    let spent = token(&server.kept, now, "spent", 1).await;
    let used = register(&server, DOORS[0], &format!("Bearer {spent}"), GOOD).await;
    assert_eq!(used.status, 201, "{used:?}");
    let (half, _) = valid.split_at(40);
    for door in DOORS {
        let challenge = register(&server, door, "", GOOD).await;
        assert_eq!(unauthorized(door, &challenge), r#"Bearer realm="doorward""#);
        for other in [
            format!("Bearer {spent}"),
            format!("Bearer {half}{}", "A".repeat(28)),
            "Bearer dwi_nonsense".to_owned(),
            "Bearer nonsense".to_owned(),
            format!("Basic {valid}"),
            valid.clone(),
        ] {
            let answer = register(&server, door, &other, GOOD).await;
            assert!(unauthorized(door, &answer).ends_with(r#", error="invalid_token""#), "{other}");
        }
        let created = register(&server, door, &format!("bearer {valid}"), GOOD).await;
        assert_eq!(created.status, 201, "{created:?}");
        let record = server.record(created.json()["client_id"].as_str().unwrap()).await;
        assert_eq!(record.registration.registered_by.as_deref(), Some("token:partners"));
    }
    let mut counted = uses(&server.kept).await;
    counted.sort_unstable();
    assert_eq!(counted, [1, 3]);
    assert_eq!(server.clients().await.len(), 4);
}

#[tokio::test]
async fn an_expired_or_revoked_token_registers_no_one() {
    let server = TestServer::with(config_with(RegistrationAccess::Token)).await;
    let expiring = token(&server.kept, server.clock.now(), "a", 5).await;
    server.clock.advance(Duration::from_mins(59));
    let answer = register(&server, DOORS[1], &format!("Bearer {expiring}"), GOOD).await;
    assert_eq!(answer.status, 201);
    server.clock.advance(Duration::from_mins(1));
    let revoked = token(&server.kept, server.clock.now(), "b", 5).await;
    let id = server.kept.initial_access_tokens(None, 10).await.unwrap()[1].initial_access_token_id;
    server.kept.revoke_initial_access_token(id, by()).await.unwrap();
    for token in [expiring, revoked] {
        let answer = register(&server, DOORS[1], &format!("Bearer {token}"), GOOD).await;
        assert!(unauthorized(DOORS[1], &answer).contains("invalid_token"));
    }
}

#[tokio::test]
async fn a_token_that_is_optional_has_to_be_valid_and_an_open_server_looks_at_none() {
    let either = TestServer::with(config_with(RegistrationAccess::Either)).await;
    let open = TestServer::start().await;
    let valid = token(&either.kept, either.clock.now(), "partners", 9).await;
    for door in DOORS {
        assert_eq!(register(&either, door, "", GOOD).await.status, 201);
        assert_eq!(register(&either, door, &format!("Bearer {valid}"), GOOD).await.status, 201);
        unauthorized(door, &register(&either, door, "Bearer nonsense", GOOD).await);
        unauthorized(door, &register(&either, door, "Basic YTpi", GOOD).await);
        assert_eq!(register(&open, door, "Bearer nonsense", GOOD).await.status, 201);
    }
    assert_eq!(uses(&either.kept).await, [3]);
    let strangers = either.clients().await;
    let vouched = strangers.iter().filter(|client| client.registration.policy().is_some());
    assert_eq!((strangers.len(), vouched.count()), (6, 3));
}

#[tokio::test]
async fn a_rejected_registration_uses_nothing_up() {
    let mut config = config_with(RegistrationAccess::Token);
    config.rate_limit.per_source = 4;
    let server = TestServer::with(config).await;
    let valid = format!("Bearer {}", token(&server.kept, server.clock.now(), "partners", 1).await);
    for body in ["", "nonsense", r#"{"client_name":"A"}"#] {
        assert_eq!(register(&server, DOORS[1], &valid, body).await.status, 400, "{body}");
    }
    // Whoever has no token uses up no registrations of those who have.
    for _ in 0..9 {
        let answer = register(&server, DOORS[1], "", GOOD).await;
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (401, Some("1")));
    }
    assert_eq!(uses(&server.kept).await, [0]);
    let created = register(&server, DOORS[1], &valid, GOOD).await;
    assert_eq!(created.status, 201, "{created:?}");
    let limited = register(&server, DOORS[1], &valid, GOOD).await;
    assert_eq!(limited.status, 401, "it is used up: {limited:?}");
}

/// Fifty registrations at once with a token of ten uses, over these nodes.
async fn check_ten_of_fifty(nodes: &[Arc<TestServer>], kept: &Store, now: Timestamp) {
    let valid = token(kept, now, "partners", 10).await;
    let mut calls = JoinSet::new();
    for number in 0..50 {
        let (node, valid) = (Arc::clone(&nodes[number % nodes.len()]), valid.clone());
        let door = DOORS[number % DOORS.len()];
        calls.spawn(async move { register(&node, door, &format!("Bearer {valid}"), GOOD).await });
    }
    let mut statuses: Vec<u16> =
        calls.join_all().await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 10].as_slice(), &[401; 40]].concat());
    assert_eq!(uses(kept).await, [10]);
    let clients = kept.clients(&ClientFilter::default(), None, 100).await.unwrap();
    assert_eq!(clients.len(), 10);
    let action = Some(Action::InitialAccessTokenUsed);
    let events = kept.events(action, None, None, 100).await.unwrap();
    assert_eq!(events.len(), 10);
}

#[tokio::test]
async fn of_fifty_registrations_at_once_a_token_of_ten_uses_lets_ten_in() {
    let server = Arc::new(TestServer::with(config_with(RegistrationAccess::Token)).await);
    let (kept, now) = (Arc::clone(&server.kept), server.clock.now());
    check_ten_of_fifty(&[server], &kept, now).await;
}

#[tokio::test]
async fn on_three_nodes_a_token_of_ten_uses_lets_ten_of_fifty_in() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let mut config = config_on(&postgres::new_database().unwrap_or(place));
    config.registration.access = RegistrationAccess::Token;
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Arc::new(TestServer::kept_by(Arc::clone(&kept), config.clone()).await));
    }
    check_ten_of_fifty(&nodes, &kept, Clock::System.now()).await;
}

#[tokio::test]
async fn rules_know_a_token_by_its_policy_and_a_token_passes_the_default() {
    let mut config = config_with(RegistrationAccess::Either);
    let rules = "[registration]
         default = 'reject'
         [[registration.rules]]
         id = 'held-partners'
         initial_access_token = 'held'
         effect = 'hold'
         [[registration.rules]]
         id = 'no-tunnels'
         any_destination = '*.tunnel.example'
         effect = 'reject'
         reason = 'no tunnels'";
    let loaded = admission::load(rules).unwrap();
    (config.registration.rules, config.registration.default) = (loaded.rules, loaded.default);
    let server = TestServer::with(config).await;
    let now = server.clock.now();
    let partners = format!("Bearer {}", token(&server.kept, now, "partners", 9).await);
    let held = format!("Bearer {}", token(&server.kept, now, "held", 9).await);

    let stranger = register(&server, DOORS[1], "", GOOD).await;
    assert_eq!(stranger.status, 400, "{stranger:?}");
    for (token, standing) in [(&partners, Standing::Active), (&held, Standing::Pending)] {
        let created = register(&server, DOORS[1], token, GOOD).await;
        assert_eq!(created.status, 201, "{created:?}");
        let id = created.json()["client_id"].as_str().unwrap().to_owned();
        assert_eq!(server.record(&id).await.state.standing, standing);
    }
    let tunnel = GOOD.replace("app.example", "a.tunnel.example");
    let rejected = register(&server, DOORS[1], &partners, &tunnel).await;
    assert_eq!(rejected.json()["error"], "invalid_redirect_uri", "{rejected:?}");
    assert_eq!(uses(&server.kept).await, [1, 1]);

    // An update is admitted as the registration was.
    let client = register(&server, DOORS[1], &partners, GOOD).await.json();
    let body = json!({
        "client_id": client["client_id"],
        "client_name": "Another name",
        "redirect_uris": ["https://app.example/cb"],
    });
    let path = format!("/oauth2/register/{}", client["client_id"].as_str().unwrap());
    let access_token = client["registration_access_token"].as_str().unwrap();
    let body = body.to_string();
    let updated = ask(&server, "PUT", &path, Some(access_token), &body).await;
    assert_eq!(updated.status, 200, "{updated:?}");
}

#[tokio::test]
async fn guesses_of_a_token_are_limited_and_a_valid_one_is_always_taken() {
    let mut config = config_with(RegistrationAccess::Token);
    config.rate_limit.failures_per_source = 3;
    let server = TestServer::with(config).await;
    let valid = format!("Bearer {}", token(&server.kept, server.clock.now(), "a", 2).await);
    for door in DOORS {
        unauthorized(door, &register(&server, door, "Bearer dwi_guess", GOOD).await);
    }
    for door in DOORS {
        let answer = register(&server, door, "Bearer dwi_guess", GOOD).await;
        assert_eq!(answer.status, 429, "{answer:?}");
    }
    assert_eq!(register(&server, DOORS[1], &valid, GOOD).await.status, 201);
}
