//! How the server ends.

use doorward::server::{Ended, Signal};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::harness::{TestServer, config, read_answer, read_end};

const IN_FLIGHT: &str = "doorward_http_requests_in_flight";
const OPEN: &str = "doorward_connections_open";
/// The two parts of a registration's body.
const BODY: (&str, &str) = (r#"{"redirect_uris":["https://app.exam"#, r#"ple/cb"]}"#);

/// A caller that has sent the first part.
async fn half_a_registration(server: &TestServer) -> TcpStream {
    let length = BODY.0.len() + BODY.1.len();
    let head = "POST /register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    let beginning = format!("{head}\r\ncontent-length: {length}\r\n\r\n{}", BODY.0);
    let mut caller = TcpStream::connect(server.public).await.unwrap();
    caller.write_all(beginning.as_bytes()).await.unwrap();
    server.wait_for_metric(IN_FLIGHT, 1.0).await;
    caller
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_then_the_store_is_closed() {
    let server = TestServer::start().await;
    let store = server.kept.clone();
    let mut caller = half_a_registration(&server).await;

    server.signal(Signal::Stop).await;
    server.wait_until_refused().await;
    let answer = server.look("/readyz?verbose").await;
    assert_eq!((answer.status, &answer.json()["checks"]["draining"]), (503, &true.into()));
    assert_eq!(server.look("/livez").await.status, 200);
    assert!(store.ready().await.is_ok());

    caller.write_all(BODY.1.as_bytes()).await.unwrap();
    let answer = read_answer(&mut caller, false).await;
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    assert_eq!(server.ended().await.unwrap(), Ended::Drained);
    assert!(store.ready().await.is_err());
}

#[tokio::test]
async fn connections_that_ask_for_nothing_do_not_hold_the_end_up() {
    let server = TestServer::start().await;
    let mut silent = TcpStream::connect(server.public).await.unwrap();
    let mut idle = TcpStream::connect(server.public).await.unwrap();
    idle.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut idle, false).await;
    server.wait_for_metric(OPEN, 2.0).await;

    server.signal(Signal::Stop).await;

    read_end(&mut silent).await;
    read_end(&mut idle).await;
    assert_eq!(server.ended().await.unwrap(), Ended::Drained);
}

#[tokio::test]
async fn whoever_is_not_done_by_the_deadline_is_cut_off() {
    let mut config = config();
    config.server.shutdown_deadline_seconds = 1;
    let server = TestServer::with(config).await;
    let mut caller = half_a_registration(&server).await;

    server.signal(Signal::Stop).await;

    read_end(&mut caller).await;
    let store = server.kept.clone();
    assert_eq!(server.ended().await.unwrap(), Ended::Late);
    assert!(store.ready().await.is_err());
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let server = TestServer::start().await;
    let _caller = half_a_registration(&server).await;

    server.signal(Signal::Stop).await;
    server.signal(Signal::Stop).await;

    assert_eq!(server.ended().await.unwrap(), Ended::AtOnce);
}
