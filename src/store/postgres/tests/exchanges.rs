//! Lookups, and exchanges of codes and refresh tokens, that come at the same time.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::{
    super::{rows::Typed as _, together::Patience},
    proxy::Proxy,
    *,
};
use crate::{
    grant::GrantId,
    store::{
        EventRecord, GrantRecord, Redeemed, Rotated,
        column::Columns as _,
        contract::grants::{Grants, purchase, rotation},
        statements,
    },
};

/// Longer than any of these exchanges takes, and shorter than a statement may.
const SOON: Duration = Duration::from_secs(4);

type Redemptions = JoinSet<(GrantId, Result<Redeemed, StoreError>)>;

fn event() -> EventRecord {
    by().event(Action::GrantRedeemed)
}

/// Redeems the codes of these grants at the same time, each with an event.
fn redeem_at_once(
    store: &Arc<Store>,
    grants: impl IntoIterator<Item = (GrantId, EventRecord)>,
) -> Redemptions {
    let mut calls = JoinSet::new();
    for (id, event) in grants {
        let store = Arc::clone(store);
        calls.spawn(async move { (id, store.redeem_code(id, purchase(None), event).await) });
    }
    calls
}

fn ids(grants: &[GrantRecord]) -> Vec<GrantId> {
    grants.iter().map(|grant| grant.grant_id).collect()
}

#[tokio::test]
async fn exchanges_at_the_same_time_share_transactions() {
    let Some(mut database) = Database::migrated().await else { return };
    for prepared in [true, false] {
        database.settings.prepared_statements = prepared;
        let store = database.open(Access::Serve).await.unwrap();
        let grants = Grants::seeded(u64::from(prepared)).take(100);
        store.import_grants(grants.clone()).await.unwrap();

        let calls = redeem_at_once(&store, ids(&grants).into_iter().map(|id| (id, event())));

        for (_, outcome) in calls.join_all().await {
            assert_eq!(outcome.unwrap(), Redeemed::Now);
        }
        let sql = "SELECT count(DISTINCT xmin::text), count(*) FROM grants \
            WHERE redeemed_at IS NOT NULL AND grant_id = ANY($1)";
        let client = database.client().await;
        let all: Vec<uuid::Uuid> = ids(&grants).into_iter().map(uuid::Uuid::from).collect();
        let row = client.query_one(sql, &[&all]).await.unwrap();
        let (transactions, redeemed): (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(redeemed, 100);
        assert!(transactions < 100, "{transactions} transactions");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_rejected_exchange_leaves_the_others_of_its_group_alone() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let grants = Grants::new().take(30);
    store.import_grants(grants.clone()).await.unwrap();
    let rejected = grants[7].grant_id;

    // PostgreSQL has no text with this character.
    let event_of =
        |id| EventRecord { detail: (id == rejected).then(|| "\0".to_owned()), ..event() };
    let calls = redeem_at_once(&store, ids(&grants).into_iter().map(|id| (id, event_of(id))));

    for (id, outcome) in calls.join_all().await {
        match outcome {
            Ok(redeemed) => assert!(redeemed == Redeemed::Now && id != rejected, "{id}"),
            Err(error) => assert_eq!(id, rejected, "{error}"),
        }
        let grant = store.grant(id).await.unwrap().unwrap();
        assert_eq!(grant.code.redeemed_at.is_some(), id != rejected, "{id}");
    }
}

#[tokio::test]
async fn of_many_tries_at_one_code_in_a_group_one_redeems_it_and_records_it() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let grants = Grants::new().take(10);
    store.import_grants(grants.clone()).await.unwrap();

    let tries = (0..20).flat_map(|_| ids(&grants)).map(|id| (id, event()));
    let outcomes = redeem_at_once(&store, tries).join_all().await;

    for id in ids(&grants) {
        let of_grant = outcomes.iter().filter(|(of, _)| *of == id);
        let (now, before): (Vec<_>, Vec<_>) =
            of_grant.partition(|(_, outcome)| matches!(outcome, Ok(Redeemed::Now)));
        assert_eq!((now.len(), before.len()), (1, 19), "{id}");
        assert!(before.iter().all(|(_, outcome)| matches!(outcome, Ok(Redeemed::Before))));
    }
    let sql = "SELECT count(*) FROM events WHERE action = 'grant.redeemed'";
    let row = database.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 10);
}

#[tokio::test]
async fn a_locked_grant_delays_no_other_exchange() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let grants = Grants::new().take(30);
    store.import_grants(grants.clone()).await.unwrap();
    let locked = grants[7].grant_id;
    let other = database.client().await;
    other.batch_execute("BEGIN").await.unwrap();
    let lock = "SELECT FROM grants WHERE grant_id = $1 FOR UPDATE";
    other.execute(lock, &[&uuid::Uuid::from(locked)]).await.unwrap();

    let mut calls = redeem_at_once(&store, ids(&grants).into_iter().map(|id| (id, event())));

    let others = async {
        for _ in 1..grants.len() {
            let (id, outcome) = calls.join_next().await.unwrap().unwrap();
            assert_eq!(outcome.unwrap(), Redeemed::Now);
            assert_ne!(id, locked);
        }
    };
    timeout(SOON, others).await.expect("the others are exchanged while the grant is locked");
    other.batch_execute("COMMIT").await.unwrap();
    let (_, outcome) = calls.join_next().await.unwrap().unwrap();
    assert_eq!(outcome.unwrap(), Redeemed::Now);
}

