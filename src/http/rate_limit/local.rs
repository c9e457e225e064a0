//! Windows that this process counts alone.
//!
//! Memory is bounded: the first `sources_max` sources of a window have exact counters; later ones share a fixed row
//! of counters, chosen by a keyed hash. So a flood of addresses can neither grow the table nor evict a counter in
//! use.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Cost, Counted, Limits};
use crate::{clock::Timestamp, entropy::Entropy, http::caller::Caller};

/// How many counters the later sources share once the table is full.
const SHARED_COUNTERS: usize = 4096;

/// Counts requests in windows of time.
pub(super) struct Local<S = Caller> {
    limits: Limits,
    sources_max: usize,
    key: Key,
    window: Mutex<Window<S>>,
}

/// The counters of one window.
struct Window<S> {
    /// The number of the window: its start divided by the period.
    number: u64,
    total: Cost,
    sources: HashMap<S, Cost, Key>,
    shared: Vec<Cost>,
}

impl<S: Eq + Hash> Local<S> {
    pub(super) fn new(limits: Limits, sources_max: usize, entropy: &Entropy) -> Self {
        let key = Key(u64::from_be_bytes(entropy.bytes()), u64::from_be_bytes(entropy.bytes()));
        let (sources, shared) =
            if limits.counts_sources() { (sources_max, SHARED_COUNTERS) } else { (0, 0) };
        Self {
            limits,
            sources_max,
            key,
            window: Mutex::new(Window {
                number: 0,
                total: Cost::default(),
                sources: HashMap::with_capacity_and_hasher(sources, key),
                shared: vec![Cost::default(); shared],
            }),
        }
    }

    /// Charges one request to each counter in turn. A counter holds only admitted requests; a rejection ends the
    /// charge, because the later counters are shared with other sources.
    pub(super) fn charge(&self, source: S, cost: Cost, now: Timestamp) -> Counted {
        let limits = self.limits;
        let mut charge = Charge { is_refused: false };
        let mut window = self.window(now);
        let (mut own, mut own_bytes) = (None, None);
        if limits.counts_sources() {
            let spent = window.counter(source, self.sources_max, self.key);
            own = charge.take(&mut spent.requests, cost.requests, limits.per_source);
            own_bytes = charge.take(&mut spent.bytes, cost.bytes, limits.bytes_per_source);
        }
        let [total, bytes_total] = limits.of_all(own.unwrap_or_default());
        let all = charge.take(&mut window.total.requests, cost.requests, total);
        let all_bytes = charge.take(&mut window.total.bytes, cost.bytes, bytes_total);
        Counted { own, own_bytes, all, all_bytes, now }
    }

    /// The requests of a source, or of the sources that share its counter; `None` without a limit.
    pub(super) fn counted(&self, source: &S, now: Timestamp) -> Option<u32> {
        self.limits.per_source?;
        let window = self.window(now);
        Some(match window.sources.get(source) {
            Some(counted) => counted.requests,
            None if window.sources.len() < self.sources_max => 0,
            None => window.shared[window.place(source, self.key)].requests,
        })
    }

    /// Raises the count of a source to `own`, which other nodes counted, unless it is higher already.
    pub(super) fn raise(&self, source: S, own: u32, now: Timestamp) {
        let mut window = self.window(now);
        let counter = window.counter(source, self.sources_max, self.key);
        counter.requests = own.max(counter.requests);
    }

    /// The current window, locked.
    fn window(&self, now: Timestamp) -> MutexGuard<'_, Window<S>> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.turn_to(now.as_seconds() / u64::from(self.limits.period_seconds));
        window
    }
}

/// One charge as it passes through the counters.
struct Charge {
    is_refused: bool,
}

impl Charge {
    /// The value of a counter with `cost` added; `None` without a limit, or after a rejection.
    fn take(&mut self, spent: &mut u32, cost: u32, limit: Option<u32>) -> Option<u32> {
        let limit = limit.filter(|_| !self.is_refused)?;
        let with_it = spent.saturating_add(cost);
        self.is_refused = with_it > limit;
        if !self.is_refused {
            *spent = with_it;
        }
        Some(with_it)
    }
}

impl<S: Eq + Hash> Window<S> {
    /// Resets the counters if another window has begun. Their memory is reused.
    ///
    /// A request that read the clock just before the window changed counts in the new one. If the clock was set back
    /// further, counting starts over: otherwise no request would be admitted until the clock catches up.
    fn turn_to(&mut self, number: u64) {
        if number == self.number || number + 1 == self.number {
            return;
        }
        self.number = number;
        self.total = Cost::default();
        self.sources.clear();
        self.shared.fill(Cost::default());
    }

    fn counter(&mut self, source: S, sources_max: usize, key: Key) -> &mut Cost {
        if self.sources.len() < sources_max || self.sources.contains_key(&source) {
            return self.sources.entry(source).or_default();
        }
        let place = self.place(&source, key);
        &mut self.shared[place]
    }

    /// The index of the shared counter of a source.
    fn place(&self, source: &S, key: Key) -> usize {
        let counters = self.shared.len() as u64;
        usize::try_from(key.hash_one(source) % counters).unwrap_or(0)
    }
}

