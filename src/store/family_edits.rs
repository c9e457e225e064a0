//! What operators decide about families, each change in the version that the operator saw.

use std::collections::HashSet;

use super::{
    ClientFilter, EventRecord, EventsOf, FamilyAccess, FamilyRecord, GrantRecord, Standing,
    StandingChanged, Store, StoreError, Transition, Walk, change, changes,
    client_edits::version_of,
    column::{Value, first_after},
    families::CLIENTS_AT_ONCE,
    statements,
};
use crate::{
    audit::{Action, Author, EventId},
    ceiling::Ceiling,
    client::{ClientIdentifier, DocumentUrl},
    clock::Timestamp,
    family::FamilyId,
};

/// What becomes of a family. An absent member stays as it is.
#[derive(Clone, Debug, Default)]
pub struct FamilyEdit {
    /// Whether it is suspended.
    pub is_suspended: Option<bool>,
    /// The scopes that its clients may hold at most; `Some(None)` lifts the bound.
    pub ceiling: Option<Option<Ceiling>>,
    /// Why, for the audit event.
    pub reason: Option<String>,
    /// The versions in which the family may be ([`FamilyRecord::version`]); `None` admits every version.
    pub versions: Option<Vec<String>>,
}

/// How the clients of a family are removed.
#[derive(Clone, Debug, Default)]
pub struct FamilyRemoval {
    /// Why, for the audit events.
    pub reason: String,
    /// The versions in which the family may be ([`FamilyRecord::version`]); `None` admits every version.
    pub versions: Option<Vec<String>>,
    /// Which event says that the removal began.
    pub beginning: RemovalBeginning,
}

/// The `family.removed` of a removal. A removal that several calls make has one.
#[derive(Clone, Copy, Debug, Default)]
pub enum RemovalBeginning {
    /// Leave a new event.
    #[default]
    New,
    /// Leave a new event of this identifier.
    Named(EventId),
    /// An earlier call left it.
    Earlier,
}

/// What became of a [`FamilyEdit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyEdited {
    /// The family is as the edit asks.
    Now {
        /// Whether it was not so before.
        is_changed: bool,
        /// How many grants ended.
        ended: usize,
    },
    /// Another operator changed the family first.
    Superseded,
    /// There is no such family.
    NotThere,
}

impl Transition {
    /// An operator suspends a family.
    pub const SUSPEND_FAMILY: Self = Self {
        from: &[Standing::Active],
        to: Standing::Suspended,
        action: Action::FamilySuspended,
    };
    /// An operator resumes a suspended family.
    pub const RESUME_FAMILY: Self =
        Self { from: &[Standing::Suspended], to: Standing::Active, action: Action::FamilyResumed };
}

impl FamilyRecord {
    /// Identifies what operators decided about a family: it changes with standing and ceiling, and not with a
    /// registration.
    pub fn version(&self) -> String {
        version_of(&format!("{}\n{:?}\n{:?}", self.standing, self.standing_at, self.ceiling))
    }

    /// Whether the family is in one of these versions; `None` admits every version.
    pub(crate) fn is_in(&self, versions: Option<&[String]>) -> bool {
        versions.is_none_or(|versions| versions.contains(&self.version()))
    }
}

