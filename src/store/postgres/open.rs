//! Opening a database, and saying in one line what is wrong with it and what to do.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Postgres, Writers,
    batch::Keeper,
    connect::{Connections, Servers, TlsFault, Unreachable},
    gatherer::Queue,
    group::Groups,
    lookups::Lookups,
    schema::{self, MIGRATIONS, SchemaFault, Standing, Told, VERSION},
    seconds,
};
use crate::{
    config::{PostgresConfig, PostgresUrl},
    store::{Access, statements},
};

/// How long a statement of a command may take: it may count or walk all there is.
const COMMAND_PATIENCE: Duration = Duration::from_hours(1);

/// Why a database could not be opened: one line for the operator that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers, or nobody lets us in.
    #[error(
        "the database {database} cannot be reached: {reason}; check the server, the network, and \
         the password"
    )]
    Unreachable {
        /// The URL, without its password.
        database: String,
        /// What the last of its servers said.
        reason: String,
    },
    /// There is no way to know the server by its certificate.
    #[error("the database {database} cannot be known by its certificate: {reason}")]
    Certificates {
        /// The URL, without its password.
        database: String,
        /// What is wrong.
        reason: String,
    },
    /// The tables are not there, or are those of an earlier release.
    #[error(
        "the database {database} has tables of version {found}, and this release needs version {needed}; \
         run `doorward migrate up` with the same settings"
    )]
    Unmigrated {
        /// The URL, without its password.
        database: String,
        /// The version of its tables; 0 when there are none.
        found: usize,
        /// The version that is needed.
        needed: usize,
    },
    /// The tables are those of a later release, which does not let this one work on them.
    #[error(
        "the database {database} has tables of version {found}, and this release knows versions up to \
         {known}; run the release that made them or a later one"
    )]
    Newer {
        /// The URL, without its password.
        database: String,
        /// The version of its tables.
        found: usize,
        /// The latest version that this release knows.
        known: usize,
    },
    /// A commit would be answered before it is on the disk.
    #[error(
        "the database {database} answers before a commit is durable; run \
         `ALTER ROLE … SET synchronous_commit = on` for its user"
    )]
    NotDurable {
        /// The URL, without its password.
        database: String,
    },
    /// The tables could not be looked at or brought up to date.
    #[error("the tables of the database {database} are not up to date: {reason}")]
    Failed {
        /// The URL, without its password.
        database: String,
        /// What was in the way.
        reason: String,
    },
}

/// The tables before and after a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was found.
    pub from: usize,
    /// The version that is there now.
    pub to: usize,
}

/// Errors about one database.
struct About<'a>(&'a PostgresUrl);

impl About<'_> {
    fn servers(&self, settings: &PostgresConfig) -> Result<Servers, OpenError> {
        Servers::new(self.0, settings).map_err(|fault: TlsFault| OpenError::Certificates {
            database: self.0.to_string(),
            reason: fault.to_string(),
        })
    }

    fn unreachable(&self, fault: &Unreachable) -> OpenError {
        OpenError::Unreachable { database: self.0.to_string(), reason: fault.to_string() }
    }

    fn failed(&self, fault: &SchemaFault) -> OpenError {
        OpenError::Failed { database: self.0.to_string(), reason: fault.to_string() }
    }

    fn require(&self, found: Standing) -> Result<(), OpenError> {
        let database = self.0.to_string();
        match found {
            Standing::Current | Standing::NewerAndCompatible(_) => Ok(()),
            Standing::Newer(found) => Err(OpenError::Newer { database, found, known: VERSION }),
            Standing::Nothing | Standing::Older(_) => {
                Err(OpenError::Unmigrated { database, found: found.version(), needed: VERSION })
            }
        }
    }
}

/// Opens a database. Only a server may be told to bring its tables up to date.
pub(super) async fn open(
    url: &PostgresUrl,
    settings: &PostgresConfig,
    access: Access,
) -> Result<Postgres, OpenError> {
    let about = About(url);
    let servers = Arc::new(about.servers(settings)?);
    let (client, _driver) = servers.connect().await.map_err(|fault| about.unreachable(&fault))?;
    let look = async || {
        schema::look(&client).await.map_err(|error| about.failed(&SchemaFault::from(error)))
    };
    let mut found = look().await?;
    if access == Access::Serve
        && settings.migrate_at_start
        && matches!(found, Standing::Nothing | Standing::Older(_))
    {
        schema::migrate(&client, MIGRATIONS).await.map_err(|fault| about.failed(&fault))?;
        found = look().await?;
    }
    about.require(found)?;
    if !settings.prepared_statements {
        // Behind a pooler nothing can be set for good: what holds for everyone must be right.
        let shown = client.simple_query("SHOW synchronous_commit").await;
        let shown = shown.map_err(|error| about.failed(&SchemaFault::Database(Told(error))))?;
        if schema::first_row(&shown) == Some([Some("off".to_owned())]) {
            return Err(OpenError::NotDurable { database: url.to_string() });
        }
    }
    Ok(start(servers, settings, access))
}

fn start(servers: Arc<Servers>, settings: &PostgresConfig, access: Access) -> Postgres {
    let statement_timeout = match access {
        Access::Serve => seconds(settings.statement_timeout_seconds),
        Access::Import | Access::Command | Access::Read => COMMAND_PATIENCE,
    };
    let connections = Arc::new(Connections::new(servers, settings, statement_timeout));
    let closing = CancellationToken::new();
    let tasks = TaskTracker::new();
    let clients = Lookups::new(&connections, &statements::clients::SELECT_EACH);
    let grants = Lookups::new(&connections, &statements::grants::SELECT_EACH);
    let writers = (access != Access::Read).then(|| {
        let keeper = Keeper {
            connections: Arc::clone(&connections),
            settle_timeout: seconds(settings.settle_timeout_seconds),
        };
        let groups = Groups { connections: Arc::clone(&connections), tasks: tasks.clone() };
        Writers {
            registrations: Queue::start(keeper, settings, &closing, &tasks),
            exchanges: Queue::start(groups, settings, &closing, &tasks),
        }
    });
    Postgres {
        clients: Queue::start(clients, settings, &closing, &tasks),
        grants: Queue::start(grants, settings, &closing, &tasks),
        writers,
        connections,
        closing,
        tasks,
    }
}

/// Brings the tables of a database up to date, beside servers or not.
///
/// # Errors
/// [`OpenError`], one line for the operator.
pub async fn migrate(url: &PostgresUrl, settings: &PostgresConfig) -> Result<Migrated, OpenError> {
    let about = About(url);
    let servers = about.servers(settings)?;
    let (client, _driver) = servers.connect().await.map_err(|fault| about.unreachable(&fault))?;
    let from = schema::migrate(&client, MIGRATIONS).await.map_err(|fault| about.failed(&fault))?;
    let found =
        schema::look(&client).await.map_err(|error| about.failed(&SchemaFault::from(error)))?;
    about.require(found)?;
    Ok(Migrated { from, to: found.version() })
}

/// Looks at the tables of a database.
///
/// # Errors
/// [`OpenError`], one line for the operator.
pub async fn look(
    url: &PostgresUrl,
    settings: &PostgresConfig,
) -> Result<(Standing, Result<(), OpenError>), OpenError> {
    let about = About(url);
    let servers = about.servers(settings)?;
    let (client, _driver) = servers.connect().await.map_err(|fault| about.unreachable(&fault))?;
    let found =
        schema::look(&client).await.map_err(|error| about.failed(&SchemaFault::from(error)))?;
    Ok((found, about.require(found)))
}
