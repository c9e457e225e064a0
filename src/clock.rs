//! The clock that everything is handed, so that a test can hold time still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: the form of `client_id_issued_at`
    /// (RFC 7591 §3.2.1).
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// So many seconds later; at most the last moment there is.
    #[must_use]
    pub const fn after_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }

    /// So many days later; at most the last moment there is.
    #[must_use]
    pub const fn after_days(self, days: u64) -> Self {
        self.after_seconds(days.saturating_mul(24 * 60 * 60))
    }

    /// `2026-11-23T19:30:00Z`, with milliseconds if there are any; UTC. Beyond the year 9999, seconds since 1970.
    pub fn to_rfc3339(self) -> String {
        let nanos = i128::from(self.0) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.to_decimal_seconds())
    }

    /// The time that an RFC 3339 text stands for; `None` before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Seconds since the epoch as a JSON number: whole, or with exactly three decimals.
    pub fn to_decimal_seconds(self) -> String {
        match self.0 % 1_000 {
            0 => self.as_seconds().to_string(),
            millis => format!("{}.{millis:03}", self.as_seconds()),
        }
    }

    /// So many days earlier; not before 1970.
    #[must_use]
    pub const fn before_days(self, days: u64) -> Self {
        self.before_seconds(days.saturating_mul(24 * 60 * 60))
    }

    /// So many seconds earlier; not before 1970.
    #[must_use]
    pub const fn before_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(1_000)))
    }
}

/// Where `now` comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that stands still until [`Clock::advance`] moves it; milliseconds since the epoch.
    Held(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now`.
    pub fn held_at(now: Timestamp) -> Self {
        Self::Held(Arc::new(AtomicU64::new(now.as_millis())))
    }

    /// The present moment. A system clock that stands before 1970 reads as 1970.
    #[expect(clippy::disallowed_methods, reason = "the one place where the time is read")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Held(millis) => Timestamp(millis.load(Ordering::Relaxed)),
        }
    }

    /// Moves a held clock forward; the system's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Self::Held(millis) = self {
            millis.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}
