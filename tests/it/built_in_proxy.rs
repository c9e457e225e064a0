//! What a client sees of a server behind the built-in proxy, and that server of a client.

mod hostile;
mod seen;
mod streams;
mod tools;
mod upstream;

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use doorward::{
    config::{self, Config, Resource, Sources},
    grant::ResourceIndicator,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use self::upstream::Upstream;
use crate::{
    flow::{self, Client, claims},
    harness::{Answer, TestServer, read_answer},
    traces::{self, Collector},
};

/// The guarded resource.
const RESOURCE: &str = "https://door.example/mcp";
/// A resource that reads tokens itself.
const OTHER_RESOURCE: &str = "https://api.example";
const PATIENCE: Duration = Duration::from_secs(20);

/// A guarded upstream, and a client that may use it.
struct Guarded {
    server: TestServer,
    upstream: Upstream,
    client: Client,
    token: String,
    refresh_token: String,
}

impl Guarded {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With more settings of the guard.
    async fn with(members: &str) -> Self {
        Self::with_settings(members, |_| {}).await
    }

    /// With other settings as well.
    async fn with_settings(members: &str, set: impl FnOnce(&mut Config)) -> Self {
        let upstream = Upstream::start().await;
        let mut config = guarded_config(&upstream, members);
        set(&mut config);
        let server = TestServer::with(config).await;
        let client = Client::register(&server).await;
        let (token, refresh_token) = tokens(&server, &client).await;
        Self { server, upstream, client, token, refresh_token }
    }

    /// Sends raw bytes, in which `{token}` stands for the token, and reads one answer.
    async fn send(&self, request: &str) -> Answer {
        let mut connection = self.open(request).await;
        let is_head = request.starts_with("HEAD ");
        timeout(PATIENCE, read_answer(&mut connection, is_head)).await.expect("there is an answer")
    }

    async fn open(&self, request: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.server.public).await.unwrap();
        let request = request.replace("{token}", &self.token);
        connection.write_all(request.as_bytes()).await.unwrap();
        connection
    }

    /// A request with the token.
    async fn get(&self, target: &str, headers: &str) -> Answer {
        self.send(&format!(
            "GET {target} HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n{headers}\r\n"
        ))
        .await
    }

    async fn post(&self, target: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "POST {target} HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        ))
        .await
    }

    /// Ends the grant, as the client does.
    async fn revoke(&self) {
        assert_eq!(self.client.revoke(&self.server, &self.refresh_token).await.status, 200);
    }
}

fn guarded_config(upstream: &Upstream, members: &str) -> Config {
    let mut config = flow::config();
    config.authorization.resources = vec![resource(&format!(
        "upstream = \"http://{}/mcp\", required_scopes = [\"tools:read\"]{members}",
        upstream.address
    ))];
    let other = ResourceIndicator::parse(OTHER_RESOURCE).unwrap();
    let other = Resource { uri: other, name: None, id: None, secret_sha256: None, guard: None };
    config.authorization.resources.push(other);
    config
}

/// The guarded resource with these members of its guard.
fn resource(guard: &str) -> Resource {
    let resources = format!("[{{ uri = \"{RESOURCE}\", guard = {{ id = \"tools\", {guard} }} }}]");
    let flags = vec![("authorization.resources", resources)];
    let loaded = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
    loaded.authorization.resources.into_iter().next().unwrap()
}

/// An access token and a refresh token for the resource.
async fn tokens(server: &TestServer, client: &Client) -> (String, String) {
    let request = client.request().and("scope", "tools:read").and("resource", RESOURCE);
    let tokens = flow::tokens(server, client, &request).await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// The only value of a header that the upstream understood.
fn header<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    let headers = report["headers"].as_array().unwrap();
    let mut values = headers.iter().filter(|pair| pair[0] == name);
    let value = values.next().map(|pair| pair[1].as_str().unwrap());
    assert!(values.next().is_none(), "{name} arrived twice");
    value
}

