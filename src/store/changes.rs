//! Changes, each written once for both databases, over a [`Transaction`].
//!
//! A change that ends with one statement needs no `BEGIN`: its conditions are in the statement, and what it reads
//! afterwards only explains why nothing was changed. An event about a change belongs in the same transaction: its
//! insert is one more statement at the end of the function here that makes the change.

use std::slice;

use serde_json::json;

use super::{
    Allowed, ClientRecord, ClientState, ClientUse, ConsentRecord, Deleted, DocumentClientRecord,
    DocumentClientUse, EventRecord, GrantRecord, KeyKept, KeyRecord, Purchase, Redeemed, Rotated,
    Rotation, SessionId, SessionRecord, Standing, StandingChanged, Step, Transition,
    column::{Columns as _, Stored as _, Value},
    statements::{clients, consents, document_clients, events, grants, keys, sessions},
    transaction::Transaction,
};
use crate::{
    audit::{Action, Author},
    client::{ClientId, ClientIdentifier, ClientMetadata, ClientName, Scope},
    clock::Timestamp,
    family::FamilyKey,
    grant::GrantId,
    secret::SecretHash,
};

/// Whether a `DELETE` found its record.
fn deleted(rows: usize) -> Deleted {
    if rows == 0 { Deleted::NotThere } else { Deleted::Forgotten }
}

/// Stores grants that are new, or in a later state than the stored ones. Returns how many were.
pub(super) async fn keep_grants<T: Transaction>(
    change: &mut T,
    grants: &[GrantRecord],
) -> Result<usize, T::Fault> {
    change.insert(&grants::INSERT, grants).await
}

/// Redeems the code of a grant. Of all tries at one code, one wins.
///
/// When the answer of the database is lost, the caller learns that the store is unavailable, and the code may be
/// redeemed: a repeated request then counts as a second use. The user is asked once more, and no tokens go to anyone
/// else.
pub(super) async fn redeem_code<T: Transaction>(
    change: &mut T,
    id: GrantId,
    purchase: &Purchase,
    event: &EventRecord,
) -> Result<Redeemed, T::Fault> {
    let refresh = purchase.refresh.as_ref();
    let parameters = [
        id.value(),
        purchase.at.value(),
        purchase.expires_at.value(),
        refresh.map_or(SecretHash::NULL, |refresh| refresh.family.value()),
        refresh.map_or(SecretHash::NULL, |refresh| refresh.current.value()),
        refresh.map_or(Timestamp::NULL, |refresh| refresh.expires_at.value()),
    ];
    if change.record(&grants::REDEEM, &parameters, event).await? > 0 {
        return Ok(Redeemed::Now);
    }
    let found: Vec<GrantRecord> = change.select(&grants::SELECT, &[id.value()]).await?;
    Ok(if found.is_empty() { Redeemed::NotThere } else { Redeemed::Before })
}

/// Supersedes a refresh token if it is the last one of its family: the common case, and one statement. Refreshes are no
/// events; the grant counts them.
pub(super) async fn supersede_refresh_token<T: Transaction>(
    change: &mut T,
    id: GrantId,
    rotation: &Rotation,
) -> Result<bool, T::Fault> {
    let parameters = [
        id.value(),
        rotation.at.value(),
        rotation.successor.value(),
        rotation.expires_at.value(),
        rotation.family.value(),
        rotation.presented.value(),
    ];
    Ok(change.execute(&grants::SUPERSEDE, &parameters).await? > 0)
}

/// Decides about a refresh token that is not the last one of its family. `None` if it is the last one after all, because
/// the grant was changed in between.
///
/// When the answer of the database is lost, the token that was presented may be superseded: within the grace its
/// holder gets the same successor again.
pub(super) async fn repeat_or_end<T: Transaction>(
    change: &mut T,
    id: GrantId,
    rotation: &Rotation,
    by: &Author,
) -> Result<Option<Rotated>, T::Fault> {
    let found: Vec<GrantRecord> = change.select(&grants::SELECT, &[id.value()]).await?;
    let Some(grant) = found.first() else { return Ok(Some(Rotated::Refused)) };
    Ok(Some(match rotation.on(grant) {
        Step::Supersede => return Ok(None),
        Step::Refuse => Rotated::Refused,
        Step::Repeat => {
            change.execute(&grants::NOTE_GRACE, &[id.value()]).await?;
            Rotated::Succeeded
        }
        Step::Forget => {
            end_grants(change, found, &Ending::new(Action::GrantReused, "refresh_token"), by)
                .await?;
            Rotated::Reused
        }
    }))
}

