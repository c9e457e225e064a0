//! What operators create: operator tokens, initial access tokens, and clients.

use doorward::{
    audit::Actor, config::RegistrationAccess, operator::Role, store::ClientRegistration,
};

use super::*;

const OPERATOR_TOKENS: &str = "/api/v2/oauth2/operator_tokens";
const INITIAL_ACCESS_TOKENS: &str = "/api/v2/oauth2/initial_access_tokens";
const CLIENTS: &str = "/api/v2/oauth2/clients";

async fn post(server: &TestServer, path: &str, token: &str, data: &Value) -> Answer {
    let body = json!({ "data": data });
    call_with(server, ("POST", path), &bearer(token), Some(&body)).await
}

fn wanted(kind: &str, attributes: &Value) -> Value {
    json!({ "type": kind, "attributes": attributes })
}

#[tokio::test]
async fn an_operator_token_is_created_over_the_api_shown_once_and_revoked() {
    let server = serve().await;
    let admin = token(&server, "root", Role::Admin).await;
    let kind = "oauth2_operator_tokens";
    let attributes = json!({ "name": "CI", "role": "viewer" });
    let created = post(&server, OPERATOR_TOKENS, &admin, &wanted(kind, &attributes)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let resource = &created.json()["data"];
    let secret = resource["attributes"]["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("dwo_") && resource["attributes"]["expires_at"].is_string());
    assert_eq!(call(&server, "GET", CLIENTS, &secret).await.status, 200);
    assert_eq!(call(&server, "GET", OPERATOR_TOKENS, &secret).await.status, 403);

    let listed = get(&server, OPERATOR_TOKENS, &admin).await;
    assert_eq!(listed["data"][1]["id"], resource["id"]);
    assert!(!listed.to_string().contains(&secret) && !listed.to_string().contains("dwo_"));
    let first = get(&server, &format!("{OPERATOR_TOKENS}?page[limit]=1"), &admin).await;
    let next = first["meta"]["page"]["after"].as_str().unwrap();
    let rest = get(&server, &format!("{OPERATOR_TOKENS}?page[cursor]={next}"), &admin).await;
    assert_eq!(ids(&rest), [resource["id"].as_str().unwrap()]);
    let again = post(&server, OPERATOR_TOKENS, &admin, &wanted(kind, &attributes)).await;
    let pointer = json!({ "pointer": "/data/attributes/name" });
    assert_eq!((again.status, source(&again)), (409, pointer));

    let path = format!("{OPERATOR_TOKENS}/{}", resource["id"].as_str().unwrap());
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 404);
    assert_eq!(call(&server, "GET", CLIENTS, &secret).await.status, 401);
    for action in [Action::OperatorTokenCreated, Action::OperatorTokenRevoked] {
        let all = events(&server, action).await;
        let is_of_it = |event: &&EventRecord| event.detail.as_ref().unwrap().contains("\"CI\"");
        let event = all.iter().find(is_of_it).unwrap();
        assert_eq!(event.actor, Actor::Operator("root".to_owned()).id(), "{action}");
        assert!(!event.detail.as_ref().unwrap().contains("dwo_"), "{event:?}");
    }
}

#[tokio::test]
async fn a_body_that_creates_no_token_names_the_member_and_creates_nothing() {
    let server = serve().await;
    let admin = token(&server, "root", Role::Admin).await;
    let token = "oauth2_operator_tokens";
    let initial = "oauth2_initial_access_tokens";
    let path = |kind: &str| if kind == token { OPERATOR_TOKENS } else { INITIAL_ACCESS_TOKENS };
    for (kind, attributes, member) in [
        (token, json!({ "role": "viewer" }), "/name"),
        (token, json!({ "name": "a\nb", "role": "viewer" }), "/name"),
        (token, json!({ "name": "x".repeat(101), "role": "viewer" }), "/name"),
        (token, json!({ "name": "a" }), "/role"),
        (token, json!({ "name": "a", "role": "root" }), "/role"),
        (
            token,
            json!({ "name": "a", "role": "viewer", "expires_at": "2001-01-01" }),
            "/expires_at",
        ),
        (
            token,
            json!({ "name": "a", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z" }),
            "/expires_at",
        ),
        (token, json!({ "name": "a", "role": "viewer", "hash": "x" }), "/hash"),
        (initial, json!({}), "/name"),
        (initial, json!({ "name": "none" }), "/name"),
        (initial, json!({ "name": "A b" }), "/name"),
        (initial, json!({ "name": "a", "policy": "none" }), "/policy"),
        (initial, json!({ "name": "a", "uses_max": 0 }), "/uses_max"),
        (initial, json!({ "name": "a", "uses_max": 1.5 }), "/uses_max"),
        (initial, json!({ "name": "a", "role": "admin" }), "/role"),
        (initial, json!([]), ""),
    ] {
        let answer = post(&server, path(kind), &admin, &wanted(kind, &attributes)).await;
        let pointer = json!({ "pointer": format!("/data/attributes{member}") });
        assert_eq!((answer.status, source(&answer)), (400, pointer), "{attributes}");
    }
    assert_eq!(server.kept.operator_tokens(None, 10).await.unwrap().len(), 1);
    assert_eq!(server.kept.initial_access_tokens(None, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_initial_access_token_of_the_api_lets_as_many_clients_register_as_it_says() {
    let mut config = flow::config();
    config.registration.access = RegistrationAccess::Token;
    let server = TestServer::with(config).await;
    let admin = token(&server, "root", Role::Admin).await;
    let attributes = json!({ "name": "partners", "uses_max": 2, "expires_at": null });
    let data = wanted("oauth2_initial_access_tokens", &attributes);
    let created = post(&server, INITIAL_ACCESS_TOKENS, &admin, &data).await;
    assert_eq!(created.status, 201, "{created:?}");
    let resource = created.json()["data"].clone();
    let secret = resource["attributes"]["token"].as_str().unwrap().to_owned();
    assert_eq!(post(&server, INITIAL_ACCESS_TOKENS, &admin, &data).await.status, 409);
    let metadata = json!({ "redirect_uris": [REDIRECT_URI] });
    for status in [201, 201, 401] {
        let request = ("POST", "/oauth2/register");
        let answer = call_with(&server, request, &bearer(&secret), Some(&metadata)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let listed = get(&server, INITIAL_ACCESS_TOKENS, &admin).await;
    let attributes = &listed["data"][0]["attributes"];
    assert_eq!((&attributes["uses"], &attributes["policy"]), (&json!(2), &json!("partners")));
    assert!(attributes["used_at"].is_string() && !listed.to_string().contains("dwi_"));
    let path = format!("{INITIAL_ACCESS_TOKENS}/{}", resource["id"].as_str().unwrap());
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 204);
    let actor = Actor::Operator("root".to_owned()).id();
    for action in [Action::InitialAccessTokenCreated, Action::InitialAccessTokenRevoked] {
        assert_eq!(events(&server, action).await.remove(0).actor, actor);
    }
}

#[tokio::test]
async fn an_operator_makes_a_client_by_the_checks_of_a_registration() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let metadata = json!({ "client_name": "Acme CRM", "redirect_uris": [REDIRECT_URI] });
    let data = wanted("oauth2_clients", &json!({ "metadata": metadata }));
    let created = post(&server, CLIENTS, &operator, &data).await;
    assert_eq!(created.status, 201, "{created:?}");
    let attributes = created.json()["data"]["attributes"].clone();
    assert_eq!(attributes["name"], "Acme CRM");
    assert!(created.header("etag").is_some());
    let record = server.record(attributes["client_id"].as_str().unwrap()).await;
    assert_eq!(record.registration, ClientRegistration::by_operator("oncall"));

    let metadata =
        json!({ "client_name": "x", "redirect_uris": ["javascript:x"], "client_uri": 1 });
    let data = wanted("oauth2_clients", &json!({ "metadata": metadata }));
    let refused = post(&server, CLIENTS, &operator, &data).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let json = refused.json();
    let pointers = json["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = pointers.map(|error| error["source"]["pointer"].clone()).collect();
    let at = |member: &str| json!(format!("/data/attributes/metadata/{member}"));
    assert!(pointers.contains(&at("redirect_uris/0")), "{pointers:?}");
    assert!(pointers.contains(&at("client_uri")), "{pointers:?}");
    for (attributes, pointer) in [
        (json!({}), "/data/attributes/metadata"),
        (json!({ "metadata": 1 }), "/data/attributes/metadata"),
        (json!({ "metadata": {}, "standing": "active" }), "/data/attributes/standing"),
    ] {
        let refused =
            post(&server, CLIENTS, &operator, &wanted("oauth2_clients", &attributes)).await;
        assert_eq!((refused.status, source(&refused)), (400, json!({ "pointer": pointer })));
    }
}
