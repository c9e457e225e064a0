//! The operator API: who may call what, and what each call answers and changes.

mod access;
mod access_of_people;
mod attempts;
mod authorized;
mod families;
mod keys;
mod people;
mod races;
mod records;
mod rules;
mod tokens;
mod trail;

use doorward::{
    audit::Action,
    client::{ClientId, Scope},
    grant::{AuthorizationCode, CodeVerifier, GrantId, ResourceIndicator},
    operator::{OperatorToken, Role},
    store::{CodeRecord, EventRecord, GrantRecord, OperatorTokenRecord},
};
use serde_json::{Value, json};

use crate::{
    flow,
    granted::{REDIRECT_URI, VERIFIER, member, redeeming},
    harness::{Answer, TestServer, by},
};

/// A server whose people can sign in, and where no resource is configured: access tokens are for the server itself.
async fn serve() -> TestServer {
    let mut config = flow::config();
    config.token.per_client = 0;
    TestServer::with(config).await
}

/// A new operator token of this name.
async fn token(server: &TestServer, name: &str, role: Role) -> String {
    let now = server.clock.now();
    let token = OperatorToken::generate(now, &server.chance);
    let record = OperatorTokenRecord {
        operator_token_id: token.id,
        name: name.to_owned(),
        role,
        hash: token.secret.hash(),
        created_at: now,
        expires_at: Some(now.after_days(1)),
        used_at: None,
    };
    assert!(server.kept.create_operator_token(record, by()).await.unwrap());
    token.to_string()
}

/// A call with these further header lines and this body.
async fn call_with(
    server: &TestServer,
    request: (&str, &str),
    headers: &str,
    body: Option<&Value>,
) -> Answer {
    let (method, path) = request;
    let body = body.map(ToString::to_string).unwrap_or_default();
    let length = body.len();
    server
        .exchange(&format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
        .await
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// A call with a token.
async fn call(server: &TestServer, method: &str, path: &str, token: &str) -> Answer {
    call_with(server, (method, path), &bearer(token), None).await
}

async fn get(server: &TestServer, path: &str, token: &str) -> Value {
    let answer = call(server, "GET", path, token).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// The identifiers in a document.
fn ids(document: &Value) -> Vec<String> {
    let data = document["data"].as_array().unwrap();
    data.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// What `source` of the only error names.
fn source(answer: &Answer) -> Value {
    let json = answer.json();
    let errors = json["errors"].as_array().unwrap();
    let [error] = &errors[..] else { panic!("{answer:?}") };
    assert_eq!(error["status"], answer.status.to_string());
    assert!(error["title"].is_string() && error["detail"].is_string(), "{answer:?}");
    error["source"].clone()
}

/// A client of this name.
async fn client(server: &TestServer, name: &str) -> ClientId {
    let metadata = json!({ "redirect_uris": [REDIRECT_URI], "client_name": name });
    server.client_with(metadata).await
}

/// What a person allows a client; the code of the grant.
async fn allow(server: &TestServer, client: ClientId, subject: &str, scope: &str) -> String {
    allow_at(server, client, subject, scope, &[]).await
}

/// The same for these resources.
async fn allow_at(
    server: &TestServer,
    client: ClientId,
    subject: &str,
    scope: &str,
    resources: &[&str],
) -> String {
    let now = server.clock.now();
    let grant_id = GrantId::generate(now, &server.chance);
    let code = AuthorizationCode::generate(grant_id, &server.chance);
    let expires_at = now.after_seconds(600);
    let grant = GrantRecord {
        grant_id,
        client: client.into(),
        subject: subject.to_owned(),
        scope: Scope::parse(scope).unwrap(),
        resources: resources.iter().map(|uri| ResourceIndicator::parse(uri).unwrap()).collect(),
        issued_at: now,
        expires_at,
        code: CodeRecord {
            hash: code.secret.hash(),
            redirect_uri: REDIRECT_URI.to_owned(),
            challenge: CodeVerifier::parse(VERIFIER).unwrap().challenge(),
            expires_at,
            redeemed_at: None,
        },
        refreshes: 0,
        graced: 0,
        refresh: None,
        identity: None,
    };
    server.kept.keep_grant(grant).await.unwrap();
    code.to_string()
}

/// An access token of a person who allows a client this.
async fn access_token(server: &TestServer, client: ClientId, subject: &str) -> String {
    let code = allow(server, client, subject, "read").await;
    member(&server.token(&redeeming(client, &code, &[])).await, "access_token")
}

/// Every event of an action.
async fn events(server: &TestServer, action: Action) -> Vec<EventRecord> {
    server.kept.events(Some(action), None, None, 100).await.unwrap()
}
