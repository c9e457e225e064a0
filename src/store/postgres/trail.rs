//! The trail behind a place.

use super::{Postgres, rows::parameters, rows::records};
use crate::store::{
    ClientRecord, EventRecord, StoreError, TrailPosition,
    column::{Value, corrupt},
    sql::Statement,
    statements::webhooks,
    webhooks::{Placed, clients_behind, events_behind},
};

impl Postgres {
    /// Events and clients that transactions stored which have all ended. Each statement has a snapshot of its own; what
    /// comes later than the horizon is left to the next page.
    pub(in crate::store) async fn behind(
        &self,
        position: &TrailPosition,
        limit: usize,
    ) -> Result<(Vec<Placed<EventRecord>>, Vec<Placed<ClientRecord>>), StoreError> {
        let row = self.ask(&webhooks::HORIZON, &[]).await?;
        let horizon = row.first().and_then(|row| row.try_get::<_, i64>(0).ok());
        let horizon = horizon.and_then(|horizon| u64::try_from(horizon).ok()).unwrap_or_default();
        if horizon < position.events_at.max(position.clients_at) {
            return Err(corrupt("the cursor of a webhook".to_owned(), ANOTHER_CLUSTER));
        }
        let events = events_behind(position, limit, Some(horizon));
        let clients = clients_behind(position, limit, Some(horizon));
        Ok((
            records(&self.ask(&webhooks::SELECT_EVENTS, &parameters(&events)).await?)?,
            records(&self.ask(&webhooks::SELECT_CLIENTS, &parameters(&clients)).await?)?,
        ))
    }

    /// Runs a statement that changes something, as a transaction of its own.
    pub(in crate::store) async fn execute(
        &self,
        statement: &'static Statement,
        values: &[Value<'_>],
    ) -> Result<usize, StoreError> {
        self.change(statement, &parameters(values)).await
    }
}

const ANOTHER_CLUSTER: &str = "its tables were restored into another database cluster, which counts transactions \
    anew: see \"Restore a database\" in docs/run/webhooks.md";
