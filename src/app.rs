//! The one piece of shared state.

use std::sync::Arc;

use crate::{
    clock::Clock, config::Config, entropy::Entropy, http::rate_limit::RateLimit, store::Store,
};

/// What every handler may reach. Handlers take `App`; everything below them takes what it needs.
pub struct App {
    /// The settings, checked.
    pub config: Config,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Clock,
    /// Where identifiers come from.
    pub entropy: Entropy,
    /// How often strangers may register.
    pub(crate) rate_limit: RateLimit,
}

impl App {
    /// The state of one server.
    pub fn new(config: Config, store: Arc<dyn Store>, clock: Clock, entropy: Entropy) -> Arc<Self> {
        let rate_limit = RateLimit::new(&config.rate_limit, &entropy);
        Arc::new(Self { config, store, clock, entropy, rate_limit })
    }
}
