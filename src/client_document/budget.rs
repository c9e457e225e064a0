//! How many documents are fetched at once: as many as there may be, and from the hosts of one domain a quarter of
//! them, so that one who does not answer leaves room for others. Whoever has a domain has as many hosts as they like.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The part of all places that the hosts of one domain may take.
const DOMAINS_AT_ONCE: usize = 4;

/// Places for fetches.
#[derive(Debug)]
pub(super) struct Budget {
    fetches_max: usize,
    by_domain: Mutex<HashMap<String, usize>>,
}

impl Budget {
    pub(super) fn new(fetches_max: usize) -> Self {
        Self { fetches_max, by_domain: Mutex::default() }
    }

    /// A place until what is returned is dropped; `None` when there is none.
    pub(super) fn take<'a>(&'a self, host: &'a str) -> Option<Place<'a>> {
        let domain = domain_of(host);
        let mut by_domain = self.lock();
        let taken: usize = by_domain.values().sum();
        let of_domain = by_domain.get(domain).copied().unwrap_or(0);
        if taken >= self.fetches_max || of_domain >= self.fetches_max.div_ceil(DOMAINS_AT_ONCE) {
            return None;
        }
        by_domain.insert(domain.to_owned(), of_domain + 1);
        Some(Place { budget: self, domain })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.by_domain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last two labels of the name of a host; an address is one of its own. Where strangers share such a domain they
/// share a quarter, too, rather than that each of them could take all there is.
fn domain_of(host: &str) -> &str {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_address = host.ends_with(']') || host.ends_with(|last: char| last.is_ascii_digit());
    match host.rmatch_indices('.').nth(1) {
        Some((dot, _)) if !is_address => host.split_at(dot + 1).1,
        _ => host,
    }
}

/// A place that is taken.
pub(super) struct Place<'a> {
    budget: &'a Budget,
    domain: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut by_domain = self.budget.lock();
        if let Some(taken) = by_domain.get_mut(self.domain) {
            *taken -= 1;
            if *taken == 0 {
                by_domain.remove(self.domain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_of_one_domain_take_a_quarter_together() {
        let budget = Budget::new(8);
        let first = (budget.take("a.evil.example"), budget.take("evil.example"));
        assert!(first.0.is_some() && first.1.is_some());
        for host in ["b.evil.example", "c.d.evil.example", "evil.example."] {
            assert!(budget.take(host).is_none(), "{host}");
        }
        for other in ["good.example", "a.b", "192.0.2.1", "203.0.2.1", "[2001:db8::1]", "example"] {
            assert!(budget.take(other).is_some(), "{other}");
        }
        let address = (budget.take("192.0.2.1"), budget.take("192.0.2.1"));
        assert!(address.0.is_some() && address.1.is_some());
        assert!(budget.take("192.0.2.1").is_none() && budget.take("198.51.2.1").is_some());
    }

    #[test]
    fn one_host_takes_a_quarter_and_all_take_all() {
        let budget = Budget::new(8);
        let of_a = (budget.take("a"), budget.take("a"));
        assert!(of_a.0.is_some() && of_a.1.is_some() && budget.take("a").is_none());
        let others: Vec<_> = ["b", "c", "d"]
            .iter()
            .flat_map(|host| [budget.take(host), budget.take(host)])
            .collect();
        assert!(others.iter().all(Option::is_some) && budget.take("e").is_none());
        drop((of_a, others));
        assert!(budget.lock().is_empty() && budget.take("e").is_some());
        assert!(Budget::new(1).take("a").is_some());
    }
}
