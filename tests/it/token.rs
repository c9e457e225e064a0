//! The token endpoint: what codes and refresh tokens buy, once each, and only for whom they were meant.
//! Rules in capitals are those of OAuth 2.1, as docs/protocol.md names them.

use crate::harness::by;
use doorward::audit::Action;
use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    granted::{
        CODE_SECONDS, NOTES, REDIRECT_URI, TOOLS, VERIFIER, basic, claims, config, crossed_code,
        crossed_token, form, member, redeeming, refreshing, refused,
    },
    harness::{Answer, TestServer},
};

const DAY: Duration = Duration::from_hours(24);

fn invalid(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

/// Each answer, of many who ask at once.
async fn at_once(server: &Arc<TestServer>, bodies: Vec<(&'static str, String)>) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for (path, body) in bodies {
        let server = Arc::clone(server);
        asked.spawn(async move { server.post_form(path, "", &body).await });
    }
    asked.join_all().await
}

#[tokio::test]
async fn a_code_buys_tokens_for_what_was_allowed() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let answer = server.token(&redeeming(client, &code, &[])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["expires_in"], 900);
    assert_eq!(json["scope"], "read write");
    assert!(member(&answer, "refresh_token").starts_with("dwr_"));

    let claims = claims(&answer);
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]);
    let now = server.clock.now().as_seconds();
    assert_eq!(claims["iss"], config().server.issuer);
    assert_eq!(claims["client_id"], client.to_string());
    assert_eq!(claims["sub"], "local:developer");
    assert_eq!(claims["aud"], json!([TOOLS, NOTES]));
    assert_eq!(claims["scope"], "read write");
    assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(now), Some(now + 900)));
}

#[tokio::test]
async fn the_alias_of_the_token_endpoint_answers_alike() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    assert_eq!(server.post_form("/token", "", &redeeming(client, &code, &[])).await.status, 200);
}

#[tokio::test]
async fn o_19_21_22_a_code_is_good_for_nobody_but_whom_it_was_sent_to() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let other = server.new_client().await.to_string();
    let code = server.grant(client).await;
    let of_another_grant = server.grant(client).await;
    let crossed = crossed_code(&code, &of_another_grant);
    let short = VERIFIER.trim_start_matches('d');
    let wrong = "a".repeat(43);
    for (instead, error) in [
        (&[("client_id", &*other)][..], "invalid_grant"),
        (&[("code", &crossed)], "invalid_grant"),
        (&[("code", "dwc_AAAA")], "invalid_grant"),
        (&[("code", "")], "invalid_request"),
        (&[("code_verifier", &wrong)], "invalid_grant"),
        (&[("code_verifier", short)], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_request"),
        (&[("redirect_uri", "https://app.example/cb/")], "invalid_grant"),
        (&[("redirect_uri", "https://APP.example/cb")], "invalid_grant"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("resource", "not a uri")], "invalid_target"),
    ] {
        let answer = server.token(&redeeming(client, &code, instead)).await;
        assert_eq!(refused(&answer), invalid(error), "{instead:?}");
    }
    // None of them has spent it; and where it was sent need not be said again. It buys what was allowed, whatever is
    // asked for now.
    let more = [("redirect_uri", ""), ("scope", "read write admin")];
    let answer = server.token(&redeeming(client, &code, &more)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(claims(&answer)["scope"], "read write");
}

