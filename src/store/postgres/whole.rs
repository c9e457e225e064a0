//! Transactions of several statements.

use std::ops::ControlFlow;

use super::{
    connect::{Borrowed, Connections},
    fault::{Fault, store_error},
    group::Exchange,
    rows::{columns, columns_of, parameters, records},
};
use crate::store::{
    EventRecord, StoreError,
    column::{Record, Value},
    sql::Statement,
    transaction::Transaction,
};

/// How often a transaction is tried again that certainly changed nothing, because another one was in its way.
const TRIES_AGAIN_MAX: u32 = 5;

/// How often a transaction was tried again.
#[derive(Default)]
pub(in crate::store) struct Tries(u32);

/// A transaction. Dropped before its end, it is rolled back with its connection.
pub(in crate::store) struct Whole<'pool> {
    connections: &'pool Connections,
    borrowed: Borrowed<'pool>,
}

impl<'pool> Whole<'pool> {
    /// Begins one.
    pub(super) async fn begin(connections: &'pool Connections) -> Result<Self, Fault> {
        let borrowed = connections.borrow().await?;
        match connections.control(&borrowed, "BEGIN").await {
            Ok(()) => Ok(Self { connections, borrowed }),
            Err(fault) => borrowed.give_back(Err(fault)),
        }
    }

    /// Commits after a success, and rolls back after a failure. `Continue` if the change can be tried again.
    pub(in crate::store) async fn end<T>(
        self,
        outcome: Result<T, Fault>,
        tries: &mut Tries,
    ) -> ControlFlow<Result<T, StoreError>> {
        let Self { connections, borrowed } = self;
        let outcome = match outcome {
            Ok(done) => connections.control(&borrowed, "COMMIT").await.map(|()| done),
            Err(fault) if fault.meaning().leaves_the_connection_well() => {
                connections.control(&borrowed, "ROLLBACK").await.and(Err(fault))
            }
            Err(fault) => Err(fault),
        };
        match borrowed.give_back(outcome) {
            Err(fault) if fault.is_certain_and_passing() && tries.0 < TRIES_AGAIN_MAX => {
                tries.0 += 1;
                connections.metrics.retries.add_one();
                ControlFlow::Continue(())
            }
            outcome => ControlFlow::Break(outcome.map_err(store_error)),
        }
    }
}

impl Transaction for Whole<'_> {
    type Fault = Fault;

    async fn execute(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<usize, Fault> {
        self.connections.execute_on(&self.borrowed, statement, &parameters(values)).await
    }

    async fn exchange(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
        event: Option<&EventRecord>,
    ) -> Result<bool, Fault> {
        let one = Exchange::new(statement, values, event);
        let columns = columns_of([one.values.as_slice()].into_iter());
        let made =
            self.connections.query_on(&self.borrowed, statement, &parameters(&columns)).await?;
        Ok(!made.is_empty())
    }

    async fn insert<R: Record>(
        &mut self,
        statement: &'static Statement,
        all: &[R],
    ) -> Result<usize, Fault> {
        if all.is_empty() {
            return Ok(0);
        }
        let columns = columns(all.iter());
        self.connections.execute_on(&self.borrowed, statement, &parameters(&columns)).await
    }

    async fn change_each<R: Record + Clone>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<Vec<R>, Fault> {
        self.select_each(statement, records).await
    }

    async fn select_each<K: Record, R: Record>(
        &mut self,
        statement: &'static Statement,
        given: &[K],
    ) -> Result<Vec<R>, Fault> {
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let columns = columns(given.iter());
        let rows =
            self.connections.query_on(&self.borrowed, statement, &parameters(&columns)).await?;
        Ok(records(&rows)?)
    }

    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, Fault> {
        let rows =
            self.connections.query_on(&self.borrowed, statement, &parameters(values)).await?;
        Ok(records(&rows)?)
    }
}
