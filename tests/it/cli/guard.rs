//! `doorward guard explain`, and the built-in proxy of a node that is killed.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use crate::harness::by;
use doorward::audit::Action;
use doorward::{
    grant::RefreshToken,
    store::{self, Access},
};

use super::{serve::Server, *};
use crate::{
    flow,
    granted::{self, TOOLS, member, redeeming},
    harness::TestServer,
};

const SETTINGS: &str = r#"
    [server]
    issuer = "https://door.example"
    tls_terminated_in_front = true
    [[sign_in.providers]]
    id = "acme"
    name = "Acme"
    issuer = "https://login.acme.example"
    client_id = "doorward"
    [[authorization.resources]]
    uri = "https://mcp.example.com/mcp"
    [authorization.resources.guard]
    id = "tools"
    required_scopes = ["tools:read"]
    upstream_validates_headers = true
    rules = [
      { tools = ["delete_*"], scopes = ["tools:write"] },
      { methods = ["GET"], paths = ["/healthz"], public = true },
    ]
"#;

/// How long the end of a connection may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

fn explain(words: &[&str]) -> Ran {
    let doorward = Doorward::new();
    doorward.write("doorward.toml", SETTINGS);
    let asked = ["guard", "explain", "-c", "doorward.toml", "--resource"];
    doorward.run(&[&asked[..], words].concat())
}

