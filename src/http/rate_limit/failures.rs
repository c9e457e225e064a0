//! How often a caller may fail where something can be guessed. Only failures count, and only failures are refused:
//! correct credentials and valid tokens are answered however often their address failed, so that nobody behind an
//! address can lock the others out. Each family of endpoints counts apart.
//!
//! After too many failures, a caller learns nothing from one more, and its requests take turns: at most
//! [`TURNS`] of them are looked up at once, so that guesses cost the others little.
//!
//! With Redis every failure is counted there until the limit is reached, and a node remembers what it learns; so
//! nodes tell a caller together as many failures as one would.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Cost, Counted, Limits, RateLimit, Verdict,
    local::Local,
    shared::{Names, Shared},
};
use crate::{
    clock::Timestamp, config::RateLimitConfig, entropy::Entropy, http::caller::Caller,
    metrics::RateLimitMetrics,
};

/// How many requests of callers that failed too often are looked up at once, in all.
const TURNS: usize = 4;

/// The limits of one issuer, one for each family of endpoints.
pub(crate) struct FailureLimits {
    /// The pages of authorization.
    pub(crate) authorization: FailureLimit,
    /// The token and revocation endpoints.
    pub(crate) token: FailureLimit,
    /// The introspection endpoint.
    pub(crate) introspection: FailureLimit,
    /// The registration of a client, as the client manages it.
    pub(crate) registration: FailureLimit,
    /// The operator API.
    pub(crate) operator: FailureLimit,
}

impl FailureLimits {
    /// The limits, which count where registrations are counted.
    pub(crate) fn new(
        settings: &RateLimitConfig,
        issuer: &str,
        registrations: &RateLimit,
        entropy: &Entropy,
    ) -> Self {
        let of = |family| FailureLimit::new(settings, issuer, family, registrations, entropy);
        Self {
            authorization: of("authorization"),
            token: of("token"),
            introspection: of("introspection"),
            registration: of("registration"),
            operator: of("operator"),
        }
    }
}

/// Counts the failures of each caller at one family of endpoints.
pub(crate) struct FailureLimit {
    limits: Limits,
    /// What this node counted, or learned from Redis.
    local: Local,
    shared: Option<(Arc<Shared>, Names)>,
    /// Until when a caller is refused, in milliseconds: later none is.
    refused_until: AtomicU64,
    turns: Semaphore,
    metrics: Arc<RateLimitMetrics>,
}

impl FailureLimit {
    fn new(
        settings: &RateLimitConfig,
        issuer: &str,
        family: &str,
        registrations: &RateLimit,
        entropy: &Entropy,
    ) -> Self {
        let limits = Limits::of_failures(settings);
        let shared = registrations.shared.as_ref().filter(|_| !limits.are_none());
        let names = || Names::of_failures(issuer, family, limits);
        Self {
            limits,
            local: Local::new(limits, settings.sources_max, entropy),
            shared: shared.map(|shared| (Arc::clone(shared), names())),
            refused_until: AtomicU64::new(0),
            turns: Semaphore::new(TURNS),
            metrics: Arc::clone(&registrations.metrics),
        }
    }

