//! Signing in at a provider that signs, with the clock held still: what happens when its keys change, and what a
//! client gets of it all. What a real provider does is in `tests/journey/`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use doorward::config::{Config, Provider};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{
    flow::{Browser, Client, Page, claims, config},
    granted::config_on,
    harness::TestServer,
    sign_in::provider_at,
    traces::{self, Collector},
};

/// A provider with one key.
struct OpenIdProvider {
    issuer: String,
    said: Arc<Mutex<Said>>,
    /// Whoever asks for keys waits for one of these.
    may_have_keys: Arc<Semaphore>,
}

/// What it says when it is asked.
struct Said {
    key: EncodingKey,
    header: Header,
    published: Value,
    claims: Value,
    /// The paths that it was asked for.
    asked: Vec<String>,
    /// Its tokens.
    tokens: Vec<String>,
}

/// A new key, which goes by this name or by none.
fn key(id: Option<&str>) -> (EncodingKey, Header, Value) {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let mut published = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) });
    if let Some(id) = id {
        published["kid"] = id.into();
    }
    let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::ES256) };
    (EncodingKey::from_ec_der(private.as_ref()), header, published)
}

impl OpenIdProvider {
    async fn start(id: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (key, header, published) = key(id);
        let (claims, asked, tokens) = (Value::Null, Vec::new(), Vec::new());
        let said = Arc::new(Mutex::new(Said { key, header, published, claims, asked, tokens }));
        let may_have_keys = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let provider = Self {
            issuer: issuer.clone(),
            said: Arc::clone(&said),
            may_have_keys: Arc::clone(&may_have_keys),
        };
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (said, issuer) = (Arc::clone(&said), issuer.clone());
                let may_have_keys = Arc::clone(&may_have_keys);
                tokio::spawn(async move {
                    let path = read_path(&mut connection).await;
                    let body = said.lock().unwrap().answer(&path, &issuer).to_string();
                    if path == "/keys" {
                        may_have_keys.acquire().await.unwrap().forget();
                    }
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                         content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _written = connection.write_all(answer.as_bytes()).await;
                });
            }
        });
        provider
    }

    /// Signs with a new key from now on.
    fn change_key(&self, id: Option<&str>) {
        let mut said = self.said.lock().unwrap();
        (said.key, said.header, said.published) = key(id);
    }

    /// How often it was asked for anything.
    fn requests(&self) -> usize {
        self.said.lock().unwrap().asked.len()
    }

    /// How often it was asked to exchange a code.
    fn exchanges(&self) -> usize {
        self.asked_for("/token")
    }

    fn asked_for(&self, path: &str) -> usize {
        self.said.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Said {
    fn answer(&mut self, path: &str, issuer: &str) -> Value {
        self.asked.push(path.to_owned());
        match path {
            "/keys" => json!({ "keys": [self.published] }),
            "/token" => {
                let token = jsonwebtoken::encode(&self.header, &self.claims, &self.key).unwrap();
                let (access, refresh) = ("access-upstream", "refresh-upstream");
                self.tokens.extend([access, refresh, &token].map(str::to_owned));
                json!({
                    "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
                    "id_token": token,
                })
            }
            _ => json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
                "id_token_signing_alg_values_supported": ["ES256"],
            }),
        }
    }
}

/// Reads one request, and returns its path.
async fn read_path(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return head.split(' ').nth(1).unwrap().to_owned();
            }
        }
        if connection.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return String::new();
        }
    }
}

/// The settings of a server at which people sign in there.
fn settings(provider: &OpenIdProvider) -> Config {
    let mut config = config();
    config.sign_in.providers = vec![provider_at("acme", &provider.issuer)];
    // Others may be on the same store.
    config.token.keys_secret = config_on("anywhere").token.keys_secret;
    config
}

async fn start(provider: &OpenIdProvider) -> TestServer {
    TestServer::with(settings(provider)).await
}

