//! Documents from a server on loopback that speaks TLS, by a resolver and a clock that the test holds.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{http::client_address::Source, metrics::Counter};

mod places;
mod tokens;

const NAME: &str = "app.example";
/// Where the clock stands at first.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// How the server answers.
#[derive(Clone)]
enum Answer {
    /// With this, and closes.
    Whole(String),
    /// With this, and then a space now and then, for ever.
    Drip(String),
    /// With this, and then as much as is taken.
    Endless(String),
}

/// A server, what leads to it, and those who fetch from it.
struct World {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    /// The requests that came.
    asked: Arc<Mutex<Vec<String>>>,
    /// The addresses of every name.
    addresses: Arc<Mutex<Vec<IpAddr>>>,
    lookups: Arc<AtomicUsize>,
    clock: Clock,
    documents: Arc<ClientDocuments>,
    /// The server of documents, and the fetches in the background.
    _tasks: JoinSet<()>,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world with these changes to its settings.
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, roots) = tls();
        let answer = Arc::new(Mutex::new(Answer::Whole(String::new())));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, acceptor, Arc::clone(&answer), Arc::clone(&asked)));
        let addresses = Arc::new(Mutex::new(vec![IpAddr::from([127, 0, 0, 1])]));
        let lookups = Arc::new(AtomicUsize::new(0));
        let (found, counted) = (Arc::clone(&addresses), Arc::clone(&lookups));
        let names = move |_: &str| {
            counted.fetch_add(1, Relaxed);
            found.lock().unwrap().clone()
        };
        let internet = Internet::Staged { names: Arc::new(names), roots: Arc::new(roots) };
        let mut config = Config::default();
        config.client_documents.enabled = true;
        change(&mut config);
        let clock = Clock::held_at(START);
        let documents =
            Arc::new(ClientDocuments::new(&config, internet, clock.clone(), &Entropy::seeded(1)));
        let refreshing = Arc::clone(&documents);
        server.spawn(async move { refreshing.refresh_forever().await });
        let world =
            Self { port, answer, asked, addresses, lookups, clock, documents, _tasks: server };
        world.publish("");
        world
    }

    fn url(&self) -> DocumentUrl {
        self.url_of(NAME)
    }

    fn url_of(&self, host: &str) -> DocumentUrl {
        format!("https://{host}:{}/client.json", self.port).parse().unwrap()
    }

    /// A valid document of this many bytes.
    fn document_of(&self, bytes: usize) -> String {
        let url = self.url();
        let document = format!(
            r#"{{"client_id":"{url}","client_name":"A","redirect_uris":["http://127.0.0.1/cb"]}}"#
        );
        let padding = bytes.saturating_sub(document.len());
        document + &" ".repeat(padding)
    }

    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn answer_with(&self, answer: impl Into<String>) {
        self.answer(Answer::Whole(answer.into()));
    }

    /// Answers with a valid document and these headers.
    fn publish(&self, headers: &str) {
        self.answer_with(format!("{JSON}{headers}\r\n{}", self.document_of(0)));
    }

    fn lead_to(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        *self.addresses.lock().unwrap() = addresses;
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    async fn find(&self) -> Found {
        self.find_at(&self.url()).await
    }

    async fn find_at(&self, url: &DocumentUrl) -> Found {
        self.documents.metadata(url, caller(1)).await
    }

    /// A client of this world that somebody has allowed something.
    async fn with_grant(&self) {
        assert!(self.find().await.is_ok());
        self.documents.note_use(&self.url());
    }

    fn grant_types(&self) -> Option<GrantTypes> {
        self.documents.grant_types(&self.url())
    }

    /// Uses the grant once more, and waits for the fetch in the background that follows.
    async fn refreshed(&self, outcome: &Counter) {
        let before = outcome.value();
        self.documents.note_use(&self.url());
        while outcome.value() == before {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Why there is no client.
    async fn refusal(&self) -> DocumentError {
        Arc::into_inner(self.find().await.unwrap_err()).expect("nobody else waited")
    }

    fn seconds_pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A caller at an address of its own.
fn caller(number: u8) -> Caller {
    Caller { source: Source::of(IpAddr::from([192, 0, 2, number])), is_foreign_page: false }
}

/// TLS with a certificate of [`NAME`] and of a name below it, and whoever trusts that.
fn tls() -> (TlsAcceptor, RootCertStore) {
    let names = [NAME.to_owned(), format!("below.{NAME}")];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), roots)
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = answer.lock().unwrap().clone();
        connections.spawn(exchange(acceptor.clone(), stream, answer, Arc::clone(&asked)));
    }
}

