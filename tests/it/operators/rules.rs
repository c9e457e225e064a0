//! Admission rules over the API.

use std::sync::Arc;

use doorward::{audit::ActorKind, operator::Role};
use tokio::task::JoinSet;

use super::*;
use crate::admission::load;

const RULES: &str = "/api/v2/oauth2/admission_rules";
const TYPE: &str = "oauth2_admission_rules";

fn document(id: &str, attributes: &Value) -> Value {
    json!({ "data": { "id": id, "type": TYPE, "attributes": attributes } })
}

async fn create(server: &TestServer, token: &str, id: &str, attributes: &Value) -> Answer {
    let body = document(id, attributes);
    call_with(server, ("POST", RULES), &bearer(token), Some(&body)).await
}

async fn change(
    server: &TestServer,
    id: &str,
    (token, headers): (&str, &str),
    attributes: &Value,
) -> Answer {
    let headers = format!("{}{headers}", bearer(token));
    let request = ("PATCH", &*format!("{RULES}/{id}"));
    call_with(server, request, &headers, Some(&document(id, attributes))).await
}

async fn try_rule(server: &TestServer, token: &str, attributes: &Value) -> Answer {
    let data = json!({ "type": "oauth2_admission_rule_trials", "attributes": attributes });
    let request = ("POST", &*format!("{RULES}/try"));
    call_with(server, request, &bearer(token), Some(&json!({ "data": data }))).await
}

/// A server with a rule of the settings.
async fn serve_with_a_rule() -> TestServer {
    let mut config = flow::config();
    let rule = "[[registration.rules]]\nid = 'first'\nname = 'Trusted'\neffect = 'allow'";
    config.registration = load(rule).unwrap();
    TestServer::with(config).await
}

fn tunnels() -> Value {
    json!({ "any_destination": "*.tunnel.example", "effect": "reject", "reason": "no tunnels" })
}

#[tokio::test]
async fn a_rule_is_created_where_it_is_wanted_and_decides_at_once() {
    let server = serve_with_a_rule().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let created = create(&server, &operator, "no-tunnels", &tunnels()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let attributes = &created.json()["data"]["attributes"];
    assert_eq!(attributes["any_destination"], json!(["*.tunnel.example"]));
    assert_eq!((&attributes["origin"], &attributes["position"]), (&json!("store"), &json!(1)));
    assert_eq!(
        (&attributes["mode"], &attributes["changed_by"]),
        (&json!("enforce"), &json!("oncall"))
    );
    let told = events(&server, Action::RuleCreated).await;
    let [event] = &told[..] else { panic!("{told:?}") };
    assert_eq!((event.actor_kind, event.actor.as_deref()), (ActorKind::Operator, Some("oncall")));

    let metadata = json!({ "redirect_uris": ["https://a.tunnel.example/"] }).to_string();
    let refused = server.post("/register", &metadata).await;
    assert_eq!(
        (refused.status, refused.json()["error_description"].as_str().is_some()),
        (400, true)
    );
    let first = json!({ "door": "document", "effect": "hold", "position": 1 });
    assert_eq!(create(&server, &operator, "documents", &first).await.status, 201);
    let list = get(&server, RULES, &operator).await;
    assert_eq!(ids(&list), ["first", "documents", "no-tunnels", "look-alikes"]);
    assert_eq!(list["data"][0]["attributes"]["origin"], "settings");
    assert_eq!(list["data"][0]["attributes"]["position"], Value::Null);
    assert_eq!(list["data"][2]["attributes"]["matches"], 1);
    let page = get(&server, &format!("{RULES}?page[limit]=2"), &operator).await;
    assert_eq!(page["meta"]["page"]["after"], "documents");
    let rest = get(&server, &format!("{RULES}?page[cursor]=documents"), &operator).await;
    assert_eq!(ids(&rest), ["no-tunnels", "look-alikes"]);

    for taken in ["no-tunnels", "first"] {
        let answer = create(&server, &operator, taken, &tunnels()).await;
        assert_eq!((answer.status, source(&answer)), (409, json!({ "pointer": "/data/id" })));
    }
}

#[tokio::test]
async fn a_rule_is_changed_member_by_member_reordered_and_removed() {
    let server = serve_with_a_rule().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    for id in ["a", "b", "c"] {
        assert_eq!(create(&server, &operator, id, &tunnels()).await.status, 201);
    }
    let change = async |id: &str, attributes: Value| {
        let answer = change(&server, id, (&operator, ""), &attributes).await;
        assert_eq!(answer.status, 200, "{attributes}: {answer:?}");
        answer.json()["data"]["attributes"].clone()
    };
    let held = change("b", json!({ "effect": "hold", "note": "for now", "position": 1 })).await;
    assert_eq!(
        (&held["effect"], held.get("reason"), &held["note"]),
        (&json!("hold"), None, &json!("for now"))
    );
    assert_eq!(ids(&get(&server, RULES, &operator).await), ["first", "b", "a", "c", "look-alikes"]);
    assert_eq!(events(&server, Action::RuleChanged).await.len(), 1, "one change, one event");
    let cleared = change("b", json!({ "note": null, "mode": "observe" })).await;
    assert_eq!((cleared.get("note"), &cleared["mode"]), (None, &json!("observe")));
    change("b", json!({ "mode": "observe" })).await;
    assert_eq!(events(&server, Action::RuleChanged).await.len(), 2, "nothing changed");
    change("b", json!({ "position": 99 })).await;
    assert_eq!(ids(&get(&server, RULES, &operator).await), ["first", "a", "c", "b", "look-alikes"]);

    let path = format!("{RULES}/a");
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 404);
    assert_eq!(events(&server, Action::RuleDeleted).await.len(), 1);
    for method in ["PATCH", "DELETE"] {
        let body = document("first", &json!({ "mode": "observe" }));
        let request = (method, &*format!("{RULES}/first"));
        let answer = call_with(&server, request, &bearer(&operator), Some(&body)).await;
        assert_eq!(answer.status, 422, "a rule of the settings: {answer:?}");
    }
}