/// Why grants end.
pub(super) struct Ending {
    action: Action,
    reason: &'static str,
}

impl Ending {
    pub(super) const fn new(action: Action, reason: &'static str) -> Self {
        Self { action, reason }
    }
}

/// Deletes grants, with an event for each that sums it up. Returns how many were there.
async fn end_grants<T: Transaction>(
    change: &mut T,
    grants: Vec<GrantRecord>,
    ending: &Ending,
    by: &Author,
) -> Result<usize, T::Fault> {
    let mut events = Vec::with_capacity(grants.len());
    for grant in grants {
        if change.execute(&grants::DELETE, &[grant.grant_id.value()]).await? > 0 {
            events
                .push(by.event(ending.action).about_grant(&grant).with(&summed_up(&grant, ending)));
        }
    }
    change.insert(&events::INSERT, &events).await?;
    Ok(events.len())
}

/// What the timeline of a grant tells after its end.
fn summed_up(grant: &GrantRecord, ending: &Ending) -> serde_json::Value {
    let previous = grant.refresh.as_ref().and_then(|refresh| refresh.previous);
    json!({
        "reason": ending.reason,
        "refreshes": grant.refreshes,
        "graced": grant.graced,
        "last_refreshed_at": previous.map(|(_, at)| at.as_millis()),
    })
}

pub(super) async fn revoke_grant<T: Transaction>(
    change: &mut T,
    id: GrantId,
    ending: &Ending,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let found = change.select(&grants::SELECT, &[id.value()]).await?;
    end_grants(change, found, ending, by).await.map(deleted)
}

/// Ends the consent and every grant of one subject and client. Locks the client like [`allow`]: otherwise PostgreSQL
/// could let an allowance commit between the two statements, and only its grant would end.
pub(super) async fn disconnect<T: Transaction>(
    change: &mut T,
    subject: &str,
    client: &ClientIdentifier,
    by: &Author,
) -> Result<usize, T::Fault> {
    client_state(change, client).await?;
    let key = ConsentRecord::key(subject, client);
    change.execute(&consents::EXPIRE, &[Value::bytes(&key), by.at.value()]).await?;
    let parameters = [Value::text(subject), client.value()];
    let found = change.select(&grants::SELECT_OF_SUBJECT_AND_CLIENT, &parameters).await?;
    end_grants(change, found, &Ending::new(Action::GrantRevoked, "disconnected"), by).await
}

/// Stores a grant and the consent behind it, if the client may be allowed: no operator blocks it at the same time.
/// Returns its standing otherwise.
pub(super) async fn allow<T: Transaction>(
    change: &mut T,
    allowed: &Allowed,
    by: &Author,
) -> Result<Result<(), Option<Standing>>, T::Fault> {
    let Allowed { consent, grant, document } = allowed;
    let state = match document {
        Some(document) => {
            change.insert(&document_clients::ALLOW, slice::from_ref(document)).await?;
            document_state(change, &document.url).await?
        }
        None => client_state(change, &grant.client).await?,
    };
    let Some(state) = state else { return Ok(Err(None)) };
    if !state.standing.can_be_allowed() {
        return Ok(Err(Some(state.standing)));
    }
    if state.standing == Standing::Dormant {
        let event = by.event(Action::ClientReactivated).about(&grant.client);
        put_standing(change, Standing::Active, event).await?;
    }
    change.insert(&consents::REPLACE_ALWAYS, slice::from_ref(consent)).await?;
    change.insert(&grants::INSERT, slice::from_ref(grant)).await?;
    let scope = json!({ "scope": grant.scope.as_ref().map(Scope::as_str) });
    let events = [Action::ConsentAllowed, Action::GrantIssued]
        .map(|action| by.event(action).about_grant(grant).with(&scope));
    change.insert(&events::INSERT, &events).await?;
    Ok(Ok(()))
}

