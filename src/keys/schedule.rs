//! When a signing key is made, signs, is published, and is deleted: rules over the stored keys and the time, the same
//! on every node.
//!
//! A new key is published for a while before it signs, so that caches of the published keys have it in time. A
//! replaced key stays published until the last token that it signed has expired.

use crate::{clock::Timestamp, config::TokenConfig, store::KeyRecord};

/// How long a key is published before it signs, in milliseconds: as long as a cache may hold the keys, or a node may
/// go without reading them.
const AHEAD_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// How much longer than its last token a key is published, in milliseconds.
const MARGIN_MILLIS: u64 = 60 * 60 * 1_000;

/// The configured lifetimes, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    key: u64,
    token: u64,
}

impl Lifetimes {
    pub(super) const fn of(settings: &TokenConfig) -> Self {
        Self {
            key: settings.key_lifetime_days * 24 * 60 * 60 * 1_000,
            token: settings.access_token_lifetime_seconds * 1_000,
        }
    }
}

/// The phase of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The key is published; [`signing`] tells whether it signs.
    Published,
    /// Every token that the key signed has expired.
    Gone,
}

/// Whether a new key is due.
pub(super) fn is_due(
    kept: &[KeyRecord],
    algorithm: &str,
    lifetimes: Lifetimes,
    now: Timestamp,
) -> bool {
    let newest = kept.iter().rfind(|key| key.algorithm == algorithm);
    newest
        .is_none_or(|key| signs_from(key.made_at) + lifetimes.key <= AHEAD_MILLIS + now.as_millis())
}

/// The key that signs: the newest that has been published for long enough, preferably of this algorithm. The very
/// first key signs at once, since no cache can hold a set without it.
pub(super) fn signing<'key>(
    mut keys: impl DoubleEndedIterator<Item = (Timestamp, &'key str)> + ExactSizeIterator + Clone,
    algorithm: &str,
    now: Timestamp,
) -> Option<usize> {
    let is_ready = |made_at: Timestamp| signs_from(made_at) <= now.as_millis();
    let ours = keys.clone().rposition(|(made_at, its)| its == algorithm && is_ready(made_at));
    let first = (keys.len() > 0).then_some(0);
    ours.or_else(move || keys.rposition(|(made_at, _)| is_ready(made_at))).or(first)
}

/// The key that will replace the signing key, if it exists already.
pub(super) fn waiting<'kept>(
    kept: &'kept [KeyRecord],
    algorithm: &str,
    now: Timestamp,
) -> Option<&'kept KeyRecord> {
    let made = kept.iter().map(|key| (key.made_at, key.algorithm.as_str()));
    let signs = signing(made, algorithm, now)?;
    let is_waiting =
        |key: &&KeyRecord| key.algorithm == algorithm && signs_from(key.made_at) > now.as_millis();
    kept.iter().skip(signs + 1).find(is_waiting)
}

/// When another key starts to sign, as far as is known: one that waits, or one that will be made.
pub(super) fn next_signs_from(
    kept: &[KeyRecord],
    algorithm: &str,
    lifetimes: Lifetimes,
    now: Timestamp,
) -> Timestamp {
    let newest = kept.iter().rfind(|key| key.algorithm == algorithm);
    let millis = match (waiting(kept, algorithm, now), newest) {
        (Some(key), _) => signs_from(key.made_at),
        (None, Some(key)) => signs_from(key.made_at) + lifetimes.key,
        (None, None) => now.as_millis() + AHEAD_MILLIS,
    };
    Timestamp::from_millis(millis)
}

/// The phase of each key.
pub(super) fn phases(
    kept: &[KeyRecord],
    algorithm: &str,
    lifetimes: Lifetimes,
    now: Timestamp,
) -> Vec<Phase> {
    let made = kept.iter().map(|key| (key.made_at, key.algorithm.as_str()));
    let signs = signing(made, algorithm, now);
    let is_gone = |nth: usize| {
        // The first later key to sign replaced this one.
        let next = kept.iter().skip(nth + 1).map(|key| signs_from(key.made_at)).min();
        next.is_some_and(|since| {
            since + lifetimes.token + MARGIN_MILLIS <= now.as_millis() && signs != Some(nth)
        })
    };
    (0..kept.len()).map(|nth| if is_gone(nth) { Phase::Gone } else { Phase::Published }).collect()
}

const fn signs_from(made_at: Timestamp) -> u64 {
    made_at.as_millis() + AHEAD_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const LIFETIMES: Lifetimes = Lifetimes { key: 90 * DAY, token: 900_000 };

    fn key(algorithm: &str, made_at_day: u64) -> KeyRecord {
        KeyRecord {
            key_id: format!("{algorithm}{made_at_day}"),
            algorithm: algorithm.to_owned(),
            made_at: Timestamp::from_millis(made_at_day * DAY),
            sealed: Vec::new(),
        }
    }

    fn day(day: u64) -> Timestamp {
        Timestamp::from_millis(day * DAY)
    }

    fn signs(kept: &[KeyRecord], now: Timestamp) -> Option<usize> {
        let made = kept.iter().map(|key| (key.made_at, key.algorithm.as_str()));
        signing(made, "ES256", now)
    }

    #[test]
    fn the_first_key_is_made_and_signs_at_once() {
        assert!(is_due(&[], "ES256", LIFETIMES, day(100)));
        let kept = [key("ES256", 100)];
        assert!(!is_due(&kept, "ES256", LIFETIMES, day(100)));
        assert_eq!(signs(&kept, day(100)), Some(0));
    }

    #[test]
    fn the_next_key_is_published_a_day_before_it_signs() {
        let kept = [key("ES256", 100), key("ES256", 190)];
        assert!(!is_due(&kept[..1], "ES256", LIFETIMES, day(189)));
        assert!(is_due(&kept[..1], "ES256", LIFETIMES, day(190)));
        assert_eq!(signs(&kept, day(190)), Some(0));
        assert_eq!(signs(&kept, day(191)), Some(1));
    }

    #[test]
    fn a_key_goes_when_the_last_token_it_signed_has_expired() {
        let kept = [key("ES256", 100), key("ES256", 190)];
        let both = [Phase::Published; 2];
        assert_eq!(phases(&kept, "ES256", LIFETIMES, day(191)), both);
        let expired = Timestamp::from_millis(191 * DAY + 900_000 + MARGIN_MILLIS);
        assert_eq!(phases(&kept, "ES256", LIFETIMES, expired), [Phase::Gone, Phase::Published]);
    }

    #[test]
    fn another_algorithm_has_a_key_of_its_own() {
        let kept = [key("RS256", 100)];
        assert!(is_due(&kept, "ES256", LIFETIMES, day(101)));
        let kept = [key("RS256", 100), key("ES256", 101)];
        assert_eq!(signs(&kept, day(101)), Some(0), "nobody knows the new one yet");
        assert_eq!(signs(&kept, day(102)), Some(1));
        assert_eq!(phases(&kept, "ES256", LIFETIMES, day(102)), [Phase::Published; 2]);
        assert_eq!(phases(&kept, "ES256", LIFETIMES, day(103)), [Phase::Gone, Phase::Published]);
    }
}
