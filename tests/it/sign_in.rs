//! Signing in and out, as a browser sees it. What a real provider says is in `tests/journey/`; here are the times,
//! which a test has to hold still.

use std::time::Duration;

use doorward::config::{Config, Provider};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    flow::{Browser, Client, Page, Request, config},
    harness::TestServer,
};

const MINUTE: Duration = Duration::from_mins(1);

/// Whether a browser is asked what it allows, and not who it is.
async fn is_signed_in(browser: &mut Browser<'_>, client: &Client) -> bool {
    let page = browser.get(&client.request().path()).await;
    assert_eq!(page.answer.status, 200, "{page:?}");
    !page.answer.body.contains("name=\"password\"")
}

/// A provider that publishes its metadata and nothing else; `end` is what its issuer has behind the host.
async fn provider(id: &str, end: &str) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}{end}", listener.local_addr().unwrap());
    let expected = format!("GET {}/.well-known/openid-configuration ", end.trim_end_matches('/'));
    let document = serde_json::json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "id_token_signing_alg_values_supported": ["ES256"],
    })
    .to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _read = connection.read(&mut request).await;
            let status = if request.starts_with(expected.as_bytes()) { 200 } else { 404 };
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{document}",
                document.len()
            );
            let _written = connection.write_all(answer.as_bytes()).await;
        }
    });
    provider_at(id, &issuer)
}

/// The settings of a provider.
pub(crate) fn provider_at(id: &str, issuer: &str) -> Provider {
    Provider {
        id: id.to_owned(),
        name: id.to_owned(),
        issuer: issuer.to_owned(),
        client_id: "doorward".to_owned(),
        client_secret_file: None,
        scopes: Vec::new(),
        subject_claim: "sub".to_owned(),
        name_claim: "name".to_owned(),
        email_claim: "email".to_owned(),
        groups_claim: "groups".to_owned(),
        allowed_domains: Vec::new(),
        allowed_groups: Vec::new(),
    }
}

pub(crate) async fn with_provider() -> Config {
    let mut config = config();
    config.sign_in.providers = vec![provider("acme", "").await];
    config
}

/// Chooses the provider on the page of an authorization request, and returns the `state` that goes there.
pub(crate) async fn begin(server: &TestServer, browser: &mut Browser<'_>) -> String {
    let client = Client::register(server).await;
    let page = browser.get(&client.request().path()).await;
    assert_eq!(page.answer.headers("set-cookie"), Vec::<&str>::new(), "a page sets no cookie");
    let sent = browser.submit(&page, "provider", "acme").await;
    let cookie = sent.answer.header("set-cookie").expect("the browser is known again");
    assert!(cookie.starts_with("__Host-doorward-sign-in."), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"), "{cookie}");
    sent.brought().remove("state").expect("RFC 6749, section 10.12")
}

/// What the browser is shown when the provider did not let somebody in.
pub(crate) async fn denied(browser: &mut Browser<'_>, state: &str) -> Page {
    browser.get(&format!("/oauth2/sign-in/acme?error=access_denied&state={state}")).await
}

#[tokio::test]
async fn a_sign_in_at_a_provider_is_good_for_ten_minutes() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    for (after, status) in [(Duration::from_millis(599_999), 403), (MINUTE * 10, 400)] {
        let state = begin(&server, &mut browser).await;
        server.clock.advance(after);
        assert_eq!(denied(&mut browser, &state).await.answer.status, status, "{after:?}");
    }
}

#[tokio::test]
async fn a_sign_in_at_a_provider_is_good_once_and_in_one_browser() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    let mut stranger = Browser::new(&server);
    assert_eq!(denied(&mut stranger, &state).await.answer.status, 400, "without the cookie");
    assert_eq!(denied(&mut browser, &state).await.answer.status, 403, "it was not spent by that");
    assert_eq!(denied(&mut browser, &state).await.answer.status, 400, "it is spent now");

    let state = begin(&server, &mut browser).await;
    begin(&server, &mut stranger).await;
    assert_eq!(denied(&mut stranger, &state).await.answer.status, 400, "another cookie");
    assert_eq!(denied(&mut browser, &state).await.answer.status, 403, "nor by that");
}