/// Goes to the provider, which knows who it is, and comes back.
async fn sign_in(server: &TestServer, provider: &OpenIdProvider, more: &Value) -> Page {
    let client = Client::register(server).await;
    sign_in_with(&mut Browser::new(server), &client, server, provider, more).await
}

/// The same in this browser, for this client.
async fn sign_in_with(
    browser: &mut Browser<'_>,
    client: &Client,
    server: &TestServer,
    provider: &OpenIdProvider,
    more: &Value,
) -> Page {
    let back = way_back(browser, &client.request().path(), server, provider, more).await;
    let returned = browser.get(&back).await;
    if returned.answer.status != 303 {
        return returned;
    }
    let location = returned.location().to_owned();
    browser.get(&location).await
}

/// Goes to the provider by a path, which knows who it is; returns the path by which it comes back.
async fn way_back(
    browser: &mut Browser<'_>,
    path: &str,
    server: &TestServer,
    provider: &OpenIdProvider,
    more: &Value,
) -> String {
    let page = browser.get(path).await;
    let sent: BTreeMap<String, String> = browser.submit(&page, "provider", "acme").await.brought();
    let now = server.clock.now().as_seconds();
    let mut claims = json!({
        "iss": provider.issuer, "aud": "doorward", "sub": "7", "name": "Ada Lovelace",
        "nonce": sent["nonce"], "iat": now, "exp": now + 300,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    provider.said.lock().unwrap().claims = claims;
    format!("/oauth2/sign-in/acme?code=x&state={}", sent["state"])
}

#[tokio::test]
async fn who_the_provider_says_it_is_decides_under_that_name() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let page = sign_in(&server, &provider, &Value::Null).await;
    assert_eq!(page.answer.status, 200);
    assert!(page.text().contains("Signed in as Ada Lovelace"), "{}", page.text());
    for (claim, value) in [
        ("iss", json!(format!("{}/", provider.issuer))),
        ("aud", json!("another")),
        ("nonce", json!("another")),
        ("exp", json!(server.clock.now().as_seconds() - 60)),
    ] {
        let page = sign_in(&server, &provider, &json!({ (claim): value })).await;
        assert_eq!(page.answer.status, 502, "{claim}");
        assert!(page.text().contains(&format!("{claim} of its ID token")), "{}", page.text());
    }
}

#[tokio::test]
async fn each_call_of_a_provider_is_a_span_below_its_request_and_holds_no_code() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let collector = Collector::start().await;
    let mut config = settings(&provider);
    collector.set(&mut config);
    let server = TestServer::with(config).await;
    assert_eq!(sign_in(&server, &provider, &Value::Null).await.answer.status, 200);

    let callback = collector.span("GET /oauth2/sign-in/{provider}").await;
    for name in ["provider token", "provider keys"] {
        let call = collector.span(name).await;
        assert_eq!(call.parent_span_id, callback.span_id, "{name}");
        assert_eq!(traces::attribute(&call, "doorward.provider").as_deref(), Some("acme"));
        let spans = collector.spans();
        let request = spans.iter().find(|span| span.parent_span_id == call.span_id);
        let status = traces::attribute(request.unwrap(), "http.response.status_code");
        assert_eq!(status.as_deref(), Some("200"), "{name}");
    }
    let all = format!("{:?}", collector.spans());
    assert!(!all.contains("upstream") && !all.contains("state="), "{all}");
}

#[tokio::test]
async fn a_code_buys_tokens_for_whoever_has_allowed_it() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let client = Client::register(&server).await;
    let mut codes = Vec::new();
    for subject in ["7", "8"] {
        let person = json!({ "sub": subject });
        let mut browser = Browser::new(&server);
        let page = sign_in_with(&mut browser, &client, &server, &provider, &person).await;
        codes.push((subject, browser.submit(&page, "decision", "allow").await.code()));
    }
    for (subject, code) in codes {
        let bought = client.redeem(&server, &code).await.json();
        let claims = claims(bought["access_token"].as_str().unwrap());
        assert_eq!(claims["sub"], format!("acme:{subject}"));
    }
}

