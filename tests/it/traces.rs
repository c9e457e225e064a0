//! Traces, as a collector of OpenTelemetry gets them, on real sockets. The messages are read by the official crate.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use doorward::config::{Config, Sources};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::harness::{TestServer, config, until};

const CLIENT: &str =
    r#"{"client_name":"Traced","redirect_uris":["http://localhost:8765/callback"]}"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// How a collector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Reject,
    Never,
}

/// What a collector was sent.
#[derive(Clone, Debug)]
struct Got {
    head: String,
    bytes: Vec<u8>,
}

impl Got {
    fn message(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&self.bytes[..]).unwrap()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.message().resource_spans.into_iter();
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

/// A collector, by OTLP over HTTP.
pub(crate) struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Mutex<Answer>>,
    _running: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got, answer) = (Arc::default(), Arc::new(Mutex::new(Answer::Accept)));
        let (all, says) = (Arc::clone(&got), Arc::clone(&answer));
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                connections.spawn(receive(connection, Arc::clone(&all), Arc::clone(&says)));
            }
        });
        Self { address, got, answer, _running: running }
    }

    /// Has a server send its spans here, soon.
    pub(crate) fn set(&self, config: &mut Config) {
        config.traces = self.settings("");
    }

    fn settings(&self, more: &str) -> doorward::config::TracesConfig {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("doorward.toml");
        let toml = format!(
            "[traces]\nendpoint = \"http://{}/v1/traces\"\ndelay_milliseconds = 20\n{more}\n",
            self.address
        );
        std::fs::write(&file, toml).unwrap();
        let sources = Sources { dev: true, files: vec![file], ..Sources::default() };
        doorward::config::load(sources).unwrap().traces
    }

    fn says(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.got().iter().flat_map(Got::spans).collect()
    }

    /// Waits for the span with this name; spans below it have come before it.
    pub(crate) async fn span(&self, name: &str) -> Span {
        until(async || self.spans().into_iter().find(|span| span.name == name)).await
    }
}

async fn receive(mut connection: TcpStream, all: Arc<Mutex<Vec<Got>>>, says: Arc<Mutex<Answer>>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let read = connection.read(&mut piece).await.unwrap_or_default();
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if bytes.len() - end - 4 == length.unwrap().parse::<usize>().unwrap() {
            break (head, bytes.split_off(end + 4));
        }
    };
    let answer = *says.lock().unwrap();
    let status = match answer {
        Answer::Accept => "200 OK",
        Answer::Reject => "400 Bad Request",
        Answer::Never => return sleep(Duration::from_mins(10)).await,
    };
    if answer == Answer::Accept {
        all.lock().unwrap().push(Got { head, bytes: body });
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let _written = connection.write_all(answer.as_bytes()).await;
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        attributes.iter().map(|it| (it.key.clone(), text(it.value.as_ref()))).collect();
    all.sort();
    all
}

/// An attribute of a span.
pub(crate) fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(text(found.value.as_ref()))
}

async fn traced(more: &str) -> (Collector, TestServer) {
    let collector = Collector::start().await;
    let mut config = config();
    config.traces = collector.settings(more);
    (collector, TestServer::with(config).await)
}

async fn register_with(server: &TestServer, headers: &str) {
    let length = CLIENT.len();
    let request = format!(
        "POST /register HTTP/1.1\r\nhost: door.example\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n{CLIENT}"
    );
    assert_eq!(server.exchange(&request).await.status, 201);
}

