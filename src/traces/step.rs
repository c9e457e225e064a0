//! The spans of the steps of a request.

use std::borrow::Cow;

use http::{Method, StatusCode};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use url::Url;

use super::{StepTracer, method};

/// A step of a recorded request. Its span ends when it is dropped.
#[derive(Debug)]
pub(crate) struct StepSpan {
    context: Context,
}

impl StepSpan {
    /// A step below the current span; `None` if that is not recorded. `about` makes the attributes.
    fn begin(
        kind: SpanKind,
        about: impl FnOnce() -> (Cow<'static, str>, Vec<KeyValue>),
    ) -> Option<Self> {
        Context::map_current(|current| {
            let StepTracer(tracer) = current.get()?;
            let (name, attributes) = about();
            let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
            let span = tracer.build_with_context(builder, current);
            Some(Self { context: current.with_span(span) })
        })
    }

    /// A question or change to the store; `operation` is its kind, and `name` its own name.
    pub(crate) fn store(
        system: &'static str,
        operation: &'static str,
        name: &'static str,
    ) -> Option<Self> {
        Self::begin(SpanKind::Client, || {
            let attributes = vec![
                KeyValue::new("db.system.name", system),
                KeyValue::new("db.operation.name", name),
                KeyValue::new("doorward.store.operation", operation),
            ];
            (format!("store {name}").into(), attributes)
        })
    }

    /// A request to another server. Its path and query may hold a secret, and are left out.
    pub(crate) fn request(sent: &Method, url: &Url) -> Option<Self> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let port = || url.port_or_known_default().unwrap_or_default();
        Self::request_to(sent, (host, port), url.scheme() == "https")
    }

    /// The same to a server whose host and port are known apart.
    pub(crate) fn request_to(
        sent: &Method,
        (host, port): (impl FnOnce() -> String, impl FnOnce() -> u16),
        is_encrypted: bool,
    ) -> Option<Self> {
        Self::begin(SpanKind::Client, || {
            let method = method(sent);
            let attributes = vec![
                KeyValue::new("http.request.method", method),
                KeyValue::new("url.scheme", if is_encrypted { "https" } else { "http" }),
                KeyValue::new("server.address", host()),
                KeyValue::new("server.port", i64::from(port())),
            ];
            (method.into(), attributes)
        })
    }

    /// A call of an identity provider, with the request that it takes below it.
    pub(crate) fn provider(call: &'static str, id: &str) -> Option<Self> {
        Self::begin(SpanKind::Internal, || {
            (call.into(), vec![KeyValue::new("doorward.provider", id.to_owned())])
        })
    }

    /// The context in which this is the current span.
    pub(super) fn context(&self) -> Context {
        self.context.clone()
    }

    /// Notes the status of an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        answered(&self.context, status);
    }

    /// Notes that the step failed. `kind` is a word of ours, or a status.
    pub(crate) fn failed(&self, kind: impl Into<Cow<'static, str>>) {
        failed(&self.context, kind.into());
    }
}

/// Notes the status of an answer that the current step waited for.
pub(crate) fn note_status(status: StatusCode) {
    Context::map_current(|current| {
        if current.get::<StepTracer>().is_some() {
            answered(current, status);
        }
    });
}

/// For a client, a status of the class 4xx is an error too.
fn answered(context: &Context, status: StatusCode) {
    let code = i64::from(status.as_u16());
    context.span().set_attribute(KeyValue::new("http.response.status_code", code));
    if status.is_client_error() || status.is_server_error() {
        failed(context, status.as_str().to_owned().into());
    }
}

fn failed(context: &Context, kind: Cow<'static, str>) {
    context.span().set_attribute(KeyValue::new("error.type", kind));
    context.span().set_status(Status::error(""));
}
