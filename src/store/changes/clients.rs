//! Clients: their standing and their removal.

use std::slice;

use serde_json::json;

use super::{
    families::leave_family,
    grants::{Ending, end_grants, end_grants_of_client},
};
use crate::store::{
    ClientRecord, ClientState, ClientUse, Deleted, DocumentClientRecord, DocumentClientUse,
    EventRecord, FamilyClient, GrantRecord, Standing, StandingChanged, Transition,
    column::{Columns as _, Stored as _, Value},
    family_record::family_of,
    sql::Statement,
    statements::{clients, document_clients, events, grants},
    transaction::Transaction,
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, ClientMetadata, ClientName},
    clock::Timestamp,
    family::FamilyKey,
};

pub(super) async fn client_state<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
) -> Result<Option<ClientState>, T::Fault> {
    match client {
        ClientIdentifier::Registered(id) => {
            Ok(locked(change, *id).await?.map(|client| client.state))
        }
        ClientIdentifier::Document(url) => document_state(change, url.as_str()).await,
    }
}

pub(super) async fn document_state<T: Transaction>(
    change: &mut T,
    url: &str,
) -> Result<Option<ClientState>, T::Fault> {
    let found = change.select(&document_clients::SELECT_AND_LOCK, &[Value::text(url)]).await?;
    Ok(found.into_iter().next().map(|client: DocumentClientRecord| client.state))
}

/// The statement for the table of a client, `registered` or `document`, and its key there.
fn row_of<'a>(
    client: &'a ClientIdentifier,
    registered: &'static Statement,
    document: &'static Statement,
) -> (&'static Statement, Value<'a>) {
    match client {
        ClientIdentifier::Registered(id) => (registered, id.value()),
        ClientIdentifier::Document(url) => (document, Value::text(url.as_str())),
    }
}

/// Writes a standing, and the event about it.
pub(super) async fn put_standing<T: Transaction>(
    change: &mut T,
    standing: Standing,
    event: EventRecord,
) -> Result<(), T::Fault> {
    let Some(client) = &event.client else { return Ok(()) };
    let (statement, key) = row_of(client, &clients::SET_STANDING, &document_clients::SET_STANDING);
    let mut parameters = vec![key];
    standing.write(&mut |value| parameters.push(value));
    parameters.push(event.at.value());
    change.execute(statement, &parameters).await?;
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

/// Brings a client from one of the standings of `transition` to its next. Ends every grant if people cannot use it then,
/// and at a resumption those that an import brought meanwhile: everyone authorizes again.
pub(in crate::store) async fn change_standing<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    transition: &Transition,
    reason: Option<&str>,
    by: &Author,
) -> Result<StandingChanged, T::Fault> {
    let Some(state) = client_state(change, client).await? else {
        return Ok(StandingChanged::NotThere);
    };
    if !transition.from.contains(&state.standing) {
        return Ok(StandingChanged::Is(state.standing));
    }
    let ended = if [transition.to, state.standing].contains(&Standing::Suspended) {
        let ending = Ending::new(Action::GrantRevoked, "client_suspended");
        end_grants_of_client(change, client, &ending, by).await?
    } else {
        0
    };
    let detail = json!({ "from": state.standing.as_str(), "reason": reason, "grants": ended });
    let event = by.event(transition.action).about(client).with(&detail);
    put_standing(change, transition.to, event).await?;
    Ok(StandingChanged::Now { ended })
}

/// Sets the scopes that a client may hold. Ends every grant that has another one. Returns how many; `None` if there is no
/// such client.
pub(in crate::store) async fn restrict_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    ceiling: Option<&Ceiling>,
    by: &Author,
) -> Result<Option<usize>, T::Fault> {
    let Some(before) = client_state(change, client).await? else { return Ok(None) };
    let found: Vec<GrantRecord> =
        change.select(&grants::SELECT_OF_CLIENT, &[client.value()]).await?;
    let is_above = |grant: &GrantRecord| {
        ceiling.is_some_and(|ceiling| !ceiling.allows_all(grant.scope.as_ref()))
    };
    let above = found.into_iter().filter(is_above).collect();
    let ending = Ending::new(Action::GrantRevoked, "client_restricted");
    let ended = end_grants(change, above, &ending, by).await?;
    let (statement, key) = row_of(client, &clients::SET_CEILING, &document_clients::SET_CEILING);
    let value = ceiling.map_or(Ceiling::NULL, Ceiling::value);
    change.execute(statement, &[key, value]).await?;
    let detail = json!({ "from": before.ceiling, "to": ceiling, "grants": ended });
    let event = by.event(Action::ClientRestricted).about(client).with(&detail);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Some(ended))
}

/// Removes a registered client with its grants. The event stays as its tombstone.
pub(in crate::store) async fn remove_client<T: Transaction>(
    change: &mut T,
    id: ClientId,
    action: Action,
    reason: &str,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let Some(client) = locked(change, id).await? else { return Ok(Deleted::NotThere) };
    remove_locked(change, client, action, reason, by).await?;
    Ok(Deleted::Forgotten)
}

/// A client that must not change until the transaction ends.
pub(super) async fn locked<T: Transaction>(
    change: &mut T,
    id: ClientId,
) -> Result<Option<ClientRecord>, T::Fault> {
    Ok(change.select(&clients::SELECT_AND_LOCK, &[id.value()]).await?.into_iter().next())
}

