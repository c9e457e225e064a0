//! What happens to every request of the public listener around its endpoint, in one function: the
//! caller's address, the request's identifier, the headers of every answer, the one log event, the
//! counters; and a JSON answer where the router or a panic left none.

use std::{
    any::Any,
    future::{Future, poll_fn},
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use axum::{Router, body::Body, response::Response};
use http::{
    HeaderValue, Method, Request, StatusCode, Version,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONNECTION,
        CONTENT_TYPE, PRAGMA,
    },
};
use hyper::body::Incoming;
use tower::Service as _;

use super::{
    listener::Answer,
    metrics::ServerMetrics,
    routes::{self, Route},
};
use crate::{
    app::App,
    http::{
        answer::{Shape, refusal},
        client_address::{ClientAddress, client_address, is_trusted},
        request_event::{Outcome, RequestEvent},
        request_id::{RequestIds, X_REQUEST_ID, taken_over},
    },
};

/// What may be sent to the registration endpoints (contract §6).
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, authorization, mcp-protocol-version");
/// What a script may read of their answers.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "retry-after, www-authenticate, ratelimit-limit, ratelimit-remaining, ratelimit-reset, \
     x-ratelimit-limit, x-ratelimit-period, x-ratelimit-remaining, x-ratelimit-reset, \
     x-ratelimit-name",
);
/// How long a browser may remember this, in seconds.
const PREFLIGHT_MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Answers the requests of the public listener.
pub(crate) struct Exchange {
    app: Arc<App>,
    router: Router,
    metrics: Arc<ServerMetrics>,
    request_ids: RequestIds,
}

impl Exchange {
    pub(crate) fn new(app: Arc<App>, metrics: Arc<ServerMetrics>) -> Self {
        let request_ids = RequestIds::new(&app.entropy);
        Self { router: routes::public(Arc::clone(&app)), app, metrics, request_ids }
    }
}

impl Answer for Exchange {
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response {
        let began = Instant::now();
        let _in_flight = self.metrics.in_flight.one_more();
        let proxies = &self.app.config.server.trusted_proxies;
        let address = client_address(peer, request.headers(), proxies);
        let request_id = Some(request.headers())
            .filter(|_| is_trusted(peer, proxies))
            .and_then(|headers| taken_over(headers.get(X_REQUEST_ID)))
            .unwrap_or_else(|| self.request_ids.make());
        let route = Route::of(request.uri().path());
        let shape = Shape::at(request.uri().path());
        let version = request.version();

        let mut response = if route.is_registration() && request.method() == Method::OPTIONS {
            preflight()
        } else {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ClientAddress(address));
            match or_panic(self.router.clone().call(request)).await {
                Ok(Ok(response)) => response,
                Err(panic) => {
                    tracing::error!(panic = panic_text(&*panic), "a handler panicked");
                    let text = "the server failed";
                    refusal(shape, StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
                }
            }
        };
        if !response.headers().contains_key(CONTENT_TYPE) {
            response = worded(response, shape);
        }
        headers_of_every_answer(&mut response, route, version, request_id.clone());

        let event = RequestEvent {
            route: route.template(),
            status: response.status(),
            duration: began.elapsed(),
            request_id: &request_id,
            address: Some(address).filter(|_| self.app.config.log.addresses),
            outcome: response.extensions().get::<Outcome>(),
        };
        self.metrics.count(route, event.status, event.duration);
        event.emit();
        response
    }
}

/// The router's own answers have no body: gives them one.
fn worded(response: Response, shape: Shape) -> Response {
    let status = response.status();
    let text = match (status, shape) {
        (StatusCode::NOT_FOUND, Shape::Errors) => "Not found",
        (StatusCode::NOT_FOUND, Shape::OAuth) => "there is nothing at this path",
        (StatusCode::METHOD_NOT_ALLOWED, Shape::Errors) => "Method not allowed",
        (StatusCode::METHOD_NOT_ALLOWED, Shape::OAuth) => "this path has no such method",
        _ => return response,
    };
    let mut worded = refusal(shape, status, "invalid_request", text);
    if let Some(allow) = response.headers().get(ALLOW) {
        worded.headers_mut().insert(ALLOW, allow.clone());
    }
    worded
}

/// The answer to a browser that asks whether it may ask (Fetch, CORS-preflight).
fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
    headers.insert(ALLOW, ALLOWED_METHODS);
    response
}

fn headers_of_every_answer(
    response: &mut Response,
    route: Route,
    version: Version,
    request_id: HeaderValue,
) {
    // Part of the body is still on its way, or nobody knows where it ends.
    let is_last = version < Version::HTTP_2
        && matches!(response.status(), StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    let is_method_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(X_REQUEST_ID, request_id);
    if is_last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if route.is_registration() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        if is_method_refused {
            headers.insert(ALLOW, ALLOWED_METHODS);
        }
    }
}

/// What the future yields, or what it panicked with.
async fn or_panic<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    // The future is never polled again after a panic, so nobody sees what it left half done.
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}
