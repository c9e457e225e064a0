//! What the server leaves in the audit, and what it never leaves there.

use std::{fs, path::Path, time::Duration};

use doorward::{
    audit::{Action, Actor, Author},
    client::ClientIdentifier,
    config::Config,
    entropy::Entropy,
    store::{EventRecord, Transition},
};
use serde_json::Value;

use crate::{
    flow::{self, Browser, Client, Page},
    granted,
    harness::TestServer,
};

const PERSON: &str = "local:developer";

fn config() -> Config {
    Config { token: granted::config().token, ..flow::config() }
}

/// Allows the client again, and returns what the code buys.
async fn allowed(server: &TestServer, browser: &mut Browser<'_>, client: &Client) -> Value {
    let asked = browser.get(&client.request().path()).await;
    let code = browser.submit(&asked, "decision", "allow").await.code();
    server.clock.advance(Duration::from_secs(1));
    let bought = client.redeem(server, &code).await;
    server.clock.advance(Duration::from_secs(1));
    bought.json()
}

fn refresh_token(bought: &Value) -> String {
    bought["refresh_token"].as_str().unwrap().to_owned()
}

/// The events in their order, which is also that of one change.
async fn events(server: &TestServer) -> Vec<EventRecord> {
    server.kept.events(None, None, None, 1_000).await.unwrap()
}

/// Action, actor, client, subject.
fn told<'a>(
    event: &'a EventRecord,
    client: &str,
) -> (&'static str, &'a str, bool, Option<&'a str>) {
    let is_about = event.client.as_ref().is_some_and(|about| about.to_string() == client);
    assert_eq!(is_about, event.client.is_some(), "{event:?}");
    (event.action.as_str(), event.actor_kind.as_str(), is_about, event.subject.as_deref())
}

/// Parts of a secret that are long enough to be recognized.
fn parts(secret: &str) -> Vec<String> {
    secret.split(['.', '_', '=']).filter(|part| part.len() >= 20).map(str::to_owned).collect()
}

fn holds_none_of(events: &[EventRecord], secrets: &[String]) {
    let text = format!("{events:?}");
    let parts: Vec<String> = secrets.iter().flat_map(|secret| parts(secret)).collect();
    assert!(parts.len() > 10, "the secrets have recognizable parts");
    for part in parts {
        assert!(!text.contains(&part), "{part} is in {text}");
    }
}

#[tokio::test]
async fn a_whole_story_leaves_exactly_its_events_and_no_secret() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let step = || server.clock.advance(Duration::from_secs(1));
    step();
    let mut browser = Browser::new(&server);
    let welcome = browser.get(&client.request().path()).await;
    let asked = browser.sign_in(&welcome).await;
    step();
    let denied: Page = browser.submit(&asked, "decision", "deny").await;
    assert_eq!(denied.brought()["error"], "access_denied");
    step();

    let first = allowed(&server, &mut browser, &client).await;
    let second = client.refresh(&server, &refresh_token(&first)).await.json();
    server.clock.advance(Duration::from_mins(5));
    let third = client.refresh(&server, &refresh_token(&second)).await.json();
    server.clock.advance(Duration::from_mins(5));
    assert_eq!(client.refresh(&server, &refresh_token(&first)).await.status, 400);
    step();

    let revoked = allowed(&server, &mut browser, &client).await;
    assert_eq!(client.revoke(&server, &refresh_token(&revoked)).await.status, 200);
    step();
    let disconnected = allowed(&server, &mut browser, &client).await;
    let (path, form) = browser.get("/oauth2/grants").await.form("client");
    browser.post(&path, &form).await;
    step();
    let suspended = allowed(&server, &mut browser, &client).await;
    let cookies = browser.clone().cookies();
    let (path, form) = browser.get("/oauth2/sign-out").await.form("form_token");
    browser.post(&path, &form).await;
    step();
    let operator = Actor::Operator("uid:0".to_owned());
    let by = Author::new(operator, server.clock.now(), Entropy::System);
    let identifier: ClientIdentifier = client.id.parse().unwrap();
    let reason = Some("spam");
    server.kept.change_standing(&identifier, &Transition::SUSPEND, reason, by).await.unwrap();

    let events = events(&server).await;
    let person = Some(PERSON);
    let issued = [
        ("consent.allowed", "person", true, person),
        ("grant.issued", "person", true, person),
        ("grant.redeemed", "client", true, person),
    ];
    let expected = [
        &[
            ("key.made", "system", false, None),
            ("signin.succeeded", "person", false, person),
            ("consent.denied", "person", true, person),
        ][..],
        &issued,
        &[("grant.reused", "client", true, person)],
        &issued,
        &[("token.revoked", "client", true, person)],
        &issued,
        &[("grant.revoked", "person", true, person)],
        &issued,
        &[
            ("session.ended", "person", false, person),
            ("grant.revoked", "operator", true, person),
            ("client.suspended", "operator", true, None),
        ],
    ];
    let found: Vec<_> = events.iter().map(|event| told(event, &client.id)).collect();
    assert_eq!(found, expected.concat());

    let mut secrets = vec![server.password.clone().unwrap()];
    secrets.extend(cookies.into_values());
    for bought in [first, second, third, revoked, disconnected, suspended] {
        let tokens = ["access_token", "refresh_token"];
        secrets.extend(tokens.map(|name| bought[name].as_str().unwrap().to_owned()));
    }
    holds_none_of(&events, &secrets);
}

#[test]
fn the_protocol_lists_every_action_with_an_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    let protocol = fs::read_to_string(path).unwrap();
    let (_, section) = protocol.split_once("\n## Audit\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<(&str, Value)> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
            let action = cells.next().unwrap().trim_matches('`');
            let example = cells.last().unwrap().trim_matches('`');
            (action, serde_json::from_str(example).unwrap())
        })
        .collect();
    let listed: Vec<&str> = rows.iter().map(|(action, _)| *action).collect();
    let actions: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(listed, actions);
    for (action, example) in &rows {
        assert_eq!(example["action"], *action);
        assert!(example["id"].is_string() && example["time"].is_string(), "{action}");
        assert!(example["actor"]["type"].is_string(), "{action}");
    }
}
