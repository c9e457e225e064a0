//! The end of tokens before their time (RFC 7009), and what resources are told about them (RFC 7662).

use crate::harness::by;
use std::time::Duration;

use doorward::audit::Action;
use doorward::client::ClientId;
use serde_json::json;

use crate::{
    flow::{self, Browser},
    granted::{
        NOTES, SECRET, TOOLS, basic, config, crossed_token, form, member, redeeming, refreshing,
        refused,
    },
    harness::{Answer, TestServer},
};

async fn revoke(server: &TestServer, client: ClientId, token: &str, hint: &str) -> Answer {
    let client = client.to_string();
    let parameters = [("client_id", &*client), ("token", token), ("token_type_hint", hint)];
    server.post_form("/oauth2/revoke", "", &form(&parameters)).await
}

/// Whether both tokens of an answer are good, or neither is.
async fn is_alive(server: &TestServer, client: ClientId, bought: &Answer) -> bool {
    let told = server.introspect("tools", &member(bought, "access_token")).await;
    let token = member(bought, "refresh_token");
    let refreshed = server.token(&refreshing(client, &token, &[])).await.status == 200;
    assert_eq!(told["active"], refreshed);
    refreshed
}

#[tokio::test]
async fn rv_2_3_either_token_ends_both_whatever_the_hint() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    for token in ["access_token", "refresh_token"] {
        for hint in ["access_token", "refresh_token", "something", ""] {
            let bought = server.tokens(client).await;
            let answer = revoke(&server, client, &member(&bought, token), hint).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert!(!is_alive(&server, client, &bought).await, "{token} {hint}");
        }
    }
}

#[tokio::test]
async fn rv_3_a_token_that_was_superseded_still_ends_its_family() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let old = member(&server.tokens(client).await, "refresh_token");
    let newest = server.token(&refreshing(client, &old, &[])).await;
    assert_eq!(revoke(&server, client, &old, "").await.status, 200);
    assert!(!is_alive(&server, client, &newest).await);
}

#[tokio::test]
async fn rv_1_2_what_is_no_token_of_the_client_is_answered_alike_and_ends_nothing() {
    let server = TestServer::with(config()).await;
    let (client, other) = (server.new_client().await, server.new_client().await);
    let bought = server.tokens(client).await;
    let of_another_grant = member(&server.tokens(client).await, "refresh_token");
    let (access, refresh) = (member(&bought, "access_token"), member(&bought, "refresh_token"));
    let good = revoke(&server, client, &of_another_grant, "").await;
    let made_up = crossed_token(&refresh, &of_another_grant);
    let (signed, _) = access.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    for (client, token) in [
        (other, &*access),
        (other, &refresh),
        (client, &made_up),
        (client, &unsigned),
        (client, "nonsense"),
        (client, "dwr_"),
        (client, &of_another_grant),
    ] {
        let answer = revoke(&server, client, token, "").await;
        assert_eq!((answer.status, &answer.body), (good.status, &good.body), "{token}");
    }
    assert!(is_alive(&server, client, &bought).await);
}

#[tokio::test]
async fn rv_2_what_has_expired_is_answered_alike_and_ends_nothing() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let (access, refresh) = (member(&bought, "access_token"), member(&bought, "refresh_token"));
    server.clock.advance(Duration::from_mins(15));
    let answer = revoke(&server, client, &access, "access_token").await;
    assert_eq!((answer.status, &*answer.body), (200, "{}"));
    let next = server.token(&refreshing(client, &refresh, &[])).await;
    assert_eq!(next.status, 200, "{next:?}");
    server.clock.advance(Duration::from_hours(31 * 24));
    let answer = revoke(&server, client, &member(&next, "refresh_token"), "refresh_token").await;
    assert_eq!((answer.status, &*answer.body), (200, "{}"));
}

#[tokio::test]
async fn rv_5_another_installation_of_the_same_client_keeps_its_grant() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let (one, other) = (server.tokens(client).await, server.tokens(client).await);
    revoke(&server, client, &member(&one, "refresh_token"), "").await;
    assert!(!is_alive(&server, client, &one).await);
    assert!(is_alive(&server, client, &other).await);
}

#[tokio::test]
async fn rv_1_whoever_revokes_says_which_client_it_is() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let token = member(&bought, "refresh_token");
    let unknown: ClientId = "0199f2a4-7c11-7abc-8def-001122334455".parse().unwrap();
    let answer = revoke(&server, unknown, &token, "").await;
    assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
    let anonymous = form(&[("token", &token)]);
    let answer = server.post_form("/oauth2/revoke", "", &anonymous).await;
    assert_eq!(refused(&answer), (400, "invalid_request".to_owned()));
    let nothing = form(&[("client_id", &client.to_string())]);
    let twice = form(&[("client_id", &client.to_string()), ("token", &token), ("token", &token)]);
    for body in [nothing, twice] {
        let answer = server.post_form("/oauth2/revoke", "", &body).await;
        assert_eq!(refused(&answer), (400, "invalid_request".to_owned()), "{body}");
    }
    assert!(is_alive(&server, client, &bought).await);
}

