//! Rejects requests whose host, content, or length is missing or contradictory. A proxy in front may have read them
//! differently, so no endpoint sees them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use http::{
    HeaderValue, Request, Version,
    header::{CONTENT_TYPE, HOST, TRANSFER_ENCODING},
    uri::Authority,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// What is wrong with the head of a request. `has_length` tells whether it had `Content-Length` as it came.
pub(super) fn malformed<B>(request: &Request<B>, has_length: bool) -> Option<&'static str> {
    if has_length && request.headers().contains_key(TRANSFER_ENCODING) {
        return Some("Transfer-Encoding and Content-Length are both present");
    }
    host(request).or_else(|| {
        let mut types = request.headers().get_all(CONTENT_TYPE).iter();
        (types.next().is_some() && types.next().is_some())
            .then_some("Content-Type appears more than once")
    })
}

/// RFC 9112 §3.2 and RFC 9113 §8.3.1: one host, which HTTP/1.0 alone may leave out.
fn host<B>(request: &Request<B>) -> Option<&'static str> {
    let is_http2 = request.version() >= Version::HTTP_2;
    let authority = request.uri().authority().filter(|_| is_http2);
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next(), authority) {
        (_, Some(_), _) => Some("Host appears more than once"),
        (Some(host), _, _) if !is_host(host) => Some("Host is not a host with an optional port"),
        (Some(host), _, Some(authority)) if !is_same(host, authority) => {
            Some("Host and :authority are not the same")
        }
        (None, _, None) if request.version() >= Version::HTTP_11 => Some("Host is missing"),
        _ => None,
    }
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), by its characters: nothing here looks a host up.
fn is_host(value: &HeaderValue) -> bool {
    let is_in_host =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    !value.is_empty() && value.as_bytes().iter().all(is_in_host)
}

fn is_same(host: &HeaderValue, authority: &Authority) -> bool {
    host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
}

const CONTENT_LENGTH: &[u8] = b"content-length:";

/// Looks for `Content-Length` in heads of HTTP/1. Hyper removes it if there is `Transfer-Encoding` as well (RFC 9112
/// §6.3), so handlers could not reject such a request. A head that arrives before the last response is not checked:
/// hyper then reads it as the RFC says, and ends the connection.
#[derive(Debug, Default)]
struct Heads {
    /// The request that the head is of.
    nth: Option<u32>,
    /// The start of the line that is being read.
    line: Vec<u8>,
    has_lines: bool,
    is_over: bool,
}

impl Heads {
    /// Reads a part of the head of the nth request, and tells whether it has `Content-Length`.
    fn read(&mut self, nth: u32, bytes: &[u8]) -> bool {
        if self.nth != Some(nth) {
            *self =
                Self { nth: Some(nth), line: std::mem::take(&mut self.line), ..Self::default() };
            self.line.clear();
        }
        let mut has_length = false;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.is_over {
                break;
            }
            let room = CONTENT_LENGTH.len() - self.line.len();
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                let is_blank = self.line == b"\n" || self.line == b"\r\n";
                // Blank lines in front of a request mean nothing (RFC 9112 §2.2).
                self.is_over = is_blank && self.has_lines;
                self.has_lines |= !is_blank;
                has_length |= self.line.eq_ignore_ascii_case(CONTENT_LENGTH);
                self.line.clear();
            }
        }
        has_length
    }
}

/// A stream of HTTP/1 that tells whether heads have `Content-Length`.
pub(super) struct Headed<S> {
    stream: S,
    heads: Heads,
    activity: Arc<Activity>,
    has_length: Arc<AtomicBool>,
}

impl<S> Headed<S> {
    /// Sets `has_length` as soon as the arriving head has the header; the code that takes the request resets it.
    pub(super) fn new(stream: S, activity: Arc<Activity>, has_length: Arc<AtomicBool>) -> Self {
        Self { stream, heads: Heads::default(), activity, has_length }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Headed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        if let Some(nth) = self.activity.head()
            && self.heads.read(nth, read)
        {
            self.has_length.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Headed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_length_is_found_in_a_head_however_it_arrives() {
        for (head, expected) in [
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\nx: y\r\n\r\n", true),
            ("\r\nPOST / HTTP/1.1\nhost: a\ncONTENT-lENGTH:5\n\n", true),
            ("POST / HTTP/1.1\r\nx-content-length: 5\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nx: content-length: 5\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nx: y\r\n\r\ncontent-length: 5\r\n", false),
        ] {
            for size in [1, 2, 3, 7, 100] {
                let mut heads = Heads::default();
                assert!(!heads.read(0, b"GET / HTTP/1.1\r\nhost: a\r\ncont"));
                let pieces = head.as_bytes().chunks(size);
                let found = pieces.fold(false, |found, piece| heads.read(1, piece) | found);
                assert_eq!(found, expected, "{head:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn two_framings_are_malformed() {
        let request = |name: &str| {
            Request::post("/").header("host", "a").header(name, "chunked").body(()).unwrap()
        };
        assert!(malformed(&request("transfer-encoding"), true).is_some());
        assert_eq!(malformed(&request("transfer-encoding"), false), None);
        assert_eq!(malformed(&request("x"), true), None);
    }

    fn found(version: Version, target: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        malformed(&request.body(()).unwrap(), false)
    }

    #[test]
    fn http_1_1_requires_one_host() {
        let found = |headers: &[(&str, &str)]| found(Version::HTTP_11, "/register", headers);
        for host in ["door.example", "door.example:8443", "[::1]:8080", "127.0.0.1"] {
            assert_eq!(found(&[("host", host)]), None, "{host}");
        }
        assert_eq!(found(&[]), Some("Host is missing"));
        let twice = Some("Host appears more than once");
        assert_eq!(found(&[("host", "a"), ("host", "a")]), twice);
        for host in ["", "a b", "a/b", "user@a", "a\t", "http://a", "a,\u{e9}"] {
            assert!(found(&[("host", host)]).is_some(), "{host}");
        }
    }

    #[test]
    fn a_target_with_a_host_does_not_replace_the_header() {
        let target = "http://door.example/register";
        assert_eq!(found(Version::HTTP_11, target, &[]), Some("Host is missing"));
    }

    #[test]
    fn http_1_0_may_leave_the_host_out() {
        assert_eq!(found(Version::HTTP_10, "/register", &[]), None);
        assert!(found(Version::HTTP_10, "/register", &[("host", "a"), ("host", "b")]).is_some());
    }

    #[test]
    fn http_2_requires_an_authority_or_a_host_and_that_they_agree() {
        let found = |target, headers: &[(&str, &str)]| found(Version::HTTP_2, target, headers);
        assert_eq!(found("https://door.example/", &[]), None);
        assert_eq!(found("/", &[("host", "door.example")]), None);
        assert_eq!(found("https://door.example/", &[("host", "Door.example")]), None);
        assert_eq!(found("/", &[]), Some("Host is missing"));
        let differs = Some("Host and :authority are not the same");
        assert_eq!(found("https://door.example/", &[("host", "evil.example")]), differs);
    }

    #[test]
    fn a_repeated_content_type_is_malformed() {
        let json = ("content-type", "application/json");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let host = ("host", "a");
        let twice = Some("Content-Type appears more than once");
        assert_eq!(found(Version::HTTP_11, "/", &[host, json]), None);
        assert_eq!(found(Version::HTTP_11, "/", &[host, json, form]), twice);
        assert_eq!(found(Version::HTTP_11, "/", &[host, json, json]), twice);
    }
}
