//! Which families a list shows, and in which order.

use std::{fmt, str::FromStr};

use super::{FamilyRecord, Standing};
use crate::{
    admission::DestinationPattern,
    family::{FamilyId, FamilyKey},
};

/// In which order families are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FamilyOrder {
    /// The family with the most clients first.
    #[default]
    Clients,
    /// The family that a client joined last first.
    LastSeen,
}

impl FamilyOrder {
    /// Where a list goes on behind a family.
    pub const fn place(self, family: &FamilyRecord) -> FamilyPlace {
        let value = match self {
            Self::Clients => family.clients,
            Self::LastSeen => family.last_seen_at.as_millis(),
        };
        FamilyPlace { value, family_id: family.family_id }
    }
}

/// Where a list of families goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyPlace {
    pub(super) value: u64,
    /// The last family of the page before.
    pub family_id: FamilyId,
}

/// The value and the identifier, for the cursors of lists.
impl fmt::Display for FamilyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.value, self.family_id)
    }
}

impl FromStr for FamilyPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (value, family_id) = text.split_once('.').ok_or(())?;
        let (value, family_id) = (value.parse().ok(), family_id.parse().ok());
        Ok(Self { value: value.ok_or(())?, family_id: family_id.ok_or(())? })
    }
}

/// Which families a list shows; an absent bound lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilyFilter {
    /// In which order.
    pub order: FamilyOrder,
    /// Only families whose key or a name contains this text, without regard to ASCII case.
    pub name_contains: Option<String>,
    /// Only families with this redirect destination.
    pub destination: Option<DestinationPattern>,
    /// Only families of this standing.
    pub standing: Option<Standing>,
}

impl FamilyFilter {
    pub(super) fn passes(&self, family: &FamilyRecord) -> bool {
        let holds = |text: &str, part: &String| {
            text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
        };
        let is_named =
            |part| holds(&family.key, part) || family.names.iter().any(|name| holds(name, part));
        let leads_to = |wanted: &DestinationPattern| {
            let key = family.key.parse::<FamilyKey>();
            key.is_ok_and(|key| key.destinations().any(|place| wanted.matches(place)))
        };
        self.standing.is_none_or(|standing| standing == family.standing)
            && self.name_contains.as_ref().is_none_or(is_named)
            && self.destination.as_ref().is_none_or(leads_to)
    }
}
