//! A client manages its registration (RFC 7592).

use std::{sync::Arc, time::Duration};

use doorward::{
    audit::Action,
    client::ClientId,
    clock::Clock,
    config::Config,
    store::{self, Access, EventRecord, EventsOf, Standing, Transition},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    admission,
    flow::{self, Browser, Client},
    granted::{self, TOOLS, config_on, refused},
    harness::{Answer, TestServer, by, config},
    postgres,
};

const ISSUER: &str = "https://door.example";

/// A registration, as its client holds it.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) id: ClientId,
    pub(crate) token: String,
    path: String,
    information: Value,
}

impl Registered {
    pub(crate) async fn new(server: &TestServer, metadata: &Value) -> Self {
        let answer = server.post("/oauth2/register", &metadata.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Self::of(&answer)
    }

    /// By the members that RFC 7592 §3 requires of every response.
    fn of(answer: &Answer) -> Self {
        let information = answer.json();
        let uri = information["registration_client_uri"].as_str().unwrap();
        let (_, below) = uri.split_once("/oauth2/").unwrap();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self {
            id: answer.client_id(),
            token: information["registration_access_token"].as_str().unwrap().to_owned(),
            path: format!("/oauth2/{below}"),
            information,
        }
    }

    pub(crate) async fn read(&self, server: &TestServer) -> Answer {
        self.ask(server, "GET", "").await
    }

    pub(crate) async fn put(&self, server: &TestServer, body: &str) -> Answer {
        self.ask(server, "PUT", body).await
    }

    async fn remove(&self, server: &TestServer) -> Answer {
        self.ask(server, "DELETE", "").await
    }

    /// Replaces the registration with its information, without the members of the server and with these instead.
    async fn update(&self, server: &TestServer, instead: &Value) -> Answer {
        self.put(server, &self.update_body(instead)).await
    }

    fn update_body(&self, instead: &Value) -> String {
        let mut body = self.information.clone();
        let members = body.as_object_mut().unwrap();
        for owned in ["client_id_issued_at", "registration_access_token", "registration_client_uri"]
        {
            members.remove(owned);
        }
        for (name, value) in instead.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
        }
        body.to_string()
    }

    async fn ask(&self, server: &TestServer, method: &str, body: &str) -> Answer {
        ask(server, method, &self.path, Some(&self.token), body).await
    }
}

