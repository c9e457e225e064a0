//! Webhooks: send events and registrations to the operator's receivers, signed (Standard Webhooks), in the order of
//! their commits, at least once. One node sends at a time, by a lease; the cursor of each webhook is in the store.

mod secret;

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::{
    sync::Semaphore,
    task,
    time::{Instant, sleep},
};

pub(crate) use self::secret::{Keys, SecretError};
use crate::{
    clock::{Clock, Timestamp},
    config,
    entropy::Entropy,
    event_json::event_json,
    http::{
        fetch::{Connected, FetchError, Fetcher, Reach},
        request_event::chain,
    },
    internet::Internet,
    metrics::WebhookMetrics,
    store::{
        EventRecord, LeaseHolder, Store, StoreError, TrailEntry, TrailPosition, WebhookCursor,
    },
};

/// How long a receiver may take to accept one event.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Lookups of one receiver that may be under way: those that nobody waits for any more count until they end.
const LOOKUPS_MAX: usize = 4;

/// Entries that are read at once.
const PAGE: usize = 256;

/// Between two looks for events.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Between two looks at the lease of another node, and after a failure of the store.
const STAND_BY: Duration = Duration::from_secs(2);

/// How often a lease is prolonged: a lookup and a delivery that take as long as they may end before it does.
const PROLONG_EVERY: Duration = Duration::from_secs(5);

/// How often the cursor is stored while receivers are quick. After a crash, no more than this is sent again.
const STORE_EVERY: Duration = Duration::from_millis(100);

/// The longest pause between two attempts.
const BACK_OFF_SECONDS_MAX: u64 = 3_600;

/// All webhooks of a server.
pub(crate) struct Webhooks {
    all: Vec<Webhook>,
    holder: LeaseHolder,
    /// Days for which events are stored; 0 for always.
    keep_days: u64,
    clock: Clock,
    entropy: Entropy,
}

/// One of them.
struct Webhook {
    settings: config::Webhook,
    fetcher: Fetcher,
    lookups: Arc<Semaphore>,
    metrics: WebhookMetrics,
}

/// Why an event was not delivered. `Display` holds nothing of the secret, the URL, or the answer.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl Webhooks {
    pub(crate) fn new(
        settings: &[config::Webhook],
        keep_days: u64,
        internet: &Internet,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let webhook = |settings: &config::Webhook| Webhook {
            fetcher: Fetcher::new(
                internet.clone(),
                if settings.allow_private_networks { Reach::Private } else { Reach::Public },
                ANSWER_BYTES_MAX,
                ACCEPT_WITHIN,
            ),
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
            metrics: WebhookMetrics::default(),
            settings: settings.clone(),
        };
        let all = settings.iter().map(webhook).collect();
        Self {
            all,
            holder: LeaseHolder::generate(clock.now(), &entropy),
            keep_days,
            clock,
            entropy,
        }
    }

    /// What is counted, by the name of the webhook.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = (&str, &WebhookMetrics)> {
        self.all.iter().map(|webhook| (webhook.settings.name.as_str(), &webhook.metrics))
    }

    /// Gives each new webhook its cursor, and drops those of webhooks that are gone.
    pub(crate) async fn begin(&self, store: &Store) -> Result<(), StoreError> {
        let mut names: Vec<String> =
            self.all.iter().map(|webhook| webhook.settings.name.clone()).collect();
        names.sort_unstable();
        let cursors = store.webhook_cursors().await?;
        if cursors.iter().map(|cursor| &cursor.webhook).eq(&names) {
            return Ok(());
        }
        store.begin_webhooks(names).await
    }

    /// Sends for as long as it is polled. No webhook waits for another.
    pub(crate) async fn run(&self, store: &Store) {
        let sending = |webhook| Box::pin(Sending::new(self, webhook, store).run());
        let mut all: Vec<_> = self.all.iter().map(sending).collect();
        poll_fn(|context: &mut Context<'_>| {
            for one in &mut all {
                let Poll::Pending = Pin::new(one).poll(context);
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Lets another node send at once.
    pub(crate) async fn release(&self, store: &Store) -> Result<(), StoreError> {
        for webhook in &self.all {
            store.release_lease(&webhook.lease(), self.holder).await?;
        }
        Ok(())
    }
}

impl Webhook {
    fn lease(&self) -> String {
        format!("webhook {}", self.settings.name)
    }

    fn admits(&self, event: &EventRecord) -> bool {
        let actions = &self.settings.actions;
        actions.is_empty() || actions.iter().any(|pattern| pattern.admits(event.action))
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.metrics()).finish()
    }
}

/// What comes after a turn.
enum Next {
    Now,
    Later,
    /// Another node sends.
    StandBy,
}

/// The work on one webhook.
struct Sending<'a> {
    all: &'a Webhooks,
    webhook: &'a Webhook,
    store: &'a Store,
    /// When the lease was last prolonged.
    held: Option<Instant>,
    /// Not before then, after a failure.
    retry_at: Option<Timestamp>,
    /// When the first event happened that is not delivered.
    oldest: Option<Timestamp>,
}

