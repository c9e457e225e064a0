//! What is counted, and how Prometheus reads it (text format 0.0.4).
//!
//! Every counter is a field that is there from the start, so counting is one atomic addition, memory is
//! fixed, and no label can come from a caller's text. The operator's admission rules count by themselves.
//! `docs/change/decisions/0008-metrics-by-hand.md` says why no library does this.

mod page;

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    ops::Index,
    sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

pub(crate) use self::page::Page;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Adds one; returns how many there were before it.
    pub(crate) fn add_next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    /// Counts one more until what is returned is dropped.
    pub(crate) fn one_more(&self) -> OneMore<'_> {
        self.0.fetch_add(1, Relaxed);
        OneMore(self)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(i64::try_from(value).unwrap_or(i64::MAX), Relaxed);
    }

    pub(crate) fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// How much of something there is at present.
#[derive(Debug, Default)]
pub(crate) struct Amount(AtomicUsize);

impl Amount {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn sub(&self, count: usize) {
        self.0.fetch_sub(count, Relaxed);
    }

    /// Adds one, unless there are `max` already. However many threads add at once, they never have more.
    pub(crate) fn add_one_within(&self, max: usize) -> bool {
        let is_within = self.0.fetch_add(1, Relaxed) < max;
        if !is_within {
            self.sub(1);
        }
        is_within
    }

    pub(crate) fn value(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// One that a gauge counts for as long as this lives.
pub(crate) struct OneMore<'a>(&'a Gauge);

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// Upper bounds of the buckets of durations, in microseconds.
const BUCKETS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 10_000_000,
];

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One more than there are bounds, for what is above all of them.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(micros, Relaxed);
    }
}

/// A label whose values are known at compile time.
pub(crate) trait Label: Copy + 'static {
    /// The name of the label.
    const NAME: &'static str;
    const ALL: &'static [Self];
    /// The position in [`Self::ALL`].
    fn position(self) -> usize;
    fn as_str(self) -> &'static str;
}

/// One metric for each value of a label.
#[derive(Debug)]
pub(crate) struct By<L, M>(Box<[M]>, PhantomData<fn(L)>);

impl<L: Label, M: Default> Default for By<L, M> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| M::default()).collect(), PhantomData)
    }
}

impl<L: Label, M> Index<L> for By<L, M> {
    type Output = M;

    fn index(&self, label: L) -> &M {
        &self.0[label.position()]
    }
}

/// Declares an enum as a [`Label`]: the name of the label, and the text of each value.
macro_rules! label {
    ($(#[$doc:meta])* $label:ident = $name:literal { $($(#[$of_value:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $label {
            $($(#[$of_value])* $value,)+
        }

        impl Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value,)+];

            fn position(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }
    };
}

label! {
    /// Why a registration was refused.
    RefusalReason = "reason" {
        SourceLimit = "source_limit",
        SourceBytesLimit = "source_bytes_limit",
        TotalLimit = "total_limit",
        TotalBytesLimit = "total_bytes_limit",
        /// The limits that nodes share could not be asked, and `closed` is set.
        LimiterUnreachable = "limiter_unreachable",
        /// An initial access token is required.
        NoToken = "no_token",
        InvalidToken = "invalid_token",
        FailureLimit = "failure_limit",
        MediaType = "media_type",
        ContentEncoding = "content_encoding",
        BodyTooLarge = "body_too_large",
        BodyTooSlow = "body_too_slow",
        BodyIncomplete = "body_incomplete",
        /// All bodies together hold as many bytes as they may.
        BodyBudget = "body_budget",
        Json = "invalid_json",
        RedirectUri = "invalid_redirect_uri",
        Metadata = "invalid_client_metadata",
        AdmissionRule = "admission_rule",
        StoreBusy = "store_busy",
        StoreUnavailable = "store_unavailable",
        StoreCorrupt = "store_corrupt",
    }
}

label! {
    /// What the guard decided about a request.
    GuardOutcome = "outcome" {
        Allowed = "allowed",
        Public = "public",
        Preflight = "preflight",
        Unauthorized = "unauthorized",
        InsufficientScope = "insufficient_scope",
        Denied = "denied",
        RejectedOrigin = "rejected_origin",
        Rejected = "rejected",
        Unavailable = "unavailable",
    }
}

/// What is counted of one guarded resource.
#[derive(Debug, Default)]
pub(crate) struct GuardMetrics {
    pub(crate) decisions: By<GuardOutcome, Counter>,
    pub(crate) calls_dropped: Counter,
    /// Requests and streams that the built-in proxy has open.
    pub(crate) streams: Amount,
    /// From the request to the head of the upstream's answer.
    pub(crate) upstream: Histogram,
}

