//! Limits on requests, bytes, and failures: fixed windows aligned to the clock, per source and for all sources
//! together.
//!
//! Each node counts for itself ([`local`]), or all nodes of an issuer count together in Redis ([`shared`]); this
//! module compares both kinds of counts with the limits. Each endpoint chooses the response to a rejected caller.

mod failures;
mod link;
mod local;
mod own;
mod shared;

use std::sync::Arc;

pub(crate) use self::{
    failures::{FailureLimit, FailureLimits},
    link::LinkError,
    own::{Left, OwnLimit},
};
use self::{
    link::Link,
    local::Local,
    shared::{Names, Shared},
};
use super::caller::Caller;
use crate::{
    clock::Timestamp,
    config::{RateLimitConfig, WhenUnreachable},
    entropy::Entropy,
    metrics::RateLimitMetrics,
};

/// Counts registrations and applies their limits.
pub(crate) struct RateLimit {
    limits: Limits,
    local: Local,
    names: Names,
    /// The counters in Redis, which [`FailureLimit`] shares.
    shared: Option<Arc<Shared>>,
    when_unreachable: WhenUnreachable,
    metrics: Arc<RateLimitMetrics>,
}

/// The limiter's result for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) verdict: Verdict,
    /// The maximum of the limit that is closest to being used up, in requests a period.
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) period_seconds: u32,
    /// Whole seconds until the window ends, at least 1.
    pub(crate) reset_seconds: u32,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    /// The limit that is used up.
    Refused(Limit),
    /// Redis is unavailable, and the operator admits no requests without it.
    Unknown,
}

/// The limit that rejects a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The requests of one source.
    PerSource,
    /// The bytes of one source.
    BytesPerSource,
    /// The requests of all sources.
    Total,
    /// The bytes of all sources.
    BytesTotal,
}

/// What a request costs: its share of each limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) requests: u32,
    pub(crate) bytes: u32,
}

impl Cost {
    /// One request, whatever its size.
    pub(crate) const REQUEST: Self = Self { requests: 1, bytes: 0 };
}

/// The number of requests in a period above which a source is busy. Busy sources together use at most three quarters
/// of the total limit; the rest is for sources with one or two requests.
const MODEST_REQUESTS: u32 = 3;

/// The limits of a period; `None` for no limit.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Requests of one source.
    per_source: Option<u32>,
    /// Bytes of one source.
    bytes_per_source: Option<u32>,
    /// Requests of all sources.
    total: Option<u32>,
    /// Bytes of all sources.
    bytes_total: Option<u32>,
    period_seconds: u32,
}

/// The counters of the current window with a request added; `None` for a counter without a limit, and for every
/// counter after the one that rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    /// Requests of the source.
    own: Option<u32>,
    /// Bytes of the source.
    own_bytes: Option<u32>,
    /// Requests of all sources.
    all: Option<u32>,
    /// Bytes of all sources.
    all_bytes: Option<u32>,
    now: Timestamp,
}

impl RateLimit {
    /// The limits of one issuer; `counts_failures` if its endpoints limit failures too.
    pub(crate) fn new(
        settings: &RateLimitConfig,
        issuer: &str,
        counts_failures: bool,
        entropy: &Entropy,
    ) -> Self {
        let limits = Limits::of(settings);
        let metrics = Arc::new(RateLimitMetrics::default());
        let redis = settings.redis.as_ref().filter(|_| is_counted(settings, counts_failures));
        let shared =
            redis.map(|url| Arc::new(Shared::new(url, settings, issuer, Arc::clone(&metrics))));
        Self {
            limits,
            names: Names::new(issuer, limits),
            local: Local::new(limits, settings.sources_max, entropy),
            shared,
            when_unreachable: settings.when_unreachable,
            metrics,
        }
    }

    /// Charges one request. `None` if no limit applies.
    ///
    /// A request that the limit of its source rejects does not count against the total: otherwise one source could
    /// use up the share of all others.
    pub(crate) async fn charge(&self, caller: Caller, cost: Cost, now: Timestamp) -> Option<Count> {
        if self.limits.are_none() {
            return None;
        }
        let Some(shared) = &self.shared else {
            return self.limits.judge(self.local.charge(caller, cost, now));
        };
        // Boxed, so that requests without Redis do not carry the size of a call to it.
        if let Some(counted) = Box::pin(shared.charge(&self.names, caller, cost)).await {
            return self.limits.judge(counted);
        }
        let count = self.limits.judge(self.local.charge(caller, cost, now))?;
        Some(match self.when_unreachable {
            WhenUnreachable::Local => count,
            WhenUnreachable::Open => Count { verdict: Verdict::Admitted, ..count },
            WhenUnreachable::Closed => Count { verdict: Verdict::Unknown, ..count },
        })
    }