/// A secret that spreads sources over the table, so that an attacker cannot choose addresses that share a counter.
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
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::http::{
        client_address::Source,
        rate_limit::{Count, Limit, MODEST_REQUESTS, Verdict},
    };

    /// The start of a window of 60 seconds.
    const START: u64 = 1_800_000_000_000;

    fn limit(per_source: u32, total: u32, sources_max: usize) -> Local {
        let limit = |limit| Some(limit).filter(|&limit| limit > 0);
        let limits =
            Limits { per_source: limit(per_source), total: limit(total), ..Limits::none(60) };
        Local::new(limits, sources_max, &Entropy::seeded(1))
    }

    fn charge(limit: &Local, source: IpAddr, cost: Cost, now: Timestamp) -> Option<Count> {
        let caller = Caller { source: Source::of(source), is_foreign_page: false };
        limit.limits.judge(limit.charge(caller, cost, now))
    }

    fn count(limit: &Local, source: IpAddr, now: Timestamp) -> Option<Count> {
        charge(limit, source, Cost::REQUEST, now)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(START + seconds * 1_000)
    }

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(bits).into()
    }

    fn admitted(limit: &Local, source: IpAddr, now: Timestamp) -> bool {
        count(limit, source, now).is_some_and(|count| count.verdict == Verdict::Admitted)
    }

    #[test]
    fn nothing_is_said_when_there_is_no_limit() {
        assert_eq!(count(&limit(0, 0, 10), v4(1), at(0)), None);
    }

    #[test]
    fn a_source_is_refused_once_its_requests_of_the_window_are_used_up() {
        let limit = limit(2, 0, 10);
        let of = |verdict, remaining| Count {
            verdict,
            limit: 2,
            remaining,
            period_seconds: 60,
            reset_seconds: 50,
        };

        assert_eq!(count(&limit, v4(1), at(10)), Some(of(Verdict::Admitted, 1)));
        assert_eq!(count(&limit, v4(1), at(10)), Some(of(Verdict::Admitted, 0)));
        assert_eq!(count(&limit, v4(1), at(10)), Some(of(Verdict::Refused(Limit::PerSource), 0)));
        assert_eq!(count(&limit, v4(2), at(10)), Some(of(Verdict::Admitted, 1)));
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
            assert_eq!(count(&limit, v4(1), now).unwrap().reset_seconds, reset, "{millis}");
        }
    }

    #[test]
    fn the_limit_that_is_nearest_to_its_end_is_told() {
        let limit = limit(3, 4, 10);
        let told = |source| {
            let count = count(&limit, v4(source), at(0)).unwrap();
            (count.verdict, count.limit, count.remaining)
        };

        assert_eq!(told(1), (Verdict::Admitted, 3, 2));
        assert_eq!(told(2), (Verdict::Admitted, 3, 2));
        assert_eq!(told(2), (Verdict::Admitted, 3, 1));
        assert_eq!(told(2), (Verdict::Admitted, 3, 0));
        assert_eq!(told(3), (Verdict::Refused(Limit::Total), 4, 0));
    }

    #[test]
    fn what_one_source_is_refused_is_not_taken_from_all() {
        let limit = limit(1, 2, 10);
        for _ in 0..100 {
            count(&limit, v4(1), at(0));
        }
        assert!(admitted(&limit, v4(2), at(0)));
        assert!(!admitted(&limit, v4(3), at(0)));
    }

    #[test]
    fn busy_sources_leave_a_quarter_of_the_total_to_others() {
        let limit = limit(60, 4_000, 10_000);
        for source in 0..100 {
            for _ in 0..60 {
                count(&limit, v4(source), at(0));
            }
        }
        // Fifty of them used up three quarters; the other fifty had their first requests.
        let first = 50 * MODEST_REQUESTS;
        let others = (1_000..3_000).filter(|source| admitted(&limit, v4(*source), at(0))).count();
        assert_eq!(others, 1_000 - first as usize);
    }

    #[test]
    fn bytes_have_limits_of_their_own_that_a_refused_request_does_not_use_up() {
        let limits =
            Limits { bytes_per_source: Some(100), bytes_total: Some(250), ..Limits::none(60) };
        let limit = Local::new(limits, 10, &Entropy::seeded(1));
        let verdict = |source, bytes, seconds| {
            let cost = Cost { requests: 1, bytes };
            charge(&limit, v4(source), cost, at(seconds)).map(|count| count.verdict)
        };
        let refused = |limit| Some(Verdict::Refused(limit));

        assert_eq!(verdict(1, 60, 0), None);
        assert_eq!(verdict(1, 41, 0), refused(Limit::BytesPerSource));
        assert_eq!(verdict(1, 40, 0), None, "what was refused was not charged");
        assert_eq!(verdict(1, 1, 0), refused(Limit::BytesPerSource));
        assert_eq!(verdict(2, 100, 0), None);
        assert_eq!(verdict(3, 51, 0), refused(Limit::BytesTotal));
        assert_eq!(verdict(4, 50, 0), None);
        assert_eq!(verdict(1, 100, 60), None, "a new window");
    }

    #[test]
    fn a_page_of_another_site_uses_up_nothing_of_its_source() {
        let limit = limit(1, 0, 10);
        let source = Source::of(v4(1));
        for (is_foreign_page, counted) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
            let caller = Caller { source, is_foreign_page };
            assert_eq!(limit.charge(caller, Cost::REQUEST, at(0)).own, Some(counted));
        }
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
            count(&limit, v4(source), at(0));
        }

        let window = limit.window.lock().unwrap();
        assert_eq!(window.sources.len(), 1_000);
        assert_eq!(window.sources.capacity(), capacity);
        assert_eq!(window.shared.len(), SHARED_COUNTERS);
        // Newcomers are spread evenly: 999 000 over 4 096 counters is 244 each.
        assert!(window.shared.iter().all(|counted| (150..350).contains(&counted.requests)));
    }

    #[test]
    fn a_flood_of_sources_does_not_push_out_a_counter_that_is_in_use() {
        let limit = limit(2, 0, 1_000);
        assert!(admitted(&limit, v4(7), at(0)));
        assert!(admitted(&limit, v4(7), at(0)));
        for source in 1_000..100_000 {
            count(&limit, v4(source), at(1));
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
