//! A server behind the proxy that reports what it understood, and one that misbehaves as its path says. It shares no
//! code with the proxy.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What the server counts.
#[derive(Default)]
pub(super) struct Counts {
    /// Requests that it understood.
    pub(super) requests: AtomicUsize,
    /// Streams whose connection the other side has closed.
    pub(super) closed: AtomicUsize,
    /// Bytes that the other side has taken of an endless answer.
    pub(super) endless: AtomicUsize,
}

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) counts: Arc<Counts>,
}

/// A request as the server understood it.
struct Understood {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let counts: Arc<Counts> = Arc::default();
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&counted)));
            }
        });
        Self { address, counts }
    }

    pub(super) fn requests(&self) -> usize {
        self.counts.requests.load(SeqCst)
    }
}

async fn serve(mut stream: TcpStream, counts: Arc<Counts>) {
    let mut buffer = Vec::new();
    while let Some(understood) = read(&mut stream, &mut buffer).await {
        counts.requests.fetch_add(1, SeqCst);
        if answer(&mut stream, &understood, &counts).await.is_none() {
            return;
        }
    }
}

/// Reads one request, by its own reading of RFC 9112.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Understood> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let rest = buffer.split_off(end);
    let head = String::from_utf8_lossy(&std::mem::replace(buffer, rest)).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, v)| v);
    let body = if header("transfer-encoding").is_some() {
        chunks(stream, buffer).await?
    } else {
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        exactly(stream, buffer, length).await?
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Understood { method, target, headers, body })
}

async fn exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(length);
    Some(std::mem::replace(buffer, rest))
}

async fn chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            match buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                Some(end) => break exactly(stream, buffer, end + 2).await?,
                None if stream.read_buf(buffer).await.ok()? == 0 => return None,
                None => {}
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
        body.extend(exactly(stream, buffer, size).await?);
        exactly(stream, buffer, 2).await?;
        if size == 0 {
            return Some(body);
        }
    }
}

/// Answers as the path says; `None` when the connection ends.
async fn answer(stream: &mut TcpStream, request: &Understood, counts: &Counts) -> Option<()> {
    let path = request.target.split('?').next()?;
    match path.rsplit('/').next()? {
        "silent" => {
            wait_for_end(stream).await;
            counts.closed.fetch_add(1, SeqCst);
            None
        }
        "stream" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                transfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            wait_for_end(stream).await;
            counts.closed.fetch_add(1, SeqCst);
            None
        }
        "unfinished" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ";
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all("x".repeat(30_000).as_bytes()).await.ok()?;
            wait_for_end(stream).await;
            counts.closed.fetch_add(1, SeqCst);
            None
        }
        "broken" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                transfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            sleep(Duration::from_millis(100)).await;
            None
        }
        "endless" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            loop {
                if stream.write_all(&[b'x'; 4096]).await.is_err() {
                    counts.closed.fetch_add(1, SeqCst);
                    return None;
                }
                counts.endless.fetch_add(4096, SeqCst);
            }
        }
        "redirect" => {
            let head = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/x\r\n\
                content-length: 0\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()
        }
        "tools" => {
            let body = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"},{"name":"delete_repo"},{"name":"wipe"}]}}"#;
            let is_events = request.headers.iter().any(|(name, _)| name == "x-events");
            let (kind, body) = if is_events {
                ("text/event-stream", format!("data: {body}\n\n"))
            } else {
                ("application/json", body.to_owned())
            };
            send(stream, kind, &body).await
        }
        _ => send(stream, "application/json", &report(request).to_string()).await,
    }
}

fn report(request: &Understood) -> Value {
    json!({
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": request.body,
    })
}

async fn send(stream: &mut TcpStream, kind: &str, body: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nmcp-session-id: of-the-upstream\r\n\
         set-cookie: doorward-session=theirs\r\nset-cookie: own=1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()
}

async fn wait_for_end(stream: &mut TcpStream) -> Option<()> {
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
    None
}
