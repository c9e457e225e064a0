//! Lists of clients that answer soon, whatever their filters let through: one question looks through so many clients and
//! no more, and says where to go on.

use super::{
    ClientFilter, ClientRecord, LastUsed, Standing, Store, StoreError,
    client_filter::LOOKED_THROUGH,
    column::{Value, client_page, first_after},
    family_record::ClientRef,
    sql::Statement,
    statements::{clients, families},
};
use crate::{client::ClientId, family::FamilyId};

/// How many clients one question reads to decide which of them pass.
const READ_MAX: usize = 2_000;

/// Of how many clients one question lets the statement decide.
const SKIPPED_MAX: usize = 20_000;

/// Behind every client.
const LAST: [u8; 16] = [u8::MAX; 16];

/// What one question found.
#[derive(Debug)]
pub struct Look<Place> {
    /// Clients that pass: fewer than were asked for, or none, where few do.
    pub clients: Vec<ClientRecord>,
    /// Behind which the list goes on; `None` at its end.
    pub next: Option<Place>,
}

impl<Place> Default for Look<Place> {
    fn default() -> Self {
        Self { clients: Vec::new(), next: None }
    }
}

impl<Place> Look<Place> {
    /// At most `limit` of these clients; where all of them are shown, the list goes on at `next`.
    fn cut(
        mut clients: Vec<ClientRecord>,
        limit: usize,
        next: Option<Place>,
        place: impl Fn(&ClientRecord) -> Option<Place>,
    ) -> Self {
        if clients.len() < limit {
            return Self { clients, next };
        }
        clients.truncate(limit);
        let next = clients.last().and_then(place);
        Self { clients, next }
    }
}

const fn id(client: &ClientRecord) -> ClientId {
    client.client_id
}

impl Store {
    /// At most `limit` clients that pass `filter`, in the order of their identifiers, beginning after `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look_for_clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Look<ClientId>, StoreError> {
        match filter.family {
            Some(family) => self.look_in_family(family, filter, after, limit).await,
            None => self.look_in_order(filter, after, limit).await,
        }
    }

    async fn look_in_order(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Look<ClientId>, StoreError> {
        // Identifiers begin with the time of registration.
        let registered_from = filter.issued_from.map(|from| *ClientId::first_of(from).as_bytes());
        let Some(first) =
            first_after(after).map(|first| first.max(registered_from.unwrap_or(first)))
        else {
            return Ok(Look::default());
        };
        let until = filter.issued_until.map_or(LAST, |until| *ClientId::first_of(until).as_bytes());
        let end = self.end_of_look(filter, first).await?.filter(|end| *end.as_bytes() < until);
        let last = end.map_or(until, |end| *end.as_bytes());

        let (mut found, mut next) = (Vec::new(), Some(first));
        while found.len() < limit
            && let Some(first) = next
        {
            let rows = if filter.reads_records() { LOOKED_THROUGH } else { limit - found.len() };
            let parameters = client_page(filter, first, last, rows);
            let statement = clients::select_page(filter.standing, filter.flags);
            let page: Vec<ClientRecord> = self.select(statement, parameters.into()).await?;
            let is_last = page.len() < rows;
            next = page.last().filter(|_| !is_last).and_then(|last| first_after(Some(id(last))));
            found.extend(page.into_iter().filter(|client| filter.passes(client)));
        }
        Ok(Look::cut(found, limit, end, |client| Some(id(client))))
    }

    /// The last client that one question looks at; `None` if it can look at all that follow `first`.
    async fn end_of_look(
        &self,
        filter: &ClientFilter,
        first: [u8; 16],
    ) -> Result<Option<ClientId>, StoreError> {
        if *filter == ClientFilter::default() {
            return Ok(None);
        }
        let distance = if filter.reads_records() { READ_MAX } else { SKIPPED_MAX };
        let mut parameters = vec![Value::Id(first), Value::limit(distance)];
        let standing = filter.standing.filter(|standing| *standing != Standing::Active);
        let statement: &'static Statement = match standing {
            Some(standing) => {
                parameters.push(Value::text(standing.as_str()));
                &clients::SELECT_REF_AHEAD_NOT_ACTIVE
            }
            None if filter.flags.bits() != 0 => &clients::SELECT_REF_AHEAD_FLAGGED,
            None => &clients::SELECT_REF_AHEAD,
        };
        let end: Option<ClientRef> = self.select_one(statement, parameters).await?;
        Ok(end.map(|end| end.client_id))
    }

    /// At most `limit` clients of a family that pass `filter`. The last page is the empty one.
    pub(super) async fn clients_in_family(
        &self,
        family: FamilyId,
        filter: &ClientFilter,
        mut after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        loop {
            let look = self.look_in_family(family, filter, after, limit).await?;
            if !look.clients.is_empty() || look.next.is_none() {
                return Ok(look.clients);
            }
            after = look.next;
        }
    }

    /// The clients that stand in the family, and those that belong to it and have none yet.
    async fn look_in_family(
        &self,
        family: FamilyId,
        filter: &ClientFilter,
        mut after: Option<ClientId>,
        limit: usize,
    ) -> Result<Look<ClientId>, StoreError> {
        let (mut found, mut read) = (Vec::new(), 0);
        while let Some(first) = first_after(after)
            && found.len() < limit
            && read < READ_MAX
        {
            let rows = Value::limit(LOOKED_THROUGH);
            // First those without a family: one that gets it in between is read twice, and not missed.
            let others: Vec<ClientRecord> = self
                .select(&families::SELECT_WITHOUT_FAMILY, vec![Value::Id(first), rows.clone()])
                .await?;
            let ids = [*family.as_bytes(), first].map(Value::Id);
            let of_family = ids.into_iter().chain([rows]).collect();
            let mut page: Vec<ClientRecord> =
                self.select(&families::SELECT_CLIENTS, of_family).await?;
            // As far as both were read.
            let ends = [&page, &others].map(|read| read.get(LOOKED_THROUGH - 1).map(id));
            let end = ends.into_iter().flatten().min();
            read += page.len() + others.len();
            page.extend(others);
            page.retain(|client| end.is_none_or(|end| client.client_id <= end));
            page.sort_unstable_by_key(id);
            page.dedup_by_key(|client| client.client_id);
            found.extend(page.into_iter().filter(|client| filter.passes(client)));
            after = end;
            if end.is_none() {
                break;
            }
        }
        Ok(Look::cut(found, limit, after, |client| Some(id(client))))
    }

    /// At most `limit` clients that were used and pass `filter`, the one that was used last first, beginning behind
    /// `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look_for_used_clients(
        &self,
        filter: &ClientFilter,
        mut after: Option<LastUsed>,
        limit: usize,
    ) -> Result<Look<LastUsed>, StoreError> {
        let (mut found, mut read) = (Vec::new(), 0);
        while found.len() < limit && read < READ_MAX {
            let page = self.page_by_use(filter, after, LOOKED_THROUGH).await?;
            read += page.len();
            let is_last = page.len() < LOOKED_THROUGH;
            after = page.last().and_then(LastUsed::of).filter(|_| !is_last);
            found.extend(page.into_iter().filter(|client| filter.passes(client)));
            if is_last {
                break;
            }
        }
        Ok(Look::cut(found, limit, after, LastUsed::of))
    }
}