#[test]
fn a_decision_is_told_with_the_rules_that_led_to_it() {
    let ran = explain(&["tools", "--url", "https://mcp.example.com/healthz"]);
    insta::assert_snapshot!(ran.result(), @"
    resource  https://mcp.example.com/mcp
    rules[0]  does not match: another tool, or none
    rules[1]  matches
    decision  200: the path is public
    ");
    let ran = explain(&[
        "https://mcp.example.com/mcp",
        "--method",
        "POST",
        "--url",
        "https://mcp.example.com/mcp",
        "--tool",
        "delete_repo",
        "--scope",
        "tools:read",
    ]);
    assert_eq!((ran.code, &*ran.err), (Some(3), ""));
    insta::assert_snapshot!(ran.out, @"
    resource  https://mcp.example.com/mcp
    rules[0]  matches
    decision  403: needs a token with the scopes tools:read tools:write
    ");
}

#[test]
fn a_request_is_refused_for_its_target_its_host_or_its_origin() {
    for (words, told) in [
        (
            &["--url", "https://mcp.example.com/mcp"][..],
            "401: needs a token with the scopes tools:read tools:write",
        ),
        (&["--url", "https://mcp.example.com/mcp/..;/"], "400: the path contains ; parameters"),
        (
            &["--url", "https://mcp.example.com/%68ealthz"],
            "400: the path contains a percent-encoded letter, digit, or one of - . _ ~",
        ),
        (
            &["--url", "https://other.example/mcp"],
            "421: the request is for another host than the resource",
        ),
        (
            &["--url", "https://mcp.example.com/mcpx"],
            "404: the path does not belong to the resource",
        ),
        (
            &["--url", "https://mcp.example.com/mcp", "--origin", "https://evil.example"],
            "403: pages of this origin may not send requests",
        ),
    ] {
        let ran = explain(&[&["tools"], words].concat());
        assert_eq!(ran.code, Some(3), "{words:?}");
        assert_eq!(ran.out.lines().last(), Some(&*format!("decision  {told}")), "{words:?}");
    }
    let ran = explain(&["other", "--url", "https://mcp.example.com/mcp"]);
    assert_eq!(
        (ran.code, &*ran.err),
        (Some(2), "error: no guarded resource has the id or URI other\n")
    );
}

#[tokio::test]
async fn a_token_is_tried_by_the_keys_and_the_grant_in_the_store() {
    let doorward = Doorward::new();
    let place = doorward.path("data").to_str().unwrap().to_owned();
    let place = doorward.database.clone().unwrap_or(place);
    let mut config = granted::config_on(&place);
    flow::ISSUER.clone_into(&mut config.server.issuer);
    let secret = "a secret that all servers on a store have";
    let settings = format!(
        "store = \"{place}\"\n[token]\nkeys_secret = \"{secret}\"\n{}",
        SETTINGS
            .replace("https://door.example", flow::ISSUER)
            .replace("https://mcp.example.com/mcp", TOOLS)
            .replace("tools:read", "read")
    );
    doorward.write("doorward.toml", &settings);
    let store = store::open(&config, Access::Serve).await.unwrap();
    let server = TestServer::kept_by(store, config).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let bought = server.token(&redeeming(client, &code, &[("resource", TOOLS)])).await;
    let token = member(&bought, "access_token");
    let refresh: RefreshToken = member(&bought, "refresh_token").parse().unwrap();
    let explain = |token: &str| {
        let words = ["guard", "explain", "-c", "doorward.toml", "--resource", "tools"];
        let ran =
            doorward.run_with(&[&words[..], &["--url", TOOLS, "--token", "-"]].concat(), token);
        assert_eq!(ran.err, "");
        let last = ran.out.lines().last().unwrap_or_default().to_owned();
        (ran.code, last)
    };

    let needs = "needs a token with the scopes read tools:write";
    let allowed = "decision  200: the token has all scopes".to_owned();
    assert_eq!(explain(&format!("{token}\n")), (Some(0), allowed));
    let other = format!("decision  401: the access token was not issued here: {needs}");
    assert_eq!(explain("x.y.z"), (Some(3), other));
    server
        .kept
        .revoke_grant(refresh.grant, Action::GrantRevoked, "by_operator", by())
        .await
        .unwrap();
    let revoked = format!("decision  401: access was revoked or has ended: {needs}");
    assert_eq!(explain(&token), (Some(3), revoked));
    server.stop().await;
}

#[test]
fn a_body_on_standard_input_names_the_tool_as_the_built_in_proxy_reads_it() {
    let doorward = Doorward::new();
    let explain = |settings: &str, body: &str| {
        doorward.write("doorward.toml", settings);
        let words = ["guard", "explain", "-c", "doorward.toml", "--resource", "tools"];
        let words = [&words[..], &["--method", "POST", "--url", "https://mcp.example.com/mcp"]];
        let words = [&words.concat()[..], &["--scope", "tools:read", "--body", "-"]].concat();
        doorward.run_with(&words, body)
    };
    let proxied = SETTINGS
        .replace("upstream_validates_headers = true", "upstream = \"http://127.0.0.1:3000/mcp\"");
    let call = |tool: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
    };
    for (body, code, told) in [
        (call("list_repos"), 0, "200: the token has all scopes"),
        (call("delete_repo"), 3, "403: needs a token with the scopes tools:read tools:write"),
        ("[]".to_owned(), 3, "400: the body must be one JSON-RPC message"),
    ] {
        let ran = explain(&proxied, &body);
        assert_eq!(ran.code, Some(code), "{body}: {}", ran.err);
        let last = ran.out.lines().last().unwrap();
        assert!(last.starts_with(&format!("decision  {told}")), "{body}: {last}");
    }
    let ran = explain(SETTINGS, "{}");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--tool"), "{}", ran.err);
}

/// The end of a connection, and what came before it.
fn rest(mut connection: TcpStream) -> String {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    drop(connection.read_to_end(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_node_that_is_killed_ends_its_streams_on_both_sides_and_serves_again() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let doorward = Doorward::new();
    doorward.write(
        "guard.toml",
        &format!(
            "[[authorization.resources]]\nuri = \"http://mcp.example/mcp\"\n\
             [authorization.resources.guard]\nid = \"tools\"\nupstream = \"http://{}/mcp\"\n\
             rules = [{{ paths = [\"/mcp/**\"], public = true }}]\n",
            upstream.local_addr().unwrap()
        ),
    );
    let config = doorward.path("guard.toml");
    let config = config.to_str().unwrap();
    let words = [
        "serve",
        "--dev",
        "--config",
        config,
        "--listen",
        "127.0.0.1:0",
        "--management",
        "127.0.0.1:0",
    ];
    for _ in 0..2 {
        let server = Server::start(&doorward, &words, "Health and metrics");
        let said = server.announced.concat();
        let (_, rest_of_line) = said.split_once("Clients register at http://").unwrap();
        let mut client = TcpStream::connect(rest_of_line.split(' ').next().unwrap()).unwrap();
        client.write_all(b"GET /mcp HTTP/1.1\r\nhost: mcp.example\r\n\r\n").unwrap();
        let (mut behind, _) = upstream.accept().unwrap();
        assert_ne!(behind.read(&mut [0; 4096]).unwrap(), 0);
        let begun = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
            transfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n";
        behind.write_all(begun.as_bytes()).unwrap();
        let mut event = String::new();
        while !event.contains("data: a") {
            let mut buffer = [0; 4096];
            let read = client.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{event}");
            event.push_str(str::from_utf8(&buffer[..read]).unwrap());
        }
        // By SIGKILL.
        drop(server);
        assert_eq!(rest(behind), "", "the upstream sees the end");
        assert!(!rest(client).ends_with("0\r\n\r\n"), "the stream does not look finished");
    }
}