/// One connection; whoever calls may go away at any time.
async fn exchange(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answer: Answer,
    asked: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await.ok()?;
    request.truncate(length);
    let name = stream.get_ref().1.server_name().unwrap_or("nobody").to_owned();
    asked.lock().unwrap().push(format!("{name}\n{}", String::from_utf8(request).unwrap()));
    match answer {
        Answer::Whole(text) => {
            stream.write_all(text.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Answer::Drip(text) => {
            stream.write_all(text.as_bytes()).await.ok()?;
            loop {
                sleep(Duration::from_millis(20)).await;
                stream.write_all(b" ").await.ok()?;
            }
        }
        Answer::Endless(text) => {
            stream.write_all(text.as_bytes()).await.ok()?;
            loop {
                stream.write_all(&[b' '; 1024]).await.ok()?;
            }
        }
    }
}

#[tokio::test]
async fn a_client_is_what_its_document_says() {
    let world = World::new().await;
    let metadata = world.find().await.unwrap();
    assert_eq!(metadata.redirect_uris.as_slice()[0].as_str(), "http://127.0.0.1/cb");
    let asked = world.asked.lock().unwrap()[0].clone();
    let port = world.port;
    assert!(asked.starts_with(&format!("{NAME}\nGET /client.json HTTP/1.1\r\n")), "{asked}");
    assert!(asked.contains(&format!("\r\nhost: {NAME}:{port}\r\n")), "{asked}");
    for header in ["cookie", "authorization", "referer", "accept-encoding"] {
        assert!(!asked.contains(&format!("\r\n{header}:")), "{asked}");
    }
}

#[tokio::test]
async fn no_document_is_looked_for_unless_the_operator_wants_it() {
    let world = World::with(|config| config.client_documents.enabled = false).await;
    assert!(matches!(world.refusal().await, DocumentError::Off));
    assert_eq!(world.documents.metrics().refused.value(), 1);
    assert_eq!(world.lookups.load(Relaxed), 0);
}

#[tokio::test]
async fn hosts_can_be_allowed_and_denied() {
    let allowed = |hosts: &[&str]| hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>();
    for (allow, deny, is_let_in) in [
        (&[][..], &[][..], true),
        (&["app.example"], &[], true),
        (&["example"], &["below.app.example"], true),
        (&["other.example"], &[], false),
        (&[], &["app.example"], false),
        (&["app.example"], &["example"], false),
    ] {
        let world = World::with(|config| {
            config.client_documents.allowed_hosts = allowed(allow);
            config.client_documents.denied_hosts = allowed(deny);
        })
        .await;
        match world.find().await {
            Ok(_) => assert!(is_let_in, "{allow:?} {deny:?}"),
            Err(error) => {
                assert!(matches!(*error, DocumentError::Host) && !is_let_in, "{allow:?} {deny:?}");
                assert_eq!(world.lookups.load(Relaxed), 0);
            }
        }
    }
}

#[test]
fn a_listed_host_stands_for_those_below_it() {
    for (host, is_listed) in [
        ("a.example", true),
        ("a.example.", true),
        ("b.a.example", true),
        ("ba.example", false),
        ("example", false),
        ("a.example.evil.example", false),
    ] {
        assert_eq!(is_at_or_below(host, "a.example"), is_listed, "{host}");
    }
}

#[tokio::test]
async fn a_server_for_others_fetches_nothing_from_this_machine() {
    let issuer = "https://door.example".to_owned();
    let world = World::with(|config| config.server.issuer = issuer).await;
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["1.1.1.1", "127.0.0.1"],
        &["10.0.0.1", "1.1.1.1"],
        &["0.0.0.0"],
        &["100.64.0.1"],
        &["172.16.0.1"],
        &["192.168.0.1"],
        &["169.254.169.254"],
        &["224.0.0.1"],
        &["fd00::1"],
        &["fe80::1"],
        &["ff02::1"],
        &["2002:7f00:1::1"],
        &["2001::1"],
    ] {
        world.lead_to(addresses);
        let refusal = world.refusal().await;
        assert!(matches!(refusal, DocumentError::Fetch(FetchError::NotPublic)), "{addresses:?}");
    }
    let literal: DocumentUrl = format!("https://127.0.0.1:{}/c", world.port).parse().unwrap();
    assert!(world.find_at(&literal).await.is_err());
    assert_eq!(world.requests(), 0);
}

#[tokio::test]
async fn development_reaches_this_machine_and_no_private_network() {
    let world = World::new().await;
    world.lead_to(&["127.0.0.1", "10.0.0.1"]);
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::NotPublic)));
    assert_eq!(world.requests(), 0);
    world.lead_to(&["127.0.0.1"]);
    assert!(world.find().await.is_ok());
}

#[tokio::test]
async fn a_name_is_checked_anew_for_each_connection() {
    let world = World::new().await;
    assert!(world.find().await.is_ok());
    assert_eq!((world.lookups.load(Relaxed), world.requests()), (1, 1));
    // It leads elsewhere the second time, while a connection to the first address could still be open.
    world.seconds_pass(60);
    world.lead_to(&["169.254.169.254"]);
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::NotPublic)));
    assert_eq!((world.lookups.load(Relaxed), world.requests()), (2, 1));
}

