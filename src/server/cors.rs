//! The access of scripts from other origins (docs/protocol.md): registration, discovery, and token exchange and
//! revocation, from any origin and without credentials. All origins get the same headers, so the request is not read.

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
/// How long a browser may cache the preflight response, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The response to a CORS preflight request (Fetch).
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

/// Lets scripts of every origin read a response, and these headers of it.
pub(crate) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
}
