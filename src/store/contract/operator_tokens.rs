//! The promises of operator tokens.

use std::sync::Arc;

use super::{by, grants::NOW};
use crate::{
    audit::Action,
    entropy::Entropy,
    operator::{OperatorToken, Role},
    store::{Deleted, OperatorTokenRecord, OperatorTokenUse, Store},
};

fn token(name: &str, entropy: &Entropy) -> OperatorTokenRecord {
    let token = OperatorToken::generate(NOW, entropy);
    OperatorTokenRecord {
        operator_token_id: token.id,
        name: name.to_owned(),
        role: Role::Operator,
        hash: token.secret.hash(),
        created_at: NOW,
        expires_at: Some(NOW.after_days(90)),
        used_at: None,
    }
}

async fn names(store: &Store) -> Vec<String> {
    store.operator_tokens(None, 10).await.unwrap().into_iter().map(|it| it.name).collect()
}

/// The recorded actions; events of one moment have no order.
async fn actions(store: &Store) -> Vec<Action> {
    let events = store.events(None, None, None, 10).await.unwrap();
    let mut actions: Vec<Action> = events.iter().map(|event| event.action).collect();
    actions.sort_unstable();
    actions
}

pub(in crate::store) async fn an_operator_token_is_created_used_and_revoked_with_events(
    store: Arc<Store>,
) {
    let entropy = Entropy::seeded(5);
    let created = token("CI", &entropy);
    let id = created.operator_token_id;
    assert!(store.create_operator_token(created.clone(), by()).await.unwrap());
    let found = store.operator_token(id).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{created:?}"));

    for (seconds, changed) in [(60, 1), (30, 0), (90, 1)] {
        let used = OperatorTokenUse { operator_token_id: id, used_at: NOW.after_seconds(seconds) };
        assert_eq!(store.note_operator_token_uses(vec![used]).await.unwrap(), changed);
    }
    let found = store.operator_token(id).await.unwrap().unwrap();
    assert_eq!(found.used_at, Some(NOW.after_seconds(90)));

    assert_eq!(store.revoke_operator_token(id, by()).await.unwrap(), Deleted::Forgotten);
    assert_eq!(store.revoke_operator_token(id, by()).await.unwrap(), Deleted::NotThere);
    assert!(store.operator_token(id).await.unwrap().is_none());
    let expected = [Action::OperatorTokenCreated, Action::OperatorTokenRevoked];
    assert_eq!(actions(&store).await, expected);
}

pub(in crate::store) async fn a_name_belongs_to_one_operator_token_at_a_time(store: Arc<Store>) {
    let entropy = Entropy::seeded(5);
    let first = token("CI", &entropy);
    assert!(store.create_operator_token(first.clone(), by()).await.unwrap());
    assert!(!store.create_operator_token(token("CI", &entropy), by()).await.unwrap());
    assert_eq!(actions(&store).await, [Action::OperatorTokenCreated], "nothing else happened");
    store.revoke_operator_token(first.operator_token_id, by()).await.unwrap();
    assert!(store.create_operator_token(token("CI", &entropy), by()).await.unwrap());
}

pub(in crate::store) async fn operator_tokens_are_listed_in_order_and_imported_once(
    store: Arc<Store>,
) {
    let entropy = Entropy::seeded(5);
    let mut all: Vec<_> = ["a", "b", "c"].iter().map(|name| token(name, &entropy)).collect();
    all.sort_by_key(|token| token.operator_token_id);
    assert_eq!(store.import_operator_tokens(all.clone()).await.unwrap(), 3);
    assert_eq!(store.import_operator_tokens(all.clone()).await.unwrap(), 0);
    let expected: Vec<String> = all.iter().map(|token| token.name.clone()).collect();
    assert_eq!(names(&store).await, expected);
    let first = all[0].operator_token_id;
    let rest = store.operator_tokens(Some(first), 1).await.unwrap();
    assert_eq!(rest[0].name, expected[1]);
}
