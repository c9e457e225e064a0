//! Clients that are known by the URL of their document, as people and clients meet them. How documents are
//! fetched and remembered is tried in `src/client_document/tests.rs`.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use doorward::{config::Config, internet::Internet};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    flow::{Browser, Client, Page},
    harness::{Answer, TestServer, config},
};

const HOST: &str = "app.example";
/// Another one of the same server, which people write with an umlaut.
const UMLAUT_HOST: &str = "xn--bcher-kva.example";

/// A server of documents, and one of ours that can reach it.
pub(crate) struct Site {
    pub(crate) door: TestServer,
    pub(crate) client_id: String,
    answer: Arc<Mutex<String>>,
    /// The names that were looked up.
    lookups: Arc<Mutex<Vec<String>>>,
    /// The addresses of every name.
    addresses: Arc<Mutex<Vec<IpAddr>>>,
    pub(crate) internet: Internet,
    _documents: JoinSet<()>,
}

impl Site {
    async fn start() -> Self {
        let mut config = config();
        config.client_documents.enabled = true;
        Self::with(config).await
    }

    pub(crate) async fn with(mut config: Config) -> Self {
        config.sign_in.local = true;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, certificate) = tls(&[HOST, UMLAUT_HOST]);
        let answer = Arc::new(Mutex::new(String::new()));
        let mut documents = JoinSet::new();
        documents.spawn(serve(listener, acceptor, Arc::clone(&answer)));
        let lookups = Arc::new(Mutex::new(Vec::new()));
        let addresses = Arc::new(Mutex::new(vec![IpAddr::from([127, 0, 0, 1])]));
        let (asked, found) = (Arc::clone(&lookups), Arc::clone(&addresses));
        let names = Arc::new(move |name: &str| {
            asked.lock().unwrap().push(name.to_owned());
            found.lock().unwrap().clone()
        });
        let internet = Internet::Staged { names, roots: Arc::new(trusting(&certificate)) };
        let site = Self {
            door: TestServer::on(internet.clone(), config).await,
            client_id: format!("https://{HOST}:{port}/client.json"),
            answer,
            lookups,
            addresses,
            internet,
            _documents: documents,
        };
        site.publish("My Editor");
        site
    }

    pub(crate) fn publish(&self, name: &str) {
        self.publish_with(&format!(
            r#""client_name":"{name}","redirect_uris":["http://127.0.0.1/cb"]"#
        ));
    }

    /// The document of another client on the same server, in the place of that of [`Self::client`].
    pub(crate) fn publish_as(&self, client_id: &str, name: &str) {
        let members = format!(r#""client_name":"{name}","redirect_uris":["http://127.0.0.1/cb"]"#);
        self.publish_of(client_id, &members);
    }

    /// A document with these members.
    pub(crate) fn publish_with(&self, members: &str) {
        self.publish_of(&self.client_id, members);
    }

    fn publish_of(&self, client_id: &str, members: &str) {
        self.answer(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
             {{\"client_id\":\"{client_id}\",{members}}}"
        ));
    }

    /// The client of the document.
    pub(crate) fn client(&self) -> Client {
        Client { id: self.client_id.clone() }
    }

    pub(crate) fn looked_up(&self) -> Vec<String> {
        self.lookups.lock().unwrap().clone()
    }

    pub(crate) fn answer(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    /// All its documents come with this status.
    pub(crate) fn fail(&self, status: u16) {
        self.answer(&format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
    }

    pub(crate) async fn authorize(&self, redirect_uri: &str) -> Answer {
        Self::authorize_at(&self.door, &self.client_id, redirect_uri).await
    }

    /// What somebody sees whom a client sends to this server.
    pub(crate) async fn authorize_at(
        door: &TestServer,
        client_id: &str,
        redirect_uri: &str,
    ) -> Answer {
        let challenge = "A".repeat(43);
        let path = format!(
            "/oauth2/authorize?response_type=code&client_id={client_id}&redirect_uri={redirect_uri}\
             &code_challenge={challenge}&code_challenge_method=S256&state=s"
        );
        door.exchange(&format!("GET {path} HTTP/1.1\r\nhost: door.example\r\n\r\n")).await
    }

    /// Tries a refresh token that nobody was given.
    async fn refresh(&self) -> Answer {
        let form = format!("grant_type=refresh_token&refresh_token=x&client_id={}", self.client_id);
        let length = form.len();
        self.door
            .exchange(&format!(
                "POST /oauth2/token HTTP/1.1\r\nhost: door.example\r\ncontent-length: {length}\r\n\
                 content-type: application/x-www-form-urlencoded\r\n\r\n{form}"
            ))
            .await
    }

    async fn counted(&self, outcome: &str) -> f64 {
        let name = format!("doorward_client_documents_total{{outcome=\"{outcome}\"}}");
        self.door.metric(&name).await
    }
}

/// TLS under these names, and the certificate that it shows.
pub(crate) fn tls(names: &[&str]) -> (TlsAcceptor, rcgen::Certificate) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert)
}

fn trusting(certificate: &rcgen::Certificate) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    roots
}

