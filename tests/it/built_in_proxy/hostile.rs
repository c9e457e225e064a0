//! Raw bytes, in which the proxy and a server could read two different things: both read the same, or the request never
//! arrives.

use std::time::Duration;

use tokio::{io::AsyncReadExt as _, time::timeout};

use super::{Guarded, PATIENCE, header};
use crate::harness::read_answer;

#[tokio::test]
async fn a_client_forges_no_identity_and_removes_none() {
    let guarded = Guarded::with(", identity_headers = { subject = \"X-User\" }").await;
    for line in [
        "Doorward-Assertion: forged",
        "Doorward_Assertion: forged",
        "DOORWARD-ASSERTION: forged",
        "X-User: forged",
        "x_user: forged",
        "X-Forwarded-User: forged",
        "Connection: Doorward-Assertion\r\nDoorward-Assertion: forged",
        "Connection: close, X-User",
        "Connection: doorward-assertion, x-user, keep-alive",
    ] {
        let report = guarded.get("/mcp", &format!("{line}\r\n")).await.json();
        assert!(!report.to_string().contains("forged"), "{line}: {report}");
        assert!(header(&report, "doorward-assertion").unwrap().contains('.'), "{line}");
        assert!(header(&report, "x-user").is_some(), "{line}");
        let mut names =
            report["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap());
        assert!(!names.any(|name| name.contains('_')), "{line}: {report}");
    }
}

#[tokio::test]
async fn cookies_of_this_server_do_not_reach_the_upstream() {
    let guarded = Guarded::start().await;
    let report = guarded.get("/mcp", "cookie: __Host-doorward-session=s; a=1\r\n").await.json();
    assert_eq!(header(&report, "cookie"), Some("a=1"));
}

#[tokio::test]
async fn a_head_that_two_programs_read_differently_is_refused() {
    let guarded = Guarded::start().await;
    let with = |lines: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n{lines}"
        )
    };
    for lines in [
        "authorization: Bearer {token}\r\n\r\n",
        "host: door.example\r\n\r\n",
        "origin: https://door.example\r\norigin: https://door.example\r\n\r\n",
        "mcp-session-id: a\r\nmcp-session-id: a\r\n\r\n",
        "mcp-protocol-version: 2025-11-25\r\nmcp-protocol-version: 2026-07-28\r\n\r\n",
        "connection: authorization\r\n\r\n",
        "connection: close, mcp-name\r\nmcp-name: x\r\n\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nx: y\r\nCONTENT-LENGTH: 5\r\n\r\n0\r\n\r\n",
        "content-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "content-length: +1\r\n\r\nx",
        "transfer-encoding: gzip, chunked, identity\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "x: a\n b\r\n\r\n",
        "x: a\r\n folded\r\n\r\n",
    ] {
        let answer = guarded.send(&with(lines)).await;
        assert_eq!(answer.status, 400, "{lines}: {answer:?}");
    }
    assert_eq!(guarded.upstream.requests(), 0);
}

#[tokio::test]
async fn a_body_in_chunks_ends_with_http_1_0() {
    let guarded = Guarded::start().await;
    let answer = guarded
        .send(
            "POST /mcp HTTP/1.0\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\
             transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        )
        .await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(guarded.upstream.requests(), 0);
}

#[tokio::test]
async fn a_body_that_was_not_read_is_no_next_request() {
    let hidden =
        "GET /mcp/hidden HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n";
    let guarded = Guarded::with(", rules = [{ paths = [\"/mcp/denied\"], deny = true }]").await;
    let hidden = hidden.replace("{token}", &guarded.token);
    let token = format!("authorization: Bearer {}\r\n", guarded.token);
    for (line, headers, status) in [
        ("POST /mcp", "", 401),
        ("POST /mcp/denied", &*token, 403),
        ("POST /mcp//", &*token, 400),
        ("GET /mcp/silent/..", &*token, 400),
    ] {
        let length = hidden.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: door.example\r\n{headers}content-length: {length}\r\n\r\n{hidden}"
        );
        let mut connection = guarded.open(&request).await;
        let answer = timeout(PATIENCE, read_answer(&mut connection, false)).await.unwrap();
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        // Nothing follows: the connection waits for the next request, or has ended.
        let mut more = [0; 4096];
        let read = timeout(Duration::from_millis(300), connection.read(&mut more)).await;
        assert!(matches!(read, Err(_) | Ok(Ok(0) | Err(_))), "{line}: {read:?}");
    }
    assert_eq!(guarded.upstream.requests(), 0);
}

#[tokio::test]
async fn an_origin_of_null_or_in_another_spelling_is_refused() {
    let guarded = Guarded::start().await;
    for origin in
        ["null", "", "HTTPS://DOOR.EXAMPLE", "https://door.example/", "https://door.example.", "x"]
    {
        let answer = guarded.get("/mcp", &format!("origin: {origin}\r\n")).await;
        assert_eq!(answer.status, 403, "{origin}: {answer:?}");
    }
    assert_eq!(guarded.upstream.requests(), 0);
}

#[tokio::test]
async fn a_target_is_forwarded_byte_for_byte_or_refused() {
    let guarded = Guarded::start().await;
    for target in ["/mcp", "/mcp/", "/mcp?", "/mcp/a%20b?c=%2F&d='|", "/mcp/~x-y_z.!$&'()*+,=:@"] {
        let answer = guarded.get(target, "").await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert_eq!(answer.json()["target"], target);
    }
    let before = guarded.upstream.requests();
    for target in [
        "/mcp/../admin",
        "/mcp/./x",
        "/mcp//x",
        "/mcp/a;b",
        "/mcp/a%2fb",
        "/mcp/a%5Cb",
        "/mcp/a\\b",
        "/mcp/%61dmin",
        "/mcp/%00",
        "/mcp/%zz",
        "/mcp/%2e%2e/admin",
        "/mcp/%252e",
        "/mcpx",
        "/mcp%2f..",
        "//mcp",
        "/MCP",
        "http://evil.example/mcp",
        "*",
    ] {
        let answer = guarded.get(target, "").await;
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
    }
    assert_eq!(guarded.upstream.requests(), before);
}

#[tokio::test]
async fn only_the_host_of_the_resource_leads_to_it() {
    let guarded = Guarded::start().await;
    for (host, status) in [
        ("door.example", 200),
        ("DOOR.example", 200),
        ("door.example:443", 200),
        ("evil.example", 421),
        ("localhost", 421),
        ("door.example.evil.example", 421),
        ("door.example:8443", 421),
    ] {
        let request =
            format!("GET /mcp HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {{token}}\r\n\r\n");
        assert_eq!(guarded.send(&request).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn nothing_is_upgraded_or_tunneled() {
    let guarded = Guarded::start().await;
    let lines = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n";
    let answer = guarded.get("/mcp", lines).await;
    assert_eq!(answer.status, 200);
    assert_eq!(header(&answer.json(), "upgrade"), None);
    let before = guarded.upstream.requests();
    for request in [
        "CONNECT door.example:443 HTTP/1.1\r\nhost: door.example:443\r\n\r\n",
        "TRACE /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n",
    ] {
        let answer = guarded.send(request).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(guarded.upstream.requests(), before);
}