async fn client_state<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
) -> Result<Option<ClientState>, T::Fault> {
    match client {
        ClientIdentifier::Registered(id) => {
            let found = change.select(&clients::SELECT_AND_LOCK, &[id.value()]).await?;
            Ok(found.into_iter().next().map(|client: ClientRecord| client.state))
        }
        ClientIdentifier::Document(url) => document_state(change, url.as_str()).await,
    }
}

async fn document_state<T: Transaction>(
    change: &mut T,
    url: &str,
) -> Result<Option<ClientState>, T::Fault> {
    let found = change.select(&document_clients::SELECT_AND_LOCK, &[Value::text(url)]).await?;
    Ok(found.into_iter().next().map(|client: DocumentClientRecord| client.state))
}

/// Writes a standing, and the event about it.
async fn put_standing<T: Transaction>(
    change: &mut T,
    standing: Standing,
    event: EventRecord,
) -> Result<(), T::Fault> {
    let (statement, key) = match &event.client {
        Some(ClientIdentifier::Registered(id)) => (&clients::SET_STANDING, id.value()),
        Some(ClientIdentifier::Document(url)) => {
            (&document_clients::SET_STANDING, Value::text(url.as_str()))
        }
        None => return Ok(()),
    };
    let mut parameters = vec![key];
    standing.write(&mut |value| parameters.push(value));
    parameters.push(event.at.value());
    change.execute(statement, &parameters).await?;
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

/// Brings a client from one of the standings of `transition` to its next. Ends every grant if people cannot use it then.
pub(super) async fn change_standing<T: Transaction>(
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
    let ended = if transition.to == Standing::Suspended {
        let found = change.select(&grants::SELECT_OF_CLIENT, &[client.value()]).await?;
        end_grants(change, found, &Ending::new(Action::GrantRevoked, "client_suspended"), by)
            .await?
    } else {
        0
    };
    let detail = json!({ "from": state.standing.as_str(), "reason": reason, "grants": ended });
    let event = by.event(transition.action).about(client).with(&detail);
    put_standing(change, transition.to, event).await?;
    Ok(StandingChanged::Now { ended })
}

/// Removes a registered client with its grants. The event stays as its tombstone.
pub(super) async fn remove_client<T: Transaction>(
    change: &mut T,
    id: ClientId,
    action: Action,
    reason: &str,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let found: Vec<ClientRecord> = change.select(&clients::SELECT_AND_LOCK, &[id.value()]).await?;
    let Some(client) = found.into_iter().next() else { return Ok(Deleted::NotThere) };
    let identifier = ClientIdentifier::Registered(id);
    let grants = change.select(&grants::SELECT_OF_CLIENT, &[identifier.value()]).await?;
    let ended =
        end_grants(change, grants, &Ending::new(Action::GrantRevoked, "client_removed"), by)
            .await?;
    change.execute(&clients::DELETE, &[id.value()]).await?;
    let metadata = serde_json::from_str::<ClientMetadata>(&client.metadata).ok();
    let name = metadata.as_ref().and_then(|metadata| metadata.client_name.as_ref());
    let detail = json!({
        "reason": reason,
        "name": name.map(ClientName::as_str),
        "registered_at": client.issued_at.as_millis(),
        "grants": ended,
    });
    let event = EventRecord {
        family: metadata.as_ref().map(|metadata| FamilyKey::of(metadata).id()),
        ..by.event(action).about(&identifier).with(&detail)
    };
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Deleted::Forgotten)
}

/// Stores clients with a document that are new, or in a later state than the stored ones. Returns how many were.
pub(super) async fn import_document_clients<T: Transaction>(
    change: &mut T,
    clients: &[DocumentClientRecord],
) -> Result<usize, T::Fault> {
    change.insert(&document_clients::IMPORT, clients).await
}

pub(super) async fn put_note<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    note: Option<&str>,
) -> Result<usize, T::Fault> {
    let note = Value::Text(note.map(Into::into));
    match client {
        ClientIdentifier::Registered(id) => {
            change.execute(&clients::SET_NOTE, &[id.value(), note]).await
        }
        ClientIdentifier::Document(url) => {
            change.execute(&document_clients::SET_NOTE, &[Value::text(url.as_str()), note]).await
        }
    }
}

