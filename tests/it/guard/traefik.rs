//! The requests that Traefik 3 builds from the configuration of `docs/protect/traefik.md`, without Traefik: its
//! `ForwardAuth` sends GET to the address, the listed headers of the client, and the five `X-Forwarded` headers, which it
//! makes itself where `trustForwardHeader` is off. A header that the client repeats arrives repeated.

use std::net::SocketAddr;

use super::{MCP, bearer, config, proxies, token, told};
use crate::harness::TestServer;

/// The items of a list, or the flow list behind `name:` on one line.
fn listed(text: &str, name: &str) -> Vec<String> {
    let (_, rest) = text.split_once(&format!("{name}:")).unwrap();
    let line = rest.lines().next().unwrap().trim();
    if let Some(flow) = line.strip_prefix('[') {
        return flow.trim_end_matches(']').split(',').map(|it| it.trim().to_lowercase()).collect();
    }
    let items = rest.lines().skip(1).map_while(|line| line.trim().strip_prefix("- "));
    items.map(str::to_lowercase).collect()
}

#[tokio::test]
async fn the_guard_answers_what_traefik_asks() {
    let server = TestServer::with(config()).await;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let text = proxies::documented("traefik.md", "yaml", server.public, nowhere);
    let address = text.split_once("address: http://").unwrap().1.lines().next().unwrap();
    assert_eq!(address, format!("{}/guard/forwarded/tools", server.public));
    let path = address.split_once('/').unwrap().1;
    let passed = listed(&text, "authRequestHeaders");
    assert_eq!(listed(&text, "authResponseHeaders"), ["doorward-assertion"]);
    let ask = async |method: &str, target: &str, headers: &str| {
        let name = |line: &&str| line.split(':').next().unwrap_or_default().to_lowercase();
        let listed = headers.lines().filter(|line| passed.contains(&name(line)));
        let listed: String = listed.flat_map(|line| [line, "\r\n"]).collect();
        let request = format!(
            "GET /{path} HTTP/1.1\r\nhost: {}\r\nuser-agent: Go-http-client/1.1\r\n{listed}\
             x-forwarded-for: 192.0.2.1\r\nx-forwarded-method: {method}\r\nx-forwarded-proto: https\r\n\
             x-forwarded-host: tools.example\r\nx-forwarded-uri: {target}\r\n\r\n",
            server.public
        );
        server.exchange(&request).await
    };
    let own = bearer(&token(&server).await.0);
    let call = |tool: &str| format!("{own}{MCP}tools/call\r\nmcp-name: {tool}\r\n");
    for (method, target, headers, expected) in [
        ("GET", "/mcp/a?b=%2F", own.clone(), "200"),
        ("POST", "/mcp", call("list_repos"), "200"),
        ("POST", "/mcp", call("delete_repo"), "403 insufficient_scope"),
        ("POST", "/mcp", format!("{}mcp-name: x\r\n", call("x")), "403 invalid_request"),
        ("POST", "/mcp", String::new(), "401 unauthorized"),
        ("GET", "/healthz", String::new(), "200"),
        ("GET", "/mcp/admin/x", own.clone(), "403 access_denied"),
        ("GET", "/mcp/..;/x", own.clone(), "403 invalid_request"),
        ("GET", "/mcp", format!("{own}origin: https://evil.example\r\n"), "403 invalid_request"),
        (
            "OPTIONS",
            "/mcp",
            "origin: https://app.example\r\naccess-control-request-method: POST\r\n".into(),
            "200",
        ),
    ] {
        let answer = ask(method, target, &headers).await;
        assert_eq!(told(&answer), expected, "{method} {target} {headers}");
        let is_known = expected == "200" && headers.contains("authorization");
        assert_eq!(answer.header("doorward-assertion").is_some(), is_known, "{method} {target}");
    }
}
