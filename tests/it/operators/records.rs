//! Our own operations: clients, grants, audit events, and the overview.

use std::{sync::Arc, time::Duration};

use doorward::{
    audit::{Actor, ActorKind},
    clock::Timestamp,
    operator::Role,
    store::{ClientUse, Standing},
};
use tokio::task::JoinSet;

use super::*;
use crate::registration_management::Registered;

const CLIENTS: &str = "/api/v2/oauth2/clients";

/// The body of a change of a client.
fn changing(client: ClientId, attributes: &Value) -> Value {
    let data =
        json!({ "id": client.to_string(), "type": "oauth2_clients", "attributes": attributes });
    json!({ "data": data })
}

async fn change(
    server: &TestServer,
    client: ClientId,
    (token, headers): (&str, &str),
    attributes: &Value,
) -> Answer {
    let request = ("PATCH", &*format!("{CLIENTS}/{client}"));
    let headers = format!("{}{headers}", bearer(token));
    call_with(server, request, &headers, Some(&changing(client, attributes))).await
}

#[tokio::test]
async fn clients_are_listed_page_by_page_and_by_every_filter() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let mut all = Vec::new();
    for name in ["Claude", "Cursor", "claude code"] {
        server.clock.advance(Duration::from_secs(1));
        all.push(client(&server, name).await.to_string());
    }
    server.clock.advance(Duration::from_secs(1));
    let answer = server
        .post(
            "/api/v2/oauth2/register",
            &json!({ "client_name": "Dog", "redirect_uris": [REDIRECT_URI] }).to_string(),
        )
        .await;
    all.push(answer.client_id().to_string());
    let list = async |query: &str| ids(&get(&server, &format!("{CLIENTS}?{query}"), &viewer).await);

    assert_eq!(list("").await, all);
    assert_eq!(list("filter[name]=CLAUDE").await, [&*all[0], &all[2]]);
    assert_eq!(list("filter%5Bprofile%5D=datadog").await, all[3..]);
    assert_eq!(list("filter[standing]=suspended").await, [""; 0]);
    assert_eq!(list("filter[flag]=look_alike").await, all[..3]);
    assert_eq!(list("filter[profile]=document").await, [""; 0]);
    assert_eq!(list("filter[registered][until]=2027-01-15T08:00:00Z").await, [""; 0]);
    assert_eq!(list("filter[registered][from]=2027-01-15T08:00:00Z").await, all);

    let mut listed = Vec::new();
    let mut path = format!("{CLIENTS}?page[limit]=3&filter[name]=c");
    loop {
        let page = get(&server, &path, &viewer).await;
        listed.extend(ids(&page));
        let Some(next) = page["links"]["next"].as_str() else { break };
        path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).unwrap();
    }
    assert_eq!(listed, all[..3]);
    let resource = &get(&server, CLIENTS, &viewer).await["data"][0];
    assert_eq!(resource["attributes"]["name"], "Claude");
    assert_eq!(resource["attributes"]["standing"], "active");
    assert_eq!(resource["attributes"]["metadata"]["redirect_uris"], json!([REDIRECT_URI]));
}

#[tokio::test]
async fn a_parameter_that_breaks_a_rule_is_named() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    for (query, name) in [
        ("page[limit]=0", "page[limit]"),
        ("page[limit]=101", "page[limit]"),
        ("page[limit]=many", "page[limit]"),
        ("page[cursor]=x", "page[cursor]"),
        ("filter[standing]=blocked", "filter[standing]"),
        ("filter[profile]=other", "filter[profile]"),
        ("filter[registered][from]=yesterday", "filter[registered][from]"),
        ("filter[nmae]=x", "filter[nmae]"),
        ("filter[name]=x&filter[name]=y", "filter[name]"),
    ] {
        let answer = call(&server, "GET", &format!("{CLIENTS}?{query}"), &viewer).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert_eq!(source(&answer), json!({ "parameter": name }), "{query}");
    }
    let answer = call(&server, "GET", &format!("{CLIENTS}/x"), &viewer).await;
    assert_eq!((answer.status, source(&answer)), (400, json!({ "parameter": "client_id" })));
    let unknown = format!("{CLIENTS}/0199f2a4-7c11-7abc-8def-001122334455");
    assert_eq!(call(&server, "GET", &unknown, &viewer).await.status, 404);
}