impl Store {
    /// Makes an edit, if the family is in one of its versions. Of a suspended family every grant ends, a page of clients a
    /// change, and no one can allow its clients, also those that register later. Of a restricted one, those grants end
    /// that have a scope above its ceiling. An edit that changes nothing ends the grants that an earlier one has left.
    /// `progress` is told of the clients that were looked at, and the grants that ended.
    ///
    /// # Errors
    /// [`StoreError`]; an edit that fails halfway goes on when it is made again.
    pub async fn edit_family(
        &self,
        id: FamilyId,
        edit: FamilyEdit,
        by: Author,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<FamilyEdited, StoreError> {
        let is_suspended = edit.is_suspended;
        let is_restricted = matches!(edit.ceiling, Some(Some(_)));
        let before = if is_suspended == Some(false) {
            self.end_grants_of_family(id, &by, &|_, _| {}).await?
        } else {
            0
        };
        self.add_all_arrivals_of(id).await?;
        let author = by.clone();
        let edited =
            change!(self, whole, |change| { changes::edit_family(change, id, &edit, &author) })?;
        let FamilyEdited::Now { is_changed, .. } = edited else { return Ok(edited) };
        let after = if is_suspended == Some(true) || is_restricted {
            self.end_grants_of_family(id, &by, progress).await?
        } else {
            0
        };
        Ok(FamilyEdited::Now { is_changed, ended: before + after })
    }

    /// Suspends a family ([`Self::edit_family`]). Returns the outcome with the number of grants.
    ///
    /// # Errors
    /// [`StoreError`]; a suspension that fails halfway goes on when it is made again.
    pub async fn suspend_family(
        &self,
        id: FamilyId,
        reason: Option<&str>,
        by: Author,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<StandingChanged, StoreError> {
        let reason = reason.map(str::to_owned);
        let edit = FamilyEdit { is_suspended: Some(true), reason, ..FamilyEdit::default() };
        let edited = self.edit_family(id, edit, by, progress).await?;
        Ok(edited.standing(Standing::Suspended))
    }

    /// Resumes a suspended family: people can allow its clients again, unless they are suspended themselves. Nothing that
    /// ended comes back, and what a suspension that was cut short left ends first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn resume_family(
        &self,
        id: FamilyId,
        reason: Option<&str>,
        by: Author,
    ) -> Result<StandingChanged, StoreError> {
        let reason = reason.map(str::to_owned);
        let edit = FamilyEdit { is_suspended: Some(false), reason, ..FamilyEdit::default() };
        let edited = self.edit_family(id, edit, by, &|_, _| {}).await?;
        Ok(edited.standing(Standing::Active))
    }

    /// Ends the grants of a family that its decision forbids, a page a change.
    async fn end_grants_of_family(
        &self,
        id: FamilyId,
        by: &Author,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<usize, StoreError> {
        let (mut ended, mut place) = (0, Walk::START);
        while let Some((clients, next)) = self.members(id, place).await? {
            let looked = clients.len();
            let grants = self.end_grants_of(id, clients, by).await?;
            ended += grants;
            progress(looked, grants);
            place = next;
        }
        self.count_family_use(id, by.at).await?;
        Ok(ended)
    }

    /// The live grants of a family with a scope above a ceiling, and how many people gave them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn family_access_above(
        &self,
        id: FamilyId,
        ceiling: &Ceiling,
        now: Timestamp,
    ) -> Result<FamilyAccess, StoreError> {
        let (mut grants, mut people, mut place) = (0, HashSet::new(), Walk::START);
        while let Some((clients, next)) = self.members(id, place).await? {
            for client in clients {
                let key = vec![Value::Text(Some(client.to_string().into()))];
                let found: Vec<GrantRecord> =
                    self.select_aside(&statements::grants::SELECT_OF_CLIENT, key).await?;
                let is_above = |grant: &GrantRecord| {
                    grant.is_live(now) && !ceiling.allows_all(grant.scope.as_ref())
                };
                for grant in found.into_iter().filter(is_above) {
                    grants += 1;
                    people.insert(grant.subject);
                }
            }
            place = next;
        }
        Ok(FamilyAccess { grants, people: people.len() as u64 })
    }

    /// Whether this event began a removal of the clients of a family.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_removal_of_family(
        &self,
        id: FamilyId,
        event: EventId,
    ) -> Result<bool, StoreError> {
        let next = first_after(Some(event)).map(EventId::from_bytes);
        let found = self.newest_events(Some(&EventsOf::Family(id)), next, 1).await?;
        let is_it = |it: &EventRecord| it.event_id == event && it.action == Action::FamilyRemoved;
        Ok(found.first().is_some_and(is_it))
    }

    /// The next clients of a family, and where to go on; `None` at the end.
    async fn members(
        &self,
        id: FamilyId,
        place: Walk,
    ) -> Result<Option<(Vec<ClientIdentifier>, Walk)>, StoreError> {
        let filter = ClientFilter { family: Some(id), ..ClientFilter::default() };
        let after = match place {
            Walk::Registered(after) => {
                let page = self.clients(&filter, after, CLIENTS_AT_ONCE).await?;
                if let Some(last) = page.last().map(|client| client.client_id) {
                    let clients = page.iter().map(|client| client.client_id.into()).collect();
                    return Ok(Some((clients, Walk::Registered(Some(last)))));
                }
                None
            }
            Walk::Documents(after) => after,
        };
        let page = self.document_clients_behind(&filter, after.as_deref(), CLIENTS_AT_ONCE).await?;
        let Some(last) = page.last().map(|client| client.url.clone()) else { return Ok(None) };
        let urls = page.iter().filter_map(|client| client.url.parse::<DocumentUrl>().ok());
        Ok(Some((urls.map(ClientIdentifier::Document).collect(), Walk::Documents(Some(last)))))
    }

    async fn end_grants_of(
        &self,
        family: FamilyId,
        clients: Vec<ClientIdentifier>,
        by: &Author,
    ) -> Result<usize, StoreError> {
        let by = by.clone();
        change!(self, whole deleting, |change| {
            changes::end_grants_of_clients(change, family, &clients, &by)
        })
    }
}

impl FamilyEdited {
    /// The outcome of an edit that gives a family this standing.
    const fn standing(self, to: Standing) -> StandingChanged {
        match self {
            Self::Now { is_changed: true, ended } => StandingChanged::Now { ended },
            Self::Now { is_changed: false, .. } | Self::Superseded => StandingChanged::Is(to),
            Self::NotThere => StandingChanged::NotThere,
        }
    }
}