#[tokio::test]
async fn an_allowed_request_reaches_the_upstream_with_identity_and_without_the_token() {
    let guarded =
        Guarded::with(", identity_headers = { subject = \"X-User\", scope = \"X-Scope\" }").await;
    let answer = guarded.post("/mcp/sub?x=%20y", "x-own: 1\r\n", "{\"a\":1}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let report = answer.json();
    assert_eq!((&report["method"], &report["target"]), (&json!("POST"), &json!("/mcp/sub?x=%20y")));
    assert_eq!(report["body"], "{\"a\":1}");
    let subject = claims(&guarded.token)["sub"].as_str().unwrap().to_owned();
    assert_eq!(header(&report, "x-user"), Some(&*subject));
    assert_eq!(header(&report, "x-scope"), Some("tools:read"));
    assert_eq!(header(&report, "x-own"), Some("1"));
    assert_eq!(header(&report, "host"), Some(&*guarded.upstream.address.to_string()));
    assert_eq!(header(&report, "authorization"), None);
    assert!(!report.to_string().contains(&guarded.token));
    let assertion = claims(header(&report, "doorward-assertion").unwrap());
    assert_eq!(assertion["aud"], RESOURCE);
    assert_eq!(assertion["sub"], subject);
    assert_eq!(assertion["client_id"], guarded.client.id);
    let lifetime = assertion["exp"].as_u64().unwrap() - assertion["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 60);
    assert_eq!(header(&report, "x-request-id"), answer.header("x-request-id"));
    assert_eq!(answer.headers("set-cookie"), ["own=1"]);
}

#[tokio::test]
async fn a_request_without_a_valid_token_is_challenged_and_never_reaches_the_upstream() {
    let guarded = Guarded::start().await;
    let metadata = "https://door.example/.well-known/oauth-protected-resource/mcp";
    let expected = format!("Bearer resource_metadata=\"{metadata}\", scope=\"tools:read\"");
    let answer = guarded.send("POST /mcp HTTP/1.1\r\nhost: door.example\r\n\r\n").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(&*expected));
    let assertion = guarded.get("/mcp", "").await.json();
    let assertion = header(&assertion, "doorward-assertion").unwrap().to_owned();
    let before = guarded.upstream.requests();
    let other = Client::register(&guarded.server).await;
    let request = other.request().and("scope", "tools:read").and("resource", OTHER_RESOURCE);
    let elsewhere = flow::tokens(&guarded.server, &other, &request).await;
    let of_another_resource = elsewhere["access_token"].as_str().unwrap();
    for authorization in [
        "Bearer x",
        "Basic eA==",
        "Bearer",
        &format!("Bearer {assertion}"),
        &format!("Bearer {of_another_resource}"),
        &format!("Bearer {}x", guarded.token),
    ] {
        let request = format!(
            "GET /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: {authorization}\r\n\r\n"
        );
        let answer = guarded.send(&request).await;
        assert_eq!(answer.status, 401, "{authorization}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    assert_eq!(guarded.upstream.requests(), before);
}

#[tokio::test]
async fn a_revoked_or_expired_token_is_refused_at_the_next_request() {
    let guarded = Guarded::start().await;
    assert_eq!(guarded.get("/mcp", "").await.status, 200);
    guarded.revoke().await;
    assert_eq!(guarded.get("/mcp", "").await.status, 401);

    let guarded = Guarded::start().await;
    guarded.server.clock.advance(Duration::from_secs(901));
    assert_eq!(guarded.get("/mcp", "").await.status, 401);
}

#[tokio::test]
async fn a_session_goes_on_for_its_holder_alone() {
    let guarded = Guarded::start().await;
    let answer = guarded.post("/mcp", "", "{}").await;
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    assert!(session.starts_with("of-the-upstream."), "{session}");
    let line = format!("mcp-session-id: {session}\r\n");
    let report = guarded.post("/mcp", &line, "{}").await.json();
    assert_eq!(header(&report, "mcp-session-id"), Some("of-the-upstream"));

    let other = Client::register(&guarded.server).await;
    let (token, _) = tokens(&guarded.server, &other).await;
    let guarded = Guarded { token, client: other, ..guarded };
    let before = guarded.upstream.requests();
    for session in [&*session, "of-the-upstream", "of-the-upstream."] {
        let answer = guarded.post("/mcp", &format!("mcp-session-id: {session}\r\n"), "{}").await;
        assert_eq!(answer.status, 404, "{session}");
    }
    assert_eq!(guarded.upstream.requests(), before);
    // MCP 2026-07-28 has no sessions, and servers ignore the header.
    let line = format!("mcp-protocol-version: 2026-07-28\r\nmcp-session-id: {session}\r\n");
    let report = guarded.post("/mcp", &line, "{}").await.json();
    assert_eq!(header(&report, "mcp-session-id"), None);
}

#[tokio::test]
async fn a_redirect_passes_and_is_not_followed() {
    let guarded = Guarded::start().await;
    let answer = guarded.get("/mcp/redirect", "").await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("http://127.0.0.1:1/x")));
}

#[tokio::test]
async fn scripts_of_allowed_origins_alone_may_send_requests() {
    let guarded = Guarded::with(", origins = [\"https://app.example.com\"]").await;
    let preflight = "OPTIONS /mcp HTTP/1.1\r\nhost: door.example\r\norigin: https://app.example.com\r\n\
        access-control-request-method: POST\r\n\
        access-control-request-headers: authorization, mcp-session-id, x-other\r\n\r\n";
    let answer = guarded.send(preflight).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    let allowed = answer.header("access-control-allow-headers");
    assert_eq!(allowed, Some("authorization, mcp-session-id"));
    assert_eq!(guarded.upstream.requests(), 0);
    let answer = guarded.get("/mcp", "origin: https://app.example.com\r\n").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Mcp-Session-Id"));
    let answer = guarded.get("/mcp", "origin: https://evil.example\r\n").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(guarded.upstream.requests(), 1);
}

#[tokio::test]
async fn an_upstream_that_is_slow_or_gone_costs_its_own_callers_only() {
    let guarded = Guarded::with(", first_byte_timeout_seconds = 1").await;
    let waiting = guarded.open(
        "GET /mcp/silent HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\
         mcp-protocol-version: 2025-11-25\r\n\r\n",
    );
    let mut waiting = waiting.await;
    Client::register(&guarded.server).await;
    let answer = timeout(PATIENCE, read_answer(&mut waiting, false)).await.unwrap();
    assert_eq!(answer.status, 504, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["data"]["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(guarded.upstream.requests(), 1, "nothing is repeated");

    let mut config = guarded_config(&guarded.upstream, "");
    config.authorization.resources =
        vec![resource("upstream = \"http://127.0.0.1:1/mcp\", required_scopes = [\"tools:read\"]")];
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let (token, refresh_token) = tokens(&server, &client).await;
    let gone = Guarded { server, client, token, refresh_token, ..guarded };
    let answer = gone.get("/mcp", "").await;
    assert_eq!((answer.status, &answer.json()["error"]), (502, &json!("upstream_unavailable")));
}

#[tokio::test]
async fn a_body_reaches_the_upstream_within_its_bound() {
    let guarded = Guarded::with(", body_max = 2048").await;
    let fits = "x".repeat(2_048);
    let report = guarded.post("/mcp", "", &fits).await.json();
    assert_eq!(report["body"], fits);
    let before = guarded.upstream.requests();
    assert_eq!(guarded.post("/mcp", "", &"x".repeat(2_049)).await.status, 413);
    let chunked = |size: usize| {
        format!(
            "POST /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n\
             transfer-encoding: chunked\r\n\r\n{size:x}\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n",
            "x".repeat(size)
        )
    };
    assert_eq!(guarded.send(&chunked(2_049)).await.status, 413);
    assert_eq!(guarded.upstream.requests(), before);
    let report = guarded.send(&chunked(2_048)).await.json();
    assert_eq!((&report["body"], header(&report, "x-trailer")), (&json!(fits), None));
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_gets_it() {
    let guarded = Guarded::start().await;
    let mut connection = guarded
        .open(
            "POST /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\
             expect: 100-continue\r\ncontent-length: 2\r\n\r\n",
        )
        .await;
    let mut leave = [0; 25];
    timeout(PATIENCE, connection.read_exact(&mut leave)).await.unwrap().unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(b"{}").await.unwrap();
    let answer = timeout(PATIENCE, read_answer(&mut connection, false)).await.unwrap();
    assert_eq!(answer.json()["body"], "{}");
    assert_eq!(guarded.upstream.counts.requests.load(SeqCst), 1);
}

#[tokio::test]
async fn the_upstream_learns_of_the_trace_and_never_of_a_strangers() {
    let collector = Collector::start().await;
    let guarded = Guarded::with_settings("", |config| collector.set(config)).await;
    let sent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=1\r\n";
    let report = guarded.get("/mcp?secret=hush", sent).await.json();

    let request = collector.span("GET guarded").await;
    let spans = collector.spans();
    let below = spans.iter().find(|span| span.name == "GET" && span.trace_id == request.trace_id);
    let below = below.expect("the request to the upstream has a span");
    assert_eq!(below.parent_span_id, request.span_id);
    let traceparent =
        format!("00-{}-{}-01", traces::hex(&request.trace_id), traces::hex(&below.span_id));
    assert_eq!(header(&report, "traceparent"), Some(&*traceparent));
    assert_eq!(header(&report, "tracestate"), None);
    assert_eq!(traces::attribute(below, "http.response.status_code").as_deref(), Some("200"));
    assert!(!format!("{spans:?}").contains("hush"));
}
