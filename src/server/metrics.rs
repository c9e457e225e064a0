//! The metrics of the server, and their page.

mod guards;
mod store;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::StatusCode;

use super::routes::{ROUTES, Route};
use crate::{
    admission::Mode,
    attempts::Attempts,
    client::ProfileName,
    clock::Timestamp,
    live_rules::LiveRules,
    log,
    metrics::{
        AppMetrics, ConnectionMetrics, Counter, DocumentMetrics, Gauge, GuardMetrics, Page,
        RateLimitMetrics, RegistrationMetrics, RouteMetrics, StoreMetrics, TraceMetrics,
    },
    store::{DatabaseFigures, QueueFigures},
    webhook::Webhooks,
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
    app: Arc<AppMetrics>,
    rules: Option<Arc<LiveRules>>,
    webhooks: Option<Arc<Webhooks>>,
    attempts: Arc<Attempts>,
    /// The metrics of guarded resources, by the id of each guard; set when the listeners start.
    pub(crate) guards: OnceLock<Vec<(String, Arc<GuardMetrics>)>>,
    pub(crate) traces: Arc<TraceMetrics>,
    /// Signals to reload the certificate, and their outcomes.
    pub(crate) certificate_reloads: Counter,
    pub(crate) certificate_reload_failures: Counter,
}

impl ServerMetrics {
    /// Nothing is counted yet but what others count by themselves.
    pub(crate) fn new(
        rate_limit: Arc<RateLimitMetrics>,
        documents: Arc<DocumentMetrics>,
        app: Arc<AppMetrics>,
        rules: Arc<LiveRules>,
        webhooks: Arc<Webhooks>,
    ) -> Self {
        let routes = ROUTES.iter().map(|_| RouteMetrics::default()).collect();
        Self {
            routes,
            rate_limit,
            documents,
            app,
            rules: Some(rules),
            webhooks: Some(webhooks),
            ..Self::default()
        }
    }

