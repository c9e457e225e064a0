//! The guard, as proxies and clients meet it: forward-auth in each dialect, challenges, and metadata documents.

mod caddy;
mod envoy;
pub(crate) mod grpc;
mod haproxy;
mod kubernetes;
mod nginx;
mod proxies;
mod traefik;
mod verify;

use crate::harness::by;
use std::time::Duration;

use doorward::audit::Action;
use doorward::{
    config::{self, Config, Guard, Sources, StoreLocation},
    grant::RefreshToken,
};

use crate::{
    granted::{self, NOTES, TOOLS, claims, member, redeeming},
    harness::{Answer, TestServer, exchange},
};

const RULES: &str = r#"
    required_scopes = ["read"]
    upstream_validates_headers = true
    origins = ["https://app.example"]
    identity_headers = { subject = "X-Forwarded-User", client_id = "X-Client", scope = "X-Scope" }
    rules = [
        { tools = ["delete_*"], scopes = ["tools:write"] },
        { methods = ["GET"], paths = ["/healthz"], public = true },
        { paths = ["/mcp/admin/**"], deny = true },
    ]
"#;

/// A guard with these members beside its id.
pub(crate) fn guard(id: &str, members: &str) -> Guard {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guard.toml");
    let text = format!(
        "[[authorization.resources]]\nuri = \"https://x.example\"\n[authorization.resources.guard]\nid = \"{id}\"\n{members}"
    );
    std::fs::write(&file, text).unwrap();
    let sources = Sources { dev: true, files: vec![file], ..Sources::default() };
    let mut config = config::load(sources).unwrap();
    config.authorization.resources.remove(0).guard.unwrap()
}

fn config() -> Config {
    let mut config = granted::config();
    config.authorization.resources[0].guard = Some(guard("tools", RULES));
    config
}

/// The same with a listener of the guard.
pub(crate) fn listening() -> Config {
    let mut config = config();
    config.guard.listen = Some(([127, 0, 0, 1], 0).into());
    config
}

const DIALECTS: [&str; 3] = ["nginx", "forwarded", "envoy"];

