//! HTTP/2 frame by frame: callers that never take their answers, and floods of every kind of frame.

use std::time::Duration;

use doorward::config::Config;
use rustls::version::TLS13;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    harness::TestServer,
    tls::{Files, NAME, client_config},
};

pub(crate) const HELD: &str = "doorward_connections_held_bytes";
pub(crate) const OPEN: &str = "doorward_connections_open";
const IN_FLIGHT: &str = "doorward_http_requests_in_flight";
const TOO_SLOW: &str = "doorward_connections_closed_total{reason=\"too_slow\"}";
const HELD_TOO_MUCH: &str = "doorward_connections_closed_total{reason=\"held_too_much\"}";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const REFUSED_STREAM: u32 = 7;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A caller that sends the frames it is told to, and no others.
pub(crate) struct Http2 {
    stream: TlsStream<tokio::net::TcpStream>,
    next: u32,
}

impl Http2 {
    /// A connection on which each stream may bring `window` bytes.
    pub(crate) async fn connect(
        server: &TestServer,
        root: &CertificateDer<'static>,
        window: u32,
    ) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let connection = socket.connect(server.public).await.unwrap();
        let connector =
            TlsConnector::from(std::sync::Arc::new(client_config(root, &TLS13, &["h2"])));
        let name = ServerName::try_from(NAME).unwrap();
        let stream = connector.connect(name, connection).await.unwrap();
        let mut caller = Self { stream, next: 1 };
        caller.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend(window.to_be_bytes());
        caller.send(SETTINGS, 0, 0, &settings).await.unwrap();
        caller
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }

    /// Begins a request; its stream.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        is_whole: bool,
    ) -> io::Result<u32> {
        let fields =
            [(":method", method), (":path", path), (":scheme", "https"), (":authority", NAME)];
        let mut block: Vec<u8> =
            fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        if method == "POST" {
            block.extend(field("content-type", "application/json"));
        }
        let flags = END_HEADERS | if is_whole { END_STREAM } else { 0 };
        let stream = self.next;
        self.next += 2;
        self.send(HEADERS, flags, stream, &block).await.map(|()| stream)
    }

    /// Begins a head that more must follow.
    pub(crate) async fn half_a_head(&mut self) -> io::Result<u32> {
        self.send(HEADERS, 0, 1, &field(":method", "GET")).await.map(|()| 1)
    }

    /// A little more of it.
    pub(crate) async fn more_of_a_head(&mut self, stream: u32) -> io::Result<()> {
        self.send(CONTINUATION, 0, stream, &field("x", "x")).await
    }

    /// Part of the body of a request.
    pub(crate) async fn body(
        &mut self,
        stream: u32,
        bytes: &[u8],
        is_last: bool,
    ) -> io::Result<()> {
        self.send(DATA, if is_last { END_STREAM } else { 0 }, stream, bytes).await
    }

    pub(crate) async fn ping(&mut self) -> io::Result<()> {
        self.send(PING, 0, 0, &[0; 8]).await
    }

    /// Lets `count` more bytes come.
    pub(crate) async fn take(&mut self, stream: u32, count: u32) -> io::Result<()> {
        self.send(WINDOW_UPDATE, 0, stream, &count.to_be_bytes()).await
    }

    /// The next frame; PING and SETTINGS are answered, as any library does.
    async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await?;
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            match frame.kind {
                PING if frame.flags & ACK == 0 => self.send(PING, ACK, 0, &frame.payload).await?,
                PING | WINDOW_UPDATE => {}
                SETTINGS if frame.flags & ACK != 0 => {}
                SETTINGS => {
                    self.send(SETTINGS, ACK, 0, &[]).await?;
                    return Ok(frame);
                }
                _ => return Ok(frame),
            }
        }
    }

    /// Reads until a frame is of this kind and stream.
    async fn until(&mut self, kind: u8, stream: u32) -> io::Result<Frame> {
        loop {
            let frame = self.frame().await?;
            if (frame.kind, frame.stream) == (kind, stream) {
                return Ok(frame);
            }
        }
    }

    /// Reads what comes within a moment, as a library does in the background.
    pub(crate) async fn idle(&mut self) -> io::Result<()> {
        match timeout(Duration::from_millis(50), self.frame()).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(frame)) if frame.kind == GOAWAY => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }
}

/// A header that is in no table, without compression (RFC 7541 §6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        match text.len() {
            length @ 0..127 => field.push(u8::try_from(length).unwrap()),
            length => {
                field.push(127);
                let mut rest = length - 127;
                while rest >= 128 {
                    field.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                field.push(u8::try_from(rest).unwrap());
            }
        }
        field.extend(text.as_bytes());
    }
    field
}

