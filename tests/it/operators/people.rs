//! People who operate the server: access tokens for the operator API, the roles behind them, and how they end.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use doorward::{
    audit::Action,
    config::{Config, Operators},
    operator::OperatorScope,
    secret::{Secret, SecretHash},
    server::{OperatorOperation, operator_operations},
    store::{ResourceOwner, SessionId, SessionRecord},
};

use super::*;
use crate::{
    description,
    flow::{Browser, Client, Page, claims},
    granted, guard,
    harness::exchange,
};

const API: &str = "https://door.example/api";
const CLIENTS: &str = "/api/v2/oauth2/clients";
const MINE: &str = "/api/v2/user_authorized_clients";
const ADA: &str = "acme:1";

/// Each role belongs to a group with its name.
fn config() -> Config {
    let mut config = flow::config();
    config.token.per_client = 0;
    config.sign_in.providers = description::everything().sign_in.providers;
    let of_group = |role: Role| Operators {
        role,
        provider: Some("acme".to_owned()),
        subjects: Vec::new(),
        emails: Vec::new(),
        groups: vec![role.to_string()],
    };
    config.operators = Role::ALL.iter().copied().map(of_group).collect();
    config
}

/// Signs a person in who is in these groups. Returns the session, and the value of its cookie.
async fn sign_in(server: &TestServer, subject: &str, groups: &[&str]) -> (SessionId, String) {
    let now = server.clock.now();
    let session_id = SessionId::generate(now, &server.chance);
    let secret = Secret::generate(&server.chance);
    let session = SessionRecord {
        session_id,
        hash: SecretHash::of(secret.as_bytes()),
        owner: ResourceOwner {
            subject: subject.to_owned(),
            name: Some("Ada".to_owned()),
            email: None,
            identity: Some(json!({ "operator_groups": groups }).to_string()),
        },
        signed_in_at: now,
        idle_at: now.after_seconds(3_600),
        expires_at: now.after_days(1),
    };
    server.kept.begin_session(session, by()).await.unwrap();
    let held = [session_id.as_bytes(), &secret.as_bytes()[..]].concat();
    (session_id, format!("dws_{}", BASE64_URL_SAFE_NO_PAD.encode(held)))
}

/// A browser with that cookie.
async fn browser<'server>(server: &'server TestServer, cookie: &str) -> Browser<'server> {
    let name = Browser::signed_in(server)
        .await
        .cookies()
        .into_keys()
        .find(|name| name.contains("session"));
    Browser::with(server, BTreeMap::from([(name.unwrap(), cookie.to_owned())]))
}

/// What a client gets for a code.
async fn redeemed(server: &TestServer, client: ClientId, scope: &str) -> Answer {
    let code = allow_at(server, client, ADA, scope, &[API]).await;
    server.token(&redeeming(client, &code, &[])).await
}

/// Ada's access token for the operator API, with these scopes.
async fn token_of_ada(server: &TestServer, client: ClientId, scope: &str) -> String {
    member(&redeemed(server, client, scope).await, "access_token")
}

