//! Traces: does the collector accept spans?

use bytes::Bytes;

use super::{Examined, Finding, Look};
use crate::{http::request_event::chain, internet::Internet, server::Collector};

/// Sends a request without spans, which is valid.
pub(super) fn accepted(examined: &Examined<'_>) -> Vec<Finding> {
    let settings = &examined.config.traces;
    let Some(url) = settings.endpoint.as_ref().filter(|_| !examined.is_offline) else {
        return Vec::new();
    };
    // Its path may hold a secret.
    let look = Look::at("traces", &url.origin().ascii_serialization());
    let answer = examined
        .wait(async { Collector::new(settings, url, &Internet::System).post(Bytes::new()).await });
    vec![match answer.map(|answer| answer.status().as_u16()) {
        Ok(200..300) => look.ok("the collector accepts spans"),
        Ok(401 | 403) => look.warning(
            "the collector rejects our credentials",
            "see to traces.headers, or OTEL_EXPORTER_OTLP_HEADERS",
        ),
        Ok(404 | 405) => look.warning(
            "the collector does not accept spans at this path",
            "write the whole URL into traces.endpoint: its path is /v1/traces in most cases",
        ),
        Ok(status) => look.warning(
            format!("the collector answered with status {status}"),
            "see to the collector: spans are dropped until it accepts them",
        ),
        Err(error) => look.warning(
            format!("the collector cannot be asked: {}", chain(&error)),
            "see to traces.endpoint, whose port is 4318 in most cases, and to the collector. `http` is for this machine and \
             private networks",
        ),
    }]
}
