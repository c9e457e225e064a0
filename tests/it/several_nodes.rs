//! Nodes that share one store, and whose clocks differ.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use doorward::{
    admission::EffectName,
    audit::Author,
    client::ClientId,
    clock::Clock,
    config::Config,
    grant::GrantId,
    store::{
        self, Access, Allowed, ClientFilter, ConsentRecord, GrantFilter, GrantRecord, RuleChange,
        RuleChanged, StandingChanged, Store, Transition,
    },
};
use tempfile::TempDir;

use crate::{
    granted::{REDIRECT_URI, TOOLS, config_on, member, redeeming, refreshing, refused},
    guard,
    harness::{TestServer, by, until},
    postgres,
};

/// By how much the clock of one node is ahead of the other's, in seconds: more than clocks that are looked
/// after ever are, and less than a code lives.
const SKEW: u64 = 45;

/// Two nodes on one store, the first with the clock that is ahead, and what has to live as long.
async fn nodes() -> (TestServer, TestServer, Arc<Store>, TempDir) {
    let (ahead, behind, _, kept, folder) = nodes_of_config().await;
    (ahead, behind, kept, folder)
}

/// The same, with the settings of the nodes.
async fn nodes_of_config() -> (TestServer, TestServer, Config, Arc<Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let now = Clock::System.now();
    let ahead =
        TestServer::kept_by_at(Arc::clone(&kept), config.clone(), now.after_seconds(SKEW)).await;
    let behind = TestServer::kept_by_at(Arc::clone(&kept), config.clone(), now).await;
    (ahead, behind, config, kept, folder)
}

#[tokio::test]
async fn clients_of_nodes_whose_clocks_differ_are_all_there_and_good_at_each_of_them() {
    let (ahead, behind, kept, _folder) = nodes().await;
    let mut registered = BTreeSet::new();
    for node in [&ahead, &behind, &ahead, &behind] {
        registered.insert(node.new_client().await);
    }

    let listed = kept.clients(&ClientFilter::default(), None, 10).await.unwrap();
    let listed: Vec<ClientId> = listed.iter().map(|client| client.client_id).collect();

    assert_eq!(listed, registered.iter().copied().collect::<Vec<_>>());
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        assert_eq!(other.tokens(client).await.status, 200);
    }
}

#[tokio::test]
async fn what_one_node_grants_is_good_at_another_whose_clock_differs() {
    let (ahead, behind, _kept, _folder) = nodes().await;
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        let code = at.grant(client).await;
        let bought = other.token(&redeeming(client, &code, &[])).await;
        assert_eq!(bought.status, 200, "{bought:?}");
        let mut refresh_token = member(&bought, "refresh_token");
        for node in [at, other, at] {
            let rotated = node.token(&refreshing(client, &refresh_token, &[])).await;
            assert_eq!(rotated.status, 200, "{rotated:?}");
            for asked in [at, other] {
                let told = asked.introspect("tools", &member(&rotated, "access_token")).await;
                assert_eq!(told["active"], true, "{told}");
            }
            refresh_token = member(&rotated, "refresh_token");
        }
        let again = other.token(&redeeming(client, &code, &[])).await;
        assert_eq!(refused(&again), (400, "invalid_grant".to_owned()), "a code is good once");
    }
}

/// What a node says of a registration with this destination, once it says so, or after five seconds.
async fn registered(node: &TestServer, expected: u16) -> u16 {
    let body = r#"{"client_name":"App","redirect_uris":["https://x.tunnel.example/cb"]}"#;
    let began = tokio::time::Instant::now();
    loop {
        let status = node.post("/register", body).await.status;
        if status == expected || began.elapsed() > Duration::from_secs(5) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn three_nodes_follow_the_rules_in_the_store_within_five_seconds() {
    let (first, second, mut config, kept, _folder) = nodes_of_config().await;
    config.registration.default = EffectName::Hold;
    let third = TestServer::kept_by(Arc::clone(&kept), config).await;
    let rule = |mode: &str| {
        format!(
            r#"{{"id":"tunnels","any_destination":"*.tunnel.example","effect":"reject","reason":"no",
            "mode":"{mode}"}}"#
        )
    };
    let id = || "tunnels".to_owned();
    for (change, expected) in [
        (RuleChange::Add { id: id(), rule: rule("enforce"), place: None }, 400),
        (RuleChange::Edit { id: id(), rule: rule("observe"), place: None }, 201),
        (RuleChange::Edit { id: id(), rule: rule("enforce"), place: None }, 400),
        (RuleChange::Remove { id: id() }, 201),
    ] {
        let changed = kept.change_rules(change.clone(), by()).await;
        assert_eq!(changed.unwrap(), RuleChanged::Now);
        let (a, b, c) = tokio::join!(
            registered(&first, expected),
            registered(&second, expected),
            registered(&third, expected)
        );
        assert_eq!((a, b, c), (expected, expected, expected), "{change:?}");
    }
}

