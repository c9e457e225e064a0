//! The body of an answer on its way out, which counts until the transport has taken it.
//!
//! Over HTTP/2 a body waits for the caller's windows, first here and then in buffers of the protocol. A whole body
//! therefore carries its exchange, which ends when the last buffer lets go of it. The exchange of a stream ends with the
//! stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};

use super::activity::Exchange;
use crate::http::answer::{AnswerBody, BrokenOff, Response};

/// What a request or an answer takes beside its text, in bytes: a task, a stream, a future.
const OVERHEAD: usize = 4 << 10;
/// What a header takes beside its text, in bytes.
const HEADER_OVERHEAD: usize = 96;
/// What a stream takes in the buffers of both its connections, in bytes.
const STREAM: usize = 24 << 10;

/// How much a request holds, without its body.
pub(super) fn request_bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    OVERHEAD + target + headers_bytes(request.headers())
}

/// How much an answer holds.
fn response_bytes(response: &Response) -> usize {
    let body = match response.body() {
        AnswerBody::Whole(body) => usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX),
        AnswerBody::Stream(_) => STREAM,
    };
    OVERHEAD + body + headers_bytes(response.headers())
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    let of = |name: &str, value: &[u8]| name.len() + value.len() + HEADER_OVERHEAD;
    headers.iter().map(|(name, value)| of(name.as_str(), value.as_bytes())).sum()
}

/// Counts an answer from now on.
pub(super) fn outgoing(response: Response, mut exchange: Exchange) -> http::Response<Outgoing> {
    let bytes = response_bytes(&response);
    match response.body() {
        AnswerBody::Whole(_) => exchange.answered(bytes),
        AnswerBody::Stream(_) => exchange.streams(bytes),
    }
    response.map(|body| Outgoing { body, exchange: Some(exchange) })
}

/// A body that has not been handed on.
pub(super) struct Outgoing {
    body: AnswerBody,
    exchange: Option<Exchange>,
}

impl Body for Outgoing {
    type Data = Piece;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BrokenOff>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_whole = matches!(self.body, AnswerBody::Whole(_));
        frame.map_ok(|frame| {
            let mut exchange = || self.exchange.take_if(|_| is_whole);
            frame.map_data(|bytes| Piece { bytes, _of: exchange() })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that was handed on.
pub(super) struct Piece {
    bytes: Bytes,
    _of: Option<Exchange>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
