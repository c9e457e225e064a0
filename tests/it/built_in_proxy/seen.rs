//! What an operator sees of the calls behind the guard.

use doorward::{
    audit::Action,
    config::StoreLocation,
    grant::RefreshToken,
    store::{self, Access, EventsOf},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Guarded, guarded_config, tokens, upstream::Upstream};
use crate::{flow::Client, harness::TestServer};

const RULES: &str = ", rules = [{ tools = [\"delete_*\"], scopes = [\"tools:write\"] }, \
    { tools = [\"wipe\"], deny = true }]";

#[tokio::test]
async fn calls_and_refused_calls_are_counted_by_grant_and_tool_and_stored_without_arguments() {
    let folder = TempDir::new().unwrap();
    let upstream = Upstream::start().await;
    let mut config = guarded_config(&upstream, RULES);
    config.store = StoreLocation::Folder(folder.path().to_owned());
    let kept = store::open(&config, Access::Serve).await.unwrap();
    let server = TestServer::kept_by(kept, config.clone()).await;
    let client = Client::register(&server).await;
    let (token, refresh_token) = tokens(&server, &client).await;
    let grant = refresh_token.parse::<RefreshToken>().unwrap().grant;
    let guarded = Guarded { server, upstream, client, token, refresh_token };
    for (tool, status) in [("echo", 200), ("delete_repo", 403), ("echo", 200), ("wipe", 200)] {
        let body = json!({
            "jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": { "name": tool, "arguments": { "name": "an argument" } },
        });
        assert_eq!(guarded.post("/mcp", "", &body.to_string()).await.status, status, "{tool}");
    }
    // A request without a valid token leaves nothing.
    let forged = Guarded { token: "forged".to_owned(), ..guarded };
    assert_eq!(forged.get("/mcp", "").await.status, 401);
    let Guarded { server, client, .. } = forged;
    for (outcome, times) in
        [("allowed", 2.0), ("insufficient_scope", 1.0), ("denied", 1.0), ("unauthorized", 1.0)]
    {
        let name =
            format!("doorward_guard_decisions_total{{resource=\"tools\",outcome=\"{outcome}\"}}");
        assert!((server.metric(&name).await - times).abs() < 0.1, "{outcome}");
    }

    server.stop().await;

    let kept = store::open(&config, Access::Serve).await.unwrap();
    let events = kept.newest_events(Some(&EventsOf::Grant(grant)), None, 100).await.unwrap();
    let is_call = |action| matches!(action, Action::GuardAllowed | Action::GuardRefused);
    let mut calls = Vec::new();
    for event in events.iter().filter(|event| is_call(event.action)) {
        let about = event.client.as_ref().unwrap().to_string();
        assert_eq!((about, event.subject.as_deref()), (client.id.clone(), Some("local:developer")));
        let text = event.detail.as_deref().unwrap();
        assert!(!text.contains("an argument"), "{text}");
        let detail: Value = serde_json::from_str(text).unwrap();
        let word = |name: &str| detail[name].as_str().unwrap_or("-").to_owned();
        calls.push(format!("{} {} {}", word("tool"), word("needs"), detail["calls"]));
    }
    calls.sort();
    assert_eq!(calls, ["delete_repo tools:write 1", "echo - 2", "wipe - 1"]);
}
