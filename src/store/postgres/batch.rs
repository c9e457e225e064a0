//! What becomes of a batch of registrations: one statement, and the truth about it.
//!
//! A statement whose answer is lost may or may not have been committed. Before anyone is answered, the
//! same clients are kept again on a new connection, as often as time allows: that waits for a commit that
//! is still under way, keeps what was not kept, and shows what was. Who cannot be told the truth in time is
//! told that the store is unavailable, and never that a client is kept.

use std::{
    collections::{HashMap, HashSet},
    slice,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    clients::{self, check_times},
    connect::Connections,
    fault::{Fault, Meaning, Shared, innermost, shared_error},
    gatherer::{Batched, Waiting},
    rows::{columns, parameters},
};
use crate::{
    client::ClientId,
    store::{
        ClientRecord, StoreError,
        arrival::{Newcomer, Registration, arrivals},
        column::Record as _,
        sql::Statement,
        statements,
    },
};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a statement is tried again that surely kept nothing, because another transaction was in its
/// way.
const TRIES_AGAIN_MAX: u32 = 5;

/// A registration, and its caller.
type Registering = Waiting<Newcomer, ()>;

/// What became of one registration.
type Outcome = Result<(), StoreError>;

/// Keeps batches.
pub(super) struct Keeper {
    pub(super) connections: Arc<Connections>,
    pub(super) settle_timeout: Duration,
}

impl Batched for Keeper {
    type Asked = Newcomer;
    type Answer = ();

    async fn serve(&self, mut batch: Vec<Registering>) {
        // The identifiers of the others would never be used.
        batch.retain(Waiting::is_wanted);
        if batch.is_empty() {
            return;
        }
        // In one order everywhere, no two batches wait for each other.
        batch.sort_by_key(|waiting| waiting.asked.client.client_id);
        let (batch, twins) = without_twins(batch);
        for twin in twins {
            let id = twin.asked.client.client_id;
            twin.answer(Err(clients::there_already(id)));
        }
        let newcomers: Vec<_> = batch.iter().map(|waiting| &waiting.asked).collect();
        self.connections.metrics.batches.add_one();
        self.connections.metrics.batched.add(newcomers.len() as u64);
        let outcomes = self.outcomes(&newcomers).await;
        for (waiting, outcome) in batch.into_iter().zip(outcomes) {
            waiting.answer(outcome);
        }
    }
}

impl Keeper {
    async fn outcomes(&self, newcomers: &[&Newcomer]) -> Vec<Outcome> {
        match self.keep_all(newcomers).await {
            // The database takes or refuses a statement as a whole: one by one, the others are spared.
            Err(fault) if fault.meaning() == Meaning::Values && newcomers.len() > 1 => {
                let mut outcomes = Vec::with_capacity(newcomers.len());
                for one in newcomers {
                    outcomes.extend(spread(self.keep_all(slice::from_ref(one)).await, 1));
                }
                outcomes
            }
            answer => spread(answer, newcomers.len()),
        }
    }

    /// Keeps all or, when that is certain, none.
    async fn keep_all(&self, newcomers: &[&Newcomer]) -> Result<Vec<Outcome>, Fault> {
        let mut tries = 0;
        loop {
            let fault = match self.insert(newcomers).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(fault) => fault,
            };
            let tries_max = match fault.meaning() {
                Meaning::Unknown => return self.settle(newcomers, fault).await,
                Meaning::NotSent => {
                    // Nobody is there: the next batch does not knock at once.
                    sleep(PAUSE).await;
                    return Err(fault);
                }
                Meaning::Again => TRIES_AGAIN_MAX,
                Meaning::Elsewhere => 1,
                Meaning::Values | Meaning::Refused => 0,
            };
            if tries >= tries_max {
                return Err(fault);
            }
            tries += 1;
            self.connections.metrics.retries.add_one();
            sleep(PAUSE * tries).await;
        }
    }

    async fn insert(&self, newcomers: &[&Newcomer]) -> Result<Vec<Outcome>, Fault> {
        check_times(newcomers.iter().map(|one| &*one.client))?;
        let arrivals = arrivals(newcomers.iter().copied());
        let rows = if arrivals.is_empty() {
            self.send(&statements::clients::ADD, newcomers).await?
        } else {
            let registrations: Vec<Registration> =
                newcomers.iter().map(|one| Registration::from(*one)).collect();
            let mut all = columns(registrations.iter());
            all.extend(columns(arrivals.iter()));
            self.connections.query(&statements::clients::REGISTER, &parameters(&all)).await?
        };
        let kept: HashSet<ClientId> = rows.iter().filter_map(|row| clients::id(row).ok()).collect();
        let outcome = |one: &&Newcomer| {
            let id = one.client.client_id;
            if kept.contains(&id) { Ok(()) } else { Err(clients::there_already(id)) }
        };
        Ok(newcomers.iter().map(outcome).collect())
    }

    /// Finds out what became of clients whose answer was lost, on connections that are new.
    async fn settle(
        &self,
        newcomers: &[&Newcomer],
        mut fault: Fault,
    ) -> Result<Vec<Outcome>, Fault> {
        let until = Instant::now() + self.settle_timeout;
        let error = innermost(&fault);
        tracing::warn!(clients = newcomers.len(), error, "the answer to a batch was lost");
        loop {
            match timeout_at(until, self.send(&statements::clients::REGISTER_AGAIN, newcomers))
                .await
            {
                Ok(Ok(rows)) => {
                    self.connections.metrics.settled.add_one();
                    return Ok(compared(newcomers, &rows));
                }
                Ok(Err(latest)) => fault = latest,
                Err(_late) => {}
            }
            if Instant::now() + PAUSE >= until {
                let error = innermost(&fault);
                tracing::error!(
                    clients = newcomers.len(),
                    error,
                    "what became of a batch is not known"
                );
                self.connections.metrics.unsettled.add_one();
                return Err(Fault::Unsettled(Box::new(fault)));
            }
            sleep(PAUSE).await;
        }
    }

    async fn send(
        &self,
        statement: &'static Statement,
        newcomers: &[&Newcomer],
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let columns = columns(newcomers.iter().map(|one| &*one.client));
        self.connections.query(statement, &parameters(&columns)).await
    }
}

/// Takes out each registration whose identifier another of the batch has as well; sorted they are.
fn without_twins(batch: Vec<Registering>) -> (Vec<Registering>, Vec<Registering>) {
    let mut last = None;
    batch.into_iter().partition(|waiting| {
        let is_first = last != Some(waiting.asked.client.client_id);
        last = Some(waiting.asked.client.client_id);
        is_first
    })
}

/// Whether each client is kept as it was sent.
fn compared(newcomers: &[&Newcomer], rows: &[tokio_postgres::Row]) -> Vec<Outcome> {
    let mut there: HashMap<ClientId, Result<ClientRecord, StoreError>> = HashMap::new();
    for row in rows {
        if let Ok(id) = clients::id(row) {
            there.insert(id, ClientRecord::from_row(row));
        }
    }
    let outcome = |Newcomer { client, .. }: &&Newcomer| match there.remove(&client.client_id) {
        Some(Ok(kept)) if kept == **client => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Err(clients::there_already(client.client_id)),
    };
    newcomers.iter().map(outcome).collect()
}

/// The outcome of each, when all have the same fault.
fn spread(answer: Result<Vec<Outcome>, Fault>, clients: usize) -> Vec<Outcome> {
    answer.unwrap_or_else(|fault| {
        let fault = Shared::new(fault);
        (0..clients).map(|_| Err(shared_error(&fault))).collect()
    })
}
