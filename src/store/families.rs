//! Families: what is counted of them aside. `family_edits.rs` has what operators decide about them.

use std::{sync::Arc, time::Instant};

use tokio::time::sleep;

use super::{
    ClientFilter, ClientRecord, Deleted, FamilyAccess, FamilyClient, FamilyFilter, FamilyOrder,
    FamilyPlace, FamilyRecord, FamilyRemoval, Store, StoreError, change, changes,
    changes::Arrived,
    column::{Value, first_after},
    family_record::{FamilyUse, Number, counted},
    readable::Readable,
    statements::families,
};
use crate::{
    audit::{Action, Author},
    client::ClientId,
    clock::Timestamp,
    family::FamilyId,
};

/// How many clients one change counts, or ends the grants of.
pub(super) const CLIENTS_AT_ONCE: usize = 500;

/// How many removals wait for the store at once, which makes few transactions of them.
const REMOVALS_AT_ONCE: usize = 64;

impl Store {
    /// The family of this identifier, if it was ever told of a client.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn family(&self, id: FamilyId) -> Result<Option<FamilyRecord>, StoreError> {
        self.select_one(&families::SELECT, vec![Value::Id(*id.as_bytes())]).await
    }

    /// At most `limit` families that pass `filter`, in its order, beginning behind `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn families(
        &self,
        filter: &FamilyFilter,
        after: Option<FamilyPlace>,
        limit: usize,
    ) -> Result<Vec<FamilyRecord>, StoreError> {
        let statement = match filter.order {
            FamilyOrder::Clients => &families::SELECT_PAGE_BY_SIZE,
            FamilyOrder::LastSeen => &families::SELECT_PAGE_BY_TIME,
        };
        let (mut found, mut after) = (Vec::new(), after);
        while found.len() < limit {
            let (value, id) = after.map_or((i64::MAX, Value::LAST), |place| {
                let value = i64::try_from(place.value).unwrap_or(i64::MAX);
                (value, Value::Id(*place.family_id.as_bytes()))
            });
            let parameters = vec![Value::Number(Some(value)), id, Value::limit(CLIENTS_AT_ONCE)];
            let page: Vec<FamilyRecord> = self.select(statement, parameters).await?;
            let Some(last) = page.last() else { break };
            after = Some(filter.order.place(last));
            found.extend(page.into_iter().filter(|family| filter.passes(family)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// At most `limit` families in the order of their identifiers, beginning after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn families_by_id(
        &self,
        after: Option<FamilyId>,
        limit: usize,
    ) -> Result<Vec<FamilyRecord>, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Vec::new()) };
        self.select(&families::SELECT_PAGE, vec![Value::Id(first), Value::limit(limit)]).await
    }

    /// The families that operators have decided about: few.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn decided_families(&self) -> Result<Vec<FamilyRecord>, StoreError> {
        let mut all: Vec<FamilyRecord> = Vec::new();
        loop {
            let after = all.last().map(|family| family.family_id);
            let Some(first) = first_after(after) else { return Ok(all) };
            let parameters = vec![Value::Id(first), Value::limit(CLIENTS_AT_ONCE)];
            let page: Vec<FamilyRecord> =
                self.select_aside(&families::SELECT_DECIDED, parameters).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// How many families there are.
    pub(crate) async fn count_families(&self) -> Result<u64, StoreError> {
        let counted: Vec<Number> = self.select_aside(&families::COUNT, Vec::new()).await?;
        Ok(counted.first().map_or(0, |counted| counted.number))
    }

    /// How many clients of a family registered at `since` or later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn family_registrations(
        &self,
        id: FamilyId,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let parameters =
            vec![Value::Id(*id.as_bytes()), Value::Id(*ClientId::first_of(since).as_bytes())];
        let counted: Option<Number> = self.select_one(&families::COUNT_SINCE, parameters).await?;
        Ok(counted.map_or(0, |counted| counted.number))
    }

    /// The access that people gave to the registered clients of a family, as of now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn family_access(
        &self,
        id: FamilyId,
        now: Timestamp,
    ) -> Result<FamilyAccess, StoreError> {
        let parameters = vec![Value::Id(*id.as_bytes()), Value::moment(now)];
        let found: Vec<FamilyAccess> = self.select_aside(&families::ACCESS, parameters).await?;
        Ok(found.first().copied().unwrap_or_default())
    }

    /// Counts the people of a family anew, and looks up its last use.
    pub(crate) async fn count_family_use(
        &self,
        id: FamilyId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let access = self.family_access(id, now).await?;
        let key = vec![Value::Id(*id.as_bytes())];
        let used: Vec<FamilyUse> = self.select_aside(&families::LAST_USE, key).await?;
        let used_at = used.first().and_then(|used| used.used_at);
        let put = change!(self, aside one, |change| {
            changes::put_family_use(change, id, access, used_at)
        });
        put.map(drop)
    }

    /// Tells families of the clients that arrived first behind `after`. What cannot be read waits.
    pub(crate) async fn add_arrivals(
        &self,
        after: Option<ClientId>,
    ) -> Result<Arrived, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Arrived::default()) };
        change!(self, aside whole, |change| changes::add_arrivals(change, first))
    }

    /// Tells a family of all its clients that have arrived, a few in a change: registrations go on meanwhile.
    pub(super) async fn add_all_arrivals_of(&self, id: FamilyId) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let told =
                change!(self, whole, |change| { changes::add_some_arrivals_of(change, id, after) });
            after = told?.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Tells families of all clients that have arrived.
    pub(crate) async fn add_all_arrivals(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            after = self.add_arrivals(after).await?.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// At most `limit` clients whose family is not found yet, behind `after`: those that can be read, and the last of
    /// all.
    pub(crate) async fn clients_without_family(
        &self,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<(Vec<ClientRecord>, Option<ClientId>), StoreError> {
        let Some(first) = first_after(after) else { return Ok((Vec::new(), None)) };
        let parameters = vec![Value::Id(first), Value::limit(limit)];
        let rows: Vec<Readable<ClientRecord>> =
            self.select_aside(&families::SELECT_WITHOUT_FAMILY, parameters).await?;
        let last = rows.last().and_then(|row| row.id).map(ClientId::from_bytes);
        Ok((rows.into_iter().filter_map(|row| row.record.ok()).collect(), last))
    }

    /// Finds the families of clients, and counts them there, each once. Returns how many were not counted before.
    pub(crate) async fn count_in_families(
        &self,
        clients: &[ClientRecord],
    ) -> Result<usize, StoreError> {
        let counted = counted(clients);
        change!(self, aside whole, |change| changes::count_in_families(change, &counted, false))
    }

    /// Removes every registered client of a family with its grants, a few at a time, if the family is in one of the versions
    /// of `removal`; later registrations stay possible. `progress` is told of removed clients. Returns how many there were;
    /// `None` if another operator changed the family first. A family without clients leaves no event.
    ///
    /// # Errors
    /// [`StoreError`]; a removal that fails halfway goes on when it is made again.
    pub async fn remove_family(
        self: &Arc<Self>,
        id: FamilyId,
        removal: FamilyRemoval,
        by: Author,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Option<u64>, StoreError> {
        let filter = ClientFilter { family: Some(id), ..ClientFilter::default() };
        let mut page = self.clients(&filter, None, REMOVALS_AT_ONCE).await?;
        let has_clients = !page.is_empty();
        let (reason, author) = (removal.reason.clone(), by.clone());
        self.add_all_arrivals_of(id).await?;
        let begins = change!(self, whole, |change| {
            changes::begin_removal(change, id, &removal, has_clients, &author)
        });
        if !begins? {
            return Ok(None);
        }
        let mut removed = 0;
        while let Some(last) = page.last().map(|client| client.client_id) {
            let began = Instant::now();
            let number = self.remove_together(&page, &reason, &by).await?;
            removed += number as u64;
            progress(number);
            // Others have the disk for at least as long as this had it.
            sleep(began.elapsed()).await;
            page = self.clients(&filter, Some(last), REMOVALS_AT_ONCE).await?;
        }
        Ok(Some(removed))
    }

    async fn remove_together(
        self: &Arc<Self>,
        clients: &[ClientRecord],
        reason: &str,
        by: &Author,
    ) -> Result<usize, StoreError> {
        let mut calls = tokio::task::JoinSet::new();
        for client in clients {
            let (store, id) = (Arc::clone(self), client.client_id);
            let (reason, by) = (reason.to_owned(), by.clone());
            calls.spawn(async move {
                store.remove_client(id, Action::ClientRemoved, &reason, by).await
            });
        }
        let mut removed = 0;
        for outcome in calls.join_all().await {
            removed += usize::from(outcome? == Deleted::Forgotten);
        }
        Ok(removed)
    }

    /// Counts every family anew from the clients, also beside running servers. `progress` is told of the clients that were
    /// looked at. Returns how many families there are.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is lost when it fails halfway.
    pub async fn rebuild_families(
        &self,
        now: Timestamp,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<u64, StoreError> {
        self.add_all_arrivals().await?;
        self.check_family_members().await?;
        let mut after = None;
        loop {
            let page = self.clients(&ClientFilter::default(), after, CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.client_id);
            let counted = counted(&page);
            change!(self, whole, |change| { changes::count_in_families(change, &counted, true) })?;
            progress(page.len());
        }
        let mut after = None;
        loop {
            let page = self.families_by_id(after, CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.family_id);
            for family in page {
                let id = family.family_id;
                change!(self, whole, |change| changes::recount_family(change, id))?;
                self.count_family_use(id, now).await?;
            }
        }
        self.count_families().await
    }

    async fn check_family_members(&self) -> Result<(), StoreError> {
        let mut last = FamilyClient {
            family_id: FamilyId::from_bytes([0; 16]),
            client_id: ClientId::from_bytes([0; 16]),
        };
        loop {
            let ids = [*last.family_id.as_bytes(), *last.client_id.as_bytes()].map(Value::Id);
            let parameters = ids.into_iter().chain([Value::limit(CLIENTS_AT_ONCE)]).collect();
            let members: Vec<FamilyClient> =
                self.select(&families::SELECT_MEMBERS, parameters).await?;
            let Some(end) = members.last() else { return Ok(()) };
            last = *end;
            change!(self, whole, |change| changes::check_members(change, &members))?;
        }
    }

    /// Stores families of another store as one change: what was seen adds up, and the later decision stays. Returns how
    /// many were changed by a decision or a removal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_families(&self, families: Vec<FamilyRecord>) -> Result<usize, StoreError> {
        change!(self, whole, |change| changes::import_families(change, &families))
    }
}
