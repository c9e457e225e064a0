//! What is promised of the store in PostgreSQL beyond the contract of every store. `tests/services.py` starts
//! a server for them.

mod database;
mod exchanges;
mod failures;
mod proxy;
mod schema;

use crate::{audit::Action, store::contract::by};
use std::sync::Arc;

use tokio::task::JoinSet;

use self::database::Database;
use super::{Access, OpenError, Postgres};
use crate::store::{
    ClientFilter, ClientRecord, ClientTerms, ClientUpdate, Deleted, FamilySaid, Generation,
    Imported, LeaseHolder, Store, StoreError, Updated,
    contract::{Records, arrivals, left_out::left_out, store_contract},
};

mod contract {
    use super::{Access, Arc, Database, Store};

    async fn opened() -> Option<(Arc<Store>, Database)> {
        let database = Database::migrated().await?;
        Some((database.open(Access::Serve).await.unwrap(), database))
    }

    super::store_contract!(opened);
}

/// Registers many at once, half of them with their family; the outcomes are in the order of the clients.
async fn register_at_once(
    store: &Arc<Store>,
    clients: &[ClientRecord],
) -> Vec<Result<(), StoreError>> {
    let mut calls = JoinSet::new();
    for (index, client) in clients.iter().cloned().enumerate() {
        let store = Arc::clone(store);
        calls.spawn(async move {
            let metadata = serde_json::from_str(&client.metadata).ok();
            let family =
                metadata.filter(|_| index % 2 == 0).as_ref().map(FamilySaid::by).map(Arc::new);
            (index, store.register_client(Arc::new(client), family).await)
        });
    }
    let mut outcomes = calls.join_all().await;
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn without_prepared_statements_every_method_works_as_well() {
    let Some(mut database) = Database::migrated().await else { return };
    database.settings.prepared_statements = false;
    let store = database.open(Access::Serve).await.unwrap();
    let clients = Records::new().take(20);

    for outcome in register_at_once(&store, &clients).await {
        outcome.unwrap();
    }

    assert_eq!(store.clients(&ClientFilter::default(), None, 100).await.unwrap(), clients);
    assert_eq!(store.client(clients[3].client_id).await.unwrap().as_ref(), Some(&clients[3]));
    assert_eq!(store.count_clients().await.unwrap(), 20);
    assert_eq!(
        store
            .remove_client(clients[0].client_id, Action::ClientRemoved, "by_operator", by())
            .await
            .unwrap(),
        Deleted::Forgotten
    );
    let imported = store.import_clients(clients[..2].to_vec()).await.unwrap();
    assert_eq!(imported, [Imported::Kept, Imported::AlreadyThere]);
    store.ready().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn two_nodes_share_what_is_kept() {
    let Some(database) = Database::migrated().await else { return };
    let (one, other) =
        (database.open(Access::Serve).await.unwrap(), database.open(Access::Serve).await.unwrap());
    let clients = Records::new().take(200);

    let (first, second) = tokio::join!(
        register_at_once(&one, &clients[..120]),
        register_at_once(&other, &clients[80..])
    );

    // Each of the forty that both were asked to keep is kept once, and told to one.
    let kept = first.iter().chain(&second).filter(|outcome| outcome.is_ok()).count();
    assert_eq!(kept, 200);
    for store in [&one, &other] {
        assert_eq!(store.clients(&ClientFilter::default(), None, 500).await.unwrap(), clients);
    }
}

#[tokio::test]
async fn a_record_that_the_database_refuses_does_not_touch_its_neighbours() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let mut clients = Records::new().take(9);
    // PostgreSQL has no text with this character; no metadata has it either.
    clients[4].metadata = "{\"client_name\":\"\0\"}".to_owned();

    let outcomes = register_at_once(&store, &clients).await;

    for (index, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.is_ok(), index != 4, "{index}: {outcome:?}");
    }
    clients.remove(4);
    assert_eq!(store.clients(&ClientFilter::default(), None, 100).await.unwrap(), clients);
}