/// A receiver whose addresses are checked, and the keys that sign for it.
struct Receiver<'a> {
    connected: Connected<'a>,
    keys: Keys,
}

impl<'a> Sending<'a> {
    fn new(all: &'a Webhooks, webhook: &'a Webhook, store: &'a Store) -> Self {
        Self { all, webhook, store, held: None, retry_at: None, oldest: None }
    }

    fn name(&self) -> &'a str {
        &self.webhook.settings.name
    }

    async fn run(mut self) -> std::convert::Infallible {
        loop {
            let next = self.turn().await;
            self.note_lag();
            match next {
                Ok(Next::Now) => {}
                Ok(Next::Later) => sleep(LOOK_EVERY).await,
                Ok(Next::StandBy) => sleep(STAND_BY).await,
                Err(error) => {
                    let (webhook, error) = (self.name(), chain(&error));
                    tracing::warn!(webhook, error, "a webhook cannot read or note its events now");
                    sleep(STAND_BY).await;
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Next, StoreError> {
        if !self.holds_lease().await? {
            (self.oldest, self.retry_at) = (None, None);
            return Ok(Next::StandBy);
        }
        if self.retry_at.is_some_and(|at| self.all.clock.now() < at) {
            return Ok(Next::Later);
        }
        let cursors = self.store.webhook_cursors().await?;
        let Some(cursor) = cursors.into_iter().find(|cursor| cursor.webhook == self.name()) else {
            self.all.begin(self.store).await?;
            return Ok(Next::Later);
        };
        let page = self.store.trail_behind(&cursor.position, PAGE).await?;
        self.oldest = page.first().map(|entry| entry.event.at);
        if page.is_empty() {
            return Ok(Next::Later);
        }
        self.send(cursor, page).await
    }

    /// Whether this node sends. Asks the store only if the answer may be another.
    async fn holds_lease(&mut self) -> Result<bool, StoreError> {
        if self.held.is_some_and(|at| at.elapsed() < PROLONG_EVERY) {
            return Ok(true);
        }
        // Counted from before the question: the lease begins no earlier.
        let asked = Instant::now();
        self.held = None;
        let is_held = self.store.hold_lease(&self.webhook.lease(), self.all.holder).await?;
        self.held = is_held.then_some(asked);
        Ok(is_held)
    }

    /// Delivers a page, one entry after the other.
    async fn send(
        &mut self,
        cursor: WebhookCursor,
        page: Vec<TrailEntry>,
    ) -> Result<Next, StoreError> {
        let (mut stored, mut stored_at) = (cursor.position, Instant::now());
        let mut delivered = cursor.position;
        let mut receiver = None;
        for TrailEntry { event, position } in page {
            if self.webhook.admits(&event) {
                if !self.holds_lease().await? {
                    return Ok(Next::StandBy);
                }
                self.oldest = Some(event.at);
                if let Err(error) = self.deliver(&mut receiver, &event).await {
                    self.advance(&mut stored, delivered).await?;
                    let before = if delivered == cursor.position { cursor.failures } else { 0 };
                    self.note_failure(before + 1, &error).await?;
                    self.warn_of_deleted_events(cursor.failing_since);
                    return Ok(Next::Later);
                }
                self.note_success(&cursor, delivered);
            }
            delivered = position;
            if stored_at.elapsed() >= STORE_EVERY {
                if !self.advance(&mut stored, delivered).await? {
                    return Ok(Next::Now);
                }
                stored_at = Instant::now();
            }
        }
        self.advance(&mut stored, delivered).await?;
        self.oldest = None;
        Ok(Next::Now)
    }

    /// Stores how far everything is delivered; `false` if the cursor has been moved in between.
    async fn advance(
        &self,
        stored: &mut TrailPosition,
        delivered: TrailPosition,
    ) -> Result<bool, StoreError> {
        if *stored == delivered {
            return Ok(true);
        }
        let is_moved = self.store.advance_webhook(self.name(), *stored, delivered).await?;
        *stored = delivered;
        Ok(is_moved)
    }

    async fn deliver(
        &self,
        receiver: &mut Option<Receiver<'a>>,
        event: &EventRecord,
    ) -> Result<(), DeliveryError> {
        let Receiver { connected, keys } = match receiver {
            Some(receiver) => receiver,
            None => receiver.insert(self.receiver().await?),
        };
        let body = serde_json::to_vec(&event_json(event))
            .map_err(|error| FetchError::Setup(error.into()))?;
        let (id, timestamp) = (event.event_id.to_string(), self.all.clock.now().as_seconds());
        let signature = keys.signature(&id, timestamp, &body);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ] {
            let value = HeaderValue::try_from(value);
            headers.insert(name, value.map_err(|error| FetchError::Setup(error.into()))?);
        }
        connected.post(headers, Bytes::from(body)).await?;
        Ok(())
    }

    /// Reads the secret and looks the receiver up: once a page, so that a change of either is noticed.
    async fn receiver(&self) -> Result<Receiver<'a>, DeliveryError> {
        let settings = &self.webhook.settings;
        let file = settings.secret_file.clone();
        let keys = task::spawn_blocking(move || Keys::read(&file)).await;
        let keys = keys.map_err(|error| FetchError::Setup(error.into()))??;
        let lookups = Arc::clone(&self.webhook.lookups).acquire_owned().await;
        let place = Arc::new(lookups.map_err(|error| FetchError::Setup(error.into()))?);
        let connected = self.webhook.fetcher.connected(&settings.url, place).await?;
        Ok(Receiver { connected, keys })
    }

    fn note_success(&mut self, cursor: &WebhookCursor, before: TrailPosition) {
        self.webhook.metrics.delivered.add_one();
        self.webhook.metrics.failing.set(0);
        self.retry_at = None;
        if cursor.failures > 0 && before == cursor.position {
            let (webhook, failures) = (self.name(), cursor.failures);
            tracing::info!(webhook, failures, "a webhook delivers again");
        }
    }

    async fn note_failure(
        &mut self,
        failures: u64,
        error: &DeliveryError,
    ) -> Result<(), StoreError> {
        let (now, pause) = (self.all.clock.now(), back_off(failures, &self.all.entropy));
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.retry_at = Some(Timestamp::from_millis(now.as_millis().saturating_add(millis)));
        self.webhook.metrics.failed.add_one();
        self.webhook.metrics.failing.set(failures);
        let (webhook, error, retry_in_seconds) = (self.name(), chain(error), pause.as_secs());
        tracing::warn!(webhook, failures, retry_in_seconds, error, "a webhook did not deliver");
        self.store.note_webhook_failure(webhook, now, error).await
    }

    /// Says that a receiver failed for so long that the oldest of its events are gone.
    fn warn_of_deleted_events(&self, failing_since: Option<Timestamp>) {
        let (keep_days, now) = (self.all.keep_days, self.all.clock.now());
        if deletes_events(failing_since, keep_days, now) {
            let webhook = self.name();
            tracing::error!(
                webhook,
                keep_days,
                "old events are deleted before a webhook sends them"
            );
        }
    }

    fn note_lag(&self) {
        let now = self.all.clock.now().as_seconds();
        let lag = self.oldest.map_or(0, |oldest| now.saturating_sub(oldest.as_seconds()));
        self.webhook.metrics.lag.set(lag);
    }
}

/// Whether events of a webhook that fails are as old as they may get.
pub(crate) fn deletes_events(
    failing_since: Option<Timestamp>,
    keep_days: u64,
    now: Timestamp,
) -> bool {
    keep_days > 0 && failing_since.is_some_and(|since| since.after_days(keep_days) <= now)
}

/// How long to wait after so many failures: a second, doubled each time, up to an hour. Between half of it and all, so
/// that receivers of many servers are not asked at once.
fn back_off(failures: u64, entropy: &Entropy) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let seconds = 1_u64.checked_shl(doublings.min(63)).unwrap_or(u64::MAX);
    let half = seconds.min(BACK_OFF_SECONDS_MAX) * 500;
    Duration::from_millis(half + u64::from_be_bytes(entropy.bytes()) % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_differ() {
        let entropy = Entropy::seeded(1);
        for (failures, most) in
            [(1, 1), (2, 2), (5, 16), (12, 2_048), (13, 3_600), (u64::MAX, 3_600)]
        {
            let pauses = [(); 20].map(|()| back_off(failures, &entropy).as_millis());
            let bounds = most * 500..=most * 1_000;
            assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
