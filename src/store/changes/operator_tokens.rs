//! Operator tokens.

use std::slice;

use serde_json::json;

use crate::{
    audit::{Action, Author},
    clock::Timestamp,
    operator::OperatorTokenId,
    store::{
        Deleted, EventRecord, OperatorTokenRecord, OperatorTokenUse,
        column::Stored as _,
        statements::{events, operator_tokens},
        transaction::Transaction,
    },
};

/// Stores a new token; `false` if another one has its name.
pub(in crate::store) async fn create_operator_token<T: Transaction>(
    change: &mut T,
    token: &OperatorTokenRecord,
    by: &Author,
) -> Result<bool, T::Fault> {
    if change.insert(&operator_tokens::INSERT, slice::from_ref(token)).await? == 0 {
        return Ok(false);
    }
    let event = about(token, Action::OperatorTokenCreated, by);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(true)
}

pub(in crate::store) async fn revoke_operator_token<T: Transaction>(
    change: &mut T,
    id: OperatorTokenId,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let found: Vec<OperatorTokenRecord> =
        change.select(&operator_tokens::SELECT, &[id.value()]).await?;
    let Some(token) = found.first() else { return Ok(Deleted::NotThere) };
    if change.execute(&operator_tokens::DELETE, &[id.value()]).await? == 0 {
        return Ok(Deleted::NotThere);
    }
    let event = about(token, Action::OperatorTokenRevoked, by);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Deleted::Forgotten)
}

/// The event about a token: everything but its hash.
fn about(token: &OperatorTokenRecord, action: Action, by: &Author) -> EventRecord {
    by.event(action).with(&json!({
        "token": token.operator_token_id.to_string(),
        "name": token.name,
        "role": token.role.as_str(),
        "expires_at": token.expires_at.map(Timestamp::as_millis),
    }))
}

/// Stores later uses of tokens. Returns how many tokens have one.
pub(in crate::store) async fn note_operator_token_uses<T: Transaction>(
    change: &mut T,
    uses: &[OperatorTokenUse],
) -> Result<usize, T::Fault> {
    change.insert(&operator_tokens::NOTE_USE, uses).await
}

/// Stores tokens that are new. Returns how many were.
pub(in crate::store) async fn import_operator_tokens<T: Transaction>(
    change: &mut T,
    tokens: &[OperatorTokenRecord],
) -> Result<usize, T::Fault> {
    change.insert(&operator_tokens::INSERT, tokens).await
}
