//! The documented family: the clients that people have authorized, for operators and for each person.

use std::time::Duration;

use doorward::{
    operator::Role,
    store::{ResourceOwner, SessionId, SessionRecord, Standing},
};

use super::*;

const ORG: &str = "/api/v2/org_authorized_clients";
const MINE: &str = "/api/v2/user_authorized_clients";

/// Puts a person with a name into the store, signed in.
async fn sign_in(server: &TestServer, subject: &str, name: &str) {
    let now = server.clock.now();
    let session = SessionRecord {
        session_id: SessionId::generate(now, &server.chance),
        hash: doorward::secret::SecretHash::of(subject.as_bytes()),
        owner: ResourceOwner {
            subject: subject.to_owned(),
            name: Some(name.to_owned()),
            email: Some(format!("{}@acme.example", name.to_lowercase())),
            identity: None,
        },
        signed_in_at: now,
        idle_at: now.after_days(1),
        expires_at: now.after_days(1),
    };
    server.kept.begin_session(session, by()).await.unwrap();
}

/// Two clients, of which Ada has authorized both and Bob one; and a third that nobody has.
async fn authorized() -> (TestServer, [ClientId; 2]) {
    let server = serve().await;
    let first = client(&server, "Zed").await;
    server.clock.advance(Duration::from_secs(1));
    let second = client(&server, "claude").await;
    client(&server, "Unused").await;
    for (client, subject, scope) in [
        (first, "acme:1", "read write"),
        (second, "acme:1", "read"),
        (first, "acme:2", "read"),
        (first, "acme:1", "admin read"),
    ] {
        allow(&server, client, subject, scope).await;
    }
    sign_in(&server, "acme:1", "Ada").await;
    sign_in(&server, "acme:2", "Bob").await;
    (server, [first, second])
}

