//! Families: counting their clients.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{
    ClientRecord, FamilyAccess, FamilyClient, FamilyRecord, Standing,
    column::{Columns as _, Stored as _, Value},
    family_record::{ClientRef, Counted, FamilyRef, counted, family_of},
    statements::families,
    transaction::Transaction,
};
use crate::{ceiling::Ceiling, client::ClientId, clock::Timestamp, family::FamilyId};

/// Reads the clients of these identifiers.
pub(in crate::store) async fn clients_of<T: Transaction>(
    change: &mut T,
    ids: &[ClientRef],
) -> Result<Vec<ClientRecord>, T::Fault> {
    change.select_each(&families::SELECT_EACH_CLIENT, ids).await
}

/// Counts clients in their families: each once, however often it is handed over, and by however many nodes. With
/// `again`, also what is known of those that are counted adds up once more, which changes nothing unless it was lost.
/// `mark` tells that every client of an earlier time is counted then. Returns how many clients were new.
pub(in crate::store) async fn count_in_families<T: Transaction>(
    change: &mut T,
    counted: &[Counted],
    again: bool,
    mark: Option<Timestamp>,
) -> Result<usize, T::Fault> {
    let mut members = Vec::new();
    for Counted { seen, members: clients } in counted {
        let family_id = seen.family_id;
        members.extend(clients.iter().map(|id| FamilyClient { family_id, client_id: *id }));
    }
    let new = change.insert_new(&families::IS_CLIENT, &families::JOIN, &members).await?;
    let mut of_family: BTreeMap<FamilyId, u64> = BTreeMap::new();
    for client in &new {
        *of_family.entry(client.family_id).or_default() += 1;
    }
    let seen = counted.iter().filter_map(|Counted { seen, .. }| {
        let clients = of_family.get(&seen.family_id).copied().unwrap_or_default();
        let family = || FamilyRecord { clients, ..seen.clone() };
        (clients > 0 || again).then(|| (seen.family_id, family()))
    });
    let seen: BTreeMap<FamilyId, FamilyRecord> = seen.collect();
    add_to_families(change, seen).await?;
    if let Some(mark) = mark {
        change.execute(&families::PUT_MARK, &[mark.value()]).await?;
    }
    Ok(new.len())
}

/// Adds what was seen of clients to the rows of their families. Rows are made first, then locked in one order: two nodes
/// that add to one family do it one after the other.
async fn add_to_families<T: Transaction>(
    change: &mut T,
    seen: BTreeMap<FamilyId, FamilyRecord>,
) -> Result<(), T::Fault> {
    if seen.is_empty() {
        return Ok(());
    }
    let empty: Vec<FamilyRecord> =
        seen.values().map(|family| FamilyRecord { clients: 0, ..family.clone() }).collect();
    change.insert(&families::BEGIN, &empty).await?;
    let keys: Vec<FamilyRef> =
        seen.keys().map(|family_id| FamilyRef { family_id: *family_id }).collect();
    let mut stored: Vec<FamilyRecord> =
        change.select_each(&families::SELECT_AND_LOCK_EACH, &keys).await?;
    for family in &mut stored {
        if let Some(seen) = seen.get(&family.family_id) {
            family.add(seen);
        }
    }
    change.insert(&families::PUT, &stored).await.map(drop)
}

/// Counts a client no more in its family.
pub(super) async fn leave_family<T: Transaction>(
    change: &mut T,
    member: FamilyClient,
    is_removed: bool,
) -> Result<(), T::Fault> {
    let FamilyClient { family_id, client_id } = &member;
    if change.execute(&families::LEAVE, &[family_id.value(), client_id.value()]).await? > 0 {
        let removed = u64::from(is_removed);
        change.execute(&families::LOSE, &[family_id.value(), removed.value()]).await?;
    }
    Ok(())
}

/// Counts a client that changed in the family that it has now. `before` is the family that it had.
pub(super) async fn change_family<T: Transaction>(
    change: &mut T,
    before: Option<FamilyId>,
    client: &ClientRecord,
) -> Result<(), T::Fault> {
    let counted = counted([client]);
    if let Some(family_id) = before
        && counted.first().map(|counted| counted.seen.family_id) != before
    {
        let member = FamilyClient { family_id, client_id: client.client_id };
        leave_family(change, member, false).await?;
    }
    count_in_families(change, &counted, true, None).await.map(drop)
}

/// What an operator decided about a family.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) standing: Standing,
    pub(super) ceiling: Option<Ceiling>,
}

/// What is decided about the family of a client that a person is about to allow, which does not change until the
/// transaction ends. A registered client is counted at once, so that a suspension or restriction of the family finds its grants.
pub(super) async fn family_decision<T: Transaction>(
    change: &mut T,
    family: Option<FamilyId>,
    client: Option<&ClientRecord>,
) -> Result<Decided, T::Fault> {
    let Some(family) = family else { return Ok(Decided::default()) };
    count_in_families(change, &counted(client), false, None).await?;
    let found = change.select(&families::SELECT_AND_SHARE, &[family.value()]).await?;
    let decided = found
        .into_iter()
        .next()
        .map(|family: FamilyRecord| Decided { standing: family.standing, ceiling: family.ceiling });
    Ok(decided.unwrap_or_default())
}

