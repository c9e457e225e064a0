//! The one log event of a request. It holds no body, no header, and an address only when the operator
//! says so.

use std::{error::Error, fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};
use uuid::Uuid;

/// What an endpoint has to say about its answer, for the log alone: an extension of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The code of the error that was answered.
    pub(crate) error_code: Option<&'static str>,
    /// The client that the request made or was about.
    pub(crate) client_id: Option<Uuid>,
    /// What went wrong inside, which the caller is not told.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// One request and what became of it.
pub(crate) struct RequestEvent<'a> {
    /// The route's template; never the path, which is the caller's text.
    pub(crate) route: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) request_id: &'a HeaderValue,
    /// `None` unless addresses are logged.
    pub(crate) address: Option<IpAddr>,
    pub(crate) outcome: Option<&'a Outcome>,
}

/// What became of a request in one word: the `outcome` of logs and metrics.
pub(crate) fn outcome_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..400 => "accepted",
        429 => "rate_limited",
        400..500 => "refused",
        503 => "unavailable",
        _ => "failed",
    }
}

macro_rules! event {
    ($level:ident, $event:expr) => {
        if tracing::enabled!(target: "doorward::request", tracing::Level::$level) {
            let event = $event;
            let outcome = event.outcome;
            tracing::event!(
                target: "doorward::request",
                tracing::Level::$level,
                http.route = event.route,
                http.status = event.status.as_u16(),
                duration_ms = event.duration.as_secs_f64() * 1_000.0,
                outcome = outcome_word(event.status),
                error.code = outcome.and_then(|o| o.error_code),
                error.chain = outcome.and_then(|o| o.cause.as_deref()).map(chain),
                client.id = outcome.and_then(|o| o.client_id).map(tracing::field::display),
                client.address = event.address.map(tracing::field::display),
                request.id = event.request_id.to_str().unwrap_or_default(),
                "http.request"
            );
        }
    };
}

impl RequestEvent<'_> {
    /// Emits the event: an error when someone must act, a warning when the store could not serve.
    pub(crate) fn emit(&self) {
        match self.status.as_u16() {
            503 => event!(WARN, self),
            500.. => event!(ERROR, self),
            _ => event!(INFO, self),
        }
    }
}

/// An error and all that caused it, in one line.
pub(crate) fn chain(error: &(dyn Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