#[tokio::test]
async fn no_operator_undoes_what_another_one_changed_of_a_rule() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let created = create(&server, &operator, "a", &tunnels()).await;
    let if_match = format!("if-match: {}\r\n", created.header("etag").unwrap());
    let observe = json!({ "mode": "observe" });
    let first = change(&server, "a", (&operator, &if_match), &observe).await;
    assert_eq!(first.status, 200, "{first:?}");
    let late = change(&server, "a", (&operator, &if_match), &json!({ "effect": "hold" })).await;
    assert_eq!((late.status, source(&late)), (412, json!({ "header": "If-Match" })));
    let headers = format!("{}{if_match}", bearer(&operator));
    let removal = call_with(&server, ("DELETE", &*format!("{RULES}/a")), &headers, None).await;
    assert_eq!(removal.status, 412);

    let server = Arc::new(server);
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let (server, operator) = (Arc::clone(&server), operator.clone());
        let member = if number % 2 == 0 { "note" } else { "name" };
        let attributes = json!({ member: format!("{member} {number}") });
        calls.spawn(async move { change(&server, "a", (&operator, ""), &attributes).await.status });
    }
    let mut made = 0;
    for status in calls.join_all().await {
        assert!(status == 200 || status == 503, "{status}");
        made += usize::from(status == 200);
    }
    let told = events(&server, Action::RuleChanged).await.len();
    assert_eq!(told, made + 1, "every change is made whole, or not at all");
    let rule = &get(&server, &format!("{RULES}/a"), &operator).await["data"]["attributes"];
    assert!(rule["note"].is_string() && rule["name"].is_array(), "no change was lost: {rule}");
}