#[tokio::test]
async fn o_19_a_code_expires() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let (early, late) = (server.grant(client).await, server.grant(client).await);
    server.clock.advance(Duration::from_secs(CODE_SECONDS - 1));
    assert_eq!(server.token(&redeeming(client, &early, &[])).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    let answer = server.token(&redeeming(client, &late, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
}

#[tokio::test]
async fn o_20_a_code_that_is_used_again_takes_back_what_it_bought() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    for later in [Duration::ZERO, Duration::from_secs(CODE_SECONDS)] {
        let code = server.grant(client).await;
        let bought = server.token(&redeeming(client, &code, &[])).await;
        server.clock.advance(later);
        let again = server.token(&redeeming(client, &code, &[])).await;
        assert_eq!(refused(&again), invalid("invalid_grant"));

        let refresh_token = member(&bought, "refresh_token");
        let answer = server.token(&refreshing(client, &refresh_token, &[])).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"), "{later:?}");
        let told = server.introspect("tools", &member(&bought, "access_token")).await;
        assert_eq!(told, json!({ "active": false }), "{later:?}");
    }
}

#[tokio::test]
async fn o_20_whoever_could_not_have_redeemed_a_code_ends_nothing_by_it() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let other = server.new_client().await.to_string();
    let code = server.grant(client).await;
    let bought = server.token(&redeeming(client, &code, &[])).await;
    let wrong = "a".repeat(43);
    for instead in [
        [("code_verifier", &*wrong)],
        [("client_id", &*other)],
        [("redirect_uri", "https://evil.example/cb")],
    ] {
        let answer = server.token(&redeeming(client, &code, &instead)).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"), "{instead:?}");
    }
    let refresh_token = member(&bought, "refresh_token");
    assert_eq!(server.token(&refreshing(client, &refresh_token, &[])).await.status, 200);
}

#[tokio::test]
async fn of_all_who_redeem_a_code_at_once_one_is_answered_and_nobody_keeps_anything() {
    let server = Arc::new(TestServer::with(config()).await);
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let body = redeeming(client, &code, &[]);
    let answers = at_once(&server, vec![("/oauth2/token", body); 20]).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|answer| refused(answer) == invalid("invalid_grant")));
    let refresh_token = member(good[0], "refresh_token");
    let answer = server.token(&refreshing(client, &refresh_token, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
}

#[tokio::test]
async fn f_14_nothing_else_passes_for_a_code_or_a_refresh_token() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let unspent = server.grant(client).await;
    let (access, refresh) = (member(&bought, "access_token"), member(&bought, "refresh_token"));
    let as_code = refresh.replace("dwr_", "dwc_");
    let as_refresh = unspent.replace("dwc_", "dwr_");
    for code in [&access, &refresh, &as_code, &as_refresh, "\u{0}", "dwc_"] {
        let answer = server.token(&redeeming(client, code, &[])).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"), "{code}");
    }
    for token in [&access, &unspent, &as_code, &as_refresh, "\u{0}", "dwr_"] {
        let answer = server.token(&refreshing(client, token, &[])).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"), "{token}");
    }
    // Nor has any of them done harm.
    assert_eq!(server.token(&redeeming(client, &unspent, &[])).await.status, 200);
    assert_eq!(server.token(&refreshing(client, &refresh, &[])).await.status, 200);
}

#[tokio::test]
async fn o_25_each_use_of_a_refresh_token_is_answered_by_the_next_one() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let mut answer = server.tokens(client).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let token = member(&answer, "refresh_token");
        assert!(!seen.contains(&token));
        server.clock.advance(DAY);
        answer = server.token(&refreshing(client, &token, &[])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["scope"], "read write");
        assert_eq!(claims(&answer)["iat"], server.clock.now().as_seconds());
        seen.push(token);
    }
}

