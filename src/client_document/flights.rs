//! One fetch at a time for each URL: whoever asks for a document that is on its way gets what comes of it.
//! What came is handed to those who waited and to nobody later, a failure least of all.
//!
//! No task is made for a fetch. It is driven by one of those who wait; when that one goes away another
//! begins anew, and when all have gone it is over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::Found;
use crate::client::DocumentUrl;

/// The fetches that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<DocumentUrl, Flight>>);

#[derive(Debug, Default)]
struct Flight {
    found: Arc<OnceCell<Found>>,
    waiting: usize,
}

impl Flights {
    /// What comes of the fetch that is under way, or of this one when there is none.
    pub(super) async fn join(
        &self,
        url: &DocumentUrl,
        fetch: impl Future<Output = Found>,
    ) -> Found {
        let seat = self.seat(url);
        seat.found.get_or_init(|| fetch).await.clone()
    }

    fn seat<'a>(&'a self, url: &'a DocumentUrl) -> Seat<'a> {
        let mut flights = self.lock();
        let flight = flights.entry(url.clone()).or_default();
        flight.waiting += 1;
        Seat { flights: self, url, found: Arc::clone(&flight.found) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DocumentUrl, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
struct Seat<'a> {
    flights: &'a Flights,
    url: &'a DocumentUrl,
    found: Arc<OnceCell<Found>>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // The first to leave a flight that has ended closes it; another may have begun since.
        let Some(flight) = flights.get_mut(self.url) else { return };
        if !Arc::ptr_eq(&flight.found, &self.found) {
            return;
        }
        flight.waiting -= 1;
        if flight.waiting == 0 || flight.found.initialized() {
            flights.remove(self.url);
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
    use crate::client_document::DocumentError;

    fn url() -> DocumentUrl {
        "https://a.example/c".parse().unwrap()
    }

    #[tokio::test]
    async fn those_who_wait_share_what_comes_and_later_ones_do_not() {
        let (flights, url, fetches) = (Flights::default(), url(), AtomicUsize::new(0));
        let fetch = || async {
            fetches.fetch_add(1, Relaxed);
            yield_now().await;
            Err(Arc::new(DocumentError::Busy))
        };
        let (a, b, c) = tokio::join!(
            flights.join(&url, fetch()),
            flights.join(&url, fetch()),
            flights.join(&url, fetch())
        );
        assert!(a.is_err() && b.is_err() && c.is_err());
        assert_eq!(fetches.load(Relaxed), 1);
        assert!(flights.join(&url, async { Ok(Arc::default()) }).await.is_ok());
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_fetch_outlives_the_one_who_began_it_but_not_all_who_wait() {
        let (flights, url) = (Flights::default(), url());
        let began = flights.join(&url, pending());
        let waits = flights.join(&url, async { Ok(Arc::default()) });
        let gives_up = async {
            select! {
                biased;
                _ = began => unreachable!("it never ends"),
                () = yield_now() => {}
            }
        };
        let ((), found) = tokio::join!(gives_up, waits);
        assert!(found.is_ok());
        select! {
            biased;
            _ = flights.join(&url, pending()) => unreachable!("it never ends"),
            () = yield_now() => {}
        }
        assert!(flights.lock().is_empty());
    }
}
