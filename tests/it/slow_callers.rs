//! Callers that dawdle, vanish, never read or come in crowds cannot hold the server.

use std::time::Duration;

use doorward::config::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use crate::{
    harness::{TestServer, config, read_answer, read_end},
    left_out::left_out,
};

const OPEN: &str = "doorward_connections_open";
const TOO_SLOW: &str = "doorward_connections_closed_total{reason=\"too_slow\"}";

const MADE_ROOM: &str = "doorward_connections_closed_total{reason=\"made_room\"}";

/// Settings under which nobody may take longer than a second for anything.
fn impatient() -> Config {
    let mut config = config();
    config.connections.headers_timeout_seconds = 1;
    config.connections.body_timeout_seconds = 1;
    config.connections.idle_timeout_seconds = 1;
    config
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.public).await.unwrap()
}

#[tokio::test]
async fn a_caller_that_says_nothing_is_cut_off() {
    let server = TestServer::with(impatient()).await;
    let mut caller = connect(&server).await;

    assert_eq!(read_end(&mut caller).await, "");
    server.wait_for_metric(TOO_SLOW, 1.0).await;
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_cut_off() {
    let server = TestServer::with(impatient()).await;
    let (mut read, mut write) = connect(&server).await.into_split();

    let dripping = async {
        while write.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let ((), end) = tokio::join!(dripping, read_end(&mut read));

    assert_eq!(end, "");
    server.wait_for_metric(TOO_SLOW, 1.0).await;
}

#[tokio::test]
async fn a_second_head_that_comes_drop_by_drop_is_cut_off() {
    let mut config = impatient();
    config.connections.idle_timeout_seconds = 600;
    let server = TestServer::with(config).await;
    let mut caller = connect(&server).await;
    caller.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut caller, false).await.status, 200);

    caller.write_all(b"GET /op").await.unwrap();

    assert_eq!(read_end(&mut caller).await, "");
}

#[tokio::test]
async fn a_connection_that_idles_is_closed() {
    let mut config = impatient();
    config.connections.headers_timeout_seconds = 600;
    let server = TestServer::with(config).await;
    let mut caller = connect(&server).await;
    caller.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut caller, false).await.status, 200);

    assert_eq!(read_end(&mut caller).await, "");
    server.wait_for_metric("doorward_connections_closed_total{reason=\"idle\"}", 1.0).await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_408() {
    let server = TestServer::with(impatient()).await;
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let mut caller = connect(&server).await;
        let head = format!(
            "POST /register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
        );
        caller.write_all(head.as_bytes()).await.unwrap();

        let answer = read_answer(&mut caller, false).await;

        assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{framing}");
        read_end(&mut caller).await;
    }
}

#[tokio::test]
async fn a_caller_that_never_reads_its_answers_is_cut_off() {
    let server = TestServer::with(impatient()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut caller = socket.connect(server.public).await.unwrap();

    // Asks and asks until the server takes no more, which it does as long as it can answer.
    let asking = async {
        let many = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
        while caller.write_all(many.as_bytes()).await.is_ok() {}
    };
    let closed = server.wait_for_metric(TOO_SLOW, 1.0);

    let _ = tokio::join!(asking, closed);
    server.wait_for_metric_at_most(OPEN, 0.0).await;
}

#[tokio::test]
async fn beyond_the_maximum_connections_are_closed_at_once_and_others_served() {
    let mut config = config();
    config.connections.max = 3;
    let server = TestServer::with(config).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect(&server).await);
    }
    server.wait_for_metric(OPEN, 3.0).await;

    for _ in 0..5 {
        assert_eq!(read_end(&mut connect(&server).await).await, "");
    }
    server.wait_for_metric("doorward_connections_closed_total{reason=\"too_many\"}", 5.0).await;

    drop(held.pop());
    server.wait_for_metric_at_most(OPEN, 2.0).await;
    assert_eq!(server.post("/nothing", "{}").await.status, 404);
}

#[tokio::test]
async fn when_connections_are_used_up_the_one_that_idles_longest_makes_room() {
    let mut config = config();
    config.connections.max = 3;
    let server = TestServer::with(config).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut caller = connect(&server).await;
        caller.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(read_answer(&mut caller, false).await.status, 200);
        idle.push(caller);
    }

    let mut newcomers = Vec::new();
    for longest in &mut idle {
        let mut caller = connect(&server).await;
        caller.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(read_answer(&mut caller, false).await.status, 404);
        assert_eq!(read_end(longest).await, "");
        newcomers.push(caller);
    }
    server.wait_for_metric(MADE_ROOM, 3.0).await;
    server.wait_for_metric_at_most(OPEN, 3.0).await;
}