/// Settings under which a caller may take a second for an answer, and its certificate.
fn impatient() -> (Files, CertificateDer<'static>, Config) {
    let files = Files::new();
    let root = files.renew();
    let mut config = files.config();
    config.connections.body_timeout_seconds = 1;
    (files, root, config)
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_the_connection_whatever_else_the_caller_sends() {
    let (_files, root, config) = impatient();
    let server = TestServer::with(config).await;
    let mut caller = Http2::connect(&server, &root, 0).await;
    caller.ask("GET", "/openapi.json", true).await.unwrap();
    server.wait_for_metric(HELD, 10_000.0).await;

    // Everything but the body is taken: pings are answered, and other requests end.
    let dawdling = async {
        while caller.ping().await.is_ok()
            && caller.ask("HEAD", "/openapi.json", true).await.is_ok()
            && caller.idle().await.is_ok()
        {}
    };
    timeout(Duration::from_secs(15), dawdling).await.expect("the connection ends");

    server.wait_for_metric(TOO_SLOW, 1.0).await;
    server.wait_for_metric_at_most(OPEN, 0.0).await;
    server.wait_for_metric_at_most(HELD, 0.0).await;
}

#[tokio::test]
async fn a_caller_that_takes_each_answer_in_time_keeps_its_connection() {
    let (_files, root, mut config) = impatient();
    config.connections.body_timeout_seconds = 3;
    let server = TestServer::with(config).await;
    let mut caller = Http2::connect(&server, &root, 0).await;
    for _ in 0..4 {
        let stream = caller.ask("GET", "/openapi.json", true).await.unwrap();
        caller.until(HEADERS, stream).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        caller.take(stream, 1 << 20).await.unwrap();
        caller.take(0, 1 << 20).await.unwrap();
        while caller.until(DATA, stream).await.unwrap().flags & END_STREAM == 0 {}
        server.wait_for_metric_at_most(HELD, 0.0).await;
    }
}

#[tokio::test]
async fn a_connection_has_16_requests_in_flight_and_untaken_answers_are_among_them() {
    let (_files, root, config) = impatient();
    let server = TestServer::with(config).await;
    let mut caller = Http2::connect(&server, &root, 0).await;
    let settings = caller.until(SETTINGS, 0).await.unwrap().payload;
    let entry = [&MAX_CONCURRENT_STREAMS.to_be_bytes()[..], &16_u32.to_be_bytes()].concat();
    assert!(settings.chunks(6).any(|setting| setting == entry), "{settings:?}");
    for _ in 0..16 {
        let stream = caller.ask("GET", "/openapi.json", true).await.unwrap();
        caller.until(HEADERS, stream).await.unwrap();
    }
    let stream = caller.ask("GET", "/openapi.json", true).await.unwrap();
    let refused = caller.until(RST_STREAM, stream).await.unwrap();
    assert_eq!(refused.payload, REFUSED_STREAM.to_be_bytes());
}

#[tokio::test]
async fn all_answers_being_sent_are_bounded_and_those_who_take_theirs_are_served() {
    const MIB: f64 = 1_048_576.0;
    let (_files, root, mut config) = impatient();
    config.connections.body_timeout_seconds = 600;
    config.connections.answer_bytes_max = 2 << 20;
    let server = TestServer::with(config).await;
    let mut callers = Vec::new();
    for _ in 0..12 {
        let mut caller = Http2::connect(&server, &root, 0).await;
        for _ in 0..8 {
            // It may have been closed for what its neighbors hold.
            drop(caller.ask("GET", "/openapi.json", true).await);
        }
        drop(caller.idle().await);
        callers.push(caller);
        assert!(server.metric(HELD).await <= MIB / 2.0, "what one source may hold");
    }
    server.wait_for_metric(HELD_TOO_MUCH, 6.0).await;

    let mut caller = Http2::connect(&server, &root, 1 << 20).await;
    // The answer is larger than the window of a connection is at first.
    caller.take(0, 1 << 20).await.unwrap();
    let stream = caller.ask("GET", "/openapi.json", true).await.unwrap();
    while caller.until(DATA, stream).await.unwrap().flags & END_STREAM == 0 {}
    drop(callers);
    server.wait_for_metric_at_most(HELD, 0.0).await;
}

#[tokio::test]
async fn a_flood_of_frames_ends_or_leaves_nothing_behind() {
    let (_files, root, mut config) = impatient();
    config.connections.headers_timeout_seconds = 1;
    let server = TestServer::with(config).await;
    let post = || field(":method", "POST");

    // A head without end.
    let mut caller = Http2::connect(&server, &root, 65_535).await;
    caller.send(HEADERS, 0, 1, &post()).await.unwrap();
    let mut sent = 0;
    while caller.send(CONTINUATION, 0, 1, &field("x", &"x".repeat(8_000))).await.is_ok() {
        sent += 8_000;
        assert!(sent < 64 << 20, "a head without end is read for ever");
    }

    // A head with many headers that take more room than they have bytes.
    let mut caller = Http2::connect(&server, &root, 65_535).await;
    let stream = caller.ask("GET", "/nothing", true).await.unwrap();
    caller.until(HEADERS, stream).await.unwrap();
    let many: Vec<u8> = std::iter::repeat_n(field("x", ""), 4_000).flatten().collect();
    let fields = [post(), field(":path", "/register"), field(":scheme", "https"), many].concat();
    caller.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields).await.unwrap();
    drop(timeout(Duration::from_secs(10), caller.frame()).await.expect("there is an answer"));
    let refused = "doorward_registrations_total{profile=\"rfc7591\",outcome=\"refused\"}";
    assert!(server.metric(refused).await < 0.5, "no endpoint sees such a head");

    // Requests that are given up at once.
    let mut caller = Http2::connect(&server, &root, 65_535).await;
    for _ in 0..2_000 {
        let Ok(stream) = caller.ask("POST", "/register", false).await else { break };
        if caller.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await.is_err() {
            break;
        }
    }
    drop(caller);

    // Frames that are answered, by a caller that never reads.
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut caller = Http2::connect(&server, &root, 65_535).await;
        let flood = async { while caller.send(kind, 0, 0, payload).await.is_ok() {} };
        timeout(Duration::from_secs(30), flood).await.expect("a flood ends");
    }
    server.wait_for_metric_at_most(IN_FLIGHT, 0.0).await;
    server.wait_for_metric_at_most(HELD, 0.0).await;
    server.wait_for_metric_at_most(OPEN, 0.0).await;
}
