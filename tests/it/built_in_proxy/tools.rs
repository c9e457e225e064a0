//! Rules for tools, which the proxy reads from bodies.

use serde_json::{Value, json};

use super::Guarded;

const RULES: &str = ", rules = [{ tools = [\"delete_*\"], scopes = [\"tools:write\"] }, \
    { tools = [\"wipe\"], deny = true }]";

fn call(tool: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool } })
        .to_string()
}

#[tokio::test]
async fn a_tool_is_allowed_asked_for_or_denied_by_the_first_rule() {
    let guarded = Guarded::with(RULES).await;
    let answer = guarded.post("/mcp", "", &call("echo")).await;
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!(call("echo"))));

    let answer = guarded.post("/mcp", "", &call("delete_repo")).await;
    assert_eq!(answer.status, 403);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"tools:read tools:write\""), "{challenge}");
    assert_eq!(answer.json()["id"], 7);

    let answer = guarded.post("/mcp", "", &call("wipe")).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(7)));
    assert!(answer.json()["error"]["message"].is_string(), "no sign-in cures it");
    assert_eq!(guarded.upstream.requests(), 1);
}

#[tokio::test]
async fn a_body_that_two_programs_read_differently_never_arrives() {
    let guarded = Guarded::with(RULES).await;
    let echo = call("echo");
    for body in [
        format!("[{}]", call("delete_repo")),
        format!("{echo}{}", call("delete_repo")),
        format!("{echo}\0"),
        echo.replace("\"name\":\"echo\"", "\"name\":\"echo\",\"name\":\"delete_repo\""),
        echo.replace("\"name\":\"echo\"", "\"name\":\"echo\",\"Name\":\"delete_repo\""),
        echo.replace("\"method\"", "\"Method\""),
        echo.replace("\"params\"", "\"param\u{17f}\""),
        echo.replace("tools/call", "Tools/Call"),
        echo.replace("\"echo\"", "[\"echo\"]"),
        "{}".to_owned(),
        String::from("x"),
    ] {
        let answer = guarded.post("/mcp", "", &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    for lines in ["content-encoding: gzip\r\n", "mcp-name: echo\r\nmcp-name: echo\r\n"] {
        assert_eq!(guarded.post("/mcp", lines, &echo).await.status, 400, "{lines}");
    }
    let as_text = format!(
        "POST /mcp HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n\
         content-type: text/plain\r\ncontent-length: {}\r\n\r\n{echo}",
        echo.len()
    );
    assert_eq!(guarded.send(&as_text).await.status, 400);
    // The header names another tool than the body, which decides.
    let body = call("delete_repo");
    let lines = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\n";
    assert_eq!(guarded.post("/mcp", lines, &body).await.status, 403);
    assert_eq!(guarded.upstream.requests(), 0);
}

/// The names of the tools that are listed.
async fn listed(list: &str, lines: &str) -> Vec<String> {
    let guarded = Guarded::with(&format!("{RULES}{list}")).await;
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let answer = guarded.post("/mcp/tools", &format!("connection: close\r\n{lines}"), &body).await;
    assert_eq!(answer.status, 200);
    let message: Value = match answer.header("content-type").unwrap() {
        "application/json" => answer.json(),
        _ => return events(&guarded, &body).await,
    };
    names(&message)
}

/// The same from a stream of events.
async fn events(guarded: &Guarded, body: &str) -> Vec<String> {
    let request = format!(
        "POST /mcp/tools HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {{token}}\r\n\
         content-type: application/json\r\nx-events: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = guarded.open(&request).await;
    let all = crate::harness::read_end(&mut stream).await;
    let data = all.lines().find_map(|line| line.strip_prefix("data: ")).expect("there is an event");
    names(&serde_json::from_str(data).unwrap())
}

fn names(message: &Value) -> Vec<String> {
    let tools = message["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tools_that_a_client_could_not_call_are_not_listed() {
    for lines in ["", "x-events: 1\r\n"] {
        assert_eq!(listed("", lines).await, ["echo", "delete_repo"]);
        assert_eq!(listed(", list = \"granted\"", lines).await, ["echo"]);
        assert_eq!(listed(", list = \"all\"", lines).await, ["echo", "delete_repo", "wipe"]);
    }
}
