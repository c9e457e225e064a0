//! Streams: they pass at once, end with the grant or with either side, and are bounded.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use doorward::config::Config;

use super::{Guarded, PATIENCE};
use crate::{flow::Client, harness::read_answer};

/// Opens the stream at a path, and reads to its first event.
async fn open(guarded: &Guarded, path: &str) -> TcpStream {
    let mut stream = guarded
        .open(&format!(
            "GET {path} HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n\r\n"
        ))
        .await;
    let mut seen = Vec::new();
    while !seen.windows(7).any(|bytes| bytes == b"data: a") {
        let read = timeout(PATIENCE, stream.read_buf(&mut seen)).await.expect("an event passes");
        assert_ne!(read.unwrap(), 0, "{}", String::from_utf8_lossy(&seen));
    }
    stream
}

/// What comes until the connection ends.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    drop(timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await.expect("it ends"));
    rest
}

async fn until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waited).await.expect("it comes about");
}

#[tokio::test]
async fn revocation_ends_open_streams() {
    let guarded = Guarded::start().await;
    let mut stream = open(&guarded, "/mcp/stream").await;
    guarded.revoke().await;
    // The end of the last chunk: a stream of events ends between two of them.
    let mut end = Vec::new();
    while !end.ends_with(b"0\r\n\r\n") {
        let read = timeout(Duration::from_secs(30), stream.read_buf(&mut end));
        assert_ne!(read.await.expect("it ends").unwrap(), 0);
    }
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn revocation_ends_a_request_whose_answer_has_not_begun() {
    let guarded = Guarded::start().await;
    let mut waiting = guarded
        .open("GET /mcp/silent HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n")
        .await;
    until(|| guarded.upstream.requests() == 1).await;
    guarded.revoke().await;
    let answer = timeout(Duration::from_secs(30), read_answer(&mut waiting, false)).await;
    let answer = answer.expect("the request ends");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn revocation_ends_a_request_whose_body_has_not_ended() {
    let guarded = Guarded::start().await;
    let mut sending = guarded
        .open(
            "POST /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        )
        .await;
    // Its place is taken before the grant ends.
    let open = "doorward_guard_streams_open{resource=\"tools\"}";
    guarded.server.wait_for_metric(open, 1.0).await;
    guarded.revoke().await;
    let answer = timeout(Duration::from_secs(30), read_answer(&mut sending, false)).await;
    assert_eq!(answer.expect("the request ends").status, 401);
    assert_eq!(guarded.upstream.requests(), 0);
}

#[tokio::test]
async fn revocation_ends_an_endless_answer_whether_it_is_read_or_not() {
    let request =
        "GET /mcp/endless HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n";
    for is_read in [true, false] {
        let guarded = Guarded::with_settings("", |config| {
            config.connections.body_timeout_seconds = 5;
        })
        .await;
        let mut stream = guarded.open(request).await;
        until(|| guarded.upstream.counts.endless.load(SeqCst) > 0).await;
        guarded.revoke().await;
        let reading = async {
            let mut buffer = vec![0; 64 << 10];
            while is_read && stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        let ended = until(|| guarded.upstream.counts.closed.load(SeqCst) == 1);
        tokio::join!(reading, ended);
    }
}

#[tokio::test]
async fn a_stream_outlives_its_token_for_as_long_as_is_set_or_a_later_one_lets_it() {
    let guarded = Guarded::with(", stream_after_expiry_seconds = 300").await;
    let _stream = open(&guarded, "/mcp/stream").await;
    guarded.server.clock.advance(Duration::from_secs(900 + 299));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(guarded.upstream.counts.closed.load(SeqCst), 0);
    guarded.server.clock.advance(Duration::from_secs(1));
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn a_stream_goes_on_after_its_client_has_refreshed_and_used_the_new_token() {
    let mut guarded = Guarded::with(", stream_after_expiry_seconds = 60").await;
    let _stream = open(&guarded, "/mcp/stream").await;
    let closed = || guarded.upstream.counts.closed.load(SeqCst);
    guarded.server.clock.advance(Duration::from_mins(10));
    let refreshed = guarded.client.refresh(&guarded.server, &guarded.refresh_token).await.json();
    assert_eq!(closed(), 0, "a refresh ends no stream");
    guarded.token = refreshed["access_token"].as_str().unwrap().to_owned();
    assert_eq!(guarded.get("/mcp", "").await.status, 200);
    // The first token has expired, and its minute is over.
    guarded.server.clock.advance(Duration::from_mins(10));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(guarded.upstream.counts.closed.load(SeqCst), 0);
    guarded.server.clock.advance(Duration::from_mins(6));
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn a_refresh_whose_token_no_request_uses_does_not_prolong_a_stream() {
    let guarded = Guarded::with(", stream_after_expiry_seconds = 60").await;
    let _stream = open(&guarded, "/mcp/stream").await;
    guarded.server.clock.advance(Duration::from_mins(10));
    let refreshed = guarded.client.refresh(&guarded.server, &guarded.refresh_token).await;
    assert_eq!(refreshed.status, 200);
    guarded.server.clock.advance(Duration::from_mins(6));
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_of_the_upstream() {
    let guarded = Guarded::start().await;
    drop(open(&guarded, "/mcp/stream").await);
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn an_upstream_that_dies_in_a_stream_does_not_look_finished() {
    let guarded = Guarded::start().await;
    let rest = rest(open(&guarded, "/mcp/broken").await).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    Client::register(&guarded.server).await;
}

#[tokio::test]
async fn an_endless_answer_waits_for_its_reader_and_costs_nobody_else() {
    let guarded = Guarded::start().await;
    let request =
        "GET /mcp/endless HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n";
    let stream = guarded.open(request).await;
    let taken = || guarded.upstream.counts.endless.load(SeqCst);
    until(|| taken() > 0).await;
    let mut last = 0;
    while taken() != last {
        last = taken();
        sleep(Duration::from_millis(300)).await;
    }
    // What the buffers of four sockets and two connections hold, and no more.
    assert!(last < 16 << 20, "{last}");
    Client::register(&guarded.server).await;
    drop(stream);
}

#[tokio::test]
async fn streams_of_a_grant_are_bounded() {
    let guarded = Guarded::with(", streams_per_grant = 2").await;
    let first = open(&guarded, "/mcp/stream").await;
    let _second = open(&guarded, "/mcp/stream").await;
    let answer = guarded.get("/mcp", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("5")));
    drop(first);
    until(|| guarded.upstream.counts.closed.load(SeqCst) == 1).await;
    assert_eq!(guarded.get("/mcp", "").await.status, 200);
}

#[tokio::test]
async fn a_server_that_stops_ends_streams_of_events_at_once() {
    let guarded = Guarded::start().await;
    let _stream = open(&guarded, "/mcp/stream").await;
    guarded.server.stop().await;
}

#[tokio::test]
async fn a_connection_is_used_again_after_an_answer() {
    let guarded = Guarded::start().await;
    let request =
        "GET /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n";
    let mut connection = guarded.open(request).await;
    for _ in 0..3 {
        let answer = timeout(PATIENCE, read_answer(&mut connection, false)).await.unwrap();
        assert_eq!(answer.status, 200);
        connection.write_all(request.replace("{token}", &guarded.token).as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn unfinished_events_are_bounded_in_total() {
    let rules = ", rules = [{ tools = [\"delete_*\"], scopes = [\"tools:write\"] }]";
    let set = |config: &mut Config| {
        config.connections.body_bytes_max = 100_000;
        config.connections.body_bytes_per_source_max = 100_000;
    };
    let guarded = Guarded::with_settings(rules, set).await;
    let request = "GET /mcp/unfinished HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n";
    let closed = || guarded.upstream.counts.closed.load(SeqCst);
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(guarded.open(request).await);
    }
    // Two of them fit into three quarters of the budget.
    until(|| closed() == 4).await;
    drop(open);
    until(|| closed() == 6).await;
    let _again = guarded.open(request).await;
    until(|| guarded.upstream.requests() == 7).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(closed(), 6, "what was held is given back");
}