#[tokio::test]
async fn o_25_f_19_an_old_refresh_token_ends_the_family_once_the_grace_is_over() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let old = member(&server.tokens(client).await, "refresh_token");
    let newest = member(&server.token(&refreshing(client, &old, &[])).await, "refresh_token");

    server.clock.advance(Duration::from_secs(30));
    let graced = server.token(&refreshing(client, &old, &[])).await;
    assert_eq!(member(&graced, "refresh_token"), newest, "there is one lineage");

    server.clock.advance(Duration::from_secs(1));
    let answer = server.token(&refreshing(client, &old, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
    let answer = server.token(&refreshing(client, &newest, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
    let told = server.introspect("tools", &member(&graced, "access_token")).await;
    assert_eq!(told, json!({ "active": false }));
}

#[tokio::test]
async fn f_19_the_token_before_the_last_but_one_has_no_grace() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let first = member(&server.tokens(client).await, "refresh_token");
    let second = member(&server.token(&refreshing(client, &first, &[])).await, "refresh_token");
    let third = member(&server.token(&refreshing(client, &second, &[])).await, "refresh_token");
    let answer = server.token(&refreshing(client, &first, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
    let answer = server.token(&refreshing(client, &third, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
}

#[tokio::test]
async fn f_19_fifty_at_once_with_one_refresh_token_are_given_one_successor() {
    let server = Arc::new(TestServer::with(config()).await);
    let client = server.new_client().await;
    let mut token = member(&server.tokens(client).await, "refresh_token");
    for _ in 0..3 {
        let body = refreshing(client, &token, &[]);
        let answers = at_once(&server, vec![("/oauth2/token", body); 50]).await;
        let successor = member(&answers[0], "refresh_token");
        for answer in &answers {
            assert_eq!(member(answer, "refresh_token"), successor);
        }
        assert_ne!(successor, token);
        token = successor;
    }
}

#[tokio::test]
async fn f_19_revocation_wins_over_whoever_refreshes_at_the_same_time() {
    let server = Arc::new(TestServer::with(config()).await);
    let client = server.new_client().await;
    for _ in 0..10 {
        let token = member(&server.tokens(client).await, "refresh_token");
        let revoking = form(&[("client_id", &client.to_string()), ("token", &token)]);
        let mut bodies = vec![("/oauth2/token", refreshing(client, &token, &[])); 5];
        bodies.insert(2, ("/oauth2/revoke", revoking));
        let answers = at_once(&server, bodies).await;
        let successor = answers.iter().find_map(|answer| {
            let answer = Some(answer).filter(|answer| answer.body.contains("refresh_token\":"))?;
            Some(member(answer, "refresh_token"))
        });
        for token in successor.iter().chain([&token]) {
            let answer = server.token(&refreshing(client, token, &[])).await;
            assert_eq!(refused(&answer), invalid("invalid_grant"));
        }
    }
}

#[tokio::test]
async fn o_25_a_refresh_token_is_good_for_its_client_alone_and_nobody_ends_a_family_by_guessing() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let other = server.new_client().await;
    let token = member(&server.tokens(client).await, "refresh_token");
    let of_another = member(&server.tokens(client).await, "refresh_token");
    let made_up = crossed_token(&token, &of_another);
    for (client, token) in [(other, &token), (client, &made_up)] {
        let answer = server.token(&refreshing(client, token, &[])).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"));
    }
    assert_eq!(server.token(&refreshing(client, &token, &[])).await.status, 200);
}

#[tokio::test]
async fn o_26_less_may_be_asked_for_and_never_more() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let token = member(&server.tokens(client).await, "refresh_token");
    for (instead, error) in [
        (("scope", "read admin"), "invalid_scope"),
        (("scope", "admin"), "invalid_scope"),
        (("scope", "re\"ad"), "invalid_scope"),
        (("resource", "https://other.example"), "invalid_target"),
        (("resource", "https://tools.example/mcp#x"), "invalid_target"),
        (("resource", "/mcp"), "invalid_target"),
    ] {
        let answer = server.token(&refreshing(client, &token, &[instead])).await;
        assert_eq!(refused(&answer), invalid(error), "{instead:?}");
    }
    let less = [("scope", "read"), ("resource", "https://NOTES.example/")];
    let narrow = server.token(&refreshing(client, &token, &less)).await;
    assert_eq!(narrow.json()["scope"], "read");
    assert_eq!(claims(&narrow)["scope"], "read");
    assert_eq!(claims(&narrow)["aud"], NOTES, "as the operator spells it");
    // It was for that access token alone.
    let token = member(&narrow, "refresh_token");
    let whole = server.token(&refreshing(client, &token, &[("scope", "write read")])).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    assert_eq!(claims(&whole)["aud"], json!([TOOLS, NOTES]));
}

#[tokio::test]
async fn a_code_buys_an_access_token_for_some_of_its_resources() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let answer = server.token(&redeeming(client, &code, &[("resource", TOOLS)])).await;
    assert_eq!(claims(&answer)["aud"], TOOLS);
    let token = member(&answer, "refresh_token");
    let answer = server.token(&refreshing(client, &token, &[("resource", NOTES)])).await;
    assert_eq!(claims(&answer)["aud"], NOTES);
}

#[tokio::test]
async fn o_27_a_refresh_token_that_nobody_uses_expires() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let used = member(&server.tokens(client).await, "refresh_token");
    let idle = member(&server.tokens(client).await, "refresh_token");
    server.clock.advance(29 * DAY);
    let used = member(&server.token(&refreshing(client, &used, &[])).await, "refresh_token");
    server.clock.advance(DAY);
    let answer = server.token(&refreshing(client, &idle, &[])).await;
    assert_eq!(refused(&answer), invalid("invalid_grant"));
    assert_eq!(server.token(&refreshing(client, &used, &[])).await.status, 200);
}

#[tokio::test]
async fn a_grant_ends_however_often_it_is_used_and_its_access_tokens_with_it() {
    let mut config = config();
    config.token.grant_lifetime_days = 2;
    let server = TestServer::with(config).await;
    // Grants end within a second, and the lifetimes of tokens are in whole ones.
    server.clock.advance(Duration::from_millis(500));
    let client = server.new_client().await;
    let token = member(&server.tokens(client).await, "refresh_token");
    server.clock.advance(Duration::from_mins(2 * 24 * 60 - 1));
    let last = server.token(&refreshing(client, &token, &[])).await;
    let exp = server.clock.now().as_seconds() + 60;
    assert_eq!((&last.json()["expires_in"], &claims(&last)["exp"]), (&json!(60), &json!(exp)));
    let token = member(&last, "refresh_token");
    for passes in [59_700, 300] {
        server.clock.advance(Duration::from_millis(passes));
        let answer = server.token(&refreshing(client, &token, &[])).await;
        assert_eq!(refused(&answer), invalid("invalid_grant"));
    }
}

#[tokio::test]
async fn o_28_no_two_secrets_are_alike() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = server.tokens(client).await;
        // The prefix, sixteen bytes of the grant, and twice 256 bits.
        assert_eq!(member(&answer, "refresh_token").len(), 4 + (16 + 32 + 32) * 8 / 6 + 1);
        let code = server.grant(client).await;
        assert_eq!(code.len(), 4 + (16 + 32) * 8 / 6);
        assert!(seen.insert(code));
        assert!(seen.insert(member(&answer, "refresh_token")));
        assert!(seen.insert(claims(&answer)["jti"].to_string()));
    }
}