#[tokio::test]
async fn a_source_with_every_connection_gives_one_to_a_source_with_none() {
    let mut config = config();
    config.connections.max = 3;
    let server = TestServer::with(config).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(connect(&server).await);
    }
    server.wait_for_metric(OPEN, 3.0).await;
    let socket = TcpSocket::new_v4().unwrap();
    // Only Linux has all of 127.0.0.0/8.
    if socket.bind(([127, 0, 0, 2], 0).into()).is_err() {
        left_out("a second source of connections (this machine has one loopback address)");
        return;
    }

    let mut caller = socket.connect(server.public).await.unwrap();
    caller.write_all(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();

    assert_eq!(read_answer(&mut caller, false).await.status, 404);
    assert_eq!(read_end(&mut silent[0]).await, "");
    server.wait_for_metric(MADE_ROOM, 1.0).await;
}

#[tokio::test]
async fn one_source_cannot_take_every_connection_but_a_trusted_proxy_can() {
    const REFUSED: &str = "doorward_connections_closed_total{reason=\"too_many_of_source\"}";
    let mut config = config();
    config.connections.per_source_max = 2;
    let server = TestServer::with(config.clone()).await;
    let _held = (connect(&server).await, connect(&server).await);
    server.wait_for_metric(OPEN, 2.0).await;
    assert_eq!(read_end(&mut connect(&server).await).await, "");
    server.wait_for_metric(REFUSED, 1.0).await;

    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::with(config).await;
    let _held = (connect(&server).await, connect(&server).await, connect(&server).await);
    server.wait_for_metric(OPEN, 3.0).await;
    assert_eq!(server.post("/nothing", "{}").await.status, 404);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_413_although_the_caller_is_still_sending() {
    let server = TestServer::start().await;
    let body = "x".repeat(3 << 20);

    let answer = server.post("/register", &body).await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));

    let mut caller = connect(&server).await;
    let head = "POST /register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    caller.write_all(head.as_bytes()).await.unwrap();
    caller.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut caller, false).await.status, 413);
}

const REGISTRATION: &str = r#"{"redirect_uris":["https://a.example/cb"]}"#;

/// A registration of 60 000 bytes: all but the end of its body, and that end.
fn large_registration() -> (String, String) {
    let body =
        format!("{{\"x\":\"{}\",{}", "x".repeat(59_000), REGISTRATION.trim_start_matches('{'));
    let (start, end) = body.split_at(50_000);
    let head = format!(
        "POST /register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    (format!("{head}{start}"), end.to_owned())
}

#[tokio::test]
async fn bodies_that_never_end_take_no_more_than_their_budget_and_those_that_are_there_are_read() {
    let mut config = config();
    config.connections.body_bytes_per_source_max = 262_144;
    let server = TestServer::with(config).await;
    let (start, end) = large_registration();
    let mut callers = Vec::new();
    for _ in 0..3 {
        let mut caller = connect(&server).await;
        caller.write_all(start.as_bytes()).await.unwrap();
        callers.push(caller);
    }
    server.wait_for_metric("doorward_http_requests_in_flight", 3.0).await;

    // The newest is refused, whoever is nearly done finishes, and what needs no wait is read at once.
    for path in ["/register", "/api/v2/oauth2/register", "/oauth2/token"] {
        let mut newest = connect(&server).await;
        let form = "application/x-www-form-urlencoded";
        let start = match path {
            "/oauth2/token" => format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {form}\r\n\
                 content-length: 16000\r\n\r\na=b&"
            ),
            _ => start.replace("/register", path),
        };
        newest.write_all(start.as_bytes()).await.unwrap();
        let answer = read_answer(&mut newest, false).await;
        // Without a way to sign in there are no tokens.
        let status = if path == "/oauth2/token" { 404 } else { 503 };
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        if status == 503 {
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
    assert_eq!(server.post("/register", REGISTRATION).await.status, 201);
    for mut caller in callers {
        caller.write_all(end.as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut caller, false).await.status, 201);
    }
    let mut caller = connect(&server).await;
    caller.write_all(format!("{start}{end}").as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut caller, false).await.status, 201, "what they took is given back");
}

#[tokio::test]
async fn a_caller_over_its_limit_is_told_so_although_it_is_still_sending() {
    let mut config = config();
    config.rate_limit.per_source = 1;
    let server = TestServer::with(config).await;
    assert_eq!(server.post("/register", REGISTRATION).await.status, 201);
    let (start, end) = large_registration();

    let mut caller = connect(&server).await;
    for _ in 0..2 {
        caller.write_all(start.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        caller.write_all(end.as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut caller, false).await.status, 429, "the connection goes on");
    }

    // A caller that waits for leave to send need not send at all, and one that stops is not waited for.
    for head in [start.replace("host: x", "host: x\r\nexpect: 100-continue"), start] {
        let mut caller = connect(&server).await;
        let head = head.split_once("\r\n\r\n").map(|(head, _)| format!("{head}\r\n\r\n"));
        caller.write_all(head.unwrap().as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut caller, false).await.status, 429);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(64 << 10)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: x\r\n".repeat(200)),
    ] {
        let mut caller = connect(&server).await;
        // The server may have hung up before all of it was sent.
        drop(caller.write_all(head.as_bytes()).await);
        let mut start = [0; 12];
        caller.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 431");
    }
}