#[tokio::test]
async fn a_change_names_its_operator_in_one_event_and_ends_what_it_must() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    allow(&server, client, "acme:1", "read").await;

    let attributes = json!({ "standing": "suspended", "note": "Ticket 4711", "reason": "spam" });
    let answer = change(&server, client, (&operator, ""), &attributes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["data"]["attributes"]["standing"], "suspended");
    assert_eq!(answer.json()["data"]["attributes"]["note"], "Ticket 4711");
    assert_eq!(server.record(&client.to_string()).await.state.standing, Standing::Suspended);
    for action in [Action::ClientSuspended, Action::GrantRevoked, Action::ClientUpdated] {
        let events = events(&server, action).await;
        let [event] = &events[..] else { panic!("{action}: {events:?}") };
        assert_eq!(event.actor_kind, ActorKind::Operator);
        assert_eq!(event.actor, Actor::Operator("oncall".to_owned()).id());
        assert!(event.request_id.is_some());
    }
    let detail = events(&server, Action::ClientSuspended).await.remove(0).detail.unwrap();
    assert!(detail.contains(r#""reason":"spam""#), "{detail}");

    let again = change(&server, client, (&operator, ""), &attributes).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(events(&server, Action::ClientSuspended).await.len(), 1, "nothing changed");
    let resumed =
        change(&server, client, (&operator, ""), &json!({ "standing": "active", "note": null }))
            .await;
    assert_eq!(resumed.json()["data"]["attributes"]["note"], Value::Null);
    assert_eq!(events(&server, Action::ClientResumed).await.len(), 1);
}

#[tokio::test]
async fn a_label_is_set_found_by_kept_in_an_update_and_removed() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let metadata = json!({ "redirect_uris": [REDIRECT_URI], "client_name": "An app" });
    let registered = Registered::new(&server, &metadata).await;
    let client = registered.id;
    let labelled = async |label: &str| {
        let found = get(&server, &format!("{CLIENTS}?filter[label]={label}"), &operator).await;
        ids(&found)
    };
    let before = call(&server, "GET", &format!("{CLIENTS}/{client}"), &operator).await;

    let set = change(&server, client, (&operator, ""), &json!({ "label": "partners" })).await;
    assert_eq!(set.json()["data"]["attributes"]["label"], "partners", "{set:?}");
    assert_ne!(set.header("etag"), before.header("etag"));
    assert_eq!(labelled("partners").await, [client.to_string()]);
    let event = events(&server, Action::ClientUpdated).await.remove(0);
    assert!(event.detail.unwrap().contains(r#""members":["label"]"#));

    let update = json!({ "client_id": client.to_string(), "redirect_uris": [REDIRECT_URI] });
    let updated = registered.put(&server, &update.to_string()).await;
    assert_eq!(updated.status, 200, "{updated:?}");
    assert_eq!(labelled("partners").await, [client.to_string()], "the client cannot remove it");

    let removed = change(&server, client, (&operator, ""), &json!({ "label": null })).await;
    assert_eq!(removed.json()["data"]["attributes"]["label"], Value::Null, "{removed:?}");
    assert_eq!(labelled("partners").await, [""; 0]);
}

#[tokio::test]
async fn a_member_that_breaks_a_rule_is_named_and_nothing_changes() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    let request = ("PATCH", &*format!("{CLIENTS}/{client}"));
    let id = client.to_string();
    let other = "0199f2a4-7c11-7abc-8def-001122334455";
    let change = |attributes: Value| changing(client, &attributes);
    for (body, status, pointer) in [
        (json!({}), 400, "/data"),
        (json!({ "data": { "id": id, "type": "clients" } }), 400, "/data/type"),
        (json!({ "data": { "type": "oauth2_clients" } }), 400, "/data/id"),
        (json!({ "data": { "id": other, "type": "oauth2_clients" } }), 422, "/data/id"),
        (change(json!([])), 400, "/data/attributes"),
        (change(json!({ "standing": "dormant" })), 400, "/data/attributes/standing"),
        (change(json!({ "standing": 1 })), 400, "/data/attributes/standing"),
        (change(json!({ "note": "two\nlines" })), 400, "/data/attributes/note"),
        (change(json!({ "note": "x".repeat(501) })), 400, "/data/attributes/note"),
        (change(json!({ "label": "" })), 400, "/data/attributes/label"),
        (change(json!({ "label": "x".repeat(65) })), 400, "/data/attributes/label"),
        (change(json!({ "label": ["x"] })), 400, "/data/attributes/label"),
        (change(json!({ "name": "x" })), 400, "/data/attributes/name"),
        (change(json!({ "ceiling": "read" })), 400, "/data/attributes/ceiling"),
        (change(json!({ "ceiling": {} })), 400, "/data/attributes/ceiling"),
        (change(json!({ "ceiling": { "only": ["a b"] } })), 400, "/data/attributes/ceiling"),
        (
            change(json!({ "ceiling": { "only": [], "except": [] } })),
            400,
            "/data/attributes/ceiling",
        ),
        (change(json!({ "standing": "rejected" })), 422, "/data/attributes/standing"),
        (change(json!({ "standing": "rejected", "note": "x" })), 400, "/data/attributes"),
        (change(json!({ "standing": "rejected", "label": "x" })), 400, "/data/attributes"),
    ] {
        let answer = call_with(&server, request, &bearer(&operator), Some(&body)).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(source(&answer), json!({ "pointer": pointer }), "{body}");
    }
    let record = server.record(&id).await;
    assert_eq!((record.state.standing, record.state.note), (Standing::Active, None));
    assert!(events(&server, Action::ClientUpdated).await.is_empty());
}

#[tokio::test]
async fn a_ceiling_ends_what_goes_beyond_it_and_a_rejection_removes_a_pending_client() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let app = client(&server, "An app").await;
    allow(&server, app, "acme:1", "read write").await;
    allow(&server, app, "acme:2", "read").await;
    let narrowed =
        change(&server, app, (&operator, ""), &json!({ "ceiling": { "only": ["read"] } })).await;
    assert_eq!(narrowed.status, 200, "{narrowed:?}");
    let ceiling = &narrowed.json()["data"]["attributes"]["ceiling"];
    assert_eq!(ceiling, &json!({ "only": ["read"] }));
    assert_eq!(events(&server, Action::GrantRevoked).await.len(), 1);
    assert_eq!(events(&server, Action::ClientRestricted).await.len(), 1);
    let lifted = change(&server, app, (&operator, ""), &json!({ "ceiling": null })).await;
    assert_eq!(lifted.json()["data"]["attributes"]["ceiling"], Value::Null);

    let mut waiting = server.record(&app.to_string()).await;
    waiting.client_id = "019aa7b4-5a1c-7bd1-b0ff-000000000001".parse().unwrap();
    waiting.state.standing = Standing::Pending;
    server.kept.import_clients(vec![waiting.clone()]).await.unwrap();
    let rejection = json!({ "standing": "rejected", "reason": "Unknown vendor" });
    let stale = "if-match: \"00\"\r\n";
    let superseded = change(&server, waiting.client_id, (&operator, stale), &rejection).await;
    assert_eq!(superseded.status, 412, "{superseded:?}");
    let rejected = change(&server, waiting.client_id, (&operator, ""), &rejection).await;
    assert_eq!(rejected.json()["data"]["attributes"]["standing"], "rejected");
    assert!(server.kept.client(waiting.client_id).await.unwrap().is_none());
    let event = events(&server, Action::ClientRejected).await.remove(0);
    assert_eq!(event.actor, Actor::Operator("oncall".to_owned()).id());
    assert!(event.detail.unwrap().contains("Unknown vendor"));
}