#[tokio::test]
async fn a_client_gets_what_it_has_registered_for() {
    let server = TestServer::with(config()).await;
    let metadata =
        json!({ "redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code"] });
    let client = server.client_with(metadata).await;
    let bought = server.tokens(client).await;
    assert_eq!(bought.json()["refresh_token"], json!(null));
    let other = member(&server.tokens(server.new_client().await).await, "refresh_token");
    let answer = server.token(&refreshing(client, &other, &[])).await;
    assert_eq!(refused(&answer), invalid("unauthorized_client"));
}

#[tokio::test]
async fn o_24_an_unknown_client_is_told_to_register_again() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let bought = server.tokens(client).await;
    let code = server.grant(client).await;
    let unknown = (401, "invalid_client".to_owned());
    for id in ["0199f2a4-7c11-7abc-8def-001122334455", "somebody", "https://app.example/c.json"] {
        let answer = server.token(&redeeming(client, &code, &[("client_id", id)])).await;
        assert_eq!(refused(&answer), unknown, "{id}");
        assert_eq!(answer.header("www-authenticate"), None);
        let body = redeeming(client, &code, &[("client_id", "")]);
        let answer = server.post_form("/oauth2/token", &basic(id, ""), &body).await;
        // A colon ends the user name, so that a URL in there names nobody either.
        assert_eq!(refused(&answer), unknown, "{id}");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"doorward\""));
    }
    // Once a client is gone, so is all that it was given, at once.
    server.kept.remove_client(client, Action::ClientRemoved, "by_operator", by()).await.unwrap();
    let token = member(&bought, "refresh_token");
    for body in [redeeming(client, &code, &[]), refreshing(client, &token, &[])] {
        assert_eq!(refused(&server.token(&body).await), unknown);
    }
    let told = server.introspect("tools", &member(&bought, "access_token")).await;
    assert_eq!(told, json!({ "active": false }));
}

