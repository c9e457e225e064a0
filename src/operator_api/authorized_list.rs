//! The clients that people have authorized, as a list that is filtered, sorted, and counted as a whole. What one call looks
//! through is bounded.

use super::{authorized::AT_ONCE, clients::Known, error::ApiError, operation::Request};
use crate::{
    app::App,
    client::ClientIdentifier,
    store::{ClientFilter, Standing},
};

/// As much of a client as a list needs to filter and sort it.
pub(super) struct Entry {
    id: String,
    pub(super) identifier: ClientIdentifier,
    /// In lower case.
    pub(super) name: String,
    pub(super) is_disabled: bool,
}

impl Entry {
    fn of(app: &App, client: &Known) -> Result<Self, ApiError> {
        Ok(Self {
            id: client.id(),
            identifier: client.identifier()?,
            name: client.name().unwrap_or_default().to_lowercase(),
            is_disabled: client.is_suspended(app),
        })
    }
}

/// How many clients of each kind one call looks through, and how many it lists: as many as a server is likely to have, and no
/// more than its memory and its time allow.
pub(super) const LOOKED_MAX: usize = 100_000;
const LISTED_MAX: usize = 10_000;

/// Clients that pass a filter.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) passed: Vec<Entry>,
    /// How many clients were looked at.
    pub(super) looked: usize,
    /// Whether there may be more than these.
    pub(super) is_cut: bool,
}

impl Entries {
    /// Takes a page of clients; `false` when no further page is wanted.
    fn take(
        &mut self,
        app: &App,
        clients: impl IntoIterator<Item = Known>,
        passes: &dyn Fn(&Entry) -> bool,
    ) -> Result<bool, ApiError> {
        for client in clients {
            let entry = Entry::of(app, &client)?;
            self.looked += 1;
            if passes(&entry) {
                self.passed.push(entry);
            }
        }
        let has_room = self.looked < LOOKED_MAX && self.passed.len() < LISTED_MAX;
        self.is_cut |= !has_room;
        Ok(has_room)
    }

    /// With those of another kind.
    fn and(mut self, other: Self) -> Self {
        self.passed.extend(other.passed);
        self.looked += other.looked;
        self.is_cut |= other.is_cut;
        self
    }
}

/// The clients that a person has authorized, or that are suspended, and that pass a filter, by identifier.
pub(super) async fn entries(
    request: &Request<'_>,
    passes: &(dyn Fn(&Entry) -> bool + Sync),
) -> Result<Entries, ApiError> {
    let (app, store, now) = (request.app, &request.app.store, request.now);
    // Clients of a family that was suspended just now are among the disabled ones.
    app.families.refresh(store).await?;
    let (mut authorized, mut last) = (Entries::default(), None);
    loop {
        let page = store.authorized_clients(now, last.as_ref(), AT_ONCE).await?;
        last = page.last().cloned();
        let page = page.into_iter().map(Known::Registered);
        if !authorized.take(app, page, passes)? || last.is_none() {
            break;
        }
    }
    let filter = ClientFilter { standing: Some(Standing::Suspended), ..ClientFilter::default() };
    let (mut suspended, mut after) = (Entries::default(), None);
    loop {
        let page = store.clients(&filter, after, AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.client_id);
        if !suspended.take(app, page.into_iter().map(Known::Registered), passes)? {
            break;
        }
    }
    let (mut documents, mut after) = (Entries::default(), String::new());
    loop {
        let page = store.authorized_document_clients(now, &after, AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.url);
        if !documents.take(app, page.into_iter().map(Known::Document), passes)? {
            break;
        }
    }
    // A client that is suspended between the two looks, or while its grants end, is in both: as it was last. `sort_by`
    // keeps the order of equal ones.
    let mut entries = suspended.and(authorized).and(documents);
    entries.passed.sort_by(|one, other| one.id.cmp(&other.id));
    let found = entries.passed.len();
    entries.passed.dedup_by(|one, other| one.id == other.id);
    entries.looked -= found - entries.passed.len();
    Ok(entries)
}
