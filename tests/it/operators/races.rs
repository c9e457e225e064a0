//! Two operators at one client.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// How often each of them changes the note.
const CHANGES: usize = 500;

/// Reads the client, and adds one to the number in its note in the version that was read; again when another operator was
/// faster.
async fn add_one(server: &TestServer, path: &str, id: ClientId, token: &str) -> usize {
    let mut superseded = 0;
    loop {
        let read = call(server, "GET", path, token).await;
        let note = read.json()["data"]["attributes"]["note"].clone();
        let number: usize = note.as_str().map_or(0, |note| note.parse().unwrap());
        let headers = format!("{}if-match: {}\r\n", bearer(token), read.header("etag").unwrap());
        let body = json!({ "data": { "id": id.to_string(), "type": "oauth2_clients",
            "attributes": { "note": (number + 1).to_string() } } });
        let changed = call_with(server, ("PATCH", path), &headers, Some(&body)).await;
        match changed.status {
            200 => return superseded,
            412 => superseded += 1,
            _ => panic!("{changed:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_who_change_one_client_a_thousand_times_lose_no_update() {
    let mut config = flow::config();
    config.operator.calls_per_minute = 0;
    let server = TestServer::with(config).await;
    let tokens =
        [token(&server, "one", Role::Operator).await, token(&server, "two", Role::Operator).await];
    let id = client(&server, "An app").await;
    let path = format!("/api/v2/oauth2/clients/{id}");
    let superseded = AtomicUsize::new(0);
    let change = async |token: &str| {
        for _ in 0..CHANGES {
            let lost = add_one(&server, &path, id, token).await;
            superseded.fetch_add(lost, Ordering::Relaxed);
        }
    };
    tokio::join!(change(&tokens[0]), change(&tokens[1]));

    let read = get(&server, &path, &tokens[0]).await;
    assert_eq!(read["data"]["attributes"]["note"], (2 * CHANGES).to_string());
    assert!(superseded.into_inner() > 0, "they were never at it at the same time");
}
