//! What a caller sees when the store fails.

use serde_json::json;

use crate::{harness::TestServer, memory_store::Failure};

const BODY: &str = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"]}"#;

#[tokio::test]
async fn a_store_that_fails_is_a_503_with_nothing_kept_and_recovers() {
    let server = TestServer::start().await;
    server.store.fail(Failure::Unavailable);
    let answer = server.post("/api/v2/oauth2/register", BODY).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "errors": ["the registration could not be kept"] }));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let answer = server.post("/register", BODY).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.json()["error_description"], "the registration could not be kept");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(server.store.ids().len(), 0);
    assert_eq!(server.look("/readyz").await.status, 503);

    server.store.fail(Failure::None);
    assert_eq!(server.post("/register", BODY).await.status, 201);
    assert_eq!(server.store.ids().len(), 1);
    server.look_until("/readyz", 200).await;
}

#[tokio::test]
async fn what_is_refused_never_reaches_the_store() {
    let server = TestServer::start().await;
    server.store.fail(Failure::Unavailable);
    for body in ["", "{}", "[]", r#"{"redirect_uris":["javascript:x"]}"#] {
        assert_eq!(server.post("/register", body).await.status, 400, "{body}");
    }
}