#[tokio::test]
async fn a_client_is_found_by_its_identifier_and_used_clients_in_the_order_of_use() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let mut used = Vec::new();
    let unused = client(&server, "Unused").await;
    for number in 1..=5_u64 {
        let mut record = server.record(&unused.to_string()).await;
        record.client_id = format!("019aa7b4-5a1c-7bd1-b0ff-{number:012x}").parse().unwrap();
        let used_at = Timestamp::from_millis(1_700_000_000_000 + number / 2);
        record.state.used_at = Some(used_at);
        used.push(record);
    }
    server.kept.import_clients(used).await.unwrap();
    let found = get(&server, &format!("{CLIENTS}?filter[client_id]={unused}"), &viewer).await;
    assert_eq!(ids(&found), [unused.to_string()]);
    let absent = "filter[client_id]=https%3A%2F%2Fapp.example%2Fclient.json";
    assert_eq!(ids(&get(&server, &format!("{CLIENTS}?{absent}"), &viewer).await), [""; 0]);
    let mut path = format!("{CLIENTS}?sort=-used_at&page[limit]=2");
    let mut listed = Vec::new();
    loop {
        let page = get(&server, &path, &viewer).await;
        listed.extend(ids(&page).iter().map(|id| id.split_at(35).1.to_owned()));
        let Some(next) = page["links"]["next"].as_str() else { break };
        path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).unwrap();
    }
    listed.sort();
    assert_eq!(listed, ["1", "2", "3", "4", "5"]);
    for (query, name) in [
        ("sort=name", "sort"),
        ("sort=-used_at&page[cursor]=x", "page[cursor]"),
        ("filter[client_id]=x", "filter[client_id]"),
        (&format!("filter[client_id]={unused}&filter[name]=x"), "filter[client_id]"),
    ] {
        let answer = call(&server, "GET", &format!("{CLIENTS}?{query}"), &viewer).await;
        assert_eq!(
            (answer.status, source(&answer)),
            (400, json!({ "parameter": name })),
            "{query}"
        );
    }
}