#[tokio::test]
async fn nothing_that_one_provider_answers_counts_for_another() {
    let mut config = with_provider().await;
    config.sign_in.providers.push(provider("other", "").await);
    let acme = config.sign_in.providers[0].issuer.clone();
    let other = config.sign_in.providers[1].issuer.clone();
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    for (path, answer) in [
        ("other", "code=x".to_owned()),
        ("other", "error=access_denied".to_owned()),
        ("other", format!("code=x&iss={acme}")),
        ("acme", format!("code=x&iss={other}")),
        ("acme", format!("error=access_denied&iss={acme}/")),
    ] {
        let mut browser = Browser::new(&server);
        let state = begin(&server, &mut browser).await;
        let page = browser.get(&format!("/oauth2/sign-in/{path}?{answer}&state={state}")).await;
        assert_eq!(page.answer.status, 400, "{path} {answer}");
        assert!(page.text().contains("come from the provider that was asked"), "{answer}");
        assert!(!is_signed_in(&mut browser, &client).await);
    }
}

#[tokio::test]
async fn whoever_comes_back_without_success_can_go_back_to_the_sign_in() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    let page = denied(&mut browser, &state).await;
    assert!(page.text().contains("Go back to sign-in"), "{}", page.text());
    let location = browser.submit(&page, "decision", "back").await.location().to_owned();
    assert!(location.starts_with("/oauth2/authorize?response_type=code&client_id="), "{location}");
    let again = browser.get(&location).await;
    assert_eq!(again.answer.status, 200);
    let sent = browser.submit(&again, "provider", "acme").await;
    assert_ne!(sent.brought()["state"], state);
    // Who has no sign-in under way is led nowhere.
    let over = denied(&mut Browser::new(&server), &state).await;
    assert!(!over.answer.body.contains("<form"), "{over:?}");
}

#[tokio::test]
async fn a_provider_is_found_below_its_issuer_whether_that_ends_in_a_slash_or_not() {
    for end in ["", "/", "/acme", "/acme/"] {
        let mut config = config();
        config.sign_in.providers = vec![provider("acme", end).await];
        let server = TestServer::with(config).await;
        let state = begin(&server, &mut Browser::new(&server)).await;
        assert!(!state.is_empty(), "{end}");
    }
}

#[tokio::test]
async fn looking_where_a_provider_sends_people_back_to_spends_nothing() {
    let server = TestServer::with(with_provider().await).await;
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    let path = format!("/oauth2/sign-in/acme?error=access_denied&state={state}");
    let head = browser.head(&path).await.answer;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
    assert_eq!(denied(&mut browser, &state).await.answer.status, 403);
}

