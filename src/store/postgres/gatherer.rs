//! The queue of registrations. Whoever comes while every batch is on its way waits for the next one; who
//! has waited for too long is told so, and is not kept.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::batch::{Keeper, Waiting};
use crate::store::StoreError;

/// What the task owns that makes batches.
pub(super) struct Gatherer {
    pub(super) queue: mpsc::Receiver<Waiting>,
    pub(super) keeper: Arc<Keeper>,
    /// One for each batch that may be on its way.
    pub(super) writers: Arc<Semaphore>,
    pub(super) batch_max: usize,
    /// How long a registration may wait for its batch.
    pub(super) patience: Duration,
    pub(super) closing: CancellationToken,
    /// Whom the batches belong to.
    pub(super) tasks: TaskTracker,
}

impl Gatherer {
    /// Makes batches until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.batch_max);
        while self.receive(&mut waiting).await {
            let Some(writer) = self.turn(&mut waiting).await else { continue };
            let batch = mem::replace(&mut waiting, Vec::with_capacity(self.batch_max));
            let keeper = Arc::clone(&self.keeper);
            self.tasks.spawn(async move {
                keeper.keep(batch).await;
                drop(writer);
            });
        }
    }

    /// Waits for whoever comes next; `false` when nobody will.
    async fn receive(&mut self, waiting: &mut Vec<Waiting>) -> bool {
        select! {
            received = self.queue.recv_many(waiting, self.batch_max) => return received > 0,
            () = self.closing.cancelled() => self.queue.close(),
        }
        self.queue.recv_many(waiting, self.batch_max).await > 0
    }

    /// Waits until a batch may go, and fills it with whoever came meanwhile. `None` when nobody was left
    /// who still waits.
    async fn turn(&mut self, waiting: &mut Vec<Waiting>) -> Option<OwnedSemaphorePermit> {
        while let Some(oldest) = waiting.first() {
            let deadline = oldest.since + self.patience;
            select! {
                biased;
                writer = Arc::clone(&self.writers).acquire_owned() => {
                    self.fill(waiting);
                    return writer.ok();
                }
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    let is_late = |one: &mut Waiting| one.since + self.patience <= now;
                    for late in waiting.extract_if(.., is_late) {
                        late.answer(Err(StoreError::Busy));
                    }
                    self.fill(waiting);
                }
            }
        }
        None
    }

    fn fill(&mut self, waiting: &mut Vec<Waiting>) {
        while waiting.len() < self.batch_max
            && let Ok(next) = self.queue.try_recv()
        {
            waiting.push(next);
        }
    }
}