pub(super) async fn remove_locked<T: Transaction>(
    change: &mut T,
    client: ClientRecord,
    action: Action,
    reason: &str,
    by: &Author,
) -> Result<(), T::Fault> {
    remove(change, client.into(), action, reason, by).await.map(drop)
}

/// A client that is about to be removed, locked.
pub(super) struct Removed {
    client: ClientIdentifier,
    pub(super) standing: Standing,
    metadata: String,
    since: Timestamp,
}

impl From<ClientRecord> for Removed {
    fn from(record: ClientRecord) -> Self {
        let ClientRecord { client_id, state, metadata, issued_at, .. } = record;
        Self { client: client_id.into(), standing: state.standing, metadata, since: issued_at }
    }
}

impl Removed {
    pub(super) async fn find<T: Transaction>(
        change: &mut T,
        client: &ClientIdentifier,
    ) -> Result<Option<Self>, T::Fault> {
        match client {
            ClientIdentifier::Registered(id) => Ok(locked(change, *id).await?.map(Self::from)),
            ClientIdentifier::Document(url) => {
                let url = [Value::text(url.as_str())];
                let found = change.select(&document_clients::SELECT_AND_LOCK, &url).await?;
                Ok(found.into_iter().next().map(|record: DocumentClientRecord| Self {
                    client: client.clone(),
                    standing: record.state.standing,
                    metadata: record.metadata,
                    since: record.first_allowed_at,
                }))
            }
        }
    }
}

/// Removes a client with its grants; returns how many it had. The event stays as its tombstone.
pub(super) async fn remove<T: Transaction>(
    change: &mut T,
    removed: Removed,
    action: Action,
    reason: &str,
    by: &Author,
) -> Result<usize, T::Fault> {
    let Removed { client, standing: _, metadata, since } = removed;
    let ended = end_grants_of_client(change, &client, &Ending::ORPHANED, by).await?;
    delete(change, &client, &metadata).await?;
    let tombstone = Tombstone {
        reason,
        metadata: &metadata,
        began_at: since,
        grants: ended,
        unused_days: None,
    };
    let event = tombstone.on(by.event(action).about(&client));
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(ended)
}

/// Deletes a client, which leaves its family.
pub(super) async fn delete<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    metadata: &str,
) -> Result<usize, T::Fault> {
    if let ClientIdentifier::Registered(id) = client
        && let Some(family_id) = family_of(metadata)
    {
        leave_family(change, FamilyClient { family_id, client_id: *id }, true).await?;
    }
    let (statement, key) = row_of(client, &clients::DELETE, &document_clients::DELETE);
    change.execute(statement, &[key]).await
}

/// What the event about its removal tells of a client.
pub(super) struct Tombstone<'a> {
    pub(super) reason: &'a str,
    pub(super) metadata: &'a str,
    /// When it was registered, or first allowed.
    pub(super) began_at: Timestamp,
    /// How many grants ended with it.
    pub(super) grants: usize,
    /// How long it had not been used, if that is the reason.
    pub(super) unused_days: Option<u64>,
}

impl Tombstone<'_> {
    /// Completes the event about the removal.
    pub(super) fn on(&self, event: EventRecord) -> EventRecord {
        let metadata = serde_json::from_str::<ClientMetadata>(self.metadata).ok();
        let name = metadata.as_ref().and_then(|metadata| metadata.client_name.as_ref());
        let mut detail = json!({
            "reason": self.reason,
            "name": name.map(ClientName::as_str),
            "registered_at": self.began_at.as_millis(),
            "grants": self.grants,
        });
        if let Some(days) = self.unused_days {
            detail["unused_days"] = days.into();
        }
        let family = metadata.as_ref().map(|metadata| FamilyKey::of(metadata).id());
        EventRecord { family, ..event.with(&detail) }
    }
}

/// Stores clients with a document that are new, or in a later state than the stored ones. Returns how many were.
pub(in crate::store) async fn import_document_clients<T: Transaction>(
    change: &mut T,
    clients: &[DocumentClientRecord],
) -> Result<usize, T::Fault> {
    change.insert(&document_clients::IMPORT, clients).await
}

pub(in crate::store) async fn put_note<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    note: Option<&str>,
) -> Result<usize, T::Fault> {
    let note = Value::Text(note.map(Into::into));
    let (statement, key) = row_of(client, &clients::SET_NOTE, &document_clients::SET_NOTE);
    change.execute(statement, &[key, note]).await
}

pub(super) async fn put_label<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    label: Option<&str>,
) -> Result<usize, T::Fault> {
    let label = Value::Text(label.map(Into::into));
    let (statement, key) = row_of(client, &clients::SET_LABEL, &document_clients::SET_LABEL);
    change.execute(statement, &[key, label]).await
}

/// Stores later uses of registered clients. Returns how many clients have one.
pub(in crate::store) async fn note_client_uses<T: Transaction>(
    change: &mut T,
    uses: &[ClientUse],
) -> Result<usize, T::Fault> {
    change.insert(&clients::NOTE_USE, uses).await
}

/// Stores later uses of clients with a document. Returns how many clients have one.
pub(in crate::store) async fn note_document_client_uses<T: Transaction>(
    change: &mut T,
    uses: &[DocumentClientUse],
) -> Result<usize, T::Fault> {
    change.insert(&document_clients::NOTE_USE, uses).await
}
