//! Every phase of a request, over HTTP/1.1 and HTTP/2, with callers that go on, stall, or vanish: what they hold is
//! bounded, and all of it is free again by the time limit.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use doorward::store::Failure;
use doorward::{config::Config, internet::Internet};
use rustls::{ClientConnection, RootCertStore, version::TLS13};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinSet, LocalSet},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    harness::TestServer,
    http2::{HELD, Http2, OPEN},
    tls::{Files, NAME, client_config},
};

const IN_FLIGHT: &str = "doorward_http_requests_in_flight";
/// Callers at a time.
const CALLERS: u32 = 4;
/// What a caller may hold in any phase, in bytes.
const HELD_EACH: u32 = 600 << 10;
/// Between two things that a caller does who goes on.
const PACE: Duration = Duration::from_millis(100);
/// Longer than all limits together, and shorter than those a server has by default.
const ENOUGH: Duration = Duration::from_secs(9);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Head,
    Body,
    Store,
    OtherServer,
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Does something all the time, and never comes to the end of the phase.
    Open,
    /// Does nothing, and stays.
    Stalled,
    /// Goes away.
    Abandoned,
}

const PHASES: [Phase; 6] =
    [Phase::Handshake, Phase::Head, Phase::Body, Phase::Store, Phase::OtherServer, Phase::Answer];

#[tokio::test]
async fn no_phase_of_a_request_lasts_longer_than_its_limit_or_leaves_anything_behind() {
    let all_at_once = async {
        let mut cases = JoinSet::new();
        for phase in PHASES {
            for version in [Version::Http1, Version::Http2] {
                for manner in [Manner::Open, Manner::Stalled, Manner::Abandoned] {
                    cases.spawn_local(ends(phase, version, manner));
                }
            }
        }
        cases.join_all().await;
    };
    LocalSet::new().run_until(all_at_once).await;
}

/// A server that waits a second for anything, and the address of a document on another one that never answers.
struct Site {
    server: TestServer,
    root: CertificateDer<'static>,
    document: String,
    _files: Files,
    _other: TcpListener,
}

impl Site {
    async fn start() -> Self {
        let files = Files::new();
        let root = files.renew();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = other.local_addr().unwrap().port();
        let names = Arc::new(|_: &str| vec![IpAddr::from([127, 0, 0, 1])]);
        let roots = Arc::new(RootCertStore::empty());
        let config = impatient(files.config());
        let server = TestServer::on(Internet::Staged { names, roots }, config).await;
        server.fail(Failure::Hang);
        let document = format!("https%3A%2F%2Fapp.example%3A{port}%2Fclient.json");
        Self { server, root, document, _files: files, _other: other }
    }

    /// A target that is answered once the other server has answered.
    fn target(&self) -> String {
        let challenge = "A".repeat(43);
        format!(
            "/oauth2/authorize?client_id={}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&response_type=code\
             &code_challenge={challenge}&code_challenge_method=S256",
            self.document
        )
    }
}

fn impatient(mut config: Config) -> Config {
    config.connections.headers_timeout_seconds = 1;
    config.connections.body_timeout_seconds = 1;
    config.connections.request_timeout_seconds = 1;
    config.connections.idle_timeout_seconds = 1;
    config.client_documents.enabled = true;
    config.client_documents.timeout_seconds = 1;
    config.sign_in.local = true;
    config
}

async fn ends(phase: Phase, version: Version, manner: Manner) {
    let site = Site::start().await;
    let case = format!("{phase:?} {version:?} {manner:?}");
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::begin(&site, phase, version).await);
    }
    let server = &site.server;
    server.wait_for_metric(OPEN, f64::from(CALLERS)).await;
    if matches!(phase, Phase::Body | Phase::Store | Phase::OtherServer) {
        server.wait_for_metric(IN_FLIGHT, f64::from(CALLERS)).await;
    }
    if phase != Phase::Handshake {
        server.wait_for_metric(HELD, f64::from(CALLERS)).await;
    }
    let held = server.metric(HELD).await;
    assert!(held <= f64::from(CALLERS * HELD_EACH), "{case}: {held}");

    let mut going_on = JoinSet::new();
    let mut stalled = Vec::new();
    match manner {
        Manner::Open => callers.into_iter().for_each(|mut caller| {
            going_on.spawn(async move {
                while caller.go_on(phase).await.is_ok() {
                    sleep(PACE).await;
                }
            });
        }),
        Manner::Stalled => stalled = callers,
        Manner::Abandoned => drop(callers),
    }
    let over = async {
        for metric in [OPEN, IN_FLIGHT, HELD] {
            server.wait_for_metric_at_most(metric, 0.0).await;
        }
    };
    timeout(ENOUGH, over).await.unwrap_or_else(|_| panic!("{case} does not end"));
    drop((going_on, stalled));
}

