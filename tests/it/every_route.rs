//! Every route and every method: what is answered. Who asks is tried in `every_caller.rs`.

use std::collections::BTreeSet;

use doorward::server::{PublicRoute, public_routes};
use doorward::store::Failure;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    description, flow,
    harness::{Answer, TestServer, config, read_end},
};

const REGISTRATION: [&str; 3] = ["/api/v2/oauth2/register", "/oauth2/register", "/register"];

const GOOD: &str = r#"{"client_name":"An app","redirect_uris":["https://app.example/cb"]}"#;

/// What every answer of a registration endpoint has.
fn check_registration(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{path}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
    assert!(answer.header("access-control-expose-headers").is_some(), "{path}");
    assert!(answer.json().is_object(), "{path}: {answer:?}");
}

#[tokio::test]
async fn every_kind_of_caller_gets_its_status_at_every_registration_endpoint() {
    let large = format!("{{\"client_name\":\"{}\"}}", "x".repeat(64 << 10));
    let callers = [
        ("a good client", GOOD, Failure::None, 201),
        ("nonsense", "nonsense", Failure::None, 400),
        ("nothing", "", Failure::None, 400),
        ("no redirect URI", r#"{"client_name":"x"}"#, Failure::None, 400),
        ("too large", &large, Failure::None, 413),
        ("the store is busy", GOOD, Failure::Busy, 503),
        ("the store is away", GOOD, Failure::Unavailable, 503),
        ("the store is corrupt", GOOD, Failure::Corrupt, 500),
        ("the store panics", GOOD, Failure::Panic, 500),
        ("nonsense while the store fails", "nonsense", Failure::Unavailable, 400),
    ];
    let server = TestServer::start().await;
    for path in REGISTRATION {
        for (caller, body, failure, status) in callers {
            server.fail(failure);
            let answer = server.post(path, body).await;
            assert_eq!(answer.status, status, "{path}: {caller}: {answer:?}");
            check_registration(path, &answer);
            let retry_after = (status == 503).then_some("1");
            assert_eq!(answer.header("retry-after"), retry_after, "{path}: {caller}");
        }
    }
    server.fail(Failure::None);
    assert_eq!(server.clients().await.len(), REGISTRATION.len());
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_so_in_the_shape_of_the_endpoint() {
    let mut config = config();
    config.rate_limit.per_source = 1;
    for path in REGISTRATION {
        let server = TestServer::with(config.clone()).await;
        assert_eq!(server.post(path, GOOD).await.status, 201);
        let answer = server.post(path, GOOD).await;
        assert_eq!(answer.status, 429);
        check_registration(path, &answer);
        if path.starts_with("/api/v2") {
            assert_eq!(answer.body, r#"{"errors":["Too many requests"]}"#);
            assert_eq!(answer.header("x-ratelimit-reset"), Some("60"));
            assert_eq!(answer.header("retry-after"), None);
        } else {
            assert_eq!(answer.json()["error"], "temporarily_unavailable");
            assert_eq!(answer.header("retry-after"), Some("60"));
        }
    }
}

#[tokio::test]
async fn a_script_of_any_origin_may_register() {
    let server = TestServer::start().await;
    for path in REGISTRATION {
        let answer = server
            .exchange(&format!(
                "OPTIONS {path} HTTP/1.1\r\nhost: x\r\norigin: https://app.example\r\n\
                 access-control-request-method: POST\r\n\
                 access-control-request-headers: content-type,mcp-protocol-version\r\n\r\n"
            ))
            .await;
        assert_eq!((answer.status, &*answer.body), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-max-age"), Some("86400"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST, OPTIONS"));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("content-type, authorization, mcp-protocol-version")
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    for path in ["/openapi.json", "/nothing"] {
        let answer = server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_answered_in_the_shape_of_its_place() {
    let server = TestServer::start().await;
    for path in ["/nothing", "/register/", "/oauth2/register/", "/oauth2", "//register", "*"] {
        let answer = server.exchange(&format!("OPTIONS {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{path}");
        assert!(answer.json()["error_description"].is_string(), "{path}");
    }
    for path in ["/api/v2", "/api/v2/", "/api/v2/oauth2/register/", "/api/v2/users"] {
        let answer = server.post(path, "{}").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, r#"{"errors":["Not found"]}"#, "{path}");
    }
}

#[tokio::test]
async fn a_browser_gets_pages_and_a_program_gets_json() {
    let server = TestServer::with(flow::config()).await;
    for (path, status, text) in
        [("/", 200, "connects apps to your account"), ("/nothing", 404, "Page not found")]
    {
        let request = |accept: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{accept}\r\n");
        let page = server.exchange(&request("accept: text/html,*/*;q=0.8\r\n")).await;
        assert_eq!(page.status, status);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(page.body.contains(text), "{path}: {page:?}");
        for accept in ["", "accept: */*\r\n", "accept: application/json\r\n"] {
            let answer = server.exchange(&request(accept)).await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.json().is_object(), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn another_method_is_refused_and_told_which_there_are() {
    let server = TestServer::start().await;
    for path in REGISTRATION {
        for method in ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let answer =
                server.exchange(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{method} {path}");
            let member = if path.starts_with("/api/v2") { "errors" } else { "error" };
            assert!(!answer.json()[member].is_null(), "{method} {path}: {answer:?}");
        }
    }
    let answer = server.post("/openapi.json", "{}").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn head_tells_of_a_route_what_get_does_and_has_no_body() {
    let server = TestServer::with(flow::config()).await;
    for route in public_routes().filter(|route| route.allow.contains("HEAD")) {
        let path = path_of(&route);
        let rest = format!("{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let get = server.exchange(&format!("GET {rest}")).await;
        let head = server.exchange(&format!("HEAD {rest}")).await;
        assert_eq!(get.status, head.status, "{path}");
        for header in ["content-length", "content-type", "cache-control"] {
            assert_eq!(get.header(header), head.header(header), "{path}: {header}");
        }
        assert!(!get.body.is_empty(), "{path}");
        let mut connection = TcpStream::connect(server.public).await.unwrap();
        connection.write_all(format!("HEAD {rest}").as_bytes()).await.unwrap();
        let sent = read_end(&mut connection).await;
        assert!(sent.ends_with("\r\n\r\n") && sent.matches("\r\n\r\n").count() == 1, "{sent}");
    }
    let document = server.exchange("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(document.json()["paths"].is_object());
}

#[tokio::test]
async fn every_answer_forbids_to_keep_it_and_names_its_request() {
    let server = TestServer::start().await;
    for request in [
        "POST /register HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
        "OPTIONS /register HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /register HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
        "HEAD /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = server.exchange(request).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{request}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{request}");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16), "{request}");
        assert_eq!(answer.header("location"), None, "{request}");
    }
}

/// Every route but those that exist without a way to sign in.
fn of_authorization() -> impl Iterator<Item = PublicRoute> {
    public_routes().filter(|route| route.needs_sign_in)
}

/// The path of a route, with a provider in it.
fn path_of(route: &PublicRoute) -> String {
    let path = route.template.replace("{provider}", "acme").replace("{resource}", "mcp");
    path.replace("{*path}", "mcp").replace("{*target}", "mcp")
}

#[tokio::test]
async fn metrics_name_every_route_and_no_other() {
    let server = TestServer::with(flow::config()).await;
    let metrics = server.look("/metrics").await.body;
    let counted = metrics.lines().filter_map(|line| {
        let (_, rest) = line.split_once("doorward_http_requests_total{route=\"")?;
        Some(rest.split_once('"')?.0)
    });
    let known = public_routes().map(|route| route.template).chain(["guarded", "unknown"]);
    assert_eq!(counted.collect::<BTreeSet<_>>(), known.collect::<BTreeSet<_>>());
}

#[test]
fn scripts_of_other_origins_read_what_machines_are_answered_and_nothing_else() {
    let open = public_routes().filter(|route| route.open_to_scripts);
    let open: Vec<_> = open.map(|route| (route.template, route.allow)).collect();
    let expected = [
        ("/api/v2/oauth2/register", "POST, OPTIONS"),
        ("/oauth2/register", "POST, OPTIONS"),
        ("/register", "POST, OPTIONS"),
        ("/oauth2/register/{client_id}", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/register/{client_id}", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD, OPTIONS"),
        ("/.well-known/openid-configuration", "GET, HEAD, OPTIONS"),
        ("/oauth2/jwks", "GET, HEAD, OPTIONS"),
        ("/oauth2/token", "POST, OPTIONS"),
        ("/token", "POST, OPTIONS"),
        ("/oauth2/revoke", "POST, OPTIONS"),
        ("/.well-known/oauth-protected-resource", "GET, HEAD, OPTIONS"),
        ("/.well-known/oauth-protected-resource/{*path}", "GET, HEAD, OPTIONS"),
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn every_route_has_its_methods() {
    let server = TestServer::with(description::everything()).await;
    for route in public_routes() {
        let (path, allowed, is_open) = (path_of(&route), route.allow, route.open_to_scripts);
        for method in ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "BREW"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
            let answer = server.exchange(&request).await;
            let is_there = allowed == "*" || allowed.split(", ").any(|one| one == method);
            assert_eq!(answer.status == 405, !is_there, "{method} {path}: {answer:?}");
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
            if !is_there {
                assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            }
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, is_open.then_some("*"), "{method} {path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn nothing_of_authorization_is_there_where_nobody_can_sign_in() {
    let server = TestServer::start().await;
    for path in of_authorization().map(|route| path_of(&route)) {
        for method in ["GET", "POST", "OPTIONS"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(server.exchange(&request).await.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_a_client_reads_first_names_what_is_there() {
    let mut config = flow::config();
    config.server.issuer = "https://door.example/acme".into();
    let server = TestServer::with(config).await;
    let get = async |path: &str| {
        server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\n\r\n")).await
    };
    let answer = get("/.well-known/oauth-authorization-server/acme").await;
    for path in [
        "/.well-known/openid-configuration/acme",
        "/acme/.well-known/openid-configuration",
        "/acme/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(get(path).await.body, answer.body, "{path}");
    }
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let document = answer.json();
    assert_eq!(document["issuer"], "https://door.example/acme");
    assert_eq!(document["token_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(document["revocation_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["response_modes_supported"], json!(["query"]));
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    // Every address in it is answered.
    for (member, address) in document.as_object().unwrap() {
        let Some(address) = address.as_str().filter(|_| member != "issuer") else { continue };
        let path = address.strip_prefix("https://door.example").unwrap();
        assert_ne!(get(path).await.status, 404, "{member}");
    }
    assert!(get("/acme/oauth2/jwks").await.json()["keys"][0]["kid"].is_string());
}

/// Those that people see.
const PAGES: [&str; 7] = [
    "/oauth2/authorize",
    "/authorize",
    "/oauth2/consent",
    "/oauth2/grants",
    "/oauth2/sign-in",
    "/oauth2/sign-in/acme",
    "/oauth2/sign-out",
];

#[tokio::test]
async fn a_page_reads_forms_and_nothing_else() {
    let server = TestServer::with(description::everything()).await;
    let posted = of_authorization().filter(|route| route.allow.contains("POST"));
    for path in posted.map(|route| path_of(&route)).filter(|path| PAGES.contains(&path.as_str())) {
        for (media_type, is_form) in [
            ("", false),
            ("content-type: text/plain\r\n", false),
            ("content-type: application/json\r\n", false),
            ("content-type: multipart/form-data; boundary=x\r\n", false),
            ("content-type: application/x-www-form-urlencoded\r\n", true),
            ("content-type: Application/X-WWW-Form-Urlencoded; charset=UTF-8\r\n", true),
        ] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n{media_type}\
                 content-length: 3\r\n\r\na=b"
            );
            let answer = server.exchange(&request).await;
            let text = "Content-Type is not application/x-www-form-urlencoded<";
            assert_eq!(answer.body.contains(text), !is_form, "{path} {media_type}: {answer:?}");
            assert!(is_form || answer.status == 400, "{path} {media_type}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn whatever_comes_to_a_page_is_answered_by_a_page() {
    let server = TestServer::with(description::everything()).await;
    let large = "x".repeat(64 << 10);
    for path in PAGES {
        let methods = of_authorization().find(|known| path_of(known) == *path).unwrap().allow;
        for body in ["", "%FF=%FF", "a=1&a=2", "request=%0D%0A&decision=allow", &large] {
            let answer = if methods.contains("POST") {
                server.post_form(path, "sec-fetch-site: same-origin\r\n", body).await
            } else {
                let query = body.split_at(body.len().min(4 << 10)).0;
                server.exchange(&format!("GET {path}?{query} HTTP/1.1\r\nhost: x\r\n\r\n")).await
            };
            assert!((200..500).contains(&answer.status), "{path} {body:.20}: {answer:?}");
            assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path} {body:.20}");
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("frame-ancestors 'none'"), "{path} {body:.20}: {policy}");
            let media_type = answer.header("content-type");
            assert_eq!(media_type, Some("text/html; charset=utf-8"), "{path} {body:.20}");
            let is_kept = |cookie: &&str| !cookie.ends_with("Max-Age=0");
            assert!(!answer.headers("set-cookie").iter().any(is_kept), "{path} {body:.20}");
        }
    }
}
