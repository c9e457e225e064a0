//! What a change sees of a database: statements in one transaction.

use std::slice;

use super::{
    EventRecord, StoreError,
    column::{Record, Value},
    sql::Statement,
    statements::{Recorded, events},
};

/// A transaction. SQLite answers at once, on the thread that writes; PostgreSQL over the network.
pub(super) trait Transaction {
    /// Why a statement failed. A change passes it on.
    type Fault: From<StoreError>;

    /// Runs a statement; returns the number of rows that it changed.
    async fn execute(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
    ) -> Result<usize, Self::Fault>;

    /// Runs a statement that changes at most one row, and stores the event if it does; returns the number of rows.
    async fn record(
        &mut self,
        recorded: &'static Recorded,
        parameters: &[Value<'_>],
        event: &EventRecord,
    ) -> Result<usize, Self::Fault> {
        let changed = self.execute(&recorded.statement, parameters).await?;
        if changed > 0 {
            self.insert(&events::INSERT, slice::from_ref(event)).await?;
        }
        Ok(changed)
    }

    /// Runs a statement that changes at most one record, the one that its first parameter names, and stores the event if it
    /// does; returns whether it does. PostgreSQL runs it once for callers that come at the same time: there it takes
    /// columns of parameters and then those of the events, stores the events, and returns the names of the records that it
    /// changes.
    async fn exchange(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
        event: Option<&EventRecord>,
    ) -> Result<bool, Self::Fault>;

    /// Inserts records by a statement that takes all of their columns; returns the number of rows that it changed.
    async fn insert<R: Record>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<usize, Self::Fault>;

    /// Runs a statement for each record, and returns those for which it changed a row: PostgreSQL runs it once, and the
    /// statement returns them.
    async fn change_each<R: Record + Clone>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<Vec<R>, Self::Fault>;

    /// The records that a statement selects or returns for given ones: run once for each in SQLite, and once for all of
    /// them in PostgreSQL, one column after the other.
    async fn select_each<K: Record, R: Record>(
        &mut self,
        statement: &'static Statement,
        given: &[K],
    ) -> Result<Vec<R>, Self::Fault>;

    /// The records that a statement selects.
    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
    ) -> Result<Vec<R>, Self::Fault>;
}