#[tokio::test]
async fn a_store_opened_for_reading_changes_nothing() {
    let Some(database) = Database::migrated().await else { return };
    let mut records = Records::new();
    let there = records.next();
    let writing = database.open(Access::Command).await.unwrap();
    writing.import_clients(vec![there.clone()]).await.unwrap();

    let store = database.open(Access::Read).await.unwrap();

    assert_eq!(store.client(there.client_id).await.unwrap().as_ref(), Some(&there));
    let refused = [
        store.register_client(Arc::new(records.next()), None).await,
        store
            .remove_client(there.client_id, Action::ClientRemoved, "by_operator", by())
            .await
            .map(drop),
        store.import_clients(records.take(1)).await.map(drop),
        store.ready().await,
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(store.count_clients().await.unwrap(), 1);
}

#[tokio::test]
async fn a_transaction_that_is_under_way_holds_back_what_others_stored_after_it() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let clients = Records::new().take(2);
    store.begin_webhooks(vec!["one".to_owned()]).await.unwrap();
    let position = store.webhook_cursors().await.unwrap()[0].position;
    let [early, late] = [Action::KeyMade, Action::KeyDiscarded].map(|action| by().event(action));
    let client = database.client().await;
    client.batch_execute("BEGIN").await.unwrap();
    let sql = "INSERT INTO events (event_id, at, action, actor_kind) VALUES ($1, 1, $2, 'system')";
    let id = uuid::Uuid::from(early.event_id);
    client.execute(sql, &[&id, &early.action.as_str()]).await.unwrap();

    // Others commit meanwhile, with identifiers before and after.
    store.record_events(vec![late.clone()]).await.unwrap();
    register_at_once(&store, &clients).await;
    assert_eq!(store.trail_behind(&position, 10).await.unwrap(), []);
    client.batch_execute("COMMIT").await.unwrap();

    let read = loop {
        let read = store.trail_behind(&position, 10).await.unwrap();
        if read.len() == 4 {
            break read;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let ids: Vec<_> = read.iter().map(|entry| entry.event.event_id).collect();
    assert_eq!(ids[..2], [early.event_id, late.event_id]);
}

#[tokio::test]
async fn a_cursor_of_another_cluster_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    store.begin_webhooks(vec!["one".to_owned()]).await.unwrap();
    let mut position = store.webhook_cursors().await.unwrap()[0].position;
    position.events_at += 1 << 40;
    let refused = store.trail_behind(&position, 10).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(store.follow_trail(position, 10).await.unwrap().is_none());
}

#[tokio::test]
async fn a_check_of_families_and_changes_of_their_clients_never_wait_for_each_other() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let mut records = Records::new();
    let clients: Vec<_> = ('a'..='z')
        .map(|letter| {
            let client = records.next();
            let metadata = client.metadata.replace("Example", &letter.to_string().repeat(4));
            ClientRecord { metadata, ..client }
        })
        .collect();
    for outcome in register_at_once(&store, &clients).await {
        outcome.unwrap();
    }
    store.rebuild_families(by().at, &|_| {}).await.unwrap();
    let sql = database.client().await;
    let raced = async {
        for generation in 0..10 {
            // Each client belongs to the family of another.
            let rotate = "UPDATE clients SET family = (SELECT coalesce(\
                (SELECT (array_agg(family_id ORDER BY family_id))[1] FROM families WHERE family_id > clients.family), \
                (SELECT (array_agg(family_id ORDER BY family_id))[1] FROM families)))";
            sql.execute(rotate, &[]).await.unwrap();
            let mut calls = JoinSet::new();
            for client in clients.iter().rev() {
                let store = Arc::clone(&store);
                let update = ClientUpdate {
                    client_id: client.client_id,
                    generation: Generation::new(generation),
                    metadata: client.metadata.clone(),
                    flags: client.flags,
                    is_held: false,
                    terms: ClientTerms::default(),
                    label_before: None,
                };
                calls.spawn(async move { store.update_registration(update, by()).await.unwrap() });
            }
            store.rebuild_families(by().at, &|_| {}).await.unwrap();
            let updated = calls.join_all().await;
            assert!(updated.iter().all(|it| matches!(it, Updated::Now(_))), "{updated:?}");
        }
    };
    // PostgreSQL takes a second to find out that two changes wait for each other.
    tokio::time::timeout(std::time::Duration::from_secs(8), raced).await.expect("no two waited");
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_is_given_back() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let [one, other] = [1, 2].map(|byte| LeaseHolder::from_bytes([byte; 16]));
    assert!(store.hold_lease("a", one).await.unwrap());
    assert!(store.hold_lease("a", one).await.unwrap(), "it is prolonged");
    assert!(!store.hold_lease("a", other).await.unwrap());
    assert!(store.hold_lease("b", other).await.unwrap());
    store.release_lease("a", other).await.unwrap();
    assert!(!store.hold_lease("a", other).await.unwrap());
    store.release_lease("a", one).await.unwrap();
    assert!(store.hold_lease("a", other).await.unwrap());
    let expire = "UPDATE leases SET until = now() - interval '1 second' WHERE name = 'a'";
    database.client().await.batch_execute(expire).await.unwrap();
    assert!(store.hold_lease("a", one).await.unwrap());
}

