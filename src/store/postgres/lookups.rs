//! Lookups of records by their identifiers: one statement answers all that wait together.

use std::{
    collections::{BTreeSet, HashMap},
    marker::PhantomData,
    sync::Arc,
};

use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    connect::Connections,
    fault::{Shared, shared_error},
    gatherer::{Batched, Waiting},
    rows::Column,
};
use crate::store::{
    StoreError,
    column::{Record, Row as _},
    sql::Statement,
};

/// Looks up records of one kind.
pub(super) struct Lookups<R> {
    connections: Arc<Connections>,
    /// Selects the records of given identifiers; the identifier is their first column.
    select_each: &'static Statement,
    record: PhantomData<fn() -> R>,
}

impl<R> Lookups<R> {
    pub(super) fn new(connections: &Arc<Connections>, select_each: &'static Statement) -> Self {
        Self { connections: Arc::clone(connections), select_each, record: PhantomData }
    }
}

impl<R: Record + Send + 'static> Batched for Lookups<R> {
    type Asked = [u8; 16];
    type Answer = Option<R>;

    async fn serve(&self, mut batch: Vec<Waiting<Self::Asked, Self::Answer>>) {
        batch.retain(Waiting::is_wanted);
        if batch.is_empty() {
            return;
        }
        // However many ask for one record, its row comes once.
        let asked: BTreeSet<[u8; 16]> = batch.iter().map(|waiting| waiting.asked).collect();
        let ids = asked.into_iter().map(|id| Some(Uuid::from_bytes(id))).collect();
        match self.connections.ask(self.select_each, &[&Column::Ids(ids)]).await {
            Ok(rows) => {
                let found = by_id(&rows);
                for waiting in batch {
                    let row = found.get(&waiting.asked);
                    // A record that cannot be read is an error of its own callers.
                    let record: Result<Option<R>, StoreError> =
                        row.map(|row| R::from_row(*row)).transpose();
                    waiting.answer(record);
                }
            }
            Err(fault) => {
                let fault = Shared::new(fault);
                for waiting in batch {
                    waiting.answer(Err(shared_error(&fault)));
                }
            }
        }
    }
}

fn by_id(rows: &[Row]) -> HashMap<[u8; 16], &Row> {
    rows.iter().filter_map(|row| Some((row.id(0).ok().flatten()?, row))).collect()
}
