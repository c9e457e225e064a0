//! Grants and the consents behind them.

use std::slice;

use serde_json::json;

use super::{
    clients::{client_state, document_state, put_standing},
    deleted,
    families::{Decided, family_decision, lock_family},
};
use crate::store::{
    Allowed, ClientRecord, ClientState, ConsentRecord, Deleted, DocumentClientRecord, EventRecord,
    GrantRecord, NotAllowed, Purchase, Redeemed, Rotated, Rotation, SessionRecord, Standing, Step,
    column::{Stored as _, Value},
    family_record::family_of,
    statements::{clients, consents, document_clients, events, families, grants, sessions},
    transaction::Transaction,
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    grant::GrantId,
    secret::SecretHash,
};

/// Stores grants that are new, or in a later state than the stored ones. Returns how many were.
pub(in crate::store) async fn keep_grants<T: Transaction>(
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
pub(in crate::store) async fn redeem_code<T: Transaction>(
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
    if change.exchange(&grants::REDEEM, &parameters, Some(event)).await? {
        return Ok(Redeemed::Now);
    }
    let found: Vec<GrantRecord> = change.select(&grants::SELECT, &[id.value()]).await?;
    Ok(if found.is_empty() { Redeemed::NotThere } else { Redeemed::Before })
}

/// Supersedes a refresh token if it is the last one of its family: the common case, and one statement. Refreshes are no
/// events; the grant counts them.
pub(in crate::store) async fn supersede_refresh_token<T: Transaction>(
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
    change.exchange(&grants::SUPERSEDE, &parameters, None).await
}

/// Decides about a refresh token that is not the last one of its family. `None` if it is the last one after all, because
/// the grant was changed in between.
///
/// When the answer of the database is lost, the token that was presented may be superseded: within the grace its
/// holder gets the same successor again.
pub(in crate::store) async fn repeat_or_end<T: Transaction>(
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
            Rotated::Repeated
        }
        Step::Forget => {
            end_grants(change, found, &Ending::new(Action::GrantReused, "refresh_token"), by)
                .await?;
            Rotated::Reused
        }
    }))
}

/// Why grants end.
pub(in crate::store) struct Ending {
    action: Action,
    reason: &'static str,
}

impl Ending {
    /// Time has ended it.
    pub(super) const EXPIRED: Self = Self::new(Action::GrantExpired, "expired");

    /// Its client is gone.
    pub(super) const ORPHANED: Self = Self::new(Action::GrantRevoked, "client_removed");

    /// An operator suspended the family of its client.
    pub(super) const FAMILY_SUSPENDED: Self = Self::new(Action::GrantRevoked, "family_suspended");

    /// An operator restricted the family of its client to other scopes.
    pub(super) const FAMILY_RESTRICTED: Self = Self::new(Action::GrantRevoked, "family_restricted");

    pub(in crate::store) const fn new(action: Action, reason: &'static str) -> Self {
        Self { action, reason }
    }

    /// What the timeline of a grant tells after its end. A grant that expired before its code was redeemed leaves no
    /// event: the one about its issue says enough.
    pub(super) fn event(&self, grant: &GrantRecord, by: &Author) -> Option<EventRecord> {
        let is_untold = self.action == Action::GrantExpired && grant.code.redeemed_at.is_none();
        let event = || by.event(self.action).about_grant(grant).with(&summed_up(grant, self));
        (!is_untold).then(event)
    }
}

/// Deletes grants, with an event for each that sums it up. Returns how many were there.
pub(super) async fn end_grants<T: Transaction>(
    change: &mut T,
    mut grants: Vec<GrantRecord>,
    ending: &Ending,
    by: &Author,
) -> Result<usize, T::Fault> {
    // Groups of exchanges lock grants in this order, too.
    grants.sort_by_key(|grant| grant.grant_id);
    let mut ended = Vec::with_capacity(grants.len());
    for grant in grants {
        if change.execute(&grants::DELETE, &[grant.grant_id.value()]).await? > 0 {
            ended.push(grant);
        }
    }
    let events: Vec<_> = ended.iter().filter_map(|grant| ending.event(grant, by)).collect();
    change.insert(&events::INSERT, &events).await?;
    Ok(ended.len())
}

pub(super) async fn end_grants_of_client<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    ending: &Ending,
    by: &Author,
) -> Result<usize, T::Fault> {
    let found = change.select(&grants::SELECT_OF_CLIENT, &[client.value()]).await?;
    end_grants(change, found, ending, by).await
}

fn summed_up(grant: &GrantRecord, ending: &Ending) -> serde_json::Value {
    let previous = grant.refresh.as_ref().and_then(|refresh| refresh.previous);
    json!({
        "reason": ending.reason,
        "refreshes": grant.refreshes,
        "graced": grant.graced,
        "last_refreshed_at": previous.map(|(_, at)| at.as_millis()),
    })
}

pub(in crate::store) async fn revoke_grant<T: Transaction>(
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
pub(in crate::store) async fn disconnect<T: Transaction>(
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

/// Stores a grant and the consent behind it, if the client may be allowed: no operator blocks or restricts it, or ends the
/// access of the person, at the same time.
pub(in crate::store) async fn allow<T: Transaction>(
    change: &mut T,
    allowed: &Allowed,
    by: &Author,
) -> Result<Result<(), NotAllowed>, T::Fault> {
    let Allowed { consent, grant, document, session } = allowed;
    if let Some(session) = session {
        let parameters = [session.value()];
        let lasts: Vec<SessionRecord> =
            change.select(&sessions::SELECT_AND_SHARE, &parameters).await?;
        if lasts.is_empty() {
            return Ok(Err(NotAllowed::SignedOut));
        }
    }
    let Some((state, of_family)) = standings(change, grant, document.as_ref()).await? else {
        return Ok(Err(NotAllowed::NotThere));
    };
    for standing in [state.standing, of_family.standing] {
        if !standing.is_usable() {
            return Ok(Err(NotAllowed::Standing(standing)));
        }
    }
    let scope = grant.scope.as_ref();
    if state.forbids(scope) || Ceiling::forbids(of_family.ceiling.as_ref(), scope) {
        return Ok(Err(NotAllowed::Ceiling));
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

/// The state of the client of a grant, and the standing of its family: neither changes until the transaction ends.
async fn standings<T: Transaction>(
    change: &mut T,
    grant: &GrantRecord,
    document: Option<&DocumentClientRecord>,
) -> Result<Option<(ClientState, Decided)>, T::Fault> {
    if let Some(document) = document {
        change.insert(&document_clients::ALLOW, slice::from_ref(document)).await?;
        let state = document_state(change, &document.url).await?;
        let family = family_of(&document.metadata);
        if let Some(family) = family {
            lock_family(change, &families::SHARE, family).await?;
        }
        let of_family = family_decision(change, family, None).await?;
        return Ok(state.map(|state| (state, of_family)));
    }
    let ClientIdentifier::Registered(id) = &grant.client else { return Ok(None) };
    let found: Vec<ClientRecord> = change.select(&clients::SELECT_AND_LOCK, &[id.value()]).await?;
    let Some(client) = found.into_iter().next() else { return Ok(None) };
    let family = family_of(&client.metadata);
    let of_family = family_decision(change, family, Some(&client)).await?;
    Ok(Some((client.state, of_family)))
}

/// Stores consents that are new, or later than the stored ones. Returns how many were.
pub(in crate::store) async fn import_consents<T: Transaction>(
    change: &mut T,
    consents: &[ConsentRecord],
) -> Result<usize, T::Fault> {
    change.insert(&consents::REPLACE_EARLIER, consents).await
}
