//! What proxies in a cluster ask with the configurations of `docs/protect/envoy-gateway.md`, `istio.md`, and
//! `ingress-nginx.md`, without the proxies: the questions are those that their sources build. `tests/manifests.py` checks
//! the configurations against their schemas.

use super::{MCP, bearer, config, grpc, listening, proxies, token, told};
use crate::harness::{Answer, TestServer};

/// A request of a client, and what the guard says of it: method, target, headers, answer.
type Row = (&'static str, &'static str, String, &'static str);

fn rows(own: &str) -> Vec<Row> {
    let call = |tool: &str| format!("{own}{MCP}tools/call\r\nmcp-name: {tool}\r\n");
    vec![
        ("GET", "/mcp/a?b=%2F", own.to_owned(), "200"),
        ("POST", "/mcp", call("list_repos"), "200"),
        ("POST", "/mcp", call("delete_repo"), "403 insufficient_scope"),
        ("POST", "/mcp", String::new(), "401 unauthorized"),
        ("GET", "/healthz", String::new(), "200"),
        ("GET", "/mcp/admin/x", own.to_owned(), "403 access_denied"),
        ("GET", "/mcp/..;/x", own.to_owned(), "403 invalid_request"),
        ("GET", "/mcp", format!("{own}origin: https://evil.example\r\n"), "403 invalid_request"),
        (
            "OPTIONS",
            "/mcp",
            "origin: https://app.example\r\naccess-control-request-method: POST\r\n".into(),
            "200",
        ),
    ]
}

async fn answered_as_expected(server: &TestServer, ask: impl AsyncFn(&Row) -> Answer) {
    let own = bearer(&token(server).await.0);
    for row in rows(&own) {
        let (method, target, headers, expected) = &row;
        let answer = ask(&row).await;
        assert_eq!(told(&answer), *expected, "{method} {target} {headers}: {answer:?}");
        let is_known = *expected == "200" && headers.contains("authorization");
        assert_eq!(answer.header("doorward-assertion").is_some(), is_known, "{method} {target}");
    }
}

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

fn page(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protect");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[tokio::test]
async fn the_guard_answers_what_envoy_gateway_asks() {
    let server = TestServer::with(listening()).await;
    let page = page("envoy-gateway.md");
    let (name, value) = (
        between(&page, "contextExtensions: [{name: ", ","),
        between(&page, "type: Value, value: ", "}"),
    );
    answered_as_expected(&server, async |(method, target, headers, _)| {
        let line = format!("{method} {target}");
        grpc::asked_with(server.guard.unwrap(), &line, headers, &[(name, value)]).await
    })
    .await;
}

#[tokio::test]
async fn the_guard_answers_what_istio_asks() {
    let server = TestServer::with(config()).await;
    let nowhere = ([127, 0, 0, 1], 1).into();
    let provider = proxies::documented("istio.md", "yaml", server.public, nowhere);
    let prefix = between(&provider, "pathPrefix: ", "\n");
    let listed = between(&provider, "includeRequestHeadersInCheck:\n", "headersTo");
    let listed: Vec<&str> =
        listed.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let is_sent = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        listed.iter().any(|entry| {
            entry.strip_suffix('*').map_or(*entry == name, |start| name.starts_with(start))
        })
    };
    answered_as_expected(&server, async |(method, target, headers, _)| {
        // The method, the host, and the path of the request, and a length of 0.
        let sent: String =
            headers.lines().filter(is_sent).flat_map(|line| [line, "\r\n"]).collect();
        let request = format!(
            "{method} {prefix}{target} HTTP/1.1\r\nhost: tools.example\r\ncontent-length: 0\r\n\
             x-forwarded-for: 192.0.2.1\r\n{sent}\r\n"
        );
        server.exchange(&request).await
    })
    .await;
}

#[tokio::test]
async fn the_guard_answers_what_ingress_nginx_asks() {
    let server = TestServer::with(config()).await;
    let page = page("ingress-nginx.md");
    let url = between(&page, "auth-url: ", "\n");
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    answered_as_expected(&server, async |(method, target, headers, _)| {
        // A GET with all headers of the client, and those of the template in place of the client's.
        let request = format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nx-request-id: 1\r\n\
             x-original-url: http://tools.example{target}\r\nx-original-method: {method}\r\n\
             x-sent-from: nginx-ingress-controller\r\nx-real-ip: 192.0.2.1\r\n\
             x-forwarded-for: 192.0.2.1\r\nx-auth-request-redirect: {target}\r\n{headers}\r\n"
        );
        server.exchange(&request).await
    })
    .await;
}
