//! The public routes, on one page.

use std::net::IpAddr;

use http::{HeaderValue, Method, Request, StatusCode, header::ALLOW};
use hyper::body::Incoming;

use super::cors;
use crate::{
    app::App,
    client::ProfileName,
    http::answer::{self, Response, Shape, refusal},
    openapi,
    registration::{Profile, register},
};

/// A place where something is, as logs and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Datadog,
    Rfc7591,
    /// The alias of [`Route::Rfc7591`].
    Alias,
    OpenApi,
    /// Whatever is not there.
    Unknown,
}

impl Route {
    pub(crate) const ALL: [Self; 5] =
        [Self::Datadog, Self::Rfc7591, Self::Alias, Self::OpenApi, Self::Unknown];

    /// The route of a path, which is compared byte for byte: a trailing slash is another path.
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

    /// The profile of a registration endpoint.
    pub(crate) const fn profile(self) -> Option<ProfileName> {
        match self {
            Self::Datadog => Some(ProfileName::Datadog),
            Self::Rfc7591 | Self::Alias => Some(ProfileName::Rfc7591),
            Self::OpenApi | Self::Unknown => None,
        }
    }

    /// What may be done there.
    const fn methods(self) -> &'static str {
        match self {
            Self::Datadog | Self::Rfc7591 | Self::Alias => "POST, OPTIONS",
            Self::OpenApi => "GET, HEAD",
            Self::Unknown => "",
        }
    }
}

/// Hands a request to what answers it.
pub(crate) async fn answer(
    app: &App,
    route: Route,
    source: IpAddr,
    request: Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    match (route, head.method) {
        (Route::Datadog, Method::POST) => {
            register(&Profile::DATADOG, app, source, head.headers, body).await
        }
        (Route::Rfc7591 | Route::Alias, Method::POST) => {
            register(&Profile::RFC7591, app, source, head.headers, body).await
        }
        (Route::Datadog | Route::Rfc7591 | Route::Alias, Method::OPTIONS) => cors::preflight(),
        (Route::OpenApi, Method::GET | Method::HEAD) => {
            answer::json(StatusCode::OK, openapi::document())
        }
        (Route::Unknown, _) => not_found(Shape::at(head.uri.path())),
        (route, _) => method_not_allowed(route),
    }
}

fn not_found(shape: Shape) -> Response {
    let text = match shape {
        Shape::Errors => "Not found",
        Shape::OAuth => "there is nothing at this path",
    };
    refusal(shape, StatusCode::NOT_FOUND, "invalid_request", text)
}

fn method_not_allowed(route: Route) -> Response {
    let shape = Shape::at(route.template());
    let text = match shape {
        Shape::Errors => "Method not allowed",
        Shape::OAuth => "this path has no such method",
    };
    let mut response = refusal(shape, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(route.methods()));
    response
}
