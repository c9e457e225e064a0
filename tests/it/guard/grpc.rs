//! Questions over gRPC, as Envoy sends them, on HTTP/2 without TLS. The messages are written anew here, so that a wrong
//! number in those of the server shows.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    Request,
    body::{Body, Frame},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use super::{DIALECTS, asking, bearer, config, guard, listening, rows, token, told};
use crate::{
    granted::{NOTES, TOOLS},
    harness::{Answer, TestServer, exchange, read_end},
};

#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, optional, tag = "4")]
    request: Option<Timed>,
    #[prost(map = "string, string", tag = "10")]
    extensions: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Timed {
    #[prost(message, optional, tag = "2")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
struct Http {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(message, optional, tag = "13")]
    raw: Option<Raw>,
}

#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(int32, tag = "3")]
    append_action: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    ok: Option<Allowed>,
}

#[derive(Clone, PartialEq, Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<Set>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, Message)]
struct Allowed {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<Set>,
    #[prost(string, repeated, tag = "5")]
    removed: Vec<String>,
}

/// The headers of lines. Envoy joins those of one name with commas, unless it sends them raw.
fn headers(lines: &str, is_raw: bool) -> (HashMap<String, String>, Option<Raw>) {
    let pairs = lines.lines().filter_map(|line| line.split_once(": "));
    let pairs = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    if is_raw {
        let headers = pairs.map(|(key, value)| Header {
            key,
            value: String::new(),
            raw_value: value.into_bytes(),
        });
        return (HashMap::new(), Some(Raw { headers: headers.collect() }));
    }
    let mut joined: HashMap<String, String> = HashMap::new();
    for (name, value) in pairs {
        let before = joined.remove(&name);
        joined.insert(name, before.map_or(value.clone(), |before| format!("{before},{value}")));
    }
    (joined, None)
}

