//! Initial access tokens, and clients that are not strangers.

use std::slice;

use serde_json::json;

use crate::{
    audit::{Action, Author},
    clock::Timestamp,
    store::{
        ClientRecord, Deleted, EventRecord, InitialAccessTokenId, InitialAccessTokenRecord,
        column::Stored as _,
        statements::{clients, events, initial_access_tokens},
        transaction::Transaction,
    },
};

/// Stores a new token; `false` if another one has its name.
pub(in crate::store) async fn create_initial_access_token<T: Transaction>(
    change: &mut T,
    token: &InitialAccessTokenRecord,
    by: &Author,
) -> Result<bool, T::Fault> {
    if change.insert(&initial_access_tokens::INSERT, slice::from_ref(token)).await? == 0 {
        return Ok(false);
    }
    let event = about(token, Action::InitialAccessTokenCreated, by);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(true)
}

pub(in crate::store) async fn revoke_initial_access_token<T: Transaction>(
    change: &mut T,
    id: InitialAccessTokenId,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let Some(token) = locked(change, id).await? else { return Ok(Deleted::NotThere) };
    change.execute(&initial_access_tokens::DELETE, &[id.value()]).await?;
    let event = about(&token, Action::InitialAccessTokenRevoked, by);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Deleted::Forgotten)
}

/// Stores a new client and one use of its token. Of all who try to make the last use, one does. A client that is stored
/// already used the token before.
pub(in crate::store) async fn register_with_token<T: Transaction>(
    change: &mut T,
    client: &ClientRecord,
    id: InitialAccessTokenId,
    by: &Author,
) -> Result<bool, T::Fault> {
    let Some(token) = locked(change, id).await? else { return Ok(false) };
    let there: Vec<ClientRecord> =
        change.select(&clients::SELECT, &[client.client_id.value()]).await?;
    if !there.is_empty() {
        return Ok(true);
    }
    if !token.is_valid(by.at) {
        return Ok(false);
    }
    change.execute(&initial_access_tokens::USE, &[id.value(), by.at.value()]).await?;
    change.insert(&clients::ADD, slice::from_ref(client)).await?;
    let event = about(&token, Action::InitialAccessTokenUsed, by).about(&client.client_id.into());
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(true)
}

async fn locked<T: Transaction>(
    change: &mut T,
    id: InitialAccessTokenId,
) -> Result<Option<InitialAccessTokenRecord>, T::Fault> {
    let found = change.select(&initial_access_tokens::SELECT_AND_LOCK, &[id.value()]).await?;
    Ok(found.into_iter().next())
}

/// The event about a token: everything but its hash.
fn about(token: &InitialAccessTokenRecord, action: Action, by: &Author) -> EventRecord {
    by.event(action).with(&json!({
        "token": token.initial_access_token_id.to_string(),
        "name": token.name,
        "policy": token.policy,
        "uses": token.uses + u64::from(action == Action::InitialAccessTokenUsed),
        "uses_max": token.uses_max,
        "expires_at": token.expires_at.map(Timestamp::as_millis),
    }))
}

/// Stores a client that an operator makes.
pub(in crate::store) async fn add_client<T: Transaction>(
    change: &mut T,
    client: &ClientRecord,
) -> Result<(), T::Fault> {
    change.insert(&clients::ADD, slice::from_ref(client)).await.map(drop)
}

/// Stores tokens that are new, or were used more often than the stored ones. Returns how many were.
pub(in crate::store) async fn import_initial_access_tokens<T: Transaction>(
    change: &mut T,
    tokens: &[InitialAccessTokenRecord],
) -> Result<usize, T::Fault> {
    change.insert(&initial_access_tokens::IMPORT, tokens).await
}
