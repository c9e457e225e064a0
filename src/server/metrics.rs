//! What the server counts, and the page on which it is read.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::routes::{ROUTES, Route};
use crate::{
    admission::Rules,
    client::ProfileName,
    clock::Timestamp,
    log,
    metrics::{
        AuthorizationMetrics, ConnectionMetrics, Counter, DocumentMetrics, Gauge, Page,
        RateLimitMetrics, RegistrationMetrics, RouteMetrics,
    },
    store::DatabaseFigures,
};

/// What one server counts.
#[derive(Debug, Default)]
pub(crate) struct ServerMetrics {
    routes: Vec<RouteMetrics>,
    datadog: RegistrationMetrics,
    rfc7591: RegistrationMetrics,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Arc<ConnectionMetrics>,
    rate_limit: Arc<RateLimitMetrics>,
    documents: Arc<DocumentMetrics>,
    authorization: Arc<AuthorizationMetrics>,
    rules: Option<Arc<Rules>>,
    /// Signals to read the certificate again, and how they ended.
    pub(crate) certificate_reloads: Counter,
    pub(crate) certificate_reload_failures: Counter,
}

impl ServerMetrics {
    /// Nothing is counted yet but what others count by themselves.
    pub(crate) fn new(
        rate_limit: Arc<RateLimitMetrics>,
        documents: Arc<DocumentMetrics>,
        authorization: Arc<AuthorizationMetrics>,
        rules: Arc<Rules>,
    ) -> Self {
        let routes = ROUTES.iter().map(|_| RouteMetrics::default()).collect();
        Self { routes, rate_limit, documents, authorization, rules: Some(rules), ..Self::default() }
    }

    /// Counts an answer.
    pub(crate) fn count(&self, route: &Route, status: StatusCode, duration: Duration) {
        let metrics = &self.routes[route.index];
        if let Some(class) = metrics.requests.get(usize::from(status.as_u16() / 100) - 1) {
            class.add_one();
        }
        metrics.duration.record(duration);
        if let Some(profile) = route.profile() {
            let registrations = self.registrations(profile);
            match status.as_u16() {
                201 => registrations.accepted.add_one(),
                429 => registrations.rate_limited.add_one(),
                503 => registrations.unavailable.add_one(),
                400..500 => registrations.refused.add_one(),
                500.. => registrations.failed.add_one(),
                // A preflight asks for no registration.
                _ => {}
            }
        }
    }

    fn registrations(&self, profile: ProfileName) -> &RegistrationMetrics {
        match profile {
            ProfileName::Datadog => &self.datadog,
            ProfileName::Rfc7591 => &self.rfc7591,
        }
    }

    /// Everything as Prometheus reads it, and how a database is doing, where there is one.
    pub(crate) fn page(&self, started: Timestamp, database: Option<&DatabaseFigures>) -> String {
        let mut page = Page::new();
        self.registrations_on(&mut page);
        self.rules_on(&mut page);
        self.rate_limit_on(&mut page);
        self.documents_on(&mut page);
        self.authorization_on(&mut page);
        self.sweeps_on(&mut page);
        if let Some(database) = database {
            database_on(&mut page, database);
        }
        self.requests_on(&mut page);
        self.connections_on(&mut page);
        process_on(&mut page, started);
        page.into_text()
    }

    fn registrations_on(&self, page: &mut Page) {
        let name = "doorward_registrations_total";
        page.head(name, "counter", "Registrations asked for, by profile and outcome.");
        for profile in [ProfileName::Datadog, ProfileName::Rfc7591] {
            let of = self.registrations(profile);
            for (outcome, counter) in [
                ("accepted", &of.accepted),
                ("refused", &of.refused),
                ("rate_limited", &of.rate_limited),
                ("unavailable", &of.unavailable),
                ("failed", &of.failed),
            ] {
                let labels = format!("profile=\"{}\",outcome=\"{outcome}\"", profile.as_str());
                page.counter(name, &labels, counter);
            }
        }
    }

    fn rules_on(&self, page: &mut Page) {
        let name = "doorward_admission_rule_hits_total";
        page.head(name, "counter", "Clients that matched an admission rule, by rule and mode.");
        for (rule, hits) in self.rules.iter().flat_map(|rules| rules.hits()) {
            let (id, mode) = (rule.id.as_str(), rule.mode.as_str());
            page.sample(name, &format!("rule=\"{id}\",mode=\"{mode}\""), hits);
        }
    }

