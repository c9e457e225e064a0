//! Limits failures where something can be guessed. Only failures count, and only failures are rejected: correct
//! credentials and valid tokens always get their response, so no caller can lock out others behind the same address.
//! Each family of endpoints counts separately.
//!
//! A caller over the limit learns nothing from one more failure, and its requests take turns: at most [`TURNS`] of
//! them are looked up at once, so guesses cost the other callers little.
//!
//! With Redis, failures are counted there until the limit is reached, and each node remembers that it was reached. So
//! all nodes together report as many failures to a caller as one node would.

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

/// How many requests of callers over the limit are looked up at once, in all.
const TURNS: usize = 4;

/// The limits of one issuer, one for each family of endpoints.
pub(crate) struct FailureLimits {
    /// The pages of authorization.
    pub(crate) authorization: FailureLimit,
    /// The token and revocation endpoints.
    pub(crate) token: FailureLimit,
    /// The introspection endpoint.
    pub(crate) introspection: FailureLimit,
    /// Reading, replacing, and deleting a registration by its client.
    pub(crate) registration: FailureLimit,
    /// The operator API.
    pub(crate) operator: FailureLimit,
}

impl FailureLimits {
    /// The failure limits, in the same place as the counters of registrations.
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
    /// The failures that this node counted, or learned of from Redis.
    local: Local,
    shared: Option<(Arc<Shared>, Names)>,
    /// When the last block of any caller ends, in milliseconds.
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

    /// Waits for the caller's turn: not at all, unless the caller is over the limit. Dropping the returned permit
    /// ends the turn.
    pub(crate) async fn turn(&self, caller: Caller, now: Timestamp) -> Option<SemaphorePermit<'_>> {
        // While no caller is over the limit, this costs one atomic read.
        if now.as_millis() >= self.refused_until.load(Relaxed) || self.room(caller, now).is_ok() {
            return None;
        }
        self.turns.acquire().await.ok()
    }

    /// Counts a failure. `Err` means that the caller is over the limit and must not learn of this failure; it holds
    /// the seconds until the caller may fail again.
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
        // A failure over the limit costs no round trip to Redis.
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

    /// Whether the caller may fail once more, as far as this node knows.
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