#[tokio::test]
async fn an_authorized_client_is_listed_with_its_people_until_they_are_revoked() {
    let (server, [first, second]) = authorized().await;
    let admin = token(&server, "admin", Role::Admin).await;
    let list = async |query: &str| get(&server, &format!("{ORG}?{query}"), &admin).await;
    let [one, other] = [first, second].map(|id| id.to_string());

    let all = list("").await;
    assert_eq!(ids(&all), [&*one, &other]);
    assert_eq!(all["meta"]["page"], json!({ "total_count": 2, "total_filtered_count": 2 }));
    let resource = &all["data"][0];
    let attributes = json!({ "disabled": false, "last_exercised": null, "user_count": 2 });
    assert_eq!(resource["attributes"], attributes);
    let relationships = &resource["relationships"];
    assert_eq!(
        relationships["oauth2_client"]["data"],
        json!({ "type": "oauth2_clients", "id": one })
    );
    assert_eq!(relationships["user_authorized_clients"]["data"].as_array().unwrap().len(), 2);
    let related = format!("{ORG}/{one}/user_authorized_clients");
    assert_eq!(relationships["user_authorized_clients"]["links"]["related"], related);

    assert_eq!(ids(&list("sort=oauth2_client.name").await), [&*other, &one]);
    assert_eq!(ids(&list("sort=-oauth2_client.name").await), [&*one, &other]);
    assert_eq!(ids(&list("filter[oauth2_client][name]=CLAU").await), [&*other]);
    assert_eq!(ids(&list("filter=zed&filter[disabled]=false").await), [&*one]);
    let none = list("filter[disabled]=true").await;
    assert_eq!(none["meta"]["page"], json!({ "total_count": 2, "total_filtered_count": 0 }));
    assert_eq!(ids(&list("page[size]=1&page[number]=1").await), [&*other]);
    assert_eq!(ids(&list("page[size]=1&page[number]=2").await), [""; 0]);

    let included =
        list("include=oauth2_client,user_authorized_clients.user,oauth2_client.app").await;
    let mut kinds: Vec<_> =
        included["included"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
    kinds.dedup();
    assert_eq!(kinds, ["oauth2_clients", "users"]);
    assert!(list("").await.get("included").is_none());
    for (query, name) in [
        ("page[size]=101", "page[size]"),
        ("page[number]=-1", "page[number]"),
        ("sort=name", "sort"),
        ("include=users", "include"),
        ("filter[disabled]=yes", "filter[disabled]"),
    ] {
        let answer = call(&server, "GET", &format!("{ORG}?{query}"), &admin).await;
        assert_eq!(
            (answer.status, source(&answer)),
            (400, json!({ "parameter": name })),
            "{query}"
        );
    }
    for unknown in ["x", "0199f2a4-7c11-7abc-8def-001122334455"] {
        assert_eq!(call(&server, "GET", &format!("{ORG}/{unknown}"), &admin).await.status, 404);
    }
}

#[tokio::test]
async fn a_disabled_client_stays_listed_and_its_people_have_to_authorize_it_again() {
    let (server, [first, _]) = authorized().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let path = format!("{ORG}/{first}");
    let body = |disabled: bool| {
        json!({ "data": {
        "id": first.to_string(), "type": "org_authorized_clients", "attributes": { "disabled": disabled },
    } })
    };
    let change = async |disabled: bool, headers: &str| {
        let headers = format!("{}{headers}", bearer(&operator));
        call_with(&server, ("PATCH", &path), &headers, Some(&body(disabled))).await
    };
    assert_eq!(change(true, "if-match: \"0\"\r\n").await.status, 412);
    let disabled = change(true, "").await;
    assert_eq!(disabled.status, 200, "{disabled:?}");
    let attributes = disabled.json()["data"]["attributes"].clone();
    assert_eq!((&attributes["disabled"], &attributes["user_count"]), (&json!(true), &json!(0)));
    assert_eq!(
        ids(&get(&server, &format!("{ORG}?filter[disabled]=true"), &operator).await).len(),
        1
    );
    assert_eq!(events(&server, Action::ClientSuspended).await.len(), 1);
    assert_eq!(events(&server, Action::GrantRevoked).await.len(), 3);

    assert_eq!(change(false, "").await.json()["data"]["attributes"]["disabled"], false);
    assert_eq!(
        call(&server, "GET", &path, &operator).await.status,
        404,
        "nobody has authorized it"
    );
    allow(&server, first, "acme:1", "read").await;
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204);
    assert_eq!(server.record(&first.to_string()).await.state.standing, Standing::Suspended);
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204, "it is disabled");
    let bad = json!({ "data": { "id": first.to_string(), "type": "org_authorized_clients", "attributes": { "disabled": "true" } } });
    let answer = call_with(&server, ("PATCH", &path), &bearer(&operator), Some(&bad)).await;
    assert_eq!(
        (answer.status, source(&answer)),
        (400, json!({ "pointer": "/data/attributes/disabled" }))
    );
}

#[tokio::test]
async fn the_people_of_a_client_are_listed_and_each_can_be_revoked() {
    let (server, [first, _]) = authorized().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let path = format!("{ORG}/{first}/user_authorized_clients");
    let list = async |query: &str| get(&server, &format!("{path}?{query}"), &operator).await;
    let people = |page: &Value| -> Vec<String> {
        let user =
            |one: &Value| one["relationships"]["user"]["data"]["id"].as_str().unwrap().to_owned();
        page["data"].as_array().unwrap().iter().map(user).collect()
    };
    let all = list("").await;
    assert_eq!(people(&all), ["acme:1", "acme:2"]);
    let scopes = &all["data"][0]["relationships"]["scopes"]["data"];
    assert_eq!(
        *scopes,
        json!(["admin", "read", "write"].map(|id| json!({ "type": "scopes", "id": id })))
    );
    assert_eq!(people(&list("sort=-user.name").await), ["acme:2", "acme:1"]);
    assert_eq!(people(&list("filter[user][name]=BO").await), ["acme:2"]);
    assert_eq!(people(&list("filter[user][email]=ada@").await), ["acme:1"]);
    assert_eq!(people(&list("filter[user][disabled]=true").await), [""; 0]);
    assert_eq!(people(&list("page[size]=1&page[number]=1").await), ["acme:2"]);

    let one = all["data"][1]["id"].as_str().unwrap();
    let one = format!("{path}/{one}");
    assert_eq!(call(&server, "DELETE", &one, &operator).await.status, 204);
    assert_eq!(call(&server, "DELETE", &one, &operator).await.status, 404);
    assert_eq!(people(&list("").await), ["acme:1"]);
    let all_of = format!("{ORG}/{first}/user/acme%3A1");
    assert_eq!(call(&server, "DELETE", &all_of, &operator).await.status, 204);
    assert_eq!(call(&server, "GET", &path, &operator).await.status, 404);
    let revoked = events(&server, Action::GrantRevoked).await;
    assert!(revoked.iter().all(|event| event.actor.as_deref() == Some("oncall")));
    assert_eq!(revoked.len(), 3);
}

