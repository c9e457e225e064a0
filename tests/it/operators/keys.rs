//! The keys that sign access tokens, for admins alone.

use super::*;

const KEYS: &str = "/api/v2/oauth2/keys";

#[tokio::test]
async fn an_admin_lists_rotates_and_discards_keys() {
    let server = serve().await;
    let [operator, admin] =
        [token(&server, "oncall", Role::Operator).await, token(&server, "root", Role::Admin).await];
    for (method, path) in [("GET", KEYS), ("POST", KEYS), ("DELETE", &format!("{KEYS}/x"))] {
        assert_eq!(call(&server, method, path, &operator).await.status, 403, "{method} {path}");
    }
    let listed = get(&server, KEYS, &admin).await;
    let first = ids(&listed);
    assert_eq!((first.len(), &listed["data"][0]["attributes"]["use"]), (1, &json!("signs")));
    assert!(!listed.to_string().contains("sealed"), "{listed}");

    let made = call(&server, "POST", KEYS, &admin).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json()["data"].clone();
    assert_eq!(made["attributes"]["use"], "signs next");
    assert!(made["attributes"]["signs_from"].is_string(), "{made}");
    let published = async || {
        let jwks = server.exchange("GET /oauth2/jwks HTTP/1.1\r\nhost: x\r\n\r\n").await.json();
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = published().await;
    assert_eq!(both, ids(&get(&server, KEYS, &admin).await), "this node publishes it at once");
    assert_eq!(made["id"], both[1].as_str());
    let again = call(&server, "POST", KEYS, &admin).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert!(again.body.contains("waits already"), "{again:?}");

    for id in &both {
        assert_eq!(
            call(&server, "DELETE", &format!("{KEYS}/{id}"), &admin).await.status,
            204,
            "{id}"
        );
    }
    let gone = call(&server, "DELETE", &format!("{KEYS}/{}", both[0]), &admin).await;
    assert_eq!(gone.status, 404, "{gone:?}");
    let new = published().await;
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(!both.contains(&new[0]), "the key is another one");
    let events = events(&server, Action::KeyDiscarded).await;
    assert_eq!((events.len(), events[0].actor.as_deref()), (2, Some("root")));
}
