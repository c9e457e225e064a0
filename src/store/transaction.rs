//! What a change sees of a database: statements in one transaction.

use super::{
    StoreError,
    column::{Record, Statement, Value},
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

    /// Inserts records by a statement that takes all of their columns; returns the number of rows that it changed.
    async fn insert<R: Record>(
        &mut self,
        statement: &'static Statement,
        records: &[R],
    ) -> Result<usize, Self::Fault>;

    /// The records that a statement selects.
    async fn select<R: Record>(
        &mut self,
        statement: &'static Statement,
        parameters: &[Value<'_>],
    ) -> Result<Vec<R>, Self::Fault>;
}
