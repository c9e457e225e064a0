//! Connections: how one comes about, how many there are, and when one is thrown away.
//!
//! A connection is used again only after an answer that leaves it well. Any other throws it away, and
//! every idle one with it: they lead to the server that has just failed.

use std::{
    collections::HashSet,
    future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, NoTls, Row,
    config::{SslMode, TargetSessionAttrs},
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    fault::{Fault, innermost},
    group::Run,
    rows::Typed,
    together::{self, Patience},
};
use crate::{
    config::{PostgresConfig, PostgresUrl},
    metrics::DatabaseMetrics,
    store::{DatabaseFigures, sql::Statement},
};

/// What the server's list of sessions calls us, unless the URL says otherwise.
const APPLICATION: &str = "doorward";

/// How much longer is waited for an answer than the server is told to work on it: its own refusal is
/// certain, and silence is not.
const STATEMENT_GRACE: Duration = Duration::from_millis(500);

/// The values of a statement's parameters. With their types, a statement can be sent in one round trip.
pub(super) type Parameters<'a> = &'a [&'a dyn Typed];

/// Why connections cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsFault {
    /// The file of authorities.
    #[error("postgres.ca_file, {}, cannot be used: {reason}", file.display())]
    File { file: PathBuf, reason: String },
    /// This machine trusts nobody.
    #[error("this machine has no certificates of authorities; name a file in postgres.ca_file")]
    Nobody,
}

/// A connection, and the task that moves what goes over it.
pub(super) type Connected = (Client, JoinHandle<()>);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    /// A server said no, or nobody is there.
    #[error("{}", innermost(.0))]
    Refused(tokio_postgres::Error),
    /// No server answered in its time.
    #[error("no answer within postgres.connect_timeout_seconds")]
    Late,
}

/// The servers of a URL: asked one after the other, beginning with the one that accepted last.
pub(super) struct Servers {
    configs: Vec<Config>,
    /// `None` for plain connections.
    tls: Option<MakeRustlsConnect>,
    connect_timeout: Duration,
    last: AtomicUsize,
}

impl Servers {
    pub(super) fn new(url: &PostgresUrl, settings: &PostgresConfig) -> Result<Self, TlsFault> {
        let connect_timeout = Duration::from_secs(settings.connect_timeout_seconds);
        let tls = if url.is_encrypted() { Some(tls(settings.ca_file.as_deref())?) } else { None };
        let configs = url.servers().iter().cloned().map(|mut config| {
            let password = settings.password.reveal();
            if !password.is_empty() {
                config.password(password);
            }
            if config.get_application_name().is_none() {
                config.application_name(APPLICATION);
            }
            if config.get_target_session_attrs() == TargetSessionAttrs::Any {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
            config.connect_timeout(connect_timeout);
            config
        });
        Ok(Self { configs: configs.collect(), tls, connect_timeout, last: AtomicUsize::new(0) })
    }

    /// A connection to the first server that accepts one in its time; the error of the last otherwise.
    pub(super) async fn connect(&self) -> Result<Connected, Unreachable> {
        let first = self.last.load(Ordering::Relaxed);
        let mut fault = Unreachable::Late;
        for index in (0..self.configs.len()).map(|step| (first + step) % self.configs.len()) {
            match timeout(self.connect_timeout, self.connect_to(&self.configs[index])).await {
                Ok(Ok(connected)) => {
                    self.last.store(index, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => fault = Unreachable::Refused(error),
                Err(_late) => {}
            }
        }
        Err(fault)
    }

    /// The longest that [`Self::connect`] takes.
    fn connects_within(&self) -> Duration {
        self.connect_timeout * u32::try_from(self.configs.len()).unwrap_or(u32::MAX)
    }

    async fn connect_to(&self, config: &Config) -> Result<Connected, tokio_postgres::Error> {
        if let Some(tls) = &self.tls {
            let (client, connection) = config.connect(tls.clone()).await?;
            return Ok((client, drive(connection)));
        }
        let (client, connection) = config.connect(NoTls).await?;
        Ok((client, drive(connection)))
    }
}

/// Moves what goes over a connection until its client is dropped.
#[expect(clippy::disallowed_methods, reason = "ends with the client whose connection it is")]
fn drive(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async {
        // Whoever waits on the connection learns of its end.
        drop(connection.await);
    })
}

fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, TlsFault> {
    let roots = ca_file.map_or_else(known_here, known_from)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The authorities that this machine trusts.
fn known_here() -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsFault::Nobody) } else { Ok(roots) }
}