/// A caller in one phase of a request.
enum Caller {
    /// In the middle of a handshake, with what is left to send.
    ShakingHands(TcpStream, Vec<u8>),
    Http1(Box<TlsStream<TcpStream>>),
    Http2(Box<Http2>, u32),
}

const HEAD: &str = "host: door.example\r\ncontent-type: application/json\r\n";
const BODY: &str = r#"{"redirect_uris":["https://app.example/cb"]}"#;

impl Caller {
    async fn begin(site: &Site, phase: Phase, version: Version) -> Self {
        match (phase, version) {
            (Phase::Handshake, _) => Self::shaking_hands(site, version).await,
            (_, Version::Http1) => Self::http1(site, phase).await,
            (_, Version::Http2) => Self::http2(site, phase).await,
        }
    }

    async fn shaking_hands(site: &Site, version: Version) -> Self {
        let alpn = if version == Version::Http1 { "http/1.1" } else { "h2" };
        let config = Arc::new(client_config(&site.root, &TLS13, &[alpn]));
        let name = ServerName::try_from(NAME).unwrap();
        let mut hello = Vec::new();
        ClientConnection::new(config, name).unwrap().write_tls(&mut hello).unwrap();
        let rest = hello.split_off(hello.len() / 2);
        let mut stream = connect(site.server.public).await;
        stream.write_all(&hello).await.unwrap();
        Self::ShakingHands(stream, rest)
    }

    async fn http1(site: &Site, phase: Phase) -> Self {
        let config = Arc::new(client_config(&site.root, &TLS13, &["http/1.1"]));
        let name = ServerName::try_from(NAME).unwrap();
        let stream = connect(site.server.public).await;
        let mut stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
        let length = BODY.len();
        let text = match phase {
            Phase::Handshake => unreachable!("it comes before"),
            Phase::Head => "GET /openapi.json HTTP/1.1\r\nx-long: ".to_owned(),
            Phase::Body => format!("POST /register HTTP/1.1\r\n{HEAD}content-length: 9999\r\n\r\n"),
            Phase::Store => {
                format!("POST /register HTTP/1.1\r\n{HEAD}content-length: {length}\r\n\r\n{BODY}")
            }
            Phase::OtherServer => format!("GET {} HTTP/1.1\r\n{HEAD}\r\n", site.target()),
            // As many as no buffer of the system takes.
            Phase::Answer => format!("GET /openapi.json HTTP/1.1\r\n{HEAD}\r\n").repeat(200),
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        Self::Http1(Box::new(stream))
    }

    async fn http2(site: &Site, phase: Phase) -> Self {
        let window = if phase == Phase::Answer { 0 } else { 65_535 };
        let mut caller = Http2::connect(&site.server, &site.root, window).await;
        let stream = match phase {
            Phase::Handshake => unreachable!("it comes before"),
            Phase::Head => caller.half_a_head().await,
            Phase::Body | Phase::Store => caller.ask("POST", "/register", false).await,
            Phase::OtherServer => caller.ask("GET", &site.target(), true).await,
            Phase::Answer => caller.ask("GET", "/openapi.json", true).await,
        };
        let stream = stream.unwrap();
        if phase == Phase::Store {
            caller.body(stream, BODY.as_bytes(), true).await.unwrap();
        }
        Self::Http2(Box::new(caller), stream)
    }

    /// Does something that leads nowhere.
    async fn go_on(&mut self, phase: Phase) -> io::Result<()> {
        match (self, phase) {
            (Self::ShakingHands(stream, rest), _) if rest.len() > 1 => {
                stream.write_all(&[rest.remove(0)]).await
            }
            (Self::Http1(stream), Phase::Head | Phase::Body) => {
                stream.write_all(b"x").await?;
                stream.flush().await
            }
            (Self::Http1(stream), Phase::Answer) => stream.read_u8().await.map(drop),
            (Self::Http2(caller, stream), Phase::Head) => caller.more_of_a_head(*stream).await,
            (Self::Http2(caller, stream), Phase::Body) => caller.body(*stream, b"x", false).await,
            (Self::Http2(caller, stream), Phase::Answer) => {
                caller.take(*stream, 1).await?;
                caller.idle().await
            }
            (Self::Http2(caller, _), _) => {
                caller.ping().await?;
                caller.idle().await
            }
            (Self::ShakingHands(..) | Self::Http1(_), _) => Ok(()),
        }
    }
}

/// A connection whose system buffers little.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}