fn all_scopes() -> String {
    OperatorScope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// The status of a call of an operation about something unknown.
async fn status(server: &TestServer, operation: &OperatorOperation, token: &str) -> u16 {
    let unknown = "0199f2a4-7c11-7abc-8def-001122334455";
    let segments = operation.template.split('/');
    let segments = segments.map(|one| if one.starts_with('{') { unknown } else { one });
    let path = segments.collect::<Vec<_>>().join("/");
    let body = matches!(&*operation.method, "PATCH" | "POST" | "PUT").then(|| json!({}));
    call_with(server, (&operation.method, &path), &bearer(token), body.as_ref()).await.status
}

#[tokio::test]
async fn an_access_token_opens_what_its_scopes_and_the_role_of_its_person_both_include() {
    let server = TestServer::with(config()).await;
    let client = client(&server, "A console").await;
    let mut asked = vec![all_scopes(), String::new()];
    asked.extend(OperatorScope::ALL.iter().map(|scope| format!("other {scope}")));
    for role in [None].into_iter().chain(Role::ALL.iter().copied().map(Some)) {
        server.clock.advance(Duration::from_secs(1));
        let group = role.map_or("nobody", Role::as_str);
        sign_in(&server, ADA, &[group]).await;
        for scope in &asked {
            let token = token_of_ada(&server, client, scope).await;
            for operation in operator_operations().filter(|operation| !operation.is_public) {
                let status = status(&server, &operation, &token).await;
                let may = operation.scope.is_none_or(|needed| {
                    scope.split(' ').any(|one| one == needed.as_str())
                        && role.is_some_and(|role| role.has(needed))
                });
                assert_eq!(status == 403, !may, "{role:?} {scope}: {operation:?}: {status}");
                assert!(status != 401 && status < 500, "{role:?} {scope}: {operation:?}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_role_ends_with_the_session_and_with_what_the_provider_says_at_the_next_sign_in() {
    let server = TestServer::with(config()).await;
    let client = client(&server, "A console").await;
    let tokens = redeemed(&server, client, "clients_read clients_write").await;
    let (token, refresh) = (member(&tokens, "access_token"), member(&tokens, "refresh_token"));
    let read = async || call(&server, "GET", CLIENTS, &token).await.status;
    assert_eq!(read().await, 401, "nobody is signed in");
    let (first, _) = sign_in(&server, ADA, &["operator"]).await;
    assert_eq!(read().await, 200);

    server.clock.advance(Duration::from_secs(1));
    let (second, _) = sign_in(&server, ADA, &["others"]).await;
    let refused = call(&server, "GET", CLIENTS, &token).await;
    assert_eq!(refused.status, 403, "the provider no longer names the group");
    assert!(refused.body.contains("the person has no role"), "{refused:?}");
    assert_eq!(refused.header("www-authenticate"), None, "no other token would do");
    let refreshing = async || {
        server.post_form("/oauth2/token", "", &granted::refreshing(client, &refresh, &[])).await
    };
    assert_eq!(granted::refused(&refreshing().await), (400, "invalid_grant".to_owned()));

    server.kept.end_session(second, by()).await.unwrap();
    assert_eq!(read().await, 200, "the other browser is signed in with the role");
    server.kept.end_session(first, by()).await.unwrap();
    assert_eq!(read().await, 401);
    assert_eq!(call(&server, "GET", MINE, &token).await.status, 200, "that takes no role");
    assert_eq!(granted::refused(&refreshing().await), (400, "invalid_grant".to_owned()));

    sign_in(&server, ADA, &["operator"]).await;
    assert_eq!(refreshing().await.status, 200, "the grant is still there");
    server.clock.advance(Duration::from_mins(61));
    assert_eq!(granted::refused(&refreshing().await), (400, "invalid_grant".to_owned()), "idle");
}

#[tokio::test]
async fn a_session_lives_on_while_a_client_of_its_person_uses_the_api_and_ends_in_the_end() {
    let mut config = config();
    config.token.access_token_lifetime_seconds = 86_400;
    config.sign_in.session_idle_minutes = 60;
    let server = TestServer::with(config).await;
    let client = client(&server, "A console").await;
    let token = token_of_ada(&server, client, "clients_read").await;
    sign_in(&server, ADA, &["viewer"]).await;
    for hour in 0..30 {
        server.clock.advance(Duration::from_mins(48));
        let expected = if hour < 29 { 200 } else { 401 };
        let status = call(&server, "GET", CLIENTS, &token).await.status;
        assert_eq!(status, expected, "after {hour} times 48 minutes");
    }
}

#[tokio::test]
async fn a_token_whose_grant_ended_or_whose_client_is_suspended_opens_nothing_at_the_next_call() {
    let server = TestServer::with(config()).await;
    sign_in(&server, ADA, &["admin"]).await;
    for ending in ["grant", "client", "removal"] {
        let client = client(&server, ending).await;
        let token = token_of_ada(&server, client, &all_scopes()).await;
        assert_eq!(call(&server, "GET", CLIENTS, &token).await.status, 200);
        match ending {
            "grant" => {
                let grants = server.kept.newest_grants(ADA, None, 1).await.unwrap();
                let (id, by) = (grants[0].grant_id, by());
                server
                    .kept
                    .revoke_grant(id, Action::GrantRevoked, "by_operator", by)
                    .await
                    .unwrap();
            }
            "client" => {
                let path = format!("{CLIENTS}/{client}");
                let body = json!({ "data": { "type": "oauth2_clients", "id": client.to_string(),
                    "attributes": { "standing": "suspended" } } });
                let answer =
                    call_with(&server, ("PATCH", &path), &bearer(&token), Some(&body)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            _ => server.forget(&client.to_string()).await,
        }
        for path in [CLIENTS, MINE] {
            assert_eq!(call(&server, "GET", path, &token).await.status, 401, "{ending} {path}");
        }
    }
}

#[tokio::test]
async fn an_access_token_is_good_at_its_own_audience_alone() {
    let mut config = granted::config();
    config.operators = self::config().operators;
    config.sign_in.providers = self::config().sign_in.providers;
    let api = config.api();
    let issuer = config.server.issuer.clone();
    let server = TestServer::with(config).await;
    let client = server.new_client().await;
    sign_in(&server, ADA, &["admin"]).await;
    let scope = format!("read {}", all_scopes());
    let at = async |resources: &[&str]| {
        let code = allow_at(&server, client, ADA, &scope, resources).await;
        member(&server.token(&redeeming(client, &code, &[])).await, "access_token")
    };
    let at_guard = async |token: &str| {
        server.exchange(&guard::asked_at("/guard/forwarded/{resource}", Some(token))).await.status
    };
    let other_path = format!("{api}/v2");
    for (resources, reads, of_person, guarded) in [
        (&[&*api][..], 200, 200, 401),
        (&[granted::TOOLS], 401, 401, 200),
        (&[granted::NOTES], 401, 401, 401),
        (&[&api, granted::TOOLS], 401, 401, 401),
        (&[&issuer], 403, 200, 401),
        (&[], 403, 200, 401),
        (&[&other_path], 401, 401, 401),
    ] {
        let token = at(resources).await;
        let status = async |path: &str| call(&server, "GET", path, &token).await.status;
        assert_eq!(status(CLIENTS).await, reads, "{resources:?}");
        assert_eq!(status(MINE).await, of_person, "{resources:?}");
        assert_eq!(at_guard(&token).await, guarded, "{resources:?}");
    }
}

#[tokio::test]
async fn the_consent_page_shows_what_the_role_has_and_says_that_it_is_administration() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request =
        client.request().and("resource", API).and("scope", &format!("{} other", all_scopes()));
    for (group, shown, tone) in [
        (
            "viewer",
            vec!["org_authorized_apps_read", "audit_read", "clients_read"],
            "class=\"sensitive\"",
        ),
        (
            "operator",
            vec!["org_authorized_apps_write", "clients_write", "clients_read"],
            "class=\"danger\"",
        ),
        ("admin", vec!["admin", "clients_write"], "class=\"danger\""),
    ] {
        let (_, cookie) = sign_in(&server, ADA, &[group]).await;
        let mut browser = browser(&server, &cookie).await;
        let page = browser.get(&request.path()).await;
        let text = page.text();
        assert!(text.contains("These are administration rights."), "{text}");
        assert!(page.answer.body.contains(tone), "{group}: {}", page.answer.body);
        let role: Role = group.parse().unwrap();
        for scope in OperatorScope::ALL.iter().copied() {
            let is_shown = page.answer.body.contains(&format!("<code>{scope}</code>"));
            assert_eq!(is_shown, role.has(scope), "{group} {scope}: {text}");
        }
        for scope in shown {
            assert!(text.contains(scope), "{group} {scope}: {text}");
        }
        let allowed = browser.submit(&page, "decision", "allow").await;
        let tokens = client.redeem(&server, &allowed.code()).await;
        let claims = claims(&member(&tokens, "access_token"));
        assert_eq!(claims["aud"], API);
        let granted: Vec<&str> = claims["scope"].as_str().unwrap().split(' ').collect();
        let held: Vec<&str> = OperatorScope::ALL
            .iter()
            .filter(|scope| role.has(**scope))
            .map(|scope| scope.as_str())
            .collect();
        assert_eq!(granted, held, "{group}");
        assert_eq!(
            call(&server, "GET", CLIENTS, &member(&tokens, "access_token")).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_person_without_a_role_learns_so_and_may_let_the_app_know() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = client.request().and("resource", API).and("scope", "clients_read admin");
    let (_, cookie) = sign_in(&server, ADA, &["others"]).await;
    let mut browser = browser(&server, &cookie).await;
    let page = browser.get(&request.path()).await;
    assert_eq!(page.answer.status, 400);
    let text = page.text();
    assert!(text.contains("your account has none of them"), "{text}");
    assert!(text.contains("access_denied"), "{text}");
    let back = browser.submit(&page, "decision", "back").await;
    assert_eq!(back.brought()["error"], "access_denied", "{back:?}");
    let silent = browser.get(&request.and("prompt", "none").path()).await;
    assert!(silent.text().contains("consent_required"), "{silent:?}");

    let own = client.request().and("resource", API).and("scope", "read");
    let page = browser.get(&own.path()).await;
    assert!(page.text().contains("see the apps that you have connected"), "{}", page.text());
    assert!(!page.text().contains("administration rights"), "{}", page.text());
    let allowed = browser.submit(&page, "decision", "allow").await;
    let token = member(&client.redeem(&server, &allowed.code()).await, "access_token");
    assert_eq!(claims(&token)["scope"], Value::Null);
    assert_eq!(call(&server, "GET", MINE, &token).await.status, 200);
    assert_eq!(call(&server, "GET", CLIENTS, &token).await.status, 403);
}

#[tokio::test]
async fn the_role_that_was_lost_while_the_page_was_open_is_not_granted() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let request = client.request().and("resource", API).and("scope", "clients_read clients_write");
    let (id, cookie) = sign_in(&server, ADA, &["operator"]).await;
    let mut browser = browser(&server, &cookie).await;
    let page = browser.get(&request.path()).await;
    let mut session = server.kept.session(id).await.unwrap().unwrap();
    server.kept.end_session(id, by()).await.unwrap();
    session.owner.identity = Some(json!({ "operator_groups": ["viewer"] }).to_string());
    server.kept.begin_session(session, by()).await.unwrap();
    let sent = browser.submit(&page, "decision", "allow").await;
    assert!(sent.location().starts_with("/oauth2/authorize?"), "asked anew: {sent:?}");
}

#[tokio::test]
async fn a_token_with_too_little_scope_leads_to_one_with_more() {
    let server = TestServer::with(config()).await;
    let client = Client::register(&server).await;
    let subject = client.id.clone();
    let tokens = async |scope: &str| {
        let request = client.request().and("resource", API).and("scope", scope);
        flow::tokens(&server, &client, &request).await["access_token"].as_str().unwrap().to_owned()
    };
    let note = async |token: &str| {
        let body = json!({ "data": { "type": "oauth2_clients", "id": subject,
            "attributes": { "note": "seen" } } });
        let path = format!("{CLIENTS}/{subject}");
        call_with(&server, ("PATCH", &path), &bearer(token), Some(&body)).await
    };
    let refused = note(&tokens("clients_read").await).await;
    assert_eq!((refused.status, source(&refused)), (403, Value::Null));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    let scope = challenge.split("scope=\"").last().unwrap().split('"').next().unwrap();
    assert_eq!(scope, "clients_read clients_write");
    let answer = note(&tokens(scope).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn the_api_is_a_protected_resource_with_metadata_of_its_own() {
    for (issuer, path) in [
        ("https://door.example", "/.well-known/oauth-protected-resource/api"),
        ("https://door.example/acme", "/.well-known/oauth-protected-resource/acme/api"),
    ] {
        let mut config = config();
        config.server.issuer = issuer.to_owned();
        let server = TestServer::with(config).await;
        let ask = async |path: &str, host: &str| {
            server.exchange(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await
        };
        for host in ["door.example", "127.0.0.1"] {
            let answer = ask(path, host).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let metadata = answer.json();
            assert_eq!(metadata["resource"], format!("{issuer}/api"));
            assert_eq!(metadata["authorization_servers"], json!([issuer]));
            assert_eq!(metadata["scopes_supported"].as_array().unwrap().len(), 6);
        }
        let other = ask("/.well-known/oauth-protected-resource/other", "door.example").await;
        assert_eq!(other.status, 404);
        let challenge = call(&server, "GET", CLIENTS, "x").await;
        let challenge = challenge.header("www-authenticate").unwrap().to_owned();
        assert!(challenge.contains(&format!("\"https://door.example{path}\"")), "{challenge}");
        let metadata = ask("/.well-known/oauth-authorization-server", "door.example").await.json();
        assert_eq!(metadata["protected_resources"], json!([format!("{issuer}/api")]));
    }
}

#[tokio::test]
async fn the_api_is_asked_for_alone_and_within_the_ceiling_of_the_client() {
    let mut config = config();
    config.authorization.resources = granted::config().authorization.resources;
    let server = TestServer::with(config).await;
    let client = Client::register(&server).await;
    let told = async |page: &Page| page.text();
    let mut browser = Browser::signed_in(&server).await;
    let both = client.request().and("resource", API).and("resource", granted::NOTES);
    let page = browser.get(&both.path()).await;
    assert!(told(&page).await.contains("invalid_target"), "{page:?}");
    let page = browser.get(&client.request().path()).await;
    assert!(told(&page).await.contains("invalid_target"), "the API is no default: {page:?}");
    let other = client.request().and("resource", granted::NOTES).and("scope", "clients_read");
    let page = browser.get(&other.path()).await;
    assert!(!told(&page).await.contains("administration"), "{page:?}");

    let admin = token(&server, "admin", Role::Admin).await;
    let path = format!("{CLIENTS}/{}/scopes_restriction", client.id);
    let body = json!({ "data": { "type": "upsert_scopes_restriction",
        "attributes": { "permission_scopes": ["clients_read"] } } });
    let set = call_with(&server, ("POST", &path), &bearer(&admin), Some(&body)).await;
    assert_eq!(set.status, 200, "{set:?}");
    let request = client.request().and("resource", API);
    let page = browser.get(&request.clone().and("scope", "clients_read admin").path()).await;
    assert!(page.answer.body.contains("<code>clients_read</code>"), "{page:?}");
    assert!(!page.answer.body.contains("<code>admin</code>"), "{page:?}");
    let page = browser.get(&request.and("scope", "admin").path()).await;
    assert!(told(&page).await.contains("invalid_scope"), "{page:?}");
}

#[tokio::test]
async fn a_listener_of_operators_answers_for_the_api_and_the_public_one_does_not() {
    let mut config = config();
    config.operator.listen = Some(([127, 0, 0, 1], 0).into());
    let server = TestServer::with(config).await;
    let admin = token(&server, "admin", Role::Admin).await;
    let request = |method: &str, path: &str| {
        let credential = bearer(&admin);
        let headers = "content-type: application/json\r\ncontent-length: 0\r\n";
        format!("{method} {path} HTTP/1.1\r\nhost: door.example\r\n{credential}{headers}\r\n")
    };
    for operation in operator_operations() {
        let path = operation.template.replace(['{', '}'], "x");
        let sent = request(&operation.method, &path);
        let public = server.exchange_undescribed(&sent).await;
        assert_eq!(public.status == 404, !operation.is_public, "{operation:?}: {public:?}");
        if !operation.is_public {
            assert_eq!(public.body, r#"{"errors":["Not found"]}"#, "{operation:?}");
        }
        let own = server.exchange_as_operator(&sent).await;
        assert!(own.body != public.body || operation.is_public, "{operation:?}: {own:?}");
        assert!(own.status < 500 && own.status != 401, "{operation:?}: {own:?}");
    }
    assert_eq!(server.exchange_as_operator(&request("GET", CLIENTS)).await.status, 200);
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/register"),
        ("POST", "/api/v2/oauth2/register"),
        ("POST", "/oauth2/token"),
        ("GET", "/oauth2/authorize"),
        ("GET", "/oauth2/jwks"),
        ("GET", "/metrics"),
    ] {
        let sent = request(method, path);
        let own = exchange(server.operator.unwrap(), &sent).await;
        assert_eq!(own.status, 404, "{path}");
    }
    let registered = server.post(
        "/api/v2/oauth2/register",
        r#"{"client_name":"x","redirect_uris":["https://a.example"]}"#,
    );
    assert_eq!(registered.await.status, 201, "strangers register as always");
    server.stop().await;
}

#[tokio::test]
async fn each_caller_makes_a_bounded_number_of_calls_in_a_minute() {
    let mut config = config();
    config.operator.calls_per_minute = 3;
    let server = TestServer::with(config).await;
    let client = client(&server, "A console").await;
    sign_in(&server, ADA, &["viewer"]).await;
    let [one, other] = [
        token_of_ada(&server, client, "clients_read").await,
        token_of_ada(&server, client, "clients_read").await,
    ];
    let viewer = token(&server, "viewer", Role::Viewer).await;
    // Of one person, all tokens count together.
    for (sent, status) in [(&one, 200), (&other, 200), (&one, 200), (&other, 429), (&one, 429)] {
        let answer = call(&server, "GET", CLIENTS, sent).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 429 {
            assert_eq!(answer.body, r#"{"errors":["Too many requests"]}"#);
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert_eq!(call(&server, "GET", CLIENTS, &viewer).await.status, 200);
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(call(&server, "GET", CLIENTS, &one).await.status, 200);
}

#[tokio::test]
async fn an_event_names_the_person_their_role_and_the_client_that_acted_for_them() {
    let server = TestServer::with(config()).await;
    let client = client(&server, "A console").await;
    let other = crate::operators::client(&server, "An app").await;
    sign_in(&server, ADA, &["operator"]).await;
    let token_text = token_of_ada(&server, client, "clients_write audit_read").await;
    let path = format!("{CLIENTS}/{other}");
    let suspend = json!({ "data": { "type": "oauth2_clients", "id": other.to_string(),
        "attributes": { "standing": "suspended" } } });
    let answer = call_with(&server, ("PATCH", &path), &bearer(&token_text), Some(&suspend)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let event = events(&server, Action::ClientSuspended).await.remove(0);
    assert_eq!(event.actor, Some(ADA.to_owned()));
    let query = "/api/v2/audit/events?filter[query]=@action:client.suspended";
    let told = get(&server, query, &token_text).await;
    assert_eq!(
        told["data"][0]["attributes"]["attributes"]["actor"],
        json!({ "type": "operator", "id": ADA, "role": "operator", "client_id": client.to_string() })
    );
    assert!(!told.to_string().contains(&token_text), "no token is in an event");

    let own = format!("{MINE}/client/{client}");
    assert_eq!(call(&server, "DELETE", &own, &token_text).await.status, 204);
    let event = events(&server, Action::GrantRevoked).await.remove(0);
    assert_eq!((event.actor_kind.as_str(), event.actor.as_deref()), ("person", Some(ADA)));
    assert_eq!((event.actor_role, event.actor_client), (None, Some(client.into())));

    let admin = token(&server, "CI", Role::Admin).await;
    assert_eq!(call(&server, "DELETE", &path, &admin).await.status, 204);
    let event = events(&server, Action::ClientRemoved).await.remove(0);
    assert_eq!((event.actor.as_deref(), event.actor_role.as_deref()), (Some("CI"), Some("admin")));
}
