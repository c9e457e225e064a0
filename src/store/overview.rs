//! The numbers of the first page.

use super::{
    Standings, Store, StoreError,
    column::{Record, Row, Value, columns},
    sql::{Statement, sql},
};
use crate::{client::ClientId, clock::Timestamp};

/// How many there are of what operators look at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// What one statement counts.
    pub counts: Counts,
    /// Clients of both kinds that are not active.
    pub standings: Standings,
}

columns! {
    /// The numbers that one statement counts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Counts {
        /// Registered clients of every standing.
        pub clients: u64 = "clients",
        /// Clients with a metadata document that a person has allowed.
        pub document_clients: u64 = "document_clients",
        /// Registrations of the last 24 hours whose clients exist.
        pub registered_last_day: u64 = "registered_last_day",
        /// The same of the last 7 days.
        pub registered_last_week: u64 = "registered_last_week",
        /// Grants that have not ended.
        pub grants: u64 = "grants",
        /// People with such a grant.
        pub people: u64 = "people",
    }
}

/// No table has it: the row is counted.
impl Record for Counts {
    const TABLE: &'static str = "overview";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(_: &impl Row) -> String {
        "the overview".to_owned()
    }
}

/// Identifiers of clients sort by time, so that a period is a range of the primary key.
const COUNT: Statement = sql!(
    "SELECT (SELECT count(*) FROM clients) AS clients, \
     (SELECT count(*) FROM document_clients) AS document_clients, \
     (SELECT count(*) FROM clients WHERE client_id >= $1) AS registered_last_day, \
     (SELECT count(*) FROM clients WHERE client_id >= $2) AS registered_last_week, \
     (SELECT count(*) FROM grants WHERE expires_at > $3) AS grants, \
     (SELECT count(DISTINCT subject) FROM grants WHERE expires_at > $3) AS people"
);

impl Store {
    /// Counts what operators look at first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, StoreError> {
        let since = |days| Value::Id(*ClientId::first_of(now.before_days(days)).as_bytes());
        let parameters = vec![since(1), since(7), Value::moment(now)];
        let counted: Option<Counts> = self.select_one(&COUNT, parameters).await?;
        let counts =
            counted.ok_or_else(|| StoreError::Unavailable("the store counted nothing".into()))?;
        let standings = self.standings().await? + self.document_standings().await?;
        Ok(Overview { counts, standings })
    }
}