    /// Connects to Redis, and reconnects whenever the connection is lost, for as long as it is polled. Ends at once
    /// if each node counts for itself.
    pub(crate) async fn keep_connected(&self) {
        if let Some(shared) = &self.shared {
            shared.keep_connected().await;
        }
    }

    /// Whether requests can be counted: `false` while Redis is away and the operator admits none without it.
    pub(crate) fn can_judge(&self) -> bool {
        self.limits.are_none()
            || self.when_unreachable != WhenUnreachable::Closed
            || self.shared.as_ref().is_none_or(|shared| shared.is_connected())
    }

    pub(crate) fn metrics(&self) -> &Arc<RateLimitMetrics> {
        &self.metrics
    }
}

/// Whether any limit is set that Redis would count.
pub(crate) fn is_counted(settings: &RateLimitConfig, counts_failures: bool) -> bool {
    !Limits::of(settings).are_none()
        || (counts_failures && !Limits::of_failures(settings).are_none())
}

/// Tests once whether requests can be counted in the configured Redis, and reads its time. `None` if none is
/// configured.
pub(crate) async fn probe(
    settings: &RateLimitConfig,
    issuer: &str,
) -> Option<Result<Timestamp, LinkError>> {
    let url = settings.redis.as_ref()?;
    let names = Names::new(issuer, Limits::of(settings));
    Some(Link::open(url, &names).await.map(|opened| opened.now))
}

impl Limits {
    fn of(settings: &RateLimitConfig) -> Self {
        let limit = |limit| Some(limit).filter(|&limit| limit > 0);
        Self {
            per_source: limit(settings.per_source),
            bytes_per_source: limit(settings.bytes_per_source),
            total: limit(settings.total),
            bytes_total: limit(settings.bytes_total),
            period_seconds: settings.period_seconds.max(1),
        }
    }

    fn of_failures(settings: &RateLimitConfig) -> Self {
        let per_source = Some(settings.failures_per_source).filter(|&limit| limit > 0);
        Self { per_source, ..Self::none(settings.period_seconds.max(1)) }
    }

    const fn none(period_seconds: u32) -> Self {
        let none = None;
        Self {
            per_source: none,
            bytes_per_source: none,
            total: none,
            bytes_total: none,
            period_seconds,
        }
    }

    /// Whether any limit is per source.
    fn counts_sources(self) -> bool {
        self.per_source.is_some() || self.bytes_per_source.is_some()
    }

    /// The part of the total requests and bytes that is open to a source with `own` requests.
    fn of_all(self, own: u32) -> [Option<u32>; 2] {
        let reserved = |limit: u32| if own > MODEST_REQUESTS { limit / 4 } else { 0 };
        [self.total, self.bytes_total].map(|limit| limit.map(|limit| limit - reserved(limit)))
    }

    /// When the window of `now` ends, in milliseconds.
    fn window_end(self, now: Timestamp) -> u64 {
        let period_millis = u64::from(self.period_seconds) * 1_000;
        (now.as_millis() / period_millis + 1) * period_millis
    }

    fn are_none(self) -> bool {
        !self.counts_sources() && self.total.is_none() && self.bytes_total.is_none()
    }

    /// The limit that rejects, or the request limit that is closest to being used up. Limits of bytes are reported
    /// only if they reject.
    fn judge(self, counted: Counted) -> Option<Count> {
        let [total, bytes_total] = self.of_all(counted.own.unwrap_or_default());
        let of = |limit, most: Option<u32>, open: Option<u32>, counted_of: Option<u32>| {
            let (most, open, counted_of) = (most?, open?, counted_of?);
            let verdict =
                if counted_of <= open { Verdict::Admitted } else { Verdict::Refused(limit) };
            Some(self.count(verdict, most, open.saturating_sub(counted_of), counted.now))
        };
        let own = of(Limit::PerSource, self.per_source, self.per_source, counted.own);
        let all = of(Limit::Total, self.total, total, counted.all);
        let bytes = self.bytes_per_source;
        let own_bytes = of(Limit::BytesPerSource, bytes, bytes, counted.own_bytes);
        let all_bytes = of(Limit::BytesTotal, self.bytes_total, bytes_total, counted.all_bytes);
        let is_over = |count: &Count| count.verdict != Verdict::Admitted;
        let refused = [own, own_bytes, all, all_bytes].into_iter().flatten().find(is_over);
        let nearest = || [own, all].into_iter().flatten().min_by_key(|count| count.remaining);
        refused.map(|count| Count { remaining: 0, ..count }).or_else(nearest)
    }

    fn count(self, verdict: Verdict, limit: u32, remaining: u32, now: Timestamp) -> Count {
        let left_millis = self.window_end(now) - now.as_millis();
        Count {
            verdict,
            limit,
            remaining,
            period_seconds: self.period_seconds,
            reset_seconds: u32::try_from(left_millis.div_ceil(1_000))
                .unwrap_or(self.period_seconds),
        }
    }
}
