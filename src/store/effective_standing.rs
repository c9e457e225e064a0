//! The standing that holds for a client: its own, or that of its family if an operator has suspended the family.

use std::collections::HashSet;

use super::{ClientState, Standing, Store, StoreError, family_of};
use crate::family::FamilyId;

/// The families that operators have suspended: few.
#[derive(Debug, Default)]
pub struct SuspendedFamilies(HashSet<FamilyId>);

impl SuspendedFamilies {
    /// The standing that holds for a client. Its metadata is read only if any family is suspended.
    pub fn standing_of(&self, state: &ClientState, metadata: &str) -> Standing {
        if self.0.is_empty() || state.standing == Standing::Suspended {
            return state.standing;
        }
        let is_suspended = family_of(metadata).is_some_and(|family| self.0.contains(&family));
        if is_suspended { Standing::Suspended } else { state.standing }
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
}
