//! The metrics of guarded resources.

use std::sync::Arc;

use crate::metrics::{GuardMetrics, Page};

pub(super) fn on(page: &mut Page, guards: &[(String, Arc<GuardMetrics>)]) {
    let name = "doorward_guard_decisions_total";
    page.head(
        name,
        "counter",
        "Requests to guarded resources. `rejected` are requests with two readings, or for another host or path; \
         `unavailable` are those for which the store did not answer.",
    );
    for (id, of) in guards {
        page.counters(name, &format!("resource=\"{id}\","), &of.decisions);
    }
    let name = "doorward_guard_calls_dropped_total";
    page.head(
        name,
        "counter",
        "Requests with a valid token that no `guard.allowed` or `guard.refused` event counts: the memory of counts was full.",
    );
    for (id, of) in guards {
        page.sample(name, &format!("resource=\"{id}\""), of.calls_dropped.value());
    }
    let name = "doorward_guard_streams_open";
    page.head(name, "gauge", "Requests and streams that the built-in proxy has open.");
    for (id, of) in guards {
        page.sample(name, &format!("resource=\"{id}\""), of.streams.value());
    }
    let name = "doorward_guard_upstream_duration_seconds";
    page.head(name, "histogram", "Time from a request to the head of the upstream's response.");
    for (id, of) in guards {
        page.histogram(name, &format!("resource=\"{id}\""), &of.upstream);
    }
}
