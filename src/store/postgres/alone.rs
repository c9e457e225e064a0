//! Statements that are each a transaction of their own: for changes of which one statement changes anything.

use super::{
    Postgres,
    group::Exchange,
    rows::{columns, parameters, records},
};
use crate::store::{
    EventRecord, StoreError,
    column::{Columns as _, Record, Value},
    sql::Statement,
    statements::Recorded,
    transaction::Transaction,
};

/// A [`Transaction`] that commits each statement.
pub(in crate::store) struct Alone<'store>(pub(super) &'store Postgres);

impl Transaction for Alone<'_> {
    type Fault = StoreError;

    async fn execute(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<usize, StoreError> {
        self.0.change(statement, &parameters(values)).await
    }

    /// One statement does both.
    async fn record(
        &mut self,
        recorded: &'static Recorded,
        values: &[Value<'_>],
        event: &EventRecord,
    ) -> Result<usize, StoreError> {
        let mut all = values.to_vec();
        event.write(&mut |value| all.push(value));
        self.0.change(&recorded.with_event, &parameters(&all)).await
    }

    /// One statement, which one transaction commits with those of other callers.
    async fn exchange(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
        event: Option<&EventRecord>,
    ) -> Result<bool, StoreError> {
        let exchange = Exchange::new(statement, values, event);
        self.0.writers()?.exchanges.ask(exchange).await
    }

    async fn insert<R: Record>(
        &mut self,
        statement: &'static Statement,
        all: &[R],
    ) -> Result<usize, StoreError> {
        if all.is_empty() {
            return Ok(0);
        }
        self.0.change(statement, &parameters(&columns(all.iter()))).await
    }

    async fn change_each<R: Record + Clone>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<Vec<R>, StoreError> {
        self.select_each(statement, records).await
    }

    async fn select_each<K: Record, R: Record>(
        &mut self,
        statement: &'static Statement,
        given: &[K],
    ) -> Result<Vec<R>, StoreError> {
        if given.is_empty() {
            return Ok(Vec::new());
        }
        records(&self.0.ask(statement, &parameters(&columns(given.iter()))).await?)
    }

    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        records(&self.0.ask(statement, &parameters(values)).await?)
    }
}
