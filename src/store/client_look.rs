//! Lists of clients that answer soon, whatever their filters let through: one question looks through so many clients and
//! no more, and says where to go on.

use super::{
    ClientFilter, ClientRecord, LastUsed, Standing, Store, StoreError, SuspendedFamilies,
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

/// How many clients one question reads of each index at least.
const ROWS_MIN: usize = 20;

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

/// An index whose clients come in the order of their identifiers: those of one family, label, or standing.
struct Index {
    statement: &'static Statement,
    /// The first parameter, if the index has clients of many kinds.
    of: Option<Value<'static>>,
}

impl Index {
    fn of_family(family: FamilyId) -> Self {
        Self { statement: &families::SELECT_CLIENTS, of: Some(Value::Id(*family.as_bytes())) }
    }

    fn of_standing(standing: Standing) -> Self {
        let of = Some(Value::text(standing.as_str()));
        Self { statement: &clients::SELECT_PAGE_BY_STANDING, of }
    }

    /// These are read first: a client that is listed in its family in between is read twice, and never missed.
    const UNLISTED: Self = Self { statement: &families::SELECT_UNLISTED, of: None };

    /// Those that together hold every client that can pass; none if only the table of clients does.
    fn all_for(filter: &ClientFilter, suspended: &SuspendedFamilies) -> Vec<Self> {
        match (filter.family, &filter.label, filter.standing) {
            (Some(family), _, _) => vec![Self::UNLISTED, Self::of_family(family)],
            (None, Some(label), _) => {
                let of = Some(Value::Text(Some(label.clone().into())));
                vec![Self { statement: &clients::SELECT_PAGE_BY_LABEL, of }]
            }
            (None, None, Some(standing @ Standing::Suspended)) => {
                let others = (!suspended.is_empty()).then_some(Self::UNLISTED);
                let own = Self::of_standing(standing);
                others
                    .into_iter()
                    .chain([own])
                    .chain(suspended.iter().map(Self::of_family))
                    .collect()
            }
            (None, None, Some(standing @ (Standing::Pending | Standing::Dormant))) => {
                vec![Self::of_standing(standing)]
            }
            (None, None, Some(Standing::Active) | None) => Vec::new(),
        }
    }
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
        let suspended = self.suspended_for(filter).await?;
        self.look(filter, &suspended, after, limit).await
    }

    async fn look(
        &self,
        filter: &ClientFilter,
        suspended: &SuspendedFamilies,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Look<ClientId>, StoreError> {
        let indexes = Index::all_for(filter, suspended);
        if indexes.is_empty() {
            return self.look_in_order(filter, suspended, after, limit).await;
        }
        let passes = |client: &ClientRecord| filter.passes(client, suspended);
        self.look_in_indexes(&indexes, &passes, after, limit).await
    }

    /// The same, look after look. The last page is the empty one.
    pub(super) async fn clients_by_looking(
        &self,
        filter: &ClientFilter,
        mut after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let suspended = self.suspended_for(filter).await?;
        loop {
            let look = self.look(filter, &suspended, after, limit).await?;
            if !look.clients.is_empty() || look.next.is_none() {
                return Ok(look.clients);
            }
            after = look.next;
        }
    }

    async fn look_in_order(
        &self,
        filter: &ClientFilter,
        suspended: &SuspendedFamilies,
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
            let statement = clients::select_page(filter.flags);
            let page: Vec<ClientRecord> = self.select(statement, parameters.into()).await?;
            let is_last = page.len() < rows;
            next = page.last().filter(|_| !is_last).and_then(|last| first_after(Some(id(last))));
            found.extend(page.into_iter().filter(|client| filter.passes(client, suspended)));
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
        let parameters = vec![Value::Id(first), Value::limit(distance)];
        let statement: &'static Statement = if filter.flags.bits() == 0 {
            &clients::SELECT_REF_AHEAD
        } else {
            &clients::SELECT_REF_AHEAD_FLAGGED
        };
        let end: Option<ClientRef> = self.select_one(statement, parameters).await?;
        Ok(end.map(|end| end.client_id))
    }

    /// The clients of several indexes in one order, each once.
    async fn look_in_indexes(
        &self,
        indexes: &[Index],
        passes: &(dyn Fn(&ClientRecord) -> bool + Sync),
        mut after: Option<ClientId>,
        limit: usize,
    ) -> Result<Look<ClientId>, StoreError> {
        let rows = (2 * LOOKED_THROUGH / indexes.len()).clamp(ROWS_MIN, LOOKED_THROUGH);
        let (mut found, mut read) = (Vec::new(), 0);
        while let Some(first) = first_after(after)
            && found.len() < limit
            && read < READ_MAX
        {
            let (mut page, mut end) = (Vec::new(), None);
            for Index { statement, of } in indexes {
                let parameters = of.iter().cloned().chain([Value::Id(first), Value::limit(rows)]);
                let part: Vec<ClientRecord> = self.select(statement, parameters.collect()).await?;
                // As far as all of them are read.
                end = part.get(rows - 1).map(id).into_iter().chain(end).min();
                read += part.len();
                page.extend(part);
            }
            page.retain(|client| end.is_none_or(|end| client.client_id <= end));
            page.sort_unstable_by_key(id);
            page.dedup_by_key(|client| client.client_id);
            found.extend(page.into_iter().filter(passes));
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
        let suspended = self.suspended_for(filter).await?;
        let (mut found, mut read) = (Vec::new(), 0);
        while found.len() < limit && read < READ_MAX {
            let page = self.page_by_use(filter, after, LOOKED_THROUGH).await?;
            read += page.len();
            let is_last = page.len() < LOOKED_THROUGH;
            after = page.last().and_then(LastUsed::of).filter(|_| !is_last);
            found.extend(page.into_iter().filter(|client| filter.passes(client, &suspended)));
            if is_last {
                break;
            }
        }
        Ok(Look::cut(found, limit, after, LastUsed::of))
    }
}
