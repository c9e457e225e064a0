//! A database for one test, when `DOORWARD_TEST_STORE=postgres` says that this run keeps its clients in the
//! server of `DOORWARD_TEST_POSTGRES`. `./check` runs some tests a second time like that.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use doorward::{config::Config, store::postgres};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

/// How many this process has made.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// The URL of a new database with the tables of this release; `None` when this run keeps clients elsewhere.
pub(crate) fn new_database() -> Option<String> {
    if env::var_os("DOORWARD_TEST_STORE")? != "postgres" {
        return None;
    }
    Some(database().expect("DOORWARD_TEST_POSTGRES names a server"))
}

/// The same for a test that uses both stores; `None` without a server.
pub(crate) fn database() -> Option<String> {
    let server = env::var_os("DOORWARD_TEST_POSTGRES")?.into_string().unwrap();
    let test = thread::current().name().unwrap_or("main").replace("::", "_");
    let test = test.get(test.len().saturating_sub(50)..).unwrap();
    let schema = format!("it_{test}_{}", MADE.fetch_add(1, Ordering::Relaxed));
    // Away from the runtime of the test, which may be none.
    let made = thread::spawn(move || Runtime::new().unwrap().block_on(make(&server, &schema)));
    Some(made.join().unwrap())
}

async fn make(server: &str, schema: &str) -> String {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    client.batch_execute(&sql).await.unwrap();
    let url = format!("{server}?options=-csearch_path%3D{schema}");
    postgres::migrate(&url.parse().unwrap(), &Config::default().postgres).await.unwrap();
    url
}