#[tokio::test]
async fn a_member_of_a_rule_that_breaks_a_rule_is_named() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    for (id, attributes, pointer) in [
        ("A b", json!({}), "/data/id"),
        ("try", tunnels(), "/data/id"),
        ("a", json!({ "effect": "reject", "reason": "x" }), "/data/attributes"),
        ("a", json!({ "name": "x" }), "/data/attributes/effect"),
        ("a", json!({ "name": "x", "effect": "block" }), "/data/attributes/effect"),
        (
            "a",
            json!({ "effect": "hold", "any_destination": ["a.example", "https://x"] }),
            "/data/attributes/any_destination/1",
        ),
        ("a", json!({ "effect": "hold", "nmae": "x" }), "/data/attributes/nmae"),
        ("a", json!({ "effect": "hold", "name": "x", "position": 0 }), "/data/attributes/position"),
        ("a", json!({ "effect": "hold", "name": "x", "id": "b" }), "/data/attributes/id"),
    ] {
        let answer = create(&server, &operator, id, &attributes).await;
        assert_eq!(answer.status, 400, "{attributes}: {answer:?}");
        assert_eq!(source(&answer), json!({ "pointer": pointer }), "{attributes}");
    }
    assert_eq!(ids(&get(&server, RULES, &operator).await), ["look-alikes"]);
}

#[tokio::test]
async fn a_draft_is_tried_on_the_clients_of_the_last_days_and_changes_nothing() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let old = client(&server, "Old probe").await;
    server.clock.advance(std::time::Duration::from_hours(48));
    let viewer_later = token(&server, "later", Role::Viewer).await;
    let used = client(&server, "Probe 1").await;
    let unused = client(&server, "Probe 2").await;
    client(&server, "Other").await;
    allow(&server, used, "acme:1", "read").await;
    let rule = json!({ "name_contains": "probe", "effect": "reject", "reason": "no" });

    let tried = try_rule(&server, &viewer_later, &json!({ "rule": rule, "days": 1 })).await;
    assert_eq!(tried.status, 200, "{tried:?}");
    let attributes = tried.json()["data"]["attributes"].clone();
    assert_eq!((&attributes["evaluated"], &attributes["matched"]), (&json!(3), &json!(2)));
    assert_eq!((&attributes["in_use"], &attributes["is_complete"]), (&json!(1), &json!(true)));
    let expected = json!([{ "client_id": used.to_string(), "name": "Probe 1", "connections": 1 }]);
    assert_eq!(attributes["in_use_clients"], expected);
    assert_eq!(attributes["other_clients"][0]["client_id"], unused.to_string());
    let all = try_rule(&server, &viewer_later, &json!({ "rule": rule, "days": 30 })).await;
    let attributes = all.json()["data"]["attributes"].clone();
    assert_eq!(
        (&attributes["matched"], &attributes["other_clients"][1]["client_id"]),
        (&json!(3), &json!(old.to_string()))
    );
    assert_eq!(ids(&get(&server, RULES, &viewer_later).await), ["look-alikes"]);
    assert!(events(&server, Action::RuleCreated).await.is_empty());

    for (attributes, pointer) in [
        (json!({ "rule": { "effect": "hold" } }), "/data/attributes/rule"),
        (json!({ "rule": { "effect": "hold", "name": "" } }), "/data/attributes/rule/name"),
        (json!({ "rule": "x" }), "/data/attributes/rule"),
        (json!({ "days": 0 }), "/data/attributes/days"),
        (json!({ "wait": 0 }), "/data/attributes/wait"),
    ] {
        let answer = try_rule(&server, &viewer_later, &attributes).await;
        assert_eq!(
            (answer.status, source(&answer)),
            (400, json!({ "pointer": pointer })),
            "{attributes}"
        );
    }
    let unknown = try_rule(&server, &viewer_later, &json!({ "rule_id": "none" })).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    drop(viewer);
}

#[tokio::test]
async fn a_rule_that_exists_is_tried_at_its_place_with_other_members() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    client(&server, "Probe").await;
    let allow = json!({ "name": "probe", "effect": "allow" });
    assert_eq!(create(&server, &operator, "probes", &allow).await.status, 201);
    let observing = json!({ "name_contains": "pro", "effect": "hold", "mode": "observe" });
    assert_eq!(create(&server, &operator, "more", &observing).await.status, 201);
    let matched = async |attributes: Value| {
        let answer = try_rule(&server, &operator, &attributes).await;
        answer.json()["data"]["attributes"]["matched"].clone()
    };
    assert_eq!(matched(json!({ "rule_id": "more" })).await, 0, "the rule before decides");
    assert_eq!(matched(json!({ "rule_id": "more", "position": 1 })).await, 1);
    let other = json!({ "rule_id": "probes", "rule": { "name": "other" } });
    assert_eq!(matched(other).await, 0);
}

