//! The standing that holds for a client: its own, or that of its family if an operator has suspended the family.

use std::collections::BTreeSet;

use super::{ClientFilter, ClientState, Standing, Store, StoreError, family_of};
use crate::family::FamilyId;

/// The families that operators have suspended: few.
#[derive(Debug, Default)]
pub struct SuspendedFamilies(BTreeSet<FamilyId>);

impl SuspendedFamilies {
    /// The standing that holds for a client. Its metadata is read only if any family is suspended.
    pub fn standing_of(&self, state: &ClientState, metadata: &str) -> Standing {
        if self.0.is_empty() || state.standing == Standing::Suspended {
            return state.standing;
        }
        let is_suspended = family_of(metadata).is_some_and(|family| self.0.contains(&family));
        if is_suspended { Standing::Suspended } else { state.standing }
    }

    /// The families, by identifier.
    pub(super) fn iter(&self) -> impl Iterator<Item = FamilyId> {
        self.0.iter().copied()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Store {
    /// The families that are suspended now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn suspended_families(&self) -> Result<SuspendedFamilies, StoreError> {
        let decided = self.decided_families().await?.into_iter();
        let suspended = decided.filter(|family| family.standing == Standing::Suspended);
        Ok(SuspendedFamilies(suspended.map(|family| family.family_id).collect()))
    }

    /// The suspended families, if the filter needs them.
    pub(super) async fn suspended_for(
        &self,
        filter: &ClientFilter,
    ) -> Result<SuspendedFamilies, StoreError> {
        match filter.standing {
            Some(_) => self.suspended_families().await,
            None => Ok(SuspendedFamilies::default()),
        }
    }
}
