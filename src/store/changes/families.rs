//! Families: counting their clients.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{
    ClientRecord, FamilyAccess, FamilyClient, FamilyRecord, Standing, StoreError,
    arrival::ArrivalRecord,
    column::{Columns as _, Stored as _, Value, first_after},
    family_record::{ClientRef, Counted, FamilyRef, Number, counted, family_of},
    readable::Readable,
    sql::Statement,
    statements::{clients, families},
    transaction::Transaction,
};
use crate::{ceiling::Ceiling, client::ClientId, clock::Timestamp, family::FamilyId};

/// How many arrivals one change adds.
pub(in crate::store) const ARRIVALS_AT_ONCE: usize = 200;

/// A change that has added arrivals of this many clients adds no more: registrations wait for it.
const CLIENTS_AT_ONCE: u64 = 2_000;

/// Finds the family of clients that have none yet, and counts them there: each once, however often it is handed over, and
/// by however many nodes. With `again`, also what is known of those that have one adds up once more, which changes nothing
/// unless it was lost. Returns how many clients were new.
pub(in crate::store) async fn count_in_families<T: Transaction>(
    change: &mut T,
    counted: &[Counted],
    again: bool,
) -> Result<usize, T::Fault> {
    let mut members = Vec::new();
    for Counted { seen, members: clients } in counted {
        let family_id = seen.family_id;
        members.extend(clients.iter().map(|id| FamilyClient { family_id, client_id: *id }));
    }
    let joined = change.change_each(&families::JOIN, &members).await?;
    let mut of_family: BTreeMap<FamilyId, u64> = BTreeMap::new();
    for client in &joined {
        *of_family.entry(client.family_id).or_default() += 1;
    }
    let seen = counted.iter().filter_map(|Counted { seen, .. }| {
        let clients = of_family.get(&seen.family_id).copied().unwrap_or_default();
        (clients > 0 || again).then(|| FamilyRecord { clients, ..seen.clone() })
    });
    let seen: Vec<FamilyRecord> = seen.collect();
    add_to_families(change, seen).await?;
    Ok(joined.len())
}

/// What became of arrivals.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// When the first of their clients registered.
    pub(crate) first: Option<Timestamp>,
    /// Behind which further ones may wait; `None` if these were the last.
    pub(crate) next: Option<ClientId>,
    /// How many families were told.
    pub(crate) arrivals: usize,
    /// Rows that cannot be read, and why: arrivals that wait, and families whose arrivals wait.
    pub(crate) unreadable: Vec<StoreError>,
}

/// Tells families of the clients that arrived first, from `first` on, [`ARRIVALS_AT_ONCE`] arrivals at most.
pub(in crate::store) async fn add_arrivals<T: Transaction>(
    change: &mut T,
    first: [u8; 16],
) -> Result<Arrived, T::Fault> {
    let parameters = [Value::Id(first), Value::limit(ARRIVALS_AT_ONCE)];
    let rows = change.select(&families::SELECT_ARRIVALS, &parameters).await?;
    add(change, rows).await
}

/// The same of one family, behind `after`.
pub(in crate::store) async fn add_some_arrivals_of<T: Transaction>(
    change: &mut T,
    family: FamilyId,
    after: Option<ClientId>,
) -> Result<Arrived, T::Fault> {
    let Some(first) = first_after(after) else { return Ok(Arrived::default()) };
    let parameters = [family.value(), Value::Id(first), Value::limit(ARRIVALS_AT_ONCE)];
    let rows = change.select(&families::SELECT_ARRIVALS_OF, &parameters).await?;
    add(change, rows).await
}