/// The authorities of a file.
fn known_from(file: &Path) -> Result<RootCertStore, TlsFault> {
    let fault = |reason: String| TlsFault::File { file: file.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(error.to_string()))?;
    for certificate in certificates {
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() { Err(fault("it holds no certificate".to_owned())) } else { Ok(roots) }
}

/// Makes the connections of the pool.
struct Fresh {
    servers: Arc<Servers>,
    /// What a new connection is told first; empty behind a pooler, where it is nobody's in particular.
    greeting: String,
}

impl Connect for Fresh {
    fn connect(
        &self,
        _one_of_many: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<Connected, tokio_postgres::Error>> + Send + '_>> {
        Box::pin(async move {
            let (client, driver) = match self.servers.connect().await {
                Ok(connected) => connected,
                Err(Unreachable::Refused(error)) => return Err(error),
                // The driver has no error for this, and whoever waits has waited long enough as well.
                Err(Unreachable::Late) => future::pending().await,
            };
            if !self.greeting.is_empty() {
                client.batch_execute(&self.greeting).await?;
            }
            Ok((client, driver))
        })
    }
}

/// A bounded number of connections, made when first needed.
pub(super) struct Connections {
    pool: Pool,
    pub(super) has_prepared_statements: bool,
    /// How long to wait for a connection, be it another's or a new one.
    patience: Duration,
    statement_timeout: Duration,
    pub(super) metrics: DatabaseMetrics,
}

impl Connections {
    pub(super) fn new(
        servers: Arc<Servers>,
        settings: &PostgresConfig,
        statement_timeout: Duration,
    ) -> Self {
        let wait = Duration::from_secs(settings.wait_timeout_seconds);
        let patience = wait + servers.connects_within() + STATEMENT_GRACE;
        // The promise of every registration: what is answered is on the disk, and on the synchronous
        // standbys where there are some.
        let greeting = format!(
            "SET synchronous_commit = on; SET statement_timeout = {}",
            statement_timeout.as_millis()
        );
        let fresh = Fresh {
            servers,
            greeting: if settings.prepared_statements { greeting } else { String::new() },
        };
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(Config::new(), fresh, recycling);
        let pool = Pool::builder(manager)
            .max_size(settings.connections_max)
            .wait_timeout(Some(wait))
            .create_timeout(None)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can be built");
        Self {
            pool,
            has_prepared_statements: settings.prepared_statements,
            patience,
            statement_timeout: statement_timeout + STATEMENT_GRACE,
            metrics: DatabaseMetrics::default(),
        }
    }

    /// How many connections there are, and what was counted.
    pub(super) fn figures(&self) -> DatabaseFigures {
        let (pool, counted) = (self.pool.status(), &self.metrics);
        DatabaseFigures {
            open: pool.size as u64,
            idle: pool.available as u64,
            waiting: pool.waiting as u64,
            batches: counted.batches.value(),
            batched: counted.batched.value(),
            retries: counted.retries.value(),
            settled: counted.settled.value(),
            unsettled: counted.unsettled.value(),
            discarded: counted.discarded.value(),
        }
    }

    /// The rows that a statement returns. One round trip, and a transaction of its own.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let borrowed = self.borrow().await?;
        let answer = self.query_on(&borrowed, statement, parameters).await;
        borrowed.give_back(answer)
    }

    /// The number of rows that a statement changes. One round trip, and a transaction of its own.
    pub(super) async fn execute(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<usize, Fault> {
        let borrowed = self.borrow().await?;
        let answer = self.execute_on(&borrowed, statement, parameters).await;
        borrowed.give_back(answer)
    }

    /// Makes an attempt, and another one after a fault that `is_passing`.
    pub(super) async fn twice<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        is_passing: fn(&Fault) -> bool,
        attempt: impl Fn() -> F,
    ) -> Result<T, Fault> {
        match attempt().await {
            Err(fault) if is_passing(&fault) => {
                self.metrics.retries.add_one();
                attempt().await
            }
            outcome => outcome,
        }
    }

    /// Asks what changes nothing, once more when the connection turns out to be of no use.
    pub(super) async fn ask(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Fault> {
        self.twice(Fault::is_worth_another_try, || self.query(statement, parameters)).await
    }

    /// Makes a change that, made twice, is made once; again when it surely was not made.
    pub(super) async fn change(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<usize, Fault> {
        self.twice(Fault::is_certain_and_passing, || self.execute(statement, parameters)).await
    }

    /// Makes exchanges in one transaction, all or none of them; returns the records that each statement changed.
    pub(super) async fn exchange(
        &self,
        runs: &[Run<'_>],
        patience: Patience,
    ) -> Result<Vec<HashSet<[u8; 16]>>, Fault> {
        let borrowed = self.borrow().await?;
        let answer = together::exchange_on(self, &borrowed, runs, patience).await;
        borrowed.give_back(answer)
    }

    /// As [`Self::query`], in the transaction of a connection.
    pub(super) async fn query_on(
        &self,
        borrowed: &Borrowed<'_>,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let client = borrowed.client();
        self.in_time(async {
            if self.has_prepared_statements {
                let prepared =
                    client.prepare_typed_cached(statement.postgres, &types(parameters)).await?;
                client.query(&prepared, &untyped(parameters)).await
            } else {
                client.query_typed(statement.postgres, &typed(parameters)).await
            }
        })
        .await
    }

    /// As [`Self::execute`], in the transaction of a connection.
    pub(super) async fn execute_on(
        &self,
        borrowed: &Borrowed<'_>,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<usize, Fault> {
        let client = borrowed.client();
        let changed = self.in_time(async {
            if self.has_prepared_statements {
                let prepared =
                    client.prepare_typed_cached(statement.postgres, &types(parameters)).await?;
                client.execute(&prepared, &untyped(parameters)).await
            } else {
                client.execute_typed(statement.postgres, &typed(parameters)).await
            }
        });
        Ok(usize::try_from(changed.await?).unwrap_or(usize::MAX))
    }

    /// Begins or ends a transaction.
    pub(super) async fn control(
        &self,
        borrowed: &Borrowed<'_>,
        command: &'static str,
    ) -> Result<(), Fault> {
        self.in_time(borrowed.client().batch_execute(command)).await
    }

    /// Refuses what is asked from now on, and drops every connection once its statement has an answer.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    pub(super) async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        match timeout(self.statement_timeout, asked).await {
            Ok(answer) => answer.map_err(Fault::Failed),
            Err(_) => Err(Fault::Late(self.statement_timeout)),
        }
    }

    pub(super) async fn borrow(&self) -> Result<Borrowed<'_>, Fault> {
        let client = match timeout(self.patience, self.pool.get()).await {
            Ok(client) => client.map_err(Fault::NoConnection)?,
            Err(_) => return Err(Fault::NoConnection(PoolError::Timeout(TimeoutType::Create))),
        };
        Ok(Borrowed { connections: self, client: Some(client) })
    }
}

