//! One call at a time for each key. Callers that arrive during a call share its outcome, even a failure; later
//! callers start a new call.
//!
//! No task runs a call. One of the waiting callers drives it; if that caller is dropped, another restarts the call,
//! and if all are dropped, the call ends.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

/// The running calls.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, V>(Mutex<HashMap<K, Flight<V>>>);

#[derive(Debug)]
struct Flight<V> {
    outcome: Arc<OnceCell<V>>,
    waiting: usize,
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// The outcome of the running call for `key`, or of `call` if none is running.
    pub(crate) async fn join(&self, key: &K, call: impl Future<Output = V>) -> V {
        let seat = self.seat(key);
        seat.outcome.get_or_init(|| call).await.clone()
    }

    fn seat<'a>(&'a self, key: &'a K) -> Seat<'a, K, V> {
        let mut flights = self.lock();
        let flight = flights
            .entry(key.clone())
            .or_insert_with(|| Flight { outcome: Arc::default(), waiting: 0 });
        flight.waiting += 1;
        Seat { flights: self, key, outcome: Arc::clone(&flight.outcome) }
    }
}

impl<K, V> SingleFlight<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiting caller.
struct Seat<'a, K: Eq + Hash, V> {
    flights: &'a SingleFlight<K, V>,
    key: &'a K,
    outcome: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // The first caller to leave a finished flight closes it; another flight may have started since.
        let Some(flight) = flights.get_mut(self.key) else { return };
        if !Arc::ptr_eq(&flight.outcome, &self.outcome) {
            return;
        }
        flight.waiting -= 1;
        if flight.waiting == 0 || flight.outcome.initialized() {
            flights.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::{select, task::yield_now};

    use super::*;

    type Flights = SingleFlight<&'static str, Result<u8, u8>>;

    #[tokio::test]
    async fn callers_that_wait_share_the_outcome_and_later_ones_do_not() {
        let (flights, calls) = (Flights::default(), AtomicUsize::new(0));
        let call = || async {
            calls.fetch_add(1, Relaxed);
            yield_now().await;
            Err(1)
        };
        let (a, b, c) =
            tokio::join!(flights.join(&"a", call()), flights.join(&"a", call()), async {
                flights.join(&"a", call()).await
            });
        assert_eq!((a, b, c), (Err(1), Err(1), Err(1)));
        assert_eq!(calls.load(Relaxed), 1);
        assert_eq!(flights.join(&"a", async { Ok(2) }).await, Ok(2));
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_outlives_the_caller_that_started_it_but_not_all_that_wait() {
        let flights = Flights::default();
        let first = flights.join(&"a", pending());
        let second = flights.join(&"a", async { Ok(2) });
        let gives_up = async {
            select! {
                biased;
                _ = first => unreachable!("it never ends"),
                () = yield_now() => {}
            }
        };
        let ((), outcome) = tokio::join!(gives_up, second);
        assert_eq!(outcome, Ok(2));
        select! {
            biased;
            _ = flights.join(&"a", pending()) => unreachable!("it never ends"),
            () = yield_now() => {}
        }
        assert!(flights.lock().is_empty());
    }
}
