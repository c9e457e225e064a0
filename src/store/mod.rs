//! What is kept, and the promise with which it is kept.
//!
//! Every method of [`Store`] is one whole change or one whole question: it happens entirely or not at all, and is durable
//! when it returns. A record is declared once (`record.rs`), a statement is written once (`statements/`), and a change
//! once (`changes/`), over a transaction of either database. No transaction, connection, table, or row is visible
//! outside this folder.

mod approval;
mod arrival;
mod attempts;
mod authorizations;
mod changes;
mod client_edits;
mod client_filter;
mod client_look;
mod clients;
mod column;
#[cfg(test)]
mod contract;
pub(crate) mod copy;
mod effective_standing;
pub mod embedded;
mod event_filter;
mod events;
mod expiry;
mod failing;
mod families;
mod family_edits;
mod family_filter;
mod family_record;
mod following;
mod grants;
mod initial_access_tokens;
mod operator_tokens;
mod overview;
mod parts;
mod people;
pub mod postgres;
mod readable;
mod record;
mod registrations;
mod rules;
mod sessions;
mod sql;
mod standings;
mod statements;
mod trail;
mod transaction;
mod upkeep;
mod webhooks;

use std::{path::Path, sync::Arc, time::Instant};

pub(crate) use self::family_record::family_of;
pub use self::{
    approval::{Waiting, WaitingMax},
    arrival::FamilySaid,
    attempts::{ATTEMPTS_MAX, AttemptId, AttemptPlace, AttemptRecord},
    authorizations::{Authorization, AuthorizationId},
    client_edits::{ClientEdit, ClientEdited},
    client_filter::{ClientFilter, LastUsed},
    client_look::Look,
    clients::{Deleted, Imported, StandingChanged, Transition},
    effective_standing::SuspendedFamilies,
    embedded::Access,
    event_filter::{EventFilter, EventLook, EventOrder},
    events::EventsOf,
    expiry::{Due, DuePage, Expired, Expiry, Lapse, Life, Mark, Walk, counts_from, moment},
    failing::{Failing, Failure},
    family_edits::{FamilyEdit, FamilyEdited, FamilyRemoval, RemovalBeginning},
    family_filter::{FamilyFilter, FamilyOrder, FamilyPlace},
    family_record::{FamilyAccess, FamilyClient, FamilyNames, FamilyRecord},
    following::{NoTrailPosition, TAKEN_BACK, TrailPage},
    grants::{
        Allowed, GrantFilter, GrantOfClient, NotAllowed, Purchase, Redeemed, Rotated, Rotation,
        Step,
    },
    initial_access_tokens::{
        InitialAccessTokenId, InitialAccessTokenKind, InitialAccessTokenRecord,
    },
    operator_tokens::{OperatorTokenRecord, OperatorTokenUse},
    overview::{Counts, Overview},
    parts::{ClientAge, ClientUse, DocumentClientUse, EventKey, MarkRecord},
    people::{AccessEnded, LOOKED_AT, Person, PersonChange},
    record::{
        ClientFlags, ClientRecord, ClientRegistration, ClientState, ClientTerms, CodeRecord,
        ConsentRecord, DocumentClientId, DocumentClientRecord, EventRecord, GrantRecord, KeyRecord,
        RefreshRecord, ResourceOwner, SessionId, SessionRecord, Standing,
    },
    registrations::{ClientUpdate, Generation, Updated},
    rules::{RULE_BYTES_MAX, RULES_MAX, RuleChange, RuleChanged, RuleRecord},
    standings::Standings,
    upkeep::{DatabaseFigures, KeyKept, QueueFigures, SweepPage, Swept},
    webhooks::{Lease, LeaseHolder, TrailEntry, TrailPosition, WebhookCursor},
};
use self::{
    column::{Record, Value},
    embedded::Embedded,
    postgres::Postgres,
    sql::Statement,
};
use crate::{
    config::{Config, EmbeddedConfig, StoreLocation},
    metrics::{Histogram, Label as _, StoreMetrics, StoreOperation},
    traces::StepSpan,
};

