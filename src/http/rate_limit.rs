//! A fixed window aligned to the clock, per source and for the whole server.
//!
//! Memory is bounded: the first `sources_max` sources of a window are counted exactly; later ones share
//! a fixed row of counters, chosen by a keyed hash. So many addresses can neither make the table grow
//! nor push out a counter that is in use. What is answered to a refused caller is the endpoint's.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use super::client_address::Source;
use crate::{clock::Timestamp, config::RateLimitConfig, entropy::Entropy};

/// How many counters newcomers share once the table is full.
const SHARED_COUNTERS: usize = 4096;

/// Counts requests in windows of time.
pub(crate) struct RateLimit {
    /// Requests of one source in a period; `None` for no limit.
    per_source: Option<u32>,
    /// Requests of all sources in a period; `None` for no limit.
    total: Option<u32>,
    period_seconds: u32,
    sources_max: usize,
    key: Key,
    window: Mutex<Window>,
}

/// What was counted since the window began.
struct Window {
    /// Which window: its start divided by the period.
    number: u64,
    total: u32,
    sources: HashMap<Source, u32, Key>,
    shared: Vec<u32>,
}

/// What the limiter says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) admitted: bool,
    /// Requests in a period, of the limit that is nearest to its end.
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) period_seconds: u32,
    /// Whole seconds until the window ends, at least 1.
    pub(crate) reset_seconds: u32,
}

impl RateLimit {
    pub(crate) fn new(settings: &RateLimitConfig, entropy: &Entropy) -> Self {
        let key = Key(u64::from_be_bytes(entropy.bytes()), u64::from_be_bytes(entropy.bytes()));
        let per_source = Some(settings.per_source).filter(|&limit| limit > 0);
        let (sources, shared) = match per_source {
            Some(_) => (settings.sources_max, SHARED_COUNTERS),
            None => (0, 0),
        };
        Self {
            per_source,
            total: Some(settings.total).filter(|&limit| limit > 0),
            period_seconds: settings.period_seconds.max(1),
            sources_max: settings.sources_max,
            key,
            window: Mutex::new(Window {
                number: 0,
                total: 0,
                sources: HashMap::with_capacity_and_hasher(sources, key),
                shared: vec![0; shared],
            }),
        }
    }

    /// Counts one request, refused ones too. `None` when no limit is set.
    ///
    /// What the limit of its source refuses does not count against the limit of all, or one source could
    /// use up what belongs to everybody.
    pub(crate) fn count(&self, source: IpAddr, now: Timestamp) -> Option<Count> {
        if self.per_source.is_none() && self.total.is_none() {
            return None;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.turn_to(now.as_seconds() / u64::from(self.period_seconds));

        let own = self.per_source.map(|limit| {
            let counter = window.counter(Source::of(source), self.sources_max, self.key);
            *counter = counter.saturating_add(1);
            self.judge(*counter, limit, now)
        });
        if let Some(own) = own.filter(|own| !own.admitted) {
            return Some(own);
        }
        let all = self.total.map(|limit| {
            window.total = window.total.saturating_add(1);
            self.judge(window.total, limit, now)
        });
        match (own, all) {
            (Some(own), Some(all)) if all.admitted && own.remaining <= all.remaining => Some(own),
            (own, all) => all.or(own),
        }
    }

    fn judge(&self, counted: u32, limit: u32, now: Timestamp) -> Count {
        let period_millis = u64::from(self.period_seconds) * 1_000;
        let left_millis = period_millis - now.as_millis() % period_millis;
        Count {
            admitted: counted <= limit,
            limit,
            remaining: limit.saturating_sub(counted),
            period_seconds: self.period_seconds,
            reset_seconds: u32::try_from(left_millis.div_ceil(1_000))
                .unwrap_or(self.period_seconds),
        }
    }
}

impl Window {
    /// Forgets what was counted when another window has begun. The memory is kept for the next one.
    ///
    /// A request that read the clock just before the window turned counts in the new one; a clock that
    /// was set back further begins anew, or nobody would be admitted until it has caught up.
    fn turn_to(&mut self, number: u64) {
        if number == self.number || number + 1 == self.number {
            return;
        }
        self.number = number;
        self.total = 0;
        self.sources.clear();
        self.shared.fill(0);
    }

    fn counter(&mut self, source: Source, sources_max: usize, key: Key) -> &mut u32 {
        if self.sources.len() < sources_max || self.sources.contains_key(&source) {
            return self.sources.entry(source).or_insert(0);
        }
        let counters = self.shared.len() as u64;
        let place = usize::try_from(key.hash_one(source) % counters).unwrap_or(0);
        &mut self.shared[place]
    }
}

/// A secret that spreads sources over the table, so that nobody can choose addresses that meet there.
#[derive(Clone, Copy)]
struct Key(u64, u64);

impl BuildHasher for Key {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, key: self.1 | 1 }
    }
}

/// A hash by folded multiplication.
struct Folded {
    state: u64,
    key: u64,
}

