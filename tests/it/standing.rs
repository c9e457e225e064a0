//! Standing, as people and clients meet it: pending, suspended, resumed, and removed clients.

use std::time::Duration;

use doorward::{
    audit::{Action, Actor, Author},
    ceiling::Ceiling,
    client::ClientId,
    config::Config,
    store::{GrantFilter, Standing, StandingChanged, Transition},
};
use serde_json::{Value, json};

use crate::{
    flow::{self, Browser, Client, Page, Request},
    granted::{self, TOOLS, refused},
    harness::{TestServer, by},
};

fn config() -> Config {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    config
}

async fn change(server: &TestServer, client: &Client, transition: &'static Transition) {
    let id: ClientId = client.id.parse().unwrap();
    let changed = server.kept.change_standing(&id.into(), transition, None, by_now(server)).await;
    assert!(matches!(changed.unwrap(), StandingChanged::Now { .. }), "{transition:?}");
}

/// A good authorization request.
fn request(client: &Client) -> Request {
    client.request().and("resource", TOOLS)
}

fn by_now(server: &TestServer) -> Author {
    Author { at: server.clock.now(), ..by() }
}

/// A client that waits for approval.
async fn pending(server: &TestServer) -> Client {
    let mut record = server.record(&Client::register(server).await.id).await;
    record.client_id = ClientId::generate(server.clock.now(), &server.chance);
    record.state.standing = Standing::Pending;
    let id = record.client_id.to_string();
    server.keep(record).await;
    Client { id }
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap().to_owned()
}

/// Checks that a page sends nobody anywhere, and returns its text.
fn blocked(page: &Page, title: &str) -> String {
    assert_eq!(page.answer.status, 403, "{page:?}");
    assert_eq!(page.answer.header("location"), None);
    let text = page.text();
    assert!(text.starts_with(title), "{text}");
    text
}

const SUSPENDED: &str = "An administrator blocked this app";
const PENDING: &str = "This app is waiting for approval";

#[tokio::test]
async fn a_suspended_client_gets_a_page_and_its_tokens_end() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = request(&client);
    let tokens = flow::tokens(&server, &client, &request).await;
    let mut browser = Browser::signed_in(&server).await;
    let asked = browser.get(&request.path()).await;
    let code = browser.submit(&asked, "decision", "allow").await.code();
    server.clock.advance(Duration::from_millis(1));

    change(&server, &client, &Transition::SUSPEND).await;

    for request in [request.clone(), request.clone().and("prompt", "none")] {
        blocked(&browser.get(&request.path()).await, SUSPENDED);
        blocked(&Browser::new(&server).get(&request.path()).await, SUSPENDED);
        blocked(&browser.post("/oauth2/authorize", &request).await, SUSPENDED);
    }
    blocked(&browser.submit(&asked, "decision", "allow").await, SUSPENDED);
    for answer in [
        client.refresh(&server, &text(&tokens, "refresh_token")).await,
        client.redeem(&server, &code).await,
    ] {
        assert_eq!(refused(&answer), (400, "invalid_grant".to_owned()));
    }
    for token in ["access_token", "refresh_token"] {
        let told = server.introspect("tools", &text(&tokens, token)).await;
        assert_eq!(told, json!({ "active": false }), "{token}");
    }
    let apps = browser.get("/oauth2/grants").await.text();
    assert!(apps.contains("No app can act as you here."), "{apps}");
}

#[tokio::test]
async fn a_grant_that_an_import_brings_to_a_suspended_client_gives_no_tokens() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let tokens = flow::tokens(&server, &client, &request(&client)).await;
    let filter = GrantFilter::default();
    let grants = server.kept.grants(&filter, None, 10).await.unwrap();
    assert_eq!(grants.len(), 1);
    change(&server, &client, &Transition::SUSPEND).await;

    assert_eq!(server.kept.import_grants(grants).await.unwrap(), 1);

    let refreshed = client.refresh(&server, &text(&tokens, "refresh_token")).await;
    assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
    for token in ["access_token", "refresh_token"] {
        let told = server.introspect("tools", &text(&tokens, token)).await;
        assert_eq!(told, json!({ "active": false }), "{token}");
    }
}

