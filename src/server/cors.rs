//! What scripts of other origins may do (docs/protocol.md): register, discover, exchange and revoke tokens, from
//! anywhere, without credentials. It is the same for every origin, so nothing is asked of the request.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    },
};

use crate::http::answer::Response;

const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, authorization, mcp-protocol-version");
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "retry-after, www-authenticate, ratelimit-limit, ratelimit-remaining, ratelimit-reset, \
     x-ratelimit-limit, x-ratelimit-period, x-ratelimit-remaining, x-ratelimit-reset, \
     x-ratelimit-name",
);
/// How long a browser may remember the answer, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The answer to a browser that asks whether a script may ask (Fetch, CORS-preflight request).
pub(crate) fn preflight(methods: HeaderValue) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(ALLOW, methods);
    response
}

/// Lets every origin read an answer, and these headers of it.
pub(crate) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
}