#[tokio::test]
async fn of_operators_who_edit_one_client_none_undoes_what_another_did() {
    const OPERATORS: usize = 6;
    const EDITS: usize = 10;
    let server = Arc::new(serve().await);
    let client = client(&server, "An app").await;
    let mut editing = JoinSet::new();
    for nth in 0..OPERATORS {
        let token = token(&server, &format!("operator {nth}"), Role::Operator).await;
        let server = Arc::clone(&server);
        editing.spawn(async move {
            let mut lost = 0;
            for _ in 0..EDITS {
                loop {
                    let read = call(&server, "GET", &format!("{CLIENTS}/{client}"), &token).await;
                    let note = read.json()["data"]["attributes"]["note"].clone();
                    let note = format!("{}{nth}", note.as_str().unwrap_or_default());
                    let version = format!("if-match: {}\r\n", read.header("etag").unwrap());
                    let attributes = json!({ "note": note });
                    let changed = change(&server, client, (&token, &version), &attributes).await;
                    match changed.status {
                        200 => break,
                        412 => lost += 1,
                        _ => panic!("{changed:?}"),
                    }
                }
            }
            lost
        });
    }
    let lost: usize = editing.join_all().await.into_iter().sum();
    let note = server.record(&client.to_string()).await.state.note.unwrap();
    assert_eq!(note.len(), OPERATORS * EDITS, "{lost} edits were refused");
    for nth in 0..OPERATORS {
        assert_eq!(note.matches(&nth.to_string()).count(), EDITS, "{note}");
    }
    assert_eq!(events(&server, Action::ClientUpdated).await.len(), OPERATORS * EDITS);
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_changes_and_removes_nothing() {
    let server = serve().await;
    let admin = token(&server, "admin", Role::Admin).await;
    let client = client(&server, "An app").await;
    let path = format!("{CLIENTS}/{client}");
    let version = call(&server, "GET", &path, &admin).await.header("etag").unwrap().to_owned();
    for stale in ["\"0\"", "W/\"0\"", &format!("W/{version}"), "nonsense"] {
        let header = format!("if-match: {stale}\r\n");
        let answer = change(&server, client, (&admin, &header), &json!({ "note": "x" })).await;
        assert_eq!((answer.status, source(&answer)), (412, json!({ "header": "If-Match" })));
        let headers = format!("{}{header}", bearer(&admin));
        assert_eq!(call_with(&server, ("DELETE", &path), &headers, None).await.status, 412);
    }
    // A use is no edit.
    let used = ClientUse { client_id: client, used_at: server.clock.now() };
    server.kept.note_client_uses(vec![used]).await.unwrap();
    for good in ["*", &version, &format!("\"0\", {version}")] {
        let header = format!("if-match: {good}\r\n");
        let answer = change(&server, client, (&admin, &header), &json!({})).await;
        assert_eq!(answer.status, 200, "{good}: {answer:?}");
    }
    let headers = format!("{}if-match: {version}\r\n", bearer(&admin));
    assert_eq!(call_with(&server, ("DELETE", &path), &headers, None).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 404);
    let events = events(&server, Action::ClientRemoved).await;
    assert_eq!((events.len(), events[0].actor.as_deref()), (1, Some("admin")));
}

#[tokio::test]
async fn a_grant_is_read_with_its_timeline_and_revoked() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    let code = allow(&server, client, "acme:1", "read").await;
    let other = allow(&server, client, "acme:2", "read").await;
    server.token(&redeeming(client, &code, &[])).await;
    let [id, other] =
        [code, other].map(|code| code.parse::<AuthorizationCode>().unwrap().grant.to_string());
    let grants = "/api/v2/oauth2/grants";

    assert_eq!(ids(&get(&server, grants, &operator).await), [&*id, &other]);
    let of = |query: String| format!("{grants}?{query}");
    assert_eq!(ids(&get(&server, &of("filter[sub]=acme:2".into()), &operator).await), [&*other]);
    let by_client = get(&server, &of(format!("filter[client_id]={client}")), &operator).await;
    assert_eq!(ids(&by_client), [&*id, &other]);
    let page = get(&server, &of("page[limit]=1".into()), &operator).await;
    let after = page["meta"]["page"]["after"].as_str().unwrap();
    assert_eq!(
        ids(&get(&server, &of(format!("page[cursor]={after}")), &operator).await),
        [&*other]
    );

    let path = format!("{grants}/{id}");
    let read = get(&server, &path, &operator).await;
    assert_eq!(read["data"]["attributes"]["sub"], "acme:1");
    assert!(
        read["data"]["attributes"]["timeline"][1].as_str().unwrap().starts_with("Code redeemed")
    );
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 404);
    let ended = get(&server, &path, &operator).await;
    let timeline = ended["data"]["attributes"]["timeline"].to_string();
    assert!(timeline.contains("the operator oncall revoked the grant"), "{timeline}");
}

