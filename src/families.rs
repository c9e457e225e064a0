//! Families of clients on this node: counts registrations aside, and knows in memory what operators decided about
//! families, as of a few seconds ago.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    ceiling::Ceiling,
    client::{ClientId, ClientMetadata},
    clock::{Clock, Timestamp},
    family::{FamilyId, FamilyKey},
    metrics::FamilyMetrics,
    store::{
        ClientFilter, ClientRecord, ClientState, FamilyRecord, MARGIN_SECONDS, Standing, Store,
        StoreError,
    },
};

/// How many clients one change counts.
const CLIENTS_AT_ONCE: usize = 500;

/// How many identifiers one question reads.
const IDS_AT_ONCE: usize = 5_000;

/// Registrations are read this long after they began, in seconds: nearly all have committed by then, in any order.
const SETTLED_SECONDS: u64 = 1;

/// How often those that committed later are looked for, in seconds: that reads many identifiers again.
const LATE_EVERY_SECONDS: u64 = 20;

/// How many counted clients are remembered to find those that committed late. At the highest rates fewer seconds fit.
const REMEMBERED_MAX: usize = 250_000;

/// How many families can wait for their people to be counted.
const USED_MAX: usize = 4_096;

/// What is known of families beside the store.
#[derive(Default)]
pub(crate) struct Families {
    /// Those that operators have decided about.
    decided: RwLock<Arc<HashMap<FamilyId, Decided>>>,
    /// Those whose people are to be counted.
    used: Mutex<HashSet<FamilyId>>,
}

/// What an operator decided about a family.
#[derive(Clone, Debug)]
struct Decided {
    standing: Standing,
    at: Option<Timestamp>,
    ceiling: Option<Ceiling>,
}

impl Families {
    /// The state of a client together with that of its family and the terms of its rule: the stricter standing, the later
    /// change, and the scopes that all of them leave.
    pub(crate) fn state_of(&self, metadata: &ClientMetadata, own: ClientState) -> ClientState {
        together(own, self.decided(|| Some(FamilyKey::of(metadata).id())))
    }

    /// The same of a client with stored metadata, which is read only if operators have decided about any family.
    pub(crate) fn state_of_stored(&self, metadata: &str, own: ClientState) -> ClientState {
        let family = || {
            let metadata = serde_json::from_str::<ClientMetadata>(metadata).ok()?;
            Some(FamilyKey::of(&metadata).id())
        };
        together(own, self.decided(family))
    }

    /// The decision about a family, which is worked out only if there are any.
    fn decided(&self, family: impl FnOnce() -> Option<FamilyId>) -> Option<Decided> {
        let decided = Arc::clone(&self.decided.read().unwrap_or_else(PoisonError::into_inner));
        if decided.is_empty() {
            return None;
        }
        decided.get(&family()?).cloned()
    }

    /// Notes that a person allowed a client: the people of its family are counted soon.
    pub(crate) fn note_allowed(&self, metadata: &ClientMetadata) {
        let family = FamilyKey::of(metadata).id();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < USED_MAX {
            used.insert(family);
        }
    }

    /// Looks up what operators have decided.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let all = store.decided_families().await?;
        let decided = all.into_iter().map(|family| {
            let FamilyRecord { family_id, standing, standing_at: at, ceiling, .. } = family;
            (family_id, Decided { standing, at, ceiling })
        });
        let decided = Arc::new(decided.collect());
        *self.decided.write().unwrap_or_else(PoisonError::into_inner) = decided;
        Ok(())
    }

    /// Counts the people of the families that were allowed since the last time. What could not be counted waits.
    pub(crate) async fn count_people(
        &self,
        store: &Store,
        clock: &Clock,
        metrics: &FamilyMetrics,
    ) -> Result<(), StoreError> {
        let used = mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut waiting: Vec<FamilyId> = used.into_iter().collect();
        while let Some(family) = waiting.last() {
            if let Err(error) = store.count_family_use(*family, clock.now()).await {
                self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(waiting);
                return Err(error);
            }
            waiting.pop();
        }
        metrics.families.set(store.count_families().await?);
        Ok(())
    }

    /// Counts the people of all families that had any: grants end without a word.
    pub(crate) async fn count_all_people(
        &self,
        store: &Store,
        clock: &Clock,
        pause: Duration,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = store.families_by_id(after, CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.family_id);
            for family in page.iter().filter(|family| family.people > 0) {
                store.count_family_use(family.family_id, clock.now()).await?;
            }
            sleep(pause).await;
        }
    }
}

