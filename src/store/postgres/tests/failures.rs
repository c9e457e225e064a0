//! A database that is slow, silent or gone, and answers that are lost.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::{proxy::Proxy, *};

const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody but this client can write to the table until it commits.
async fn lock(client: &Client) {
    client.batch_execute("BEGIN; LOCK TABLE clients IN EXCLUSIVE MODE").await.unwrap();
}

async fn unlock(client: &Client) {
    client.batch_execute("COMMIT").await.unwrap();
}

/// Ends the sessions that wait for the lock; returns how many there were.
async fn end_waiting_sessions(client: &Client) -> usize {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks \
        WHERE NOT granted AND relation = 'clients'::regclass";
    client.query(sql, &[]).await.unwrap().len()
}

/// Starts one registration, and waits until it hangs at the lock.
async fn stuck(store: &Arc<Store>, client: &Client, record: &ClientRecord) -> Call {
    let (store, record) = (Arc::clone(store), Arc::new(record.clone()));
    let mut calls = JoinSet::new();
    calls.spawn(async move { store.register_client(record, None).await });
    wait_for_a_hanging_session(client).await;
    Call(calls)
}

async fn wait_for_a_hanging_session(client: &Client) {
    let sql = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'clients'::regclass";
    let waited = async {
        while client.query(sql, &[]).await.unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waited).await.expect("a session hangs");
}

/// A registration under way.
struct Call(JoinSet<Result<(), StoreError>>);

impl Call {
    async fn outcome(mut self) -> Result<(), StoreError> {
        timeout(PATIENCE, self.0.join_next()).await.expect("there is an outcome").unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out_on_a_new_connection() {
    let Some(mut database) = Database::migrated().await else { return };
    let proxy = Proxy::before(database.address()).await;
    database.port = Some(proxy.port);
    let store = database.open(Access::Serve).await.unwrap();
    let clients = Records::new().take(40);
    // From here on the statement is prepared, and its answer the next to come.
    store.register_client(Arc::new(clients[0].clone()), None).await.unwrap();

    for (round, some) in clients[1..].chunks(13).enumerate() {
        proxy.lose_the_next_answer();
        for outcome in register_at_once(&store, some).await {
            outcome.unwrap();
        }
        assert_eq!(proxy.lost(), round + 1);
    }
    let figures = store.database().unwrap();
    assert_eq!((figures.settled, figures.unsettled), (3, 0));
    assert!(figures.discarded >= 3 && figures.open >= 1, "{figures:?}");
    assert_eq!(figures.batched, 40);
    assert!((4..=40).contains(&figures.batches), "{figures:?}");

    assert_eq!(store.clients(&ClientFilter::default(), None, 100).await.unwrap(), clients);
}

#[tokio::test]
async fn a_batch_whose_session_is_ended_is_kept_on_a_new_connection() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let (other, record) = (database.client().await, Records::new().next());
    lock(&other).await;
    let call = stuck(&store, &other, &record).await;

    assert_eq!(end_waiting_sessions(&other).await, 1);
    wait_for_a_hanging_session(&other).await;
    unlock(&other).await;

    call.outcome().await.unwrap();
    assert_eq!(store.clients(&ClientFilter::default(), None, 10).await.unwrap(), [record]);
}

#[tokio::test]
async fn who_cannot_be_told_in_time_is_told_that_the_store_is_unavailable() {
    let Some(mut database) = Database::migrated().await else { return };
    database.settings.settle_timeout_seconds = 1;
    let store = database.open(Access::Serve).await.unwrap();
    let (other, mut records) = (database.client().await, Records::new());
    lock(&other).await;
    let call = stuck(&store, &other, &records.next()).await;

    assert_eq!(end_waiting_sessions(&other).await, 1);
    let outcome = call.outcome().await;

    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(store.database().unwrap().unsettled, 1);
    unlock(&other).await;
    store.register_client(Arc::new(records.next()), None).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_to_an_identifier_of_somebody_else_is_no_success() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let (other, record) = (database.client().await, Records::new().next());
    lock(&other).await;
    let call = stuck(&store, &other, &record).await;
    assert_eq!(end_waiting_sessions(&other).await, 1);
    let sql = "INSERT INTO clients VALUES ($1, 1, 'rfc7591', NULL, 0, '{}')";
    other.execute(sql, &[&uuid::Uuid::from(record.client_id)]).await.unwrap();
    unlock(&other).await;

    let outcome = call.outcome().await;

    assert!(matches!(outcome, Err(StoreError::Corrupt { .. })), "{outcome:?}");
    assert_eq!(store.client(record.client_id).await.unwrap().unwrap().metadata, "{}");
}

#[tokio::test]
async fn a_slow_database_lets_few_wait_and_those_not_for_long() {
    let Some(mut database) = Database::migrated().await else { return };
    database.settings.writers = 1;
    database.settings.batch_max = 4;
    database.settings.queue_max = 8;
    database.settings.wait_timeout_seconds = 1;
    database.settings.statement_timeout_seconds = 3;
    let store = database.open(Access::Serve).await.unwrap();
    let (other, mut records) = (database.client().await, Records::new());
    lock(&other).await;
    let first = stuck(&store, &other, &records.next()).await;

    let begun = Instant::now();
    let outcomes = register_at_once(&store, &records.take(40)).await;

    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Busy)), "{outcome:?}");
    }
    unlock(&other).await;
    first.outcome().await.unwrap();
    assert_eq!(
        store.count_clients().await.unwrap(),
        1,
        "nothing is kept of those who were refused"
    );
    store.register_client(Arc::new(records.next()), None).await.unwrap();
}

