//! Ceilings: which grants end when an operator restricts a client, and what can be allowed then.

use std::sync::Arc;

use serde_json::json;

use super::{
    Records, by,
    grants::Grants,
    register_all,
    standing::{allowed, both_kinds, events, grants_of, state},
};
use crate::{
    audit::Action,
    ceiling::Ceiling,
    client::{ClientIdentifier, ClientMetadata, Scope},
    family::{FamilyId, FamilyKey},
    store::{
        ClientRecord, ClientState, ClientTerms, EventsOf, FamilyEdit, FamilyEdited, GrantRecord,
        NotAllowed, Store,
    },
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

/// The family of a client that is stored, which is counted.
async fn family_of(store: &Store, client: &ClientIdentifier) -> FamilyId {
    let metadata = match client {
        ClientIdentifier::Registered(id) => {
            let record = store.client(*id).await.unwrap().unwrap();
            store.count_in_families(std::slice::from_ref(&record)).await.unwrap();
            record.metadata
        }
        ClientIdentifier::Document(url) => {
            store.document_client(url).await.unwrap().unwrap().metadata
        }
    };
    FamilyKey::of(&serde_json::from_str::<ClientMetadata>(&metadata).unwrap()).id()
}

async fn restrict(store: &Store, family: FamilyId, ceiling: Option<Ceiling>) -> FamilyEdited {
    let edit = FamilyEdit { ceiling: Some(ceiling), ..FamilyEdit::default() };
    store.edit_family(family, edit, by(), &|_, _| {}).await.unwrap()
}

/// A registered client of a family of its own.
async fn of_own_family(store: &Store, records: &mut Records, name: &str) -> ClientIdentifier {
    let metadata = format!(r#"{{"client_name":"{name}","redirect_uris":["http://127.0.0.1/cb"]}}"#);
    let client = ClientRecord { metadata, ..records.next() };
    register_all(store, std::slice::from_ref(&client)).await;
    client.client_id.into()
}

pub(in crate::store) async fn a_restriction_of_a_family_ends_the_grants_with_a_forbidden_scope_alone(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let client = of_own_family(&store, &mut records, "One").await;
    let sibling = of_own_family(&store, &mut records, "One 2.0").await;
    let other = of_own_family(&store, &mut records, "Other").await;
    let family = family_of(&store, &client).await;
    assert_eq!(family_of(&store, &sibling).await, family);
    let ended = [(&client, "read write"), (&sibling, "write")];
    let kept = [(&client, "read"), (&sibling, ""), (&other, "write")];
    let [ended, kept]: [Vec<GrantRecord>; 2] = [ended.to_vec(), kept.to_vec()]
        .map(|of| of.iter().map(|(client, scope)| grant(&grants, client, scope)).collect());
    for grant in ended.iter().chain(&kept) {
        store.allow(allowed(grant), by()).await.unwrap().unwrap();
    }
    let now = by().at;
    let above = store.family_access_above(family, &only("read"), now).await.unwrap();
    assert_eq!((above.grants, above.people), (2, 2));

    let edited = restrict(&store, family, Some(only("read"))).await;

    assert_eq!(edited, FamilyEdited::Now { is_changed: true, ended: 2 });
    for grant in &ended {
        assert!(store.grant(grant.grant_id).await.unwrap().is_none());
    }
    for grant in &kept {
        assert!(store.grant(grant.grant_id).await.unwrap().is_some());
    }
    let again = restrict(&store, family, Some(only("read"))).await;
    assert_eq!(again, FamilyEdited::Now { is_changed: false, ended: 0 });
    let told = store.newest_events(Some(&EventsOf::Family(family)), None, 10).await.unwrap();
    assert_eq!(
        told.iter().map(|event| event.action).collect::<Vec<_>>(),
        [Action::FamilyRestricted]
    );
    // Also for a client that registers later, and beside the ceiling of the client.
    let late = of_own_family(&store, &mut records, "One 3.0").await;
    let above = grant(&grants, &late, "write");
    assert_eq!(store.allow(allowed(&above), by()).await.unwrap(), Err(NotAllowed::Ceiling));
    store.restrict_client(&late, Some(only("write")), by()).await.unwrap();
    for scope in ["read", "write"] {
        let above = grant(&grants, &late, scope);
        assert_eq!(store.allow(allowed(&above), by()).await.unwrap(), Err(NotAllowed::Ceiling));
    }
    assert_eq!(
        restrict(&store, family, None).await,
        FamilyEdited::Now { is_changed: true, ended: 0 }
    );
    store.allow(allowed(&above), by()).await.unwrap().unwrap();
}

pub(in crate::store) async fn a_grant_issued_at_the_moment_of_a_restriction_of_its_family_does_not_survive_it(
    store: Arc<Store>,
) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let client = of_own_family(&store, &mut records, "One").await;
    let family = family_of(&store, &client).await;
    for _ in 0..RACES / 2 {
        restrict(&store, family, None).await;
        let above = grant(&grants, &client, "write");
        let (_, answered) = tokio::join!(
            restrict(&store, family, Some(only("read"))),
            store.allow(allowed(&above), by()),
        );
        if let Err(refused) = answered.unwrap() {
            assert_eq!(refused, NotAllowed::Ceiling);
        }
        assert!(grants_of(&store, &client).await.is_empty());
    }
}

pub(in crate::store) async fn a_grant_above_the_ceiling_of_a_rule_is_not_stored(store: Arc<Store>) {
    let (grants, mut records) = (Grants::new(), Records::new());
    let terms = ClientTerms { ceiling: Some(only("read")), ..ClientTerms::default() };
    let client =
        ClientRecord { state: ClientState { terms, ..ClientState::default() }, ..records.next() };
    register_all(&store, std::slice::from_ref(&client)).await;
    let client = client.client_id.into();
    // What an operator allows does not lift what the rule forbids.
    let except = Ceiling::Except(vec!["other".to_owned()]);
    for ceiling in [None, Some(except), None] {
        store.restrict_client(&client, ceiling, by()).await.unwrap();
        let above = store.allow(allowed(&grant(&grants, &client, "read write")), by()).await;
        assert_eq!(above.unwrap(), Err(NotAllowed::Ceiling));
        store.allow(allowed(&grant(&grants, &client, "read")), by()).await.unwrap().unwrap();
    }
}
