//! Clients that do not register: their identifier is the URL of a document with their metadata, which is
//! fetched when an authorization request names it (Client ID Metadata Document). The rules of a registration apply to
//! it (`metadata_policy/document.rs`). Documents are cached in memory for a while, and never stored.
//!
//! Only an authorization request waits for a fetch, and only it learns of a failure; the next request tries again (§5).
//! Tokens live by their grant and by the last document that was seen: the server fetches it again in the background
//! ([`ClientDocuments::refresh_forever`]). Only a document that stays gone (404, 410) ends its client.
//!
//! Clients with a grant have places for fetches and for documents that no stranger can take.

mod budget;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use self::{
    budget::{Budget, Place, with_network},
    memory::{Memory, Standing},
};
use crate::{
    client::{ClientMetadata, DocumentUrl, GrantTypes},
    clock::{Clock, Timestamp},
    config::{ClientDocumentsConfig, Config, RegistrationConfig},
    entropy::Entropy,
    http::{
        caller::Caller,
        fetch::{FetchError, Fetcher, Reach},
        freshness,
        rate_limit::OwnLimit,
        request_event::chain,
        single_flight::SingleFlight,
    },
    internet::Internet,
    metadata_policy::{Violation, admit_document},
    metrics::DocumentMetrics,
};

/// The largest document, in bytes (§8.7 recommends five kilobytes).
const DOCUMENT_BYTES_MAX: usize = 5 * 1024;

/// How many documents are fetched at once in the background.
const REFRESHES_MAX: usize = 4;

/// How many documents may wait for a fetch in the background. One that finds no room is due again a minute later.
const REFRESHES_WAITING_MAX: usize = 1_000;

/// A client with a document, or why there is none.
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
    /// The source has made the server fetch as many as it may.
    #[error("your network has named too many of them")]
    TooMany { retry_after_seconds: u32 },
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
    /// Whether a later request may find the client; else there is none.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Busy | Self::TooMany { .. } => true,
            Self::Fetch(error) => error.is_passing(),
            Self::Off | Self::Host | Self::Gone | Self::Invalid(_) => false,
        }
    }
}

fn first_reason(violations: &[Violation]) -> &str {
    violations.first().map_or("", |violation| &violation.reason)
}

/// The documents of clients, fetched and remembered.
pub(crate) struct ClientDocuments {
    settings: ClientDocumentsConfig,
    admission: RegistrationConfig,
    fetcher: Fetcher,
    clock: Clock,
    memory: Mutex<Memory>,
    flights: SingleFlight<DocumentUrl, Found>,
    places: Places,
    /// How many fetches each network may cause, apart from those of foreign pages in its browsers.
    source_limit: OwnLimit<Caller>,
    due: Due,
    metrics: Arc<DocumentMetrics>,
}

/// Places for fetches, apart for each purpose: none of them can use up those of another.
struct Places {
    strangers: Arc<Budget>,
    granted: Arc<Budget>,
    refreshes: Arc<Budget>,
}

/// The documents that wait for a fetch in the background.
struct Due {
    sender: mpsc::Sender<DocumentUrl>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<DocumentUrl>>,
}

/// On whose account a document is fetched.
#[derive(Clone, Copy, Debug)]
enum Account {
    /// By its network.
    Caller(Caller),
    /// The server itself, in the background.
    Server,
}

impl ClientDocuments {
    /// Nothing is remembered yet.
    pub(crate) fn new(
        config: &Config,
        internet: Internet,
        clock: Clock,
        entropy: &Entropy,
    ) -> Self {
        let settings = config.client_documents.clone();
        // Only an issuer on this very machine may have http in front (`config/load.rs`).
        let is_development = config.server.issuer.starts_with("http:");
        let reach = if is_development { Reach::PublicOrLoopback } else { Reach::Public };
        let within = Duration::from_secs(settings.timeout_seconds);
        let (sender, receiver) = mpsc::channel(REFRESHES_WAITING_MAX);
        Self {
            fetcher: Fetcher::new(internet, reach, DOCUMENT_BYTES_MAX, within),
            admission: config.registration.clone(),
            clock,
            memory: Mutex::new(Memory::new(settings.remembered_max)),
            flights: SingleFlight::default(),
            places: Places {
                strangers: Budget::new(settings.fetches_max),
                granted: Budget::new(settings.fetches_max),
                refreshes: Budget::new(REFRESHES_MAX * 4),
            },
            source_limit: OwnLimit::new(settings.fetches_per_source, entropy),
            due: Due { sender, receiver: receiver.into() },
            metrics: Arc::default(),
            settings,
        }
    }

    pub(crate) fn metrics(&self) -> &Arc<DocumentMetrics> {
        &self.metrics
    }

    /// The metadata at `url`, if they are fresh. Fetches nothing.
    pub(crate) fn remembered(
        &self,
        url: &DocumentUrl,
    ) -> Result<Option<Arc<ClientMetadata>>, Arc<DocumentError>> {
        if !self.admits_host(url) {
            self.metrics.refused.add_one();
            let is_off = !self.settings.enabled;
            return Err(if is_off { DocumentError::Off } else { DocumentError::Host }.into());
        }
        let known = self.memory().fresh(url, self.clock.now());
        if known.is_some() {
            self.metrics.remembered.add_one();
        }
        Ok(known)
    }

