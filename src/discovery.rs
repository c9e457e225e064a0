//! What a client reads first: the metadata of the authorization server (RFC 8414) and its public keys (RFC 7517).

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};

use crate::{
    app::App,
    http::answer::{self, Response},
};

/// How long caches may keep a copy: keys are published a day before they sign.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /.well-known/oauth-authorization-server`, and where OpenID Connect looks.
pub(crate) fn metadata(app: &App) -> Response {
    cached(app.metadata.clone())
}

/// `GET /oauth2/jwks`.
pub(crate) fn jwks(app: &App) -> Response {
    cached(app.keys.jwks())
}

fn cached(body: Bytes) -> Response {
    let mut response = answer::json(StatusCode::OK, body);
    response.headers_mut().insert(CACHE_CONTROL, CACHED);
    response
}