#[tokio::test]
async fn a_restricted_client_is_offered_what_is_left_and_loses_the_rest_at_once() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let id: ClientId = client.id.parse().unwrap();
    let request = request(&client).and("scope", "read write");
    let tokens = flow::tokens(&server, &client, &request).await;
    let mut browser = Browser::signed_in(&server).await;
    let asked = browser.get(&request.path()).await;
    let only_read = Ceiling::Only(vec!["read".to_owned()]);

    let ended = server.kept.restrict_client(&id.into(), Some(only_read), by_now(&server)).await;

    assert_eq!(ended.unwrap(), Some(1));
    let refreshed = client.refresh(&server, &text(&tokens, "refresh_token")).await;
    assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
    let told = server.introspect("tools", &text(&tokens, "access_token")).await;
    assert_eq!(told, json!({ "active": false }));
    // The page that was open offers what is no longer there.
    let again = browser.submit(&asked, "decision", "allow").await;
    let page = browser.get(again.answer.header("location").unwrap()).await;
    assert!(page.text().contains("read") && !page.text().contains("write"), "{page:?}");
    let code = browser.submit(&page, "decision", "allow").await.code();
    let bought: Value = client.redeem(&server, &code).await.json();
    assert_eq!(bought["scope"], "read");
    let beyond = browser.get(&self::request(&client).and("scope", "write").path()).await;
    let refusal = beyond.brought();
    assert_eq!(refusal["error"], "invalid_scope", "{beyond:?}");
    let told = &refusal["error_description"];
    assert!(told.contains("administrator") && told.contains("restricted"), "{told}");
    // What is allowed again adds nothing to what exists.
    server.kept.restrict_client(&id.into(), None, by_now(&server)).await.unwrap();
    let kept: Value = client.refresh(&server, &text(&bought, "refresh_token")).await.json();
    assert_eq!(kept["scope"], "read");
}

#[tokio::test]
async fn after_a_resumption_everyone_authorizes_again_by_a_click() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = request(&client);
    let tokens = flow::tokens(&server, &client, &request).await;
    let silent = request.clone().and("prompt", "none");
    let mut browser = Browser::signed_in(&server).await;
    assert_eq!(browser.get(&silent.path()).await.brought()["error"], "consent_required");
    server.clock.advance(Duration::from_millis(1));
    change(&server, &client, &Transition::SUSPEND).await;
    server.clock.advance(Duration::from_millis(1));
    change(&server, &client, &Transition::RESUME).await;

    let refreshed = client.refresh(&server, &text(&tokens, "refresh_token")).await;
    assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()), "nothing comes back");
    let unasked = browser.get(&silent.path()).await;
    assert_eq!(unasked.answer.status, 400, "nobody is sent anywhere without a click: {unasked:?}");
    let asked = browser.get(&request.path()).await;
    assert!(asked.text().starts_with("Allow access to your account?"), "{asked:?}");
    let code = browser.submit(&asked, "decision", "allow").await.code();
    let bought = client.redeem(&server, &code).await;
    assert_eq!(bought.status, 200, "{bought:?}");
    // The new consent counts.
    assert!(browser.get(&request.path()).await.text().starts_with("Allow access again?"));
}

