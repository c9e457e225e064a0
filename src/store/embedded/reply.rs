//! How callers learn what became of their change.
//!
//! A thread that wakes sixty tasks one by one is interrupted by the first, and by each after it. So the
//! writer wakes one caller of a batch, who wakes the others from inside the runtime, where that is cheap.

use tokio::sync::oneshot;

use super::fault::{Shared, closed, shared_error};
use crate::store::StoreError;

/// Who waits for a change, and what became of it if the transaction is committed.
pub(super) struct Reply<T> {
    to: oneshot::Sender<Answer<T>>,
    pub(super) outcome: Option<Result<T, StoreError>>,
}

/// The other end of a [`Reply`].
pub(super) struct Awaited<T>(oneshot::Receiver<Answer<T>>);

/// The outcome of a change, and whom its caller has to wake.
struct Answer<T> {
    outcome: Result<T, StoreError>,
    others: Others<T>,
    /// Whatever else is to be dropped where the caller is: it tells callers of other kinds.
    more: Option<Box<dyn Send>>,
}

/// Callers whose outcome is known and who do not know it yet. Dropped, wherever that is, it tells them:
/// a caller who wakes others may itself be gone by then.
struct Others<T>(Vec<Decided<T>>);

/// A caller, and the outcome of its change.
type Decided<T> = (oneshot::Sender<Answer<T>>, Result<T, StoreError>);

impl<T> Drop for Others<T> {
    fn drop(&mut self) {
        for (to, outcome) in self.0.drain(..) {
            // Who is gone does not want to know.
            let _gone = to.send(Answer { outcome, others: Self(Vec::new()), more: None });
        }
    }
}

impl<T> Reply<T> {
    /// A reply, and the place to wait for it.
    pub(super) fn new() -> (Self, Awaited<T>) {
        let (to, answer) = oneshot::channel();
        (Self { to, outcome: None }, Awaited(answer))
    }

    /// Whether nobody waits any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.to.is_closed()
    }

    /// Sends the outcome, or the failure of the transaction it depended on.
    pub(super) fn send(self, failure: Option<&Shared>) {
        Self::send_all(vec![self], failure);
    }

    /// As [`Self::send`]; `more` is dropped where the caller is.
    pub(super) fn send_with(self, failure: Option<&Shared>, more: Box<dyn Send>) {
        let outcome = failure.map(|failure| Err(shared_error(failure))).or(self.outcome);
        if let Some(outcome) = outcome {
            let others = Others(Vec::new());
            let _gone = self.to.send(Answer { outcome, others, more: Some(more) });
        }
    }

    /// Sends to all of a batch. Who was left out of the transaction is told nothing, and does not wait.
    pub(super) fn send_all(replies: Vec<Self>, failure: Option<&Shared>) {
        let known = |reply: Self| {
            let outcome = failure.map(|failure| Err(shared_error(failure))).or(reply.outcome)?;
            Some((reply.to, outcome))
        };
        let mut others: Vec<_> = replies.into_iter().filter_map(known).collect();
        if let Some((to, outcome)) = others.pop() {
            let _gone = to.send(Answer { outcome, others: Others(others), more: None });
        }
    }
}

impl<T> Awaited<T> {
    /// Waits for the outcome; a writer that ended without one has closed the store.
    pub(super) async fn outcome(self) -> Result<T, StoreError> {
        let Answer { outcome, others, more } = self.0.await.map_err(|_ended| closed())?;
        drop((others, more));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everyone_of_a_batch_is_answered_though_the_first_has_gone() {
        for gone in 0..4 {
            let (mut replies, mut awaited): (Vec<_>, Vec<_>) = (0..4).map(|_| Reply::new()).unzip();
            for (number, reply) in replies.iter_mut().enumerate() {
                reply.outcome = Some(Ok(number));
            }
            Reply::send_all(replies, None);
            drop(awaited.remove(gone));
            let mut numbers = Vec::new();
            for answer in awaited.into_iter().rev() {
                numbers.push(answer.outcome().await.unwrap());
            }
            numbers.reverse();
            assert_eq!(numbers, (0..4).filter(|number| *number != gone).collect::<Vec<_>>());
        }
    }
}
