//! The public routes, on one page.

use std::sync::Arc;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use http::StatusCode;

use crate::{app::App, client::ProfileName, http::answer, openapi, registration::endpoint};

/// Every public route.
pub(crate) fn public(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v2/oauth2/register", post(endpoint::datadog))
        .route("/oauth2/register", post(endpoint::rfc7591))
        .route("/register", post(endpoint::rfc7591))
        .route("/openapi.json", get(describe))
        .with_state(app)
}

/// `GET /openapi.json`.
async fn describe() -> Response {
    answer::json(StatusCode::OK, openapi::document())
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