#[tokio::test]
async fn sign_ins_are_counted_by_provider_and_how_they_ended() {
    let mut config = with_provider().await;
    config.sign_in.providers.push(provider_at("gone", "http://127.0.0.1:1"));
    let server = TestServer::with(config).await;
    let password = server.password.clone().unwrap();
    let mut browser = Browser::new(&server);
    let state = begin(&server, &mut browser).await;
    assert_eq!(denied(&mut browser, &state).await.answer.status, 403);
    let form = Request::default();
    for (name, value, status) in
        [("provider", "gone", 502), ("password", "no", 403), ("password", &password, 303)]
    {
        let sent = browser.post("/oauth2/sign-in", &form.clone().and(name, value)).await;
        assert_eq!(sent.answer.status, status, "{name}={value}");
    }
    let unknown = browser.get("/oauth2/sign-in/chosen-by-a-stranger").await;
    assert_eq!(unknown.answer.status, 400);
    assert!(!server.look("/metrics").await.body.contains("chosen-by-a-stranger"));
    for (labels, count) in [
        ("kind=\"local\",outcome=\"succeeded\"", 1.0),
        ("kind=\"local\",outcome=\"refused\"", 1.0),
        ("kind=\"local\",outcome=\"failed\"", 0.0),
        ("kind=\"provider\",provider=\"acme\",outcome=\"succeeded\"", 0.0),
        ("kind=\"provider\",provider=\"acme\",outcome=\"refused\"", 1.0),
        ("kind=\"provider\",provider=\"acme\",outcome=\"failed\"", 0.0),
        ("kind=\"provider\",provider=\"gone\",outcome=\"failed\"", 1.0),
    ] {
        let name = format!("doorward_sign_ins_total{{{labels}}}");
        assert!((server.metric(&name).await - count).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn a_request_that_waits_leads_nowhere_but_to_our_own_endpoint() {
    let server = TestServer::with(config()).await;
    let password = server.password.clone().unwrap();
    for (request, status) in [
        ("https://evil.example", 303),
        ("//evil.example", 303),
        ("", 303),
        ("x\r\nset-cookie: a=b", 400),
        ("x y", 400),
        ("\u{e9}", 400),
    ] {
        let form = Request::default().and("request", request).and("password", &password);
        let sent = Browser::new(&server).post("/oauth2/sign-in", &form).await;
        assert_eq!(sent.answer.status, status, "{request:?}");
        if status == 303 {
            // Where none waits, people see what they have allowed.
            let waits = format!("/oauth2/authorize?{request}");
            let expected = if request.is_empty() { "/oauth2/grants" } else { &waits };
            assert_eq!(sent.location(), expected);
        }
    }
    let long = "x".repeat(8 << 10);
    let form = Request::default().and("password", &password);
    let sent =
        Browser::new(&server).post("/oauth2/sign-in", &form.clone().and("request", &long)).await;
    assert_eq!(sent.answer.status, 303);
    let form = form.and("request", &format!("{long}x"));
    assert_eq!(Browser::new(&server).post("/oauth2/sign-in", &form).await.answer.status, 400);
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in_or_out() {
    let server = TestServer::with(with_provider().await).await;
    let client = Client::register(&server).await;
    let password = server.password.clone().unwrap();
    let local = Request::default().and("request", "x").and("password", &password);
    let upstream = Request::default().and("request", "x").and("provider", "acme");
    for headers in [
        "",
        "origin: https://evil.example\r\n",
        "origin: https://door.example\r\nsec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
    ] {
        for form in [&local, &upstream] {
            let mut browser = Browser::new(&server);
            let answer = browser.post_as("/oauth2/sign-in", form, headers).await.answer;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{headers}");
        }
        let mut browser = Browser::signed_in(&server).await;
        let page = browser.get("/oauth2/sign-out").await;
        let (path, form) = page.form("form_token");
        assert_eq!(browser.post_as(&path, &form, headers).await.answer.status, 403, "{headers}");
        assert!(is_signed_in(&mut browser, &client).await);
    }
}

#[tokio::test]
async fn passwords_are_tried_so_often_and_no_more() {
    let mut config = config();
    config.sign_in.per_source = 3;
    let server = TestServer::with(config).await;
    let mut browser = Browser::new(&server);
    let form = Request::default().and("request", "x").and("password", "wrong");
    server.clock.advance(Duration::from_secs(60 - server.clock.now().as_seconds() % 60 + 20));
    for (said, retry_after) in [
        ("After 2 more tries, you'll have to wait up to 40 seconds.", None),
        ("After one more try, you'll have to wait up to 40 seconds.", None),
        ("That was the last try for now: wait 40 seconds, then try again.", Some("40")),
    ] {
        let page = browser.post("/oauth2/sign-in", &form).await;
        let answer = &page.answer;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
        assert!(page.text().contains(said), "{}", page.text());
        assert_eq!(answer.header("retry-after"), retry_after);
    }
    let right = form.with("password", server.password.as_ref().unwrap());
    server.clock.advance(Duration::from_secs(39));
    let refused = browser.post("/oauth2/sign-in", &right).await;
    assert_eq!(refused.answer.status, 429);
    assert!(refused.text().contains("Wait 1 second, then try again."), "{}", refused.text());
    assert_eq!(refused.answer.header("retry-after"), Some("1"));
    server.clock.advance(MINUTE);
    assert_eq!(browser.post("/oauth2/sign-in", &right).await.answer.status, 303);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_last_in_any_case() {
    let config = config();
    let idle = Duration::from_mins(config.sign_in.session_idle_minutes);
    let almost_idle = Duration::from_mins(config.sign_in.session_idle_minutes - 1);
    let lifetime = Duration::from_mins(config.sign_in.session_lifetime_minutes);
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;

    let mut browser = Browser::signed_in(&server).await;
    server.clock.advance(almost_idle);
    assert!(is_signed_in(&mut browser, &client).await);
    server.clock.advance(almost_idle);
    assert!(is_signed_in(&mut browser, &client).await, "it was used, and lives on");
    server.clock.advance(idle);
    assert!(!is_signed_in(&mut browser, &client).await);

    let mut browser = Browser::signed_in(&server).await;
    let mut age = Duration::ZERO;
    while age + MINUTE < lifetime {
        server.clock.advance(MINUTE);
        age += MINUTE;
        if age.as_secs().is_multiple_of(30 * 60) {
            assert!(is_signed_in(&mut browser, &client).await, "{age:?}");
        }
    }
    server.clock.advance(MINUTE);
    assert!(!is_signed_in(&mut browser, &client).await, "however much it was used");
}

#[tokio::test]
async fn a_session_at_which_somebody_only_looks_does_not_live_on() {
    let config = config();
    let almost_idle = Duration::from_mins(config.sign_in.session_idle_minutes - 1);
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let asking = client.request().path();
    for path in [&asking, "/oauth2/sign-out", "/oauth2/grants"] {
        let mut browser = Browser::signed_in(&server).await;
        server.clock.advance(almost_idle);
        assert_eq!(browser.head(path).await.answer.status, 200, "{path}");
        server.clock.advance(almost_idle);
        assert!(!is_signed_in(&mut browser, &client).await, "{path}");
    }
}

#[tokio::test]
async fn who_signs_in_has_a_new_session_and_who_signs_out_has_none() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::signed_in(&server).await;
    let mut kept = browser.clone();
    let password = server.password.clone().unwrap();
    let again = Request::default().and("request", "x").and("password", &password);
    assert_eq!(browser.post("/oauth2/sign-in", &again).await.answer.status, 303);
    assert!(is_signed_in(&mut browser, &client).await);
    assert!(!is_signed_in(&mut kept, &client).await, "what it held before is good for nothing");

    let mut kept = browser.clone();
    let page = browser.get("/oauth2/sign-out").await;
    assert_eq!(page.answer.header("cache-control"), Some("no-store"));
    assert!(is_signed_in(&mut browser, &client).await, "a page that asks ends nothing");
    let (path, form) = page.form("form_token");
    let forged = browser.post(&path, &form.clone().with("form_token", "x")).await;
    assert_eq!(forged.answer.status, 403);
    assert_eq!(browser.post(&path, &form).await.answer.status, 200);
    assert!(!is_signed_in(&mut browser, &client).await);
    assert!(!is_signed_in(&mut kept, &client).await, "it is over for whoever kept the cookie");
}

#[tokio::test]
async fn a_wrong_password_leads_back_to_the_sign_in_page() {
    let server = TestServer::with(config()).await;
    for (request, path) in
        [("", "/oauth2/grants"), ("a=1&b=%22", "/oauth2/authorize?a=1&#38;b=%22")]
    {
        let form = Request::default().and("request", request).and("password", "wrong");
        let page = Browser::new(&server).post("/oauth2/sign-in", &form).await;
        let link = format!("href=\"{path}\">Back to sign-in");
        assert!(page.answer.body.contains(&link), "{page:?}");
    }
}