#[tokio::test]
async fn a_person_sees_and_revokes_their_own_authorizations_and_no_others() {
    let (server, [first, second]) = authorized().await;
    let third = client(&server, "Third").await;
    let ada = access_token(&server, third, "acme:1").await;
    let bob = access_token(&server, third, "acme:2").await;
    let list =
        async |token: &str, query: &str| get(&server, &format!("{MINE}?{query}"), token).await;
    let mine = list(&ada, "").await;
    assert_eq!(mine["meta"]["page"]["total_count"], 3);
    assert_eq!(list(&bob, "").await["meta"]["page"]["total_count"], 2);
    let found = list(&ada, "filter=CLAUDE&include=oauth2_client").await;
    assert_eq!(found["included"][0]["id"], second.to_string());
    let id = ids(&found).remove(0);
    let path = format!("{MINE}/{id}");
    assert_eq!(get(&server, &path, &ada).await["data"], found["data"][0]);
    assert_eq!(call(&server, "GET", &path, &bob).await.status, 404);
    assert_eq!(call(&server, "DELETE", &path, &bob).await.status, 404);
    assert_eq!(call(&server, "DELETE", &path, &ada).await.status, 204);
    assert_eq!(call(&server, "GET", &path, &ada).await.status, 404);
    let of_client = format!("{MINE}/client/{first}");
    assert_eq!(call(&server, "DELETE", &of_client, &ada).await.status, 204);
    assert_eq!(call(&server, "DELETE", &of_client, &ada).await.status, 404);
    assert_eq!(list(&ada, "").await["meta"]["page"]["total_count"], 1);
    assert_eq!(list(&bob, "").await["meta"]["page"]["total_count"], 2);
    let revoked = events(&server, Action::GrantRevoked).await;
    assert!(revoked.iter().all(|event| event.actor.as_deref() == Some("acme:1")));
    let own = format!("{MINE}/client/{third}");
    assert_eq!(call(&server, "DELETE", &own, &ada).await.status, 204);
    assert_eq!(call(&server, "GET", MINE, &ada).await.status, 401, "its grant ended");
}

#[tokio::test]
async fn the_sites_and_the_openid_document_are_for_everyone() {
    let server = serve().await;
    let sites = call_with(&server, ("GET", "/api/v2/oauth2/.well-known/sites"), "", None).await;
    let host = "door.example";
    let expected =
        json!({ "data": { "id": "prod", "type": "env", "attributes": { "sites": [host] } } });
    assert_eq!((sites.status, sites.json()), (200, expected));
    let path = "/api/v2/oauth2/.well-known/openid-configuration";
    let document = call_with(&server, ("GET", path), "", None).await.json();
    let known = call_with(&server, ("GET", "/.well-known/openid-configuration"), "", None).await;
    assert_eq!(document, known.json());
}