#[tokio::test]
async fn every_commit_waits_for_the_disk_whatever_the_default_of_the_database() {
    let Some(mut database) = Database::migrated().await else { return };
    database.options.push("synchronous_commit=off");
    let store = database.open(Access::Serve).await.unwrap();
    let shown = crate::store::sql::Statement { sqlite: "", postgres: "SHOW synchronous_commit" };
    let rows = store.postgres().connections.query(&shown, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, &str>(0), "on");

    database.settings.prepared_statements = false;
    let line = database.refusal(Access::Serve).await;
    assert!(line.contains("before a commit is durable"), "{line}");
}

#[tokio::test]
async fn an_encrypted_connection_is_made_only_to_a_server_that_is_known_by_its_certificate() {
    let Some(mut database) = Database::migrated().await else { return };
    let Some(ca_file) = std::env::var_os("DOORWARD_TEST_POSTGRES_CA") else {
        left_out("TLS to PostgreSQL (DOORWARD_TEST_POSTGRES_CA names no certificate)");
        return;
    };
    database.sslmode = "verify-full";
    let line = database.refusal(Access::Read).await;
    assert!(line.contains("ertificate"), "{line}");

    database.settings.ca_file = Some(ca_file.into());
    // The certificate is for `localhost`, and for no address.
    let line = database.refusal(Access::Read).await;
    assert!(line.contains("not valid for name"), "{line}");
    database.host = Some("localhost");
    let store = database.open(Access::Read).await.unwrap();

    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let shown = crate::store::sql::Statement { sqlite: "", postgres: encrypted };
    let rows = store.postgres().connections.query(&shown, &[]).await.unwrap();
    assert!(rows[0].get::<_, bool>(0));
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://door:hunter2@{nobody}/clients").parse().unwrap();
    let settings = crate::config::Config::default().postgres;

    let refused = Postgres::open(&url, &settings, Access::Serve).await;

    let Err(OpenError::Unreachable { database, reason }) = refused else { panic!("it was opened") };
    assert_eq!(database, format!("postgres://door:[redacted]@{nobody}/clients"));
    assert!(reason.contains("Connection refused"), "{reason}");
}

#[tokio::test]
async fn counting_goes_on_beside_rows_that_cannot_be_read() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let run = async |sql: &str| database.client().await.batch_execute(sql).await.unwrap();
    arrivals::counting_goes_on_beside_rows_that_cannot_be_read(&store, run).await;
}