/// Locks families in the order of [`add_to_families`]. Returns those that exist.
pub(super) async fn lock_each<T: Transaction>(
    change: &mut T,
    families: BTreeSet<FamilyId>,
) -> Result<Vec<FamilyRecord>, T::Fault> {
    let keys: Vec<FamilyRef> =
        families.into_iter().map(|family_id| FamilyRef { family_id }).collect();
    change.select_each(&families::SELECT_AND_LOCK_EACH, &keys).await
}

/// Locks the family of a client and the one that it joins, which are counted anew then, and returns their standings.
/// Rows are made first and locked in one order, as [`add_to_families`] does: from a shared lock, or in another order, two
/// changes would wait for each other.
pub(super) async fn lock_families<T: Transaction>(
    change: &mut T,
    family: Option<FamilyId>,
    joined: Option<&ClientRecord>,
) -> Result<[Standing; 2], T::Fault> {
    let joined = counted(joined).pop().map(|counted| counted.seen);
    change.insert(&families::BEGIN, joined.as_slice()).await?;
    let both = [family, joined.map(|joined| joined.family_id)];
    let locked = lock_each(change, both.into_iter().flatten().collect()).await?;
    Ok(both.map(|id| {
        let of_id = locked.iter().find(|family| Some(family.family_id) == id);
        of_id.map_or(Standing::Active, |family| family.standing)
    }))
}

/// Stores what was counted of the use of a family.
pub(in crate::store) async fn put_family_use<T: Transaction>(
    change: &mut T,
    id: FamilyId,
    access: FamilyAccess,
    used_at: Option<Timestamp>,
) -> Result<usize, T::Fault> {
    let used_at = used_at.map_or(Timestamp::NULL, Value::moment);
    change.execute(&families::SET_USE, &[id.value(), access.people.value(), used_at]).await
}

/// Counts those clients no more that do not exist, or belong to another family. Returns how many.
pub(in crate::store) async fn check_members<T: Transaction>(
    change: &mut T,
    members: &[FamilyClient],
) -> Result<usize, T::Fault> {
    let clients: Vec<ClientRef> =
        members.iter().map(|member| ClientRef { client_id: member.client_id }).collect();
    let found: Vec<ClientRecord> =
        change.select_each(&families::SELECT_EACH_CLIENT, &clients).await?;
    let families: BTreeMap<ClientId, Option<FamilyId>> =
        found.iter().map(|client| (client.client_id, family_of(&client.metadata))).collect();
    let mut gone = 0;
    for member in members {
        let family = families.get(&member.client_id).copied().flatten();
        if family != Some(member.family_id) {
            leave_family(change, *member, false).await?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Counts the clients of a family anew.
pub(in crate::store) async fn recount_family<T: Transaction>(
    change: &mut T,
    id: FamilyId,
) -> Result<(), T::Fault> {
    let _locked: Vec<FamilyRecord> =
        change.select(&families::SELECT_AND_LOCK, &[id.value()]).await?;
    change.execute(&families::COUNT_CLIENTS, &[id.value()]).await.map(drop)
}

/// Stores families of another store: what was seen adds up, and the later decision stays. Clients are counted when they
/// are imported. Returns how many families were new or changed.
pub(in crate::store) async fn import_families<T: Transaction>(
    change: &mut T,
    imported: &[FamilyRecord],
) -> Result<usize, T::Fault> {
    let seen: BTreeMap<FamilyId, FamilyRecord> = imported
        .iter()
        .map(|family| (family.family_id, FamilyRecord { clients: 0, ..family.clone() }))
        .collect();
    add_to_families(change, seen).await?;
    let mut changed = 0;
    for family in imported {
        let id = family.family_id;
        let stored: Vec<FamilyRecord> =
            change.select(&families::SELECT_AND_LOCK, &[id.value()]).await?;
        let Some(stored) = stored.first() else { continue };
        let removed = stored.removed.max(family.removed);
        let decided = if stored.standing_at < family.standing_at { family } else { stored };
        let ceiling = decided.ceiling.as_ref().or(stored.ceiling.as_ref());
        let ceiling = ceiling.or(family.ceiling.as_ref());
        if decided.standing_at == stored.standing_at
            && removed == stored.removed
            && ceiling == stored.ceiling.as_ref()
        {
            continue;
        }
        let mut parameters = vec![id.value()];
        decided.standing.write(&mut |value| parameters.push(value));
        decided.standing_at.write(&mut |value| parameters.push(value));
        parameters.push(removed.value());
        parameters.push(ceiling.map_or(Ceiling::NULL, Ceiling::value));
        changed += change.execute(&families::PUT_DECISION, &parameters).await?;
    }
    Ok(changed)
}