/// Everything that is kept. Its methods stand in `clients.rs`, `approval.rs`, `grants.rs`, `rules.rs`, `sessions.rs`, and `upkeep.rs`.
pub struct Store {
    database: Database,
    /// How long callers waited.
    metrics: StoreMetrics,
    /// In tests and benches: how calls fail.
    failing: Option<Arc<Failing>>,
}

enum Database {
    Embedded(Embedded),
    Postgres(Postgres),
}

impl From<Database> for Store {
    fn from(database: Database) -> Self {
        Self { database, metrics: StoreMetrics::default(), failing: None }
    }
}

impl Store {
    /// The driver of PostgreSQL.
    #[cfg(test)]
    fn postgres(&self) -> &Postgres {
        match &self.database {
            Database::Embedded(_) => panic!("the store is embedded"),
            Database::Postgres(postgres) => postgres,
        }
    }

    /// The records that a statement selects.
    async fn select<R: Record + Send + 'static>(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value<'static>>,
    ) -> Result<Vec<R>, StoreError> {
        self.check()?;
        let timed = self.timed(StoreOperation::Query, "query");
        timed.ended(self.answer(statement, parameters).await)
    }

    /// As [`Self::select`], beside requests: a test that lets some calls succeed before one fails does not count it.
    async fn select_aside<R: Record + Send + 'static>(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value<'static>>,
    ) -> Result<Vec<R>, StoreError> {
        self.check_aside()?;
        self.answer(statement, parameters).await
    }

    async fn answer<R: Record + Send + 'static>(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value<'static>>,
    ) -> Result<Vec<R>, StoreError> {
        match &self.database {
            Database::Embedded(embedded) => embedded.select(statement, parameters).await,
            Database::Postgres(postgres) => postgres.select(statement, &parameters).await,
        }
    }

    /// Records how long the caller waits, until what is returned is dropped, as a step of the request. `name` says more
    /// than the operation.
    fn timed(&self, operation: StoreOperation, name: &'static str) -> Timed<'_> {
        let system = match &self.database {
            Database::Embedded(_) => "sqlite",
            Database::Postgres(_) => "postgresql",
        };
        Timed {
            began: Instant::now(),
            histogram: &self.metrics.durations[operation],
            step: StepSpan::store(system, operation.as_str(), name),
        }
    }

    /// The first record that a statement selects.
    async fn select_one<R: Record + Send + 'static>(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value<'static>>,
    ) -> Result<Option<R>, StoreError> {
        Ok(self.select(statement, parameters).await?.into_iter().next())
    }
}

/// Records a duration when it is dropped: calls that fail or are abandoned count too.
struct Timed<'a> {
    began: Instant,
    histogram: &'a Histogram,
    step: Option<StepSpan>,
}

impl Timed<'_> {
    /// Hands an outcome on, and notes an error in the step.
    fn ended<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Some(step), Err(error)) = (&self.step, &outcome) {
            step.failed(error.kind());
        }
        outcome
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.histogram.record(self.began.elapsed());
    }
}

