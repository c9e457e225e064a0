//! The authorization endpoint (RFC 6749 §3.1, OAuth 2.1 §4.1). (Skeleton.)

use http::request::Parts;
use hyper::body::Incoming;

use crate::{app::App, http::answer::Response};

/// `GET` and `POST /oauth2/authorize`; a `body` has the parameters of a POST.
pub(crate) async fn authorize(app: &App, head: &Parts, body: Option<Incoming>) -> Response {
    let _ = (app, head, body);
    Response::default()
}

/// `POST /oauth2/consent`: what the resource owner decided.
pub(crate) async fn consent(app: &App, head: &Parts, body: Incoming) -> Response {
    let _ = (app, head, body);
    Response::default()
}