/// Answers each connection once; nothing, and stays, where there is no answer.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, answer: Arc<Mutex<String>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        let text = answer.lock().unwrap().clone();
        if text.is_empty() {
            drop(stream.read(&mut [0]).await);
            continue;
        }
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn people_see_the_host_of_the_document_and_what_it_says() {
    let site = Site::start().await;
    // Another port than the document's, as programs on people's machines choose it.
    let page = site.authorize("http://127.0.0.1:7007/cb").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains(&format!("<strong>{HOST}</strong>")), "{}", page.body);
    assert!(page.body.contains("My Editor"), "{}", page.body);
    assert!(page.body.contains("Any program on this device can use this name."), "{}", page.body);
    assert!(site.authorize("http://127.0.0.1/cb").await.status == 200);
    assert_eq!((site.counted("fetched").await, site.counted("remembered").await), (1.0, 1.0));
}

#[tokio::test]
async fn a_redirect_uri_that_the_document_does_not_list_is_told_by_a_page() {
    let site = Site::start().await;
    site.publish_with(
        r#""client_name":"A","redirect_uris":["http://127.0.0.1/cb","http://localhost/callback"]"#,
    );
    for (redirect_uri, status) in [
        ("http://127.0.0.1/cb", 200),
        ("http://127.0.0.1:51234/cb", 200),
        ("http://localhost:3118/callback", 200),
        ("https://evil.example/cb", 400),
        ("https://127.0.0.1/cb", 400),
        ("http://127.0.0.1/callback", 400),
        ("http://127.0.0.1:51234/cb/", 400),
        ("http://localhost:3118/cb", 400),
        ("http://[::1]/cb", 400),
        ("http://127.0.0.1:51234@evil.example/cb", 400),
    ] {
        let page = site.authorize(redirect_uri).await;
        assert_eq!((page.status, page.header("location")), (status, None), "{redirect_uri}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_by_a_page_that_names_its_host() {
    let site = Site::start().await;
    let other = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
                 {\"client_id\":\"https://other.example/c\",\"client_name\":\"<b>evil</b>\",\
                 \"redirect_uris\":[\"http://127.0.0.1/cb\"]}";
    for (answer, reason) in [
        ("HTTP/1.1 302 X\r\nlocation: https://a.example/\r\n\r\n", "status 302"),
        ("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", "status 500"),
        ("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n", "does not exist"),
        ("HTTP/1.1 200 X\r\ncontent-type: text/html\r\n\r\nevil", "not JSON"),
        (other, "client_id: is not the URL of the document"),
    ] {
        site.answer(answer);
        let page = site.authorize("http://127.0.0.1/cb").await;
        assert_eq!((page.status, page.header("location")), (400, None), "{reason}");
        assert!(page.body.contains(HOST) && page.body.contains(reason), "{}", page.body);
        assert!(!page.body.contains("evil"), "nothing of the answer is shown: {}", page.body);
    }
    site.publish("My Editor");
    assert_eq!(
        site.authorize("http://127.0.0.1/cb").await.status,
        200,
        "nothing is held against it"
    );
    let counts = (
        site.counted("failed").await,
        site.counted("gone").await,
        site.counted("invalid").await,
        site.counted("fetched").await,
    );
    assert_eq!(counts, (3.0, 1.0, 1.0, 1.0));
}

#[tokio::test]
async fn nobody_is_let_in_by_a_document_unless_the_operator_wants_it() {
    let site = Site::with(config()).await;
    assert_eq!(site.authorize("http://127.0.0.1/cb").await.status, 400);
    assert_eq!(site.refresh().await.status, 401);
}

#[tokio::test]
async fn nothing_that_a_registered_client_names_is_fetched() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let names = {
        let asked = Arc::clone(&asked);
        Arc::new(move |name: &str| {
            asked.lock().unwrap().push(name.to_owned());
            vec![IpAddr::from([127, 0, 0, 1])]
        })
    };
    let internet = Internet::Staged { names, roots: Arc::new(trusting(&tls(&[HOST]).1)) };
    let mut config = config();
    config.sign_in.local = true;
    config.client_documents.enabled = true;
    let door = TestServer::on(internet, config).await;
    let metadata = serde_json::json!({
        "redirect_uris": ["https://app.example/cb"],
        "client_uri": "https://app.example/",
        "logo_uri": "https://app.example/logo",
        "policy_uri": "https://app.example/policy",
        "tos_uri": "https://app.example/terms",
        "jwks_uri": "https://app.example/keys",
        "sector_identifier_uri": "https://app.example/sector",
        "request_uris": ["https://app.example/request"],
        "initiate_login_uri": "https://app.example/login",
    });
    let answer = door.post("/oauth2/register", &metadata.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (client, challenge) = (answer.client_id(), "A".repeat(43));
    for further in ["", "&request_uri=https://app.example/request"] {
        let page = door
            .exchange(&format!(
                "GET /oauth2/authorize?response_type=code&client_id={client}&code_challenge={challenge}\
                 &code_challenge_method=S256{further} HTTP/1.1\r\nhost: door.example\r\n\r\n"
            ))
            .await;
        assert_eq!(page.status, if further.is_empty() { 200 } else { 400 }, "{page:?}");
    }
    let body = format!("grant_type=authorization_code&code=x&code_verifier=x&client_id={client}");
    assert_eq!(door.post_form("/oauth2/token", "", &body).await.status, 400);
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    // While the document of a client is looked for.
    let path = "/oauth2/authorize?client_id=https://app.example/client.json";
    door.exchange(&format!("GET {path} HTTP/1.1\r\nhost: door.example\r\n\r\n")).await;
    assert_eq!(*asked.lock().unwrap(), ["app.example"]);
}

/// A page that leads nowhere.
fn check_refusal(page: &Page, reason: &str) {
    assert_eq!((page.answer.status, page.answer.header("location")), (400, None), "{page:?}");
    assert!(page.text().contains(reason), "{}", page.text());
}

#[tokio::test]
async fn no_name_is_looked_up_for_what_is_no_url_of_a_document() {
    let site = Site::start().await;
    for id in [
        "http://app.example/c",
        "ftp://app.example/c",
        "https://app.example",
        "https://app.example/",
        "https://u@app.example/c",
        "https://u:p@app.example/c",
        "https://app.example/c#f",
        "https://app.example/c#",
        "https://app.example/a/../c",
        "https://app.example/a/%2e%2e/c",
        "https://app.example/a/.%2E/c",
        "https://app.example/./c",
        "https://APP.example/c",
        "https://app.example\\c",
    ] {
        let client = Client { id: id.to_owned() };
        for mut browser in [Browser::new(&site.door), Browser::signed_in(&site.door).await] {
            check_refusal(&browser.get(&client.request().path()).await, "");
        }
        let refused = client.refresh(&site.door, "x").await;
        assert_eq!((refused.status, &refused.json()["error"]), (401, &"invalid_client".into()));
        assert_eq!(site.looked_up(), [""; 0], "{id}");
    }
}

#[tokio::test]
async fn a_document_that_does_not_come_is_told_by_a_page_that_names_its_host() {
    let mut config = config();
    config.client_documents.enabled = true;
    config.client_documents.timeout_seconds = 1;
    let site = Site::with(config).await;
    let path = site.client().request().with("redirect_uri", "http://127.0.0.1/cb").path();
    let mut browser = Browser::new(&site.door);
    site.answer("");
    let page = browser.get(&path).await;
    check_refusal(&page, "did not answer in full within 1 seconds");
    assert!(page.text().contains(HOST), "{}", page.text());
    for addresses in [vec![], vec![IpAddr::from([169, 254, 169, 254])]] {
        *site.addresses.lock().unwrap() = addresses;
        let page = browser.get(&path).await;
        check_refusal(&page, "cannot be reached, or not at a public address");
        assert!(page.text().contains(HOST), "{}", page.text());
    }
    *site.addresses.lock().unwrap() = vec![[127, 0, 0, 1].into()];
    site.publish("My Editor");
    assert_eq!(browser.get(&path).await.answer.status, 200);
}

#[tokio::test]
async fn nothing_that_a_document_names_is_fetched_or_shown() {
    let site = Site::start().await;
    site.publish_with(
        r#""client_name":"A","redirect_uris":["https://app.example/cb"],
           "client_uri":"https://pages.example/","policy_uri":"https://policy.example/",
           "tos_uri":"https://terms.example/","logo_uri":"https://logo.example/logo.svg",
           "jwks_uri":"https://keys.example/keys","request_uris":["https://request.example/"],
           "sector_identifier_uri":"https://sector.example/""#,
    );
    let client = site.client();
    let mut browser = Browser::signed_in(&site.door).await;
    let page = browser.get(&client.request().path()).await;
    assert_eq!(page.answer.status, 200, "{page:?}");
    let body = &page.answer.body;
    for host in ["pages", "policy", "terms", "logo", "keys", "request", "sector"] {
        assert!(!body.contains(&format!("{host}.example")), "{host}: {body}");
    }
    assert!(!body.contains("<img"), "{body}");
    let code = browser.submit(&page, "decision", "allow").await.code();
    assert_eq!(client.redeem(&site.door, &code).await.status, 200);
    assert_eq!(site.looked_up(), [HOST]);
}

#[tokio::test]
async fn people_see_the_host_of_the_document_and_that_of_the_answer_in_ascii() {
    let mut site = Site::start().await;
    let elsewhere = "https://elsewhere.example/cb";
    let members = format!(r#""client_name":"A","redirect_uris":["{elsewhere}"]"#);
    site.publish_with(&members);
    let mut browser = Browser::signed_in(&site.door).await;
    let request = site.client().request().with("redirect_uri", elsewhere);
    let page = browser.get(&request.path()).await;
    let text = page.text();
    assert!(text.contains("at elsewhere.example"), "{text}");
    assert!(page.answer.body.contains(&format!("<strong>{HOST}</strong>")), "{text}");
    assert!(!text.contains("this device"), "{text}");

    site.client_id = site.client_id.replace(HOST, UMLAUT_HOST);
    site.publish_with(&members);
    let request = request.with("client_id", &site.client_id);
    let page = browser.get(&request.path()).await;
    assert_eq!(page.answer.status, 200, "{page:?}");
    let body = &page.answer.body;
    assert!(body.contains(&format!("<strong>{UMLAUT_HOST}</strong>")), "{body}");
    let spelled = site.client_id.replace(UMLAUT_HOST, "b\u{fc}cher.example");
    check_refusal(&browser.get(&request.with("client_id", &spelled).path()).await, "");
}

#[tokio::test]
async fn a_document_that_changes_is_asked_about_anew() {
    let site = Site::start().await;
    let mut browser = Browser::signed_in(&site.door).await;
    let request = site.client().request().with("redirect_uri", "http://127.0.0.1/cb");
    let path = request.and("scope", "read").path();
    let key = |x: &str| format!(r#""jwks":{{"keys":[{{"kty":"EC","x":"{x}","y":"2"}}]}}"#);
    let uris = r#""redirect_uris":["http://127.0.0.1/cb"]"#;
    let mut token = None;
    let more_uris = r#""redirect_uris":["http://127.0.0.1/cb","https://app.example/cb"]"#;
    for (members, is_known) in [
        (format!(r#""client_name":"A",{uris}"#), false),
        (format!(r#" {uris}, "client_name":"A", "unknown":1"#), true),
        (format!(r#""client_name":"B",{uris}"#), false),
        (format!(r#""client_name":"B",{more_uris}"#), false),
        (format!(r#""client_name":"B",{uris}"#), false),
        (format!(r#""client_name":"B",{uris},{}"#, key("1")), false),
        (format!(r#""client_name":"B",{uris},{}"#, key("3")), false),
        (format!(r#""client_name":"B",{uris},{}"#, key("3")), true),
    ] {
        site.publish_with(&members);
        site.door.clock.advance(Duration::from_mins(1));
        let page = browser.get(&path).await;
        assert_eq!(page.answer.status, 200, "{members}");
        assert_eq!(page.answer.body.contains("<details"), is_known, "{members}");
        let code = browser.submit(&page, "decision", "allow").await.code();
        if token.is_none() {
            let bought = site.client().redeem(&site.door, &code).await.json();
            token = bought["refresh_token"].as_str().map(str::to_owned);
        }
    }
    // To whoever allowed it, it is the same client all along.
    assert_eq!(site.client().refresh(&site.door, &token.unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_decision_about_a_document_that_has_changed_since_is_asked_for_anew() {
    let site = Site::start().await;
    let mut browser = Browser::signed_in(&site.door).await;
    // Where the answer goes, and what is allowed, the request leaves to the document.
    let path = site.client().request().without("redirect_uri").path();
    let shown = r#""client_name":"A","redirect_uris":["https://good.example/cb"],"scope":"read""#;
    for (members, counts) in [
        (shown.to_owned(), true),
        (format!(r#""unknown":1,{shown}"#), true),
        (shown.replace("good", "evil"), false),
        (shown.replace("read", "read admin"), false),
        (shown.replace(r#""A""#, r#""B""#), false),
    ] {
        site.publish_with(shown);
        site.door.clock.advance(Duration::from_mins(1));
        let page = browser.get(&path).await;
        assert!(page.answer.body.contains("good.<wbr>example"), "{members}");
        site.publish_with(&members);
        site.door.clock.advance(Duration::from_mins(1));
        for decision in ["deny", "allow"] {
            let sent = browser.submit(&page, "decision", decision).await;
            let expected = if counts { "https://good.example/cb?" } else { &*path };
            assert!(sent.location().contains(expected), "{members} {:?}", sent.answer);
        }
    }
}

#[tokio::test]
async fn what_one_installation_gives_up_the_others_keep() {
    let site = Site::start().await;
    let client = site.client();
    let path = client.request().with("redirect_uri", "http://127.0.0.1/cb").path();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut browser = Browser::signed_in(&site.door).await;
        let page = browser.get(&path).await;
        let code = browser.submit(&page, "decision", "allow").await.code();
        let bought = client.redeem(&site.door, &code).await.json();
        tokens.push(bought["refresh_token"].as_str().unwrap().to_owned());
    }
    assert_eq!(client.revoke(&site.door, &tokens[0]).await.status, 200);
    for (token, status) in [(&tokens[0], 400), (&tokens[1], 200)] {
        assert_eq!(client.refresh(&site.door, token).await.status, status);
    }
}

#[tokio::test]
async fn whoever_asks_at_once_shares_a_fetch() {
    let site = Arc::new(Site::start().await);
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let site = Arc::clone(&site);
        asking.spawn(async move { site.authorize("http://127.0.0.1/cb").await.status });
    }
    assert!(asking.join_all().await.into_iter().all(|status| status == 200));
    assert_eq!((site.looked_up(), site.counted("fetched").await), (vec![HOST.to_owned()], 1.0));
}

#[tokio::test]
async fn a_document_that_asks_for_a_key_lets_nobody_in_without_one() {
    let site = Site::start().await;
    let method =
        r#""token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://a.example/""#;
    site.publish_with(&format!(
        r#""client_name":"A","redirect_uris":["https://app.example/cb"],{method}"#
    ));
    let client = site.client();
    let page = Browser::signed_in(&site.door).await.get(&client.request().path()).await;
    check_refusal(&page, "asks for a method that is not supported");
    let refused = client.redeem(&site.door, "x").await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &"invalid_grant".into()));
}

#[tokio::test]
async fn whoever_names_documents_that_fail_is_told_so_often_and_then_waits() {
    let mut config = config();
    config.client_documents.enabled = true;
    config.rate_limit.failures_per_source = 3;
    let site = Site::with(config).await;
    site.fail(500);
    for status in [400, 400, 400, 429, 429] {
        assert_eq!(site.authorize("http://127.0.0.1/cb").await.status, status);
    }
    // It is the source that waits, and nothing is held against the document.
    site.publish("My Editor");
    site.door.clock.advance(Duration::from_mins(1));
    assert_eq!(site.authorize("http://127.0.0.1/cb").await.status, 200);
}
