//! What a client reads first: what this server is, the metadata of the authorization server (RFC 8414) and its public keys (RFC 7517).

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL, request::Parts};
use serde_json::json;

use crate::{
    app::App,
    http::answer::{self, Response},
    pages::{self, FormTarget, HomePage, Reader, Site, page},
    paths,
};

/// How long caches may keep a copy: keys are published a day before they sign.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET /`: what this server is, as a page for browsers and as JSON for programs.
pub(crate) fn home(app: &App, head: &Parts) -> Response {
    let issuer = &app.config.server.issuer;
    if pages::wants_page(&head.headers) {
        let shown = HomePage {
            site: Site::of(&app.config, &Reader::of_query(head)),
            issuer: issuer.clone(),
            authorizes: app.config.authorizes(),
        };
        return page(&shown, StatusCode::OK, FormTarget::Ourselves);
    }
    let at = |path: &str| format!("{issuer}{path}");
    let mut body = json!({
        "issuer": issuer,
        "registration_endpoint": at(paths::REGISTER),
        "openapi": at(paths::OPENAPI),
    });
    if app.config.authorizes() {
        body["metadata"] = at(paths::AUTHORIZATION_SERVER).into();
    }
    answer::json(StatusCode::OK, body.to_string())
}

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
