//! Families over the API: all registrations of one app.

use std::time::Duration;

use doorward::{
    audit::ActorKind,
    client::ClientMetadata,
    family::{FamilyId, FamilyKey},
    operator::Role,
};

use super::*;
use crate::harness::until;

const FAMILIES: &str = "/api/v2/oauth2/families";

/// A family with this many clients, once the server has counted them.
async fn family(server: &TestServer, name: &str, clients: usize) -> FamilyId {
    let mut family = None;
    for _ in 0..clients {
        let id = client(server, name).await;
        let record = server.record(&id.to_string()).await;
        let metadata: ClientMetadata = serde_json::from_str(&record.metadata).unwrap();
        family = Some(FamilyKey::of(&metadata).id());
    }
    let family = family.unwrap();
    // They are counted when they have settled.
    server.clock.advance(Duration::from_secs(2));
    until(async || {
        let counted = server.kept.family(family).await.unwrap();
        counted.filter(|it| it.clients == clients as u64).map(drop)
    })
    .await;
    family
}

/// A change of a family.
async fn change(
    server: &TestServer,
    family: FamilyId,
    (token, headers): (&str, &str),
    attributes: &Value,
) -> Answer {
    let data =
        json!({ "id": family.to_string(), "type": "oauth2_families", "attributes": attributes });
    let headers = format!("{}{headers}", bearer(token));
    let request = ("PATCH", &*format!("{FAMILIES}/{family}"));
    call_with(server, request, &headers, Some(&json!({ "data": data }))).await
}

#[tokio::test]
async fn families_are_listed_page_by_page_and_by_every_filter() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let one = family(&server, "Alone", 1).await.to_string();
    server.clock.advance(Duration::from_secs(1));
    let two = family(&server, "Pair", 2).await.to_string();
    server.clock.advance(Duration::from_secs(1));
    let three = family(&server, "Claude 2.0", 3).await.to_string();
    let list =
        async |query: &str| ids(&get(&server, &format!("{FAMILIES}?{query}"), &viewer).await);

    assert_eq!(list("").await, [&*three, &two, &one]);
    assert_eq!(list("sort=-last_seen_at").await, [&*three, &two, &one]);
    assert_eq!(list("filter[name]=PAIR").await, [&*two]);
    assert_eq!(list("filter[destination]=loopback").await, [""; 0]);
    assert_eq!(list("filter[destination]=app.example").await.len(), 3);
    assert_eq!(list("filter[standing]=suspended").await, [""; 0]);
    assert_eq!(list("filter[standing]=active").await.len(), 3);

    let mut listed = Vec::new();
    let mut path = format!("{FAMILIES}?page[limit]=1");
    loop {
        let page = get(&server, &path, &viewer).await;
        listed.extend(ids(&page));
        let Some(next) = page["links"]["next"].as_str() else { break };
        path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).unwrap();
    }
    assert_eq!(listed, [&*three, &two, &one]);
    for (query, name) in [
        ("page[cursor]=x", "page[cursor]"),
        ("page[cursor]=1.x", "page[cursor]"),
        ("sort=name", "sort"),
        ("filter[standing]=blocked", "filter[standing]"),
        ("filter[destination]=%20", "filter[destination]"),
        ("filter[flag]=look_alike", "filter[flag]"),
    ] {
        let answer = call(&server, "GET", &format!("{FAMILIES}?{query}"), &viewer).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert_eq!(source(&answer), json!({ "parameter": name }), "{query}");
    }
}