    /// The metadata at `url`, which are fetched unless they are fresh.
    pub(crate) async fn metadata(&self, url: &DocumentUrl, caller: Caller) -> Found {
        match self.remembered(url)? {
            Some(known) => Ok(known),
            None => self.joined(url, Account::Caller(with_network(caller))).await,
        }
    }

    /// What the client may use its grants for, by the last document that was seen; the default before any was, since
    /// a grant proves that there was one. `None` when the client has ended or is not let in. Never waits.
    pub(crate) fn grant_types(&self, url: &DocumentUrl) -> Option<GrantTypes> {
        if !self.admits_host(url) {
            self.metrics.refused.add_one();
            return None;
        }
        let standing = self.memory().standing(url);
        match standing {
            Standing::Known(grant_types) => Some(grant_types),
            Standing::Unknown => Some(GrantTypes::default()),
            Standing::Ended => {
                self.refresh_if_due(url);
                None
            }
        }
    }

    /// Whether strangers cannot evict what is known of this client.
    pub(crate) fn has_grant(&self, url: &DocumentUrl) -> bool {
        self.memory().has_grant(url)
    }

    /// Notes that somebody has allowed this client something.
    pub(crate) fn note_grant(&self, url: &DocumentUrl) {
        self.memory().note_grant(url);
    }

    /// Notes that a grant of this client is in use: its document is fetched again in the background when it is due.
    pub(crate) fn note_use(&self, url: &DocumentUrl) {
        self.memory().note_grant(url);
        self.refresh_if_due(url);
    }

    fn refresh_if_due(&self, url: &DocumentUrl) {
        if self.memory().take_due(url, self.clock.now()) {
            // A full queue is as good as a fetch that failed: the document is due again in a minute.
            drop(self.due.sender.try_send(url.clone()));
        }
    }

    /// Fetches what is due, a few documents at a time, for as long as it is polled.
    pub(crate) async fn refresh_forever(&self) {
        let refresh = || self.refresh_one_by_one();
        tokio::join!(refresh(), refresh(), refresh(), refresh());
    }

    async fn refresh_one_by_one(&self) {
        loop {
            let due = self.due.receiver.lock().await.recv().await;
            let Some(url) = due else { return };
            drop(self.joined(&url, Account::Server).await);
        }
    }

    /// Whether the settings let clients of this host in.
    fn admits_host(&self, url: &DocumentUrl) -> bool {
        let ClientDocumentsConfig { enabled, allowed_hosts, denied_hosts, .. } = &self.settings;
        let is_among =
            |hosts: &[String]| hosts.iter().any(|other| is_at_or_below(url.host(), other));
        *enabled && !is_among(denied_hosts) && (allowed_hosts.is_empty() || is_among(allowed_hosts))
    }

    async fn joined(&self, url: &DocumentUrl, account: Account) -> Found {
        // In a box: a fetch is many times as large as whatever waits for a client.
        Box::pin(self.flights.join(url, self.fetch(url, account))).await
    }

    async fn fetch(&self, url: &DocumentUrl, account: Account) -> Found {
        // Another caller may have come back between the look into the memory and this.
        if let Some(known) = self.memory().fresh(url, self.clock.now()) {
            self.metrics.remembered.add_one();
            return Ok(known);
        }
        let place = self.place(url, account)?;
        let fetched = match self.fetcher.get(&url.to_url(), Arc::new(place)).await {
            Ok(fetched) => fetched,
            Err(error) => return Err(self.not_fetched(url, error).into()),
        };
        match admit_document(&fetched.body, url, &self.admission) {
            Ok(metadata) => {
                let (metadata, now) = (Arc::new(metadata), self.clock.now());
                let fresh_until = self.fresh_until(freshness::lifetime(&fetched.headers, now), now);
                self.memory().arrived(url, Arc::clone(&metadata), fresh_until);
                self.metrics.fetched.add_one();
                Ok(metadata)
            }
            Err(violations) => {
                self.memory().failed(url, self.clock.now());
                self.metrics.invalid.add_one();
                Err(DocumentError::Invalid(violations).into())
            }
        }
    }

    fn not_fetched(&self, url: &DocumentUrl, error: FetchError) -> DocumentError {
        if error.is_gone() {
            self.memory().gone(url, self.clock.now());
            self.metrics.gone.add_one();
            return DocumentError::Gone;
        }
        tracing::debug!(error = chain(&error), "couldn't fetch a metadata document");
        self.memory().failed(url, self.clock.now());
        self.metrics.failed.add_one();
        DocumentError::Fetch(error)
    }

    /// A place for a fetch. Only strangers' fetches count against their source: a client with a grant is fetched at
    /// most once for as long as its document is fresh, whoever names it.
    fn place(&self, url: &DocumentUrl, account: Account) -> Result<Place, DocumentError> {
        let (budget, caller) = match account {
            Account::Server => (&self.places.refreshes, None),
            Account::Caller(caller) if self.has_grant(url) => (&self.places.granted, Some(caller)),
            Account::Caller(caller) => {
                let counted = self.source_limit.count(caller, self.clock.now());
                if let Err(retry_after_seconds) = counted {
                    self.metrics.busy.add_one();
                    return Err(DocumentError::TooMany { retry_after_seconds });
                }
                (&self.places.strangers, Some(caller))
            }
        };
        budget.take(url.host(), caller).ok_or_else(|| {
            self.metrics.busy.add_one();
            DocumentError::Busy
        })
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
fn is_at_or_below(host: &str, other: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
