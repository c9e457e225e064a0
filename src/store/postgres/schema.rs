//! The tables, and how a database comes to have them. Forward only, a step a transaction, by one process
//! at a time.
//!
//! While nodes are brought up to date one after the other, old and new ones share the tables. So each step
//! says which version of the program can still work on what it leaves: a step that only adds keeps those
//! before it going, and what they do not know of is taken away by a later step, once none of them runs.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, SimpleQueryMessage};

/// One step, which leads from the version before it to its own. What has been released is never edited.
pub(super) struct Migration {
    /// Statements in the simple protocol.
    pub(super) sql: &'static str,
    /// The least version whose programs can work on what this step leaves: its own, or an earlier one when
    /// all it does is add.
    pub(super) compatible_from: usize,
}

/// Step `n` leads to version `n + 1`.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        sql: include_str!("../../../migrations/postgres/0001_clients.sql"),
        compatible_from: 1,
    },
    // Only adds: who knows clients alone goes on with them.
    Migration {
        sql: include_str!("../../../migrations/postgres/0002_grants.sql"),
        compatible_from: 1,
    },
    Migration {
        sql: include_str!("../../../migrations/postgres/0003_grants_of_subject.sql"),
        compatible_from: 1,
    },
    // Earlier releases cannot sign anybody in at a provider without the table.
    Migration {
        sql: include_str!("../../../migrations/postgres/0004_drop_sign_ins.sql"),
        compatible_from: 4,
    },
    // Only adds.
    Migration {
        sql: include_str!("../../../migrations/postgres/0005_governance.sql"),
        compatible_from: 4,
    },
    // Only adds.
    Migration {
        sql: include_str!("../../../migrations/postgres/0006_operators.sql"),
        compatible_from: 4,
    },
    // Only adds.
    Migration {
        sql: include_str!("../../../migrations/postgres/0007_families.sql"),
        compatible_from: 4,
    },
    // Only adds.
    Migration {
        sql: include_str!("../../../migrations/postgres/0008_families_of_clients.sql"),
        compatible_from: 4,
    },
    // Only drops an index.
    Migration {
        sql: include_str!("../../../migrations/postgres/0009_arrivals_by_client.sql"),
        compatible_from: 4,
    },
    // Programs before version 8 count clients in the table that it empties.
    Migration {
        sql: include_str!("../../../migrations/postgres/0010_family_clients.sql"),
        compatible_from: 8,
    },
];

/// The version that this release works on.
pub const VERSION: usize = MIGRATIONS.len();

/// What the steps themselves need. Made without a lease, by whoever comes first: before it there is none to
/// hold.
const LEDGER: &str = "
    CREATE TABLE IF NOT EXISTS schema_versions (
        version         bigint      NOT NULL PRIMARY KEY,
        compatible_from bigint      NOT NULL, -- the least version whose programs can work on it
        applied_at      timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS leases (
        name   text        NOT NULL PRIMARY KEY,
        holder uuid        NOT NULL,
        until  timestamptz NOT NULL
    )";

/// How long a lease lasts when its holder dies. While a step runs, its transaction holds the row, however
/// long that takes.
const LEASE: &str = "interval '30 seconds'";

/// How long to wait for another process that migrates.
const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at a lease of somebody else.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of ours.
    Nothing,
    /// The tables of an earlier version.
    Older(usize),
    /// The tables of this release.
    Current,
    /// The tables of a later release, which this one can work on.
    NewerAndCompatible(usize),
    /// The tables of a later release, which this one cannot work on.
    Newer(usize),
}

impl Standing {
    /// The version of the tables; 0 when there are none.
    pub fn version(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Current => VERSION,
            Self::Older(found) | Self::NewerAndCompatible(found) | Self::Newer(found) => found,
        }
    }

    /// Whether servers whose tables these are can work on the tables of this release.
    pub fn can_follow(self) -> bool {
        MIGRATIONS.last().is_some_and(|last| last.compatible_from <= self.version())
    }
}

/// Why the tables could not be looked at or brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaFault {
    /// Another process holds the lease.
    #[error("another process brings its tables up to date; try again when it has ended")]
    Held,
    /// The lease was lost to another process.
    #[error("another process took over; look at `doorward migrate status`")]
    Lost,
    /// The database refused.
    #[error("{0}")]
    Database(Told),
}

impl From<tokio_postgres::Error> for SchemaFault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(Told(error))
    }
}

/// What the database said.
#[derive(Debug)]
pub(super) struct Told(pub(super) tokio_postgres::Error);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(said) => write!(f, "{} ({})", said.message(), said.code().code()),
            None => self.0.fmt(f),
        }
    }
}