#[tokio::test]
async fn a_pending_client_waits_on_a_page_that_reloads_the_request_until_it_is_approved() {
    let server = TestServer::with(config()).await;
    let client = pending(&server).await;
    let request = request(&client);
    let mut browser = Browser::new(&server);

    let code = client.redeem(&server, "nothing").await;
    assert_eq!(refused(&code), (400, "invalid_grant".to_owned()), "no tokens exist");
    let mut waiting = browser.get(&request.path()).await;
    for _ in 0..2 {
        let told = blocked(&waiting, PENDING);
        assert!(told.contains("An administrator has to approve this app"), "{told}");
        let code = client.id.split_at(client.id.len() - 8).1;
        assert!(told.contains(&format!("code {code}")), "{told}");
        assert_eq!(waiting.answer.header("refresh"), Some("10"), "the same address");
        waiting = browser.get(&request.path()).await;
    }
    // A request that was posted waits at an address of its own.
    let posted = browser.post("/oauth2/authorize", &request).await;
    assert_eq!(
        posted.answer.header("refresh"),
        Some(&*format!("10; url={}", request.path())),
        "{posted:?}"
    );

    change(&server, &client, &Transition::APPROVE).await;

    let welcome = browser.get(&request.path()).await;
    assert_eq!((welcome.answer.status, welcome.answer.header("refresh")), (200, None));
    let asked = browser.sign_in(&welcome).await;
    let allowed = browser.submit(&asked, "decision", "allow").await;
    assert_eq!(allowed.brought()["state"], "of the client");
    let bought = client.redeem(&server, &allowed.code()).await;
    assert_eq!(bought.status, 200, "the code is bound to the original challenge: {bought:?}");
}

#[tokio::test]
async fn a_pending_client_with_a_short_request_waits_as_well() {
    let server = TestServer::with(config()).await;
    let client = pending(&server).await;
    let request = Request::default().and("client_id", &client.id);
    let told = blocked(&Browser::new(&server).get(&request.path()).await, PENDING);
    assert!(!told.contains("For the app's developer"), "{told}");
}

#[tokio::test]
async fn a_removed_client_gets_invalid_client_and_a_page() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let tokens = flow::tokens(&server, &client, &request(&client)).await;

    server.forget(&client.id).await;

    for answer in [
        client.refresh(&server, &text(&tokens, "refresh_token")).await,
        client.redeem(&server, "nothing").await,
    ] {
        assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
    }
    let page = Browser::new(&server).get(&request(&client).path()).await;
    assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
    let told = page.text();
    for part in [
        "This app was removed",
        "An app isn't registered here any more. An administrator removed its registration less than \
         a minute ago.",
        "To reconnect, remove this server's connection in the app and add it again.",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn the_page_of_a_removed_client_says_when_and_by_whom() {
    let server = TestServer::with(config()).await;
    let app = || Actor::Client(ClientId::generate(server.clock.now(), &server.chance).into());
    let operator = || Actor::Operator("ada".to_owned());
    let rows = [
        (
            Action::ClientRemoved,
            operator(),
            "An administrator removed its registration 3 days ago.",
        ),
        (Action::ClientRemoved, app(), "It removed its own registration 3 days ago."),
        (
            Action::ClientRemoved,
            Actor::System,
            "It was removed 3 days ago because it was not used.",
        ),
    ];
    let mut removed = Vec::new();
    for (action, actor, told) in rows {
        let client = Client::register(&server).await;
        let _tokens = flow::tokens(&server, &client, &request(&client)).await;
        let id: ClientId = client.id.parse().unwrap();
        let by = Author { actor, ..by_now(&server) };
        server.kept.remove_client(id, action, "any", by).await.unwrap();
        removed.push((client, told));
    }
    let rejected = pending(&server).await;
    let id: ClientId = rejected.id.parse().unwrap();
    server.kept.reject_client(&id.into(), "any", by_now(&server)).await.unwrap();
    removed.push((rejected, "An administrator rejected its request to be approved 3 days ago."));
    server.clock.advance(Duration::from_hours(72));
    for (client, told) in removed {
        let page = Browser::new(&server).get(&request(&client).path()).await;
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    // An identifier that was never given away says no more than before.
    let id = ClientId::generate(server.clock.now(), &server.chance).to_string();
    let page = Browser::new(&server).get(&request(&Client { id }).path()).await;
    assert!(page.text().starts_with("We don't know this app"), "{page:?}");
}
