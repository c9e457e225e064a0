//! Who may call what.

use std::time::Duration;

use doorward::{
    operator::Role,
    server::{OperatorOperation, operator_operations},
    store::{self, Access, OperatorTokenRecord, Store},
};
use tempfile::TempDir;

use super::*;
use crate::{granted, postgres};

/// The path of an operation, with a value for each parameter.
fn path(operation: &OperatorOperation) -> String {
    let unknown = "0199f2a4-7c11-7abc-8def-001122334455";
    let segment =
        |text: &str| if text.starts_with('{') { unknown.to_owned() } else { text.to_owned() };
    operation.template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The status of a call without a body.
async fn status(server: &TestServer, operation: &OperatorOperation, headers: &str) -> u16 {
    let request = (&*operation.method, &*path(operation));
    let body = (operation.method == "PATCH").then(|| json!({}));
    call_with(server, request, headers, body.as_ref()).await.status
}

async fn record(store: &Store, name: &str) -> OperatorTokenRecord {
    let all = store.operator_tokens(None, 100).await.unwrap();
    all.into_iter().find(|token| token.name == name).unwrap()
}

#[tokio::test]
async fn every_role_may_call_exactly_the_operations_of_its_scopes() {
    let server = serve().await;
    let operations: Vec<_> = operator_operations().collect();
    assert!(operations.len() >= 22, "{operations:?}");
    for role in Role::ALL.iter().copied() {
        let token = token(&server, role.as_str(), role).await;
        for operation in operations.iter().filter(|operation| !operation.is_public) {
            let status = status(&server, operation, &bearer(&token)).await;
            let may = operation.scope.is_some_and(|scope| role.has(scope));
            assert_eq!(status == 403, !may, "{role}: {operation:?}: {status}");
            assert!(status != 401 && status < 500, "{role}: {operation:?}: {status}");
        }
    }
}

#[tokio::test]
async fn nobody_may_call_an_operation_without_a_valid_credential() {
    let server = serve().await;
    let valid = token(&server, "valid", Role::Admin).await;
    let revoked = token(&server, "revoked", Role::Admin).await;
    let id = record(&server.kept, "revoked").await.operator_token_id;
    server.kept.revoke_operator_token(id, by()).await.unwrap();
    let other = valid.chars().rev().collect::<String>();
    let changed = format!("{}{}", valid.split_at(60).0, "AAAAAAAA");
    let basic = "authorization: Basic Zm9vOmJhcg==\r\n".to_owned();
    let api_key_alone = "dd-api-key: 0123456789abcdef\r\n".to_owned();
    let bad = [String::new(), basic, api_key_alone, "dd-application-key: x\r\n".to_owned()];
    let bad = bad.into_iter().chain([&*other, &changed, &revoked, "", "dwo_"].map(bearer));
    for headers in bad {
        for operation in operator_operations() {
            let status = status(&server, &operation, &headers).await;
            let expected = if operation.is_public { 200 } else { 401 };
            assert_eq!(status, expected, "{headers:?}: {operation:?}");
        }
    }
    let answer = call(&server, "GET", "/api/v2/oauth2/clients", "x").await;
    assert_eq!(answer.body, r#"{"errors":["Unauthorized"]}"#);
    let metadata = "Bearer resource_metadata=\"https://door.example/.well-known/oauth-protected-resource/api\"";
    let invalid = format!("{metadata}, error=\"invalid_token\"");
    assert_eq!(answer.header("www-authenticate"), Some(&*invalid));
    let nothing = call_with(&server, ("GET", "/api/v2/oauth2/clients"), "", None).await;
    assert_eq!(nothing.header("www-authenticate"), Some(metadata));
    server.clock.advance(Duration::from_hours(24));
    assert_eq!(call(&server, "GET", "/api/v2/oauth2/clients", &valid).await.status, 401, "expired");
}

#[tokio::test]
async fn an_operator_token_is_taken_as_an_application_key_beside_any_api_key() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    for headers in [
        format!("dd-api-key: anything\r\ndd-application-key: {viewer}\r\n"),
        format!("DD-APPLICATION-KEY: {viewer}\r\n"),
        format!("authorization: bearer {viewer}\r\n"),
    ] {
        let request = ("GET", "/api/v2/oauth2/clients");
        assert_eq!(call_with(&server, request, &headers, None).await.status, 200, "{headers}");
    }
    let request = ("DELETE", "/api/v2/oauth2/clients/0199f2a4-7c11-7abc-8def-001122334455");
    let refused = call_with(&server, request, &bearer(&viewer), None).await;
    assert_eq!((refused.status, source(&refused)), (403, Value::Null));
    assert_eq!(refused.json()["errors"][0]["title"], "Forbidden");
    assert!(refused.body.contains("scope admin, which the role viewer does not have"));
}

#[tokio::test]
async fn a_person_may_call_only_what_is_about_their_own_authorizations() {
    let server = serve().await;
    let client = client(&server, "An app").await;
    let person = access_token(&server, client, "acme:1").await;
    for operation in operator_operations().filter(|operation| !operation.is_public) {
        let status = status(&server, &operation, &bearer(&person)).await;
        assert_eq!(status == 403, operation.scope.is_some(), "{operation:?}: {status}");
        assert_ne!(status, 401, "{operation:?}");
    }
}

#[tokio::test]
async fn an_access_token_for_a_resource_opens_nothing() {
    let server = TestServer::with(granted::config()).await;
    let client = server.new_client().await;
    let token = member(&server.tokens(client).await, "access_token");
    let answer = call(&server, "GET", "/api/v2/user_authorized_clients", &token).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn guesses_are_limited_and_valid_tokens_are_not() {
    let mut config = flow::config();
    config.rate_limit.failures_per_source = 3;
    let server = TestServer::with(config).await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let path = "/api/v2/oauth2/clients";
    for status in [401, 401, 401, 429, 429] {
        let answer = call(&server, "GET", path, "dwo_guess").await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 429 {
            assert_eq!(answer.body, r#"{"errors":["Too many requests"]}"#);
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert_eq!(call(&server, "GET", path, &viewer).await.status, 200);
}

#[tokio::test]
async fn the_last_use_of_an_operator_token_is_stored_when_the_server_stops() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let config = granted::config_on(&postgres::new_database().unwrap_or(place));
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let server = TestServer::kept_by(kept, config.clone()).await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    token(&server, "unused", Role::Viewer).await;
    server.clock.advance(Duration::from_mins(1));
    get(&server, "/api/v2/oauth2/clients", &viewer).await;
    let used_at = server.clock.now();
    assert_eq!(record(&server.kept, "viewer").await.used_at, None, "aside");

    server.stop().await;

    let kept = store::open(&config, Access::Serve).await.unwrap();
    assert_eq!(record(&kept, "viewer").await.used_at, Some(used_at));
    assert_eq!(record(&kept, "unused").await.used_at, None);
}
