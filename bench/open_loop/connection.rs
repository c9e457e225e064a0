//! One connection, with one request at a time on it, and as much of HTTP/1.1 as the answers need.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream as Blocking},
};

use mio::{Interest, Registry, Token, net::TcpStream};

/// What is measured answers with a length and far less than this.
const ANSWER_MAX: usize = 1 << 20;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) client_id: Option<[u8; 36]>,
    /// The server hangs up after it.
    pub(crate) is_last: bool,
}

/// What reading found.
pub(crate) enum Found {
    /// Not the whole answer yet, or nothing at all.
    Nothing,
    Answer(Answer),
    /// The server hung up, or spoke something else than HTTP/1.1 with a length.
    Gone,
}

pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Which request is under way.
    pub(crate) request: Option<u64>,
}

impl Connection {
    pub(crate) fn open(target: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        // Over loopback this is done at once, and leaves no connection that is still being made.
        let stream = Blocking::connect(target)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, received: Vec::new(), request: None })
    }

    /// A request is smaller than the system's buffer, which is empty: it goes in whole.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self.stream.write(request)? {
            sent if sent == request.len() => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8], wants_id: bool) -> Found {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Found::Gone,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Found::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Found::Gone,
            }
            match parse(&self.received, wants_id) {
                Some(Ok(answer)) => {
                    self.received.clear();
                    return if self.request.is_some() {
                        Found::Answer(answer)
                    } else {
                        Found::Gone
                    };
                }
                None if self.received.len() < ANSWER_MAX => {}
                Some(Err(NotHttp)) | None => return Found::Gone,
            }
        }
    }
}

struct NotHttp;

/// The answer in `received`, once it is there as a whole.
fn parse(received: &[u8], wants_id: bool) -> Option<Result<Answer, NotHttp>> {
    let end = find(received, b"\r\n\r\n")?;
    let (head, rest) = received.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let status = head.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    let (mut length, mut is_last) = (None, false);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.trim_ascii_start().get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            length = str::from_utf8(value).ok().and_then(|digits| digits.parse::<usize>().ok());
        } else if name.eq_ignore_ascii_case(b"connection") {
            is_last = value.eq_ignore_ascii_case(b"close");
        }
    }
    let (Some(status), Some(length)) = (status, length) else { return Some(Err(NotHttp)) };
    if body.len() < length {
        return None;
    }
    let client_id = if wants_id { client_id(body) } else { None };
    Some(Ok(Answer { status, client_id, is_last }))
}

fn client_id(body: &[u8]) -> Option<[u8; 36]> {
    const MEMBER: &[u8] = b"\"client_id\":\"";
    let start = find(body, MEMBER)? + MEMBER.len();
    body.get(start..start + 36)?.try_into().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
