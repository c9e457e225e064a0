//! What scripts of allowed origins may do at a guarded resource (Fetch, CORS protocol). The upstream has no say in it.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

use crate::http::answer::Response;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// How long a browser may remember the answer, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id",
);

/// Request headers that scripts may send, beside all that begin with `mcp-`.
const ALLOWED: [&str; 5] =
    ["accept", "authorization", "content-type", "last-event-id", "x-request-id"];

/// All headers by which an upstream would allow something to scripts.
const OF_UPSTREAM: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// Whether a browser asks what a script may send.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of an allowed origin.
pub(super) fn preflight(headers: &HeaderMap) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok());
    let is_allowed = |name: &&str| {
        let name = name.to_ascii_lowercase();
        ALLOWED.contains(&&*name) || name.starts_with("mcp-")
    };
    let allowed: Vec<&str> =
        asked.unwrap_or_default().split(',').map(str::trim).filter(is_allowed).collect();
    if let Ok(value) = HeaderValue::try_from(allowed.join(", ")) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, value);
    }
    response
}

/// Takes away what the upstream allows.
pub(super) fn forget(answer: &mut HeaderMap) {
    for name in OF_UPSTREAM {
        answer.remove(name);
    }
}

/// Lets the origin read the answer, if one was sent: requests of other origins were refused before.
pub(super) fn allow(answer: &mut HeaderMap, origin: Option<&HeaderValue>) {
    answer.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// The origin of the script that sent a request.
pub(super) fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}
