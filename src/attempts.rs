//! Refused requests of this node that are not stored yet: counted in memory of a fixed size, and stored in batches.
//!
//! A stranger can think of any number of destinations. Those of one network share a few places, and what finds no place is
//! counted without its destination, and at last without its network: no count is lost, and no other network's.

use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use crate::{
    attempt::{Attempt, AttemptReason, network},
    clock::Timestamp,
    metrics::{By, Counter},
    store::{AttemptRecord, Store, StoreError},
};

/// How many counts can wait for a batch, beside one of each reason: together less than 2 MiB.
const PLACES: usize = 2_048;
/// How many of them one network can have.
const PLACES_OF_NETWORK: usize = 64;
/// How many counts one change stores.
const BATCH: usize = 500;

/// What is counted and not stored yet.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    pending: Mutex<Pending>,
    /// All attempts at this node.
    pub(crate) metrics: By<AttemptReason, Counter>,
}

#[derive(Debug, Default)]
struct Pending {
    counts: HashMap<Key, Count>,
    /// How many places each network has.
    places: HashMap<IpNet, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    reason: AttemptReason,
    /// Empty where it is not known.
    target: Box<str>,
    /// `None` where addresses are not kept.
    network: Option<IpNet>,
}

#[derive(Debug)]
struct Count {
    attempts: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    request_id: String,
}

impl Attempts {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt from `source`, if addresses are kept.
    pub(crate) fn note(
        &self,
        attempt: Attempt,
        source: Option<IpAddr>,
        request_id: &str,
        now: Timestamp,
    ) {
        self.metrics[attempt.reason].add_one();
        let key = Key {
            reason: attempt.reason,
            target: attempt.target.unwrap_or_default(),
            network: source.and_then(network),
        };
        let mut pending = self.pending();
        let count = pending.count(key, now);
        count.attempts += 1;
        count.last_at = now.max(count.last_at);
        count.request_id.clear();
        count.request_id.push_str(request_id);
    }

    /// Stores what is counted, and deletes what was last counted before `keep_from`. What could not be stored waits; a
    /// caller that stops waiting may lose a batch.
    pub(crate) async fn store(
        &self,
        store: &Store,
        keep_from: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut records = self.take();
        if records.is_empty() && keep_from.is_none() {
            return Ok(());
        }
        // In one order, in which two nodes do not wait for each other.
        records.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
        let mut waiting = records.chunks(BATCH);
        while let Some(batch) = waiting.next() {
            if let Err(error) = store.note_attempts(batch.to_vec()).await {
                self.put_back(batch.iter().chain(waiting.flatten()));
                return Err(error);
            }
        }
        store.trim_attempts(keep_from).await
    }

    fn take(&self) -> Vec<AttemptRecord> {
        let taken = mem::take(&mut *self.pending());
        let record = |(key, count): (Key, Count)| AttemptRecord {
            reason: key.reason.as_str().to_owned(),
            target: key.target.into(),
            network: key.network.map(|network| network.to_string()).unwrap_or_default(),
            attempts: count.attempts,
            first_at: count.first_at,
            last_at: count.last_at,
            request_id: count.request_id,
        };
        taken.counts.into_iter().map(record).collect()
    }

    fn put_back<'a>(&self, records: impl Iterator<Item = &'a AttemptRecord>) {
        let mut pending = self.pending();
        for record in records {
            let Ok(reason) = record.reason.parse() else { continue };
            let target = record.target.as_str().into();
            let key = Key { reason, target, network: record.network.parse().ok() };
            let count = pending.count(key, record.first_at);
            count.attempts += record.attempts;
            count.first_at = record.first_at.min(count.first_at);
            count.last_at = record.last_at.max(count.last_at);
            if count.request_id.is_empty() {
                count.request_id.clone_from(&record.request_id);
            }
        }
    }
}