#[tokio::test]
async fn nobody_else_can_answer_for_a_host() {
    let world = World::new().await;
    let other = world.url_of("other.example");
    let refusal = world.find_at(&other).await.unwrap_err();
    assert!(matches!(*refusal, DocumentError::Fetch(FetchError::Unreachable(_))), "{refusal:?}");
    assert_eq!(world.requests(), 0, "the certificate is of another name");
}

#[tokio::test]
async fn a_document_behind_a_redirect_or_any_status_but_200_does_not_count() {
    let world = World::new().await;
    for status in [201, 203, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 500, 503] {
        let location = world.url_of(&format!("below.{NAME}"));
        world.answer_with(format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nlocation: {location}\r\n\
             content-length: 0\r\n\r\n"
        ));
        let before = world.requests();
        match world.refusal().await {
            DocumentError::Fetch(FetchError::Status(other)) => assert_eq!(other.as_u16(), status),
            other => panic!("{status}: {other}"),
        }
        assert_eq!(world.requests(), before + 1, "{status}: nothing is followed");
    }
}

#[tokio::test]
async fn a_document_is_json_and_says_so() {
    let world = World::new().await;
    let document = world.document_of(0);
    world.answer_with(format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{document}"));
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::NotJson)));
    world.answer_with(format!("{JSON}content-encoding: gzip\r\n\r\n{document}"));
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::Encoded)));
    // Nothing is unpacked, however much there would be.
    world.answer(Answer::Endless(format!("{JSON}content-encoding: gzip\r\n\r\n")));
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::Encoded)));
    world.answer_with(format!("{JSON}\r\n<html>"));
    let refusal = world.refusal().await;
    assert!(matches!(refusal, DocumentError::Invalid(_)));
    assert_eq!(
        refusal.to_string(),
        "the metadata document is not valid: the body is not JSON: see line 1, column 1"
    );
}

#[tokio::test]
async fn a_document_has_at_most_five_kibibytes() {
    let world = World::new().await;
    world.answer_with(format!("{JSON}\r\n{}", world.document_of(5121)));
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::TooLarge(5120))));
    world.answer(Answer::Endless(format!("{JSON}\r\n{{")));
    assert!(matches!(world.refusal().await, DocumentError::Fetch(FetchError::TooLarge(5120))));
    world.answer_with(format!("{JSON}\r\n{}", world.document_of(5120)));
    assert!(world.find().await.is_ok());
}

#[tokio::test]
async fn a_document_arrives_in_time_or_not_at_all() {
    let world = World::with(|config| config.client_documents.timeout_seconds = 1).await;
    for so_far in ["HTTP/1.1 200 ", &format!("{JSON}x: "), &format!("{JSON}\r\n{{")] {
        world.answer(Answer::Drip(so_far.to_owned()));
        let refusal = world.refusal().await;
        assert!(matches!(refusal, DocumentError::Fetch(FetchError::Late(1))), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_document_is_remembered_as_long_as_its_server_says_within_bounds() {
    for (headers, seconds) in [
        ("", 60),
        ("cache-control: max-age=0\r\n", 60),
        ("cache-control: no-store\r\n", 60),
        ("cache-control: max-age=600\r\n", 600),
        ("cache-control: max-age=600\r\nage: 100\r\n", 500),
        ("cache-control: max-age=315360000\r\n", 86_400),
    ] {
        let world = World::new().await;
        world.publish(headers);
        assert!(world.find().await.is_ok());
        world.seconds_pass(seconds - 1);
        assert!(world.find().await.is_ok());
        assert_eq!(world.requests(), 1, "{headers:?}");
        world.seconds_pass(1);
        assert!(world.find().await.is_ok());
        assert_eq!(world.requests(), 2, "{headers:?}");
    }
}

#[tokio::test]
async fn a_changed_document_is_another_client_to_those_who_gave_consent() {
    let world = World::new().await;
    let before = world.find().await.unwrap();
    let url = world.url();
    let renamed = format!(
        r#"{{"client_id":"{url}","client_name":"B","redirect_uris":["http://127.0.0.1/cb"]}}"#
    );
    world.answer_with(format!("{JSON}\r\n{renamed}"));
    assert_eq!(world.find().await.unwrap(), before);
    world.seconds_pass(60);
    assert_ne!(world.find().await.unwrap(), before);
}

#[tokio::test]
async fn what_went_wrong_is_tried_again_at_once() {
    let world = World::new().await;
    let url = world.url();
    for wrong in [
        "HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 404 X\r\ncache-control: max-age=600\r\ncontent-length: 0\r\n\r\n".to_owned(),
        format!("{JSON}cache-control: max-age=600\r\n\r\n{{\"client_id\":\"{url}\"}}"),
        "nonsense".to_owned(),
    ] {
        world.answer_with(&*wrong);
        assert!(world.find().await.is_err(), "{wrong}");
        world.publish("");
        assert!(world.find().await.is_ok(), "{wrong}");
        world.seconds_pass(60);
    }
}
