//! The body of a request on its way to an upstream: read before, or passed on as it comes, within a bound.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;

/// A body was larger than the guard lets through.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than {0} bytes")]
pub(crate) struct BodyTooLarge(pub(crate) usize);

/// The body of a request.
pub(crate) enum RequestBody {
    /// The guard has read it.
    Whole(Full<Bytes>),
    /// It passes as it comes.
    Passing { body: Incoming, left: usize, max: usize },
}

impl RequestBody {
    /// A body that passes as it comes, unless it says already that it is larger than `max` bytes.
    pub(crate) fn passing(body: Incoming, max: usize) -> Result<Self, BodyTooLarge> {
        if body.size_hint().lower() > max as u64 {
            return Err(BodyTooLarge(max));
        }
        Ok(Self::Passing { body, left: max, max })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    /// Trailers are dropped.
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Passing { body, left, max } => loop {
                let frame = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => frame,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    None => return Poll::Ready(None),
                };
                let Some(data) = frame.data_ref() else { continue };
                return Poll::Ready(Some(match left.checked_sub(data.len()) {
                    Some(rest) => {
                        *left = rest;
                        Ok(frame)
                    }
                    None => Err(BodyTooLarge(*max).into()),
                }));
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Passing { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Passing { body, .. } => body.size_hint(),
        }
    }
}
