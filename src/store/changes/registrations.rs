//! What clients do with their own registration (RFC 7592).

use std::slice;

use serde_json::json;

use super::{
    clients::{locked, put_standing, remove_locked},
    families::{change_family, lock_families},
    grants::{Ending, end_grants, end_grants_of_client},
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, ClientMetadata},
    family::{FamilyId, FamilyKey},
    store::{
        ClientRecord, ClientRegistration, ClientTerms, ClientUpdate, EventRecord, Generation,
        GrantRecord, Standing, Updated,
        column::{Columns as _, Stored as _},
        family_record::family_of,
        statements::{clients, events, grants},
        transaction::Transaction,
    },
};

/// Replaces what a client registered, if `update` has the current generation. A change that is held makes the client
/// pending and ends its grants: otherwise a client could be approved as one app, and become another.
///
/// When the answer of the database is lost, the client learns that the store is unavailable and may have a new token
/// that it does not know: it registers again.
pub(in crate::store) async fn update_registration<T: Transaction>(
    change: &mut T,
    update: &ClientUpdate,
    by: &Author,
) -> Result<Updated<ClientRegistration>, T::Fault> {
    let Some(client) = of_generation(change, update.client_id, update.generation).await? else {
        return Ok(Updated::NotThere);
    };
    let standing = client.state.standing;
    let family = family_of(&client.metadata);
    let updated =
        ClientRecord { metadata: update.metadata.clone(), flags: update.flags, ..client.clone() };
    let [of_family, of_joined] = lock_families(change, family, Some(&updated)).await?;
    for standing in [standing, of_family] {
        if !standing.is_usable() {
            return Ok(Updated::Is(standing));
        }
    }
    let (before, after) = (members(&client.metadata), members(&update.metadata));
    let changes = Changes::between(&before, &after);
    let before_update = client.registration.clone();
    let registration = ClientRegistration {
        generation: update.generation.next(),
        changed_at: if changes.need_consent { Some(by.at) } else { before_update.changed_at },
        ..before_update
    };
    let mut parameters =
        vec![client.client_id.value(), update.metadata.value(), update.flags.value()];
    registration.generation.write(&mut |value| parameters.push(value));
    registration.changed_at.write(&mut |value| parameters.push(value));
    let is_of_operator = |label: &String| Some(label) != update.label_before.as_ref();
    let kept = client.state.terms.label.clone().filter(is_of_operator);
    let label = update.terms.label.clone().or(kept);
    let terms = ClientTerms { label, ..update.terms.clone() };
    terms.write(&mut |value| parameters.push(value));
    change.execute(&clients::UPDATE_REGISTRATION, &parameters).await?;
    change_family(change, family, &updated).await?;
    let identifier = client.client_id.into();
    if update.terms.ceiling != client.state.terms.ceiling {
        end_grants_above(change, &identifier, update.terms.ceiling.as_ref(), by).await?;
    }
    if !of_joined.is_usable() {
        end_grants_of_client(change, &identifier, &Ending::FAMILY_SUSPENDED, by).await?;
    }
    let event = by.event(Action::ClientUpdated).about(&identifier);
    let event = EventRecord { family: changes.family, ..event };
    if !update.is_held || changes.members.is_empty() {
        let event = event.with(&json!({ "changed": changes.members }));
        change.insert(&events::INSERT, slice::from_ref(&event)).await?;
        return Ok(Updated::Now(registration));
    }
    let ending = Ending::new(Action::GrantRevoked, "client_held");
    let ended = end_grants_of_client(change, &identifier, &ending, by).await?;
    let detail = json!({ "changed": changes.members, "to": "pending", "grants": ended });
    put_standing(change, Standing::Pending, event.with(&detail)).await?;
    Ok(Updated::Now(registration))
}

/// Ends the grants that have a scope above the ceiling of the rule that lets the client in now.
async fn end_grants_above<T: Transaction>(
    change: &mut T,
    client: &ClientIdentifier,
    ceiling: Option<&Ceiling>,
    by: &Author,
) -> Result<(), T::Fault> {
    let mut found: Vec<GrantRecord> =
        change.select(&grants::SELECT_OF_CLIENT, &[client.value()]).await?;
    found.retain(|grant| Ceiling::forbids(ceiling, grant.scope.as_ref()));
    let ending = Ending::new(Action::GrantRevoked, "client_restricted");
    end_grants(change, found, &ending, by).await.map(drop)
}

/// Removes a client on its own request. One that is suspended, or of a suspended family, stays for its operator to look
/// at.
pub(in crate::store) async fn remove_registration<T: Transaction>(
    change: &mut T,
    id: ClientId,
    generation: Generation,
    by: &Author,
) -> Result<Updated<()>, T::Fault> {
    let Some(client) = of_generation(change, id, generation).await? else {
        return Ok(Updated::NotThere);
    };
    let [of_family, _] = lock_families(change, family_of(&client.metadata), None).await?;
    if [client.state.standing, of_family].contains(&Standing::Suspended) {
        return Ok(Updated::Is(Standing::Suspended));
    }
    remove_locked(change, client, Action::ClientRemoved, "by_client", by).await?;
    Ok(Updated::Now(()))
}

async fn of_generation<T: Transaction>(
    change: &mut T,
    id: ClientId,
    generation: Generation,
) -> Result<Option<ClientRecord>, T::Fault> {
    let client = locked(change, id).await?;
    Ok(client.filter(|client| client.registration.generation == generation))
}

/// What an update changes.
struct Changes<'a> {
    /// The names of the members.
    members: Vec<&'a str>,
    /// Whether people have to decide again: by name and redirect URIs they know a client.
    need_consent: bool,
    /// The family from now on.
    family: Option<FamilyId>,
}

impl<'a> Changes<'a> {
    fn between(before: &'a Document, after: &'a Document) -> Self {
        let changed = before
            .keys()
            .chain(after.keys())
            .filter(|name| before.get(*name) != after.get(*name))
            // Not the language tags, which a client chooses.
            .map(|name| name.split('#').next().unwrap_or_default());
        let mut members: Vec<&str> = changed.collect();
        members.sort_unstable();
        members.dedup();
        let metadata = serde_json::from_value::<ClientMetadata>(after.clone().into()).ok();
        Self {
            need_consent: ["client_name", "redirect_uris"].iter().any(|it| members.contains(it)),
            family: metadata.map(|metadata| FamilyKey::of(&metadata).id()),
            members,
        }
    }
}

type Document = serde_json::Map<String, serde_json::Value>;

/// The members of stored metadata.
fn members(metadata: &str) -> Document {
    serde_json::from_str(metadata).unwrap_or_default()
}