label! {
    /// What became of a refresh token that a client presented.
    RefreshOutcome = "outcome" {
        Rotated = "rotated",
        /// It had been used before, and got the same successor again.
        Grace = "grace",
        Reused = "reused",
        Expired = "expired",
        /// Unknown, revoked, of another client, or for more than was allowed.
        Invalid = "invalid",
        /// The store or the keys failed.
        Failed = "failed",
    }
}

label! {
    /// What a caller asks of the store.
    StoreOperation = "operation" {
        Registration = "registration",
        /// Any other change.
        Change = "change",
        /// A change that only deletes.
        Deletion = "deletion",
        /// One client or one grant.
        Lookup = "lookup",
        /// Several records, or records of another kind.
        Query = "query",
    }
}

label! {
    /// Whether clients may be used.
    ClientStanding = "standing" {
        Active = "active",
        Pending = "pending",
        Suspended = "suspended",
        Dormant = "dormant",
    }
}

/// What the store counts, whichever database is open.
#[derive(Debug, Default)]
pub(crate) struct StoreMetrics {
    pub(crate) durations: By<StoreOperation, Histogram>,
}

/// Requests of one route.
#[derive(Debug, Default)]
pub(crate) struct RouteMetrics {
    /// By class of status: 1xx to 5xx.
    pub(crate) requests: [Counter; 5],
    pub(crate) duration: Histogram,
}

/// What became of registrations through one door.
#[derive(Debug, Default)]
pub(crate) struct RegistrationMetrics {
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) rate_limited: Counter,
    /// The store was busy or failing.
    pub(crate) unavailable: Counter,
    pub(crate) failed: Counter,
}

/// How many connections there are, and why the server closed others.
#[derive(Debug, Default)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    /// There were as many as there may be.
    pub(crate) refused_total: Counter,
    /// There were as many from this source as there may be.
    pub(crate) refused_source: Counter,
    /// They took too long for a request or an answer.
    pub(crate) slow: Counter,
    /// They took too long to ask again.
    pub(crate) idle: Counter,
    /// The server did not answer in time.
    pub(crate) unanswered: Counter,
    /// Others took their places.
    pub(crate) made_room: Counter,
    /// Their source held the most bytes, and there were too many.
    pub(crate) held_too_much: Counter,
    /// What requests and answers hold, in bytes.
    pub(crate) held_bytes: Amount,
}

/// How the limits are kept that nodes share.
#[derive(Debug, Default)]
pub(crate) struct RateLimitMetrics {
    /// 1 while there is a connection to Redis.
    pub(crate) connected: Gauge,
    /// Redis has counted the request.
    pub(crate) counted: Counter,
    /// Redis was asked, and did not answer in time or as it should.
    pub(crate) failed: Counter,
    /// Redis was not asked: there is no connection, or too much is waiting for it.
    pub(crate) not_asked: Counter,
    /// Failures where something could be guessed.
    pub(crate) failures: Counter,
    /// Requests of sources that had failed too often.
    pub(crate) failures_refused: Counter,
}

/// What became of the metadata documents of clients that were asked for.
#[derive(Debug, Default)]
pub(crate) struct DocumentMetrics {
    /// Nothing had to be fetched.
    pub(crate) remembered: Counter,
    pub(crate) fetched: Counter,
    /// What came describes no client.
    pub(crate) invalid: Counter,
    /// The server says that there is none.
    pub(crate) gone: Counter,
    pub(crate) failed: Counter,
    /// As many as may be were being fetched.
    pub(crate) busy: Counter,
    /// Clients with a document, or those of its host, are not let in.
    pub(crate) refused: Counter,
}

/// What became of spans, once they had ended.
#[derive(Debug, Default)]
pub(crate) struct TraceMetrics {
    pub(crate) exported: Counter,
    /// The collector did not accept them.
    pub(crate) failed: Counter,
    /// As many as may be were waiting.
    pub(crate) dropped: Counter,
    /// Spans that wait.
    pub(crate) waiting: Amount,
}

/// How the admission rules in the store are read.
#[derive(Debug, Default)]
pub(crate) struct RulesMetrics {
    /// Tries to look at them or to read them that failed.
    pub(crate) failures: Counter,
    /// When the last one succeeded, in seconds since 1970; 0 for never.
    pub(crate) read_at: Gauge,
}

