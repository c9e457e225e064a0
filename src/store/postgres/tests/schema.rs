//! Tables of other releases, and how they come about.

use super::{
    super::schema::{self, MIGRATIONS, Migration, VERSION},
    *,
};
use crate::{
    client::ProfileName,
    clock::Timestamp,
    store::{
        ClientFlags, ClientRegistration, ClientState,
        postgres::{Migrated, Standing, look},
    },
};

/// The steps of a later release whose last one is compatible with `compatible_from`.
fn with_a_later_step(compatible_from: usize) -> Vec<Migration> {
    let known = MIGRATIONS
        .iter()
        .map(|step| Migration { sql: step.sql, compatible_from: step.compatible_from });
    let later = Migration {
        sql: "ALTER TABLE clients ADD COLUMN shade text NOT NULL DEFAULT 'blue';
              CREATE INDEX clients_by_shade ON clients (shade)",
        compatible_from,
    };
    known.chain([later]).collect()
}

#[tokio::test]
async fn a_database_without_tables_is_refused_with_the_command_to_run() {
    let Some(database) = Database::empty().await else { return };

    for access in [Access::Serve, Access::Import, Access::Command, Access::Read] {
        let line = database.refusal(access).await;
        assert!(line.contains("run `doorward migrate up`"), "{line}");
    }

    assert_eq!(database.migrate().await.unwrap(), Migrated { from: 0, to: VERSION });
    database.open(Access::Serve).await.unwrap().ready().await.unwrap();
    assert_eq!(database.migrate().await.unwrap(), Migrated { from: VERSION, to: VERSION });
}

#[tokio::test]
async fn a_server_that_is_told_to_makes_the_tables_and_a_command_does_not() {
    let Some(mut database) = Database::empty().await else { return };
    database.settings.migrate_at_start = true;

    database.refusal(Access::Import).await;

    database.open(Access::Serve).await.unwrap().ready().await.unwrap();
}

#[tokio::test]
async fn many_who_migrate_at_once_take_each_step_once() {
    let Some(database) = Database::empty().await else { return };
    let database = Arc::new(database);
    let mut calls = JoinSet::new();
    for _ in 0..6 {
        let database = Arc::clone(&database);
        calls.spawn(async move { database.migrate().await.unwrap() });
    }

    let done = calls.join_all().await;

    assert_eq!(done.iter().filter(|done| done.from == 0).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| done.to == VERSION), "{done:?}");
    let client = database.client().await;
    let left = client.query_one("SELECT count(*) FROM leases", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0, "the lease is given back");
}

#[tokio::test]
async fn what_an_earlier_release_wrote_is_read_as_it_was() {
    let Some(database) = Database::empty().await else { return };
    let client = database.client().await;
    schema::migrate(&client, &MIGRATIONS[..1]).await.unwrap();
    let written = include_str!("../../../../tests/stored_forms/postgres/1.sql");
    client.batch_execute(written).await.unwrap();

    database.migrate().await.unwrap();

    let store = database.open(Access::Read).await.unwrap();
    let kept = store.clients(&ClientFilter::default(), None, 10).await.unwrap();
    let expected = [
        ClientRecord {
            client_id: "019aa7b4-5a1c-7bd1-b0ff-000000000001".parse().unwrap(),
            issued_at: Timestamp::from_millis(1_763_769_600_000),
            profile: ProfileName::Datadog,
            source: Some([192, 0, 2, 1].into()),
            flags: ClientFlags::LOOK_ALIKE,
            metadata: r#"{"client_name":"T\u00e9 \"ü\"","redirect_uris":["https://a.example/cb"]}"#
                .into(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        },
        ClientRecord {
            client_id: "019aa7b4-5a1c-7bd1-b0ff-000000000002".parse().unwrap(),
            issued_at: Timestamp::from_millis(0),
            profile: ProfileName::Rfc7591,
            source: None,
            flags: ClientFlags::from_bits(u32::MAX),
            metadata: "{}".into(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        },
    ];
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_lease_whose_holder_died_is_taken_over_when_it_has_run_out() {
    let Some(database) = Database::migrated().await else { return };
    let client = database.client().await;
    let lease = "INSERT INTO leases VALUES ('migrate', gen_random_uuid(), now() + interval '1 s')";
    client.batch_execute(lease).await.unwrap();

    database.migrate().await.unwrap();

    let left = client.query_one("SELECT count(*) FROM leases", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let Some(database) = Database::migrated().await else { return };
    let client = database.client().await;
    let mut steps = with_a_later_step(VERSION);
    steps.last_mut().unwrap().sql = "CREATE TABLE half (id int); CREATE TABLE clients (id int)";

    let refused = schema::migrate(&client, &steps).await.unwrap_err();

    assert!(refused.to_string().contains("already exists"), "{refused}");
    assert_eq!(schema::look(&client).await.unwrap(), Standing::Current);
    client.batch_execute("CREATE TABLE half (id int)").await.unwrap();
}

#[tokio::test]
async fn during_a_rolling_upgrade_the_older_release_works_on_the_newer_tables() {
    let Some(database) = Database::migrated().await else { return };
    let before = database.open(Access::Serve).await.unwrap();
    let clients = Records::new().take(60);
    for outcome in register_at_once(&before, &clients[..20]).await {
        outcome.unwrap();
    }

    let steps = with_a_later_step(VERSION);
    schema::migrate(&database.client().await, &steps).await.unwrap();

    // Both the node that runs on and one that is started only now.
    let after = database.open(Access::Serve).await.unwrap();
    for (store, more) in [(&before, &clients[20..40]), (&after, &clients[40..])] {
        for outcome in register_at_once(store, more).await {
            outcome.unwrap();
        }
        store.ready().await.unwrap();
    }
    assert_eq!(before.clients(&ClientFilter::default(), None, 100).await.unwrap(), clients);
    let (found, verdict) = look(&database.url(), &database.settings).await.unwrap();
    assert_eq!(found, Standing::NewerAndCompatible(VERSION + 1));
    verdict.unwrap();
    // Nobody takes the tables back.
    assert_eq!(database.migrate().await.unwrap(), Migrated { from: VERSION + 1, to: VERSION + 1 });
}

#[tokio::test]
async fn tables_that_a_later_release_does_not_share_are_refused() {
    let Some(database) = Database::migrated().await else { return };
    let steps = with_a_later_step(VERSION + 1);
    schema::migrate(&database.client().await, &steps).await.unwrap();

    assert!(matches!(database.migrate().await, Err(OpenError::Newer { .. })));
    for access in [Access::Serve, Access::Command, Access::Read] {
        let line = database.refusal(access).await;
        assert!(line.contains("run the release that made them or a later one"), "{line}");
    }
}
