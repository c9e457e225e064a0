//! Initial access tokens: one use for each client, and never more than there are.

use std::sync::Arc;

use super::{Records, by};
use crate::{
    audit::{Action, Author},
    clock::Timestamp,
    entropy::Entropy,
    secret::SecretHash,
    store::{ClientFilter, Deleted, InitialAccessTokenId, InitialAccessTokenRecord, Store},
};

fn token(name: &str, uses_max: u64) -> InitialAccessTokenRecord {
    let now = by().at;
    InitialAccessTokenRecord {
        initial_access_token_id: InitialAccessTokenId::generate(now, &Entropy::System),
        name: name.to_owned(),
        policy: "partners".to_owned(),
        hash: SecretHash::of(name.as_bytes()),
        created_at: now,
        expires_at: Some(now.after_seconds(60)),
        uses_max,
        uses: 0,
        used_at: None,
    }
}

async fn stored(
    store: &Store,
    token: &InitialAccessTokenRecord,
) -> Option<InitialAccessTokenRecord> {
    store.initial_access_token(token.initial_access_token_id).await.unwrap()
}

async fn count(store: &Store, action: Action) -> usize {
    store.events(Some(action), None, None, 1_000).await.unwrap().len()
}

pub(in crate::store) async fn a_token_is_created_read_back_listed_and_revoked_with_events(
    store: Arc<Store>,
) {
    let (first, second) = (token("first", 1), token("second", 2));
    for token in [&first, &second] {
        assert!(store.create_initial_access_token(token.clone(), by()).await.unwrap());
        let found = stored(&store, token).await.unwrap();
        assert_eq!(format!("{found:?}"), format!("{token:?}"));
    }
    assert!(!store.create_initial_access_token(token("first", 9), by()).await.unwrap());
    let listed = store.initial_access_tokens(None, 10).await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|token| token.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["first", "second"]);
    let after = Some(listed[1].initial_access_token_id);
    assert!(store.initial_access_tokens(after, 10).await.unwrap().is_empty());
    for expected in [Deleted::Forgotten, Deleted::NotThere] {
        let id = first.initial_access_token_id;
        assert_eq!(store.revoke_initial_access_token(id, by()).await.unwrap(), expected);
    }
    assert!(stored(&store, &first).await.is_none());
    assert_eq!(count(&store, Action::InitialAccessTokenCreated).await, 2);
    assert_eq!(count(&store, Action::InitialAccessTokenRevoked).await, 1);
    let client = Arc::new(Records::new().next());
    let id = first.initial_access_token_id;
    assert!(!store.register_with_token(&client, id, &by()).await.unwrap());
    assert_eq!(store.client(client.client_id).await.unwrap(), None);
}

pub(in crate::store) async fn of_fifty_who_register_at_once_as_many_do_as_the_token_has_uses(
    store: Arc<Store>,
) {
    let token = token("partners", 10);
    store.create_initial_access_token(token.clone(), by()).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for client in Records::new().take(50) {
        let (store, id) = (Arc::clone(&store), token.initial_access_token_id);
        calls.spawn(async move {
            store.register_with_token(&Arc::new(client), id, &by()).await.unwrap()
        });
    }
    let registered = calls.join_all().await.into_iter().filter(|is_in| *is_in).count();
    let clients = store.clients(&ClientFilter::default(), None, 100).await.unwrap();
    let events = count(&store, Action::InitialAccessTokenUsed).await;
    let uses = stored(&store, &token).await.unwrap().uses;
    assert_eq!((registered, clients.len(), events, uses), (10, 10, 10, 10));
    // Nor after its time.
    let later = Author { at: by().at.after_seconds(60), ..by() };
    let expired = self::token("expired", 10);
    store.create_initial_access_token(expired.clone(), by()).await.unwrap();
    let client = Arc::new(Records::new().take(51).pop().unwrap());
    let id = expired.initial_access_token_id;
    assert!(!store.register_with_token(&client, id, &later).await.unwrap());
    assert_eq!(stored(&store, &expired).await.unwrap().uses, 0);
}

/// As after a lost answer to a commit.
pub(in crate::store) async fn a_registration_that_is_repeated_uses_the_token_once(
    store: Arc<Store>,
) {
    let token = token("once", 1);
    store.create_initial_access_token(token.clone(), by()).await.unwrap();
    let client = Arc::new(Records::new().next());
    for _ in 0..3 {
        let id = token.initial_access_token_id;
        assert!(store.register_with_token(&client, id, &by()).await.unwrap());
    }
    assert_eq!(store.client(client.client_id).await.unwrap().as_ref(), Some(&*client));
    let token = stored(&store, &token).await.unwrap();
    assert_eq!((token.uses, token.used_at), (1, Some(by().at)));
    assert_eq!(count(&store, Action::InitialAccessTokenUsed).await, 1);
}

pub(in crate::store) async fn an_import_never_lowers_the_number_of_uses(store: Arc<Store>) {
    let token = token("moved", 9);
    let with = |uses| InitialAccessTokenRecord {
        uses,
        used_at: Some(Timestamp::from_millis(uses)),
        ..token.clone()
    };
    for (uses, changed, expected) in [(3, 1, 3), (5, 1, 5), (4, 0, 5), (5, 0, 5)] {
        let imported = store.import_initial_access_tokens(vec![with(uses)]).await.unwrap();
        let now = stored(&store, &token).await.unwrap().uses;
        assert_eq!((imported, now), (changed, expected));
    }
}
