//! The standing that holds for a client: its own, or that of its family if an operator has suspended the family.

use std::collections::HashSet;

use super::{ClientState, Standing, Store, StoreError};
use crate::{
    client::ClientMetadata,
    family::{FamilyId, FamilyKey},
};

/// The families that operators have suspended: few.
#[derive(Debug, Default)]
pub struct SuspendedFamilies(HashSet<FamilyId>);

impl SuspendedFamilies {
    /// The standing that holds for a client. Its metadata is read only if any family is suspended.
    pub fn standing_of(&self, state: &ClientState, metadata: &str) -> Standing {
        if self.0.is_empty() || state.standing == Standing::Suspended {
            return state.standing;
        }
        match serde_json::from_str::<ClientMetadata>(metadata) {
            Ok(metadata) if self.0.contains(&FamilyKey::of(&metadata).id()) => Standing::Suspended,
            Ok(_) | Err(_) => state.standing,
        }
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
