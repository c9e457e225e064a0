//! What operators change of a client.

use std::slice;

use serde_json::json;

use super::{
    approval::reject_client,
    clients::{change_standing, client_state, put_label, put_note, remove_client, restrict_client},
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier},
    store::{
        ClientEdit, ClientEdited, Deleted, StandingChanged, Transition, statements::events,
        transaction::Transaction,
    },
};

/// Makes an edit, if the client is in one of `versions`: it stays locked until the transaction ends.
pub(in crate::store) async fn edit_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    edit: &ClientEdit,
    versions: Option<&[String]>,
    by: &Author,
) -> Result<ClientEdited, T::Fault> {
    let Some(state) = client_state(change, client).await? else {
        return Ok(ClientEdited::NotThere);
    };
    if !state.is_in(versions) {
        return Ok(ClientEdited::Superseded);
    }
    if let Some(to) = edit.standing.filter(|to| *to != state.standing) {
        let Some(transition) = Transition::between(state.standing, to) else {
            return Ok(ClientEdited::Is(state.standing));
        };
        match change_standing(change, client, transition, edit.reason.as_deref(), by).await? {
            StandingChanged::Now { .. } => {}
            StandingChanged::Is(standing) => return Ok(ClientEdited::Is(standing)),
            StandingChanged::NotThere => return Ok(ClientEdited::NotThere),
        }
    }
    let note = edit.note.as_ref().filter(|note| **note != state.note);
    let label = edit.label.as_ref().filter(|label| **label != state.terms.label);
    if let Some(note) = note {
        put_note(change, client, note.as_deref()).await?;
    }
    if let Some(label) = label {
        put_label(change, client, label.as_deref()).await?;
    }
    if note.is_some() || label.is_some() {
        let members = [note.map(|_| "note"), label.map(|_| "label")];
        let members: Vec<&str> = members.into_iter().flatten().collect();
        let detail = json!({ "members": members, "reason": edit.reason });
        let event = by.event(Action::ClientUpdated).about(client).with(&detail);
        change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    }
    if let Some(ceiling) = edit.ceiling.as_ref().filter(|ceiling| **ceiling != state.ceiling) {
        restrict_client(change, client, ceiling.as_ref(), by).await?;
    }
    Ok(ClientEdited::Now)
}

/// Removes a client and its grants, if it is in one of `versions`.
pub(in crate::store) async fn remove_unchanged_client<T: Transaction>(
    change: &mut T,
    id: ClientId,
    versions: Option<&[String]>,
    (action, reason): (Action, &str),
    by: &Author,
) -> Result<ClientEdited, T::Fault> {
    let state = client_state(change, &ClientIdentifier::Registered(id)).await?;
    let Some(state) = state else { return Ok(ClientEdited::NotThere) };
    if !state.is_in(versions) {
        return Ok(ClientEdited::Superseded);
    }
    Ok(match remove_client(change, id, action, reason, by).await? {
        Deleted::Forgotten => ClientEdited::Now,
        Deleted::NotThere => ClientEdited::NotThere,
    })
}

/// Sets the scopes that a client may hold, if it is in one of `versions`.
pub(in crate::store) async fn restrict_unchanged_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    ceiling: Option<&Ceiling>,
    versions: Option<&[String]>,
    by: &Author,
) -> Result<ClientEdited, T::Fault> {
    let Some(state) = client_state(change, client).await? else {
        return Ok(ClientEdited::NotThere);
    };
    if !state.is_in(versions) {
        return Ok(ClientEdited::Superseded);
    }
    let restricted = restrict_client(change, client, ceiling, by).await?;
    Ok(restricted.map_or(ClientEdited::NotThere, |_ended| ClientEdited::Now))
}

/// Removes a pending client, if it is in one of `versions`.
pub(in crate::store) async fn reject_unchanged_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    versions: Option<&[String]>,
    reason: &str,
    by: &Author,
) -> Result<ClientEdited, T::Fault> {
    let Some(state) = client_state(change, client).await? else {
        return Ok(ClientEdited::NotThere);
    };
    if !state.is_in(versions) {
        return Ok(ClientEdited::Superseded);
    }
    Ok(match reject_client(change, client, reason, by).await? {
        StandingChanged::Now { .. } => ClientEdited::Now,
        StandingChanged::Is(standing) => ClientEdited::Is(standing),
        StandingChanged::NotThere => ClientEdited::NotThere,
    })
}