#[tokio::test]
async fn scripts_of_every_origin_may_revoke_and_exchange_but_not_introspect() {
    let server = TestServer::with(config()).await;
    for (path, status) in [
        ("/oauth2/token", 204),
        ("/token", 204),
        ("/oauth2/revoke", 204),
        ("/oauth2/introspect", 405),
    ] {
        let answer = server
            .exchange(&format!(
                "OPTIONS {path} HTTP/1.1\r\nhost: x\r\norigin: https://app.example\r\n\
                 access-control-request-method: POST\r\n\r\n"
            ))
            .await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let origin = (status == 204).then_some("*");
        assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
        let answer = server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.status, 405, "{path}");
        // The challenge of a refusal can be read, too.
        let answer = server.post_form(path, &basic("nobody", ""), "token=x").await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert_eq!(exposed.contains("www-authenticate"), status == 204, "{path}");
    }
}

#[tokio::test]
async fn in_1_only_a_resource_that_proves_itself_may_ask() {
    let server = TestServer::with(config()).await;
    let bought = server.tokens(server.new_client().await).await;
    let body = form(&[("token", &member(&bought, "access_token"))]);
    for headers in
        [String::new(), basic("tools", "wrong"), basic("nobody", SECRET), basic("tools", "")]
    {
        let answer = server.post_form("/oauth2/introspect", &headers, &body).await;
        assert_eq!(refused(&answer), (401, "invalid_client".to_owned()), "{headers}");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"doorward\""));
    }
    for body in ["a=b", "token=", "token=x&token=x"] {
        let answer = server.post_form("/oauth2/introspect", &basic("tools", SECRET), body).await;
        assert_eq!(refused(&answer), (400, "invalid_request".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn in_2_of_what_is_not_good_or_not_for_the_resource_nothing_is_told() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let token = member(&bought, "refresh_token");
    let narrow = server.token(&refreshing(client, &token, &[("resource", TOOLS)])).await;
    let access = member(&narrow, "access_token");
    assert_eq!(server.introspect("tools", &access).await["active"], true);
    let inactive = json!({ "active": false });
    assert_eq!(server.introspect("notes", &access).await, inactive);
    // Superseded, made up, and one that is signed by nobody.
    // Chance ends a true signature in one of them, never in both.
    let mut forged = access.clone();
    forged.replace_range(forged.len() - 2.., if access.ends_with("AA") { "AQ" } else { "AA" });
    for token in [&token, "nonsense", "dwr_", &forged] {
        assert_eq!(server.introspect("tools", token).await, inactive, "{token}");
    }
    server.clock.advance(Duration::from_secs(899));
    assert_eq!(server.introspect("tools", &access).await["active"], true);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.introspect("tools", &access).await, inactive);
}

#[tokio::test]
async fn in_3_of_a_good_token_a_resource_is_told_what_it_allows() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let now = server.clock.now().as_seconds();
    assert_eq!(
        server.introspect("notes", &member(&bought, "access_token")).await,
        json!({
            "active": true,
            "scope": "read write",
            "client_id": client.to_string(),
            "token_type": "Bearer",
            "exp": now + 900,
            "iat": now,
            "sub": "local:developer",
            "aud": [TOOLS, NOTES],
            "iss": config().server.issuer,
        })
    );
}

#[tokio::test]
async fn in_2_a_refresh_token_is_good_at_no_resource() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let token = member(&server.tokens(client).await, "refresh_token");
    for resource in ["tools", "notes"] {
        let told = server.introspect(resource, &token).await;
        assert_eq!(told, json!({ "active": false }), "it would pass for an access token");
    }
    assert_eq!(server.token(&refreshing(client, &token, &[])).await.status, 200);
}

#[tokio::test]
async fn in_2_a_resource_that_asks_is_told_at_once_that_a_grant_or_its_client_has_ended() {
    let server = TestServer::with(config()).await;
    for ending in ["revocation", "reuse of the code", "deletion of the client"] {
        let client = server.new_client().await;
        let code = server.grant(client).await;
        let bought = server.token(&redeeming(client, &code, &[])).await;
        let access = member(&bought, "access_token");
        assert_eq!(server.introspect("tools", &access).await["active"], true);
        match ending {
            "revocation" => drop(revoke(&server, client, &access, "").await),
            "reuse of the code" => drop(server.token(&redeeming(client, &code, &[])).await),
            _ => drop(
                server
                    .kept
                    .remove_client(client, Action::ClientRemoved, "by_operator", by())
                    .await
                    .unwrap(),
            ),
        }
        let told = server.introspect("tools", &access).await;
        assert_eq!(told, json!({ "active": false }), "{ending}");
    }
}

#[tokio::test]
async fn signing_out_ends_a_session_and_no_grant() {
    let mut config = config();
    flow::ISSUER.clone_into(&mut config.server.issuer);
    let server = TestServer::with(config).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let mut browser = Browser::signed_in(&server).await;
    let page = browser.get("/oauth2/sign-out").await;
    let (path, form) = page.form("form_token");
    assert_eq!(browser.post(&path, &form).await.answer.status, 200);
    assert!(is_alive(&server, client, &bought).await);
}