#[tokio::test]
async fn audit_events_are_found_by_terms_and_times_in_the_documented_shape() {
    let server = serve().await;
    let operator = token(&server, "on call", Role::Operator).await;
    let first = client(&server, "An app").await;
    let second = client(&server, "Another app").await;
    for client in [first, second] {
        server.clock.advance(Duration::from_mins(1));
        let suspended = json!({ "standing": "suspended" });
        assert_eq!(change(&server, client, (&operator, ""), &suspended).await.status, 200);
    }
    let list =
        async |query: &str| get(&server, &format!("/api/v2/audit/events?{query}"), &operator).await;
    let all = list("").await;
    let [newest, ..] = &all["data"].as_array().unwrap()[..] else { panic!("{all}") };
    assert_eq!(newest["type"], "audit");
    assert_eq!(newest["attributes"]["timestamp"], "2027-01-15T08:02:00Z");
    assert_eq!(newest["attributes"]["message"], "client.suspended");
    assert_eq!(newest["attributes"]["attributes"]["client_id"], second.to_string());
    assert_eq!(
        newest["attributes"]["attributes"]["actor"],
        json!({ "type": "operator", "id": "on call", "role": "operator" })
    );
    let newest_id = newest["id"].as_str().unwrap();

    let of = |query: &str| format!("filter[query]={}", query.replace(' ', "+").replace('"', "%22"));
    let by_client = list(&of(&format!("@client_id:{first}"))).await;
    assert_eq!(ids(&by_client).len(), 2, "the suspension, and the registration");
    let terms = format!("@actor.id:\"on call\" action:client.suspended @client_id:{second}");
    assert_eq!(ids(&list(&of(&terms)).await), [newest_id]);
    assert_eq!(ids(&list(&of("@sub:nobody")).await), [""; 0]);
    assert_eq!(ids(&list("filter[from]=2027-01-15T08:02:00Z").await), [newest_id]);
    assert_eq!(
        ids(&list("filter[to]=2027-01-15T08:02:00Z&sort=-timestamp").await)[..1],
        ids(&by_client)[..1]
    );
    let oldest = list("sort=timestamp&page[limit]=1").await;
    let after = oldest["meta"]["page"]["after"].as_str().unwrap();
    let rest = list(&format!("sort=timestamp&page[cursor]={after}")).await;
    assert_eq!(ids(&rest).last().map(String::as_str), Some(newest_id));
    let twice = "@action:client.suspended @action:client.registered";
    for bad in ["suspended", "@invented:x", "@action:client.invented", "@sub:\"a", twice] {
        let path = format!("/api/v2/audit/events?{}", of(bad));
        let answer = call(&server, "GET", &path, &operator).await;
        assert_eq!(
            (answer.status, source(&answer)),
            (400, json!({ "parameter": "filter[query]" })),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn the_overview_counts_what_there_is() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let first = client(&server, "An app").await;
    let second = client(&server, "Another app").await;
    for subject in ["acme:1", "acme:2", "acme:1"] {
        allow(&server, first, subject, "read").await;
    }
    change(&server, second, (&operator, ""), &json!({ "standing": "suspended" })).await;
    let counted = server.clock.now().to_rfc3339();
    let overview = get(&server, "/api/v2/oauth2/overview", &operator).await;
    let expected = json!({
        "counted_at": counted,
        "clients": 2, "document_clients": 0, "pending": 0, "suspended": 1, "dormant": 0,
        "registered_last_day": 2, "registered_last_week": 2, "grants": 3, "people": 2,
    });
    assert_eq!(overview["data"]["attributes"], expected);

    client(&server, "A later app").await;

    let overview = get(&server, "/api/v2/oauth2/overview", &operator).await;
    assert_eq!(overview["data"]["attributes"], expected, "counting reads every client");
    server.clock.advance(Duration::from_secs(30));
    let overview = get(&server, "/api/v2/oauth2/overview", &operator).await;
    assert_eq!(overview["data"]["attributes"]["clients"], 3);
}
