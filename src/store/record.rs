//! The records that are kept. Plain data: client metadata is one RFC 7591 document beside the few
//! columns that are looked up or swept, so a new member is no migration.

use std::net::IpAddr;

use crate::{
    client::{ClientId, ProfileName},
    clock::Timestamp,
};

/// A registered client. It is its own trail: who registered it, when, from where and by which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// Made by the server, never reused.
    pub client_id: ClientId,
    /// When it was registered, to the millisecond.
    pub issued_at: Timestamp,
    /// The profile that admitted it.
    pub profile: ProfileName,
    /// The caller's address, unless the operator does not want it kept.
    pub source: Option<IpAddr>,
    /// What an operator should look at.
    pub flags: ClientFlags,
    /// The metadata as registered: one JSON object of RFC 7591 members, defaults and substitutions in it.
    pub metadata: String,
}

/// Remarks on a record, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags(u32);

impl ClientFlags {
    /// The name looks like a protected one, and a redirect URI leads elsewhere.
    pub const LOOK_ALIKE: Self = Self(1);

    /// The set of these bits; a bit that this release does not know is kept.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The set as bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Adds what `other` holds.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of what is set, as tables and JSON show them.
    pub fn names(self) -> Vec<&'static str> {
        [(Self::LOOK_ALIKE, "look_alike")]
            .into_iter()
            .filter_map(|(flag, name)| self.contains(flag).then_some(name))
            .collect()
    }
}
