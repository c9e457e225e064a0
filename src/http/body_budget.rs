//! How many bytes of request bodies the server holds, in all and for each source.
//!
//! A body that is still arriving reserves its whole length before the server waits for it, so an admitted body never
//! lacks room for its rest. Such bodies use at most three quarters of the budget together. The last quarter is for
//! bodies that arrived with their head, as nearly all do.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::client_address::Source;

/// The largest body, in bytes, that counts against the total alone if it arrived with its head: most requests take no
/// lock.
const SMALL_BYTES: usize = 4 << 10;

/// The memory for request bodies.
pub(crate) struct BodyBudget {
    max: usize,
    per_source_max: usize,
    taken: AtomicUsize,
    by_source: Mutex<HashMap<Source, usize>>,
}

/// The total budget, or the share of this source, is used up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsedUp;

impl BodyBudget {
    pub(crate) fn new(max: usize, per_source_max: usize) -> Self {
        Self { max, per_source_max, taken: AtomicUsize::new(0), by_source: Mutex::default() }
    }

    /// Reserves the bytes of a body that is still arriving.
    pub(super) fn reserve(&self, source: Source, bytes: usize) -> Result<Share<'_>, UsedUp> {
        let of = |max: usize| max - max / 4;
        self.take(Some(source), bytes, of(self.max), of(self.per_source_max))
    }

    /// Counts the bytes of a body that arrived with its head.
    pub(super) fn hold(&self, source: Source, bytes: usize) -> Result<Share<'_>, UsedUp> {
        let source = Some(source).filter(|_| bytes > SMALL_BYTES);
        self.take(source, bytes, self.max, self.per_source_max)
    }

    fn take(
        &self,
        source: Option<Source>,
        bytes: usize,
        max: usize,
        per_source_max: usize,
    ) -> Result<Share<'_>, UsedUp> {
        // Dropping the share returns its bytes, on every path.
        let mut share = Share { budget: self, source: None, bytes };
        if self.taken.fetch_add(bytes, Relaxed).saturating_add(bytes) > max {
            return Err(UsedUp);
        }
        if let Some(source) = source {
            let mut by_source = self.by_source();
            let taken = by_source.get(&source).copied().unwrap_or_default();
            if taken + bytes > per_source_max {
                return Err(UsedUp);
            }
            by_source.insert(source, taken + bytes);
            share.source = Some(source);
        }
        Ok(share)
    }

    fn by_source(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, source: Option<Source>, bytes: usize) {
        self.taken.fetch_sub(bytes, Relaxed);
        let Some(source) = source else { return };
        let mut by_source = self.by_source();
        if let Some(taken) = by_source.get_mut(&source) {
            *taken -= bytes;
            if *taken == 0 {
                by_source.remove(&source);
            }
        }
    }
}

/// The bytes of one body. Dropping it returns them to the budget.
pub(super) struct Share<'a> {
    budget: &'a BodyBudget,
    source: Option<Source>,
    bytes: usize,
}

impl Share<'_> {
    /// Returns the bytes that the body did not need.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.budget.give_back(self.source, surplus);
            self.bytes -= surplus;
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.source, self.bytes);
    }
}

/// Memory that grows and shrinks while a body streams. Dropping it returns the bytes to the budget.
pub(crate) struct Holding {
    budget: Arc<BodyBudget>,
    source: Source,
    bytes: usize,
}

impl Holding {
    /// The unit of a holding, in bytes: most changes of a size take no lock.
    const STEP: usize = 4 << 10;

    pub(crate) fn new(budget: Arc<BodyBudget>, source: Source) -> Self {
        Self { budget, source, bytes: 0 }
    }

    /// Changes the size to `bytes`. If there is no room, the size stays as it was.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), UsedUp> {
        let bytes = bytes.next_multiple_of(Self::STEP);
        if let Some(added) = bytes.checked_sub(self.bytes).filter(|added| *added > 0) {
            let mut share = self.budget.reserve(self.source, added)?;
            // Dropping the holding returns these bytes.
            share.bytes = 0;
        } else if bytes < self.bytes {
            self.budget.give_back(Some(self.source), self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(Some(self.source), self.bytes);
        }
    }
}

/// Data that was read from a body, with its share of the budget.
pub(crate) struct Held<'a, T> {
    read: T,
    share: Option<Share<'a>>,
}

impl<'a, T> Held<'a, T> {
    pub(super) fn new(read: T, share: Share<'a>) -> Self {
        Self { read, share: Some(share) }
    }

    /// Data from the head of the request, which holds no share.
    pub(crate) fn of_head(read: T) -> Self {
        Self { read, share: None }
    }

    /// Converts the data and keeps its share.
    pub(crate) fn try_map<U, E>(
        self,
        read: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Held<'a, U>, E> {
        Ok(Held { read: read(self.read)?, share: self.share })
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    #[test]
    fn bodies_that_arrive_use_three_quarters_and_those_that_are_there_the_rest() {
        let budget = BodyBudget::new(80_000, 40_000);
        let one = budget.reserve(source(1), 30_000).ok();
        assert!(one.is_some());
        assert!(budget.reserve(source(1), 1).is_err(), "its source used up its part");
        let other = budget.reserve(source(2), 30_000).ok();
        assert!(other.is_some());
        assert!(budget.reserve(source(3), 1).is_err(), "all together used up theirs");
        let held = budget.hold(source(3), 20_000);
        assert!(held.is_ok());
        assert!(budget.hold(source(3), 1).is_err());
        drop((one, other, held));
        assert_eq!(budget.taken.load(Relaxed), 0);
        assert!(budget.by_source().is_empty());
    }

    #[test]
    fn what_a_body_did_not_need_is_given_back() {
        let budget = BodyBudget::new(80_000, 40_000);
        let mut share = budget.reserve(source(1), 30_000).ok().unwrap();
        share.shrink_to(10);
        assert_eq!(budget.taken.load(Relaxed), 10);
        assert!(budget.reserve(source(1), 29_990).is_ok());
        drop(share);
        assert!(budget.by_source().is_empty());
    }

    #[test]
    fn a_holding_counts_its_size_and_no_more_than_there_is_room_for() {
        let budget = Arc::new(BodyBudget::new(80_000, 40_000));
        let mut holding = Holding::new(Arc::clone(&budget), source(1));
        holding.resize(1).unwrap();
        assert_eq!(budget.taken.load(Relaxed), Holding::STEP);
        holding.resize(20_000).unwrap();
        assert_eq!(holding.resize(40_000), Err(UsedUp));
        assert_eq!(budget.taken.load(Relaxed), 5 * Holding::STEP);
        let mut second = Holding::new(Arc::clone(&budget), source(1));
        assert_eq!(second.resize(20_000), Err(UsedUp));
        holding.resize(10).unwrap();
        second.resize(20_000).unwrap();
        holding.resize(0).unwrap();
        assert_eq!(budget.taken.load(Relaxed), 5 * Holding::STEP);
        drop((holding, second));
        assert_eq!(budget.taken.load(Relaxed), 0);
        assert!(budget.by_source().is_empty());
    }

    #[test]
    fn a_refused_body_takes_nothing() {
        let budget = BodyBudget::new(80_000, 8_000);
        for _ in 0..100 {
            assert!(budget.reserve(source(1), 6_001).is_err());
            assert!(budget.hold(source(1), 80_001).is_err());
        }
        assert_eq!(budget.taken.load(Relaxed), 0);
        assert!(budget.by_source().is_empty());
    }
}