#[tokio::test]
async fn who_finds_every_connection_taken_is_refused_soon() {
    let Some(mut database) = Database::migrated().await else { return };
    database.settings.connections_max = 1;
    database.settings.writers = 1;
    database.settings.wait_timeout_seconds = 1;
    let store = database.open(Access::Serve).await.unwrap();
    let (other, mut records) = (database.client().await, Records::new());
    lock(&other).await;
    let client = records.next();
    let first = stuck(&store, &other, &client).await;

    let begun = Instant::now();
    let (asked, ready) = tokio::join!(store.client(client.client_id), store.ready());

    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(matches!(asked, Err(StoreError::Busy)), "{asked:?}");
    assert!(matches!(ready, Err(StoreError::Busy)), "{ready:?}");
    unlock(&other).await;
    first.outcome().await.unwrap();
    assert_eq!(store.client(client.client_id).await.unwrap(), Some(client));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_refused_and_nothing_of_it_is_kept() {
    let Some(mut database) = Database::migrated().await else { return };
    database.settings.statement_timeout_seconds = 1;
    let store = database.open(Access::Serve).await.unwrap();
    let (other, mut records) = (database.client().await, Records::new());
    lock(&other).await;

    let outcome = stuck(&store, &other, &records.next()).await.outcome().await;

    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    unlock(&other).await;
    assert_eq!(store.count_clients().await.unwrap(), 0);
}

#[tokio::test]
async fn sessions_that_were_ended_are_replaced_without_anybody_noticing() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let mut records = Records::new();
    for _ in 0..5 {
        let client = records.next();
        store.register_client(Arc::new(client.clone()), None).await.unwrap();
        assert!(database.end_idle_sessions().await > 0);
        assert_eq!(store.client(client.client_id).await.unwrap(), Some(client));
        assert!(database.end_idle_sessions().await > 0);
        store.ready().await.unwrap();
        assert!(database.end_idle_sessions().await > 0);
    }
}

#[tokio::test]
async fn a_primary_that_was_demoted_is_left_and_found_again() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let mut records = Records::new();
    let demote = async || {
        // As on a server that has become a standby, the session that is open may write no more.
        let sql = "SELECT pg_backend_pid(), \
            set_config('default_transaction_read_only', 'on', false)";
        let demote = crate::store::sql::Statement { sqlite: "", postgres: sql };
        store.postgres().connections.query(&demote, &[]).await.unwrap()[0].get::<_, i32>(0)
    };

    let first = demote().await;
    store.register_client(Arc::new(records.next()), None).await.unwrap();
    let second = demote().await;
    store.ready().await.unwrap();

    let third = demote().await;
    assert!(first != second && second != third, "{first} {second} {third}");
    assert_eq!(store.database().unwrap().retries, 2);
    assert_eq!(store.count_clients().await.unwrap(), 1);
}
