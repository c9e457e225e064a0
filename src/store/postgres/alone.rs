//! Statements that are each a transaction of their own: for changes of which one statement changes anything.

use super::{
    Postgres,
    rows::{columns, parameters, records},
};
use crate::store::{
    StoreError,
    column::{Record, Statement, Value},
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

    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        records(&self.0.ask(statement, &parameters(values)).await?)
    }
}