#[tokio::test]
async fn a_family_is_read_as_of_now_and_suspended_and_resumed_with_one_event_each() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let family = family(&server, "Probe", 2).await;
    let filter = doorward::store::ClientFilter { family: Some(family), ..Default::default() };
    let clients = server.kept.clients(&filter, None, 10).await.unwrap();
    for client in &clients {
        allow(&server, client.client_id, "acme:1", "read").await;
    }
    let path = format!("{FAMILIES}/{family}");
    let read = get(&server, &path, &operator).await;
    let attributes = &read["data"]["attributes"];
    assert_eq!(
        (&attributes["key"], &attributes["clients"], &attributes["connections"]),
        (&json!("probe@app.example"), &json!(2), &json!(2))
    );
    assert_eq!(
        (&attributes["people"], &attributes["registrations_7_days"]),
        (&json!(1), &json!(2))
    );

    let attributes = json!({ "standing": "suspended", "reason": "Ticket 4711" });
    let body = json!({ "data":
        { "id": family.to_string(), "type": "oauth2_families", "attributes": attributes } });
    let rehearsal = ("PATCH", &*format!("{path}?dry_run=true"));
    let rehearsed = call_with(&server, rehearsal, &bearer(&operator), Some(&body)).await.json();
    let would = json!({ "is_changed": false, "connections": 2, "people": 1 });
    assert_eq!(rehearsed["meta"], would);
    assert_eq!(rehearsed["data"]["attributes"]["standing"], "active");
    assert_eq!(events(&server, Action::FamilySuspended).await.len(), 0);
    let suspended = change(&server, family, (&operator, ""), &attributes).await;
    assert_eq!(suspended.status, 200, "{suspended:?}");
    let document = suspended.json();
    assert_eq!(document["meta"], json!({ "is_changed": true, "connections": 2 }));
    assert_eq!(document["data"]["attributes"]["standing"], "suspended");
    assert_eq!(document["data"]["attributes"]["connections"], 0);
    let told = events(&server, Action::FamilySuspended).await;
    let [event] = &told[..] else { panic!("{told:?}") };
    assert_eq!((event.actor_kind, event.actor.as_deref()), (ActorKind::Operator, Some("oncall")));
    assert!(event.detail.as_ref().unwrap().contains("Ticket 4711"), "{event:?}");
    assert_eq!(events(&server, Action::GrantRevoked).await.len(), 2);

    let path = format!("/api/v2/oauth2/clients/{}", clients[0].client_id);
    let standings = async || {
        let client = get(&server, &path, &operator).await;
        ["standing", "effective_standing"].map(|name| client["data"]["attributes"][name].clone())
    };
    assert_eq!(standings().await, ["active", "suspended"]);
    let list = format!("/api/v2/oauth2/clients?filter[family]={family}");
    let listed = get(&server, &list, &operator).await;
    let all = listed["data"].as_array().unwrap();
    assert!(all.iter().all(|it| it["attributes"]["effective_standing"] == "suspended"), "{listed}");
    let overview = get(&server, "/api/v2/oauth2/overview", &operator).await;
    assert_eq!(overview["data"]["attributes"]["suspended"], all.len(), "as the list: {overview}");

    let again = change(&server, family, (&operator, ""), &attributes).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(events(&server, Action::FamilySuspended).await.len(), 1, "nothing changed");
    let resumed = change(&server, family, (&operator, ""), &json!({ "standing": "active" })).await;
    assert_eq!(resumed.json()["data"]["attributes"]["standing"], "active", "{resumed:?}");
    assert_eq!(events(&server, Action::FamilyResumed).await.len(), 1);
    assert_eq!(standings().await, ["active", "active"]);
}

#[tokio::test]
async fn an_admin_removes_the_clients_of_a_family_and_later_ones_can_register() {
    let server = serve().await;
    let [operator, admin] =
        [token(&server, "oncall", Role::Operator).await, token(&server, "root", Role::Admin).await];
    let family_id = family(&server, "Probe", 3).await;
    let path = format!("{FAMILIES}/{family_id}?reason=Ticket%204711");
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 403);
    let bad = format!("{FAMILIES}/{family_id}?reason=a%E2%80%AEb");
    let bad = call(&server, "DELETE", &bad, &admin).await;
    assert_eq!((bad.status, source(&bad)), (400, json!({ "parameter": "reason" })));
    let removed = call(&server, "DELETE", &path, &admin).await;
    let counts = json!({ "meta": { "clients_removed": 3, "clients_left": 0 } });
    assert_eq!((removed.status, removed.json()), (200, counts));
    let told = events(&server, Action::FamilyRemoved).await;
    assert!(told[0].detail.as_ref().unwrap().contains("Ticket 4711"), "{told:?}");
    let query = format!("/api/v2/audit/events?filter[query]=@family:{family_id}");
    assert_eq!(ids(&get(&server, &query, &operator).await).len(), 4, "one for each client, too");
    client(&server, "Probe").await;
}

/// A family with many clients is removed by several calls.
#[tokio::test]
async fn a_removal_that_several_calls_make_leaves_one_event() {
    let server = serve().await;
    let admin = token(&server, "root", Role::Admin).await;
    let [family_id, other] = [family(&server, "Probe", 3).await, family(&server, "Other", 1).await];
    let path = format!("{FAMILIES}/{family_id}");
    call(&server, "DELETE", &path, &admin).await;
    let [event] = &events(&server, Action::FamilyRemoved).await[..] else { panic!() };
    client(&server, "Probe").await;

    let next = format!("{path}?continues={}", event.event_id);
    let removed = call(&server, "DELETE", &next, &admin).await;
    let counts = json!({ "meta": { "clients_removed": 1, "clients_left": 0 } });
    assert_eq!((removed.status, removed.json()), (200, counts));
    assert_eq!(events(&server, Action::FamilyRemoved).await.len(), 1);
    assert_eq!(events(&server, Action::ClientRemoved).await.len(), 4);

    let of_a_client = events(&server, Action::ClientRemoved).await[0].event_id;
    for bad in [
        format!("{FAMILIES}/{other}?continues={}", event.event_id),
        format!("{path}?continues={of_a_client}"),
        format!("{path}?continues=019aa7b5-0c44-7a10-8f2e-5d6c7b8a9012"),
        format!("{path}?continues=x"),
    ] {
        let refused = call(&server, "DELETE", &bad, &admin).await;
        let told = (refused.status, source(&refused));
        assert_eq!(told, (400, json!({ "parameter": "continues" })), "{bad}");
    }
    assert_eq!(events(&server, Action::ClientRemoved).await.len(), 4);
}