    fn rate_limit_on(&self, page: &mut Page) {
        let name = "doorward_rate_limit_redis_connected";
        page.head(name, "gauge", "Whether limits are shared through Redis at present.");
        page.gauge(name, "", &self.rate_limit.connected);
        let name = "doorward_rate_limit_redis_requests_total";
        page.head(name, "counter", "Requests to be counted in Redis, by outcome.");
        for (outcome, counter) in [
            ("counted", &self.rate_limit.counted),
            ("failed", &self.rate_limit.failed),
            ("not_asked", &self.rate_limit.not_asked),
        ] {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
        let name = "doorward_rate_limit_failures_total";
        page.head(name, "counter", "Failures, and requests refused for too many of them.");
        for (outcome, counter) in
            [("counted", &self.rate_limit.failures), ("refused", &self.rate_limit.failures_refused)]
        {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
    }

    fn documents_on(&self, page: &mut Page) {
        let name = "doorward_client_documents_total";
        page.head(name, "counter", "Metadata documents of clients asked for, by outcome.");
        for (outcome, counter) in [
            ("remembered", &self.documents.remembered),
            ("fetched", &self.documents.fetched),
            ("invalid", &self.documents.invalid),
            ("gone", &self.documents.gone),
            ("failed", &self.documents.failed),
            ("busy", &self.documents.busy),
            ("refused", &self.documents.refused),
        ] {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
    }

    fn authorization_on(&self, page: &mut Page) {
        let of = &self.authorization;
        let name = "doorward_sign_ins_total";
        page.head(name, "counter", "Sign-ins that have ended, by kind and outcome.");
        for (kind, sign_ins) in [("local", &of.local_sign_ins), ("provider", &of.provider_sign_ins)]
        {
            for (outcome, counter) in [
                ("succeeded", &sign_ins.succeeded),
                ("refused", &sign_ins.refused),
                ("failed", &sign_ins.failed),
            ] {
                page.counter(name, &format!("kind=\"{kind}\",outcome=\"{outcome}\""), counter);
            }
        }
        let name = "doorward_tokens_issued_total";
        page.head(name, "counter", "Answers with an access token, by grant type.");
        page.counter(name, "grant_type=\"authorization_code\"", &of.tokens.by_code);
        page.counter(name, "grant_type=\"refresh_token\"", &of.tokens.by_refresh_token);
        let name = "doorward_used_again_total";
        page.head(name, "counter", "Codes and refresh tokens that were used again, by kind.");
        page.counter(name, "kind=\"code\"", &of.tokens.codes_used_again);
        page.counter(name, "kind=\"refresh_token\"", &of.tokens.refresh_tokens_used_again);
        let name = "doorward_client_uses_dropped_total";
        page.head(name, "counter", "Uses of clients that are not stored: too many in 30 seconds.");
        page.counter(name, "", &of.uses_dropped);
    }

    fn sweeps_on(&self, page: &mut Page) {
        let of = &self.authorization;
        let kinds =
            [("grants", &of.grants), ("consents", &of.consents), ("sessions", &of.sessions)];
        let name = "doorward_sweep_forgotten_total";
        page.head(name, "counter", "Expired records that were forgotten, by kind.");
        for (kind, sweep) in kinds {
            page.counter(name, &format!("kind=\"{kind}\""), &sweep.forgotten);
        }
        let name = "doorward_sweep_failures_total";
        page.head(name, "counter", "Sweeps that did not come to their end, by kind.");
        for (kind, sweep) in kinds {
            page.counter(name, &format!("kind=\"{kind}\""), &sweep.failures);
        }
        let name = "doorward_sweep_ended_timestamp_seconds";
        page.head(name, "gauge", "When the last whole sweep ended, by kind; 0 for never.");
        for (kind, sweep) in kinds {
            page.gauge(name, &format!("kind=\"{kind}\""), &sweep.ended_at);
        }
    }

    fn requests_on(&self, page: &mut Page) {
        let name = "doorward_http_requests_total";
        page.head(name, "counter", "Answers of the public listener, by route and class of status.");
        for route in ROUTES.iter() {
            for (class, counter) in self.routes[route.index].requests.iter().enumerate() {
                let labels = format!("route=\"{}\",status=\"{}xx\"", route.template, class + 1);
                page.counter(name, &labels, counter);
            }
        }
        let name = "doorward_http_requests_in_flight";
        page.head(name, "gauge", "Requests of the public listener that are being answered.");
        page.gauge(name, "", &self.in_flight);
        let name = "doorward_http_request_duration_seconds";
        page.head(name, "histogram", "Time from the head of a request to its answer, by route.");
        for route in ROUTES.iter() {
            let labels = format!("route=\"{}\"", route.template);
            page.histogram(name, &labels, &self.routes[route.index].duration);
        }
    }

    fn connections_on(&self, page: &mut Page) {
        let name = "doorward_connections_open";
        page.head(name, "gauge", "Connections of the public listener that are open.");
        page.gauge(name, "", &self.connections.open);
        let name = "doorward_connections_held_bytes";
        page.head(
            name,
            "gauge",
            "What requests being answered and answers being sent hold, in bytes.",
        );
        page.sample(name, "", self.connections.held_bytes.value());
        let name = "doorward_connections_closed_total";
        page.head(name, "counter", "Connections that the server closed, by reason.");
        for (reason, counter) in [
            ("too_many", &self.connections.refused_total),
            ("too_many_of_source", &self.connections.refused_source),
            ("too_slow", &self.connections.slow),
            ("idle", &self.connections.idle),
            ("unanswered", &self.connections.unanswered),
            ("made_room", &self.connections.made_room),
            ("held_too_much", &self.connections.held_too_much),
        ] {
            page.counter(name, &format!("reason=\"{reason}\""), counter);
        }
        let name = "doorward_certificate_reloads_total";
        page.head(name, "counter", "Times the certificate was read again, by outcome.");
        page.counter(name, "outcome=\"accepted\"", &self.certificate_reloads);
        page.counter(name, "outcome=\"failed\"", &self.certificate_reload_failures);
    }
}

fn database_on(page: &mut Page, database: &DatabaseFigures) {
    let name = "doorward_postgres_connections";
    page.head(name, "gauge", "Connections to PostgreSQL, by whether somebody uses them.");
    page.sample(name, "state=\"idle\"", database.idle);
    page.sample(name, "state=\"used\"", database.open.saturating_sub(database.idle));
    for (name, kind, help, value) in [
        (
            "doorward_postgres_waiting",
            "gauge",
            "Callers that wait for a connection.",
            database.waiting,
        ),
        (
            "doorward_postgres_connections_discarded_total",
            "counter",
            "Connections that were thrown away.",
            database.discarded,
        ),
        (
            "doorward_postgres_batches_total",
            "counter",
            "Batches of registrations.",
            database.batches,
        ),
        (
            "doorward_postgres_batched_registrations_total",
            "counter",
            "Registrations in batches.",
            database.batched,
        ),
        (
            "doorward_postgres_retries_total",
            "counter",
            "Statements that were sent once more.",
            database.retries,
        ),
    ] {
        page.head(name, kind, help);
        page.sample(name, "", value);
    }
    let name = "doorward_postgres_lost_answers_total";
    page.head(name, "counter", "Batches whose answer was lost, by what was found out.");
    page.sample(name, "outcome=\"settled\"", database.settled);
    page.sample(name, "outcome=\"unsettled\"", database.unsettled);
}

/// The page size of every Linux that Rust supports and that does not say otherwise.
const PAGE_BYTES: u64 = 4096;

fn process_on(page: &mut Page, started: Timestamp) {
    let name = "doorward_log_lines_dropped_total";
    page.head(name, "counter", "Log lines that were dropped because stderr was not read.");
    page.sample(name, "", log::dropped_lines());
    let name = "doorward_build_info";
    page.head(name, "gauge", "Which release this is.");
    page.sample(name, concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    let name = "process_start_time_seconds";
    page.head(name, "gauge", "When the process started, in seconds since the epoch.");
    page.sample(name, "", started.as_seconds());
    if let Some(pages) = resident_pages() {
        let name = "process_resident_memory_bytes";
        page.head(name, "gauge", "Resident memory.");
        page.sample(name, "", pages * PAGE_BYTES);
    }
}

/// Where there is no `/proc` nothing is said.
fn resident_pages() -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}
