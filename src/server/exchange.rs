//! The steps around every endpoint, at all listeners but management: the caller's address, the request identifier,
//! the common headers, the log event, the span, the counters, and a JSON response if a handler panics.

use std::{
    any::Any,
    future::{Future, poll_fn},
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use http::{
    HeaderValue, Method, Request, StatusCode, Version,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, Entry, PRAGMA, STRICT_TRANSPORT_SECURITY},
};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{
    activity, cors,
    framing::malformed,
    listener::Answer,
    metrics::ServerMetrics,
    routes::{self, From, Route, Routes, Side},
    span_export::SpanExport,
};
use crate::{
    app::App,
    attempt::Attempt,
    guard::{self, Guards, Sender},
    http::{
        answer::{AnswerBody, Response, Shape, refusal},
        client_address::{client_address, is_trusted},
        request_event::{Outcome, RequestEvent, outcome_word},
        request_id::{RequestIds, X_REQUEST_ID, taken_over},
    },
    traces::{Answered, Received, RequestSpan},
};

/// Browsers use HTTPS for a year (RFC 6797 §6.1). The policy leaves out other hosts of the domain, which may have
/// other owners.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers the requests of a listener.
pub(crate) struct Exchange {
    app: Arc<App>,
    guards: Arc<Guards>,
    metrics: Arc<ServerMetrics>,
    request_ids: RequestIds,
    routes: Routes,
    side: Side,
    /// Whether callers reach this server by HTTPS.
    is_encrypted: bool,
    traces: Option<Arc<SpanExport>>,
}

impl Exchange {
    pub(crate) fn new(
        app: Arc<App>,
        guards: Arc<Guards>,
        metrics: Arc<ServerMetrics>,
        side: Side,
        traces: Option<Arc<SpanExport>>,
    ) -> Self {
        let request_ids = RequestIds::new(&app.entropy);
        let routes = Routes::new(&app.config, side);
        let is_encrypted = app.config.tls.is_some() || app.config.server.tls_terminated_in_front;
        Self { app, guards, metrics, request_ids, routes, side, is_encrypted, traces }
    }

    /// The span of a request; `None` unless requests are traced.
    fn span(
        &self,
        request: &Request<Incoming>,
        (peer, address): (IpAddr, IpAddr),
        route: &'static Route,
        request_id: &HeaderValue,
    ) -> Option<RequestSpan> {
        let traces = self.traces.as_ref()?;
        Some(traces.tracer.begin(&Received {
            method: request.method(),
            route: route.template,
            headers: request.headers(),
            version: request.version(),
            address,
            request_id: request_id.to_str().unwrap_or_default(),
            is_trusted: is_trusted(peer, &self.app.config.server.trusted_proxies),
        }))
    }

    fn request_id(&self, peer: IpAddr, request: &Request<Incoming>) -> HeaderValue {
        let is_believed = is_trusted(peer, &self.app.config.server.trusted_proxies);
        let sent = request.headers().get(X_REQUEST_ID).filter(|_| is_believed);
        taken_over(sent).unwrap_or_else(|| self.request_ids.make())
    }
}

impl Answer for Exchange {
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        exchange: &activity::Exchange,
    ) -> Response {
        let began = Instant::now();
        let _in_flight = self.metrics.in_flight.one_more();
        let proxies = &self.app.config.server.trusted_proxies;
        let address = client_address(peer, request.headers(), proxies);
        let request_id = self.request_id(peer, &request);
        let proxies = Some(&self.guards.proxies).filter(|_| self.side == Side::Public);
        let found = proxies.and_then(|proxies| proxies.find(&request));
        let route = match found {
            Some(_) => routes::guarded(),
            None => self.routes.at(request.uri().path()),
        };
        let shape = Shape::at(request.uri().path());
        let is_own_head = request.method() == Method::HEAD && found.is_none();
        let version = request.version();
        let span = self.span(&request, (peer, address), route, &request_id);

        let fault = malformed(&request, exchange.has_length);
        let mut response = if let Some(text) = fault {
            refusal(shape, StatusCode::BAD_REQUEST, "invalid_request", text)
        } else {
            let answered = async {
                let Some(found) = found else {
                    let from = From { peer, source: address };
                    let state = (&*self.app, &*self.guards);
                    return routes::answer(state, route, from, &request_id, request).await;
                };
                exchange.waits_for_another_server();
                let sender = Sender { address, request_id: &request_id };
                // Boxed, so that other connections do not carry the size of this future.
                Box::pin(guard::answer(&self.app, &self.guards, found, sender, request)).await
            };
            let answered = pin!(answered);
            or_panic(answered, span.as_ref()).await.unwrap_or_else(|panic| {
                tracing::error!(panic = panic_text(&*panic), "a handler panicked");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                refusal(shape, status, "server_error", "the server failed")
            })
        };
        if is_own_head {
            withhold_body(&mut response);
        }
        headers_of_every_answer(&mut response, route, request_id.clone());
        if version < Version::HTTP_2 && (fault.is_some() || is_last(response.status())) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.is_encrypted {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }

        if let Some(attempt) = response.extensions_mut().remove::<Attempt>() {
            self.app.note_attempt(attempt, address, request_id.to_str().unwrap_or_default());
        }
        let trace = span.as_ref().and_then(RequestSpan::ids);
        let event = RequestEvent {
            route: route.template,
            status: response.status(),
            duration: began.elapsed(),
            request_id: &request_id,
            address: Some(address).filter(|_| self.app.config.log.addresses),
            outcome: response.extensions().get::<Outcome>(),
            trace: trace.as_ref().map(|(trace, span)| (trace.as_str(), span.as_str())),
        };
        self.metrics.count(route, event.status, event.duration);
        event.emit();
        if let Some(span) = span {
            span.end(&answered(&event));
        }
        response
    }
}

/// The response in the span of a request: the same data as its log event.
fn answered(event: &RequestEvent<'_>) -> Answered {
    Answered {
        status: event.status,
        outcome: outcome_word(event.status),
        error_code: event.outcome.and_then(|outcome| outcome.error_code),
        client_id: event.outcome.and_then(|outcome| outcome.client_id),
    }
}

/// The answer to HEAD has the headers of the answer to GET (RFC 9110 §9.3.2).
fn withhold_body(response: &mut Response) {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = AnswerBody::default();
}

fn headers_of_every_answer(response: &mut Response, route: &Route, request_id: HeaderValue) {
    let headers = response.headers_mut();
    // An endpoint may mark its response as the same for everybody.
    if let Entry::Vacant(entry) = headers.entry(CACHE_CONTROL) {
        entry.insert(HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    headers.insert(X_REQUEST_ID, request_id);
    if route.is_open_to_scripts() {
        cors::allow(headers);
    }
}

/// Whether the connection must end: part of the body is still arriving.
fn is_last(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT)
}

/// The output of the future, or its panic. The future is not moved, because it is most of the memory of a request.
/// `span` is current while it runs.
async fn or_panic<F: Future>(
    mut future: Pin<&mut F>,
    span: Option<&RequestSpan>,
) -> Result<F::Output, Box<dyn Any + Send>> {
    // The future is never polled again after a panic, so nothing reads its broken state.
    poll_fn(|cx| {
        let _entered = span.map(RequestSpan::enter);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
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