#[tokio::test]
async fn no_operator_undoes_what_another_one_decided_about_a_family() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let family = family(&server, "Probe", 1).await;
    let read = call(&server, "GET", &format!("{FAMILIES}/{family}"), &operator).await;
    let etag = read.header("etag").unwrap().to_owned();
    let if_match = format!("if-match: {etag}\r\n");
    let suspend = json!({ "standing": "suspended" });
    let first = change(&server, family, (&operator, &if_match), &suspend).await;
    assert_eq!(first.status, 200, "{first:?}");
    let resume = json!({ "standing": "active" });
    let late = change(&server, family, (&operator, &if_match), &resume).await;
    assert_eq!((late.status, source(&late)), (412, json!({ "header": "If-Match" })));
    let state = server.kept.family(family).await.unwrap().unwrap();
    assert_eq!(state.standing.as_str(), "suspended");
    let renewed = format!("if-match: {}\r\n", first.header("etag").unwrap());
    assert_eq!(change(&server, family, (&operator, &renewed), &resume).await.status, 200);
}

#[tokio::test]
async fn a_restriction_of_a_family_ends_what_it_forbids_and_is_lifted() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let family = family(&server, "Probe", 2).await;
    let filter = doorward::store::ClientFilter { family: Some(family), ..Default::default() };
    let clients = server.kept.clients(&filter, None, 10).await.unwrap();
    allow(&server, clients[0].client_id, "acme:1", "read write").await;
    allow(&server, clients[1].client_id, "acme:2", "read").await;
    let read = call(&server, "GET", &format!("{FAMILIES}/{family}"), &operator).await;
    let if_match = format!("if-match: {}\r\n", read.header("etag").unwrap());

    let only_read = json!({ "ceiling": { "only": ["read"] }, "reason": "Ticket 4711" });
    let restricted = change(&server, family, (&operator, &if_match), &only_read).await;

    assert_eq!(restricted.status, 200, "{restricted:?}");
    let attributes = restricted.json()["data"]["attributes"].clone();
    assert_eq!(attributes["ceiling"], json!({ "only": ["read"] }));
    assert_eq!((&attributes["connections"], &attributes["people"]), (&json!(1), &json!(1)));
    let told = events(&server, Action::FamilyRestricted).await;
    assert!(told[0].detail.as_ref().unwrap().contains("Ticket 4711"), "{told:?}");
    let late = change(&server, family, (&operator, &if_match), &json!({ "ceiling": null })).await;
    assert_eq!(late.status, 412, "{late:?}");
    let lifted = change(&server, family, (&operator, ""), &json!({ "ceiling": null })).await;
    assert_eq!(lifted.json()["data"]["attributes"]["ceiling"], Value::Null);
}

#[tokio::test]
async fn a_change_of_a_family_that_breaks_a_rule_is_named_and_changes_nothing() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let family = family(&server, "Probe", 1).await;
    for (attributes, pointer) in [
        (json!({ "standing": "dormant" }), "/data/attributes/standing"),
        (json!({ "standing": null }), "/data/attributes/standing"),
        (json!({ "reason": "two\nlines" }), "/data/attributes/reason"),
        (json!({ "reason": "a\u{202e}b" }), "/data/attributes/reason"),
        (json!({ "reason": "a\u{2028}b" }), "/data/attributes/reason"),
        (json!({ "people": 3 }), "/data/attributes/people"),
        (json!({ "ceiling": ["read"] }), "/data/attributes/ceiling"),
        (json!({ "ceiling": { "only": ["a b"] } }), "/data/attributes/ceiling"),
        (json!({ "ceiling": { "only": [], "except": [] } }), "/data/attributes/ceiling"),
    ] {
        let answer = change(&server, family, (&operator, ""), &attributes).await;
        assert_eq!(answer.status, 400, "{attributes}: {answer:?}");
        assert_eq!(source(&answer), json!({ "pointer": pointer }), "{attributes}");
    }
    let unknown = "0199f2a4-7c11-8abc-8def-001122334455".parse().unwrap();
    let answer = change(&server, unknown, (&operator, ""), &json!({ "standing": "active" })).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let answer = call(&server, "GET", &format!("{FAMILIES}/x"), &operator).await;
    assert_eq!((answer.status, source(&answer)), (400, json!({ "parameter": "family_id" })));
}