/// A rule that a later release has added must neither let clients in nor stop a server.
#[tokio::test]
async fn a_node_that_cannot_read_the_rules_keeps_the_last_ones_and_says_so() {
    let (node, _other, kept, _folder) = nodes().await;
    let rule = r#"{"id":"a","any_destination":"*.tunnel.example","effect":"reject","reason":"no"}"#;
    let add = |id: &str, rule: &str| RuleChange::Add {
        id: id.to_owned(),
        rule: rule.to_owned(),
        place: None,
    };
    kept.change_rules(add("a", rule), by()).await.unwrap();
    assert_eq!(registered(&node, 400).await, 400);

    kept.change_rules(add("b", r#"{"id":"b","moon":"full","effect":"allow"}"#), by())
        .await
        .unwrap();

    let failures = "doorward_admission_rules_read_failures_total";
    let began = tokio::time::Instant::now();
    while node.metric(failures).await < 1.0 && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(node.metric(failures).await >= 1.0);
    let ready = node.look("/readyz?verbose").await;
    assert_eq!(ready.status, 200, "it still serves");
    let told = ready.json()["checks"]["rules"].as_str().unwrap().to_owned();
    assert!(told.contains("rule b: moon: is no member of a rule"), "{told}");
    assert_eq!(registered(&node, 400).await, 400, "the last rules hold");

    kept.change_rules(RuleChange::Remove { id: "b".to_owned() }, by()).await.unwrap();
    kept.change_rules(RuleChange::Remove { id: "a".to_owned() }, by()).await.unwrap();
    assert_eq!(registered(&node, 201).await, 201);
    assert_eq!(node.look("/readyz?verbose").await.json()["checks"]["rules"], "ok");
}

#[tokio::test]
async fn a_suspension_on_one_node_ends_tokens_on_another_within_five_seconds() {
    let (ahead, behind, kept, _folder) = nodes().await;
    for (at, other) in [(&ahead, &behind), (&behind, &ahead)] {
        let client = at.new_client().await;
        let code = at.grant(client).await;
        let bought = at.token(&redeeming(client, &code, &[("resource", TOOLS)])).await;
        let access_token = member(&bought, "access_token");
        let guarded = guard::asked_at("/guard/nginx/{resource}", Some(&access_token));
        assert_eq!(other.exchange(&guarded).await.status, 200);
        let by = Author { at: at.clock.now(), ..by() };

        let suspended = kept.change_standing(&client.into(), &Transition::SUSPEND, None, by).await;

        assert_eq!(suspended.unwrap(), StandingChanged::Now { ended: 1 });
        let refresh_token = member(&bought, "refresh_token");
        let refreshed = other.token(&refreshing(client, &refresh_token, &[])).await;
        assert_eq!(refused(&refreshed), (400, "invalid_grant".to_owned()));
        assert_eq!(other.introspect("tools", &access_token).await["active"], false);
        for node in [at, other] {
            node.clock.advance(Duration::from_secs(5));
            assert_eq!(node.exchange(&guarded).await.status, 401);
        }
    }
}

/// Races of a grant and a suspension.
const RACES: usize = 1_000;

#[tokio::test]
async fn no_grant_of_one_node_survives_a_suspension_on_another_at_the_same_moment() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let database = postgres::new_database();
    let config = config_on(database.as_ref().unwrap_or(&place));
    let first = store::open(&config, Access::Serve).await.unwrap();
    // Only one process opens a data folder.
    let [second, third] = match &database {
        Some(_) => [(); 2].map(|()| store::open(&config, Access::Serve)),
        None => return race_at([&first, &first, &first], &config).await,
    };
    let (second, third) = tokio::join!(second, third);
    race_at([&first, &second.unwrap(), &third.unwrap()], &config).await;
}

async fn race_at(nodes: [&Arc<Store>; 3], config: &Config) {
    let server = TestServer::kept_by(Arc::clone(nodes[0]), config.clone()).await;
    let client = server.new_client().await;
    server.grant(client).await;
    let grants = nodes[0].grants(&GrantFilter::default(), None, 10).await.unwrap();
    let [grant] = &grants[..] else { panic!("{grants:?}") };
    let mut record = server.record(&client.to_string()).await;
    let by = || Author { at: server.clock.now(), ..by() };
    let mut ended = 0;
    for _ in 0..RACES {
        let now = server.clock.now();
        record.client_id = ClientId::generate(now, &server.chance);
        let client = record.client_id.into();
        nodes[2].register_client(Arc::new(record.clone()), None).await.unwrap();
        let grant = GrantRecord {
            grant_id: GrantId::generate(now, &server.chance),
            client: record.client_id.into(),
            ..grant.clone()
        };
        let consent = ConsentRecord {
            subject: grant.subject.clone(),
            client: grant.client.clone(),
            scope: grant.scope.clone(),
            redirect_uri: REDIRECT_URI.to_owned(),
            metadata_hash: [0; 32],
            allowed_at: now,
            expires_at: now.after_days(1),
        };
        let allowed = Allowed { consent, grant: grant.clone(), document: None, session: None };

        let (was_allowed, suspended) = tokio::join!(
            nodes[0].allow(allowed, by()),
            nodes[1].change_standing(&client, &Transition::SUSPEND, None, by()),
        );

        let was_first = usize::from(was_allowed.unwrap().is_ok());
        ended += was_first;
        assert_eq!(suspended.unwrap(), StandingChanged::Now { ended: was_first });
        assert!(nodes[2].grant(grant.grant_id).await.unwrap().is_none());
    }
    assert!(ended > 0, "no race had the order that the rule is about");
}

#[tokio::test]
async fn three_nodes_that_write_at_once_count_every_client_once_within_five_seconds() {
    let (ahead, behind, kept, folder) = nodes().await;
    let config = config_on(folder.path().to_str().unwrap());
    let third =
        TestServer::kept_by_at(Arc::clone(&kept), config, Clock::System.now().after_seconds(20))
            .await;
    let nodes = [ahead, behind, third];
    for _ in 0..10 {
        let [one, two, three] = &nodes;
        tokio::join!(one.new_client(), two.new_client(), three.new_client());
    }
    // They are counted when they have settled.
    for node in &nodes {
        node.clock.advance(Duration::from_secs(2));
    }
    let counted = async || -> u64 {
        let families = kept.families_by_id(None, 100).await.unwrap();
        families.iter().map(|family| family.clients).sum()
    };

    until(async || (counted().await >= 30).then_some(())).await;

    // Every node has looked once more.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(counted().await, 30);
}