#[tokio::test]
async fn a_request_is_a_server_span_by_the_conventions_with_the_change_below_it() {
    let (collector, server) = traced("service_name = \"front-door\"").await;
    let answer = server.post("/register", CLIENT).await;
    let span = collector.span("POST /register").await;

    assert_eq!(span.kind(), SpanKind::Server);
    assert!(span.parent_span_id.is_empty() && span.status.is_none_or(|status| status.code == 0));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    let id = answer.json()["client_id"].as_str().unwrap().to_owned();
    let expected = [
        ("doorward.client_id", &*id),
        ("doorward.outcome", "accepted"),
        ("doorward.request_id", answer.header("x-request-id").unwrap()),
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.route", "/register"),
        ("network.protocol.version", "1.1"),
        ("server.address", "127.0.0.1"),
        ("server.port", "8080"),
        ("url.path", "/register"),
        ("url.scheme", "http"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(texts(&span.attributes), expected);

    let change = collector.span("store register_client").await;
    assert_eq!(change.parent_span_id, span.span_id);
    assert_eq!(change.trace_id, span.trace_id);
    assert_eq!(attribute(&change, "db.operation.name").as_deref(), Some("register_client"));

    let got = &collector.got()[0];
    assert!(got.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", got.head);
    assert!(got.head.contains("content-type: application/x-protobuf"), "{}", got.head);
    let resource = got.message().resource_spans[0].resource.clone().unwrap();
    let resource = texts(&resource.attributes);
    let value = |wanted: &str| {
        resource.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    assert_eq!(value("service.name"), Some("front-door"));
    assert_eq!(value("service.version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(value("telemetry.sdk.language"), Some("rust"));
    server.stop().await;
}

#[tokio::test]
async fn a_trusted_proxys_trace_continues_and_a_strangers_becomes_a_link() {
    let sent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1\r\n");
    let (collector, server) = traced("").await;
    register_with(&server, &sent).await;
    let span = collector.span("POST /register").await;
    assert!(span.parent_span_id.is_empty());
    assert_ne!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.links[0].trace_id), TRACE);
    server.stop().await;

    let mut trusting = config();
    trusting.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let collector = Collector::start().await;
    collector.set(&mut trusting);
    let server = TestServer::with(trusting).await;
    register_with(&server, &sent).await;
    let span = collector.span("POST /register").await;
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert!(span.links.is_empty());
    server.stop().await;
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[tokio::test]
async fn the_sampler_decides_and_a_stranger_does_not() {
    for (sampler, trusts, flag, is_traced) in [
        ("always_off", true, "01", false),
        ("parentbased_always_off", false, "01", false),
        ("parentbased_always_off", true, "01", true),
        ("parentbased_always_on", true, "00", false),
        ("parentbased_always_on", false, "00", true),
        ("traceidratio", false, "01", false),
    ] {
        let collector = Collector::start().await;
        let mut config = config();
        config.traces = collector.settings(&format!("sampler = \"{sampler}\"\nsampler_ratio = 0"));
        if trusts {
            config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        }
        let server = TestServer::with(config).await;
        register_with(&server, &format!("traceparent: 00-{TRACE}-{PARENT}-{flag}\r\n")).await;
        // The server sends what waits before it has stopped.
        server.stop().await;
        let case = (sampler, trusts, flag);
        assert_eq!(!collector.spans().is_empty(), is_traced, "{case:?}");
    }
}

#[tokio::test]
async fn no_span_holds_a_path_a_query_or_a_header_of_a_caller() {
    let (collector, server) = traced("").await;
    for request in [
        "GET /hush-path?hush=query HTTP/1.1\r\nhost: hush.example\r\n",
        "GET /register/hush-id?hush=query HTTP/1.1\r\nhost: hush.example\r\n",
        "HUSH /register HTTP/1.1\r\nhost: hush.example\r\n",
        "GET /authorize?client_id=hush&state=hush HTTP/1.1\r\nhost: hush.example\r\n",
    ] {
        let request = format!(
            "{request}authorization: Bearer hush\r\nuser-agent: hush\r\ncookie: hush=hush\r\n\
             tracestate: hush=hush\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n"
        );
        drop(server.exchange_undescribed(&request).await);
    }
    register_with(&server, "x-request-id: hush\r\n").await;
    collector.span("POST /register").await;
    server.stop().await;

    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    for name in ["GET unknown", "HTTP /register"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for span in spans {
        let span = Span { links: Vec::new(), ..span };
        let has_hush = format!("{span:?}").to_lowercase().contains("hush");
        assert!(!has_hush, "{span:?}");
    }
}

#[tokio::test]
async fn a_failure_of_the_server_is_an_error_of_its_span_and_a_refusal_is_not() {
    let (collector, server) = traced("").await;
    assert_eq!(server.post("/register", "{}").await.status, 400);
    let refused = collector.span("POST /register").await;
    assert_eq!(
        attribute(&refused, "doorward.error_code").as_deref(),
        Some("invalid_client_metadata")
    );
    assert!(refused.status.is_none_or(|status| status.code == 0));

    server.fail(doorward::store::Failure::Unavailable);
    assert_eq!(server.post("/register", CLIENT).await.status, 503);
    let failed = until(async || {
        collector.spans().into_iter().find(|span| attribute(span, "error.type").is_some())
    });
    let failed = failed.await;
    assert_eq!(attribute(&failed, "error.type").as_deref(), Some("503"));
    assert_eq!(failed.status.unwrap().code, 2);
}

#[tokio::test]
async fn a_collector_that_is_silent_delays_no_request_and_what_does_not_fit_is_counted() {
    let (collector, server) =
        traced("queue_max = 4\nbatch_max = 2\ntimeout_milliseconds = 600").await;
    collector.says(Answer::Never);
    let began = Instant::now();
    for _ in 0..40 {
        register_with(&server, "").await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    server.wait_for_metric("doorward_trace_spans_total{outcome=\"dropped\"}", 1.0).await;
    assert!(server.metric("doorward_trace_spans_waiting").await <= 8.0);
    server.wait_for_metric("doorward_trace_spans_total{outcome=\"failed\"}", 1.0).await;

    collector.says(Answer::Reject);
    let before = server.metric("doorward_trace_spans_total{outcome=\"failed\"}").await;
    register_with(&server, "").await;
    server.wait_for_metric("doorward_trace_spans_total{outcome=\"failed\"}", before + 1.0).await;

    collector.says(Answer::Accept);
    server.wait_for_metric_at_most("doorward_trace_spans_waiting", 0.0).await;
    register_with(&server, "").await;
    server.wait_for_metric("doorward_trace_spans_total{outcome=\"exported\"}", 1.0).await;
    server.stop().await;
}

#[tokio::test]
async fn the_collector_gets_the_headers_of_the_settings() {
    let (collector, server) = traced("headers = \"api-key=a%20b,x-tenant=42\"").await;
    register_with(&server, "").await;
    collector.span("POST /register").await;
    let head = collector.got()[0].head.clone();
    assert!(head.contains("api-key: a b") && head.contains("x-tenant: 42"), "{head}");
    server.stop().await;
}
