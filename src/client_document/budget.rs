//! How many documents are fetched at once: as many as there may be, and from one host a quarter of them, so
//! that one that does not answer leaves room for others.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The part of all places that one host may take.
const HOSTS_AT_ONCE: usize = 4;

/// Places for fetches.
#[derive(Debug)]
pub(super) struct Budget {
    fetches_max: usize,
    by_host: Mutex<HashMap<String, usize>>,
}

impl Budget {
    pub(super) fn new(fetches_max: usize) -> Self {
        Self { fetches_max, by_host: Mutex::default() }
    }

    /// A place until what is returned is dropped; `None` when there is none.
    pub(super) fn take<'a>(&'a self, host: &'a str) -> Option<Place<'a>> {
        let mut by_host = self.lock();
        let taken: usize = by_host.values().sum();
        let of_host = by_host.get(host).copied().unwrap_or(0);
        if taken >= self.fetches_max || of_host >= self.fetches_max.div_ceil(HOSTS_AT_ONCE) {
            return None;
        }
        by_host.insert(host.to_owned(), of_host + 1);
        Some(Place { budget: self, host })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.by_host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
pub(super) struct Place<'a> {
    budget: &'a Budget,
    host: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut by_host = self.budget.lock();
        if let Some(taken) = by_host.get_mut(self.host) {
            *taken -= 1;
            if *taken == 0 {
                by_host.remove(self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
