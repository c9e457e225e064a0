//! Families of clients on this node: counts registrations aside, and knows in memory what operators decided about
//! families, as of a few seconds ago.

mod remembered;

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use self::remembered::Remembered;
use crate::{
    ceiling::Ceiling,
    client::ClientMetadata,
    clock::{Clock, Timestamp},
    family::{FamilyId, FamilyKey},
    metrics::FamilyMetrics,
    store::{ClientState, FamilyRecord, FamilySaid, Standing, Store, StoreError, family_of},
};

/// How many clients one change counts.
const CLIENTS_AT_ONCE: usize = 500;

/// After a change that adds arrivals, the next one waits this many times as long as the change took: registrations need the
/// store.
const PAUSE_OF_ARRIVALS: u32 = 19;

/// How many families can wait for their people to be counted.
const USED_MAX: usize = 4_096;

/// What is known of families beside the store.
#[derive(Default)]
pub(crate) struct Families {
    /// Those that operators have decided about.
    decided: RwLock<Arc<HashMap<FamilyId, Decided>>>,
    /// Those whose people are to be counted.
    used: Mutex<HashSet<FamilyId>>,
    /// Those of clients that registered lately.
    remembered: Remembered,
}

/// What an operator decided about a family.
#[derive(Clone, Debug)]
struct Decided {
    standing: Standing,
    at: Option<Timestamp>,
    ceiling: Option<Ceiling>,
}

impl Families {
    /// What a new client says of its family.
    pub(crate) fn said(&self, metadata: &ClientMetadata) -> Arc<FamilySaid> {
        self.remembered.said(metadata)
    }

    /// The state of a client together with that of its family and the terms of its rule: the stricter standing, the later
    /// change, and the scopes that all of them leave.
    pub(crate) fn state_of(&self, metadata: &ClientMetadata, own: ClientState) -> ClientState {
        together(own, self.decided(|| Some(FamilyKey::of(metadata).id())))
    }

    /// The same of a client with stored metadata, which is read only if operators have decided about any family.
    pub(crate) fn state_of_stored(&self, metadata: &str, own: ClientState) -> ClientState {
        together(own, self.decided(|| family_of(metadata)))
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

/// Tells families of the clients that registered since the last time, and finds the families of those that came another
/// way. Several nodes share the work.
pub(crate) async fn count(
    store: &Store,
    clock: &Clock,
    metrics: &FamilyMetrics,
) -> Result<(), StoreError> {
    let now = || clock.now().as_seconds();
    let told = tell(store, clock, metrics).await;
    match u64::try_from(metrics.told_at.value()).unwrap_or_default() {
        // Clients may have waited ever since families were last told of all.
        told_at if told.is_err() && told_at > 0 => {
            metrics.behind_seconds.set(now().saturating_sub(told_at));
        }
        _ => metrics.told_at.set(now()),
    }
    told?;
    find_families(store).await
}

/// Tells families of the clients that have arrived. Rows that cannot be read are reported, and wait.
async fn tell(store: &Store, clock: &Clock, metrics: &FamilyMetrics) -> Result<(), StoreError> {
    let (mut after, mut unreadable) = (None, Vec::new());
    loop {
        let began = Instant::now();
        let told = store.add_arrivals(after).await?;
        let behind =
            told.first.map_or(0, |first| clock.now().as_millis().saturating_sub(first.as_millis()));
        metrics.behind_seconds.set(behind / 1_000);
        unreadable.extend(told.unreadable);
        after = told.next;
        if after.is_none() {
            break;
        }
        // In a flood of new names, this costs more than registering. Registrations get nineteen twentieths of the time.
        sleep(began.elapsed() * PAUSE_OF_ARRIVALS).await;
    }
    let number = unreadable.len() as u64;
    let is_known = u64::try_from(metrics.unreadable.value()) == Ok(number);
    if let Some(error) = unreadable.first().filter(|_| !is_known) {
        tracing::warn!(
            error = %error,
            rows = number,
            "families are not told of some clients: rows cannot be read"
        );
    }
    metrics.unreadable.set(number);
    Ok(())
}

/// Finds the families of clients that came without one.
async fn find_families(store: &Store) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let began = Instant::now();
        let (page, last) = store.clients_without_family(after, CLIENTS_AT_ONCE).await?;
        if last.is_none() {
            return Ok(());
        }
        after = last;
        store.count_in_families(&page).await?;
        sleep(began.elapsed()).await;
    }
}

#[cfg(test)]
mod tests;
