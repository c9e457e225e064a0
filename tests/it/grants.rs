//! The page on which people see what they have allowed, and take it back.

use std::time::Duration;

use doorward::{
    client::ClientIdentifier,
    config::Config,
    grant::{AuthorizationCode, GrantId},
    store::GrantRecord,
};
use serde_json::json;

use crate::{
    flow::{self, Browser, Client, Page},
    granted::{self, REDIRECT_URI, TOOLS, member, refreshing},
    harness::TestServer,
};

const PATH: &str = "/oauth2/grants";
const DAY: Duration = Duration::from_hours(24);

fn config() -> Config {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    config
}

/// How many grants a page shows.
fn shown(page: &Page) -> usize {
    assert_eq!(page.answer.status, 200, "{page:?}");
    page.answer.body.matches("name=\"grant\"").count()
}

/// A grant as it is kept, changed.
async fn changed(server: &TestServer, code: &str, change: impl FnOnce(&mut GrantRecord)) {
    let code: AuthorizationCode = code.parse().unwrap();
    let mut grant = server.kept.grant(code.grant).await.unwrap().unwrap();
    server.kept.revoke_grant(code.grant).await.unwrap();
    change(&mut grant);
    server.kept.keep_grant(grant).await.unwrap();
}

#[tokio::test]
async fn people_see_what_they_have_allowed_and_nobody_else_does() {
    let server = TestServer::with(config()).await;
    let mut browser = Browser::signed_in(&server).await;
    assert!(browser.get(PATH).await.text().contains("No application can act in your name here."));

    let metadata = json!({ "client_name": "An <i>app</i>", "redirect_uris": [REDIRECT_URI] });
    let client = server.client_with(metadata).await;
    let _own = server.tokens(client).await;
    changed(&server, &server.grant(client).await, |grant| grant.subject = "acme:7".into()).await;
    let deleted = server.new_client().await;
    let _ended = server.tokens(deleted).await;
    server.kept.delete_client(deleted).await.unwrap();
    let document: ClientIdentifier = "https://tea.example/client.json".parse().unwrap();
    changed(&server, &server.grant(client).await, |grant| grant.client = document).await;
    server.clock.advance(Duration::from_secs(30));

    let page = browser.get(PATH).await;
    assert_eq!(shown(&page), 2);
    let text = page.text();
    for told in [
        "app.example",
        "It calls itself An <i>app</i> not verified",
        "It is described by a document at tea.example .",
        "You allowed it less than a minute ago.",
        "read write",
        TOOLS,
        "Take back",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // The second was never exchanged, and its code has run out.
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(shown(&browser.get(PATH).await), 1);
}

#[tokio::test]
async fn what_is_taken_back_is_good_for_nothing_and_asked_about_anew() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = client.request().and("resource", TOOLS);
    let other = server.new_client().await;
    let kept = server.tokens(other).await;
    server.clock.advance(Duration::from_millis(1));
    let bought = flow::tokens(&server, &client, &request).await;
    let mut browser = Browser::signed_in(&server).await;
    assert!(browser.get(&request.path()).await.text().starts_with("Allow access again?"));

    let page = browser.get(PATH).await;
    assert_eq!(shown(&page), 2);
    let (path, form) = page.form("grant");
    let back = browser.post(&path, &form).await;
    assert_eq!(back.location(), PATH);

    let text = |name: &str| bought[name].as_str().unwrap().to_owned();
    assert_eq!(client.refresh(&server, &text("refresh_token")).await.status, 400);
    let told = server.introspect("tools", &text("access_token")).await;
    assert_eq!(told, json!({ "active": false }));
    assert!(browser.get(&request.path()).await.text().starts_with("Allow access?"));
    assert_eq!(shown(&browser.get(PATH).await), 1, "the other stays");
    let refreshed = server.token(&refreshing(other, &member(&kept, "refresh_token"), &[])).await;
    assert_eq!(refreshed.status, 200);
    // Nothing is there to be taken back twice, and nothing goes wrong.
    assert_eq!(browser.post(&path, &form).await.location(), PATH);
}

#[tokio::test]
async fn a_grant_is_taken_back_by_its_own_page_alone() {
    let server = TestServer::with(config()).await;
    for _ in 0..2 {
        let client = server.new_client().await;
        let _bought = server.tokens(client).await;
    }
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(PATH).await;
    let (path, form) = page.form("grant");
    let second = page.answer.body.rsplit("name=\"grant\" value=\"").next().unwrap();
    let second: GrantId = second.split('"').next().unwrap().parse().unwrap();

    let of_another = form.clone().with("grant", &second.to_string());
    for (what, form) in [
        ("the token of another grant", &of_another),
        ("no grant", &form.clone().without("grant")),
        ("what is no grant", &form.clone().with("grant", "x")),
        ("no token", &form.clone().without("form_token")),
    ] {
        assert_eq!(browser.post(&path, form).await.answer.status, 403, "{what}");
    }
    let headers = "origin: https://evil.example\r\nsec-fetch-site: cross-site\r\n";
    assert_eq!(browser.post_as(&path, &form, headers).await.answer.status, 403);
    let mut other_session = Browser::signed_in(&server).await;
    assert_eq!(other_session.post(&path, &form).await.answer.status, 403);
    let mut nobody = Browser::new(&server);
    assert!(nobody.post(&path, &form).await.text().starts_with("Sign in to see"));
    assert_eq!(shown(&browser.get(PATH).await), 2, "nothing of that took anything back");
}

#[tokio::test]
async fn whoever_signs_in_to_see_what_they_have_allowed_comes_back_to_it() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let _bought = server.tokens(client).await;
    let mut browser = Browser::new(&server);
    let asked = browser.get(PATH).await;
    assert!(asked.text().starts_with("Sign in to see what you have allowed"), "{}", asked.text());
    let password = server.password.clone().unwrap();
    let back = browser.submit(&asked, "password", &password).await;
    assert_eq!(back.location(), PATH);
    assert_eq!(shown(&browser.get(PATH).await), 1);
    server.clock.advance(2 * DAY);
    assert!(browser.get(PATH).await.text().starts_with("Sign in to see"), "the session has ended");
}

#[tokio::test]
async fn any_number_of_grants_is_shown_page_by_page_the_newest_first() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let mut granted = Vec::new();
    for _ in 0..120 {
        let code: AuthorizationCode = server.grant(client).await.parse().unwrap();
        granted.push(code.grant.to_string());
        server.clock.advance(Duration::from_millis(1));
    }
    let mut browser = Browser::signed_in(&server).await;
    let (mut path, mut pages, mut listed) = (PATH.to_owned(), Vec::new(), Vec::new());
    loop {
        let page = browser.get(&path).await;
        pages.push(shown(&page));
        let fields = page.answer.body.split("name=\"grant\" value=\"").skip(1);
        listed.extend(fields.map(|rest| rest.split('"').next().unwrap().to_owned()));
        let Some((_, link)) = page.answer.body.split_once("<p><a href=\"") else { break };
        link.split('"').next().unwrap().clone_into(&mut path);
    }
    assert_eq!(pages, [50, 50, 20]);
    granted.reverse();
    assert_eq!(listed, granted);
    for (query, status) in [("before=x", 200), ("before=1&before=2", 400)] {
        assert_eq!(browser.get(&format!("{PATH}?{query}")).await.answer.status, status, "{query}");
    }
}
