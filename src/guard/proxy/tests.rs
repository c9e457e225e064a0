//! Requests to real sockets: when a connection is used again, and when a request is not repeated.

#![expect(clippy::disallowed_methods, reason = "a test owns what it spawns")]

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::{
    request_body::RequestBody,
    upstream::{Failure, TimeLimits, Upstream},
};
use crate::internet::Internet;

const LONG: Duration = Duration::from_secs(20);

fn upstream(port: u16, first_byte: Duration) -> Arc<Upstream> {
    let url = format!("http://127.0.0.1:{port}/mcp").parse().unwrap();
    let limits = TimeLimits { connect: LONG, first_byte, body: LONG };
    Arc::new(Upstream::new(&url, limits, Internet::System).unwrap())
}

fn request(body: &'static str) -> Request<RequestBody> {
    let body = RequestBody::Whole(Full::new(Bytes::from_static(body.as_bytes())));
    Request::post("/mcp").header("host", "x").body(body).unwrap()
}

/// A server that treats its connections one after another as `serve` says; and how many there were.
async fn server<F>(
    serve: impl Fn(TcpStream, usize) -> F + Send + 'static,
) -> (u16, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(serve(stream, counted.fetch_add(1, SeqCst)));
        }
    });
    (port, count)
}

/// Reads one request whose body is `hello`.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"hello") {
        let mut piece = [0; 512];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => seen.extend_from_slice(&piece[..count]),
        }
    }
    Some(())
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_is_used_again() {
    let (port, count) = server(|mut stream, _| async move {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(ANSWER).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(port, LONG);
    for _ in 0..5 {
        let answer = upstream.send(request("hello")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    assert_eq!(count.load(SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let (closed, mut is_closed) = mpsc::channel(8);
    let (port, count) = server(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(ANSWER).await.unwrap();
            stream.shutdown().await.unwrap();
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(port, LONG);
    for _ in 0..3 {
        let answer = upstream.send(request("hello")).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        is_closed.recv().await.unwrap();
    }
    assert_eq!(count.load(SeqCst), 3);
}

#[tokio::test]
async fn a_request_whose_sending_began_is_not_repeated() {
    // The first connection answers once and stays open; the next request on it is read, and never answered.
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let (port, count) = server(move |mut stream, _| {
        let read = Arc::clone(&counted);
        async move {
            read_request(&mut stream).await.unwrap();
            read.fetch_add(1, SeqCst);
            stream.write_all(ANSWER).await.unwrap();
            read_request(&mut stream).await.unwrap();
            read.fetch_add(1, SeqCst);
        }
    })
    .await;
    let upstream = upstream(port, LONG);
    let answer = upstream.send(request("hello")).await.unwrap();
    answer.into_body().collect().await.unwrap();
    let failed = upstream.send(request("hello")).await.err().unwrap();
    assert!(matches!(failed, Failure::Broken(_)), "{failed}");
    assert_eq!((read.load(SeqCst), count.load(SeqCst)), (2, 1));
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_given_up() {
    let (port, _) = server(|mut stream, _| async move {
        let mut all = Vec::new();
        drop(stream.read_to_end(&mut all).await);
    })
    .await;
    let upstream = upstream(port, Duration::from_millis(50));
    let mut get = request("");
    *get.method_mut() = http::Method::GET;
    let failed = upstream.send(get).await.err().unwrap();
    assert!(matches!(failed, Failure::AnswerLate(_)), "{failed}");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_or_speaks_no_http_fails() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let failed = upstream(port, LONG).send(request("hello")).await.err().unwrap();
    assert!(matches!(failed, Failure::Connect(_)), "{failed}");

    for answer in [
        &b"SSH-2.0-x\r\n\r\n"[..],
        b"",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ] {
        let (port, _) = server(move |mut stream, _| async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(answer).await.unwrap();
        })
        .await;
        let failed = upstream(port, LONG).send(request("hello")).await.err().unwrap();
        assert!(matches!(failed, Failure::Broken(_) | Failure::Switched), "{failed}");
    }
}

#[tokio::test]
async fn an_answer_that_is_given_up_reaches_the_upstream_as_a_closed_connection() {
    let (gone, mut is_gone) = mpsc::channel(1);
    let (port, _) = server(move |mut stream, _| {
        let gone = gone.clone();
        async move {
            read_request(&mut stream).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n";
            stream.write_all(head).await.unwrap();
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let answer = upstream(port, LONG).send(request("hello")).await.unwrap();
    let mut body = answer.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "abcd");
    drop(body);
    timeout(LONG, is_gone.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_complete() {
    for head in ["content-length: 9\r\n\r\nabcd", "transfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n"]
    {
        let (port, _) = server(move |mut stream, _| async move {
            read_request(&mut stream).await.unwrap();
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await.unwrap();
        })
        .await;
        let answer = upstream(port, LONG).send(request("hello")).await.unwrap();
        assert!(answer.into_body().collect().await.is_err(), "{head}");
    }
}

#[tokio::test]
async fn trailers_are_dropped() {
    let (port, _) = server(|mut stream, _| async move {
        read_request(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
            2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let answer = upstream(port, LONG).send(request("hello")).await.unwrap();
    let collected = answer.into_body().collect().await.unwrap();
    assert!(collected.trailers().is_none());
    assert_eq!(collected.to_bytes(), "ok");
}

#[tokio::test]
async fn grants_are_looked_up_side_by_side_and_eight_at_most() {
    let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    super::side_by_side(0..100, |_| async {
        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::task::yield_now().await;
        running.fetch_sub(1, SeqCst);
        done.fetch_add(1, SeqCst);
    })
    .await;
    assert_eq!((most.load(SeqCst), done.load(SeqCst)), (8, 100));
}