/// What handlers and the work beside them count.
#[derive(Debug, Default)]
pub(crate) struct AppMetrics {
    /// Refused registrations, by profile in the order of its enum.
    pub(crate) refused_registrations: [By<RefusalReason, Counter>; 2],
    pub(crate) local_sign_ins: SignInMetrics,
    /// By the `id` of each configured provider.
    provider_sign_ins: BTreeMap<String, SignInMetrics>,
    /// Registered clients, as they were last counted.
    pub(crate) clients: By<ClientStanding, Gauge>,
    /// When they were counted, in seconds since 1970; 0 for never.
    pub(crate) clients_counted_at: Gauge,
    pub(crate) tokens: TokenMetrics,
    pub(crate) refreshes: By<RefreshOutcome, Counter>,
    pub(crate) grants: SweepMetrics,
    pub(crate) consents: SweepMetrics,
    pub(crate) sessions: SweepMetrics,
    pub(crate) expired_clients: SweepMetrics,
    pub(crate) old_events: SweepMetrics,
    /// Clients that time has made dormant.
    pub(crate) made_dormant: Counter,
    /// Uses of clients that did not fit into memory.
    pub(crate) uses_dropped: Counter,
    pub(crate) families: FamilyMetrics,
}

/// What is counted of families aside.
#[derive(Debug, Default)]
pub(crate) struct FamilyMetrics {
    /// How many families there are.
    pub(crate) families: Gauge,
    /// The longest time that a client has waited to be counted in its family; 0 when none waits.
    pub(crate) behind_seconds: Gauge,
    /// When families were last told of every client that can be read.
    pub(crate) told_at: Gauge,
    /// Stored rows that cannot be read, so that their clients are not counted.
    pub(crate) unreadable: Gauge,
}

impl AppMetrics {
    /// Nothing is counted yet. `providers` are the `id`s in the settings.
    pub(crate) fn new<'a>(providers: impl Iterator<Item = &'a str>) -> Self {
        let provider_sign_ins =
            providers.map(|id| (id.to_owned(), SignInMetrics::default())).collect();
        Self { provider_sign_ins, ..Self::default() }
    }

    /// Sign-ins at a provider. `None` if the settings have no such provider.
    pub(crate) fn sign_ins_at(&self, provider: &str) -> Option<&SignInMetrics> {
        self.provider_sign_ins.get(provider)
    }

    /// Sign-ins at each provider.
    pub(crate) fn provider_sign_ins(&self) -> impl Iterator<Item = (&str, &SignInMetrics)> {
        self.provider_sign_ins.iter().map(|(id, sign_ins)| (id.as_str(), sign_ins))
    }
}

/// How one webhook fares on this node.
#[derive(Debug, Default)]
pub(crate) struct WebhookMetrics {
    pub(crate) delivered: Counter,
    pub(crate) failed: Counter,
    /// Attempts at the next event that have failed; 0 once it was accepted.
    pub(crate) failing: Gauge,
    /// How many seconds ago the first event happened that is not delivered; 0 if there is none, or another node sends.
    pub(crate) lag: Gauge,
}

/// How sign-ins of one kind ended.
#[derive(Debug, Default)]
pub(crate) struct SignInMetrics {
    pub(crate) succeeded: Counter,
    /// Not this person, not with this password, or too late.
    pub(crate) refused: Counter,
    /// The provider or the store could not be used.
    pub(crate) failed: Counter,
}

/// Answers with tokens, and who else wanted some.
#[derive(Debug, Default)]
pub(crate) struct TokenMetrics {
    pub(crate) by_code: Counter,
    pub(crate) by_refresh_token: Counter,
    /// Codes that were used again by somebody who could have redeemed them.
    pub(crate) codes_used_again: Counter,
    /// Refresh tokens that were used again after their grace.
    pub(crate) refresh_tokens_used_again: Counter,
}

/// What became of one kind of records that expire.
#[derive(Debug, Default)]
pub(crate) struct SweepMetrics {
    pub(crate) forgotten: Counter,
    /// Sweeps that did not come to their end.
    pub(crate) failures: Counter,
    /// When the last one that did ended, in seconds since 1970; 0 for never.
    pub(crate) ended_at: Gauge,
}

/// What went over the connections to a database.
#[derive(Debug, Default)]
pub(crate) struct DatabaseMetrics {
    pub(crate) batches: Counter,
    /// Registrations in them.
    pub(crate) batched: Counter,
    /// Statements that were sent once more.
    pub(crate) retries: Counter,
    /// Batches whose answer was lost, and of which it was found out what became of them.
    pub(crate) settled: Counter,
    /// Batches of which it was not.
    pub(crate) unsettled: Counter,
    /// Connections that were thrown away.
    pub(crate) discarded: Counter,
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn an_amount_stays_within_its_bound_when_many_threads_add() {
        let (amount, begin) = (Amount::default(), Barrier::new(8));
        let added: usize = thread::scope(|scope| {
            let adding = || {
                begin.wait();
                (0..1_000).filter(|_| amount.add_one_within(100)).count()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(adding)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((added, amount.value()), (100, 100));
        amount.sub(1);
        assert!(amount.add_one_within(100) && !amount.add_one_within(100));
    }
}