/// Stores later uses of registered clients. Returns how many clients have one.
pub(super) async fn note_client_uses<T: Transaction>(
    change: &mut T,
    uses: &[ClientUse],
) -> Result<usize, T::Fault> {
    change.insert(&clients::NOTE_USE, uses).await
}

/// Stores later uses of clients with a document. Returns how many clients have one.
pub(super) async fn note_document_client_uses<T: Transaction>(
    change: &mut T,
    uses: &[DocumentClientUse],
) -> Result<usize, T::Fault> {
    change.insert(&document_clients::NOTE_USE, uses).await
}

/// Stores events alone: about what changes nothing else, as a denied consent.
pub(super) async fn record_events<T: Transaction>(
    change: &mut T,
    events: &[EventRecord],
) -> Result<usize, T::Fault> {
    change.insert(&events::INSERT, events).await
}

/// Stores consents that are new, or later than the stored ones. Returns how many were.
pub(super) async fn import_consents<T: Transaction>(
    change: &mut T,
    consents: &[ConsentRecord],
) -> Result<usize, T::Fault> {
    change.insert(&consents::REPLACE_EARLIER, consents).await
}

/// Stores sessions that are new, or live longer than the stored ones. Returns how many did.
pub(super) async fn keep_sessions<T: Transaction>(
    change: &mut T,
    sessions: &[SessionRecord],
) -> Result<usize, T::Fault> {
    change.insert(&sessions::INSERT, sessions).await
}

pub(super) async fn prolong_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
    idle_at: Timestamp,
) -> Result<(), T::Fault> {
    change.execute(&sessions::PROLONG, &[id.value(), idle_at.value()]).await.map(drop)
}

pub(super) async fn end_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let found: Vec<SessionRecord> = change.select(&sessions::SELECT, &[id.value()]).await?;
    let Some(session) = found.into_iter().next() else { return Ok(Deleted::NotThere) };
    change.execute(&sessions::DELETE, &[id.value()]).await?;
    let subject = Some(session.owner.subject);
    let event = EventRecord { subject, ..by.event(Action::SessionEnded) };
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Deleted::Forgotten)
}

/// Stores a session that begins.
pub(super) async fn begin_session<T: Transaction>(
    change: &mut T,
    session: &SessionRecord,
    by: &Author,
) -> Result<(), T::Fault> {
    change.insert(&sessions::INSERT, slice::from_ref(session)).await?;
    let subject = Some(session.owner.subject.clone());
    let event = EventRecord { subject, ..by.event(Action::SigninSucceeded) };
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

/// Stores a key if the newest stored one is still `newest`.
pub(super) async fn keep_key<T: Transaction>(
    change: &mut T,
    key: &KeyRecord,
    newest: Option<&str>,
    by: &Author,
) -> Result<KeyKept, T::Fault> {
    let newest = Value::Text(Some(newest.unwrap_or_default().into()));
    let KeyRecord { key_id, algorithm, made_at, sealed } = key;
    let parameters = [key_id.value(), algorithm.value(), made_at.value(), sealed.value(), newest];
    if change.execute(&keys::KEEP, &parameters).await? == 0 {
        return Ok(KeyKept::TooLate);
    }
    let detail = json!({ "key": key.key_id, "algorithm": key.algorithm });
    let event = by.event(Action::KeyMade).with(&detail);
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(KeyKept::Kept)
}

/// Stores keys that are new. Returns how many were.
pub(super) async fn import_keys<T: Transaction>(
    change: &mut T,
    keys: &[KeyRecord],
) -> Result<usize, T::Fault> {
    change.insert(&keys::IMPORT, keys).await
}

pub(super) async fn forget_key<T: Transaction>(
    change: &mut T,
    key_id: &String,
    by: &Author,
) -> Result<(), T::Fault> {
    if change.execute(&keys::FORGET, &[key_id.value()]).await? == 0 {
        return Ok(());
    }
    let event = by.event(Action::KeyDiscarded).with(&json!({ "key": key_id }));
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}