/// Looks at a database without changing it.
pub(super) async fn look(client: &Client) -> Result<Standing, tokio_postgres::Error> {
    let latest =
        "SELECT version, compatible_from FROM schema_versions ORDER BY version DESC LIMIT 1";
    let rows = match client.simple_query(latest).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE) => {
            return Ok(Standing::Nothing);
        }
        Err(error) => return Err(error),
    };
    let Some([version, compatible_from]) = first_row(&rows) else { return Ok(Standing::Nothing) };
    let number =
        |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    Ok(standing(number(version), number(compatible_from)))
}

fn standing(version: usize, compatible_from: usize) -> Standing {
    match version {
        0 => Standing::Nothing,
        VERSION => Standing::Current,
        older if older < VERSION => Standing::Older(older),
        newer if compatible_from <= VERSION => Standing::NewerAndCompatible(newer),
        newer => Standing::Newer(newer),
    }
}

/// Takes the steps that a database lacks, one transaction each; returns how many there were before.
pub(super) async fn migrate(client: &Client, steps: &[Migration]) -> Result<usize, SchemaFault> {
    make_ledger(client).await?;
    let holder = acquire(client).await?;
    let outcome = take_steps(client, steps, &holder).await;
    // Another process need not wait for the lease to run out, whatever became of the steps.
    let released = client
        .batch_execute(&format!(
            "DELETE FROM leases WHERE name = 'migrate' AND holder = '{holder}'"
        ))
        .await;
    let before = outcome?;
    released?;
    Ok(before)
}

/// Two processes that make the same table at once can be in each other's way, though each asks whether it
/// is there.
async fn make_ledger(client: &Client) -> Result<(), tokio_postgres::Error> {
    match client.batch_execute(LEDGER).await {
        Err(error) if error.as_db_error().is_some() => client.batch_execute(LEDGER).await,
        outcome => outcome,
    }
}

async fn acquire(client: &Client) -> Result<String, SchemaFault> {
    let sql = format!(
        "INSERT INTO leases (name, holder, until) VALUES ('migrate', gen_random_uuid(), now() + {LEASE}) \
         ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until \
         WHERE leases.until < now() RETURNING holder"
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some([Some(holder)]) = first_row(&client.simple_query(&sql).await?) {
            return Ok(holder);
        }
        if Instant::now() >= deadline {
            return Err(SchemaFault::Held);
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn take_steps(
    client: &Client,
    steps: &[Migration],
    holder: &str,
) -> Result<usize, SchemaFault> {
    let before = look(client).await?.version();
    for (index, step) in steps.iter().enumerate().skip(before) {
        let outcome = take_step(client, step, index + 1, holder).await;
        if outcome.is_err() {
            // A transaction that failed is over either way; the connection goes on.
            client.batch_execute("ROLLBACK").await?;
        }
        outcome?;
    }
    Ok(before)
}

async fn take_step(
    client: &Client,
    step: &Migration,
    version: usize,
    holder: &str,
) -> Result<(), SchemaFault> {
    client.batch_execute("BEGIN").await?;
    // Holds the row to the end of the step: whoever finds the lease run out waits for it.
    let held = format!(
        "SELECT holder FROM leases WHERE name = 'migrate' AND holder = '{holder}' FOR UPDATE"
    );
    if first_row::<1>(&client.simple_query(&held).await?).is_none() {
        return Err(SchemaFault::Lost);
    }
    client.batch_execute(step.sql).await?;
    let compatible_from = step.compatible_from;
    let done = format!(
        "INSERT INTO schema_versions (version, compatible_from) VALUES ({version}, {compatible_from}); \
         UPDATE leases SET until = now() + {LEASE} WHERE name = 'migrate'; COMMIT"
    );
    Ok(client.batch_execute(&done).await?)
}

/// The columns of the first row, if there is one.
pub(super) fn first_row<const N: usize>(
    messages: &[SimpleQueryMessage],
) -> Option<[Option<String>; N]> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some(std::array::from_fn(|column| row.get(column).map(str::to_owned)))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_good_as_far_back_as_it_says() {
        assert_eq!(standing(0, 0), Standing::Nothing);
        assert_eq!(standing(VERSION, VERSION), Standing::Current);
        assert_eq!(standing(VERSION + 1, VERSION), Standing::NewerAndCompatible(VERSION + 1));
        assert_eq!(standing(VERSION + 2, VERSION + 1), Standing::Newer(VERSION + 2));
    }

    #[test]
    fn every_step_is_compatible_with_itself_or_earlier_ones() {
        for (index, step) in MIGRATIONS.iter().enumerate() {
            assert!((1..=index + 1).contains(&step.compatible_from), "step {index}");
        }
    }
}