    /// With these counts of refused requests.
    pub(crate) fn with_attempts(self, attempts: Arc<Attempts>) -> Self {
        Self { attempts, ..self }
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

    /// Everything as Prometheus reads it.
    pub(crate) fn page(&self, started: Timestamp, store: &StoreFigures<'_>) -> String {
        let mut page = Page::new();
        self.registrations_on(&mut page);
        self.attempts_on(&mut page);
        self.rules_on(&mut page);
        self.rate_limit_on(&mut page);
        self.documents_on(&mut page);
        self.sign_ins_on(&mut page);
        self.tokens_on(&mut page);
        self.sweeps_on(&mut page);
        guards::on(&mut page, self.guards.get().map_or(&[], Vec::as_slice));
        self.webhooks_on(&mut page);
        self.families_on(&mut page);
        self.clients_on(&mut page);
        store::store_on(&mut page, store);
        if let Some(database) = &store.database {
            store::database_on(&mut page, database);
        }
        self.requests_on(&mut page);
        self.connections_on(&mut page);
        self.traces_on(&mut page);
        process_on(&mut page, started);
        page.into_text()
    }

    fn registrations_on(&self, page: &mut Page) {
        let name = "doorward_registrations_total";
        page.head(name, "counter", "Registration requests.");
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
        let name = "doorward_registrations_refused_total";
        page.head(
            name,
            "counter",
            "Registrations that were not accepted, by the first reason, whatever their outcome.",
        );
        for profile in [ProfileName::Datadog, ProfileName::Rfc7591] {
            let labels = format!("profile=\"{}\",", profile.as_str());
            let refused = &self.app.refused_registrations[profile as usize];
            page.counters(name, &labels, refused);
        }
    }

    fn attempts_on(&self, page: &mut Page) {
        let name = "doorward_attempts_total";
        page.head(
            name,
            "counter",
            "Refused registrations, authorizations, and token requests of this node. `doorward attempt list` says which clients each \
             reason concerned, and what to do.",
        );
        page.counters(name, "", &self.attempts.metrics);
    }

    fn webhooks_on(&self, page: &mut Page) {
        let all = || self.webhooks.iter().flat_map(|webhooks| webhooks.metrics());
        let name = "doorward_webhook_deliveries_total";
        page.head(name, "counter", "Attempts of this node to deliver an event.");
        for (webhook, metrics) in all() {
            for (outcome, counter) in
                [("accepted", &metrics.delivered), ("failed", &metrics.failed)]
            {
                let labels = format!("webhook=\"{webhook}\",outcome=\"{outcome}\"");
                page.counter(name, &labels, counter);
            }
        }
        let name = "doorward_webhook_failing_attempts";
        page.head(
            name,
            "gauge",
            "Attempts at the next event that have failed; 0 once it is accepted.",
        );
        for (webhook, metrics) in all() {
            page.gauge(name, &format!("webhook=\"{webhook}\""), &metrics.failing);
        }
        let name = "doorward_webhook_lag_seconds";
        page.head(name, "gauge", "Age of the oldest event that is not delivered; 0 if there is none, or another node sends.");
        for (webhook, metrics) in all() {
            page.gauge(name, &format!("webhook=\"{webhook}\""), &metrics.lag);
        }
    }

    fn traces_on(&self, page: &mut Page) {
        let name = "doorward_trace_spans_total";
        page.head(name, "counter", "Spans that ended. `dropped`: the queue was full; `failed`: the collector did not accept them.");
        for (outcome, counter) in [
            ("exported", &self.traces.exported),
            ("failed", &self.traces.failed),
            ("dropped", &self.traces.dropped),
        ] {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
        let name = "doorward_trace_spans_waiting";
        page.head(name, "gauge", "Spans that wait to be sent, of `traces.queue_max`.");
        page.sample(name, "", self.traces.waiting.value() as u64);
    }

    fn rules_on(&self, page: &mut Page) {
        let name = "doorward_admission_rule_hits_total";
        page.head(name, "counter", "Clients that matched an admission rule before another rule decided. A registration counts once; a client with a metadata document counts at every authorization request.");
        let Some(rules) = &self.rules else { return };
        // A rule in the store may have the id of one in settings that were written later.
        let mut hits: BTreeMap<(String, Mode), u64> = BTreeMap::new();
        for (rule, new) in rules.current().hits() {
            *hits.entry((rule.id.as_str().to_owned(), rule.mode)).or_default() += new;
        }
        for ((id, mode), hits) in hits {
            page.sample(name, &format!("rule=\"{id}\",mode=\"{}\"", mode.as_str()), hits);
        }
        let name = "doorward_admission_rules_read_failures_total";
        page.head(name, "counter", "Failures to read the admission rules in the store. The last ones that were read hold meanwhile.");
        page.counter(name, "", &rules.metrics.failures);
        let name = "doorward_admission_rules_read_timestamp_seconds";
        page.head(name, "gauge", "When this node last saw that its admission rules are those in the store, in seconds since 1970.");
        page.gauge(name, "", &rules.metrics.read_at);
    }

    fn rate_limit_on(&self, page: &mut Page) {
        let name = "doorward_rate_limit_redis_connected";
        page.head(name, "gauge", "1 while limits are shared through Redis, else 0.");
        page.gauge(name, "", &self.rate_limit.connected);
        let name = "doorward_rate_limit_redis_requests_total";
        page.head(name, "counter", "Requests to count in Redis. `not_asked` are those during an outage or beyond the queue.");
        for (outcome, counter) in [
            ("counted", &self.rate_limit.counted),
            ("failed", &self.rate_limit.failed),
            ("not_asked", &self.rate_limit.not_asked),
        ] {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
        let name = "doorward_rate_limit_failures_total";
        page.head(name, "counter", "Failures at the token and authorization endpoints; `refused` are requests whose source had failed too often.");
        for (outcome, counter) in
            [("counted", &self.rate_limit.failures), ("refused", &self.rate_limit.failures_refused)]
        {
            page.counter(name, &format!("outcome=\"{outcome}\""), counter);
        }
    }

    fn documents_on(&self, page: &mut Page) {
        let name = "doorward_client_documents_total";
        page.head(name, "counter", "Clients named by the URL of their metadata document, background fetches included. All outcomes except `remembered`, `busy` (too many fetches, in total or of one source), and `refused` (not allowed by the settings) cost a fetch. The log level `debug` says why one failed.");
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

    fn sign_ins_on(&self, page: &mut Page) {
        let of = &self.app;
        let name = "doorward_sign_ins_total";
        page.head(
            name,
            "counter",
            "Completed sign-ins. `refused` are wrong passwords, accounts that are not allowed, and expired attempts; \
             `failed` are errors of the provider or the store.",
        );
        let local = ("kind=\"local\"".to_owned(), &of.local_sign_ins);
        let providers = of
            .provider_sign_ins()
            .map(|(id, sign_ins)| (format!("kind=\"provider\",provider=\"{id}\""), sign_ins));
        for (labels, sign_ins) in std::iter::once(local).chain(providers) {
            for (outcome, counter) in [
                ("succeeded", &sign_ins.succeeded),
                ("refused", &sign_ins.refused),
                ("failed", &sign_ins.failed),
            ] {
                page.counter(name, &format!("{labels},outcome=\"{outcome}\""), counter);
            }
        }
    }

    fn tokens_on(&self, page: &mut Page) {
        let of = &self.app;
        let name = "doorward_tokens_issued_total";
        page.head(name, "counter", "Responses with an access token.");
        page.counter(name, "grant_type=\"authorization_code\"", &of.tokens.by_code);
        page.counter(name, "grant_type=\"refresh_token\"", &of.tokens.by_refresh_token);
        let name = "doorward_refreshes_total";
        page.head(
            name,
            "counter",
            "Refresh tokens that clients presented. `grace` are repeated requests within \
             `token.refresh_grace_seconds`; `reused` revoked their grants; `invalid` are unknown, revoked, or asked for \
             more than was granted; `failed` are errors of the store or the keys.",
        );
        page.counters(name, "", &of.refreshes);
        let name = "doorward_used_again_total";
        page.head(
            name,
            "counter",
            "Reuses of authorization codes and old refresh tokens, which revoked their grants.",
        );
        page.counter(name, "kind=\"code\"", &of.tokens.codes_used_again);
        page.counter(name, "kind=\"refresh_token\"", &of.tokens.refresh_tokens_used_again);
        let name = "doorward_client_uses_dropped_total";
        page.head(
            name,
            "counter",
            "Uses of clients that are not stored, because more than 65,536 registered clients or 4,096 clients with a \
             metadata document were used since the last write.",
        );
        page.counter(name, "", &of.uses_dropped);
    }

    fn families_on(&self, page: &mut Page) {
        let of = &self.app.families;
        let name = "doorward_families";
        page.head(name, "gauge", "Families of clients, when this node last counted them.");
        page.gauge(name, "", &of.families);
        let name = "doorward_families_behind_seconds";
        page.head(
            name,
            "gauge",
            "The longest time that a client has waited to be counted in its family; 0 when none waits.",
        );
        page.gauge(name, "", &of.behind_seconds);
        let name = "doorward_families_unreadable";
        page.head(
            name,
            "gauge",
            "Stored arrivals and families that cannot be read, so that their clients are not counted; the log names one.",
        );
        page.gauge(name, "", &of.unreadable);
    }

    fn clients_on(&self, page: &mut Page) {
        let name = "doorward_clients";
        page.head(
            name,
            "gauge",
            "Registered clients in the store by the standing that holds for them, which may be that of a suspended family, counted \
             ten seconds after the start and every hour.",
        );
        page.gauges(name, &self.app.clients);
        let name = "doorward_clients_counted_timestamp_seconds";
        page.head(
            name,
            "gauge",
            "When this node last counted the clients, in seconds since 1970; 0 for never.",
        );
        page.gauge(name, "", &self.app.clients_counted_at);
    }

    fn sweeps_on(&self, page: &mut Page) {
        let of = &self.app;
        let kinds = [
            ("grants", &of.grants),
            ("consents", &of.consents),
            ("sessions", &of.sessions),
            ("clients", &of.expired_clients),
            ("events", &of.old_events),
        ];
        let name = "doorward_sweep_forgotten_total";
        page.head(name, "counter", "Expired records that this node deleted.");
        for (kind, sweep) in kinds {
            page.counter(name, &format!("kind=\"{kind}\""), &sweep.forgotten);
        }
        let name = "doorward_sweep_failures_total";
        page.head(name, "counter", "Sweeps for expired records that a store error ended.");
        for (kind, sweep) in kinds {
            page.counter(name, &format!("kind=\"{kind}\""), &sweep.failures);
        }
        let name = "doorward_sweep_ended_timestamp_seconds";
        page.head(name, "gauge", "When the last complete sweep of this node ended, in seconds since 1970; 0 for never. A sweep begins ten minutes after the previous one; of clients and events, an hour after the previous one of any node.");
        for (kind, sweep) in kinds {
            page.gauge(name, &format!("kind=\"{kind}\""), &sweep.ended_at);
        }
        let name = "doorward_clients_made_dormant_total";
        page.head(
            name,
            "counter",
            "Clients that this node made dormant because they were not used.",
        );
        page.counter(name, "", &of.made_dormant);
    }

    fn requests_on(&self, page: &mut Page) {
        let name = "doorward_http_requests_total";
        page.head(name, "counter", "Responses of the public listener.");
        for route in ROUTES.iter() {
            for (class, counter) in self.routes[route.index].requests.iter().enumerate() {
                let labels = format!("route=\"{}\",status=\"{}xx\"", route.template, class + 1);
                page.counter(name, &labels, counter);
            }
        }
        let name = "doorward_http_requests_in_flight";
        page.head(name, "gauge", "Requests of the public listener in progress.");
        page.gauge(name, "", &self.in_flight);
        let name = "doorward_http_request_duration_seconds";
        page.head(name, "histogram", "Time from the head of a request to its response.");
        for route in ROUTES.iter() {
            let labels = format!("route=\"{}\"", route.template);
            page.histogram(name, &labels, &self.routes[route.index].duration);
        }
    }

    fn connections_on(&self, page: &mut Page) {
        let name = "doorward_connections_open";
        page.head(name, "gauge", "Open connections of the public listener.");
        page.gauge(name, "", &self.connections.open);
        let name = "doorward_connections_held_bytes";
        page.head(
            name,
            "gauge",
            "Memory of requests in progress and responses being sent; at most `connections.answer_bytes_max`.",
        );
        page.sample(name, "", self.connections.held_bytes.value());
        let name = "doorward_connections_closed_total";
        page.head(name, "counter", "Connections that the server closed.");
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
        page.head(name, "counter", "Reloads of the certificate.");
        page.counter(name, "outcome=\"accepted\"", &self.certificate_reloads);
        page.counter(name, "outcome=\"failed\"", &self.certificate_reload_failures);
    }
}

/// The state of the store when the page is written.
#[derive(Default)]
pub(crate) struct StoreFigures<'a> {
    pub(crate) metrics: Option<&'a StoreMetrics>,
    pub(crate) queues: Vec<QueueFigures>,
    /// Of the disk of the data folder, if there is one.
    pub(crate) free_bytes: Option<u64>,
    pub(crate) database: Option<DatabaseFigures>,
}

/// The page size of every Linux that Rust supports and that does not say otherwise.
const PAGE_BYTES: u64 = 4096;

fn process_on(page: &mut Page, started: Timestamp) {
    let name = "doorward_log_lines_dropped_total";
    page.head(name, "counter", "Log lines dropped because standard error was not read.");
    page.sample(name, "", log::dropped_lines());
    let name = "doorward_build_info";
    page.head(name, "gauge", "1, labeled with the release.");
    page.sample(name, concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    let name = "process_start_time_seconds";
    page.head(name, "gauge", "When the process started, in seconds since 1970.");
    page.sample(name, "", started.as_seconds());
    if let Some(pages) = resident_pages() {
        let name = "process_resident_memory_bytes";
        page.head(name, "gauge", "Resident memory (Linux).");
        page.sample(name, "", pages * PAGE_BYTES);
    }
}

/// Where there is no `/proc` nothing is said.
fn resident_pages() -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests;
