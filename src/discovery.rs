//! What a client learns before it asks for anything (RFC 8414, RFC 7517). (Skeleton.)

use http::StatusCode;

use crate::{
    app::App,
    http::answer::{self, Response},
};

/// `GET /.well-known/oauth-authorization-server`, and where OpenID Connect looks.
pub(crate) fn metadata(app: &App) -> Response {
    let _ = app;
    answer::json(StatusCode::OK, "{}")
}

/// `GET /oauth2/jwks`.
pub(crate) async fn jwks(app: &App) -> Response {
    answer::json(StatusCode::OK, app.keys.jwks())
}
