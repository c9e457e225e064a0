//! Attempts, as operators list them.

use doorward::store::AttemptRecord;

use super::*;

#[tokio::test]
async fn attempts_are_listed_latest_first_by_reason_target_and_network_with_advice() {
    let server = serve().await;
    let viewer = token(&server, "viewer", Role::Viewer).await;
    let now = server.clock.now();
    let row = |reason: &str, target: &str, seconds: u64| AttemptRecord {
        reason: reason.to_owned(),
        target: target.to_owned(),
        network: if target.is_empty() { String::new() } else { "192.0.2.0/24".to_owned() },
        attempts: 3,
        first_at: now,
        last_at: now.after_seconds(seconds),
        request_id: "abc".to_owned(),
    };
    let rows = [
        row("token.verifier", "tools@loopback", 3),
        row("token.verifier", "", 2),
        row("registration.metadata", "app.example", 2),
        row("of.a.later.release", "app.example", 1),
    ];
    server.kept.note_attempts(rows.to_vec()).await.unwrap();
    let path = "/api/v2/oauth2/attempts";
    let list = async |query: &str| get(&server, &format!("{path}?{query}"), &viewer).await;

    let all = list("").await;
    assert_eq!(ids(&all).len(), 4);
    let first = &all["data"][0]["attributes"];
    assert_eq!((&first["reason"], &first["attempts"]), (&json!("token.verifier"), &json!(3)));
    assert_eq!(
        (&first["target"], &first["last_request_id"]),
        (&json!("tools@loopback"), &json!("abc"))
    );
    assert!(first["advice"].as_str().unwrap().contains("code_verifier"), "{first}");
    assert_eq!(all["data"][3]["attributes"]["advice"], Value::Null);

    for (query, count) in [
        ("filter[reason]=token.verifier", 2),
        ("filter[target]=app.example", 2),
        ("filter[source_network]=192.0.2.0/24", 3),
        ("filter[reason]=token.verifier&filter[source_network]=192.0.2.0/24", 1),
        ("filter[reason]=token.scope", 0),
    ] {
        assert_eq!(ids(&list(query).await).len(), count, "{query}");
    }
    let (mut read, mut query) = (Vec::new(), "page[limit]=1".to_owned());
    loop {
        let page = list(&query).await;
        read.extend(ids(&page));
        let Some(after) = page["meta"]["page"]["after"].as_str() else { break };
        query = format!("page[limit]=1&page[cursor]={after}");
    }
    assert_eq!(read, ids(&all));
    for (query, parameter) in
        [("filter[reason]=x", "filter[reason]"), ("page[cursor]=x", "page[cursor]")]
    {
        let answer = call(&server, "GET", &format!("{path}?{query}"), &viewer).await;
        assert_eq!((answer.status, source(&answer)), (400, json!({ "parameter": parameter })));
    }
}