/// Lists show clients with the standing that holds, and filters select by it.
#[tokio::test]
async fn filters_by_standing_agree_with_what_is_shown() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let family = family(&server, "Probe", 2).await;
    let other = client(&server, "Other").await;
    let filter = doorward::store::ClientFilter { family: Some(family), ..Default::default() };
    let clients = server.kept.clients(&filter, None, 10).await.unwrap();
    let all: Vec<String> = clients.iter().map(|client| client.client_id.to_string()).collect();
    allow(&server, clients[0].client_id, "acme:1", "read").await;
    allow(&server, other, "acme:1", "read").await;
    let list = async |query: &str| ids(&get(&server, &format!("/api/v2/{query}"), &operator).await);
    assert_eq!(list("oauth2/clients?filter[standing]=suspended").await, [""; 0]);
    assert_eq!(list("org_authorized_clients?filter[disabled]=true").await, [""; 0]);

    let by = doorward::audit::Author::new(
        doorward::audit::Actor::System,
        server.clock.now(),
        doorward::entropy::Entropy::seeded(4),
    );
    // By another node or a command line.
    server.kept.suspend_family(family, None, by, &|_, _| {}).await.unwrap();

    let suspended = get(&server, "/api/v2/oauth2/clients?filter[standing]=suspended", &operator);
    let suspended = suspended.await;
    assert_eq!(ids(&suspended), all);
    for client in suspended["data"].as_array().unwrap() {
        let attributes = &client["attributes"];
        assert_eq!(
            (&attributes["standing"], &attributes["effective_standing"]),
            (&json!("active"), &json!("suspended"))
        );
    }
    let others = [other.to_string()];
    assert_eq!(list("oauth2/clients?filter[standing]=active").await, others);
    assert_eq!(list("org_authorized_clients?filter[disabled]=true").await, all);
    assert_eq!(list("org_authorized_clients?filter[disabled]=false").await, others);
    let path = format!("/api/v2/org_authorized_clients/{}", all[0]);
    let read = get(&server, &path, &operator).await;
    assert_eq!(read["data"]["attributes"]["disabled"], true);
    let attributes = json!({ "disabled": false });
    let body = json!({ "data":
        { "id": all[0], "type": "org_authorized_clients", "attributes": attributes } });
    let enabled = call_with(&server, ("PATCH", &path), &bearer(&operator), Some(&body)).await;
    assert_eq!(enabled.status, 422, "{enabled:?}");
    assert_eq!(source(&enabled), json!({ "pointer": "/data/attributes/disabled" }));
}

#[tokio::test]
async fn a_family_is_rehearsed_and_removed_only_in_the_version_that_the_operator_saw() {
    let server = serve().await;
    let admin = token(&server, "admin", Role::Admin).await;
    let family = family(&server, "Probe", 2).await;
    let path = format!("{FAMILIES}/{family}");
    let seen = call(&server, "GET", &path, &admin).await;
    let seen = format!("if-match: {}\r\n", seen.header("etag").unwrap());
    let suspended =
        change(&server, family, (&admin, ""), &json!({ "standing": "suspended" })).await;
    assert_eq!(suspended.status, 200, "{suspended:?}");
    let now = format!("if-match: {}\r\n", suspended.header("etag").unwrap());

    let body = json!({ "data": { "id": family.to_string(), "type": "oauth2_families",
        "attributes": { "standing": "active" } } });
    let rehearsal = ("PATCH", &*format!("{path}?dry_run=true"));
    for (version, rehearsed, removed) in [(&seen, 412, 412), (&now, 200, 200)] {
        let headers = format!("{}{version}", bearer(&admin));
        let answer = call_with(&server, rehearsal, &headers, Some(&body)).await;
        assert_eq!(answer.status, rehearsed, "{answer:?}");
        let answer = call_with(&server, ("DELETE", &path), &headers, None).await;
        assert_eq!(answer.status, removed, "{answer:?}");
        let left = server.kept.family(family).await.unwrap().unwrap().clients;
        assert_eq!(left, if removed == 412 { 2 } else { 0 });
    }
    let again = call(&server, "DELETE", &path, &admin).await;
    assert_eq!(again.json()["meta"]["clients_removed"], 0, "{again:?}");
    assert_eq!(events(&server, Action::FamilyRemoved).await.len(), 1, "nothing was left");
}
