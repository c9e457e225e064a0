//! How often a source may fail where something can be guessed. Only failures are counted: a hosted assistant
//! asks for all its people from a few addresses, and nearly all it asks is answered. A source that has used up
//! its failures is refused whatever it asks, until the window ends, or it could go on to guess.
//!
//! Whoever succeeds pays nothing for it: as long as no source is refused, [`FailureLimit::admit`] looks at one
//! number. With Redis every failure is counted there, and a node remembers what it is told; so nodes tell a
//! source together as many failures as one would, and each of them looks something up for it once more.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    Counted, Limits, RateLimit, Verdict,
    local::Local,
    shared::{Names, Shared},
};
use crate::{
    clock::Timestamp, config::RateLimitConfig, entropy::Entropy, http::client_address::Source,
    metrics::RateLimitMetrics,
};

/// Counts the failures of each source.
pub(crate) struct FailureLimit {
    limits: Limits,
    /// What this node has counted, or was told by Redis.
    local: Local,
    shared: Option<(Arc<Shared>, Names)>,
    /// Until when a source is refused, in milliseconds: later nobody is.
    refused_until: AtomicU64,
    metrics: Arc<RateLimitMetrics>,
}

impl FailureLimit {
    /// The limit of one issuer, which counts where its registrations are counted.
    pub(crate) fn new(
        settings: &RateLimitConfig,
        issuer: &str,
        registrations: &RateLimit,
        entropy: &Entropy,
    ) -> Self {
        let limits = Limits::of_failures(settings);
        let shared = registrations.shared.as_ref().filter(|_| !limits.are_none());
        let names = || Names::of_failures(issuer, limits);
        Self {
            limits,
            local: Local::new(limits, settings.sources_max, entropy),
            shared: shared.map(|shared| (Arc::clone(shared), names())),
            refused_until: AtomicU64::new(0),
            metrics: Arc::clone(&registrations.metrics),
        }
    }

    /// Whether the source may try. `Err` says in how many seconds, when it has failed too often.
    pub(crate) fn admit(&self, source: IpAddr, now: Timestamp) -> Result<(), u32> {
        if now.as_millis() >= self.refused_until.load(Relaxed) {
            return Ok(());
        }
        let failures = self.local.counted(&Source::of(source), now);
        self.judge(failures.map(|failures| failures.saturating_add(1)), now)
    }

    /// Counts a failure. `Err` when it is one too many, and is not to be told: in how many seconds the source
    /// may try again.
    pub(crate) async fn count(&self, source: IpAddr, now: Timestamp) -> Result<(), u32> {
        if self.limits.are_none() {
            return Ok(());
        }
        self.metrics.failures.add_one();
        let source = Source::of(source);
        let mut own = self.local.count(source, now).own;
        if let Some((shared, names)) = &self.shared {
            let counted = Box::pin(shared.count(names, source)).await.and_then(|it| it.own);
            if counted > own {
                own = counted;
                self.local.raise(source, counted.unwrap_or_default(), now);
            }
        }
        if own >= self.limits.per_source {
            self.refused_until.fetch_max(self.limits.window_end(now), Relaxed);
        }
        self.judge(own, now)
    }

    fn judge(&self, own: Option<u32>, now: Timestamp) -> Result<(), u32> {
        match self.limits.judge(Counted { own, all: None, now }) {
            Some(count) if count.verdict != Verdict::Admitted => {
                self.metrics.failures_refused.add_one();
                Err(count.reset_seconds)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://door.example";

    fn limit(failures_per_source: u32) -> FailureLimit {
        let settings =
            RateLimitConfig { failures_per_source, ..crate::config::Config::default().rate_limit };
        let entropy = Entropy::seeded(1);
        let registrations = RateLimit::new(&settings, ISSUER, true, &entropy);
        FailureLimit::new(&settings, ISSUER, &registrations, &entropy)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis((1_800_000_000 + seconds) * 1_000)
    }

    fn source(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test]
    async fn a_source_that_has_used_up_its_failures_may_not_try_until_the_window_ends() {
        let limit = limit(2);
        assert_eq!(limit.count(source(1), at(10)).await, Ok(()));
        assert_eq!(limit.admit(source(1), at(10)), Ok(()));
        assert_eq!(limit.count(source(1), at(10)).await, Ok(()));
        assert_eq!(limit.admit(source(1), at(10)), Err(50));
        assert_eq!(limit.admit(source(2), at(10)), Ok(()), "others may");
        assert_eq!(limit.admit(source(1), at(60)), Ok(()));
        assert_eq!(limit.count(source(1), at(60)).await, Ok(()), "it begins anew");
    }

    #[tokio::test]
    async fn of_what_is_tried_at_once_no_more_failures_are_told_than_may_be() {
        let limit = limit(2);
        for told in [Ok(()), Ok(()), Err(60), Err(60)] {
            assert_eq!(limit.count(source(1), at(0)).await, told);
        }
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_counted() {
        let limit = limit(0);
        for _ in 0..10_000 {
            assert_eq!(limit.count(source(1), at(0)).await, Ok(()));
        }
        assert_eq!(limit.admit(source(1), at(0)), Ok(()));
    }
}
