//! The metrics of the store.

use super::StoreFigures;
use crate::{metrics::Page, store::DatabaseFigures};

pub(super) fn store_on(page: &mut Page, store: &StoreFigures<'_>) {
    if let Some(metrics) = store.metrics {
        let name = "doorward_store_operation_duration_seconds";
        page.head(
            name,
            "histogram",
            "Time that a caller waits for the store, failures included. `lookup` is one client or grant; a registration \
             includes its commit.",
        );
        page.histograms(name, &metrics.durations);
    }
    let name = "doorward_store_queue_length";
    page.head(
        name,
        "gauge",
        "Callers that wait in a queue of the store. The embedded store has `changes` and `lookups`, PostgreSQL has \
         `clients`, `exchanges`, `grants`, and `registrations`.",
    );
    for queue in &store.queues {
        page.sample(name, &format!("queue=\"{}\"", queue.name), queue.length);
    }
    let name = "doorward_store_queue_capacity";
    page.head(name, "gauge", "Places in a queue of the store; callers beyond them get 503.");
    for queue in &store.queues {
        page.sample(name, &format!("queue=\"{}\"", queue.name), queue.capacity);
    }
    if let Some(free_bytes) = store.free_bytes {
        let name = "doorward_store_disk_free_bytes";
        page.head(name, "gauge", "Free space on the disk of the data folder, if there is one.");
        page.sample(name, "", free_bytes);
    }
}

pub(super) fn database_on(page: &mut Page, database: &DatabaseFigures) {
    let name = "doorward_postgres_connections";
    page.head(name, "gauge", "Connections to PostgreSQL, if it is the store.");
    page.sample(name, "state=\"idle\"", database.idle);
    page.sample(name, "state=\"used\"", database.open.saturating_sub(database.idle));
    for (name, kind, help, value) in [
        (
            "doorward_postgres_waiting",
            "gauge",
            "Callers that wait for a connection to PostgreSQL.",
            database.waiting,
        ),
        (
            "doorward_postgres_connections_discarded_total",
            "counter",
            "Connections to PostgreSQL closed after an error or a timeout, with the idle ones.",
            database.discarded,
        ),
        (
            "doorward_postgres_batches_total",
            "counter",
            "Batches of registrations sent to PostgreSQL.",
            database.batches,
        ),
        (
            "doorward_postgres_batched_registrations_total",
            "counter",
            "Registrations in those batches: divided by the batches, their size.",
            database.batched,
        ),
        (
            "doorward_postgres_retries_total",
            "counter",
            "Retried statements: reads, and changes that were certainly not made.",
            database.retries,
        ),
    ] {
        page.head(name, kind, help);
        page.sample(name, "", value);
    }
    let name = "doorward_postgres_lost_answers_total";
    page.head(
        name,
        "counter",
        "Batches whose commit response was lost; `settled` if their outcome was found in time.",
    );
    page.sample(name, "outcome=\"settled\"", database.settled);
    page.sample(name, "outcome=\"unsettled\"", database.unsettled);
}
