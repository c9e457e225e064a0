//! The state that all handlers share.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::{
    attempt::Attempt,
    attempts::Attempts,
    audit::{Actor, Author},
    client::ClientIdentifier,
    client_document::ClientDocuments,
    clock::{Clock, Timestamp},
    config::Config,
    entropy::Entropy,
    families::Families,
    http::{
        body::BodyReader,
        body_budget::BodyBudget,
        caller::Caller,
        client_address::Source,
        rate_limit::{FailureLimits, OwnLimit, RateLimit},
    },
    internet::Internet,
    keys::Keys,
    last_use::LastUse,
    live_rules::LiveRules,
    local_password::LocalPassword,
    look_alike::ProtectedNames,
    metrics::AppMetrics,
    provider::Providers,
    server_metadata,
    store::{Overview, Store},
    webhook::Webhooks,
};

/// What every handler may reach. Handlers take `App`; everything below them takes what it needs.
pub struct App {
    /// The settings, checked.
    pub config: Config,
    /// What is kept.
    pub store: Arc<Store>,
    /// What time it is.
    pub clock: Clock,
    /// Where identifiers come from.
    pub entropy: Entropy,
    /// How other servers are reached.
    pub internet: Internet,
    /// How many bytes of request bodies are held.
    pub(crate) body_budget: BodyBudget,
    /// How often strangers may register.
    pub(crate) rate_limit: RateLimit,
    /// How often each caller may fail where something can be guessed.
    pub(crate) failure_limits: FailureLimits,
    /// The names that strangers like to borrow.
    pub(crate) protected_names: ProtectedNames,
    /// Which clients the operator lets in.
    pub(crate) rules: Arc<LiveRules>,
    /// The clients that publish what they are.
    pub(crate) client_documents: ClientDocuments,
    /// What operators decided about families, and what is counted of them aside.
    pub(crate) families: Families,
    /// When clients were last used, until it is stored.
    pub(crate) last_use: LastUse,
    /// How often each client may exchange valid codes and refresh tokens from each source.
    pub(crate) client_limit: OwnLimit<(ClientIdentifier, Caller)>,
    /// How often each person may allow or deny a client.
    pub(crate) decision_limit: OwnLimit<String>,
    /// How often each operator, or person, may call the operator API.
    pub(crate) operator_limit: OwnLimit<String>,
    /// How often each source may try to sign in.
    pub(crate) sign_in_limit: OwnLimit<Source>,
    /// The password of a server for development.
    pub(crate) local_password: Option<LocalPassword>,
    /// Where people sign in who have an account elsewhere.
    pub(crate) providers: Providers,
    /// What clients read of this server (RFC 8414).
    pub(crate) metadata: Bytes,
    /// What signs and seals.
    pub(crate) keys: Keys,
    /// How the interface describes itself, once somebody has asked.
    pub(crate) description: OnceLock<Bytes>,
    /// What operators look at first, and when it was counted: that reads every client and grant.
    pub(crate) overview: Mutex<Option<(Timestamp, Overview)>>,
    /// Refused requests that are not stored yet.
    pub(crate) attempts: Arc<Attempts>,
    /// The receivers of events.
    pub(crate) webhooks: Arc<Webhooks>,
    /// What handlers count.
    pub(crate) metrics: Arc<AppMetrics>,
}

impl App {
    /// The state of one server.
    pub fn new(config: Config, store: Arc<Store>, clock: Clock, entropy: Entropy) -> Arc<Self> {
        Self::on(Internet::System, config, store, clock, entropy)
    }

    /// The state of one server on an internet of its own.
    pub fn on(
        internet: Internet,
        config: Config,
        store: Arc<Store>,
        clock: Clock,
        entropy: Entropy,
    ) -> Arc<Self> {
        let (limits, issuer) = (&config.rate_limit, &config.server.issuer);
        let rate_limit = RateLimit::new(limits, issuer, config.authorizes(), &entropy);
        let connections = &config.connections;
        Arc::new(Self {
            body_budget: BodyBudget::new(
                connections.body_bytes_max,
                connections.body_bytes_per_source_max,
            ),
            failure_limits: FailureLimits::new(limits, issuer, &rate_limit, &entropy),
            rate_limit,
            protected_names: ProtectedNames::new(&config.registration.protected_names),
            rules: Arc::new(LiveRules::new(config.registration.admission_rules())),
            client_documents: ClientDocuments::new(
                &config,
                internet.clone(),
                clock.clone(),
                &entropy,
            ),
            attempts: Arc::default(),
            families: Families::default(),
            last_use: LastUse::default(),
            client_limit: OwnLimit::new(config.token.per_client, &entropy),
            decision_limit: OwnLimit::new(config.authorization.decisions_per_person, &entropy),
            operator_limit: OwnLimit::new(config.operator.calls_per_minute, &entropy),
            sign_in_limit: OwnLimit::new(config.sign_in.per_source, &entropy),
            local_password: config.sign_in.local.then(|| LocalPassword::generate(&entropy)),
            providers: Providers::new(&config.sign_in.providers, internet.clone()),
            metadata: server_metadata::document(&config),
            keys: Keys::new(&config.token, &entropy),
            description: OnceLock::new(),
            overview: Mutex::default(),
            webhooks: Arc::new(Webhooks::new(
                &config.webhooks,
                config.audit.keep_days,
                &internet,
                clock.clone(),
                entropy.clone(),
            )),
            metrics: Arc::new(AppMetrics::new(
                config.sign_in.providers.iter().map(|provider| provider.id.as_str()),
            )),
            config,
            store,
            clock,
            entropy,
            internet,
        })
    }

    /// The author of changes that a request makes.
    pub(crate) fn author(
        &self,
        actor: Actor,
        (source, request_id): (Option<IpAddr>, Option<String>),
    ) -> Author {
        let keeps_source = self.config.registration.keep_source_address;
        Author { source: source.filter(|_| keeps_source), request_id, ..self.system(actor) }
    }

    /// Counts a request that was refused.
    pub(crate) fn note_attempt(&self, attempt: Attempt, source: IpAddr, request_id: &str) {
        let source = Some(source).filter(|_| self.config.registration.keep_source_address);
        self.attempts.note(attempt, source, request_id, self.clock.now());
    }

    /// The author of changes that no request makes.
    pub(crate) fn system(&self, actor: Actor) -> Author {
        Author::new(actor, self.clock.now(), self.entropy.clone())
    }

    /// How the bodies from an address are read.
    pub(crate) fn body_reader(&self, address: IpAddr) -> BodyReader<'_> {
        BodyReader {
            budget: &self.body_budget,
            source: Source::of(address),
            deadline: Duration::from_secs(self.config.connections.body_timeout_seconds),
        }
    }

    /// The password of a server for development, to whoever asks first.
    pub fn take_local_password(&self) -> Option<String> {
        self.local_password.as_ref().and_then(LocalPassword::take)
    }
}
