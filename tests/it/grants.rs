//! A person's connected apps: the page that shows them and disconnects them.

use crate::harness::by;
use std::time::Duration;

use doorward::audit::Action;
use doorward::store::Failure;
use doorward::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    config::Config,
    grant::AuthorizationCode,
    store::{self, Access, GrantRecord},
};
use rusqlite::Connection;
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

/// How many apps a page shows.
fn shown(page: &Page) -> usize {
    assert_eq!(page.answer.status, 200, "{page:?}");
    page.answer.body.matches("name=\"client\"").count()
}

/// A grant as it is kept, changed.
async fn changed(server: &TestServer, code: &str, change: impl FnOnce(&mut GrantRecord)) {
    let code: AuthorizationCode = code.parse().unwrap();
    let mut grant = server.kept.grant(code.grant).await.unwrap().unwrap();
    server.kept.revoke_grant(code.grant, Action::GrantRevoked, "by_operator", by()).await.unwrap();
    change(&mut grant);
    server.kept.keep_grant(grant).await.unwrap();
}

#[tokio::test]
async fn a_person_sees_their_connected_apps_and_nobody_elses() {
    let server = TestServer::with(config()).await;
    let mut browser = Browser::signed_in(&server).await;
    assert!(browser.get(PATH).await.text().contains("No app can act as you here."));

    let metadata = json!({ "client_name": "An <i>app</i>", "redirect_uris": [REDIRECT_URI] });
    let client = server.client_with(metadata).await;
    let _own = server.tokens(client).await;
    changed(&server, &server.grant(client).await, |grant| grant.subject = "acme:7".into()).await;
    let deleted = server.new_client().await;
    let _ended = server.tokens(deleted).await;
    server.kept.remove_client(deleted, Action::ClientRemoved, "by_operator", by()).await.unwrap();
    let document: ClientIdentifier = "https://tea.example/client.json".parse().unwrap();
    changed(&server, &server.grant(client).await, |grant| grant.client = document).await;
    server.clock.advance(Duration::from_secs(30));

    let page = browser.get(PATH).await;
    assert_eq!(shown(&page), 2);
    let text = page.text();
    for told in [
        "An <i>app</i> at app.example",
        "tea.example",
        "Its details are published at tea.example .",
        "Allowed less than a minute ago. Last active less than a minute ago.",
        "Not used yet.",
        "read write",
        TOOLS,
        "Disconnect",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // The second was never exchanged, and its code has run out.
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(shown(&browser.get(PATH).await), 1);
}

#[tokio::test]
async fn disconnecting_ends_every_grant_and_the_consent_of_the_app() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = client.request().and("resource", TOOLS);
    let other = server.new_client().await;
    let kept = server.tokens(other).await;
    server.clock.advance(Duration::from_millis(1));
    let earlier = flow::tokens(&server, &client, &request).await;
    let bought = flow::tokens(&server, &client, &request).await;
    let mut browser = Browser::signed_in(&server).await;
    assert!(browser.get(&request.path()).await.text().starts_with("Allow access again?"));

    let page = browser.get(PATH).await;
    assert_eq!(shown(&page), 2);
    let (path, form) = page.form("client");
    let back = browser.post(&path, &form).await;
    assert_eq!(back.location(), PATH);

    for bought in [earlier, bought] {
        let text = |name: &str| bought[name].as_str().unwrap().to_owned();
        assert_eq!(client.refresh(&server, &text("refresh_token")).await.status, 400);
        let told = server.introspect("tools", &text("access_token")).await;
        assert_eq!(told, json!({ "active": false }));
    }
    assert!(browser.get(&request.path()).await.text().starts_with("Allow access to your account?"));
    assert_eq!(shown(&browser.get(PATH).await), 1, "the other stays");
    let refreshed = server.token(&refreshing(other, &member(&kept, "refresh_token"), &[])).await;
    assert_eq!(refreshed.status, 200);
    // Nothing is there to be taken back twice, and nothing goes wrong.
    assert_eq!(browser.post(&path, &form).await.location(), PATH);
}

/// On a full disk, for example.
#[tokio::test]
async fn a_session_that_cannot_be_prolonged_shows_what_it_did_before() {
    let folder = tempfile::tempdir().unwrap();
    let config = granted::config_on(folder.path().to_str().unwrap());
    let opened = store::open(&config, Access::Serve).await.unwrap();
    let server = TestServer::kept_by_at(opened, config, Timestamp::from_millis(1 << 40)).await;
    let client = Client::register(&server).await;
    flow::tokens(&server, &client, &client.request().and("resource", TOOLS)).await;
    let mut browser = Browser::signed_in(&server).await;
    let fails = "CREATE TRIGGER full BEFORE UPDATE OF idle_at ON sessions \
                 BEGIN SELECT RAISE(FAIL, 'full'); END";
    let file = folder.path().join("doorward.sqlite3");
    Connection::open(file).unwrap().execute_batch(fails).unwrap();
    server.clock.advance(Duration::from_mins(2));
    assert_eq!(shown(&browser.get(PATH).await), 1);
    let asked = browser.get(&client.request().and("resource", TOOLS).path()).await;
    assert!(asked.text().starts_with("Allow access again?"), "{asked:?}");
}