/// Adds all arrivals of a family to it. Where many can wait, the caller has added most of them in earlier changes
/// (`Store::add_all_arrivals_of`).
pub(super) async fn add_arrivals_of<T: Transaction>(
    change: &mut T,
    family: FamilyId,
) -> Result<(), T::Fault> {
    let mut after = None;
    loop {
        after = add_some_arrivals_of(change, family, after).await?.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn add<T: Transaction>(
    change: &mut T,
    rows: Vec<Readable<ArrivalRecord>>,
) -> Result<Arrived, T::Fault> {
    let mut told = Arrived::default();
    let (mut arrivals, mut clients) = (Vec::new(), 0_u64);
    for (before, row) in rows.into_iter().enumerate() {
        match row.record {
            Ok(arrival) => {
                clients = clients.saturating_add(arrival.clients);
                arrivals.push(arrival);
            }
            Err(error) => told.unreadable.push(error),
        }
        if before + 1 == ARRIVALS_AT_ONCE || clients >= CLIENTS_AT_ONCE {
            told.next = row.id.map(ClientId::from_bytes);
            break;
        }
    }
    told.first = arrivals.first().map(|arrival| arrival.first_seen_at);
    let unreadable =
        add_to_families(change, arrivals.iter().cloned().map(ArrivalRecord::seen)).await?;
    arrivals.retain(|arrival| !unreadable.contains_key(&arrival.family_id));
    told.unreadable.extend(unreadable.into_values());
    told.arrivals = arrivals.len();
    let added: Vec<ClientRef> =
        arrivals.iter().map(|arrival| ClientRef { client_id: arrival.client_id }).collect();
    change.insert(&families::FORGET_ARRIVALS, &added).await?;
    Ok(told)
}

/// Adds what was seen of clients to the rows of their families. Rows are made first, then locked in one order: two nodes
/// that add to one family do it one after the other. A family whose row cannot be read stays as it is: returns those.
async fn add_to_families<T: Transaction>(
    change: &mut T,
    all: impl IntoIterator<Item = FamilyRecord>,
) -> Result<BTreeMap<FamilyId, StoreError>, T::Fault> {
    let mut seen: BTreeMap<FamilyId, FamilyRecord> = BTreeMap::new();
    for family in all {
        match seen.get_mut(&family.family_id) {
            Some(together) => together.add(&family),
            None => drop(seen.insert(family.family_id, family)),
        }
    }
    let mut unreadable = BTreeMap::new();
    if seen.is_empty() {
        return Ok(unreadable);
    }
    let all: Vec<FamilyRecord> = seen.values().cloned().collect();
    for begun in change.change_each(&families::BEGIN, &all).await? {
        seen.remove(&begun.family_id);
    }
    let keys: Vec<FamilyRef> =
        seen.keys().map(|family_id| FamilyRef { family_id: *family_id }).collect();
    let rows: Vec<Readable<FamilyRecord>> =
        change.select_each(&families::SELECT_AND_LOCK_EACH, &keys).await?;
    let mut stored = Vec::new();
    for Readable { id, record } in rows {
        match record {
            Ok(mut family) => {
                if let Some(seen) = seen.get(&family.family_id) {
                    family.add(seen);
                }
                stored.push(family);
            }
            Err(error) => {
                unreadable.extend(id.map(|id| (FamilyId::from_bytes(id), error)));
            }
        }
    }
    change.insert(&families::PUT, &stored).await?;
    Ok(unreadable)
}

/// Counts a client no more in its family. The row of one that is removed goes next.
pub(super) async fn leave_family<T: Transaction>(
    change: &mut T,
    member: FamilyClient,
    is_removed: bool,
) -> Result<(), T::Fault> {
    let key = [member.family_id.value(), member.client_id.value()];
    let left = if is_removed {
        let found: Vec<FamilyClient> = change.select(&families::SELECT_MEMBER, &key).await?;
        found.len()
    } else {
        change.execute(&families::LEAVE, &key).await?
    };
    if left == 0 {
        return Ok(());
    }
    let removed = u64::from(is_removed);
    let of_arrival = [member.family_id.value(), removed.value(), member.client_id.value()];
    let (of_family, _) = of_arrival.split_at(2);
    if change.execute(&families::LOSE, of_family).await? == 0
        && change.execute(&families::LOSE_ARRIVED, &of_arrival).await? == 0
    {
        // An arrival that is gone is added to its family.
        change.execute(&families::LOSE, of_family).await?;
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
    count_in_families(change, &counted, true).await.map(drop)
}

/// What an operator decided about a family.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) standing: Standing,
    pub(super) ceiling: Option<Ceiling>,
}

impl From<FamilyRecord> for Decided {
    fn from(family: FamilyRecord) -> Self {
        Self { standing: family.standing, ceiling: family.ceiling }
    }
}

/// What is decided about the family of a client that a person is about to allow, which does not change until the
/// transaction ends. A registered client has a family then, so that a suspension or restriction of it finds the grants.
pub(super) async fn family_decision<T: Transaction>(
    change: &mut T,
    family: Option<FamilyId>,
    client: Option<&ClientRecord>,
) -> Result<Decided, T::Fault> {
    let Some(family) = family else { return Ok(Decided::default()) };
    if let Some(client) = client {
        // Nearly every client was counted long ago, and its family has a row: one statement finds both out.
        let member = [family.value(), client.client_id.value()];
        let found: Vec<FamilyRecord> =
            change.select(&families::SELECT_AND_SHARE_OF_MEMBER, &member).await?;
        if let Some(family) = found.into_iter().next() {
            return Ok(Decided::from(family));
        }
    }
    let counted = counted(client);
    count_in_families(change, &counted, false).await?;
    let mut found: Vec<FamilyRecord> =
        change.select(&families::SELECT_AND_SHARE, &[family.value()]).await?;
    if found.is_empty() {
        // Without a row, no operator has decided about it. From here on there is one, which then stays as it is.
        let begun: Vec<FamilyRecord> =
            counted.iter().map(|Counted { seen, .. }| seen.without_clients()).collect();
        change.insert(&families::BEGIN, &begun).await?;
        found = change.select(&families::SELECT_AND_SHARE, &[family.value()]).await?;
    }
    Ok(found.pop().map(Decided::from).unwrap_or_default())
}

/// Takes a lock on a family that may have no row.
pub(super) async fn lock_family<T: Transaction>(
    change: &mut T,
    lock: &'static Statement,
    family: FamilyId,
) -> Result<(), T::Fault> {
    let [one, two, three, four, five, six, seven, eight, ..] = *family.as_bytes();
    let number = u64::from_be_bytes([one, two, three, four, five, six, seven, eight]) >> 1;
    change.select::<Number>(lock, &[number.value()]).await.map(drop)
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
    let both = [family, joined.as_ref().map(|joined| joined.family_id)];
    change.insert(&families::BEGIN, joined.as_slice()).await?;
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

/// Counts those clients no more that belong to another family. Returns how many. Clients are locked first, and then
/// families, each in one order, as in every change that counts clients: otherwise two changes could wait for each other.
pub(in crate::store) async fn check_members<T: Transaction>(
    change: &mut T,
    members: &[FamilyClient],
) -> Result<usize, T::Fault> {
    let suspected = strangers(change, &clients::SELECT_EACH, members).await?;
    if suspected.is_empty() {
        return Ok(0);
    }
    let strangers = strangers(change, &families::SELECT_AND_LOCK_EACH_CLIENT, &suspected).await?;
    lock_each(change, strangers.iter().map(|member| member.family_id).collect()).await?;
    for member in &strangers {
        leave_family(change, *member, false).await?;
    }
    Ok(strangers.len())
}

/// Those of these clients that do not belong to the family by what they have registered.
async fn strangers<T: Transaction>(
    change: &mut T,
    read: &'static Statement,
    members: &[FamilyClient],
) -> Result<Vec<FamilyClient>, T::Fault> {
    let clients: Vec<ClientRef> =
        members.iter().map(|member| ClientRef { client_id: member.client_id }).collect();
    let found: Vec<ClientRecord> = change.select_each(read, &clients).await?;
    let families: BTreeMap<ClientId, Option<FamilyId>> =
        found.iter().map(|client| (client.client_id, family_of(&client.metadata))).collect();
    let is_stranger = |member: &&FamilyClient| {
        families.get(&member.client_id).copied().flatten() != Some(member.family_id)
    };
    Ok(members.iter().filter(is_stranger).copied().collect())
}

/// Counts the clients of a family anew, after it is told of all that have arrived.
pub(in crate::store) async fn recount_family<T: Transaction>(
    change: &mut T,
    id: FamilyId,
) -> Result<(), T::Fault> {
    add_arrivals_of(change, id).await?;
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
    add_to_families(change, imported.iter().map(FamilyRecord::without_clients)).await?;
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
