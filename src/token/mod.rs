//! The token endpoint (RFC 6749 §3.2), revocation (RFC 7009) and introspection (RFC 7662). (Skeleton.)

use std::net::IpAddr;

use http::HeaderMap;
use hyper::body::Incoming;

use crate::{app::App, http::answer::Response};

/// `POST /oauth2/token`.
pub(crate) async fn token(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Response {
    let _ = (app, source, headers, body);
    Response::default()
}

/// `POST /oauth2/revoke`.
pub(crate) async fn revoke(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Response {
    let _ = (app, source, headers, body);
    Response::default()
}

/// `POST /oauth2/introspect`.
pub(crate) async fn introspect(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Response {
    let _ = (app, source, headers, body);
    Response::default()
}
