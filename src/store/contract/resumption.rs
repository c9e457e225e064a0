//! What a resumption must not bring back: every grant from before it.

use std::sync::Arc;

use super::{
    Records, by,
    grants::Grants,
    register_all,
    standing::{allowed, both_kinds, grants_of},
};
use crate::{
    audit::Author,
    client::{ClientIdentifier, ClientMetadata},
    family::{FamilyId, FamilyKey},
    grant::GrantId,
    store::{
        ClientFlags, ClientRecord, ClientTerms, ClientUpdate, Generation, GrantRecord, Standing,
        StandingChanged, Store, Transition, Updated,
    },
};

fn named(records: &mut Records, name: &str) -> ClientRecord {
    ClientRecord { metadata: metadata(name), ..records.next() }
}

fn metadata(name: &str) -> String {
    format!(r#"{{"client_name":"{name}","redirect_uris":["http://127.0.0.1:7/cb"]}}"#)
}

fn family_of(client: &ClientRecord) -> FamilyId {
    FamilyKey::of(&serde_json::from_str::<ClientMetadata>(&client.metadata).unwrap()).id()
}

fn later_on() -> Author {
    Author { at: by().at.after_seconds(1), ..by() }
}

async fn grants_left(store: &Store, client: &ClientIdentifier) -> Vec<GrantId> {
    grants_of(store, client).await.into_iter().map(|grant| grant.grant_id).collect()
}

/// Registers clients of these names and counts them in their families.
async fn registered<const N: usize>(store: &Store, names: [&str; N]) -> [ClientRecord; N] {
    let mut records = Records::new();
    let clients = names.map(|name| named(&mut records, name));
    register_all(store, &clients).await;
    store.count_in_families(&clients).await.unwrap();
    clients
}

async fn suspend(store: &Store, family: FamilyId) {
    let outcome = store.suspend_family(family, None, by(), &|_, _| {}).await.unwrap();
    assert!(matches!(outcome, StandingChanged::Now { .. }), "{outcome:?}");
}

pub(in crate::store) async fn grants_of_a_client_that_joins_a_suspended_family_end(
    store: Arc<Store>,
) {
    let [blocked, renamed] = registered(&store, ["Blocked", "Another"]).await;
    let grant = GrantRecord { client: renamed.client_id.into(), ..Grants::new().next() };
    store.allow(allowed(&grant), by()).await.unwrap().unwrap();
    suspend(&store, family_of(&blocked)).await;
    let update = ClientUpdate {
        client_id: renamed.client_id,
        generation: Generation::default(),
        metadata: blocked.metadata.clone(),
        flags: ClientFlags::default(),
        is_held: false,
        terms: ClientTerms::default(),
        label_before: None,
    };

    let updated = store.update_registration(update, by()).await.unwrap();

    assert!(matches!(updated, Updated::Now(_)), "{updated:?}");
    assert_eq!(grants_left(&store, &grant.client).await, []);
}

pub(in crate::store) async fn a_client_of_a_suspended_family_cannot_remove_itself(
    store: Arc<Store>,
) {
    let [client] = registered(&store, ["Blocked"]).await;
    suspend(&store, family_of(&client)).await;
    let removed = store.remove_registration(client.client_id, Generation::default(), by()).await;
    assert_eq!(removed.unwrap(), Updated::Is(Standing::Suspended));
    assert!(store.client(client.client_id).await.unwrap().is_some());
}

pub(in crate::store) async fn a_resumption_of_a_family_ends_the_grants_that_its_suspension_left(
    store: Arc<Store>,
) {
    let [one, bystander] = registered(&store, ["Blocked", "Another"]).await;
    let grants = Grants::new();
    let [left, other] = [&one, &bystander]
        .map(|client| GrantRecord { client: client.client_id.into(), ..grants.next() });
    suspend(&store, family_of(&one)).await;
    // As if the suspension had been killed halfway.
    store.import_grants(vec![left.clone(), other.clone()]).await.unwrap();

    let resumed = store.resume_family(family_of(&one), None, later_on()).await.unwrap();

    assert_eq!(resumed, StandingChanged::Now { ended: 1 });
    assert_eq!(grants_left(&store, &left.client).await, []);
    assert_eq!(grants_left(&store, &other.client).await, [other.grant_id]);
    // A family that is not suspended loses nothing.
    let again = GrantRecord { client: one.client_id.into(), ..grants.next() };
    store.allow(allowed(&again), later_on()).await.unwrap().unwrap();
    let resumed = store.resume_family(family_of(&one), None, later_on()).await.unwrap();
    assert_eq!(resumed, StandingChanged::Is(Standing::Active));
    assert_eq!(grants_left(&store, &again.client).await, [again.grant_id]);
}

pub(in crate::store) async fn a_resumption_of_a_client_ends_the_grants_that_an_import_brought(
    store: Arc<Store>,
) {
    let grants = Grants::new();
    let both = both_kinds(&store, &mut Records::new(), &grants).await;
    for GrantRecord { client, .. } in both {
        let change = async |client: &ClientIdentifier, transition| {
            store.change_standing(client, transition, None, by()).await.unwrap()
        };
        assert_eq!(change(&client, &Transition::SUSPEND).await, StandingChanged::Now { ended: 1 });
        let imported = GrantRecord { client: client.clone(), ..grants.next() };
        store.import_grants(vec![imported]).await.unwrap();
        assert_eq!(change(&client, &Transition::RESUME).await, StandingChanged::Now { ended: 1 });
        assert_eq!(grants_left(&store, &client).await, []);
    }
}