/// The request of a proxy about `GET` of the resource itself.
pub(crate) fn asked_at(template: &str, token: Option<&str>) -> String {
    let path = template.replace("{resource}", "tools").replace("{*target}", "mcp");
    let authorization = token.map_or(String::new(), |it| format!("authorization: Bearer {it}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nhost: tools.example\r\n{authorization}x-original-method: GET\r\n\
         x-original-url: {TOOLS}\r\nx-forwarded-method: GET\r\nx-forwarded-proto: https\r\n\
         x-forwarded-host: tools.example\r\nx-forwarded-uri: /mcp\r\n\r\n"
    )
}

/// What a proxy of a dialect asks about a request.
fn asking(dialect: &str, method: &str, target: &str, headers: &str) -> String {
    let (own_method, path, facts) = match dialect {
        "nginx" => (
            "GET",
            "/guard/nginx/tools".to_owned(),
            format!(
                "x-original-method: {method}\r\nx-original-url: https://tools.example{target}\r\n"
            ),
        ),
        "forwarded" => (
            "GET",
            "/guard/forwarded/tools".to_owned(),
            format!(
                "x-forwarded-method: {method}\r\nx-forwarded-proto: https\r\n\
                 x-forwarded-host: tools.example\r\nx-forwarded-uri: {target}\r\n"
            ),
        ),
        _ => (method, format!("/guard/envoy/tools{target}"), String::new()),
    };
    format!("{own_method} {path} HTTP/1.1\r\nhost: tools.example\r\n{facts}{headers}\r\n")
}

/// An access token for `tools` alone, and its grant.
async fn token(server: &TestServer) -> (String, doorward::grant::GrantId) {
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let bought = server.token(&redeeming(client, &code, &[("resource", TOOLS)])).await;
    let refresh: RefreshToken = member(&bought, "refresh_token").parse().unwrap();
    (member(&bought, "access_token"), refresh.grant)
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

const MCP: &str = "mcp-protocol-version: 2026-07-28\r\nmcp-method: ";

/// Requests with what each is told: a name, method, target, headers, and the answer.
type Row = (&'static str, &'static str, &'static str, String, &'static str);

/// What every dialect is asked, by a caller with this token.
fn rows(token: &str) -> Vec<Row> {
    let own = bearer(token);
    let calls = |tool: &str| format!("{own}{MCP}tools/call\r\nmcp-name: {tool}\r\n");
    let forged = bearer(&format!("{}x", token.split_at(token.len() - 6).0));
    let mut rows = vec![
        ("no token", "POST", "/mcp", String::new(), "401 unauthorized"),
        ("a token", "GET", "/mcp", own.clone(), "200"),
        ("a token below the path", "GET", "/mcp/x?y=%2F..", own.clone(), "200"),
        ("a forged token", "POST", "/mcp", forged, "401 invalid_token"),
        (
            "another scheme",
            "POST",
            "/mcp",
            "authorization: Basic eDp5\r\n".into(),
            "401 invalid_token",
        ),
        ("a token twice", "POST", "/mcp", format!("{own}{own}"), "403 invalid_request"),
        ("a tool", "POST", "/mcp", calls("list_repos"), "200"),
        ("a tool beyond the scope", "POST", "/mcp", calls("delete_repo"), "403 insufficient_scope"),
        ("a tool in another case", "POST", "/mcp", calls("Delete_repo"), "403 invalid_request"),
        (
            "two methods",
            "POST",
            "/mcp",
            format!("{own}{MCP}tools/list,tools/call\r\nmcp-name: delete_repo\r\n"),
            "403 invalid_request",
        ),
        ("two tools", "POST", "/mcp", calls("list_repos,delete_repo"), "403 invalid_request"),
        ("no tool", "POST", "/mcp", format!("{own}{MCP}tools/list\r\n"), "200"),
        ("a tool in the body alone", "POST", "/mcp", own.clone(), "403 invalid_request"),
        (
            "a tool twice",
            "POST",
            "/mcp",
            format!("{}mcp-name: list_repos\r\n", calls("delete_repo")),
            "403 invalid_request",
        ),
        ("a public path", "GET", "/healthz", String::new(), "200"),
        ("another spelling of it", "GET", "/HEALTHZ", String::new(), "403 invalid_request"),
        ("a denied path", "GET", "/mcp/admin/x", own.clone(), "403 access_denied"),
        ("dots", "GET", "/mcp/..;/admin", own.clone(), "403 invalid_request"),
        ("an encoded slash", "GET", "/mcp%2fadmin", own.clone(), "403 invalid_request"),
        ("two slashes", "GET", "//mcp", own.clone(), "403 invalid_request"),
        ("another path", "GET", "/other", own.clone(), "403 invalid_request"),
    ];
    rows.extend(of_browsers(&own));
    rows
}

/// The same of browsers.
fn of_browsers(own: &str) -> Vec<Row> {
    vec![
        ("an origin", "GET", "/mcp", format!("{own}origin: https://app.example\r\n"), "200"),
        ("its own origin", "GET", "/mcp", format!("{own}origin: https://tools.example\r\n"), "200"),
        (
            "another origin",
            "GET",
            "/mcp",
            format!("{own}origin: https://evil.example\r\n"),
            "403 invalid_request",
        ),
        (
            "a question of a browser",
            "OPTIONS",
            "/mcp",
            "origin: https://app.example\r\naccess-control-request-method: POST\r\n".into(),
            "200",
        ),
        (
            "a question from elsewhere",
            "OPTIONS",
            "/mcp",
            "origin: https://evil.example\r\naccess-control-request-method: POST\r\n".into(),
            "403 invalid_request",
        ),
        (
            "a question about a denied path",
            "OPTIONS",
            "/mcp/admin/x",
            "origin: https://app.example\r\naccess-control-request-method: GET\r\n".into(),
            "403 access_denied",
        ),
    ]
}

#[tokio::test]
async fn every_dialect_is_answered_alike() {
    let server = TestServer::with(config()).await;
    let (token, _) = token(&server).await;
    for (name, method, target, headers, expected) in rows(&token) {
        for dialect in DIALECTS {
            let answer = server.exchange(&asking(dialect, method, target, &headers)).await;
            assert_eq!(told(&answer), expected, "{dialect}: {name}: {answer:?}");
            let has_challenge = answer.header("www-authenticate").is_some();
            let needs_one = expected.starts_with("401") || expected == "403 insufficient_scope";
            assert_eq!(has_challenge, needs_one, "{dialect}: {name}: {answer:?}");
            let is_known = expected == "200" && headers.contains("authorization");
            assert_eq!(
                answer.header("doorward-assertion").is_some(),
                is_known,
                "{dialect}: {name}"
            );
            let user = is_known.then_some("local:developer");
            assert_eq!(answer.header("x-forwarded-user"), user, "{dialect}: {name}");
        }
    }
}

/// The status, and the error of either shape.
fn told(answer: &Answer) -> String {
    let json = answer.json();
    let error = json["error"].as_str().or_else(|| json["error"]["data"]["error"].as_str());
    error.map_or_else(|| answer.status.to_string(), |error| format!("{} {error}", answer.status))
}

const METADATA: &str =
    "resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource/mcp\"";

#[tokio::test]
async fn challenges_name_the_metadata_and_the_scopes() {
    let server = TestServer::with(config()).await;
    let challenge = async |headers: &str| {
        let answer = server.exchange(&asking("nginx", "POST", "/mcp", headers)).await;
        answer.header("www-authenticate").unwrap().to_owned()
    };
    assert_eq!(challenge("").await, format!("Bearer {METADATA}, scope=\"read tools:write\""));
    assert_eq!(
        challenge(&bearer("x.y.z")).await,
        format!(
            "Bearer {METADATA}, scope=\"read tools:write\", error=\"invalid_token\", \
             error_description=\"the access token was not issued here\""
        )
    );
    let (token, _) = token(&server).await;
    let call = format!("{}{MCP}tools/call\r\nmcp-name: delete_repo\r\n", bearer(&token));
    assert_eq!(
        challenge(&call).await,
        format!(
            "Bearer error=\"insufficient_scope\", scope=\"read write tools:write\", {METADATA}, \
             error_description=\"the request needs more scopes than the token has\""
        )
    );
}

#[tokio::test]
async fn a_request_of_mcp_is_refused_in_json_rpc() {
    let server = TestServer::with(config()).await;
    let answer =
        server.exchange(&asking("forwarded", "POST", "/mcp", &format!("{MCP}ping\r\n"))).await;
    let json = answer.json();
    assert_eq!((&json["jsonrpc"], &json["id"]), (&"2.0".into(), &serde_json::Value::Null));
    assert_eq!(json["error"]["data"]["error"], "unauthorized");
}

#[tokio::test]
async fn a_grant_that_ends_ends_access_at_the_next_request() {
    let server = TestServer::with(config()).await;
    for dialect in DIALECTS {
        let (token, grant) = token(&server).await;
        let asked = asking(dialect, "GET", "/mcp", &bearer(&token));
        assert_eq!(server.exchange(&asked).await.status, 200);
        server.kept.revoke_grant(grant, Action::GrantRevoked, "by_operator", by()).await.unwrap();
        let answer = server.exchange(&asked).await;
        assert_eq!(told(&answer), "401 invalid_token", "{dialect}");
        let said = &answer.json()["error_description"];
        assert_eq!(said, "access was revoked or has ended");
    }
}

#[tokio::test]
async fn with_a_database_a_grant_that_ends_ends_access_within_five_seconds() {
    let mut config = config();
    let database = "postgres://doorward@database.example/doorward";
    config.store = StoreLocation::Postgres(database.parse().unwrap());
    let server = TestServer::with(config).await;
    let (token, grant) = token(&server).await;
    let asked = asking("nginx", "GET", "/mcp", &bearer(&token));
    assert_eq!(server.exchange(&asked).await.status, 200);
    server.kept.revoke_grant(grant, Action::GrantRevoked, "by_operator", by()).await.unwrap();
    // Another node goes by what it has heard, for a while.
    assert_eq!(server.exchange(&asked).await.status, 200);
    server.clock.advance(Duration::from_secs(4));
    assert_eq!(server.exchange(&asked).await.status, 401);
}

#[tokio::test]
async fn a_token_is_valid_until_it_expires_and_for_one_resource_alone() {
    let server = TestServer::with(config()).await;
    let (token, _) = token(&server).await;
    let asked = asking("nginx", "GET", "/mcp", &bearer(&token));
    assert_eq!(server.exchange(&asked).await.status, 200);
    server.clock.advance(Duration::from_secs(901));
    assert_eq!(
        server.exchange(&asked).await.json()["error_description"],
        "the access token has expired"
    );

    let client = server.new_client().await;
    for resources in [&[("resource", NOTES)][..], &[]] {
        let code = server.grant(client).await;
        let bought = server.token(&redeeming(client, &code, resources)).await;
        assert!(!claims(&bought)["aud"].is_null());
        let headers = bearer(&member(&bought, "access_token"));
        let answer = server.exchange(&asking("nginx", "GET", "/mcp", &headers)).await;
        assert_eq!(told(&answer), "401 invalid_token", "{resources:?}");
        let said = &answer.json()["error_description"];
        assert_eq!(said, "the access token is not for this resource alone");
    }
    // An assertion is no token.
    let (token, _) = self::token(&server).await;
    let allowed = server.exchange(&asking("nginx", "GET", "/mcp", &bearer(&token))).await;
    let assertion = allowed.header("doorward-assertion").unwrap();
    let answer = server.exchange(&asking("nginx", "GET", "/mcp", &bearer(assertion))).await;
    assert_eq!(told(&answer), "401 invalid_token");
}

#[tokio::test]
async fn only_proxies_may_ask() {
    let mut config = config();
    config.guard.proxies = vec!["192.0.2.0/24".parse().unwrap()];
    // What a proxy in front says of the caller makes it no proxy.
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::with(config).await;
    for dialect in DIALECTS {
        let headers = "x-forwarded-for: 192.0.2.1\r\n";
        let answer = server.exchange(&asking(dialect, "GET", "/healthz", headers)).await;
        assert_eq!(answer.status, 404, "{dialect}");
        let missing = server.exchange("GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(answer.body, missing.body, "{dialect}");
    }
}

#[tokio::test]
async fn a_listener_of_the_guard_answers_its_questions_and_the_public_one_does_not() {
    let mut config = config();
    config.guard.listen = Some(([127, 0, 0, 1], 0).into());
    let server = TestServer::with(config.clone()).await;
    let own = server.guard.unwrap();
    let (token, _) = token(&server).await;
    for dialect in DIALECTS {
        let asked = asking(dialect, "GET", "/mcp", &bearer(&token));
        assert_eq!(told(&exchange(own, &asked).await), "200", "{dialect}");
        assert_eq!(server.exchange(&asked).await.status, 404, "{dialect}");
    }
    let metadata =
        "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nhost: tools.example\r\n\r\n";
    let answer = exchange(own, metadata).await;
    assert_eq!(answer.body, server.exchange(metadata).await.body);
    assert_eq!(answer.status, 200);
    for path in ["/", "/register", "/oauth2/token", "/openapi.json", "/api/v2/oauth2/clients"] {
        let asked = format!("GET {path} HTTP/1.1\r\nhost: door.example\r\n\r\n");
        assert_eq!(exchange(own, &asked).await.status, 404, "{path}");
    }
    server.stop().await;

    config.guard.proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let server = TestServer::with(config).await;
    let asked = asking("nginx", "GET", "/healthz", "");
    let answer = exchange(server.guard.unwrap(), &asked).await;
    assert_eq!(answer.status, 404, "only the listed proxies may ask there, too");
}

#[tokio::test]
async fn a_fact_that_the_proxy_does_not_tell_is_named_with_the_line_that_adds_it() {
    let server = TestServer::with(config()).await;
    let page = |name: &str| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protect");
        std::fs::read_to_string(folder.join(name)).unwrap().to_lowercase()
    };
    for (dialect, headers, name) in [
        ("nginx", "", "X-Original-Method"),
        // The headers of another dialect are not read.
        ("nginx", "x-original-method: GET\r\nx-forwarded-uri: /healthz\r\n", "X-Original-URL"),
        ("nginx", "x-original-method: GET\r\nx-original-url: /healthz\r\n", "X-Original-URL"),
        (
            "forwarded",
            "x-forwarded-method: GET\r\nx-forwarded-proto: https\r\nx-forwarded-host: tools.example\r\n\
             x-forwarded-uri: /mcp\r\nx-forwarded-uri: /healthz\r\n",
            "X-Forwarded-Uri",
        ),
        (
            "forwarded",
            "x-original-method: GET\r\nx-original-url: https://tools.example/healthz\r\n",
            "X-Forwarded-Method",
        ),
    ] {
        let request =
            format!("GET /guard/{dialect}/tools HTTP/1.1\r\nhost: tools.example\r\n{headers}\r\n");
        let answer = server.exchange(&request).await;
        assert_eq!(answer.status, 403, "{dialect} {headers}");
        let json = answer.json();
        let told = json["error_description"].as_str().unwrap();
        let missing = format!("{name} is absent, repeated, or unreadable: ");
        assert!(told.starts_with(&missing), "{dialect} {headers}: {told}");
        let of_nginx: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        assert_eq!(of_nginx.len(), if dialect == "nginx" { 2 } else { 0 }, "{told}");
        let named = if dialect == "nginx" { page("nginx.md") } else { page("haproxy.md") };
        assert!(named.contains(&name.to_lowercase()), "{told}");
        assert!(of_nginx.iter().all(|line| named.contains(&line.to_lowercase())), "{told}");
    }
    let unknown = server.exchange("GET /guard/nginx/other HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(unknown.status, 403);
    let other_host =
        asking("envoy", "GET", "/healthz", "").replace("tools.example", "evil.example");
    assert_eq!(server.exchange(&other_host).await.status, 403);
}

#[tokio::test]
async fn envoy_is_told_to_remove_what_the_guard_does_not_set() {
    let server = TestServer::with(config()).await;
    let (token, _) = token(&server).await;
    for (target, headers, removed) in [
        (
            "/healthz",
            String::new(),
            "authorization,doorward-assertion,x-forwarded-user,x-client,x-scope",
        ),
        ("/mcp", bearer(&token), "authorization"),
    ] {
        let answer = server.exchange(&asking("envoy", "GET", target, &headers)).await;
        assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), Some(removed), "{target}");
    }
}

#[tokio::test]
async fn metadata_describes_the_resource_as_the_settings_spell_it() {
    let server = TestServer::with(config()).await;
    let get = async |path: &str, host: &str| {
        server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
    };
    let path = "/.well-known/oauth-protected-resource";
    for (path, host) in [
        (path.to_owned(), "tools.example"),
        (format!("{path}/mcp"), "tools.example"),
        (format!("{path}/mcp/"), "tools.example"),
        (format!("{path}/mcp"), "127.0.0.1"),
    ] {
        let answer = get(&path, host).await;
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let expected = serde_json::json!({
            "resource": TOOLS,
            "authorization_servers": [granted::config().server.issuer],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["read"],
        });
        assert_eq!(answer.json(), expected, "{path}");
    }
    for path in [format!("{path}/other"), format!("{path}/mcpx")] {
        assert_eq!(get(&path, "tools.example").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_server_is_told_what_the_provider_vouched_for_and_what_the_operator_lists() {
    let mut config = config();
    let members = format!(
        "{}\nclaims = [\"floor\", \"department\"]",
        RULES.replace(
            "identity_headers = {",
            "identity_headers = { email = \"X-Email\", groups = \"X-Groups\","
        )
    );
    config.authorization.resources[0].guard = Some(guard("tools", &members));
    let server = TestServer::with(config).await;
    let (token, grant) = token(&server).await;
    for dialect in DIALECTS {
        let answer = server.exchange(&asking(dialect, "GET", "/mcp", &bearer(&token))).await;
        assert_eq!(answer.header("x-email"), Some("ada@acme.example"), "{dialect}");
        assert_eq!(answer.header("x-groups"), Some("eng,ops"), "no group is read as two");
        let mut told = crate::flow::claims(answer.header("doorward-assertion").unwrap());
        for moment in ["iat", "exp"] {
            assert!(told.as_object_mut().unwrap().remove(moment).is_some());
        }
        let client = crate::flow::claims(&token)["client_id"].clone();
        let expected = serde_json::json!({
            "iss": granted::config().server.issuer, "aud": TOOLS, "sub": "local:developer",
            "client_id": client, "client_name": "Tools", "scope": "read write",
            "grant": grant.to_string(), "email": "ada@acme.example", "email_verified": true,
            "floor": 3,
        });
        assert_eq!(told, expected, "{dialect}");
    }
}
