//! What operators decide about families.

use std::slice;

use serde_json::json;

use super::{
    families::{add_arrivals_of, family_decision, lock_family},
    grants::{Ending, end_grants},
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::ClientIdentifier,
    family::FamilyId,
    store::{
        EventRecord, FamilyEdit, FamilyEdited, FamilyRecord, FamilyRemoval, GrantRecord,
        RemovalBeginning, Standing, Transition,
        column::{Columns as _, Stored as _},
        family_record::GrantsOf,
        statements::{events, families},
        transaction::Transaction,
    },
};

/// Makes an edit, if the family is in one of its versions: it stays locked until the transaction ends. Grants are ended
/// afterwards, a page of clients a change.
pub(in crate::store) async fn edit_family<T: Transaction>(
    change: &mut T,
    id: FamilyId,
    edit: &FamilyEdit,
    by: &Author,
) -> Result<FamilyEdited, T::Fault> {
    lock_family(change, &families::LOCK, id).await?;
    add_arrivals_of(change, id).await?;
    let found: Vec<FamilyRecord> = change.select(&families::SELECT_AND_LOCK, &[id.value()]).await?;
    let Some(family) = found.first() else { return Ok(FamilyEdited::NotThere) };
    if !family.is_in(edit.versions.as_deref()) {
        return Ok(FamilyEdited::Superseded);
    }
    let transition = match edit.is_suspended {
        Some(true) => Some(&Transition::SUSPEND_FAMILY),
        Some(false) => Some(&Transition::RESUME_FAMILY),
        None => None,
    };
    let transition = transition.filter(|it| it.from.contains(&family.standing));
    if let Some(transition) = transition {
        change_standing(change, family, transition, edit.reason.as_deref(), by).await?;
    }
    let ceiling = edit.ceiling.as_ref().filter(|ceiling| **ceiling != family.ceiling);
    if let Some(ceiling) = ceiling {
        change_ceiling(change, family, ceiling.as_ref(), edit.reason.as_deref(), by).await?;
    }
    Ok(FamilyEdited::Now { is_changed: transition.is_some() || ceiling.is_some(), ended: 0 })
}

/// Begins to remove the clients of a family, if it is in one of its versions. Leaves an event if there are any. Returns
/// whether it may begin.
pub(in crate::store) async fn begin_removal<T: Transaction>(
    change: &mut T,
    id: FamilyId,
    removal: &FamilyRemoval,
    has_clients: bool,
    by: &Author,
) -> Result<bool, T::Fault> {
    add_arrivals_of(change, id).await?;
    let found: Vec<FamilyRecord> = change.select(&families::SELECT_AND_LOCK, &[id.value()]).await?;
    let Some(family) = found.first() else { return Ok(true) };
    if !family.is_in(removal.versions.as_deref()) {
        return Ok(false);
    }
    if has_clients {
        leave_beginning(change, family, removal, by).await?;
    }
    Ok(true)
}

async fn leave_beginning<T: Transaction>(
    change: &mut T,
    family: &FamilyRecord,
    removal: &FamilyRemoval,
    by: &Author,
) -> Result<(), T::Fault> {
    let detail =
        json!({ "family": family.key, "reason": removal.reason, "clients": family.clients });
    let mut event = by.event(Action::FamilyRemoved).with(&detail);
    match removal.beginning {
        RemovalBeginning::New => {}
        RemovalBeginning::Named(id) => event.event_id = id,
        RemovalBeginning::Earlier => return Ok(()),
    }
    let event = EventRecord { family: Some(family.family_id), ..event };
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

async fn change_standing<T: Transaction>(
    change: &mut T,
    family: &FamilyRecord,
    transition: &Transition,
    reason: Option<&str>,
    by: &Author,
) -> Result<(), T::Fault> {
    let mut parameters = vec![family.family_id.value()];
    transition.to.write(&mut |value| parameters.push(value));
    parameters.push(by.at.value());
    change.execute(&families::SET_STANDING, &parameters).await?;
    let detail = json!({
        "family": family.key,
        "from": family.standing.as_str(),
        "reason": reason,
        "clients": family.clients,
    });
    let event = by.event(transition.action).with(&detail);
    let event = EventRecord { family: Some(family.family_id), ..event };
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

async fn change_ceiling<T: Transaction>(
    change: &mut T,
    family: &FamilyRecord,
    ceiling: Option<&Ceiling>,
    reason: Option<&str>,
    by: &Author,
) -> Result<(), T::Fault> {
    let value = ceiling.map_or(Ceiling::NULL, Ceiling::value);
    change.execute(&families::SET_CEILING, &[family.family_id.value(), value]).await?;
    let detail = json!({
        "family": family.key,
        "from": family.ceiling,
        "to": ceiling,
        "reason": reason,
    });
    let event = by.event(Action::FamilyRestricted).with(&detail);
    let event = EventRecord { family: Some(family.family_id), ..event };
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}

/// Ends the grants of these clients of a family that its decision forbids: every one while it is suspended, else those
/// with a scope above its ceiling. Returns how many there were.
pub(in crate::store) async fn end_grants_of_clients<T: Transaction>(
    change: &mut T,
    family: FamilyId,
    clients: &[ClientIdentifier],
    by: &Author,
) -> Result<usize, T::Fault> {
    let decided = family_decision(change, Some(family), None).await?;
    let is_suspended = decided.standing == Standing::Suspended;
    if !is_suspended && decided.ceiling.is_none() {
        return Ok(0);
    }
    let clients: Vec<GrantsOf> =
        clients.iter().map(|client| GrantsOf { client: client.clone() }).collect();
    let mut found: Vec<GrantRecord> =
        change.select_each(&families::SELECT_GRANTS_OF_EACH, &clients).await?;
    found.retain(|grant| {
        is_suspended || Ceiling::forbids(decided.ceiling.as_ref(), grant.scope.as_ref())
    });
    let ending = if is_suspended { Ending::FAMILY_SUSPENDED } else { Ending::FAMILY_RESTRICTED };
    end_grants(change, found, &ending, by).await
}
