//! Clients that do not register: their identifier is the URL of a document with their metadata, which is
//! fetched when somebody names it (Client ID Metadata Document). What it says is held to the rules of a
//! registration (`registration/document.rs`) and remembered for a while; it is nowhere stored.
//!
//! That a document could not be had, or was not valid, is told to whoever asked and is asked about anew the
//! next time (§5). A server that says it is gone has ended the client (404, 410).

mod budget;
mod flights;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{budget::Budget, flights::Flights, memory::Memory};
use crate::{
    client::{ClientMetadata, DocumentUrl},
    clock::{Clock, Timestamp},
    config::{ClientDocumentsConfig, Config, RegistrationConfig},
    http::{
        fetch::{FetchError, Fetcher, Reach},
        freshness,
        request_event::chain,
    },
    internet::Internet,
    metrics::DocumentMetrics,
    registration::{Violation, admit_document},
};

/// The largest document, in bytes (§8.7 recommends five kilobytes).
const DOCUMENT_BYTES_MAX: usize = 5 * 1024;

/// What is known of a client with a document.
type Found = Result<Arc<ClientMetadata>, Arc<DocumentError>>;

/// Why a document describes no client now. `Display` is for people, and has nothing in it that the document
/// says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("clients with metadata documents are not let in here")]
    Off,
    #[error("clients of this host are not let in here")]
    Host,
    #[error("too many metadata documents are being fetched")]
    Busy,
    /// The document is not there (any more).
    #[error("the metadata document does not exist")]
    Gone,
    #[error("the metadata document could not be fetched: {0}")]
    Fetch(FetchError),
    /// At least one reason.
    #[error("the metadata document is not valid: {}", first_reason(.0))]
    Invalid(Vec<Violation>),
}

impl DocumentError {
    /// Whether there may be such a client, and it is worth asking again; else there is none.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Fetch(error) => error.is_passing(),
            Self::Off | Self::Host | Self::Gone | Self::Invalid(_) => false,
        }
    }
}

fn first_reason(violations: &[Violation]) -> &str {
    violations.first().map_or("", |violation| &violation.reason)
}

/// The documents of clients, fetched and remembered.
#[derive(Debug)]
pub(crate) struct ClientDocuments {
    settings: ClientDocumentsConfig,
    admission: RegistrationConfig,
    fetcher: Fetcher,
    clock: Clock,
    memory: Mutex<Memory>,
    flights: Flights,
    budget: Budget,
    metrics: Arc<DocumentMetrics>,
}

impl ClientDocuments {
    /// Nothing is remembered yet.
    pub(crate) fn new(config: &Config, internet: Internet, clock: Clock) -> Self {
        let settings = config.client_documents.clone();
        // Only an issuer on this very machine may have http in front (`config/load.rs`).
        let is_development = config.server.issuer.starts_with("http:");
        let reach = if is_development { Reach::PublicOrLoopback } else { Reach::Public };
        let within = Duration::from_secs(settings.timeout_seconds);
        Self {
            fetcher: Fetcher::new(internet, reach, DOCUMENT_BYTES_MAX, within),
            admission: config.registration.clone(),
            clock,
            memory: Mutex::new(Memory::new(settings.remembered_max)),
            flights: Flights::default(),
            budget: Budget::new(settings.fetches_max),
            metrics: Arc::default(),
            settings,
        }
    }

    pub(crate) fn metrics(&self) -> &Arc<DocumentMetrics> {
        &self.metrics
    }

    /// What the client says of itself in the document at `url`, which is fetched unless it is remembered.
    pub(crate) async fn metadata(&self, url: &DocumentUrl) -> Found {
        self.allow(url)?;
        if let Some(known) = self.memory().fresh(url, self.clock.now()) {
            self.metrics.remembered.add_one();
            return Ok(known);
        }
        // In a box: a fetch is many times as large as whatever waits for a client.
        Box::pin(self.flights.join(url, self.fetch(url))).await
    }

    /// Whether documents of this host are looked at.
    fn allow(&self, url: &DocumentUrl) -> Result<(), DocumentError> {
        let ClientDocumentsConfig { enabled, allowed_hosts, denied_hosts, .. } = &self.settings;
        let host = url.host();
        let is_among = |hosts: &[String]| hosts.iter().any(|other| is_below(host, other));
        let refused = if !enabled {
            DocumentError::Off
        } else if is_among(denied_hosts) || !(allowed_hosts.is_empty() || is_among(allowed_hosts)) {
            DocumentError::Host
        } else {
            return Ok(());
        };
        self.metrics.refused.add_one();
        Err(refused)
    }

    async fn fetch(&self, url: &DocumentUrl) -> Found {
        // Another may have come back between the look into the memory and this.
        if let Some(known) = self.memory().fresh(url, self.clock.now()) {
            self.metrics.remembered.add_one();
            return Ok(known);
        }
        let Some(_place) = self.budget.take(url.host()) else {
            self.metrics.busy.add_one();
            return Err(DocumentError::Busy.into());
        };
        let fetched = match self.fetcher.get(&url.to_url()).await {
            Ok(fetched) => fetched,
            Err(error) if error.is_gone() => {
                self.memory().forget(url);
                self.metrics.gone.add_one();
                return Err(DocumentError::Gone.into());
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "a metadata document could not be fetched");
                self.metrics.failed.add_one();
                return Err(DocumentError::Fetch(error).into());
            }
        };
        match admit_document(&fetched.body, url, &self.admission) {
            Ok(metadata) => {
                let (metadata, now) = (Arc::new(metadata), self.clock.now());
                let fresh_until = self.fresh_until(freshness::lifetime(&fetched.headers, now), now);
                self.memory().keep(url, Arc::clone(&metadata), fresh_until);
                self.metrics.fetched.add_one();
                Ok(metadata)
            }
            Err(violations) => {
                self.metrics.invalid.add_one();
                Err(DocumentError::Invalid(violations).into())
            }
        }
    }

    /// What the server of the document says, within the bounds of the settings.
    fn fresh_until(&self, lifetime: Duration, now: Timestamp) -> Timestamp {
        let longest = self.settings.remembered_seconds_max;
        let shortest = self.settings.remembered_seconds_min.min(longest);
        let seconds = lifetime.as_secs().clamp(shortest, longest);
        Timestamp::from_millis(now.as_millis() + seconds * 1_000)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `host` is `other` or below it; the root's dot at its end makes it no other host.
fn is_below(host: &str, other: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