#[tokio::test]
async fn an_exchange_whose_answer_is_lost_is_not_made_twice() {
    let Some(mut database) = Database::migrated().await else { return };
    let proxy = Proxy::before(database.address()).await;
    database.port = Some(proxy.port);
    let store = database.open(Access::Serve).await.unwrap();
    let grants = Grants::new().take(41);
    store.import_grants(grants.clone()).await.unwrap();
    // From here on the statement is prepared, and its answer the next to come.
    redeem_at_once(&store, [(grants[0].grant_id, event())]).join_all().await;

    proxy.lose_the_next_answer();
    let calls = redeem_at_once(&store, ids(&grants[1..]).into_iter().map(|id| (id, event())));

    let mut unknown = 0;
    for (id, outcome) in calls.join_all().await {
        match outcome {
            Ok(redeemed) => assert_eq!(redeemed, Redeemed::Now, "{id}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
                unknown += 1;
            }
        }
    }
    assert_eq!(proxy.lost(), 1);
    // All of them may have been in one group.
    assert!((1..=40).contains(&unknown), "{unknown}");
    let sql = "SELECT (SELECT count(*) FROM grants WHERE redeemed_at IS NOT NULL), count(*) \
        FROM events WHERE action = 'grant.redeemed'";
    let row = database.client().await.query_one(sql, &[]).await.unwrap();
    let (redeemed, recorded): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(redeemed, recorded);
    for id in ids(&grants) {
        let again = store.redeem_code(id, purchase(None), event()).await.unwrap();
        let is_lost = redeemed < 41 && again == Redeemed::Now;
        assert!(is_lost || again == Redeemed::Before, "{id}");
    }
}

#[tokio::test]
async fn many_refresh_tokens_rotate_at_once_and_each_has_one_successor() {
    let Some(database) = Database::migrated().await else { return };
    let nodes =
        [database.open(Access::Serve).await.unwrap(), database.open(Access::Serve).await.unwrap()];
    let grants = Grants::new();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (grant, token) = grants.bought(&nodes[0]).await;
        // The same token three times, on two nodes, beside the others.
        for store in [&nodes[0], &nodes[1], &nodes[0]] {
            let (store, rotation) = (Arc::clone(store), rotation(&token, 10));
            let id = grant.grant_id;
            calls.spawn(async move { store.rotate_refresh_token(id, rotation, &by()).await });
        }
    }

    let outcomes = calls.join_all().await;

    let count =
        |of| outcomes.iter().filter(|it| matches!(it, Ok(rotated) if *rotated == of)).count();
    assert_eq!((count(Rotated::Succeeded), count(Rotated::Repeated)), (20, 40), "{outcomes:?}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_of_its_own_lookup() {
    let Some(database) = Database::migrated().await else { return };
    let store = database.open(Access::Serve).await.unwrap();
    let grants = Grants::new().take(30);
    store.import_grants(grants.clone()).await.unwrap();
    let damaged = grants[7].grant_id;
    let damage = "UPDATE grants SET client = 'no client' WHERE grant_id = $1";
    database.client().await.execute(damage, &[&uuid::Uuid::from(damaged)]).await.unwrap();

    let mut calls = JoinSet::new();
    for id in ids(&grants).into_iter().chain(ids(&Grants::seeded(1).take(3))) {
        let store = Arc::clone(&store);
        calls.spawn(async move { (id, store.grant(id).await) });
    }

    for (id, found) in calls.join_all().await {
        let is_known = grants.iter().any(|grant| grant.grant_id == id);
        match found {
            Ok(grant) => assert_eq!(grant.map(|it| it.grant_id), is_known.then_some(id)),
            Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }) && id == damaged),
        }
    }
}

/// The types of the parameters: identifiers, then what an exchange says, and then the columns of events.
fn types(of_exchange: &[Type], has_event: bool) -> String {
    let mut types = of_exchange.to_vec();
    if has_event {
        EventRecord::write_none(&mut |value| types.push(value.kind()));
    }
    let types: Vec<_> = types.iter().map(|kind| format!("{kind}[]")).collect();
    types.join(", ")
}

/// A plan that is made while a table is empty serves a connection for as long as the table has no new statistics.
#[tokio::test]
async fn lookups_and_exchanges_use_an_index_however_few_rows_there_are() {
    const REDEMPTION: &[Type] =
        &[Type::UUID, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA, Type::INT8];
    const ROTATION: &[Type] =
        &[Type::UUID, Type::INT8, Type::BYTEA, Type::INT8, Type::BYTEA, Type::BYTEA];
    let Some(database) = Database::migrated().await else { return };
    let client = database.client().await;
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    for (number, (statement, types, begin)) in [
        (&statements::clients::SELECT_EACH, types(&[Type::UUID], false), "BEGIN"),
        (&statements::grants::SELECT_EACH, types(&[Type::UUID], false), "BEGIN"),
        (&statements::grants::SUPERSEDE, types(ROTATION, false), Patience::Short.begin()),
        (&statements::grants::SUPERSEDE, types(ROTATION, false), Patience::Long.begin()),
        (&statements::grants::REDEEM, types(REDEMPTION, true), Patience::Short.begin()),
        (&statements::grants::REDEEM, types(REDEMPTION, true), Patience::Long.begin()),
    ]
    .into_iter()
    .enumerate()
    {
        client.batch_execute(begin).await.unwrap();
        let prepare = format!("PREPARE p{number}({types}) AS {}", statement.postgres);
        client.batch_execute(&prepare).await.unwrap();
        let nulls = vec!["NULL"; types.split(',').count()].join(", ");
        let explain = format!("EXPLAIN EXECUTE p{number} ({nulls})");
        let plan = client.query(explain.as_str(), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(!plan.concat().contains("Seq Scan"), "{prepare}: {plan:#?}");
        assert!(plan.concat().contains("Index Cond"), "{prepare}: {plan:#?}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}