    /// Waits until the request of a caller may be looked up: at once, unless it failed too often. The turn ends when
    /// what is returned is dropped.
    pub(crate) async fn turn(&self, caller: Caller, now: Timestamp) -> Option<SemaphorePermit<'_>> {
        // As long as no caller is refused, this is one look at one number.
        if now.as_millis() >= self.refused_until.load(Relaxed) || self.room(caller, now).is_ok() {
            return None;
        }
        self.turns.acquire().await.ok()
    }

    /// Counts a failure. `Err` when it is one too many, and must not be told: in how many seconds the caller may
    /// fail again.
    pub(crate) async fn count(&self, caller: Caller, now: Timestamp) -> Result<(), u32> {
        if self.limits.are_none() {
            return Ok(());
        }
        let counted = self.count_one(caller, now).await;
        match counted {
            Ok(()) => self.metrics.failures.add_one(),
            Err(_) => self.metrics.failures_refused.add_one(),
        }
        counted
    }

    async fn count_one(&self, caller: Caller, now: Timestamp) -> Result<(), u32> {
        // What is refused anyway costs no round trip.
        self.room(caller, now)?;
        let mut own = self.local.charge(caller, Cost::REQUEST, now).own;
        if let Some((shared, names)) = &self.shared {
            let charging = Box::pin(shared.charge(names, caller, Cost::REQUEST));
            let counted = charging.await.and_then(|counted| counted.own);
            if counted > own {
                own = counted;
                self.local.raise(caller, counted.unwrap_or_default(), now);
            }
        }
        if own >= self.limits.per_source {
            self.refused_until.fetch_max(self.limits.window_end(now), Relaxed);
        }
        self.judge(own, now)
    }

    /// Whether this node knows of room for another failure.
    fn room(&self, caller: Caller, now: Timestamp) -> Result<(), u32> {
        let failures = self.local.counted(&caller, now);
        self.judge(failures.map(|failures| failures.saturating_add(1)), now)
    }

    fn judge(&self, own: Option<u32>, now: Timestamp) -> Result<(), u32> {
        let counted = Counted { own, own_bytes: None, all: None, all_bytes: None, now };
        match self.limits.judge(counted) {
            Some(count) if count.verdict != Verdict::Admitted => Err(count.reset_seconds),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client_address::Source;

    const ISSUER: &str = "https://door.example";

    fn limit(failures_per_source: u32) -> FailureLimit {
        let settings =
            RateLimitConfig { failures_per_source, ..crate::config::Config::default().rate_limit };
        let entropy = Entropy::seeded(1);
        let registrations = RateLimit::new(&settings, ISSUER, true, &entropy);
        FailureLimits::new(&settings, ISSUER, &registrations, &entropy).token
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis((1_800_000_000 + seconds) * 1_000)
    }

    fn caller(last: u8) -> Caller {
        Caller { source: Source::of([192, 0, 2, last].into()), is_foreign_page: false }
    }

    #[tokio::test]
    async fn a_caller_that_used_up_its_failures_learns_of_none_until_the_window_ends() {
        let limit = limit(2);
        for counted in [Ok(()), Ok(()), Err(50), Err(50)] {
            assert_eq!(limit.count(caller(1), at(10)).await, counted);
        }
        assert_eq!(limit.count(caller(2), at(10)).await, Ok(()), "others do");
        let page = Caller { is_foreign_page: true, ..caller(1) };
        assert_eq!(limit.count(page, at(10)).await, Ok(()), "pages of other sites count apart");
        assert_eq!(limit.count(caller(1), at(60)).await, Ok(()), "a new window");
    }

    #[tokio::test]
    async fn callers_that_failed_too_often_take_turns_and_others_wait_for_none() {
        let limit = limit(1);
        let mut turns = Vec::new();
        assert!(limit.turn(caller(1), at(0)).await.is_none());
        assert_eq!(limit.count(caller(1), at(0)).await, Ok(()));
        for _ in 0..TURNS {
            turns.push(limit.turn(caller(1), at(0)).await.expect("it is the caller's turn"));
        }
        assert_eq!(limit.turns.available_permits(), 0);
        assert!(limit.turn(caller(2), at(0)).await.is_none());
        assert!(limit.turn(caller(1), at(60)).await.is_none());
        let waiting = limit.turn(caller(1), at(0));
        drop(turns.pop());
        assert!(waiting.await.is_some());
    }

    #[tokio::test]
    async fn without_a_limit_nothing_is_counted() {
        let limit = limit(0);
        for _ in 0..10_000 {
            assert_eq!(limit.count(caller(1), at(0)).await, Ok(()));
        }
        assert!(limit.turn(caller(1), at(0)).await.is_none());
    }
}
