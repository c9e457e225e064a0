//! People and their sessions.

use doorward::{
    secret::SecretHash,
    store::{ResourceOwner, SessionId, SessionRecord},
};

use super::*;

/// Signs a person in.
async fn sign_in(server: &TestServer, subject: &str) -> String {
    let now = server.clock.now();
    let session = SessionRecord {
        session_id: SessionId::generate(now, &server.chance),
        hash: SecretHash::of(b"a browser"),
        owner: ResourceOwner {
            subject: subject.to_owned(),
            name: Some("Ada".to_owned()),
            email: None,
            identity: None,
        },
        signed_in_at: now,
        idle_at: now.after_days(1),
        expires_at: now.after_days(1),
    };
    server.kept.begin_session(session.clone(), by()).await.unwrap();
    session.session_id.to_string()
}

#[tokio::test]
async fn people_are_listed_and_read_and_lose_all_access() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    allow(&server, client, "acme:1/\u{e9}", "read").await;
    allow(&server, client, "acme:2", "read").await;
    sign_in(&server, "acme:1/\u{e9}").await;
    let people = "/api/v2/oauth2/people";
    assert_eq!(ids(&get(&server, people, &operator).await), ["acme:1/\u{e9}", "acme:2"]);
    let page = get(&server, &format!("{people}?page[limit]=1"), &operator).await;
    let next = page["links"]["next"].as_str().unwrap();
    let next = next.split_at(next.find("/api").unwrap()).1;
    assert_eq!(ids(&get(&server, next, &operator).await), ["acme:2"]);

    let path = format!("{people}/acme:1%2F%C3%A9");
    let read = get(&server, &path, &operator).await;
    let attributes = &read["data"]["attributes"];
    assert_eq!(attributes["name"], "Ada");
    let counts = ["apps", "grants", "sessions", "consents"].map(|name| attributes[name].clone());
    assert_eq!(counts, [1, 1, 1, 0].map(Value::from));
    assert_eq!(attributes["authorized_clients"][0]["client_id"], client.to_string());
    assert_eq!(attributes["authorized_clients"][0]["client_name"], "An app");

    let ended = call(&server, "DELETE", &path, &operator).await;
    let counts = json!({ "meta": { "sessions": 1, "grants": 1, "consents": 0 } });
    assert_eq!((ended.status, ended.json()), (200, counts));
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 404);
    assert_eq!(ids(&get(&server, people, &operator).await), ["acme:2"]);
    assert_eq!(get(&server, &path, &operator).await["data"]["attributes"]["grants"], 0);
    let unknown = format!("{people}/acme:9");
    for method in ["GET", "DELETE"] {
        assert_eq!(call(&server, method, &unknown, &operator).await.status, 404);
    }
    let ended = events(&server, Action::PersonEnded).await;
    assert_eq!((ended.len(), ended[0].actor.as_deref()), (1, Some("oncall")));
}

#[tokio::test]
async fn a_person_is_forgotten_by_an_admin_alone() {
    let server = serve().await;
    let [operator, admin] =
        [token(&server, "oncall", Role::Operator).await, token(&server, "root", Role::Admin).await];
    let client = client(&server, "An app").await;
    allow(&server, client, "acme:1", "read").await;
    sign_in(&server, "acme:1").await;
    let path = "/api/v2/oauth2/people/acme:1/data";
    assert_eq!(call(&server, "DELETE", path, &operator).await.status, 403);
    let forgotten = call(&server, "DELETE", path, &admin).await;
    let counts = json!({ "meta": { "sessions": 1, "grants": 1, "consents": 0 } });
    assert_eq!((forgotten.status, forgotten.json()), (200, counts));
    assert_eq!(call(&server, "DELETE", path, &admin).await.status, 404);
    let events = events(&server, Action::PersonForgotten).await;
    assert_eq!((events.len(), events[0].actor.as_deref()), (1, Some("root")));
}

#[tokio::test]
async fn sessions_are_listed_by_person_and_end_one_by_one() {
    let server = serve().await;
    let operator = token(&server, "oncall", Role::Operator).await;
    let client = client(&server, "An app").await;
    allow(&server, client, "acme:1", "read").await;
    let [first, other, last] = [
        sign_in(&server, "acme:1").await,
        sign_in(&server, "acme:2").await,
        sign_in(&server, "acme:1").await,
    ];
    let sessions = "/api/v2/oauth2/sessions";
    let all = get(&server, sessions, &operator).await;
    assert_eq!(ids(&all).len(), 3);
    assert!(!all.to_string().contains("hash"), "{all}");
    let of = |query: &str| format!("{sessions}?filter[sub]=acme:1{query}");
    let mine = ids(&get(&server, &of(""), &operator).await);
    assert!(mine.contains(&first) && mine.contains(&last) && !mine.contains(&other), "{mine:?}");
    let page = get(&server, &of("&page[limit]=1"), &operator).await;
    let after = page["meta"]["page"]["after"].as_str().unwrap();
    let rest = get(&server, &of(&format!("&page[cursor]={after}")), &operator).await;
    assert_eq!(ids(&rest), mine[1..]);

    let path = format!("{sessions}/{first}");
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 204);
    assert_eq!(call(&server, "DELETE", &path, &operator).await.status, 404);
    assert_eq!(ids(&get(&server, &of(""), &operator).await), [last]);
    let bad = call(&server, "DELETE", &format!("{sessions}/x"), &operator).await;
    assert_eq!((bad.status, source(&bad)), (400, json!({ "parameter": "session_id" })));
    let grants = get(&server, "/api/v2/oauth2/grants?filter[sub]=acme:1", &operator).await;
    assert_eq!(ids(&grants).len(), 1, "the grant goes on");
}
