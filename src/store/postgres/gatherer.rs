//! Queues whose callers are served in batches. Callers that arrive while every batch is in flight form the next one; a
//! caller that waits too long gets an error, and nothing happens for it.

use std::{mem, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{fault::closed, seconds};
use crate::{
    config::PostgresConfig,
    store::{QueueFigures, StoreError},
};

/// Serves batches.
pub(super) trait Batched: Send + Sync + 'static {
    /// What a caller asks for.
    type Asked: Send;
    /// What a caller gets.
    type Answer: Send;

    /// Serves a batch, and answers every caller in it.
    fn serve(
        &self,
        batch: Vec<Waiting<Self::Asked, Self::Answer>>,
    ) -> impl Future<Output = ()> + Send;
}

/// A caller.
pub(super) struct Waiting<Q, A> {
    pub(super) asked: Q,
    /// When it was accepted.
    since: Instant,
    reply: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, A> Waiting<Q, A> {
    pub(super) fn answer(self, outcome: Result<A, StoreError>) {
        // The caller may have stopped waiting.
        let _gone = self.reply.send(outcome);
    }

    /// Whether the caller still waits.
    pub(super) fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }
}

/// The way to those who serve batches.
pub(super) struct Queue<B: Batched>(mpsc::Sender<Waiting<B::Asked, B::Answer>>);

impl<B: Batched> Queue<B> {
    /// Starts the task that makes batches for `server`.
    pub(super) fn start(
        server: B,
        settings: &PostgresConfig,
        closing: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue_max);
        let gatherer = Gatherer {
            queue: waiting,
            server: Arc::new(server),
            turns: Arc::new(Semaphore::new(settings.writers)),
            batch_max: settings.batch_max,
            patience: seconds(settings.wait_timeout_seconds),
            closing: closing.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(gatherer.run());
        Self(queue)
    }

    /// Waits for the answer of a batch; an error at once when too many wait.
    pub(super) async fn ask(&self, asked: B::Asked) -> Result<B::Answer, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let waiting = Waiting { asked, since: Instant::now(), reply };
        self.0.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Closed(_) => closed(),
        })?;
        outcome.await.map_err(|_ended| closed())?
    }

    pub(super) fn figures(&self, name: &'static str) -> QueueFigures {
        QueueFigures::of(name, &self.0)
    }
}

/// What the task owns that makes batches.
struct Gatherer<B: Batched> {
    queue: mpsc::Receiver<Waiting<B::Asked, B::Answer>>,
    server: Arc<B>,
    /// One for each batch that may be in flight.
    turns: Arc<Semaphore>,
    batch_max: usize,
    /// How long a caller may wait for its batch.
    patience: Duration,
    closing: CancellationToken,
    /// Whom the batches belong to.
    tasks: TaskTracker,
}

impl<B: Batched> Gatherer<B> {
    /// Makes batches until the queue is closed and empty.
    async fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.batch_max);
        while self.receive(&mut waiting).await {
            let Some(turn) = self.turn(&mut waiting).await else { continue };
            let batch = mem::replace(&mut waiting, Vec::with_capacity(self.batch_max));
            let server = Arc::clone(&self.server);
            self.tasks.spawn(async move {
                server.serve(batch).await;
                drop(turn);
            });
        }
    }

    /// Waits for the next callers; `false` when there will be none.
    async fn receive(&mut self, waiting: &mut Vec<Waiting<B::Asked, B::Answer>>) -> bool {
        select! {
            received = self.queue.recv_many(waiting, self.batch_max) => return received > 0,
            () = self.closing.cancelled() => self.queue.close(),
        }
        self.queue.recv_many(waiting, self.batch_max).await > 0
    }

    /// Waits until a batch may go, and fills it with the callers that arrived meanwhile. `None` when no caller waits any
    /// more.
    async fn turn(
        &mut self,
        waiting: &mut Vec<Waiting<B::Asked, B::Answer>>,
    ) -> Option<OwnedSemaphorePermit> {
        while let Some(oldest) = waiting.first() {
            let deadline = oldest.since + self.patience;
            select! {
                biased;
                turn = Arc::clone(&self.turns).acquire_owned() => {
                    self.fill(waiting);
                    return turn.ok();
                }
                () = sleep_until(deadline) => {
                    let now = Instant::now();
                    let is_late = |one: &mut Waiting<_, _>| one.since + self.patience <= now;
                    for late in waiting.extract_if(.., is_late) {
                        late.answer(Err(StoreError::Busy));
                    }
                    self.fill(waiting);
                }
            }
        }
        None
    }

    fn fill(&mut self, waiting: &mut Vec<Waiting<B::Asked, B::Answer>>) {
        while waiting.len() < self.batch_max
            && let Ok(next) = self.queue.try_recv()
        {
            waiting.push(next);
        }
    }
}