fn together(mut own: ClientState, family: Option<Decided>) -> ClientState {
    own.ceiling = Ceiling::both(own.ceiling, own.terms.ceiling.as_ref());
    let Some(family) = family else { return own };
    own.ceiling = Ceiling::both(own.ceiling, family.ceiling.as_ref());
    let standing = match family.standing {
        Standing::Suspended => Standing::Suspended,
        Standing::Active | Standing::Pending | Standing::Dormant => own.standing,
    };
    ClientState { standing, standing_at: own.standing_at.max(family.at), ..own }
}

/// The registrations that this node has counted. Another node may count them, too: the store counts each once.
///
/// Identifiers grow with time, and registrations commit in another order: for a while after it was read, the end of the
/// list is read again, and what was not there before is counted then.
#[derive(Default)]
pub(crate) struct Counting {
    /// Behind which clients were not read yet.
    front: Option<ClientId>,
    /// The identifiers that were read since [`MARGIN_SECONDS`] before the front.
    read: BTreeSet<ClientId>,
    /// Before which nothing is read again.
    floor: Option<Timestamp>,
    /// When those that committed late were last looked for.
    late_at: Option<Timestamp>,
}

impl Counting {
    /// Counts what is not counted yet.
    pub(crate) async fn step(
        &mut self,
        store: &Store,
        clock: &Clock,
        metrics: &FamilyMetrics,
    ) -> Result<(), StoreError> {
        if self.front.is_none() {
            self.floor = store.families_mark().await?;
            self.front = Some(ClientId::first_of(self.floor()));
        }
        let now = clock.now();
        if self.late_at.is_none_or(|at| at.after_seconds(LATE_EVERY_SECONDS) <= now) {
            self.count_late(store).await?;
            self.late_at = Some(now);
        }
        loop {
            let began = Instant::now();
            let page = self.next(store, clock.now()).await?;
            let Some(last) = page.last().map(|client| client.client_id) else { break };
            self.read.extend(page.iter().map(|client| client.client_id));
            self.front = Some(last);
            self.forget(clock.now());
            store.count_in_families(&page, Some(self.floor())).await?;
            let behind = clock.now().as_millis().saturating_sub(last.at().as_millis());
            metrics.behind_seconds.set(behind / 1_000);
            // Registrations have the store for at least half of the time.
            sleep(began.elapsed()).await;
        }
        metrics.behind_seconds.set(0);
        Ok(())
    }

    /// Begins again from the mark, after a failure: what was read may not be counted.
    pub(crate) fn begin_again(&mut self) {
        *self = Self::default();
    }

    /// The next page, without the latest registrations. Nothing moves the front past now, over those that come before.
    async fn next(&self, store: &Store, now: Timestamp) -> Result<Vec<ClientRecord>, StoreError> {
        let filter = ClientFilter::default();
        let mut page = store.clients_in_order(&filter, self.front, CLIENTS_AT_ONCE).await?;
        let end = ClientId::first_of(now.before_seconds(SETTLED_SECONDS));
        page.retain(|client| client.client_id < end);
        Ok(page)
    }

    fn floor(&self) -> Timestamp {
        self.floor.unwrap_or(Timestamp::from_millis(0))
    }

    /// Counts the clients that are there now between the floor and the front, and were not before.
    async fn count_late(&mut self, store: &Store) -> Result<(), StoreError> {
        let Some(front) = self.front else { return Ok(()) };
        let mut after = ClientId::first_of(self.floor());
        loop {
            let ids = store.client_ids(after, front, IDS_AT_ONCE).await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = *last;
            let late: Vec<ClientId> =
                ids.into_iter().filter(|id| !self.read.contains(id)).collect();
            for ids in late.chunks(CLIENTS_AT_ONCE) {
                let clients = store.clients_of(ids).await?;
                store.count_in_families(&clients, None).await?;
                self.read.extend(ids);
            }
        }
    }

    /// Forgets the identifiers that are older than the margin, and more if there are too many.
    fn forget(&mut self, now: Timestamp) {
        let front = self.front.map_or(now, |front| front.at().min(now));
        let mut floor = self.floor().max(front.before_seconds(MARGIN_SECONDS));
        while let Some(first) = self.read.first()
            && (self.read.len() > REMEMBERED_MAX || *first < ClientId::first_of(floor))
        {
            floor = floor.max(first.at().min(now));
            self.read.pop_first();
        }
        self.floor = Some(floor);
    }
}

#[cfg(test)]
mod tests;