pub(crate) async fn ask(
    server: &TestServer,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Answer {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    server
        .exchange(&format!(
            "{method} {path} HTTP/1.1\r\nhost: door.example\r\n{token}\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
}

fn metadata() -> Value {
    json!({
        "client_name": "An app",
        "client_uri": "https://app.example",
        "redirect_uris": ["https://app.example/cb"],
    })
}

/// A server on which people sign in, with resources.
fn with_people() -> Config {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    config
}

/// Checks a 401, and returns its challenge.
fn unauthorized(answer: &Answer) -> &str {
    assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_token")));
    answer.header("www-authenticate").unwrap()
}

async fn events_of(server: &TestServer, client: ClientId, action: Action) -> Vec<EventRecord> {
    let of = EventsOf::Client(client.into());
    let events = server.kept.newest_events(Some(&of), None, 1_000).await.unwrap();
    events.into_iter().filter(|event| event.action == action).collect()
}

#[tokio::test]
async fn a_client_reads_its_registration_by_the_uri_and_the_token_of_its_201() {
    let server = TestServer::with(flow::config()).await;
    for path in ["/oauth2/register", "/register"] {
        let created = server.post(path, &metadata().to_string()).await;
        let client = Registered::of(&created);
        let uri = format!("{ISSUER}/oauth2/register/{}", client.id);
        assert_eq!(client.information["registration_client_uri"], uri);
        assert!(client.token.starts_with("dwm_") && client.token.len() > 50, "{}", client.token);
        for _ in 0..3 {
            let read = client.read(&server).await;
            assert_eq!((read.status, read.json()), (200, created.json()));
            assert_eq!(read.header("content-type"), Some("application/json"));
        }
        let alias = format!("/register/{}", client.id);
        let read = ask(&server, "GET", &alias, Some(&client.token), "").await;
        assert_eq!((read.status, read.json()), (200, created.json()));
        let head = client.ask(&server, "HEAD", "").await;
        assert_eq!((head.status, &*head.body), (200, ""));
    }
    let other = Registered::new(&server, &metadata()).await;
    assert_ne!(other.token, Registered::new(&server, &metadata()).await.token);
}

#[tokio::test]
async fn the_documented_endpoint_gives_no_registration_access_token() {
    let server = TestServer::start().await;
    let created = server.post("/api/v2/oauth2/register", &metadata().to_string()).await;
    assert_eq!(created.json().as_object().unwrap().len(), 6, "{created:?}");
}

#[tokio::test]
async fn an_update_replaces_everything_and_makes_the_token_before_it_invalid() {
    let server = TestServer::start().await;
    let client = Registered::new(&server, &metadata()).await;
    let body = json!({
        "client_id": client.id.to_string(),
        "client_name": "Another name",
        "redirect_uris": ["https://app.example/new", "http://example.com/not-allowed"],
        "token_endpoint_auth_method": "client_secret_basic",
        "client_secret": null,
        "client_id_issued_at": null,
        "x_unknown": 1,
    });

    let updated = client.put(&server, &body.to_string()).await;

    assert_eq!(updated.status, 200, "{updated:?}");
    let now = Registered::of(&updated);
    assert_ne!(now.token, client.token);
    let mut expected = json!({
        "client_id": client.id.to_string(),
        "client_id_issued_at": client.information["client_id_issued_at"],
        "client_name": "Another name",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/new"],
        "registration_access_token": now.token,
        "registration_client_uri": client.information["registration_client_uri"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    assert_eq!(updated.json(), expected, "client_uri was left out, and is gone");
    assert_eq!(now.read(&server).await.json(), expected);
    for answer in [
        client.read(&server).await,
        client.update(&server, &json!({})).await,
        client.remove(&server).await,
    ] {
        assert!(unauthorized(&answer).contains("invalid_token"));
    }
    // The identifier stays, however often the rest changes.
    let mut last = now;
    for name in ["A", "B", "C"] {
        last = Registered::of(&last.update(&server, &json!({ "client_name": name })).await);
        expected["client_name"] = name.into();
        expected["registration_access_token"] = last.token.as_str().into();
        assert_eq!(last.read(&server).await.json(), expected);
    }
    let events = events_of(&server, client.id, Action::ClientUpdated).await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event.actor == Some(client.id.to_string())));
    let first = r#"{"changed":["client_name","client_uri","redirect_uris"]}"#;
    assert!(events.iter().any(|event| event.detail.as_deref() == Some(first)), "{events:?}");
}

#[tokio::test]
async fn an_update_that_is_rejected_changes_nothing_and_lists_every_fault() {
    let server = TestServer::start().await;
    let client = Registered::new(&server, &metadata()).await;
    let faulty = [
        (json!({ "client_id": "0193a1b2-c3d4-7000-8000-000000000001" }), "/client_id"),
        (json!({ "client_id": null }), "/client_id"),
        (json!({ "client_secret": "mine" }), "/client_secret"),
        (json!({ "client_secret_expires_at": 0 }), "/client_secret_expires_at"),
        (json!({ "client_id_issued_at": 1 }), "/client_id_issued_at"),
        (json!({ "registration_access_token": client.token }), "/registration_access_token"),
        (json!({ "registration_client_uri": "https://x.example" }), "/registration_client_uri"),
        (json!({ "redirect_uris": [] }), "/redirect_uris"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "/redirect_uris/0"),
        (json!({ "client_name": "a\u{202e}b" }), "/client_name"),
        (json!({ "logo_uri": "data:text/html,x" }), "/logo_uri"),
    ];
    let mut all = json!({});
    for (instead, pointer) in faulty {
        let answer = client.update(&server, &instead).await;
        assert_eq!(answer.status, 400, "{instead}: {answer:?}");
        assert_eq!(answer.json()["violations"][0]["pointer"], pointer, "{answer:?}");
        all.as_object_mut().unwrap().extend(instead.as_object().unwrap().clone());
    }
    let answer = client.update(&server, &all).await;
    assert_eq!(answer.json()["violations"].as_array().unwrap().len(), 9, "{answer:?}");
    for body in ["", "{", "[]", "nonsense", r#"{"client_id":1,"client_id":2}"#] {
        assert_eq!(client.put(&server, body).await.json()["error"], "invalid_request", "{body}");
    }
    assert_eq!(client.read(&server).await.json(), client.information);
    assert!(events_of(&server, client.id, Action::ClientUpdated).await.is_empty());
}

#[tokio::test]
async fn whoever_has_no_valid_token_gets_401_whether_or_not_the_client_exists() {
    let server = TestServer::start().await;
    let (client, other) =
        (Registered::new(&server, &metadata()).await, Registered::new(&server, &metadata()).await);
    let removed = Registered::new(&server, &metadata()).await;
    assert_eq!(removed.remove(&server).await.status, 204);
    let unknown = "/oauth2/register/0193a1b2-c3d4-7000-8000-000000000001";
    let refresh_token = client.token.replace("dwm_", "dwr_");
    for method in ["GET", "PUT", "DELETE"] {
        let mut answers = Vec::new();
        for path in [&client.path, unknown, &removed.path, "/oauth2/register/nonsense"] {
            let without = ask(&server, method, path, None, "{}").await;
            assert_eq!(unauthorized(&without), r#"Bearer realm="doorward""#, "{method} {path}");
            for token in [other.token.as_str(), &refresh_token, "nonsense", "dwm_AAAA"] {
                let answer = ask(&server, method, path, Some(token), "{}").await;
                assert!(unauthorized(&answer).ends_with(r#", error="invalid_token""#));
                answers.push(answer.body);
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        unauthorized(&removed.ask(&server, method, "{}").await);
    }
    // Neither in the address nor in the body.
    let path = format!("{}?access_token={}", client.path, client.token);
    unauthorized(&ask(&server, "GET", &path, None, "").await);
    let basic = granted::basic(&client.id.to_string(), &client.token);
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n{basic}\r\n", client.path);
    unauthorized(&server.exchange(&request).await);
    assert_eq!(client.read(&server).await.status, 200);
}

#[tokio::test]
async fn the_endpoint_supports_three_methods_and_none_where_it_is_turned_off() {
    let server = TestServer::start().await;
    let client = Registered::new(&server, &metadata()).await;
    for method in ["POST", "PATCH"] {
        let answer = client.ask(&server, method, "{}").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, DELETE, OPTIONS"));
    }

    let mut config = config();
    config.registration.management = false;
    let server = TestServer::with(config).await;
    let created = server.post("/oauth2/register", &metadata().to_string()).await.json();
    assert!(!created.to_string().contains("registration_"), "{created}");
    let path = format!("/oauth2/register/{}", created["client_id"].as_str().unwrap());
    for method in ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"] {
        let answer = ask(&server, method, &path, Some(&client.token), "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("")), "{method}");
    }
    assert!(
        !server
            .exchange("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .body
            .contains("7592")
    );
}

#[tokio::test]
async fn of_fifty_updates_with_one_token_one_succeeds_and_the_others_are_unauthorized() {
    let server = Arc::new(TestServer::start().await);
    let client = Registered::new(&server, &metadata()).await;
    let mut calls = JoinSet::new();
    for number in 0..50 {
        let (server, client) = (Arc::clone(&server), client.clone());
        let name = format!("Name {number}");
        calls.spawn(async move {
            (client.update(&server, &json!({ "client_name": name })).await, name)
        });
    }
    let answers = calls.join_all().await;
    let mut succeeded = answers.iter().filter(|(answer, _)| answer.status == 200);
    let (answer, name) = succeeded.next().unwrap();
    assert!(succeeded.next().is_none());
    answers.iter().filter(|(other, _)| other.status != 200).for_each(|(other, _)| {
        unauthorized(other);
    });
    let read = Registered::of(answer).read(&server).await;
    assert_eq!((&read.json(), &read.json()["client_name"]), (&answer.json(), &json!(name)));
    assert_eq!(events_of(&server, client.id, Action::ClientUpdated).await.len(), 1);
}

#[tokio::test]
async fn on_three_nodes_one_of_many_updates_succeeds_and_every_node_knows_the_new_token() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Arc::new(TestServer::kept_by(Arc::clone(&kept), config.clone()).await));
    }
    let client = Registered::new(&nodes[0], &metadata()).await;
    for node in &nodes {
        assert_eq!(client.read(node).await.json(), client.information);
    }
    let mut calls = JoinSet::new();
    for number in 0..30 {
        let (node, client) = (Arc::clone(&nodes[number % 3]), client.clone());
        calls.spawn(async move {
            client.update(&node, &json!({ "client_name": format!("Name {number}") })).await
        });
    }
    let answers = calls.join_all().await;
    let succeeded: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(succeeded.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 29);
    for node in &nodes {
        unauthorized(&client.read(node).await);
        assert_eq!(Registered::of(succeeded[0]).read(node).await.json(), succeeded[0].json());
    }
}

#[tokio::test]
async fn a_token_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let before = TestServer::kept_by(Arc::clone(&kept), config.clone()).await;
    let client = Registered::new(&before, &metadata()).await;
    drop(before);
    let now = Clock::System.now().after_days(10_000);
    let after = TestServer::kept_by_at(kept, config, now).await;
    assert_eq!(client.read(&after).await.json(), client.information);
}

#[tokio::test]
async fn a_removed_client_loses_its_grants_codes_and_token_at_once() {
    let server = TestServer::with(with_people()).await;
    let client = Registered::new(&server, &metadata()).await;
    let flowing = Client { id: client.id.to_string() };
    let request = flowing.request().and("resource", TOOLS);
    let tokens = flow::tokens(&server, &flowing, &request).await;
    let mut browser = Browser::signed_in(&server).await;
    let asked = browser.get(&request.path()).await;
    let code = browser.submit(&asked, "decision", "allow").await.code();

    let removed = client.remove(&server).await;

    assert_eq!((removed.status, &*removed.body), (204, ""));
    unauthorized(&client.remove(&server).await);
    unauthorized(&client.read(&server).await);
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    for answer in
        [flowing.refresh(&server, refresh_token).await, flowing.redeem(&server, &code).await]
    {
        assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
    }
    let told = server.introspect("tools", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(told, json!({ "active": false }));
    let page = browser.get(&request.path()).await.text();
    assert!(page.contains("An app isn't registered here any more. It removed its own"), "{page}");
    let actor = Some(client.id.to_string());
    let tombstones = events_of(&server, client.id, Action::ClientRemoved).await;
    assert_eq!(tombstones.iter().map(|event| &event.actor).collect::<Vec<_>>(), [&actor]);
    let ended = events_of(&server, client.id, Action::GrantRevoked).await;
    assert_eq!(ended.iter().map(|event| &event.actor).collect::<Vec<_>>(), [&actor, &actor]);
}

#[tokio::test]
async fn an_operators_decision_stands_whatever_the_client_sends() {
    let server = TestServer::start().await;
    for standing in [Standing::Pending, Standing::Suspended] {
        let client = Registered::new(&server, &metadata()).await;
        let mut record = server.record(&client.id.to_string()).await;
        record.state.standing = standing;
        server.forget(&client.id.to_string()).await;
        server.keep(record.clone()).await;
        assert_eq!(client.read(&server).await.json(), client.information);

        let updated = client.update(&server, &json!({ "client_name": "Something else" })).await;

        assert_eq!((updated.status, &updated.json()["error"]), (403, &json!("access_denied")));
        assert_eq!(server.record(&client.id.to_string()).await, record);
        assert_eq!(client.read(&server).await.json(), client.information);
        let removal = client.remove(&server).await;
        let expected = if standing == Standing::Suspended { 403 } else { 204 };
        assert_eq!(removal.status, expected, "{removal:?}");
    }
}

#[tokio::test]
async fn a_changed_name_or_destination_makes_the_next_consent_a_first_one() {
    let changes = [
        (json!({ "client_name": "Another name" }), true),
        (json!({ "client_name#fr": "Un autre nom" }), true),
        (json!({ "redirect_uris": ["https://app.example/cb", "https://app.example/2"] }), true),
        (json!({ "software_version": "2" }), false),
    ];
    for (instead, decides_about_consent) in changes {
        let server = TestServer::with(with_people()).await;
        let client = Registered::new(&server, &metadata()).await;
        let flowing = Client { id: client.id.to_string() };
        let request = flowing.request().and("resource", TOOLS).and("scope", "read");
        let silent = request.clone().and("prompt", "none");
        flow::tokens(&server, &flowing, &request).await;
        let mut browser = Browser::signed_in(&server).await;
        assert!(browser.get(&request.path()).await.answer.body.contains("<details"));
        let shown = browser.get(&request.path()).await;
        server.clock.advance(Duration::from_millis(1));

        let updated = Registered::of(&client.update(&server, &instead).await);

        // What was on the screen is no longer what the person decides about.
        let decided = browser.submit(&shown, "decision", "allow").await;
        assert!(decided.location().starts_with("/oauth2/authorize?"), "{decided:?}");
        let page = browser.get(&request.path()).await;
        assert_eq!(page.answer.status, 200);
        assert!(!page.answer.body.contains("<details"), "{instead}");
        // A client that no one knows yet is not told silently.
        let told = browser.get(&silent.path()).await;
        assert_eq!(told.answer.status == 400, decides_about_consent, "{instead}: {told:?}");
        let back = updated.update(&server, &metadata_of(&client)).await;
        assert_eq!(back.status, 200, "{back:?}");
        let page = browser.get(&request.path()).await;
        assert_eq!(page.answer.body.contains("<details"), !decides_about_consent, "{instead}");
    }
}

/// What was registered at first, with every member that a change added taken away.
fn metadata_of(client: &Registered) -> Value {
    let mut members = json!({ "client_name#fr": null, "software_version": null });
    let first: Value = serde_json::from_str(&client.update_body(&json!({}))).unwrap();
    members.as_object_mut().unwrap().extend(first.as_object().unwrap().clone());
    members
}

#[tokio::test]
async fn an_update_is_admitted_as_a_registration_is() {
    let mut config = config();
    config.rate_limit.per_source = 5;
    config.registration = admission::load(
        "[[registration.rules]]
         id = 'no-tunnels'
         any_destination = '*.tunnel.example'
         effect = 'reject'
         reason = 'redirect URIs of tunnels are not allowed'",
    )
    .unwrap();
    let server = TestServer::with(config).await;
    let client = Registered::new(&server, &metadata()).await;

    let tunnel = json!({ "redirect_uris": ["https://a.tunnel.example/cb"] });
    let rejected = client.update(&server, &tunnel).await;
    assert_eq!(
        (rejected.status, &rejected.json()["error"]),
        (400, &json!("invalid_redirect_uri")),
        "{rejected:?}"
    );

    let imitation =
        Registered::of(&client.update(&server, &json!({ "client_name": "Claude" })).await);
    assert_eq!(server.record(&client.id.to_string()).await.flags.names(), ["look_alike"]);
    let honest = Registered::of(&imitation.update(&server, &json!({ "client_name": "App" })).await);
    assert!(server.record(&client.id.to_string()).await.flags.names().is_empty());

    // What has no valid token uses up nothing; reading uses up nothing.
    for _ in 0..9 {
        unauthorized(&client.update(&server, &json!({})).await);
        assert_eq!(honest.read(&server).await.status, 200);
    }
    let last = honest.update(&server, &json!({})).await;
    assert_eq!((last.status, last.header("ratelimit-remaining")), (200, Some("0")));
    let last = Registered::of(&last);
    let limited = last.update(&server, &json!({})).await;
    assert_eq!(limited.status, 429, "{limited:?}");
    assert!(limited.header("retry-after").is_some());
    assert_eq!(last.read(&server).await.status, 200);
}

#[tokio::test]
async fn guesses_are_limited_and_a_valid_token_is_always_answered() {
    let mut config = config();
    config.rate_limit.failures_per_source = 3;
    let server = TestServer::with(config).await;
    let client = Registered::new(&server, &metadata()).await;
    let guess = Registered { token: "dwm_guess".to_owned(), ..client.clone() };
    for method in ["GET", "PUT", "DELETE"] {
        unauthorized(&guess.ask(&server, method, "{}").await);
    }
    let limited = guess.read(&server).await;
    assert_eq!(limited.status, 429, "{limited:?}");
    assert!(limited.header("retry-after").is_some());
    assert_eq!(client.read(&server).await.status, 200);
    assert_eq!(client.update(&server, &json!({})).await.status, 200);
}

#[tokio::test]
async fn a_registration_access_token_opens_nothing_else() {
    let server = TestServer::with(with_people()).await;
    let client = Registered::new(&server, &metadata()).await;
    let flowing = Client { id: client.id.to_string() };
    assert_eq!(refused(&flowing.refresh(&server, &client.token).await).0, 400);
    assert_eq!(server.introspect("tools", &client.token).await, json!({ "active": false }));
    flowing.revoke(&server, &client.token).await;
    assert_eq!(client.read(&server).await.status, 200);
}

#[tokio::test]
async fn an_update_in_the_moment_of_a_suspension_does_not_lift_it() {
    let server = TestServer::start().await;
    for _ in 0..20 {
        let client = Registered::new(&server, &metadata()).await;
        let id = client.id.into();
        let instead = json!({ "client_name": "B" });
        let (updated, suspended) = tokio::join!(
            client.update(&server, &instead),
            server.kept.change_standing(&id, &Transition::SUSPEND, None, by()),
        );
        suspended.unwrap();
        let record = server.record(&client.id.to_string()).await;
        assert_eq!(record.state.standing, Standing::Suspended);
        assert_eq!(record.metadata.contains(r#""B""#), updated.status == 200, "{updated:?}");
    }
}

#[tokio::test]
async fn an_update_that_a_rule_holds_waits_for_approval_without_grants() {
    let mut config = with_people();
    let rules = "[[registration.rules]]\nid = 'hold'\nname = 'Another'\neffect = 'hold'";
    config.registration.rules = admission::load(rules).unwrap().rules;
    let server = TestServer::with(config).await;
    let client = Registered::new(&server, &metadata()).await;
    let flowing = Client { id: client.id.to_string() };
    let request = flowing.request().and("resource", TOOLS);
    let tokens = flow::tokens(&server, &flowing, &request).await;

    let updated = client.update(&server, &json!({ "client_name": "Another" })).await;

    assert_eq!(updated.status, 200, "{updated:?}");
    let refreshed = flowing.refresh(&server, tokens["refresh_token"].as_str().unwrap()).await;
    assert!(refreshed.status >= 400, "{refreshed:?}");
    let page = Browser::signed_in(&server).await.get(&request.path()).await;
    assert!(page.text().starts_with("This app is waiting for approval"), "{page:?}");
    let now = Registered::of(&updated);
    assert_eq!(now.update(&server, &json!({ "client_name": "An app" })).await.status, 403);
}
