//! What operators decide about families, each change in the version that the operator saw.

use super::{
    ClientFilter, FamilyRecord, Standing, StandingChanged, Store, StoreError, Transition, change,
    changes, client_edits::version_of, families::CLIENTS_AT_ONCE,
};
use crate::{
    audit::{Action, Author},
    client::{ClientIdentifier, DocumentUrl},
    family::FamilyId,
};

/// What becomes of a family. An absent member stays as it is.
#[derive(Clone, Debug, Default)]
pub struct FamilyEdit {
    /// Whether it is suspended.
    pub is_suspended: Option<bool>,
    /// Why, for the audit event.
    pub reason: Option<String>,
    /// The versions in which the family may be ([`FamilyRecord::version`]); `None` admits every version.
    pub versions: Option<Vec<String>>,
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
    /// Identifies what operators decided about a family: it changes with the standing, and not with a registration.
    pub fn version(&self) -> String {
        version_of(&format!("{}\n{:?}", self.standing, self.standing_at))
    }

    /// Whether the family is in one of these versions; `None` admits every version.
    pub(super) fn is_in(&self, versions: Option<&[String]>) -> bool {
        versions.is_none_or(|versions| versions.contains(&self.version()))
    }
}

impl Store {
    /// Makes an edit, if the family is in one of its versions. Of a suspended family every grant ends, a page of clients a
    /// change, and nobody can allow its clients, those included that register later. An edit that changes nothing ends the
    /// grants that an earlier one has left. `progress` is told of the clients that were looked at, and the grants that
    /// ended.
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
        let before = if is_suspended == Some(false) {
            self.end_grants_of_family(id, &by, &|_, _| {}).await?
        } else {
            0
        };
        let author = by.clone();
        let edited =
            change!(self, whole, |change| { changes::edit_family(change, id, &edit, &author) })?;
        let FamilyEdited::Now { is_changed, .. } = edited else { return Ok(edited) };
        let after = if is_suspended == Some(true) {
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
        let edit = FamilyEdit { is_suspended: Some(true), reason, versions: None };
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
        let edit = FamilyEdit { is_suspended: Some(false), reason, versions: None };
        let edited = self.edit_family(id, edit, by, &|_, _| {}).await?;
        Ok(edited.standing(Standing::Active))
    }

    /// Ends every grant of a family, a page a change, as long as the family is suspended.
    async fn end_grants_of_family(
        &self,
        id: FamilyId,
        by: &Author,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<usize, StoreError> {
        let filter = ClientFilter { family: Some(id), ..ClientFilter::default() };
        let (mut ended, mut after) = (0, None);
        loop {
            let page = self.clients(&filter, after, CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.client_id);
            let clients = page.iter().map(|client| client.client_id.into()).collect();
            let grants = self.end_grants_of(id, clients, by).await?;
            ended += grants;
            progress(page.len(), grants);
        }
        let mut after: Option<String> = None;
        loop {
            let page =
                self.document_clients_behind(&filter, after.as_deref(), CLIENTS_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.url.clone());
            let urls = page.iter().filter_map(|client| client.url.parse::<DocumentUrl>().ok());
            let clients = urls.map(ClientIdentifier::Document).collect();
            let grants = self.end_grants_of(id, clients, by).await?;
            ended += grants;
            progress(page.len(), grants);
        }
        self.count_family_use(id, by.at).await?;
        Ok(ended)
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
