//! Sign-ins under way at a provider, which the browser holds in sealed cookies.

use std::time::Duration;

use crate::{
    flow::{Browser, Client, REDIRECT_URI, Request},
    harness::TestServer,
    sign_in::{begin, denied, with_provider},
};

/// What of these cookies a browser holds.
fn held(browser: &Browser<'_>) -> Vec<(String, String)> {
    let cookies = browser.clone().cookies().into_iter();
    cookies.filter(|(name, _)| name.contains("doorward-sign-in")).collect()
}

#[tokio::test]
async fn only_a_valid_request_of_a_client_waits_for_a_sign_in() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    let good = client.request();
    let unknown = Client { id: "0193a1b2-c3d4-7000-8000-000000000001".to_owned() };
    for request in [
        "x".repeat(8 << 10),
        "&".repeat(8 << 10),
        format!("client_id={}", client.id),
        unknown.request().query(),
        good.clone().with("redirect_uri", "https://evil.example/cb").query(),
        good.clone().without("code_challenge").query(),
        good.clone().with("response_type", "token").query(),
        good.clone().and("state", "again").query(),
    ] {
        let form = Request::default().and("request", &request).and("provider", "acme");
        let page = Browser::new(&server).post("/oauth2/sign-in", &form).await;
        let answer = &page.answer;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{request}");
        assert_eq!(answer.headers("set-cookie"), [""; 0], "{request}");
    }
    let form = Request::default().and("request", &good.query()).and("provider", "acme");
    assert_eq!(Browser::new(&server).post("/oauth2/sign-in", &form).await.answer.status, 303);
}

#[tokio::test]
async fn a_request_that_waits_holds_only_parameters_that_are_read() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    let good = client.request();
    let more = good.clone().and("utm", &"x".repeat(5_000)).query();
    let form = Request::default().and("request", &format!("&&{more}&&")).and("provider", "acme");
    let mut browser = Browser::new(&server);
    let state = browser.post("/oauth2/sign-in", &form).await.brought().remove("state").unwrap();
    let page = denied(&mut browser, &state).await;
    let back = browser.submit(&page, "decision", "back").await;
    assert_eq!(back.location(), good.path());
}

#[tokio::test]
async fn a_request_that_no_cookie_can_hold_is_refused() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    for (length, status) in [(2_200, 303), (3_000, 400)] {
        let request = client.request().with("state", &"s".repeat(length)).query();
        let form = Request::default().and("request", &request).and("provider", "acme");
        let mut browser = Browser::new(&server);
        let page = browser.post("/oauth2/sign-in", &form).await;
        assert_eq!(page.answer.status, status, "{length}");
        if status == 400 {
            assert!(page.text().contains("too long to wait for a sign-in"), "{}", page.text());
            assert!(held(&browser).is_empty());
        }
    }
}

#[tokio::test]
async fn sign_ins_in_several_tabs_do_not_disturb_each_other() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    let first = begin(&server, &mut browser).await;
    let second = begin(&server, &mut browser).await;
    assert_eq!(held(&browser).len(), 2);
    assert_eq!(denied(&mut browser, &first).await.answer.status, 403);
    assert_eq!(denied(&mut browser, &first).await.answer.status, 400, "it is over");
    assert_eq!(denied(&mut browser, &second).await.answer.status, 403);
    assert!(held(&browser).is_empty());
}

#[tokio::test]
async fn a_browser_holds_the_latest_sign_ins_within_a_bound() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    for (length, most) in [(1, 5), (1_000, 3), (2_200, 1)] {
        let request = client.request().with("state", &"s".repeat(length)).query();
        let form = Request::default().and("request", &request).and("provider", "acme");
        let mut browser = Browser::new(&server);
        let mut states = Vec::new();
        for _ in 0..8 {
            let sent = browser.post("/oauth2/sign-in", &form).await;
            states.push(sent.brought().remove("state").unwrap());
            server.clock.advance(Duration::from_secs(1));
            let bytes: usize = held(&browser).iter().map(|(name, it)| name.len() + it.len()).sum();
            assert!(bytes < 7_000, "{length}: {bytes}");
        }
        let mut good = Vec::new();
        for state in &states {
            good.push(denied(&mut browser, state).await.answer.status == 403);
        }
        let expected: Vec<bool> = (0..8).map(|nth| nth >= 8 - most).collect();
        assert_eq!(good, expected, "{length}");
    }
}

#[tokio::test]
async fn a_cookie_opens_only_with_its_state_and_unaltered() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    let other = begin(&server, &mut browser.clone()).await;
    let [(name, value)] = &held(&browser)[..] else { panic!("one is held") };
    for altered in [
        "",
        "A",
        &value.replacen(|_: char| true, "_", 2),
        &format!("{value}AAAA"),
        &"A".repeat(value.len()),
    ] {
        let cookies = [(name.clone(), altered.to_owned())].into();
        let mut browser = Browser::with(&server, cookies);
        assert_eq!(denied(&mut browser, &state).await.answer.status, 400, "{altered}");
    }
    assert_eq!(denied(&mut browser, &other).await.answer.status, 400);
    assert_eq!(denied(&mut browser, &state).await.answer.status, 403);
}

#[tokio::test]
async fn any_node_with_the_secret_of_the_operator_finishes_a_sign_in() {
    let mut config = with_provider().await;
    config.token.keys_secret = crate::granted::config_on("anywhere").token.keys_secret;
    let server = TestServer::with(config.clone()).await;
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    let cookies = browser.cookies();
    let node = TestServer::kept_by_at(server.kept.clone(), config, server.clock.now()).await;
    let stranger = TestServer::with(with_provider().await).await;
    for (other, status) in [(&stranger, 400), (&node, 403)] {
        let mut there = Browser::with(other, cookies.clone());
        assert_eq!(denied(&mut there, &state).await.answer.status, status);
    }
}

#[tokio::test]
async fn whoever_signs_out_chooses_an_account_at_the_next_sign_in() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    let form = Request::default().and("request", &client.request().query()).and("provider", "acme");
    let prompt = async |browser: &mut Browser<'_>| {
        browser.post("/oauth2/sign-in", &form).await.brought().remove("prompt")
    };
    let mut browser = Browser::signed_in(&server).await;
    assert_eq!(prompt(&mut browser).await, None);
    let page = browser.get(&format!("/oauth2/sign-out?{}", client.request().query())).await;
    let (path, sign_out) = page.form("form_token");
    let back = browser.post(&path, &sign_out).await.location().to_owned();
    assert!(back.contains(REDIRECT_URI.rsplit('/').next().unwrap()), "{back}");
    for _ in 0..2 {
        assert_eq!(prompt(&mut browser).await.as_deref(), Some("select_account"));
    }
}
