//! Tokens of clients that publish a document: no token endpoint ever waits for the server of one.

use std::{sync::Arc, time::Duration};

use doorward::config::Config;
use tokio::{net::TcpListener, time::Instant};

use crate::{
    client_document::Site,
    flow::{Browser, Client},
    granted,
    harness::{Answer, TestServer},
};

/// How a client with a document names itself in its requests.
const REDIRECT_URI: &str = "http://127.0.0.1/cb";

/// A fetch may take longer than any test waits for an answer.
fn config() -> Config {
    let mut config = granted::config_on("anywhere");
    config.authorization.resources.truncate(1);
    config.client_documents.enabled = true;
    config.client_documents.timeout_seconds = 30;
    config
}

/// A code for somebody who has allowed the client everything.
async fn code(site: &Site) -> String {
    let mut browser = Browser::signed_in(&site.door).await;
    let request = site.client().request().with("redirect_uri", REDIRECT_URI);
    let page = browser.get(&request.path()).await;
    browser.submit(&page, "decision", "allow").await.code()
}

struct Tokens {
    access: String,
    refresh: String,
}

async fn tokens(door: &TestServer, client: &Client, code: &str) -> Tokens {
    let answer = client.redeem(door, code).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tokens_of(&answer)
}

fn tokens_of(answer: &Answer) -> Tokens {
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

/// A token works for as long as its grant lives, at this server.
async fn check_tokens_work(door: &TestServer, client: &Client, tokens: &Tokens) {
    for _ in 0..3 {
        assert_eq!(door.introspect("tools", &tokens.access).await["active"], true);
    }
    let refreshed = client.refresh(door, &tokens.refresh).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let tokens = tokens_of(&refreshed);
    assert_eq!(door.introspect("tools", &tokens.access).await["active"], true);
    assert_eq!(client.revoke(door, &tokens.refresh).await.status, 200);
    assert_eq!(door.introspect("tools", &tokens.access).await["active"], false);
    assert_eq!(client.refresh(door, &tokens.refresh).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn tokens_of_a_client_whose_document_host_hangs_work_at_once() {
    let site = Site::with(config()).await;
    let code = code(&site).await;
    // It answers no request from now on, and what it has said is stale.
    site.answer("");
    site.door.clock.advance(Duration::from_secs(59));
    let tokens = tokens(&site.door, &site.client(), &code).await;
    site.door.clock.advance(Duration::from_mins(10));
    check_tokens_work(&site.door, &site.client(), &tokens).await;
}

#[tokio::test]
async fn tokens_work_at_a_server_that_has_never_seen_the_document() {
    let site = Site::with(config()).await;
    let (first, second) = (code(&site).await, code(&site).await);
    let tokens_of_first = tokens(&site.door, &site.client(), &first).await;
    // Another node, or this one after a restart. It cannot reach the host of the document.
    let (kept, now) = (Arc::clone(&site.door.kept), site.door.clock.now());
    let other = TestServer::kept_by_at(kept, config(), now).await;
    check_tokens_work(&other, &site.client(), &tokens_of_first).await;
    let tokens_of_second = tokens(&other, &site.client(), &second).await;
    check_tokens_work(&other, &site.client(), &tokens_of_second).await;
}

/// A server on the same store that has seen no document yet, with one place for strangers and one for all others.
async fn restarted(site: &Site) -> TestServer {
    let mut config = config();
    config.client_documents.fetches_max = 1;
    let (kept, now) = (Arc::clone(&site.door.kept), site.door.clock.now());
    TestServer::kept_by_on(kept, site.internet.clone(), config, now).await
}

/// Does something while a stranger's document, which never comes, takes the only place of strangers.
async fn with_no_place_for_strangers(door: &TestServer, does: impl Future<Output = ()>) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let id_at = |host: &str| format!("https://{host}:{port}/client.json");
    let (slow, new) = (id_at("slow.example"), id_at("new.example"));
    let takes_the_place = Site::authorize_at(door, &slow, REDIRECT_URI);
    let meanwhile = async {
        let _unanswered = silent.accept().await.unwrap();
        assert_eq!(Site::authorize_at(door, &new, REDIRECT_URI).await.status, 503);
        does.await;
    };
    tokio::select! {
        _ = takes_the_place => unreachable!("it never answers"),
        () = meanwhile => {}
    }
}

#[tokio::test]
async fn strangers_cannot_deny_a_client_with_a_grant_its_place_after_a_restart() {
    let site = Site::with(config()).await;
    let code = code(&site).await;
    tokens(&site.door, &site.client(), &code).await;
    let door = restarted(&site).await;
    with_no_place_for_strangers(&door, async {
        // The server looks through its grants when it has started.
        let deadline = Instant::now() + Duration::from_secs(15);
        while Site::authorize_at(&door, &site.client_id, REDIRECT_URI).await.status != 200 {
            assert!(Instant::now() < deadline, "it finds no place");
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_cannot_deny_its_place_to_a_client_that_this_person_has_allowed_before() {
    let site = Site::with(config()).await;
    let mut browser = Browser::signed_in(&site.door).await;
    let path = site.client().request().with("redirect_uri", REDIRECT_URI).path();
    let page = browser.get(&path).await;
    let code = browser.submit(&page, "decision", "allow").await.code();
    let tokens = tokens(&site.door, &site.client(), &code).await;
    // The grant has ended, the consent remains.
    assert_eq!(site.client().revoke(&site.door, &tokens.refresh).await.status, 200);
    let door = restarted(&site).await;
    with_no_place_for_strangers(&door, async {
        let nobody = Site::authorize_at(&door, &site.client_id, REDIRECT_URI).await;
        assert_eq!(nobody.status, 503, "{nobody:?}");
        let page = Browser::with(&door, browser.cookies()).get(&path).await;
        assert_eq!(page.answer.status, 200, "{page:?}");
    })
    .await;
}

#[tokio::test]
async fn a_client_loses_its_tokens_when_its_document_stays_gone() {
    let site = Site::with(config()).await;
    let code = code(&site).await;
    let tokens = tokens(&site.door, &site.client(), &code).await;
    let gone = "doorward_client_documents_total{outcome=\"gone\"}";
    site.fail(410);
    site.door.clock.advance(Duration::from_mins(10));
    let refreshed = site.client().refresh(&site.door, &tokens.refresh).await;
    assert_eq!(refreshed.status, 200, "a fetch in the background learns of it: {refreshed:?}");
    site.door.wait_for_metric(gone, 1.0).await;
    let tokens = tokens_of(&refreshed);
    let refreshed = site.client().refresh(&site.door, &tokens.refresh).await;
    assert_eq!(refreshed.status, 200, "it may be a mistake: {refreshed:?}");

    site.door.clock.advance(Duration::from_hours(1));
    let tokens = tokens_of(&refreshed);
    let refreshed = site.client().refresh(&site.door, &tokens.refresh).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    site.door.wait_for_metric(gone, 2.0).await;
    let tokens = tokens_of(&refreshed);
    let refused = site.client().refresh(&site.door, &tokens.refresh).await;
    assert_eq!((refused.status, &refused.json()["error"]), (401, &"invalid_client".into()));
    assert_eq!(site.door.introspect("tools", &tokens.access).await["active"], false);

    // People can allow it anew when it has come back, and its grants have not ended either.
    site.publish("My Editor");
    assert_eq!(site.authorize(REDIRECT_URI).await.status, 200);
    check_tokens_work(&site.door, &site.client(), &tokens).await;
}

#[tokio::test]
async fn naming_a_document_at_a_token_endpoint_fetches_nothing() {
    let site = Site::with(config()).await;
    let client = site.client();
    for answer in [client.redeem(&site.door, "x").await, client.refresh(&site.door, "x").await] {
        assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_grant".into()));
    }
    assert_eq!(client.revoke(&site.door, "x").await.status, 200);
    assert_eq!(site.looked_up(), [""; 0]);
}

#[tokio::test]
async fn a_document_without_refresh_tokens_gets_none() {
    let site = Site::with(config()).await;
    site.publish_with(
        r#""client_name":"A","redirect_uris":["http://127.0.0.1/cb"],
           "grant_types":["authorization_code"]"#,
    );
    let code = code(&site).await;
    let answer = site.client().redeem(&site.door, &code).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json().get("refresh_token"), None);
    let refused = site.client().refresh(&site.door, "x").await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &"unauthorized_client".into()));
}

#[tokio::test]
async fn whoever_names_too_many_documents_waits_and_others_do_not() {
    let mut config = config();
    config.client_documents.fetches_per_source = 2;
    let mut site = Site::with(config).await;
    let code = code(&site).await;
    assert_eq!(site.client().redeem(&site.door, &code).await.status, 200);
    let granted = site.client_id.clone();
    for (number, status) in [(1, 200), (2, 429), (3, 429)] {
        site.client_id = granted.replace("client.json", &number.to_string());
        site.publish("Another");
        let page = site.authorize(REDIRECT_URI).await;
        assert_eq!(page.status, status, "{page:?}");
        assert_eq!(page.header("retry-after").is_some(), status == 429, "{page:?}");
    }
    // Its document is stale, and it has a grant.
    site.door.clock.advance(Duration::from_secs(59));
    site.client_id = granted;
    site.publish("My Editor");
    site.door.clock.advance(Duration::from_secs(1));
    assert_eq!(site.authorize(REDIRECT_URI).await.status, 200);
}

#[tokio::test]
async fn a_page_of_another_site_uses_up_no_fetches_of_its_visitor() {
    let mut config = config();
    config.client_documents.fetches_per_source = 2;
    config.client_documents.fetches_max = 4;
    let mut site = Site::with(config).await;
    let granted = site.client_id.clone();
    let sent = |mode: &str, dest: &str| {
        format!(
            "sec-fetch-mode: {mode}\r\nsec-fetch-dest: {dest}\r\nsec-fetch-site: cross-site\r\n"
        )
    };
    let (image, frame) = (sent("no-cors", "image"), sent("navigate", "iframe"));
    let (window, none) = (sent("navigate", "document"), String::new());
    let requests = [&image, &image, &frame, &image, &window, &none, &window];
    let mut statuses = Vec::new();
    for (number, headers) in requests.iter().enumerate() {
        site.client_id = granted.replace("client.json", &format!("of-a-page-{number}"));
        site.publish("Another");
        let path = site.client().request().with("redirect_uri", REDIRECT_URI).path();
        let request = format!("GET {path} HTTP/1.1\r\nhost: door.example\r\n{headers}\r\n");
        statuses.push(site.door.exchange(&request).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 200, 200, 429]);
}
