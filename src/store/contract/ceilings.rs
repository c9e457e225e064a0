//! Ceilings: which grants end when an operator restricts a client, and what can be allowed then.

use std::sync::Arc;

use serde_json::json;

use super::{
    Records, by,
    grants::Grants,
    standing::{allowed, both_kinds, events, grants_of, state},
};
use crate::{
    audit::Action,
    ceiling::Ceiling,
    client::{ClientIdentifier, Scope},
    store::{GrantRecord, NotAllowed, Store},
};

/// Races of a restriction and an allowance.
const RACES: usize = 300;

fn only(token: &str) -> Ceiling {
    Ceiling::Only(vec![token.to_owned()])
}

/// A grant to a client, by another person each time.
fn grant(grants: &Grants, client: &ClientIdentifier, scope: &str) -> GrantRecord {
    let grant = grants.next();
    GrantRecord {
        client: client.clone(),
        subject: format!("acme:{}", grant.grant_id),
        scope: Scope::parse(scope).unwrap(),
        ..grant
    }
}

pub(in crate::store) async fn a_restriction_ends_the_grants_with_a_forbidden_scope_alone(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    for GrantRecord { client, .. } in both_kinds(&store, &mut records, &grants).await {
        store.restrict_client(&client, Some(only("none")), by()).await.unwrap();
        store.restrict_client(&client, None, by()).await.unwrap();
        let before = events(&store, &client, Action::GrantRevoked).await.len();
        let ended = ["read write", "write"].map(|scope| grant(&grants, &client, scope));
        let kept = ["read", ""].map(|scope| grant(&grants, &client, scope));
        for grant in ended.iter().chain(&kept) {
            store.allow(allowed(grant), by()).await.unwrap().unwrap();
        }

        let outcome = store.restrict_client(&client, Some(only("read")), by()).await.unwrap();

        assert_eq!(outcome, Some(2), "{client}");
        for grant in &ended {
            assert!(store.grant(grant.grant_id).await.unwrap().is_none());
        }
        for grant in &kept {
            assert!(store.grant(grant.grant_id).await.unwrap().is_some());
        }
        assert_eq!(state(&store, &client).await.ceiling, Some(only("read")));
        assert_eq!(events(&store, &client, Action::GrantRevoked).await.len(), before + 2);
        let expected = json!({ "from": null, "to": { "only": ["read"] }, "grants": 2 });
        let restricted = events(&store, &client, Action::ClientRestricted).await;
        assert!(restricted.iter().any(|(_, detail)| *detail == expected), "{restricted:?}");

        let above = grant(&grants, &client, "read write");
        let refused = store.allow(allowed(&above), by()).await.unwrap();
        assert_eq!(refused, Err(NotAllowed::Ceiling));
        assert!(store.grant(above.grant_id).await.unwrap().is_none());
        // What is allowed again adds nothing, and ends nothing.
        let lifted = store.restrict_client(&client, None, by()).await.unwrap();
        assert_eq!(lifted, Some(0));
        store.allow(allowed(&above), by()).await.unwrap().unwrap();
    }
    let unknown = records.next().client_id.into();
    assert_eq!(store.restrict_client(&unknown, None, by()).await.unwrap(), None);
}

pub(in crate::store) async fn a_grant_issued_at_the_moment_of_a_restriction_does_not_survive_it(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    for GrantRecord { client, .. } in both_kinds(&store, &mut records, &grants).await {
        for _ in 0..RACES / 2 {
            store.restrict_client(&client, None, by()).await.unwrap();
            let above = grant(&grants, &client, "write");
            let (restricted, answered) = tokio::join!(
                store.restrict_client(&client, Some(only("read")), by()),
                store.allow(allowed(&above), by()),
            );
            assert!(restricted.unwrap().is_some());
            if let Err(refused) = answered.unwrap() {
                assert_eq!(refused, NotAllowed::Ceiling);
            }
            let left = grants_of(&store, &client).await;
            assert!(left.iter().all(|left| left.grant_id != above.grant_id), "{client}");
        }
    }
}
