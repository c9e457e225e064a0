//! How many clients have which standing, counted in small steps.

use super::{
    ClientRecord, Standing, Store, StoreError,
    column::{Record, Row, Value, columns, first_after},
    statements::clients,
};
use crate::client::ClientId;

/// How many clients one step counts.
const CLIENTS_MAX: usize = 5_000;

columns! {
    /// How many clients have a standing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct StandingCount {
        /// The standing.
        pub standing: Standing = "standing",
        /// The number of clients.
        pub clients: u64 = "count(*)",
    }
}

/// Selected alone.
impl Record for ClientId {
    const TABLE: &'static str = <ClientRecord as Record>::TABLE;
    const NAMES: &'static str = "client_id";

    fn name(_: &impl Row) -> String {
        "the identifier of a client".to_owned()
    }
}

/// Selected, never inserted.
impl Record for StandingCount {
    const TABLE: &'static str = <ClientRecord as Record>::TABLE;
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "the number of clients".to_owned()
    }
}

impl Store {
    /// How many registered clients have each standing other than active.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standings(&self) -> Result<Vec<StandingCount>, StoreError> {
        self.select(&clients::COUNT_STANDINGS, Vec::new()).await
    }

    /// Counts the next clients of any standing, beginning after `after`: how many, and the last one unless no more follow.
    /// The caller sets the pace.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_clients_after(
        &self,
        after: Option<ClientId>,
    ) -> Result<(u64, Option<ClientId>), StoreError> {
        let Some(first) = first_after(after).map(Value::Id) else { return Ok((0, None)) };
        let parameters = vec![first.clone(), Value::limit(CLIENTS_MAX - 1)];
        let last: Option<ClientId> = self.select_one(&clients::SELECT_AHEAD, parameters).await?;
        if last.is_some() {
            return Ok((CLIENTS_MAX as u64, last));
        }
        let rest: Option<StandingCount> =
            self.select_one(&clients::COUNT_FROM, vec![first]).await?;
        Ok((rest.map_or(0, |rest| rest.clients), None))
    }
}
