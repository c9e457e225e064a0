//! What MCP asks of an authorization server beside OAuth itself: consent for each client, nothing announced that is
//! not there, and the lists of redirect URIs that its clients send.

use serde_json::json;

use crate::{
    flow::{Browser, Client, ISSUER, REDIRECT_URI, config, tokens},
    harness::{Answer, TestServer},
};

async fn start() -> TestServer {
    TestServer::with(config()).await
}

async fn get(server: &TestServer, path: &str) -> Answer {
    server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\n\r\n")).await
}

#[tokio::test]
async fn both_documents_name_the_issuer_that_a_client_began_with() {
    let server = start().await;
    let document = get(&server, "/.well-known/oauth-authorization-server").await;
    assert_eq!(document.json()["issuer"], ISSUER);
    assert_eq!(document.json()["code_challenge_methods_supported"], json!(["S256"]));
    let other = get(&server, "/.well-known/openid-configuration").await;
    assert_eq!((other.status, other.header("content-type")), (200, Some("application/json")));
    assert_eq!(other.body, document.body);
}

#[tokio::test]
async fn what_is_decided_about_one_client_decides_about_no_other() {
    let server = start().await;
    let (client, other) = (Client::register(&server).await, Client::register(&server).await);
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get(&client.request().path()).await;
    let (path, form) = page.form("decision");
    let form = form.with("decision", "allow");
    let swapped = form.clone().with("request", &other.request().query());
    let refused = browser.post(&path, &swapped).await.answer;
    assert_eq!((refused.status, refused.header("location")), (403, None), "{refused:?}");
    browser.post(&path, &form).await.code();
    // What was allowed is no help to the other either.
    let refused = browser.post(&path, &swapped).await.answer;
    assert_eq!((refused.status, refused.header("location")), (403, None), "{refused:?}");
}

#[tokio::test]
async fn no_page_sets_a_cookie_before_somebody_has_decided() {
    let server = start().await;
    let client = Client::register(&server).await;
    let mut browser = Browser::new(&server);
    let welcome = browser.get(&client.request().path()).await;
    assert_eq!((welcome.answer.status, welcome.answer.headers("set-cookie")), (200, vec![]));
    let password = server.password.clone().unwrap();
    let sent = browser.submit(&welcome, "password", &password).await;
    let session = sent.answer.header("set-cookie").unwrap();
    assert!(session.starts_with("__Host-doorward-session="), "{session}");
    assert!(session.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"), "{session}");
    let asked = browser.get(sent.location()).await;
    assert_eq!((asked.answer.status, asked.answer.headers("set-cookie")), (200, vec![]));
    // That somebody allowed a client is kept here, and in no cookie.
    let allowed = browser.submit(&asked, "decision", "allow").await;
    assert_eq!(allowed.answer.headers("set-cookie"), [""; 0]);
    allowed.code();
}

#[tokio::test]
async fn no_scope_stands_for_others() {
    let mut config = config();
    let catalogue = ["*", "mcp:*", "mcp:read", "write"];
    config.registration.scopes =
        catalogue.map(|scope| doorward::config::CatalogueScope::named(scope.to_owned())).to_vec();
    let server = TestServer::with(config).await;
    for (registered, asked, granted) in [
        ("mcp:read", "*", "*"),
        ("*", "mcp:*", "mcp:*"),
        ("* mcp:*", "", "* mcp:*"),
        ("mcp:read", "mcp:read mcp:write", "mcp:read"),
    ] {
        let metadata = json!({ "redirect_uris": [REDIRECT_URI], "scope": registered });
        let client = Client::with(&server, metadata).await;
        let tokens = tokens(&server, &client, &client.request().and("scope", asked)).await;
        assert_eq!(tokens["scope"], granted, "{registered}");
    }
}

#[tokio::test]
async fn no_extension_is_announced_and_none_is_answered() {
    let mut config = config();
    config.client_documents.enabled = true;
    let server = TestServer::with(config).await;
    let metadata = get(&server, "/.well-known/oauth-authorization-server").await.json();
    for member in [
        "authorization_grant_profiles_supported",
        "device_authorization_endpoint",
        "dpop_signing_alg_values_supported",
        "pushed_authorization_request_endpoint",
        "scopes_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    ] {
        assert_eq!(metadata.get(member), None, "{metadata}");
    }
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let client = Client::register(&server).await;
    for grant in [
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let body = format!("grant_type={grant}&assertion=e30.e30.e30&client_id={}", client.id);
        let refused = server.post_form("/oauth2/token", "", &body).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert_eq!(refused.json()["error"], "unsupported_grant_type", "{grant}");
    }
}

#[tokio::test]
async fn of_a_mixed_list_what_is_kept_can_be_used_and_the_rest_cannot() {
    let server = start().await;
    let kept = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ];
    let dropped = ["http://app.example/cb", "https://*.cursor.com/cb", "urn:cursor:cb"];
    let mixed = [&kept[..], &dropped].concat();
    let body = json!({ "redirect_uris": mixed }).to_string();
    let answer = server.post("/oauth2/register", &body).await;
    assert_eq!((answer.status, &answer.json()["redirect_uris"]), (201, &json!(kept)));
    let client = Client { id: answer.json()["client_id"].as_str().unwrap().to_owned() };
    let mut browser = Browser::signed_in(&server).await;
    for (uris, status) in [(kept, 200), (dropped, 400)] {
        for uri in uris {
            let page = browser.get(&client.request().with("redirect_uri", uri).path()).await.answer;
            assert_eq!((page.status, page.header("location")), (status, None), "{uri}");
        }
    }
    // One that could run something, and nobody is registered.
    let body = json!({ "redirect_uris": [kept[0], "javascript:alert(1)"] }).to_string();
    assert_eq!(server.post("/oauth2/register", &body).await.status, 400);
}