#[tokio::test]
async fn a_provider_may_change_its_key_whether_keys_have_names_or_not() {
    for ids in [[Some("one"), Some("two"), Some("three")], [None; 3], [Some("same"); 3]] {
        let provider = OpenIdProvider::start(ids[0]).await;
        let server = start(&provider).await;
        let status = async || sign_in(&server, &provider, &Value::Null).await.answer.status;
        assert_eq!(status().await, 200, "{ids:?}");
        provider.change_key(ids[1]);
        assert_eq!(status().await, 200, "{ids:?}: asked again");
        provider.change_key(ids[2]);
        assert_eq!(status().await, 502, "{ids:?}: once a minute");
        server.clock.advance(Duration::from_mins(1));
        assert_eq!(status().await, 200, "{ids:?}: and again");
    }
}

#[tokio::test]
async fn whoever_comes_while_new_keys_are_asked_for_waits_for_them() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    assert_eq!(sign_in(&server, &provider, &Value::Null).await.answer.status, 200);
    provider.change_key(Some("two"));
    let client = Client::register(&server).await;
    let (mut first, mut second) = (Browser::new(&server), Browser::new(&server));
    provider.may_have_keys.forget_permits(Semaphore::MAX_PERMITS);

    let back =
        way_back(&mut first, &client.request().path(), &server, &provider, &Value::Null).await;
    let first_returns = async { first.get(&back).await.answer.status };
    let second_returns = async {
        until(|| provider.asked_for("/keys") == 2).await;
        let back =
            way_back(&mut second, &client.request().path(), &server, &provider, &Value::Null).await;
        let returns = async { second.get(&back).await.answer.status };
        let published = async {
            until(|| provider.exchanges() == 3).await;
            provider.may_have_keys.add_permits(1);
        };
        tokio::join!(returns, published).0
    };

    assert_eq!(tokio::join!(first_returns, second_returns), (303, 303));
    assert_eq!(provider.asked_for("/keys"), 2, "one asks for both");
}

#[tokio::test]
async fn sign_ins_at_the_same_time_share_a_fetch_of_what_the_provider_publishes() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let client = Client::register(&server).await;
    let mut browsers: Vec<_> = (0..8).map(|_| Browser::new(&server)).collect();
    let begins = browsers.iter_mut().map(async |browser| {
        let page = browser.get(&client.request().path()).await;
        browser.submit(&page, "provider", "acme").await.answer.status
    });
    assert_eq!(join_all(begins).await, [303; 8]);
    assert_eq!(provider.asked_for("/.well-known/openid-configuration"), 1);
}

/// Polls all of them, and returns their outcomes in order.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// Lets others go on until it is so.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_session_ends_when_the_settings_would_not_let_it_begin_any_more() {
    let provider = OpenIdProvider::start(None).await;
    let server = start(&provider).await;
    let mut browser = Browser::new(&server);
    let address = json!({ "email": "ada@acme.example" });
    let client = Client::register(&server).await;
    let page = sign_in_with(&mut browser, &client, &server, &provider, &address).await;
    assert_eq!(page.answer.status, 200);
    let cookies = browser.cookies();
    let local = Browser::signed_in(&server).await.cookies();
    for (id, domains, is_local, stays) in [
        ("acme", &[][..], true, true),
        ("acme", &["other.example", "acme.example"], false, true),
        ("acme", &["other.example"], true, false),
        ("other", &[], false, false),
    ] {
        let mut config = settings(&provider);
        config.sign_in.local = is_local;
        let allowed_domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        let named = provider_at(id, &provider.issuer);
        config.sign_in.providers = vec![Provider { allowed_domains, ..named }];
        let kept = Arc::clone(&server.kept);
        let later = TestServer::kept_by_at(kept, config, server.clock.now()).await;
        for (cookies, stays) in [(&cookies, stays), (&local, is_local)] {
            let page = Browser::with(&later, cookies.clone()).get("/oauth2/sign-out").await;
            let is_signed_in = page.answer.body.contains("name=\"form_token\"");
            assert_eq!(is_signed_in, stays, "{id} {domains:?} {is_local}");
        }
    }
}

