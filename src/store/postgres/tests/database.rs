//! A database for one test: a schema of its own in the server that `DOORWARD_TEST_POSTGRES` names.

use std::{env, sync::Arc, thread};

use tokio_postgres::{Client, NoTls};

use super::super::{Access, Migrated, OpenError, Postgres, open};
use crate::config::{Config, PostgresConfig, PostgresUrl};
use crate::store::{self, Store, contract::left_out::left_out};

/// What a test keeps at hand of its database.
pub(super) struct Database {
    server: String,
    schema: String,
    pub(super) settings: PostgresConfig,
    /// Another host than the server's, which leads there as well.
    pub(super) host: Option<&'static str>,
    /// Another port than the server's, such as that of a proxy.
    pub(super) port: Option<u16>,
    pub(super) sslmode: &'static str,
    /// Settings of the session.
    pub(super) options: Vec<&'static str>,
}

impl Database {
    /// One without tables; `None`, said loudly, where there is no server.
    pub(super) async fn empty() -> Option<Self> {
        let Some(server) = env::var_os("DOORWARD_TEST_POSTGRES") else {
            left_out("the store in PostgreSQL (DOORWARD_TEST_POSTGRES names no server)");
            return None;
        };
        let server = server.into_string().unwrap();
        let test = thread::current().name().unwrap().replace("::", "_");
        // As long as a name may be, and the end of it says which test it is.
        let schema = format!("t_{}", test.get(test.len().saturating_sub(60)..).unwrap());
        let database = Self {
            server,
            schema,
            settings: Config::default().postgres,
            host: None,
            port: None,
            sslmode: "disable",
            options: Vec::new(),
        };
        let (client, connection) = tokio_postgres::connect(&database.server, NoTls).await.unwrap();
        tokio_util::task::TaskTracker::new().spawn(connection);
        let schema = &database.schema;
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        client.batch_execute(&sql).await.unwrap();
        Some(database)
    }

    /// One with the tables of this release.
    pub(super) async fn migrated() -> Option<Self> {
        let database = Self::empty().await?;
        database.migrate().await.unwrap();
        Some(database)
    }

    pub(super) async fn migrate(&self) -> Result<Migrated, OpenError> {
        open::migrate(&self.url(), &self.settings).await
    }

    pub(super) async fn open(&self, access: Access) -> Result<Arc<Store>, OpenError> {
        let opened = Postgres::open(&self.url(), &self.settings, access).await?;
        Ok(Arc::new(store::Database::Postgres(opened).into()))
    }

    /// What an operator reads when it cannot be opened.
    pub(super) async fn refusal(&self, access: Access) -> String {
        let line = self.open(access).await.err().expect("the store is refused").to_string();
        assert!(!line.contains('\n'), "one line: {line:?}");
        line
    }

    pub(super) fn url(&self) -> PostgresUrl {
        let mut options = vec![format!("search_path={}", self.schema)];
        options.extend(self.options.iter().map(ToString::to_string));
        let options = format!("-c{}", options.join(" -c")).replace(' ', "%20").replace('=', "%3D");
        let (scheme, rest) = self.server.split_once("://").unwrap();
        let (place, database) = rest.split_once('/').unwrap();
        let (user, place) = place.rsplit_once('@').unwrap();
        let (host, port) = place.rsplit_once(':').unwrap();
        let host = self.host.unwrap_or(host);
        let port = self.port.map_or(port.to_owned(), |port| port.to_string());
        let parameters = format!("sslmode={}&application_name={}", self.sslmode, self.schema);
        format!("{scheme}://{user}@{host}:{port}/{database}?{parameters}&options={options}")
            .parse()
            .unwrap()
    }

    /// Where the server listens.
    pub(super) fn address(&self) -> String {
        let (_, place) = self.server.rsplit_once('@').unwrap();
        place.split_once('/').unwrap().0.to_owned()
    }

    /// Ends the sessions of the store that have nothing to do; returns how many there were.
    pub(super) async fn end_idle_sessions(&self) -> usize {
        let client = self.client().await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE application_name = $1 AND pid <> pg_backend_pid() AND state = 'idle'";
        client.query(sql, &[&self.schema]).await.unwrap().len()
    }

    /// A connection beside the store's.
    pub(super) async fn client(&self) -> Client {
        let (client, connection) = self.url().servers()[0].connect(NoTls).await.unwrap();
        tokio_util::task::TaskTracker::new().spawn(connection);
        client
    }
}