#[tokio::test]
async fn the_rule_that_ships_is_listed_tried_and_replaced_like_any_other_and_is_no_rule_of_the_store()
 {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let body = json!({ "client_name": "C1aude", "redirect_uris": ["https://evil.example/cb"] });
    let imitator = server.post("/register", &body.to_string()).await.client_id().to_string();
    client(&server, "Honest").await;
    let path = &*format!("{RULES}/look-alikes");
    let rule = get(&server, path, &operator).await;
    let attributes = &rule["data"]["attributes"];
    let shown = ["origin", "effect", "label", "imitation", "position", "matches"]
        .map(|name| attributes[name].clone());
    let expected = [
        json!("built-in"),
        json!("allow"),
        json!("look-alike"),
        json!(true),
        Value::Null,
        json!(1),
    ];
    assert_eq!(shown, expected, "{rule}");
    let labeled = get(&server, "/api/v2/oauth2/clients?filter[label]=look-alike", &operator).await;
    assert_eq!(ids(&labeled), [&*imitator]);
    let tried = json!({ "rule_id": "look-alikes", "rule": { "effect": "hold" } });
    let tried = try_rule(&server, &operator, &tried).await.json();
    let tried = &tried["data"]["attributes"];
    assert_eq!((&tried["effect"], &tried["matched"]), (&json!("hold"), &json!(1)));
    assert_eq!(tried["other_clients"][0]["client_id"], imitator);
    for method in ["PATCH", "DELETE"] {
        let body = document("look-alikes", &json!({ "mode": "observe" }));
        let answer = call_with(&server, (method, path), &bearer(&operator), Some(&body)).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.body.contains("registration.look_alikes"), "{}", answer.body);
    }

    let own = json!({ "imitation": true, "effect": "hold", "label": "mine" });
    assert_eq!(create(&server, &operator, "look-alikes", &own).await.status, 201);
    let rule = get(&server, path, &operator).await;
    assert_eq!(rule["data"]["attributes"]["origin"], "store");
    assert_eq!(ids(&get(&server, RULES, &operator).await), ["look-alikes"]);
    let held = server.post("/register", &body.to_string()).await.client_id().to_string();
    assert_eq!(server.record(&held).await.state.terms.label.as_deref(), Some("mine"));
    assert_eq!(call(&server, "DELETE", path, &operator).await.status, 204);
    let rule = get(&server, path, &operator).await;
    assert_eq!(rule["data"]["attributes"]["origin"], "built-in");
}

#[tokio::test]
async fn what_a_rule_says_of_a_client_is_kept_with_it_and_found_by_its_label() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let members = json!({
        "name": "Partner", "effect": "allow", "ceiling": "read", "label": "partners", "expires_days": 7,
    });
    let created = create(&server, &operator, "partners", &members).await;
    assert_eq!(created.status, 201, "{created:?}");
    let metadata = |name: &str| json!({ "client_name": name, "redirect_uris": [REDIRECT_URI] });
    let mut made = Vec::new();
    for name in ["Partner", "Stranger"] {
        let answer = server.post("/register", &metadata(name).to_string()).await;
        made.push(answer.client_id().to_string());
    }

    let path = "/api/v2/oauth2/clients?filter[label]=partners";
    let found = get(&server, path, &operator).await;
    assert_eq!(ids(&found), made[..1]);
    let attributes = &found["data"][0]["attributes"];
    assert_eq!(attributes["rule_ceiling"], json!({ "only": ["read"] }));
    assert_eq!((&attributes["label"], &attributes["ceiling"]), (&json!("partners"), &Value::Null));
    let week = server.clock.now().after_days(7).to_rfc3339();
    assert!(attributes["expires_at"].as_str().unwrap() <= &*week, "{attributes}");
    let removed = call(&server, "DELETE", &format!("{RULES}/partners"), &operator).await;
    assert_eq!(removed.status, 204);
    assert_eq!(ids(&get(&server, path, &operator).await), made[..1], "the label stays");
    let stranger = get(&server, &format!("/api/v2/oauth2/clients/{}", made[1]), &operator).await;
    assert_eq!(stranger["data"]["attributes"]["label"], Value::Null);
}
