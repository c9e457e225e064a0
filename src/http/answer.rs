//! Responses in JSON, and the two shapes of an error response (docs/protocol.md). The endpoints choose the error code
//! and its text.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, combinators::UnsyncBoxBody};
use serde::Serialize;

/// The type of every response.
pub(crate) type Response = http::Response<AnswerBody>;

/// The error that ends a streamed body early.
pub(crate) type BrokenOff = Box<dyn Error + Send + Sync>;

/// The body of a response.
pub(crate) enum AnswerBody {
    /// The whole body, in memory.
    Whole(Full<Bytes>),
    /// A body that another server sends, piece by piece.
    Stream(UnsyncBoxBody<Bytes, BrokenOff>),
}

impl Default for AnswerBody {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl<T: Into<Bytes>> From<T> for AnswerBody {
    fn from(body: T) -> Self {
        Self::Whole(Full::new(body.into()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// The most headers of a response, those of the limiter and of CORS among them.
const HEADERS: usize = 12;

/// The shape of the error responses at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{"errors":[…]}`, under `/api/v2`.
    Errors,
    /// `{"error":…,"error_description":…}` (RFC 6749 §5.2, RFC 7591 §3.2.2), everywhere else.
    OAuth,
}

impl Shape {
    /// The shape of errors at `path`.
    pub(crate) fn at(path: &str) -> Self {
        match path.strip_prefix("/api/v2") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Errors,
            _ => Self::OAuth,
        }
    }
}

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    // Room for the headers of every response, so that the table never grows.
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error response in the given shape. `text` is for the caller: printable ASCII, no internals. The shape of
/// `/api/v2` has no member for `code`.
pub(crate) fn refusal(shape: Shape, status: StatusCode, code: &str, text: &str) -> Response {
    refusal_with::<()>(shape, status, code, text, &[])
}

/// An error response that lists each violation. The shape of `/api/v2` has no member for them.
pub(crate) fn refusal_with<V: Serialize>(
    shape: Shape,
    status: StatusCode,
    code: &str,
    text: &str,
    violations: &[V],
) -> Response {
    #[derive(Serialize)]
    struct Errors<'a> {
        errors: [&'a str; 1],
    }
    #[derive(Serialize)]
    struct OAuth<'a, V> {
        error: &'a str,
        error_description: &'a str,
        #[serde(skip_serializing_if = "<[V]>::is_empty")]
        violations: &'a [V],
    }
    let body = match shape {
        Shape::Errors => serde_json::to_vec(&Errors { errors: [text] }),
        Shape::OAuth => {
            serde_json::to_vec(&OAuth { error: code, error_description: text, violations })
        }
    };
    json(status, body.expect("an error is strings under string keys"))
}

/// 303 to `location`, which is ASCII.
pub(crate) fn see_other(location: &str) -> Response {
    let mut response = Response::default();
    match HeaderValue::try_from(location) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_an_error_follows_from_the_path() {
        for (path, shape) in [
            ("/api/v2", Shape::Errors),
            ("/api/v2/", Shape::Errors),
            ("/api/v2/oauth2/register", Shape::Errors),
            ("/api/v22", Shape::OAuth),
            ("/API/v2/x", Shape::OAuth),
            ("/register", Shape::OAuth),
            ("/x/api/v2/y", Shape::OAuth),
            ("", Shape::OAuth),
            ("*", Shape::OAuth),
        ] {
            assert_eq!(Shape::at(path), shape, "{path}");
        }
    }
}