#[tokio::test]
async fn a_scopes_restriction_ends_what_it_forbids_and_is_lifted() {
    let (server, [first, second]) = authorized().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let path = format!("/api/v2/oauth2/clients/{first}/scopes_restriction");
    let restriction = async || {
        let read = get(&server, &path, &operator).await;
        assert_eq!(
            (&read["data"]["id"], &read["data"]["type"]),
            (&json!(first.to_string()), &json!("scopes_restriction"))
        );
        let attributes = read["data"]["attributes"].clone();
        assert_eq!(attributes.get("required_permission_scopes"), Some(&Value::Null));
        attributes["scopes_restriction"].clone()
    };
    let upsert = async |attributes: Value| {
        let body =
            json!({ "data": { "type": "upsert_scopes_restriction", "attributes": attributes } });
        call_with(&server, ("POST", &path), &bearer(&operator), Some(&body)).await
    };
    assert_eq!(restriction().await, Value::Null);
    let allowed = json!({ "oidc_scopes": ["openid"], "permission_scopes": ["read", "write"] });
    let twice =
        json!({ "oidc_scopes": ["openid"], "permission_scopes": ["read", "write", "read"] });
    let answer = upsert(twice).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["data"]["attributes"]["scopes_restriction"], allowed);
    assert_eq!(restriction().await, allowed);
    let revoked = events(&server, Action::GrantRevoked).await;
    assert_eq!(revoked.len(), 1, "the one with admin: {revoked:?}");
    assert_eq!(events(&server, Action::ClientRestricted).await.len(), 1);
    let of_second = format!("/api/v2/oauth2/clients/{second}/scopes_restriction");
    let other = get(&server, &of_second, &operator).await;
    assert_eq!(other["data"]["attributes"]["scopes_restriction"], Value::Null);

    for (attributes, pointer) in [
        (json!({}), "/data/attributes"),
        (json!({ "oidc_scopes": ["read"] }), "/data/attributes/oidc_scopes/0"),
        (json!({ "permission_scopes": ["read", "a b"] }), "/data/attributes/permission_scopes/1"),
        (json!({ "permission_scopes": "read" }), "/data/attributes/permission_scopes"),
        (
            json!({ "permission_scopes": ["read"], "oidc_scope": ["openid"] }),
            "/data/attributes/oidc_scope",
        ),
    ] {
        let answer = upsert(attributes.clone()).await;
        assert_eq!(
            (answer.status, source(&answer)),
            (400, json!({ "pointer": pointer })),
            "{attributes}"
        );
    }
    assert_eq!(restriction().await, allowed, "nothing was changed");
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204, "it is lifted");
    assert_eq!(restriction().await, Value::Null);
    for (id, status) in [("x", 400), ("0199f2a4-7c11-7abc-8def-001122334455", 404)] {
        let path = format!("/api/v2/oauth2/clients/{id}/scopes_restriction");
        assert_eq!(call(&server, "GET", &path, &operator).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn a_scopes_restriction_is_changed_only_in_the_version_that_the_operator_saw() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    let path = format!("/api/v2/oauth2/clients/{client}/scopes_restriction");
    let version = async || {
        let read = call(&server, "GET", &path, &operator).await;
        read.header("etag").expect("the version of the client").to_owned()
    };
    let change = async |method: &str, version: &str| {
        let headers = format!("{}if-match: {version}\r\n", bearer(&operator));
        let attributes = json!({ "permission_scopes": ["read"] });
        let body =
            json!({ "data": { "type": "upsert_scopes_restriction", "attributes": attributes } });
        let body = (method == "POST").then_some(&body);
        call_with(&server, (method, &path), &headers, body).await
    };
    let first = version().await;

    let restricted = change("POST", &first).await;

    assert_eq!(restricted.status, 200, "{restricted:?}");
    assert_eq!(restricted.header("etag"), Some(&*version().await));
    for method in ["POST", "DELETE"] {
        let late = change(method, &first).await;
        assert_eq!(
            (late.status, source(&late)),
            (412, json!({ "header": "If-Match" })),
            "{method}"
        );
    }
    let read = get(&server, &path, &operator).await;
    assert_eq!(read["data"]["attributes"]["ceiling"], json!({ "only": ["read"] }));
    assert_eq!(events(&server, Action::ClientRestricted).await.len(), 1);
    assert_eq!(change("DELETE", &version().await).await.status, 204);
    assert_eq!(version().await, first, "the same state");
}
