//! Spans: one of each request, and below it one of each step that waits for something else (a change to the store, a
//! fetch, an identity provider). They follow the semantic conventions of OpenTelemetry.
//!
//! The current span is in the context of OpenTelemetry, which the request's future carries from poll to poll
//! ([`around`]). Where requests are not traced, or this one is not, no step makes a span, and nothing is allocated.
//! No span holds a path, a query, a header, or a body of a request, and none of them a secret.
//! `server/span_export.rs` sends spans to a collector.

mod step;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use opentelemetry::{
    Context, ContextGuard, KeyValue,
    context::{FutureExt as _, WithContext},
    propagation::{Extractor, TextMapPropagator},
    trace::{
        Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState,
        Tracer as _,
    },
};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracer};
use url::Url;
use uuid::Uuid;

pub(crate) use self::step::{StepSpan, note_status};

/// The longest `tracestate` that is passed on, in bytes: the least that W3C Trace Context §3.3.1.5 asks for.
const TRACESTATE_MAX: usize = 512;

/// Makes the spans of requests.
#[derive(Debug)]
pub(crate) struct RequestTracer {
    tracer: SdkTracer,
    /// Of the issuer: by what name callers know this server.
    scheme: &'static str,
    host: String,
    port: u16,
    /// Whether spans hold callers' addresses.
    has_addresses: bool,
}

/// A request as its span tells of it.
pub(crate) struct Received<'a> {
    pub(crate) method: &'a Method,
    /// The template of the route, or a word for it.
    pub(crate) route: &'static str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) version: Version,
    pub(crate) address: IpAddr,
    pub(crate) request_id: &'a str,
    /// Whether the caller is a proxy whose headers are believed.
    pub(crate) is_trusted: bool,
}

/// What a request came to.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) outcome: &'static str,
    pub(crate) error_code: Option<&'static str>,
    pub(crate) client_id: Option<Uuid>,
}

/// Makes the spans of steps; in the context of every request that is recorded.
struct StepTracer(SdkTracer);

/// The span of a request, which ends when it is dropped.
pub(crate) struct RequestSpan {
    context: Context,
}

impl RequestTracer {
    pub(crate) fn new(tracer: SdkTracer, issuer: &str, has_addresses: bool) -> Self {
        let issuer = Url::parse(issuer).ok();
        let host = issuer.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        let port = issuer.as_ref().and_then(Url::port_or_known_default).unwrap_or_default();
        let is_http = issuer.is_some_and(|issuer| issuer.scheme() == "http");
        let scheme = if is_http { "http" } else { "https" };
        Self { tracer, scheme, host, port, has_addresses }
    }

    /// Begins the span of a request. A trusted proxy's trace continues. Anyone else's context becomes a link of a new
    /// trace: strangers decide neither what is sampled nor which trace grows.
    pub(crate) fn begin(&self, received: &Received<'_>) -> RequestSpan {
        let told = told(received.headers);
        let name = match (method(received.method), received.route) {
            ("_OTHER", route) => format!("HTTP {route}"),
            (method, route) => format!("{method} {route}"),
        };
        let mut builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server);
        let mut parent = Context::new();
        match told {
            Some(told) if received.is_trusted => parent = parent.with_remote_span_context(told),
            Some(told) => {
                builder = builder.with_links(vec![Link::with_context(identifiers(&told))]);
            }
            None => {}
        }
        let span = self.tracer.build_with_context(builder, &parent);
        let mut context = Context::new();
        let is_recorded = opentelemetry::trace::Span::is_recording(&span);
        if is_recorded {
            context = context.with_value(StepTracer(self.tracer.clone()));
        }
        let context = context.with_span(span);
        if is_recorded {
            context.span().set_attributes(self.attributes(received));
        }
        RequestSpan { context }
    }

    fn attributes(&self, received: &Received<'_>) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("http.request.method", method(received.method)),
            KeyValue::new("url.scheme", self.scheme),
            KeyValue::new("server.address", self.host.clone()),
            KeyValue::new("server.port", i64::from(self.port)),
            KeyValue::new("doorward.request_id", received.request_id.to_owned()),
        ];
        if received.route.starts_with('/') {
            attributes.push(KeyValue::new("http.route", received.route));
            // The path itself may hold a secret: the template is the scrubbed form of it.
            attributes.push(KeyValue::new("url.path", received.route));
        }
        if let Some(version) = version(received.version) {
            attributes.push(KeyValue::new("network.protocol.version", version));
        }
        if self.has_addresses {
            attributes.push(KeyValue::new("client.address", received.address.to_string()));
        }
        attributes
    }
}

impl RequestSpan {
    /// Makes this the current span, until what is returned is dropped.
    pub(crate) fn enter(&self) -> ContextGuard {
        self.context.clone().attach()
    }

    /// The identifiers of trace and span, if this request is recorded.
    pub(crate) fn ids(&self) -> Option<(String, String)> {
        let span = self.context.span();
        let ids = span.span_context();
        ids.is_sampled().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    }

    pub(crate) fn end(self, answered: &Answered) {
        let span = self.context.span();
        if !span.is_recording() {
            return;
        }
        let status = answered.status;
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        span.set_attribute(KeyValue::new("doorward.outcome", answered.outcome));
        if let Some(code) = answered.error_code {
            span.set_attribute(KeyValue::new("doorward.error_code", code));
        }
        if let Some(id) = answered.client_id {
            span.set_attribute(KeyValue::new("doorward.client_id", id.to_string()));
        }
        // A rejected request is the caller's error, and no error of this span.
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Adds the current span to the headers of a request to another server (W3C Trace Context).
pub(crate) fn propagate(headers: &mut HeaderMap) {
    Context::map_current(|context| {
        if context.has_active_span() {
            let into = &mut HeaderInjector(headers);
            TraceContextPropagator::new().inject_context(context, into);
            let tracestate = HeaderName::from_static("tracestate");
            if headers.get(&tracestate).is_some_and(http::HeaderValue::is_empty) {
                headers.remove(&tracestate);
            }
        }
    });
}

/// A future with the span of `step` as the current one; without it, the one that is current now stays so.
pub(crate) fn around<F: Future>(step: Option<&StepSpan>, future: F) -> WithContext<F> {
    future.with_context(step.map_or_else(Context::current, StepSpan::context))
}

/// The context that a caller sent, if it is a valid one.
fn told(headers: &HeaderMap) -> Option<SpanContext> {
    headers.get("traceparent")?;
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Told(headers));
    let told = context.span().span_context().clone();
    told.is_valid().then_some(told)
}

/// A context without its state, whose text a caller chooses.
fn identifiers(told: &SpanContext) -> SpanContext {
    SpanContext::new(told.trace_id(), told.span_id(), told.trace_flags(), true, TraceState::NONE)
}

/// The headers that W3C Trace Context defines, within bounds.
struct Told<'a>(&'a HeaderMap);

impl Extractor for Told<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (value.len() <= TRACESTATE_MAX).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// The method, or `_OTHER` for one that is not registered: no attribute has a caller's text.
fn method(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    const NAMES: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let place = KNOWN.iter().position(|known| known == method);
    place.map_or("_OTHER", |place| NAMES[place])
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}
