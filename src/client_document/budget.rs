//! How many documents are fetched at once: a number of places, of which the hosts of one domain take at most a
//! quarter, and so does one caller. A slow server, or a caller that names slow servers, leaves room for others.
//!
//! The domain is counted because its owner has as many hosts as they like.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::http::{caller::Caller, client_address::Source};

/// One domain, or one caller, takes at most one place in this many.
const SHARES: usize = 4;

/// Places for fetches.
#[derive(Debug)]
pub(super) struct Budget {
    places_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<Share, usize>,
}

/// What has a share of the places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Share {
    Domain(String),
    Caller(Caller),
}

impl Budget {
    pub(super) fn new(places_max: usize) -> Arc<Self> {
        Arc::new(Self { places_max, taken: Mutex::default() })
    }

    /// A place until the returned value is dropped; `None` when there is none. Without a `caller`, the server itself
    /// asks.
    pub(super) fn take(self: &Arc<Self>, host: &str, caller: Option<Caller>) -> Option<Place> {
        let mut shares = vec![Share::Domain(domain_of(host).to_owned())];
        shares.extend(caller.map(Share::Caller));
        let mut taken = self.lock();
        let share_max = self.places_max.div_ceil(SHARES);
        let is_full = |share: &Share| taken.by.get(share).is_some_and(|count| *count >= share_max);
        if taken.all >= self.places_max || shares.iter().any(is_full) {
            return None;
        }
        taken.all += 1;
        for share in &shares {
            *taken.by.entry(share.clone()).or_default() += 1;
        }
        Some(Place { budget: Arc::clone(self), shares })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller by its whole network: an IPv4 address, or an IPv6 /48, of which many sources can be chosen.
pub(super) fn with_network(caller: Caller) -> Caller {
    let source = match caller.source {
        Source::V4(_) => caller.source,
        Source::V6(network) => Source::V6(network >> 16 << 16),
    };
    Caller { source, ..caller }
}

/// The last two labels of a host name; an address is a domain of its own. Strangers below a shared domain share a
/// quarter, because each of them could otherwise take all places.
fn domain_of(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_address = host.ends_with(']') || host.ends_with(|last: char| last.is_ascii_digit());
    match host.rmatch_indices('.').nth(1) {
        Some((dot, _)) if !is_address => host.split_at(dot + 1).1,
        _ => host,
    }
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Place {
    budget: Arc<Budget>,
    shares: Vec<Share>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        taken.all -= 1;
        for share in &self.shares {
            if let Some(count) = taken.by.get_mut(share) {
                *count -= 1;
                if *count == 0 {
                    taken.by.remove(share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn the_hosts_of_one_domain_take_a_quarter_together() {
        let budget = Budget::new(8);
        let take = |host: &str| budget.take(host, None);
        let first = (take("a.evil.example"), take("evil.example"));
        assert!(first.0.is_some() && first.1.is_some());
        for host in ["b.evil.example", "c.d.evil.example", "evil.example."] {
            assert!(take(host).is_none(), "{host}");
        }
        for other in ["good.example", "a.b", "192.0.2.1", "203.0.2.1", "[2001:db8::1]", "example"] {
            assert!(take(other).is_some(), "{other}");
        }
        let address = (take("192.0.2.1"), take("192.0.2.1"));
        assert!(address.0.is_some() && address.1.is_some());
        assert!(take("192.0.2.1").is_none() && take("198.51.2.1").is_some());
    }

    #[test]
    fn one_host_takes_a_quarter_and_all_take_all() {
        let budget = Budget::new(8);
        let take = |host: &str| budget.take(host, None);
        let of_a = (take("a"), take("a"));
        assert!(of_a.0.is_some() && of_a.1.is_some() && take("a").is_none());
        let others: Vec<_> =
            ["b", "c", "d"].iter().flat_map(|host| [take(host), take(host)]).collect();
        assert!(others.iter().all(Option::is_some) && take("e").is_none());
        drop((of_a, others));
        assert!(budget.lock().by.is_empty() && take("e").is_some());
        assert!(Budget::new(1).take("a", None).is_some());
    }

    #[test]
    fn one_caller_takes_a_quarter_whatever_it_names() {
        let budget = Budget::new(16);
        let source = |text: &str| {
            let source = Source::of(text.parse::<IpAddr>().unwrap());
            Some(with_network(Caller { source, is_foreign_page: false }))
        };
        let mut places = Vec::new();
        for number in 0..16 {
            let address = format!("2001:db8:0:{number}::1");
            places.extend(budget.take(&format!("{number}.{number}.example"), source(&address)));
        }
        assert_eq!(places.len(), 4, "its addresses are one source");
        let page = source("2001:db8::1").map(|it| Caller { is_foreign_page: true, ..it });
        assert!(budget.take("good.example", page).is_some(), "pages in its browsers are another");
        assert!(budget.take("good.example", source("2001:db8:1::1")).is_some());
        drop(places);
        assert!(budget.take("good.example", source("2001:db8::1")).is_some());
    }
}