fn question(line: &str, lines: &str, extensions: &[(&str, &str)], is_raw: bool) -> Question {
    let (method, path) = line.split_once(' ').unwrap();
    let pseudo = format!(":method: {method}\r\n:path: {path}\r\n:authority: tools.example\r\n");
    let (headers, raw) = headers(&format!("{pseudo}{lines}"), is_raw);
    let http = Http {
        method: method.to_owned(),
        headers,
        path: path.to_owned(),
        host: "tools.example".to_owned(),
        raw,
    };
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let extensions = extensions.iter().map(pair).collect();
    let request = Some(Timed { http: Some(http) });
    Question { attributes: Some(Attributes { request, extensions }) }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// Sends a body to the method; the status of HTTP, the status of gRPC in the head, and the body.
async fn call(address: SocketAddr, body: Vec<u8>) -> (u16, Option<String>, Vec<u8>) {
    // A client needs one, even where it speaks no TLS.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{address}/envoy.service.auth.v3.Authorization/Check");
    let request =
        client.post(url).header("content-type", "application/grpc").header("te", "trailers");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    let failed = answer.headers().get("grpc-status").map(|it| it.to_str().unwrap().to_owned());
    (answer.status().as_u16(), failed, answer.bytes().await.unwrap().to_vec())
}

/// What Envoy does upon the answer, as an answer over HTTP; `x-removed` has the headers that it removes.
async fn ask(address: SocketAddr, question: &Question) -> Answer {
    let (status, failed, body) = call(address, framed(&question.encode_to_vec())).await;
    assert_eq!((status, failed), (200, None));
    assert_eq!(body[0], 0);
    let reply = Reply::decode(&body[5..]).unwrap();
    let pairs = |headers: Vec<Set>| -> Vec<(String, String)> {
        let pair = |set: Set| {
            assert_eq!(set.append_action, 2, "a header of the client is overwritten");
            let header = set.header.unwrap();
            (header.key, header.value)
        };
        headers.into_iter().map(pair).collect()
    };
    let code = reply.status.unwrap().code;
    match (reply.ok, reply.denied) {
        (Some(allowed), None) => {
            assert_eq!(code, 0);
            let mut headers = pairs(allowed.headers);
            headers.push(("x-removed".into(), allowed.removed.join(",")));
            Answer { status: 200, headers, body: "{}".into() }
        }
        (None, Some(denied)) => {
            assert_ne!(code, 0);
            let status = u16::try_from(denied.status.unwrap().code).unwrap();
            Answer { status, headers: pairs(denied.headers), body: denied.body }
        }
        both => panic!("{both:?}"),
    }
}

/// The answer about `GET` of the resource itself.
pub(crate) async fn asked(address: SocketAddr, token: Option<&str>) -> Answer {
    let headers = token.map(bearer).unwrap_or_default();
    ask(address, &question("GET /mcp", &headers, &[("resource", "tools")], false)).await
}

/// The answer about a request, with these context extensions.
pub(super) async fn asked_with(
    address: SocketAddr,
    line: &str,
    headers: &str,
    extensions: &[(&str, &str)],
) -> Answer {
    ask(address, &question(line, headers, extensions, false)).await
}

#[tokio::test]
async fn a_question_over_grpc_is_answered_as_over_http() {
    let server = TestServer::with(listening()).await;
    let (token, _) = token(&server).await;
    for (name, method, target, headers, expected) in rows(&token) {
        for is_raw in [false, true] {
            let question = question(&format!("{method} {target}"), &headers, &[], is_raw);
            let answer = ask(server.guard.unwrap(), &question).await;
            if name == "a token twice" && !is_raw {
                assert_eq!(told(&answer), "401 invalid_token", "joined, it is no token");
                continue;
            }
            assert_eq!(told(&answer), expected, "{name}: {answer:?}");
            let by_http =
                exchange(server.guard.unwrap(), &asking(DIALECTS[2], method, target, &headers))
                    .await;
            let challenge = "www-authenticate";
            assert_eq!(answer.header(challenge), by_http.header(challenge), "{name}: {answer:?}");
            let is_known = expected == "200" && headers.contains("authorization");
            assert_eq!(answer.header("doorward-assertion").is_some(), is_known, "{name}");
            let user = is_known.then_some("local:developer");
            assert_eq!(answer.header("x-forwarded-user"), user, "{name}");
        }
    }
}

#[tokio::test]
async fn envoy_is_told_by_grpc_to_remove_the_token_and_forged_headers_in_every_spelling() {
    let server = TestServer::with(listening()).await;
    let (token, _) = token(&server).await;
    let forged = "doorward_assertion: x\r\ndoorward-other: x\r\nx_forwarded_user: x\r\nx-client: x\r\n\
        remote-user: x\r\nx-original-url: x\r\nforwarded: x\r\nmcp_name: x\r\n";
    let kept = "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: https\r\ncontent-length: 0\r\n\
        content-type: application/json\r\naccept: */*\r\n";
    for (line, own) in [("GET /mcp", bearer(&token)), ("GET /healthz", String::new())] {
        let all = format!("{own}{forged}{kept}");
        let answer = ask(server.guard.unwrap(), &question(line, &all, &[], false)).await;
        let removed: Vec<&str> = answer.header("x-removed").unwrap().split(',').collect();
        let names = |lines: &'static str| lines.lines().map(|line| line.split_once(':').unwrap().0);
        assert!(removed.contains(&"authorization"), "{removed:?}");
        for name in names(forged) {
            let is_set = answer.header(name).is_some();
            assert!(is_set != removed.contains(&name), "{line}: {name}: {answer:?}");
        }
        assert!(names(kept).all(|name| !removed.contains(&name)), "{removed:?}");
        assert_eq!(answer.header("doorward-assertion").is_some(), line == "GET /mcp");
    }
}

#[tokio::test]
async fn the_configuration_of_envoy_names_the_resource_and_the_request_does_not() {
    let mut config = listening();
    config.authorization.resources[1].guard = Some(guard("notes", ""));
    assert_eq!(config.authorization.resources[1].uri.as_str(), NOTES);
    let server = TestServer::with(config).await;
    let (token, _) = token(&server).await;
    let own = bearer(&token);
    for (extensions, expected) in [
        (&[("resource", "tools")][..], "200"),
        (&[("resource", "notes")], "403 invalid_request"),
        (&[("resource", "nothing")], "403 invalid_request"),
        (&[("other", "tools")], "403 invalid_request"),
        (&[], "403 invalid_request"),
    ] {
        let named = format!("{own}resource: tools\r\n");
        let answer =
            ask(server.guard.unwrap(), &question("GET /mcp", &named, extensions, false)).await;
        assert_eq!(told(&answer), expected, "{extensions:?}: {answer:?} {TOOLS}");
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_no_permission() {
    let server = TestServer::with(listening()).await;
    let good = question("GET /healthz", "", &[], false).encode_to_vec();
    let cut = framed(&good)[..good.len()].to_vec();
    let compressed = [&[1], &framed(&good)[1..]].concat();
    let long = [framed(&good), vec![0]].concat();
    for body in [vec![], vec![0; 4], cut, compressed, long, framed(b"\xff\xff\xff")] {
        let (status, failed, answer) = call(server.guard.unwrap(), body).await;
        assert_eq!((status, failed.as_deref(), answer.len()), (200, Some("3"), 0));
    }
    let (status, failed, _) = call(server.guard.unwrap(), vec![0; 300 << 10]).await;
    assert_eq!((status, failed.as_deref()), (200, Some("8")));
    let empty = ask(server.guard.unwrap(), &Question { attributes: None }).await;
    assert_eq!(told(&empty), "403 invalid_request");
    let unreadable = question("GET /healthz", "a b: c\r\n", &[], false);
    assert_eq!(told(&ask(server.guard.unwrap(), &unreadable).await), "403 invalid_request");
}

#[tokio::test]
async fn only_proxies_may_ask_over_grpc_and_only_at_the_listener_of_the_guard() {
    let server = TestServer::with(config()).await;
    let plain = "POST /envoy.service.auth.v3.Authorization/Check HTTP/1.1\r\nhost: x\r\n\
        content-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(exchange(server.public, plain).await.status, 404, "proxies lead strangers there");
    server.stop().await;

    let mut config = listening();
    let server = TestServer::with(config.clone()).await;
    assert_eq!(told(&asked(server.guard.unwrap(), None).await), "401 unauthorized");
    assert_eq!(exchange(server.public, plain).await.status, 404);
    server.stop().await;

    config.guard.proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let server = TestServer::with(config).await;
    let body = framed(&question("GET /healthz", "", &[], false).encode_to_vec());
    assert_eq!(call(server.guard.unwrap(), body).await.0, 404);
}

/// A body that never ends.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_proxy_asks_many_large_questions_at_once() {
    const QUESTIONS: u32 = 30;
    let server = TestServer::with(listening()).await;
    let address = server.guard.unwrap();
    let mut under_way = JoinSet::new();
    for _ in 0..3 {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (caller, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        under_way.spawn(async { drop(connection.await) });
        for _ in 0..QUESTIONS / 3 {
            let mut caller = caller.clone();
            let url = format!("http://{address}/envoy.service.auth.v3.Authorization/Check");
            let request = Request::post(url).header("content-type", "application/grpc");
            let request = request.body(Endless).unwrap();
            under_way.spawn(async move { drop(caller.send_request(request).await) });
        }
    }
    let in_flight = "doorward_http_requests_in_flight";
    server.wait_for_metric(in_flight, f64::from(QUESTIONS)).await;
    let large = format!("x-large: {}\r\n", "x".repeat(150 << 10));
    let answer = asked_with(address, "GET /mcp", &large, &[("resource", "tools")]).await;
    assert_eq!(told(&answer), "401 unauthorized");
    assert!(server.metric(in_flight).await >= f64::from(QUESTIONS), "they are still under way");
}

#[tokio::test]
async fn a_connection_that_begins_in_pieces_is_read_as_what_it_becomes() {
    let server = TestServer::with(listening()).await;
    let http1 = b"POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let other = b"PRIX /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let http2 = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat();
    for (sent, answered) in
        [(&http1[..], &b"HTTP/1.1 404"[..]), (other, b"HTTP/1.1 404"), (&http2, b"\0")]
    {
        let mut stream = TcpStream::connect(server.guard.unwrap()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in [&sent[..1], &sent[1..3], &sent[3..5], &sent[5..9], &sent[9..]] {
            stream.write_all(piece).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        let mut answer = vec![0; answered.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, answered, "{}", String::from_utf8_lossy(sent));
    }
    // A beginning without an end.
    let mut stream = TcpStream::connect(server.guard.unwrap()).await.unwrap();
    stream.write_all(b"PRI").await.unwrap();
    stream.shutdown().await.unwrap();
    read_end(&mut stream).await;
}