#[tokio::test]
async fn o_14_a_public_client_may_name_itself_in_either_place_and_proves_nothing() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let id = client.to_string();
    for (headers, instead) in [
        (String::new(), ("client_secret", "")),
        (String::new(), ("client_secret", "left over")),
        (basic(&id, ""), ("client_id", "")),
        (basic(&id, ""), ("client_id", &*id)),
    ] {
        let code = server.grant(client).await;
        // An empty parameter is sent as such here, not left out.
        let mut body = redeeming(client, &code, &[instead]);
        if instead.1.is_empty() {
            body = format!("{body}&{}=", instead.0);
        }
        let answer = server.post_form("/oauth2/token", &headers, &body).await;
        assert_eq!(answer.status, 200, "{headers} {instead:?} {answer:?}");
    }
    let code = server.grant(client).await;
    let other = server.new_client().await.to_string();
    let body = redeeming(client, &code, &[]);
    let answer = server.post_form("/oauth2/token", &basic(&other, ""), &body).await;
    assert_eq!(refused(&answer), invalid("invalid_request"));
    let answer = server.token(&redeeming(client, &code, &[("client_id", "")])).await;
    assert_eq!(refused(&answer), invalid("invalid_request"));
}

#[tokio::test]
async fn only_forms_are_read_and_each_parameter_once() {
    let server = TestServer::with(config()).await;
    let client = server.new_client().await;
    let code = server.grant(client).await;
    let good = redeeming(client, &code, &[]);
    for (body, status, error) in [
        (String::new(), 400, "invalid_request"),
        (format!("{good}&code=x"), 400, "invalid_request"),
        (format!("{good}&client_id={client}"), 400, "invalid_request"),
        (format!("{good}&grant_type=refresh_token"), 400, "invalid_request"),
        (format!("{good}&a=%FF"), 400, "invalid_request"),
        (format!("{good}{}", "&a=1".repeat(64)), 400, "invalid_request"),
        (format!("{good}&a={}", "a".repeat(16 << 10)), 413, "invalid_request"),
        (good.replace("authorization_code", "password"), 400, "unsupported_grant_type"),
        (good.replace("authorization_code", "client_credentials"), 400, "unsupported_grant_type"),
        (good.replace("authorization_code", ""), 400, "invalid_request"),
    ] {
        let answer = server.token(&body).await;
        assert_eq!(refused(&answer), (status, error.to_owned()), "{body}");
    }
    let answer = server.post("/oauth2/token", r#"{"grant_type":"authorization_code"}"#).await;
    assert_eq!(refused(&answer), invalid("invalid_request"));
    // What is not known is passed over; a form may say its charset.
    let body = format!("{good}&unknown=1&unknown=2&&empty=");
    let answer = server
        .exchange(&format!(
            "POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-type: Application/X-WWW-Form-Urlencoded; \
             charset=UTF-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits_and_others_do_not() {
    let mut config = config();
    config.token.per_client = 2;
    let server = TestServer::with(config).await;
    let (client, other) = (server.new_client().await, server.new_client().await);
    let token = member(&server.tokens(client).await, "refresh_token");
    let answer = server.token(&refreshing(client, &token, &[])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = member(&answer, "refresh_token");
    let answer = server.token(&refreshing(client, &token, &[])).await;
    assert_eq!(refused(&answer), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("60"));
    server.tokens(other).await;
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(server.token(&refreshing(client, &token, &[])).await.status, 200);
}

#[tokio::test]
async fn where_nobody_can_sign_in_there_is_no_token_endpoint() {
    let server = TestServer::start().await;
    for path in ["/oauth2/token", "/token", "/oauth2/revoke", "/oauth2/introspect"] {
        assert_eq!(server.post_form(path, "", "a=b").await.status, 404, "{path}");
    }
}