/// A client that wants something which a page can ask about.
async fn reader(server: &TestServer) -> Client {
    Client::with(server, json!({ "redirect_uris": [crate::flow::REDIRECT_URI], "scope": "read" }))
        .await
}

#[tokio::test]
async fn a_session_by_a_provider_allows_nothing_to_a_further_client() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let client = reader(&server).await;
    let mut browser = Browser::new(&server);
    let asked = sign_in_with(&mut browser, &client, &server, &provider, &Value::Null).await;
    browser.submit(&asked, "decision", "allow").await.code();
    let requests = provider.requests();
    let page = browser.get(&reader(&server).await.request().path()).await;
    assert_eq!((page.answer.status, page.answer.header("location")), (200, None), "{page:?}");
    assert_eq!(page.answer.headers("set-cookie"), [""; 0]);
    assert!(page.text().contains("Allow access to your account?"), "{}", page.text());
    assert!(!page.answer.body.contains("<details"), "{page:?}");
    // The client that was allowed is asked about too, in fewer words.
    let page = browser.get(&client.request().path()).await;
    assert!(page.answer.status == 200 && page.answer.body.contains("<details"), "{page:?}");
    assert_eq!(provider.requests(), requests, "nothing goes to the provider for it");
}

#[tokio::test]
async fn what_one_person_allowed_another_is_asked() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let client = reader(&server).await;
    for (subject, is_known) in [("7", false), ("8", false), ("7", true), ("8", true)] {
        let person = json!({ "sub": subject });
        let mut browser = Browser::new(&server);
        let page = sign_in_with(&mut browser, &client, &server, &provider, &person).await;
        assert_eq!(page.answer.body.contains("<details"), is_known, "{subject}");
        browser.submit(&page, "decision", "allow").await.code();
    }
}

#[tokio::test]
async fn no_token_of_a_provider_is_passed_on() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let client = reader(&server).await;
    let mut browser = Browser::new(&server);
    let asked = sign_in_with(&mut browser, &client, &server, &provider, &Value::Null).await;
    let allowed = browser.submit(&asked, "decision", "allow").await;
    let bought = client.redeem(&server, &allowed.code()).await;
    let tokens = bought.json();
    let refreshed = client.refresh(&server, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!((bought.status, refreshed.status), (200, 200), "{bought:?} {refreshed:?}");
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["iss"], crate::flow::ISSUER);
    let upstream = provider.said.lock().unwrap().tokens.clone();
    assert_eq!(upstream.len(), 3);
    let cookies = browser.cookies();
    for told in [asked.answer, allowed.answer, bought, refreshed] {
        let told = format!("{told:?} {cookies:?}");
        assert!(!upstream.iter().any(|token| told.contains(token)), "{told}");
    }
}

#[tokio::test]
async fn nobody_comes_back_from_a_provider_who_was_not_sent_there_by_our_page() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let server = start(&provider).await;
    let made_up = "A".repeat(43);
    let client = Client::register(&server).await;
    let page = Browser::new(&server).get(&client.request().path()).await;
    // On its way, with a `state` of its own, of which it can make no other.
    let mut away = Browser::new(&server);
    let state = away.submit(&page, "provider", "acme").await.brought().remove("state").unwrap();
    let altered = format!("{}AAAAAAAAA", state.split_at(state.len() - 9).0);
    for mut browser in [Browser::new(&server), Browser::signed_in(&server).await, away] {
        for state in ["", "&state=", &format!("&state={made_up}"), &format!("&state={altered}")] {
            let back = browser.get(&format!("/oauth2/sign-in/acme?code=x{state}")).await.answer;
            assert_eq!((back.status, back.header("location")), (400, None), "{state}");
            assert_eq!(back.headers("set-cookie"), [""; 0], "{state}");
        }
    }
    assert_eq!(provider.exchanges(), 0);
}

