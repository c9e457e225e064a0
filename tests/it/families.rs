//! Families, as people and clients meet them.

use std::time::Duration;

use doorward::{
    audit::Author,
    ceiling::Ceiling,
    client::{ClientId, ClientMetadata},
    family::{FamilyId, FamilyKey},
    store::{FamilyEdit, FamilyEdited, StandingChanged},
};

use crate::{
    flow::{self, Browser, Client, Request},
    granted::{self, TOOLS, refused},
    harness::{TestServer, by, until},
};

const SUSPENDED: &str = "An administrator blocked this app";

fn request(client: &Client) -> Request {
    client.request().and("resource", TOOLS)
}

async fn family_of(server: &TestServer, client: &Client) -> FamilyId {
    let record = server.record(&client.id).await;
    FamilyKey::of(&serde_json::from_str::<ClientMetadata>(&record.metadata).unwrap()).id()
}

fn by_now(server: &TestServer) -> Author {
    Author { at: server.clock.now(), ..by() }
}

#[tokio::test]
async fn a_suspended_family_gets_a_page_whenever_its_clients_registered() {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    let server = TestServer::with(config).await;
    let [client, stranger] = [Client::register(&server).await, Client::register(&server).await];
    let other = Client::with(
        &server,
        serde_json::json!({ "client_name": "Other", "redirect_uris": [granted::REDIRECT_URI] }),
    )
    .await;
    let tokens = flow::tokens(&server, &client, &request(&client)).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut browser = Browser::signed_in(&server).await;
    let asked = browser.get(&request(&client).path()).await;
    let family = family_of(&server, &client).await;
    assert_eq!(family, family_of(&server, &stranger).await);
    server.clock.advance(Duration::from_millis(1));

    let suspended = server.kept.suspend_family(family, None, by_now(&server), &|_, _| {}).await;

    assert_eq!(suspended.unwrap(), StandingChanged::Now { ended: 1 });
    let refreshed = client.refresh(&server, &refresh_token).await;
    assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
    // The page of the question was loaded before: the store itself refuses.
    let late = browser.submit(&asked, "decision", "allow").await;
    let told = browser.get(late.location()).await;
    assert!(told.text().starts_with(SUSPENDED), "at once: {told:?}");
    let newcomer = Client::register(&server).await;
    for client in [&client, &stranger, &newcomer] {
        let page = until(async || {
            let page = Browser::new(&server).get(&request(client).path()).await;
            Some(page).filter(|page| page.answer.status == 403)
        })
        .await;
        assert!(page.text().starts_with(SUSPENDED), "{page:?}");
        assert_eq!(page.answer.header("location"), None);
    }
    let harmless = Browser::new(&server).get(&request(&other).path()).await;
    assert_eq!(harmless.answer.status, 200, "another family: {harmless:?}");

    server.clock.advance(Duration::from_millis(1));
    server.kept.resume_family(family, None, by_now(&server)).await.unwrap();

    until(async || {
        let page = Browser::new(&server).get(&request(&client).path()).await;
        (page.answer.status == 200).then_some(())
    })
    .await;
    let again = browser.get(&request(&client).path()).await;
    assert!(again.text().starts_with("Allow access to your account?"), "{again:?}");
    let code = browser.submit(&again, "decision", "allow").await.code();
    assert_eq!(client.redeem(&server, &code).await.status, 200);
}

#[tokio::test]
async fn a_server_counts_registrations_in_families_and_says_how_far_it_is() {
    let server = TestServer::start().await;
    let mut metadata = serde_json::json!({ "redirect_uris": ["http://127.0.0.1:7/cb"] });
    for name in ["Probe 1.0", "probe 2.0", "Other"] {
        metadata["client_name"] = name.into();
        let answer = server.post("/register", &metadata.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let _: ClientId = answer.json()["client_id"].as_str().unwrap().parse().unwrap();
    }
    // They are counted when they have settled.
    server.clock.advance(Duration::from_secs(2));

    let families = until(async || {
        let families = server.kept.families_by_id(None, 10).await.unwrap();
        let clients: u64 = families.iter().map(|family| family.clients).sum();
        Some(families).filter(|_| clients == 3)
    })
    .await;

    let mut sizes: Vec<_> = families.iter().map(|it| (it.key.as_str(), it.clients)).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [("other@loopback", 1), ("probe@loopback", 2)]);
    server.wait_for_metric_at_most("doorward_families_behind_seconds", 0.5).await;
}

#[tokio::test]
async fn a_client_of_a_restricted_family_is_offered_what_every_ceiling_leaves() {
    let mut config = flow::config();
    config.authorization.resources = granted::config().authorization.resources;
    config.token.per_client = 0;
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let id: ClientId = client.id.parse().unwrap();
    let asked = request(&client).and("scope", "read write delete");
    let tokens = flow::tokens(&server, &client, &asked).await;
    let family = family_of(&server, &client).await;
    let except = |token: &str| Some(Ceiling::Except(vec![token.to_owned()]));

    let edit = FamilyEdit { ceiling: Some(except("delete")), ..FamilyEdit::default() };
    let edited = server.kept.edit_family(family, edit, by_now(&server), &|_, _| {}).await.unwrap();

    assert_eq!(edited, FamilyEdited::Now { is_changed: true, ended: 1 });
    let refreshed = client.refresh(&server, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
    let told = server.introspect("tools", tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(told["active"], false);
    server.kept.restrict_client(&id.into(), except("write"), by_now(&server)).await.unwrap();
    let (mut browser, page) = until(async || {
        let mut browser = Browser::signed_in(&server).await;
        let page = browser.get(&asked.path()).await;
        let is_offered = page.text().contains("delete");
        (!is_offered).then_some((browser, page))
    })
    .await;
    assert!(page.text().contains("read") && !page.text().contains("write"), "{page:?}");
    let code = browser.submit(&page, "decision", "allow").await.code();
    let bought = client.redeem(&server, &code).await.json();
    assert_eq!(bought["scope"], "read");
    // A newcomer of the family is restricted as well.
    let newcomer = Client::register(&server).await;
    let tokens = flow::tokens(
        &server,
        &newcomer,
        &newcomer.request().and("resource", TOOLS).and("scope", "read write delete"),
    )
    .await;
    assert_eq!(tokens["scope"], "read write");
}
