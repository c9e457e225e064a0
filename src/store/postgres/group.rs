//! Exchanges of codes and refresh tokens that callers make at the same time: one statement makes all of a kind, and one
//! transaction, sent in one round trip, commits the group.
//!
//! Each statement has its conditions in it. Of two exchanges of one record, the later one goes in a statement of its own,
//! which runs after the first and finds what it left. If the database rejects a statement, or makes it wait for a lock,
//! nothing of the group is stored, and each exchange is made in a transaction of its own.

use std::{slice, sync::Arc};

use tokio_util::task::TaskTracker;

use super::{
    connect::Connections,
    fault::{Fault, Shared, shared_error, store_error},
    gatherer::{Batched, Waiting},
    together::Patience,
};
use crate::store::{
    EventRecord,
    column::{Columns as _, Value},
    sql::Statement,
};

/// A row of parameters for a statement that takes columns of them; the first names the record that it changes.
#[derive(Debug)]
pub(super) struct Exchange {
    statement: &'static Statement,
    pub(super) values: Vec<Value<'static>>,
}

impl Exchange {
    /// Copies the parameters, and adds the columns of the event.
    pub(super) fn new(
        statement: &'static Statement,
        values: &[Value<'_>],
        event: Option<&EventRecord>,
    ) -> Self {
        let mut all: Vec<_> = values.iter().map(Value::to_owned).collect();
        if let Some(event) = event {
            event.write(&mut |value| all.push(value.to_owned()));
        }
        Self { statement, values: all }
    }

    pub(super) fn record(&self) -> Option<[u8; 16]> {
        match self.values.first() {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        }
    }
}

/// Exchanges that one statement makes, each of another record, in the order of the records.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) statement: &'static Statement,
    pub(super) exchanges: Vec<&'a Exchange>,
    /// Where they are in their group.
    places: Vec<usize>,
}

impl<'a> Run<'a> {
    fn takes(&self, exchange: &Exchange) -> bool {
        let last = self.exchanges.last().and_then(|last| last.record());
        self.statement.postgres == exchange.statement.postgres && last != exchange.record()
    }

    /// The statements that make a group, which is in the order of its records.
    fn all_of(group: &[&'a Exchange]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for (place, exchange) in group.iter().copied().enumerate() {
            match runs.iter_mut().find(|run| run.takes(exchange)) {
                Some(run) => {
                    run.exchanges.push(exchange);
                    run.places.push(place);
                }
                None => runs.push(Self {
                    statement: exchange.statement,
                    exchanges: vec![exchange],
                    places: vec![place],
                }),
            }
        }
        runs
    }
}

/// An exchange, and its caller, who learns whether it was made.
type Exchanging = Waiting<Exchange, bool>;

/// Makes groups of exchanges.
pub(super) struct Groups {
    pub(super) connections: Arc<Connections>,
    pub(super) tasks: TaskTracker,
}

impl Batched for Groups {
    type Asked = Exchange;
    type Answer = bool;

    async fn serve(&self, mut group: Vec<Exchanging>) {
        group.retain(Waiting::is_wanted);
        // In one order, two groups rarely wait for each other's locks. Those that do give up after a moment.
        group.sort_by_key(|waiting| waiting.asked.record());
        if group.is_empty() {
            return;
        }
        let exchanges: Vec<&Exchange> = group.iter().map(|waiting| &waiting.asked).collect();
        match make(&self.connections, &exchanges, Patience::Short).await {
            Ok(outcomes) => {
                for (waiting, is_made) in group.into_iter().zip(outcomes) {
                    waiting.answer(Ok(is_made));
                }
            }
            Err(fault) if fault.is_certain() => self.make_each_alone(group),
            Err(fault) => {
                let fault = Shared::new(fault);
                for waiting in group {
                    waiting.answer(Err(shared_error(&fault)));
                }
            }
        }
    }
}

impl Groups {
    /// Makes each exchange in a transaction of its own. None waits for another, and the next group waits for none of them.
    fn make_each_alone(&self, group: Vec<Exchanging>) {
        for waiting in group {
            let connections = Arc::clone(&self.connections);
            self.tasks.spawn(async move {
                let outcome = make_alone(&connections, &waiting.asked).await;
                waiting.answer(outcome.map_err(store_error));
            });
        }
    }
}

/// Makes exchanges, all or none of them; returns whether each found its record as it has to be.
async fn make(
    connections: &Connections,
    group: &[&Exchange],
    patience: Patience,
) -> Result<Vec<bool>, Fault> {
    let runs = Run::all_of(group);
    let mut outcomes = vec![false; group.len()];
    for (run, made) in runs.iter().zip(connections.exchange(&runs, patience).await?) {
        for (place, exchange) in run.places.iter().zip(&run.exchanges) {
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = exchange.record().is_some_and(|id| made.contains(&id));
            }
        }
    }
    Ok(outcomes)
}

/// Makes one exchange; again when it surely was not made.
async fn make_alone(connections: &Connections, exchange: &Exchange) -> Result<bool, Fault> {
    let one = slice::from_ref(&exchange);
    let attempt = || make(connections, one, Patience::Long);
    let outcomes = connections.twice(Fault::is_certain_and_passing, attempt).await?;
    Ok(outcomes.first().is_some_and(|is_made| *is_made))
}
