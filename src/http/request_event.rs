//! The single log event of a request. It holds no body and no header, and an address only if the operator configured
//! it.

use std::{error::Error, fmt::Write as _, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};
use uuid::Uuid;

/// What an endpoint adds to the log event of its response, as an extension of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// The error code of the response.
    pub(crate) error_code: Option<&'static str>,
    /// The client that the request created or named.
    pub(crate) client_id: Option<Uuid>,
    /// The internal cause of an error, which the caller does not see.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
    /// The guarded resource that the request was for.
    pub(crate) resource: Option<Box<str>>,
    /// Whether sampling leaves this event out of the log; failures are always logged.
    pub(crate) is_sampled_out: bool,
}

/// One request and its outcome.
pub(crate) struct RequestEvent<'a> {
    /// The route's template; never the path, because the caller writes it.
    pub(crate) route: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) request_id: &'a HeaderValue,
    /// `None` unless addresses are logged.
    pub(crate) address: Option<IpAddr>,
    pub(crate) outcome: Option<&'a Outcome>,
    /// The trace and span identifiers, if the request is traced.
    pub(crate) trace: Option<(&'a str, &'a str)>,
}

/// The outcome of a request in one word: the `outcome` of logs and metrics.
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
            let mut client_id = Uuid::encode_buffer();
            tracing::event!(
                target: "doorward::request",
                tracing::Level::$level,
                http.route = event.route,
                http.status = event.status.as_u16(),
                duration_us = u64::try_from(event.duration.as_micros()).unwrap_or(u64::MAX),
                outcome = outcome_word(event.status),
                error.code = outcome.and_then(|o| o.error_code),
                error.chain = outcome.and_then(|o| o.cause.as_deref()).map(chain),
                guard.resource = outcome.and_then(|o| o.resource.as_deref()),
                client.id = outcome
                    .and_then(|o| o.client_id)
                    .map(|id| &*id.hyphenated().encode_lower(&mut client_id)),
                client.address = event.address.map(tracing::field::display),
                request.id = event.request_id.to_str().unwrap_or_default(),
                trace_id = event.trace.map(|(trace, _)| trace),
                span_id = event.trace.map(|(_, span)| span),
                "http.request"
            );
        }
    };
}

impl RequestEvent<'_> {
    /// Emits the event: as an error if someone must act, as a warning if the store was unavailable.
    pub(crate) fn emit(&self) {
        match self.status.as_u16() {
            503 => event!(WARN, self),
            500.. => event!(ERROR, self),
            _ if self.outcome.is_some_and(|outcome| outcome.is_sampled_out) => {}
            _ => event!(INFO, self),
        }
    }
}

/// An error and all its sources, in one line.
pub(crate) fn chain(error: &(dyn Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };

    use serde_json::Value;
    use tracing_subscriber::fmt;

    use super::*;

    /// The captured log, for a test to read.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the store is unavailable")]
    struct Away(#[source] io::Error);

    fn logged(event: &RequestEvent<'_>) -> Value {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = fmt().json().flatten_event(true).with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || event.emit());
        let bytes = log.0.lock().unwrap().clone();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn event(status: StatusCode, id: &HeaderValue) -> RequestEvent<'_> {
        RequestEvent {
            route: "/register",
            status,
            duration: Duration::from_micros(1_500),
            request_id: id,
            address: None,
            outcome: None,
            trace: None,
        }
    }

    #[test]
    fn an_event_says_what_became_of_a_request_and_nothing_of_its_caller() {
        let id = HeaderValue::from_static("abc");
        let client_id = Uuid::from_u128(1);
        let outcome = Outcome { client_id: Some(client_id), ..Outcome::default() };

        let mut line =
            logged(&RequestEvent { outcome: Some(&outcome), ..event(StatusCode::CREATED, &id) });

        let members = line.as_object_mut().unwrap();
        assert!(members.remove("timestamp").is_some());
        assert_eq!(
            line,
            serde_json::json!({
                "level": "INFO",
                "target": "doorward::request",
                "message": "http.request",
                "http.route": "/register",
                "http.status": 201,
                "duration_us": 1_500,
                "outcome": "accepted",
                "client.id": client_id.to_string(),
                "request.id": "abc",
            })
        );
    }

    #[test]
    fn a_failure_is_logged_with_all_its_causes_at_the_level_of_its_weight() {
        let id = HeaderValue::from_static("abc");
        let cause = io::Error::other("the disk is full");
        let outcome = Outcome {
            error_code: Some("temporarily_unavailable"),
            cause: Some(Arc::new(Away(cause))),
            ..Outcome::default()
        };
        for (status, level, word) in [
            (StatusCode::SERVICE_UNAVAILABLE, "WARN", "unavailable"),
            (StatusCode::INTERNAL_SERVER_ERROR, "ERROR", "failed"),
        ] {
            let line = logged(&RequestEvent { outcome: Some(&outcome), ..event(status, &id) });
            assert_eq!((&line["level"], &line["outcome"]), (&level.into(), &word.into()));
            assert_eq!(line["error.code"], "temporarily_unavailable");
            assert_eq!(line["error.chain"], "the store is unavailable: the disk is full");
        }
    }

    #[test]
    fn an_event_that_is_sampled_out_is_logged_only_for_a_failure() {
        let id = HeaderValue::from_static("abc");
        let outcome = Outcome { is_sampled_out: true, ..Outcome::default() };
        let lines = |status| {
            let log = Log::default();
            let writer = log.clone();
            let subscriber = fmt().json().with_writer(move || writer.clone()).finish();
            let event = RequestEvent { outcome: Some(&outcome), ..event(status, &id) };
            tracing::subscriber::with_default(subscriber, || event.emit());
            String::from_utf8(log.0.lock().unwrap().clone()).unwrap().lines().count()
        };
        assert_eq!([StatusCode::OK, StatusCode::NOT_FOUND].map(lines), [0, 0]);
        assert_eq!([StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE].map(lines), [1, 1]);
    }

    #[test]
    fn an_address_is_logged_only_when_it_is_handed_over() {
        let id = HeaderValue::from_static("abc");
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let line = logged(&RequestEvent { address, ..event(StatusCode::OK, &id) });
        assert_eq!(line["client.address"], "192.0.2.1");
        assert!(logged(&event(StatusCode::OK, &id)).get("client.address").is_none());
    }
}