pub(super) fn types(parameters: Parameters<'_>) -> Vec<Type> {
    parameters.iter().map(|one| one.kind()).collect()
}

pub(super) fn untyped(parameters: Parameters<'_>) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|one| *one as &(dyn ToSql + Sync)).collect()
}

pub(super) fn typed(parameters: Parameters<'_>) -> Vec<(&(dyn ToSql + Sync), Type)> {
    untyped(parameters).into_iter().zip(types(parameters)).collect()
}

/// A connection on loan. Unless it is given back well, it is thrown away: whoever asked may have stopped
/// waiting, and the answer to come is not the next one's.
pub(super) struct Borrowed<'pool> {
    connections: &'pool Connections,
    client: Option<Object>,
}

impl Borrowed<'_> {
    pub(super) fn client(&self) -> &Object {
        self.client.as_ref().expect("a connection is on loan until it is given back")
    }

    pub(super) fn give_back<T>(mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        let is_well = match &answer {
            Ok(_) => true,
            Err(fault) => fault.meaning().leaves_the_connection_well(),
        };
        if is_well {
            drop(self.client.take());
        } else {
            let idle = self.connections.pool.retain(|_, _| false);
            self.connections.metrics.discarded.add(idle.removed.len() as u64);
        }
        answer
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.connections.metrics.discarded.add_one();
            drop(Object::take(client));
        }
    }
}
