//! Windows that all nodes of an issuer count together, in Redis and by its clock.
//!
//! One task maintains one connection and replaces it when it is lost. Requests use the current connection and never
//! wait for the next one. So an outage delays only the requests that were waiting for Redis at that moment, each by
//! the timeout at most.
//!
//! Counters expire with their window: Redis holds one small key for each source of the current window, and one for
//! all sources.

use std::{
    fmt::Display,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};

use super::{
    Cost, Counted, Limits,
    link::{Link, LinkError, Opened},
};
use crate::{
    config::{RateLimitConfig, RedisUrl},
    http::{caller::Caller, request_event::chain},
    metrics::RateLimitMetrics,
};

/// How many requests may wait for Redis; later ones are counted without it.
const WAITING_MAX: usize = 1024;
/// The pause before reconnecting: the first one, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Counts requests in Redis.
pub(super) struct Shared {
    url: RedisUrl,
    timeout: Duration,
    /// The counters that test a new connection.
    names: Names,
    /// The current connection.
    connected: RwLock<Option<Connected>>,
    waiting: Semaphore,
    metrics: Arc<RateLimitMetrics>,
}

/// A connection, and a channel to report that it failed.
#[derive(Clone)]
struct Connected {
    link: Link,
    lost: mpsc::Sender<LinkError>,
}

impl Shared {
    /// Counts in the Redis at `url`, once [`Self::keep_connected`] runs.
    pub(super) fn new(
        url: &RedisUrl,
        settings: &RateLimitConfig,
        issuer: &str,
        metrics: Arc<RateLimitMetrics>,
    ) -> Self {
        Self {
            url: url.clone(),
            timeout: Duration::from_millis(settings.redis_timeout_milliseconds),
            names: Names::new(issuer, Limits::of(settings)),
            connected: RwLock::default(),
            waiting: Semaphore::new(WAITING_MAX),
            metrics,
        }
    }

    /// Charges one request of a caller to the counters of these names. `None` if Redis did not count it: at once
    /// while it is away, otherwise after the timeout.
    pub(super) async fn charge(
        &self,
        names: &Names,
        caller: Caller,
        cost: Cost,
    ) -> Option<Counted> {
        let Some((Connected { link, lost }, _waiting)) =
            self.connected().zip(self.waiting.try_acquire().ok())
        else {
            self.metrics.not_asked.add_one();
            return None;
        };
        let keys = names.of(caller);
        let counting = link.charge(&keys, cost, names.limits());
        match timeout(self.timeout, counting).await.unwrap_or(Err(LinkError::Late)) {
            Ok(counted) => {
                self.metrics.counted.add_one();
                Some(counted)
            }
            Err(error) => {
                self.metrics.failed.add_one();
                // A full channel means that another request has reported the loss.
                drop(lost.try_send(error));
                None
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn connected(&self) -> Option<Connected> {
        self.connected.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connected: Option<Connected>) {
        *self.connected.write().unwrap_or_else(PoisonError::into_inner) = connected;
    }

    /// Connects, and reconnects after every loss, for as long as it is polled. Logs each loss and each reconnection
    /// once.
    pub(super) async fn keep_connected(&self) {
        let mut pause = PAUSE_MIN;
        let mut is_told = false;
        loop {
            let error = match Link::open(&self.url, &self.names).await {
                Ok(opened) => {
                    is_told = false;
                    tracing::info!(redis = %self.url, "limits are shared");
                    let since = Instant::now();
                    let error = self.until_lost(opened).await;
                    if since.elapsed() > PAUSE_MAX {
                        pause = PAUSE_MIN;
                    }
                    error
                }
                Err(error) => error,
            };
            if !is_told {
                is_told = true;
                tracing::warn!(redis = %self.url, error = chain(&error), "limits are not shared");
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Lets requests use a connection until it ends, or one of them reports it as failed.
    async fn until_lost(&self, Opened { link, driver, .. }: Opened) -> LinkError {
        let (lost, mut told) = mpsc::channel(1);
        let _connected = self.metrics.connected.one_more();
        self.set(Some(Connected { link, lost }));
        let error = tokio::select! {
            () = driver => LinkError::Closed,
            told = told.recv() => told.unwrap_or(LinkError::Closed),
        };
        self.set(None);
        error
    }
}

/// How counters are named: by issuer, so that sites can share one Redis, and by period, so that a node with another
/// period does not cut a window short. The braces place all keys of an issuer in one hash slot.
pub(super) struct Names {
    limits: Limits,
    prefix: String,
    all: String,
    all_bytes: String,
}

/// The keys of a caller's counters, and of the total ones.
pub(super) struct Keys<'a> {
    pub(super) requests: String,
    pub(super) bytes: String,
    pub(super) requests_of_all: &'a str,
    pub(super) bytes_of_all: &'a str,
}

impl Names {
    pub(super) fn new(issuer: &str, limits: Limits) -> Self {
        Self::beginning(format!("doorward:{{{issuer}}}:{}:", limits.period_seconds), limits)
    }

    /// The names for the failures at a family of endpoints.
    pub(super) fn of_failures(issuer: &str, family: &str, limits: Limits) -> Self {
        let prefix = format!("doorward:{{{issuer}}}:{}:failures:{family}:", limits.period_seconds);
        Self::beginning(prefix, limits)
    }

    fn beginning(prefix: String, limits: Limits) -> Self {
        let (all, all_bytes) = (format!("{prefix}all"), format!("{prefix}bytes:all"));
        Self { limits, prefix, all, all_bytes }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    fn of(&self, caller: Caller) -> Keys<'_> {
        self.keys(&caller)
    }

    /// The keys for a test request, which no caller shares.
    pub(super) fn of_probe(&self) -> Keys<'_> {
        self.keys(&"probe")
    }

    fn keys(&self, whose: &dyn Display) -> Keys<'_> {
        Keys {
            requests: format!("{}{whose}", self.prefix),
            bytes: format!("{}bytes:{whose}", self.prefix),
            requests_of_all: &self.all,
            bytes_of_all: &self.all_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client_address::Source;

    #[test]
    fn counters_are_named_by_issuer_period_and_source() {
        let names = Names::new("https://door.example", Limits::none(60));
        let caller = |address: &str| Caller {
            source: Source::of(address.parse().unwrap()),
            is_foreign_page: false,
        };
        let of = |address: &str| names.of(caller(address)).requests;

        assert_eq!(of("192.0.2.1"), "doorward:{https://door.example}:60:192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("2001:db8:1:2:3::4"), "doorward:{https://door.example}:60:2001:db8:1:2::/64");
        let keys = names.of(Caller { is_foreign_page: true, ..caller("192.0.2.1") });
        assert_eq!(keys.bytes, "doorward:{https://door.example}:60:bytes:192.0.2.1:pages");
        assert_eq!(keys.requests_of_all, "doorward:{https://door.example}:60:all");
        assert_eq!(keys.bytes_of_all, "doorward:{https://door.example}:60:bytes:all");
        let failures = Names::of_failures("https://door.example", "token", Limits::none(60));
        let name = "doorward:{https://door.example}:60:failures:token:192.0.2.1";
        assert_eq!(failures.of(caller("192.0.2.1")).requests, name);
    }
}
