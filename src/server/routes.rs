//! The public routes, on one page.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{get, post},
};
use http::{HeaderMap, StatusCode};

use crate::{
    app::App,
    client::ProfileName,
    http::{answer, client_address::ClientAddress},
};

/// Every public route.
pub(crate) fn public(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v2/oauth2/register", post(placeholder))
        .route("/oauth2/register", post(placeholder))
        .route("/register", post(placeholder))
        .route("/openapi.json", get(openapi))
        .with_state(app)
}

async fn placeholder(
    State(app): State<Arc<App>>,
    ClientAddress(source): ClientAddress,
    _: HeaderMap,
    body: Body,
) -> Response {
    use crate::http::body::BodyError;
    let limit = app.rate_limit.count(source, app.clock.now());
    if limit.is_some_and(|count| !count.admitted) {
        return answer::json(StatusCode::TOO_MANY_REQUESTS, "{}");
    }
    let deadline = std::time::Duration::from_secs(app.config.connections.body_timeout_seconds);
    match crate::http::body::read(body, 64 << 10, deadline).await {
        Ok(body) => answer::json(StatusCode::CREATED, format!("{{\"bytes\":{}}}", body.len())),
        Err(BodyError::TooLarge(_)) => answer::json(StatusCode::PAYLOAD_TOO_LARGE, "{}"),
        Err(BodyError::TooSlow(_)) => answer::json(StatusCode::REQUEST_TIMEOUT, "{}"),
        Err(BodyError::Broken(_)) => answer::json(StatusCode::BAD_REQUEST, "{}"),
    }
}

async fn openapi() -> Response {
    answer::json(StatusCode::OK, "{}")
}

/// A route as logs and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /api/v2/oauth2/register`.
    Datadog,
    /// `POST /oauth2/register`.
    Rfc7591,
    /// `POST /register`, its alias.
    Alias,
    OpenApi,
    /// Whatever is not there.
    Unknown,
}

impl Route {
    pub(crate) const ALL: [Self; 5] =
        [Self::Datadog, Self::Rfc7591, Self::Alias, Self::OpenApi, Self::Unknown];

    pub(crate) fn of(path: &str) -> Self {
        Self::ALL.into_iter().find(|route| route.template() == path).unwrap_or(Self::Unknown)
    }

    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Datadog => "/api/v2/oauth2/register",
            Self::Rfc7591 => "/oauth2/register",
            Self::Alias => "/register",
            Self::OpenApi => "/openapi.json",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) const fn is_registration(self) -> bool {
        self.profile().is_some()
    }

    /// The profile of a registration endpoint.
    pub(crate) const fn profile(self) -> Option<ProfileName> {
        match self {
            Self::Datadog => Some(ProfileName::Datadog),
            Self::Rfc7591 | Self::Alias => Some(ProfileName::Rfc7591),
            Self::OpenApi | Self::Unknown => None,
        }
    }
}