impl Pending {
    /// The count of a key, or of the next wider one that has a place.
    fn count(&mut self, key: Key, now: Timestamp) -> &mut Count {
        let key = self.with_place(key);
        self.counts.entry(key).or_insert_with(|| Count {
            attempts: 0,
            first_at: now,
            last_at: now,
            request_id: String::new(),
        })
    }

    fn with_place(&mut self, key: Key) -> Key {
        if self.counts.contains_key(&key) || self.takes_place(&key, PLACES_OF_NETWORK) {
            return key;
        }
        let Key { reason, network, .. } = key;
        let of_network = Key { reason, target: Box::default(), network };
        // Each reason of a network may have one place more.
        let places = PLACES_OF_NETWORK + AttemptReason::ALL.len();
        if self.counts.contains_key(&of_network) || self.takes_place(&of_network, places) {
            return of_network;
        }
        Key { network: None, ..of_network }
    }

    fn takes_place(&mut self, key: &Key, places_of_network: usize) -> bool {
        if self.counts.len() >= PLACES {
            return false;
        }
        let Some(network) = key.network else { return true };
        let taken = self.places.entry(network).or_default();
        let has_place = *taken < places_of_network;
        *taken += usize::from(has_place);
        has_place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn attempt(reason: AttemptReason, target: &str) -> Attempt {
        Attempt { reason, target: Some(target.into()) }
    }

    fn source(network: u32) -> IpAddr {
        let [_, a, b, c] = network.to_be_bytes();
        IpAddr::from([a, b, c, 7])
    }

    fn sum(records: &[AttemptRecord]) -> u64 {
        records.iter().map(|record| record.attempts).sum()
    }

    #[test]
    fn attempts_of_one_kind_are_one_row_with_the_last_request() {
        let attempts = Attempts::default();
        let one = || attempt(AttemptReason::TokenVerifier, "app@app.example");
        attempts.note(one(), Some(source(1)), "first", NOW);
        attempts.note(one(), Some(source(1)), "last", NOW.after_seconds(9));
        attempts.note(one(), None, "x", NOW);

        let mut records = attempts.take();
        records.sort_by_key(|record| record.attempts);

        assert_eq!(records.len(), 2);
        assert_eq!(
            records[1],
            AttemptRecord {
                reason: "token.verifier".to_owned(),
                target: "app@app.example".to_owned(),
                network: "0.0.1.0/24".to_owned(),
                attempts: 2,
                first_at: NOW,
                last_at: NOW.after_seconds(9),
                request_id: "last".to_owned(),
            }
        );
        assert_eq!(records[0].network, "");
        assert!(attempts.take().is_empty());
    }

    #[test]
    fn a_network_takes_no_more_than_its_places_and_no_count_is_lost() {
        let attempts = Attempts::default();
        let reason = AttemptReason::RegistrationRedirectUri;
        for nth in 0..10_000 {
            attempts.note(attempt(reason, &format!("{nth}.example")), Some(source(1)), "x", NOW);
        }
        attempts.note(attempt(reason, "app.example"), Some(source(2)), "x", NOW);

        let records = attempts.take();

        assert_eq!((records.len(), sum(&records)), (PLACES_OF_NETWORK + 2, 10_001));
        let others = records.iter().filter(|record| record.target.is_empty());
        assert_eq!(others.map(|record| record.attempts).collect::<Vec<_>>(), [10_000 - 64]);
        assert!(records.iter().any(|record| record.target == "app.example"));
    }

    #[test]
    fn any_number_of_networks_fits_into_a_fixed_memory() {
        let attempts = Attempts::default();
        for nth in 0..20_000 {
            for reason in [AttemptReason::TokenRequest, AttemptReason::AuthorizationPkce] {
                attempts.note(attempt(reason, &format!("{nth}")), Some(source(nth)), "x", NOW);
            }
        }
        let pending = attempts.pending();
        assert!(pending.counts.len() <= PLACES + AttemptReason::ALL.len());
        assert!(pending.places.len() <= PLACES + 1);
        drop(pending);
        assert_eq!(sum(&attempts.take()), 40_000);
    }
}
