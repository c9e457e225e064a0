//! What a caller sees when the store fails.

use serde_json::json;

use crate::{
    granted::{SECRET, basic, config, form, member, redeeming, refreshing},
    harness::TestServer,
};
use doorward::store::Failure;

const BODY: &str = r#"{"client_name":"A","redirect_uris":["https://a.example/cb"]}"#;

#[tokio::test]
async fn a_store_that_fails_is_a_503_with_nothing_kept_and_recovers() {
    let server = TestServer::start().await;
    server.fail(Failure::Unavailable);
    let answer = server.post("/api/v2/oauth2/register", BODY).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "errors": ["the registration could not be kept"] }));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let answer = server.post("/register", BODY).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert_eq!(answer.json()["error_description"], "the registration could not be kept");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(server.look("/readyz").await.status, 503);

    server.fail(Failure::None);
    assert_eq!(server.clients().await.len(), 0);
    assert_eq!(server.post("/register", BODY).await.status, 201);
    assert_eq!(server.clients().await.len(), 1);
    server.look_until("/readyz", 200).await;
}

#[tokio::test]
async fn what_is_refused_never_reaches_the_store() {
    let server = TestServer::start().await;
    server.fail(Failure::Unavailable);
    for body in ["", "{}", "[]", r#"{"redirect_uris":["javascript:x"]}"#] {
        assert_eq!(server.post("/register", body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn whichever_call_to_the_store_fails_no_token_is_lost_and_none_is_made() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let bought = server.tokens(client).await;
    let (access, token) = (member(&bought, "access_token"), member(&bought, "refresh_token"));
    let to_revoke = member(&server.tokens(client).await, "refresh_token");
    let id = client.to_string();
    let named = [("client_id", &*id), ("token", &to_revoke)];
    let tools = basic("tools", SECRET);
    // Each with the number of calls that it makes to the store.
    for (path, headers, body, calls) in [
        ("/oauth2/token", "", redeeming(client, &code, &[]), 3),
        ("/oauth2/token", "", refreshing(client, &token, &[]), 3),
        ("/oauth2/introspect", &*tools, form(&[("token", &access)]), 1),
        ("/oauth2/revoke", "", form(&named), 4),
    ] {
        for before in 0..calls {
            for (failure, status, error) in [
                (Failure::Busy, 503, "temporarily_unavailable"),
                (Failure::Unavailable, 503, "temporarily_unavailable"),
                (Failure::Corrupt, 500, "server_error"),
                (Failure::Panic, 500, "server_error"),
            ] {
                server.fail_after(before, failure);
                let answer = server.post_form(path, headers, &body).await;
                assert_eq!(answer.status, status, "{path} {before} {failure:?}: {answer:?}");
                assert_eq!(answer.json()["error"], error);
                assert_eq!(answer.header("retry-after"), (status == 503).then_some("1"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
        // Then it is done as if nothing had happened.
        server.fail_after(calls, Failure::Unavailable);
        let answer = server.post_form(path, headers, &body).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        server.fail(Failure::None);
    }
    let answer = server.token(&refreshing(client, &to_revoke, &[])).await;
    assert_eq!(answer.status, 400, "it was revoked");
}
