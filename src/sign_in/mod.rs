//! Who the resource owner is. (Skeleton.)

use std::net::IpAddr;

use http::{HeaderMap, request::Parts};
use hyper::body::Incoming;

use crate::{
    app::App,
    http::answer::Response,
    store::{ResourceOwner, SessionId, StoreError},
};

/// A resource owner who is signed in with the browser that asks.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) owner: ResourceOwner,
}

/// The session that the cookie of a request names, if it lives.
pub(crate) async fn session(app: &App, headers: &HeaderMap) -> Result<Option<Session>, StoreError> {
    let _ = (app, headers);
    Ok(None)
}

/// `POST /oauth2/sign-in`: by the local password, or at the provider that was chosen.
pub(crate) async fn begin(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let _ = (app, source, head, body);
    Response::default()
}

/// `GET /oauth2/sign-in/{provider}`: back from a provider.
pub(crate) async fn finish(app: &App, head: &Parts) -> Response {
    let _ = (app, head);
    Response::default()
}

/// `GET /oauth2/sign-out`: a page that asks.
pub(crate) async fn ask_to_sign_out(app: &App, head: &Parts) -> Response {
    let _ = (app, head);
    Response::default()
}

/// `POST /oauth2/sign-out`.
pub(crate) async fn sign_out(app: &App, head: &Parts, body: Incoming) -> Response {
    let _ = (app, head, body);
    Response::default()
}
