//! The management listener: liveness, readiness, the release, and the metrics. It changes nothing and belongs on an
//! address that strangers cannot reach.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use hyper::body::Incoming;
use rustix::fs::statvfs;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Answer, ServerMetrics, activity, framing::malformed, metrics::StoreFigures};
use crate::{
    app::App,
    clock::Timestamp,
    config::StoreLocation,
    http::answer::{AnswerBody, Response, Shape, json as json_answer, refusal},
};

/// How long the readiness check of the store may take.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// How long its result is cached, so that many probes cause one check.
const READY_HOLDS: Duration = Duration::from_secs(1);

/// Answers the requests of the management listener.
pub(super) struct Management {
    app: Arc<App>,
    metrics: Arc<ServerMetrics>,
    draining: CancellationToken,
    started: Timestamp,
    /// The last readiness result of the store, and its time.
    store: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Management {
    pub(super) fn new(
        app: Arc<App>,
        metrics: Arc<ServerMetrics>,
        draining: CancellationToken,
    ) -> Self {
        let started = app.clock.now();
        Self { app, metrics, draining, started, store: Mutex::default() }
    }

    async fn readiness(&self, is_verbose: bool) -> Response {
        let store = self.store_readiness().await;
        let is_draining = self.draining.is_cancelled();
        let can_judge = self.app.rate_limit.can_judge();
        let is_ready = store.is_ok() && can_judge && !is_draining;
        let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut body = json!({ "status": if is_ready { "ready" } else { "not ready" } });
        if is_verbose {
            body["checks"] = json!({
                "store": store.err().unwrap_or_else(|| "ok".to_owned()),
                "rate_limit": if can_judge { "ok" } else { "Redis cannot be reached" },
                "rules": match self.app.rules.fault() {
                    None => "ok".to_owned(),
                    Some(fault) => format!("{fault}; the rules that were last read hold"),
                },
                "draining": is_draining,
            });
        }
        json_answer(status, body.to_string())
    }

    async fn store_readiness(&self) -> Result<(), String> {
        let last = self.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, word)) = last.filter(|(asked, _)| asked.elapsed() < READY_HOLDS) {
            return word;
        }
        let word = match timeout(READY_WITHIN, self.app.store.ready()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} seconds", READY_WITHIN.as_secs())),
        };
        let told = Some((Instant::now(), word.clone()));
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = told;
        word
    }

    /// What is at the path.
    async fn read(&self, request: &Request<Incoming>) -> Response {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/livez" if is_read => json_answer(StatusCode::OK, r#"{"status":"alive"}"#),
            "/readyz" | "/healthz" if is_read => {
                let query = request.uri().query().unwrap_or_default();
                self.readiness(query.split('&').any(|part| part == "verbose")).await
            }
            "/version" if is_read => json_answer(
                StatusCode::OK,
                json!({ "name": "doorward", "version": env!("CARGO_PKG_VERSION") }).to_string(),
            ),
            "/metrics" if is_read => self.metrics_page(),
            "/livez" | "/readyz" | "/healthz" | "/version" | "/metrics" => {
                let text = "this path can only be read";
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut response = refusal(Shape::OAuth, status, "invalid_request", text);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            _ => {
                let text = "there is nothing at this path";
                refusal(Shape::OAuth, StatusCode::NOT_FOUND, "invalid_request", text)
            }
        }
    }

    fn metrics_page(&self) -> Response {
        let store = &self.app.store;
        let figures = StoreFigures {
            metrics: Some(store.metrics()),
            queues: store.queues(),
            free_bytes: free_bytes(&self.app.config.store),
            database: store.database(),
        };
        let mut response =
            Response::new(AnswerBody::from(self.metrics.page(self.started, &figures)));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
        response
    }
}

/// The free space on the disk of the data folder.
fn free_bytes(store: &StoreLocation) -> Option<u64> {
    let StoreLocation::Folder(folder) = store else { return None };
    let disk = statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Answer for Management {
    async fn answer(
        &self,
        request: Request<Incoming>,
        _: IpAddr,
        exchange: &activity::Exchange,
    ) -> Response {
        let mut response = match malformed(&request, exchange.has_length) {
            Some(text) => refusal(Shape::OAuth, StatusCode::BAD_REQUEST, "invalid_request", text),
            None => self.read(&request).await,
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