#[tokio::test]
async fn only_the_page_of_the_session_disconnects_an_app() {
    let server = TestServer::with(config()).await;
    for _ in 0..2 {
        let client = server.new_client().await;
        let _bought = server.tokens(client).await;
    }
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(PATH).await;
    let (path, form) = page.form("client");
    let second = page.answer.body.rsplit("name=\"client\" value=\"").next().unwrap();
    let second: ClientId = second.split('"').next().unwrap().parse().unwrap();

    let of_another = form.clone().with("client", &second.to_string());
    for (what, form) in [
        ("the token of another app", &of_another),
        ("no app", &form.clone().without("client")),
        ("no identifier", &form.clone().with("client", "x")),
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
async fn signing_in_leads_back_to_the_connected_apps() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let _bought = server.tokens(client).await;
    let mut browser = Browser::new(&server);
    let asked = browser.get(PATH).await;
    assert!(asked.text().starts_with("Sign in to see your connected apps"), "{}", asked.text());
    let password = server.password.clone().unwrap();
    let back = browser.submit(&asked, "password", &password).await;
    assert_eq!(back.location(), PATH);
    assert_eq!(shown(&browser.get(PATH).await), 1);
    server.clock.advance(2 * DAY);
    assert!(browser.get(PATH).await.text().starts_with("Sign in to see"), "the session has ended");
}

#[tokio::test]
async fn an_app_is_one_card_however_often_it_was_allowed_and_older_apps_are_a_page_away() {
    let server = TestServer::with(config()).await;
    let old = server.new_client().await;
    server.grant(old).await;
    server.clock.advance(Duration::from_millis(1));
    let often = server.new_client().await;
    for _ in 0..500 {
        server.grant(often).await;
        server.clock.advance(Duration::from_millis(1));
    }
    let new = server.new_client().await;
    server.grant(new).await;
    let mut browser = Browser::signed_in(&server).await;
    let (mut path, mut listed) = (PATH.to_owned(), Vec::new());
    loop {
        let page = browser.get(&path).await;
        let fields = page.answer.body.split("name=\"client\" value=\"").skip(1);
        let clients = fields.map(|rest| rest.split('"').next().unwrap().parse().unwrap());
        listed.push(clients.collect::<Vec<ClientId>>());
        let Some((_, link)) = page.answer.body.split_once("<p><a href=\"") else { break };
        link.split('"').next().unwrap().clone_into(&mut path);
    }
    assert_eq!(listed, [vec![new, often], vec![often, old]]);
    for (query, status) in [("before=x", 200), ("before=1&before=2", 400)] {
        assert_eq!(browser.get(&format!("{PATH}?{query}")).await.answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_connected_app_names_each_place_that_has_access() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    for redirect_uri in [
        "https://old.example/cb",
        "http://127.0.0.1:7001/cb",
        "http://127.0.0.1:7002/cb",
        "https://new.example/one",
        "https://new.example/two",
    ] {
        let code = server.grant(client).await;
        changed(&server, &code, |grant| grant.code.redirect_uri = redirect_uri.into()).await;
        server.clock.advance(Duration::from_millis(1));
    }
    let page = Browser::signed_in(&server).await.get(PATH).await;
    assert_eq!(shown(&page), 1);
    let text = page.text();
    assert!(text.contains("at new.example on your device at old.example Allowed"), "{text}");
}

#[tokio::test]
async fn a_passing_failure_of_a_page_offers_the_same_page_again() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let form = browser.get(&client.request().path()).await.form("decision");
    for (failure, offers) in
        [(Failure::Busy, true), (Failure::Unavailable, true), (Failure::Corrupt, false)]
    {
        server.fail(failure);
        let older = format!("{PATH}?before=x");
        for path in [&client.request().path(), PATH, &older, "/oauth2/sign-out"] {
            let page = browser.get(path).await;
            let link = format!("href=\"{}\">Try again", path.replace('&', "&#38;"));
            assert_eq!(page.answer.body.contains(&link), offers, "{path}: {page:?}");
        }
        let posted = browser.post(&form.0, &form.1).await;
        assert!(!posted.answer.body.contains("class=\"button\""), "a form is not sent again");
        server.fail(Failure::None);
    }
}