#[tokio::test]
async fn whoever_is_refused_chooses_an_account_until_one_is_let_in() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let mut config = settings(&provider);
    config.sign_in.providers[0].allowed_domains = vec!["acme.example".to_owned()];
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    for (email, prompt, status) in [
        ("ada@evil.example", None, 403),
        ("ada@evil.example@acme.example", Some("select_account"), 403),
        ("ada@acme.example", Some("select_account"), 200),
        ("ada@acme.example", None, 200),
    ] {
        let page = browser.get(&client.request().path()).await;
        let sent = browser.clone().submit(&page, "provider", "acme").await.brought();
        assert_eq!(sent.get("prompt").map(String::as_str), prompt, "{email}");
        let person = json!({ "email": email, "email_verified": true });
        let page = sign_in_with(&mut browser, &client, &server, &provider, &person).await;
        assert_eq!(page.answer.status, status, "{email}: {}", page.text());
        browser = Browser::with(&server, without_session(browser.cookies()));
    }
}

/// The cookies, without the one by which somebody is signed in.
fn without_session(mut cookies: BTreeMap<String, String>) -> BTreeMap<String, String> {
    cookies.retain(|name, _| !name.contains("session"));
    cookies
}

#[tokio::test]
async fn a_cookie_that_is_replayed_reaches_the_provider_within_the_limit() {
    let provider = OpenIdProvider::start(Some("one")).await;
    let mut config = settings(&provider);
    config.sign_in.per_source = 4;
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    let wrong = json!({ "aud": "another" });
    let back = way_back(&mut browser, &client.request().path(), &server, &provider, &wrong).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let page = browser.clone().get(&back).await;
        if page.answer.status == 429 {
            assert!(page.answer.header("retry-after").is_some());
        }
        statuses.push(page.answer.status);
    }
    assert_eq!(statuses, [502, 502, 502, 429, 429, 429]);
    assert_eq!(provider.exchanges(), 3);
    // Answers that nobody began cost nothing, and are not counted.
    server.clock.advance(Duration::from_mins(1));
    for _ in 0..9 {
        let made_up = format!("/oauth2/sign-in/acme?code=x&state=dwu_{}", "A".repeat(64));
        assert_eq!(Browser::new(&server).get(&made_up).await.answer.status, 400);
    }
    provider.said.lock().unwrap().claims["aud"] = json!("doorward");
    assert_eq!(browser.get(&back).await.answer.status, 303);
}

#[tokio::test]
async fn a_server_behind_the_guard_is_told_whom_the_provider_vouched_for() {
    const RESOURCE: &str = "https://tools.example/mcp";
    let provider = OpenIdProvider::start(Some("one")).await;
    let mut config = settings(&provider);
    config.authorization.resources = crate::granted::config().authorization.resources;
    let guard = crate::guard::guard("tools", "claims = [\"groups\"]");
    config.authorization.resources[0].guard = Some(guard);
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let person = json!({
        "email": "ada@acme.example", "email_verified": true, "groups": ["eng"], "secret": "x",
    });
    let mut browser = Browser::new(&server);
    let path = client.request().and("resource", RESOURCE).path();
    let back = way_back(&mut browser, &path, &server, &provider, &person).await;
    let location = browser.get(&back).await.location().to_owned();
    let page = browser.get(&location).await;
    let code = browser.submit(&page, "decision", "allow").await.code();
    let bought = client.redeem(&server, &code).await.json();
    let token = bought["access_token"].as_str().unwrap();
    let asked = crate::guard::asked_at("/guard/nginx/{resource}", Some(token));
    let answer = server.exchange(&asked).await;
    let told = claims(answer.header("doorward-assertion").expect("the request is allowed"));
    assert_eq!(told["sub"], "acme:7");
    assert_eq!(
        (&told["email"], &told["email_verified"]),
        (&json!("ada@acme.example"), &json!(true))
    );
    assert_eq!((&told["groups"], &told["secret"]), (&json!(["eng"]), &Value::Null));
    assert!(told["client_name"].is_string(), "{told}");
}
