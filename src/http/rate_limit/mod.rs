//! How often strangers may ask, and fail: fixed windows aligned to the clock, per source and for all together.
//!
//! Each node counts for itself ([`local`]), or all nodes of an issuer count together in Redis
//! ([`shared`]); what was counted is judged here, in both cases alike. What is answered to a refused
//! caller is the endpoint's.

mod failures;
mod link;
mod local;
mod own;
mod shared;

use std::{net::IpAddr, sync::Arc};

pub(crate) use self::{failures::FailureLimit, link::LinkError, own::OwnLimit};
use self::{
    link::Link,
    local::Local,
    shared::{Names, Shared},
};
use super::client_address::Source;
use crate::{
    clock::Timestamp,
    config::{RateLimitConfig, WhenUnreachable},
    entropy::Entropy,
    metrics::RateLimitMetrics,
};

/// Counts registrations and judges them.
pub(crate) struct RateLimit {
    limits: Limits,
    local: Local,
    names: Names,
    /// [`FailureLimit`] counts there, too.
    shared: Option<Arc<Shared>>,
    when_unreachable: WhenUnreachable,
    metrics: Arc<RateLimitMetrics>,
}

/// What the limiter says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) verdict: Verdict,
    /// Requests in a period, of the limit that is nearest to its end.
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) period_seconds: u32,
    /// Whole seconds until the window ends, at least 1.
    pub(crate) reset_seconds: u32,
}

/// Whether a request may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    /// There were too many before it.
    Refused,
    /// What others counted cannot be asked, and the operator admits nobody without.
    Unknown,
}

/// What is allowed in a period.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Requests of one source; `None` for no limit.
    per_source: Option<u32>,
    /// Requests of all sources; `None` for no limit.
    total: Option<u32>,
    period_seconds: u32,
}

/// How many requests there were in the window of `now`, the last one among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    /// Of its source; `None` where that has no limit.
    own: Option<u32>,
    /// Of all; `None` where they have no limit, or its source has used up its own.
    all: Option<u32>,
    now: Timestamp,
}

impl RateLimit {
    /// The limits of one issuer. `counts_failures`, too, where there is something to guess.
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

    /// Counts one request, refused ones too. `None` when no limit is set.
    ///
    /// What the limit of its source refuses does not count against the limit of all, or one source could
    /// use up what belongs to everybody.
    pub(crate) async fn count(&self, source: IpAddr, now: Timestamp) -> Option<Count> {
        if self.limits.are_none() {
            return None;
        }
        let source = Source::of(source);
        let Some(shared) = &self.shared else {
            return self.limits.judge(self.local.count(source, now));
        };
        // In a box, so that the others' requests are not made larger by what a question to Redis holds.
        if let Some(counted) = Box::pin(shared.count(&self.names, source)).await {
            return self.limits.judge(counted);
        }
        let count = self.limits.judge(self.local.count(source, now))?;
        Some(match self.when_unreachable {
            WhenUnreachable::Local => count,
            WhenUnreachable::Open => Count { verdict: Verdict::Admitted, ..count },
            WhenUnreachable::Closed => Count { verdict: Verdict::Unknown, ..count },
        })
    }

    /// Connects to Redis, and again whenever the connection is lost, for as long as it is polled. Ends at
    /// once when each node counts for itself.
    pub(crate) async fn keep_connected(&self) {
        if let Some(shared) = &self.shared {
            shared.keep_connected().await;
        }
    }

    /// Whether a request would be judged: not while Redis is away and nobody is admitted without.
    pub(crate) fn can_judge(&self) -> bool {
        self.limits.are_none()
            || self.when_unreachable != WhenUnreachable::Closed
            || self.shared.as_ref().is_none_or(|shared| shared.is_connected())
    }

    pub(crate) fn metrics(&self) -> &Arc<RateLimitMetrics> {
        &self.metrics
    }
}

/// Whether any limit is set, for Redis to count.
pub(crate) fn is_counted(settings: &RateLimitConfig, counts_failures: bool) -> bool {
    !Limits::of(settings).are_none()
        || (counts_failures && !Limits::of_failures(settings).are_none())
}

/// Asks the Redis of these settings once whether requests can be counted there, and what time it is.
/// `None` when there is none.
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
        Self {
            per_source: Some(settings.per_source).filter(|&limit| limit > 0),
            total: Some(settings.total).filter(|&limit| limit > 0),
            period_seconds: settings.period_seconds.max(1),
        }
    }

    fn of_failures(settings: &RateLimitConfig) -> Self {
        let per_source = Some(settings.failures_per_source).filter(|&limit| limit > 0);
        Self { per_source, total: None, ..Self::of(settings) }
    }

    /// When the window of `now` ends, in milliseconds.
    fn window_end(self, now: Timestamp) -> u64 {
        let period_millis = u64::from(self.period_seconds) * 1_000;
        (now.as_millis() / period_millis + 1) * period_millis
    }

    fn are_none(self) -> bool {
        self.per_source.is_none() && self.total.is_none()
    }

    /// The limit that is nearest to its end, or the one that refuses.
    fn judge(self, counted: Counted) -> Option<Count> {
        let of = |limit: Option<u32>, counted_of: Option<u32>| {
            Some(self.count(limit?, counted_of?, counted.now))
        };
        let own = of(self.per_source, counted.own);
        let all = of(self.total, counted.all);
        match (own, all) {
            (Some(own), Some(all))
                if all.verdict == Verdict::Admitted && own.remaining <= all.remaining =>
            {
                Some(own)
            }
            (own, all) => all.or(own),
        }
    }

    fn count(self, limit: u32, counted: u32, now: Timestamp) -> Count {
        let left_millis = self.window_end(now) - now.as_millis();
        Count {
            verdict: if counted <= limit { Verdict::Admitted } else { Verdict::Refused },
            limit,
            remaining: limit.saturating_sub(counted),
            period_seconds: self.period_seconds,
            reset_seconds: u32::try_from(left_millis.div_ceil(1_000))
                .unwrap_or(self.period_seconds),
        }
    }
}