/// Makes a change, an expression over a [`transaction::Transaction`]: `one` of which only one statement changes
/// anything, or `whole`, of several statements that happen together. `aside` is for work in the background, which tests do
/// not make fail. `deleting` is for changes that only delete: a full
/// disk does not refuse them.
macro_rules! change {
    ($store:ident, one, |$transaction:ident| $change:expr) => {
        change!($store, alone, work, |$transaction| $change)
    };
    ($store:ident, one deleting, |$transaction:ident| $change:expr) => {
        change!($store, alone, delete, |$transaction| $change)
    };
    ($store:ident, whole, |$transaction:ident| $change:expr) => {
        change!($store, whole, work, |$transaction| $change)
    };
    ($store:ident, whole deleting, |$transaction:ident| $change:expr) => {
        change!($store, whole, delete, |$transaction| $change)
    };
    ($store:ident, aside one, |$transaction:ident| $change:expr) => {
        change!(@aside $store, alone, work, |$transaction| $change)
    };
    ($store:ident, aside whole, |$transaction:ident| $change:expr) => {
        change!(@aside $store, whole, work, |$transaction| $change)
    };
    ($store:ident, $scope:ident, $work:ident, |$transaction:ident| $change:expr) => {{
        $store.check()?;
        let timed = $store.timed(
            change!(@operation $work),
            $crate::store::name_of_change(stringify!($change)),
        );
        timed.ended(async { change!(@aside $store, $scope, $work, |$transaction| $change) }.await)
    }};
    (@aside $store:ident, $scope:ident, $work:ident, |$transaction:ident| $change:expr) => {{
        match &$store.database {
            $crate::store::Database::Embedded(embedded) => {
                let work = move |$transaction: &mut $crate::store::embedded::Direct<'_>| {
                    $crate::store::embedded::at_once($change)
                };
                embedded.$work(stringify!($scope) == "whole", work).await
            }
            $crate::store::Database::Postgres(postgres) => {
                change!(@$scope postgres, |$transaction| $change)
            }
        }
    }};
    (@operation work) => { $crate::metrics::StoreOperation::Change };
    (@operation delete) => { $crate::metrics::StoreOperation::Deletion };
    (@alone $postgres:ident, |$transaction:ident| $change:expr) => {{
        let $transaction = &mut $postgres.alone()?;
        $change.await
    }};
    (@whole $postgres:ident, |$transaction:ident| $change:expr) => {{
        let mut tries = $crate::store::postgres::Tries::default();
        loop {
            let mut whole = $postgres.whole().await?;
            let $transaction = &mut whole;
            let outcome = $change.await;
            match whole.end(outcome, &mut tries).await {
                std::ops::ControlFlow::Break(outcome) => break outcome,
                std::ops::ControlFlow::Continue(()) => {}
            }
        }
    }};
}
use change;

/// The name of a change in the expression that makes it: `redeem_code` in `changes::redeem_code(change, …)`.
const fn name_of_change(expression: &'static str) -> &'static str {
    let bytes = expression.as_bytes();
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() && bytes[end] != b'(' {
        if !(bytes[end].is_ascii_lowercase() || bytes[end] == b'_') {
            start = end + 1;
        }
        end += 1;
    }
    expression.split_at(end).0.split_at(start).1
}

/// Why a store could not be opened: one line for the operator that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The store in PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

/// Opens the store that the settings name. An embedded store blocks for some milliseconds, or while another
/// process writes; a database lives on the runtime that opens it.
///
/// # Errors
/// [`OpenError`]: one whole line for the operator.
pub async fn open(config: &Config, access: Access) -> Result<Arc<Store>, OpenError> {
    Ok(match &config.store {
        StoreLocation::Folder(folder) => open_folder(folder, &config.embedded, access)?,
        StoreLocation::Postgres(url) => {
            let opened = Postgres::open(url, &config.postgres, access).await?;
            Arc::new(Database::Postgres(opened).into())
        }
    })
}

/// Opens the embedded store in `folder`. Blocks for some milliseconds, or while another process writes.
///
/// # Errors
/// [`embedded::OpenError`]: one whole line for the operator.
pub fn open_folder(
    folder: &Path,
    settings: &EmbeddedConfig,
    access: Access,
) -> Result<Arc<Store>, embedded::OpenError> {
    let opened = Embedded::open(folder, settings, access)?;
    Ok(Arc::new(Database::Embedded(opened).into()))
}

/// Why the store could not answer. "Not found" and "already there" are no errors but outcomes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than the store lets wait. Nothing was kept; worth another try soon.
    #[error("the store is busy")]
    Busy,
    /// The store cannot be reached, or its disk is full or failing. Nothing was kept; or, where the store
    /// is another machine that fell silent, whatever was kept is told to nobody.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was read is not what was written.
    #[error("the store is corrupt: {what}")]
    Corrupt {
        /// Which record or file.
        what: String,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// The reason in a word, for traces.
    fn kind(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Corrupt { .. } => "corrupt",
        }
    }
}