impl Hasher for Folded {
    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.key);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
        let folded = (product >> 64) as u64 ^ product as u64;
        self.state = folded.rotate_left(23) ^ self.key;
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.state) * u128::from(self.key);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
        let folded = (product >> 64) as u64 ^ product as u64;
        folded
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// The start of a window of 60 seconds.
    const START: u64 = 1_800_000_000_000;

    fn limit(per_source: u32, total: u32, sources_max: usize) -> RateLimit {
        let settings = RateLimitConfig { per_source, total, period_seconds: 60, sources_max };
        RateLimit::new(&settings, &Entropy::seeded(1))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(START + seconds * 1_000)
    }

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(bits).into()
    }

    fn admitted(limit: &RateLimit, source: IpAddr, now: Timestamp) -> bool {
        limit.count(source, now).is_some_and(|count| count.admitted)
    }

    #[test]
    fn nothing_is_said_when_there_is_no_limit() {
        assert_eq!(limit(0, 0, 10).count(v4(1), at(0)), None);
    }

    #[test]
    fn a_source_is_refused_once_its_requests_of_the_window_are_used_up() {
        let limit = limit(2, 0, 10);
        let of = |admitted, remaining| Count {
            admitted,
            limit: 2,
            remaining,
            period_seconds: 60,
            reset_seconds: 50,
        };

        assert_eq!(limit.count(v4(1), at(10)), Some(of(true, 1)));
        assert_eq!(limit.count(v4(1), at(10)), Some(of(true, 0)));
        assert_eq!(limit.count(v4(1), at(10)), Some(of(false, 0)));
        assert_eq!(limit.count(v4(2), at(10)), Some(of(true, 1)));
    }

    #[test]
    fn windows_begin_when_the_clock_does_and_not_when_the_first_request_comes() {
        let limit = limit(1, 0, 10);

        assert!(admitted(&limit, v4(1), at(59)));
        assert!(!admitted(&limit, v4(1), at(59)));
        assert!(admitted(&limit, v4(1), at(60)));
        assert!(!admitted(&limit, v4(1), at(119)));
        assert!(admitted(&limit, v4(1), at(120)));
    }

    #[test]
    fn the_time_to_the_next_window_is_at_least_one_second_and_at_most_the_period() {
        let limit = limit(1, 0, 10);
        for (millis, reset) in [(0, 60), (1, 60), (1_000, 59), (59_000, 1), (59_999, 1)] {
            let now = Timestamp::from_millis(START + millis);
            assert_eq!(limit.count(v4(1), now).unwrap().reset_seconds, reset, "{millis}");
        }
    }

    #[test]
    fn the_limit_that_is_nearest_to_its_end_is_told() {
        let limit = limit(3, 4, 10);
        let told = |source| {
            let count = limit.count(v4(source), at(0)).unwrap();
            (count.admitted, count.limit, count.remaining)
        };

        assert_eq!(told(1), (true, 3, 2));
        assert_eq!(told(2), (true, 3, 2));
        assert_eq!(told(2), (true, 3, 1));
        assert_eq!(told(2), (true, 3, 0));
        assert_eq!(told(3), (false, 4, 0));
    }

    #[test]
    fn what_one_source_is_refused_is_not_taken_from_all() {
        let limit = limit(1, 2, 10);
        for _ in 0..100 {
            limit.count(v4(1), at(0));
        }
        assert!(admitted(&limit, v4(2), at(0)));
        assert!(!admitted(&limit, v4(3), at(0)));
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_a_mapped_address_is_ipv4() {
        let limit = limit(1, 0, 10);
        let v6 = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().unwrap());

        assert!(admitted(&limit, v6("2001:db8:1:2::1"), at(0)));
        assert!(!admitted(&limit, v6("2001:db8:1:2:ffff:ffff:ffff:ffff"), at(0)));
        assert!(admitted(&limit, v6("2001:db8:1:3::1"), at(0)));
        assert!(admitted(&limit, v6("::ffff:192.0.2.1"), at(0)));
        assert!(!admitted(&limit, v4(0xc000_0201), at(0)));
    }

    #[test]
    fn a_million_sources_take_no_more_memory_than_the_table_has() {
        let limit = limit(1_000_000, 0, 1_000);
        let capacity = limit.window.lock().unwrap().sources.capacity();

        for source in 0..1_000_000 {
            limit.count(v4(source), at(0));
        }

        let window = limit.window.lock().unwrap();
        assert_eq!(window.sources.len(), 1_000);
        assert_eq!(window.sources.capacity(), capacity);
        assert_eq!(window.shared.len(), SHARED_COUNTERS);
        // Newcomers are spread evenly: 999 000 over 4 096 counters is 244 each.
        assert!(window.shared.iter().all(|&counted| (150..350).contains(&counted)));
    }

    #[test]
    fn a_flood_of_sources_does_not_push_out_a_counter_that_is_in_use() {
        let limit = limit(2, 0, 1_000);
        assert!(admitted(&limit, v4(7), at(0)));
        assert!(admitted(&limit, v4(7), at(0)));
        for source in 1_000..100_000 {
            limit.count(v4(source), at(1));
        }
        assert!(!admitted(&limit, v4(7), at(2)));
        assert!(admitted(&limit, v4(7), at(60)));
    }

    #[test]
    fn a_late_request_of_the_last_window_counts_in_the_present_one() {
        let limit = limit(1, 0, 10);
        assert!(admitted(&limit, v4(1), at(60)));
        assert!(!admitted(&limit, v4(1), at(59)));
        assert!(!admitted(&limit, v4(1), at(60)));
    }

    #[test]
    fn a_clock_that_was_set_back_far_begins_anew() {
        let limit = limit(1, 0, 10);
        assert!(admitted(&limit, v4(1), at(3_600)));
        assert!(admitted(&limit, v4(1), at(0)));
        assert!(!admitted(&limit, v4(1), at(0)));
    }
}
