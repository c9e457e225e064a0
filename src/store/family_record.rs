//! The records of families, and how what was seen of clients adds up. Adding up is the same in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use serde::Deserialize;
use serde_json::{Value as Json, json, value::RawValue};

use super::{
    ClientFlags, ClientRecord, Standing,
    arrival::{ArrivalRecord, FamilySaid},
    column::{Record, Row, Stored, Unreadable, Value, columns},
};
use crate::{
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, ClientMetadata},
    clock::Timestamp,
    family::{FamilyId, FamilyKey},
};

columns! {
    /// A family: what an operator would call one app. Counted aside, a few seconds behind registrations.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FamilyRecord {
        /// Follows from the key.
        pub family_id: FamilyId = "family_id",
        /// The text of its [`FamilyKey`].
        pub key: String = "family_key",
        /// Names of its clients, the earliest ones.
        pub names: FamilyNames = "names",
        /// How many of its registered clients exist.
        pub clients: u64 = "clients",
        /// How many were removed.
        pub removed: u64 = "removed",
        /// How many people had a live grant when they were last counted.
        pub people: u64 = "people",
        /// What an operator should look at, of any of its clients.
        pub flags: ClientFlags = "flags",
        /// When its first client registered.
        pub first_seen_at: Timestamp = "first_seen_at",
        /// When its last client registered.
        pub last_seen_at: Timestamp = "last_seen_at",
        /// When any of its clients was last used, when that was last looked up.
        pub used_at: Option<Timestamp> = "used_at",
        /// Active or suspended; a suspension applies to every client, now registered or later.
        pub standing: Standing = "standing",
        /// When its standing last changed; consents from before do not count.
        pub standing_at: Option<Timestamp> = "standing_at",
        /// The scopes that an operator leaves to its clients; `None` for all.
        pub ceiling: Option<Ceiling> = "ceiling",
    }
}

impl FamilyRecord {
    /// How many of its clients ever registered.
    pub const fn registrations(&self) -> u64 {
        self.clients + self.removed
    }

    /// The same family, which counts no client.
    pub(super) fn without_clients(&self) -> Self {
        Self { clients: 0, removed: 0, ..self.clone() }
    }

    /// Adds what was seen of other clients. What operators decided, and what is counted elsewhere, stays.
    pub(super) fn add(&mut self, other: &Self) {
        self.names.add(&other.names);
        self.clients += other.clients;
        self.removed += other.removed;
        self.flags.insert(other.flags);
        self.first_seen_at = self.first_seen_at.min(other.first_seen_at);
        self.last_seen_at = self.last_seen_at.max(other.last_seen_at);
    }
}

/// Names of clients with the time at which each was first registered: the earliest few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilyNames(pub(super) Vec<(Timestamp, String)>);

/// How many names a family has: strangers make up any number.
const NAMES_MAX: usize = 10;

impl FamilyNames {
    /// The names, the earliest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, name)| name.as_str())
    }

    /// Names whose times are unknown, the earliest first.
    pub(crate) fn in_order(names: impl IntoIterator<Item = String>) -> Self {
        let ordered = (0..).map(Timestamp::from_millis).zip(names);
        Self(ordered.take(NAMES_MAX).collect())
    }

    fn add(&mut self, other: &Self) {
        for (at, name) in &other.0 {
            match self.0.iter_mut().find(|(_, known)| known == name) {
                Some((first, _)) => *first = (*first).min(*at),
                None => self.0.push((*at, name.clone())),
            }
        }
        self.0.sort_unstable();
        self.0.truncate(NAMES_MAX);
    }
}

impl Stored for FamilyNames {
    const NULL: Value<'static> = Value::Text(None);

    fn value(&self) -> Value<'_> {
        let names = self.0.iter().map(|(at, name)| json!([at.as_millis(), name]));
        Value::Text(Some(Json::Array(names.collect()).to_string().into()))
    }

    fn load(row: &impl Row, column: usize) -> Result<Option<Self>, Unreadable> {
        let Some(text) = row.text(column)? else { return Ok(None) };
        let pairs: Vec<(u64, String)> = serde_json::from_str(text)?;
        let names = pairs.into_iter().map(|(at, name)| (Timestamp::from_millis(at), name));
        Ok(Some(Self(names.collect())))
    }
}

columns! {
    /// A registered client that is counted in a family.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub struct FamilyClient {
        /// The family.
        pub family_id: FamilyId = "family",
        /// The client.
        pub client_id: ClientId = "client_id",
    }
}

columns! {
    /// Names a family.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct FamilyRef {
        /// The family.
        pub(super) family_id: FamilyId = "family_id",
    }
}

columns! {
    /// Names a registered client.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct ClientRef {
        /// The client.
        pub(super) client_id: ClientId = "client_id",
    }
}

columns! {
    /// Names the client of grants.
    #[derive(Clone, Debug)]
    pub(super) struct GrantsOf {
        /// The client.
        pub(super) client: ClientIdentifier = "client",
    }
}

columns! {
    /// The access that people gave to the clients of a family.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct FamilyAccess {
        /// How many live grants there are.
        pub grants: u64 = "grants",
        /// How many people gave them.
        pub people: u64 = "people",
    }
}

columns! {
    /// When any client of a family was last used.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct FamilyUse {
        /// When.
        pub(super) used_at: Option<Timestamp> = "used_at",
    }
}

columns! {
    /// A number of records.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Number {
        /// The number.
        pub(super) number: u64 = "number",
    }
}

/// What names each kind of record here in errors.
macro_rules! named {
    ($($record:ident in $table:literal is $name:literal;)+) => {
        $(impl Record for $record {
            const TABLE: &'static str = $table;
            const NAMES: &'static str = Self::COLUMNS;

            fn name(_: &impl Row) -> String {
                $name.to_owned()
            }
        })+
    };
}

named! {
    FamilyRecord in "families" is "a family";
    FamilyClient in "clients" is "a client of a family";
    FamilyRef in "families" is "a family";
    ClientRef in "clients" is "a client";
    GrantsOf in "grants" is "a grant";
    FamilyAccess in "grants" is "the access to a family";
    FamilyUse in "clients" is "the last use of a family";
    Number in "families" is "the number of families";
}

/// Clients of one family, as they are counted.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    /// What they say, without their number.
    pub(super) seen: FamilyRecord,
    /// The clients, each once.
    pub(super) members: BTreeSet<ClientId>,
}

/// What decides about the family of a client, as it is stored: most clients of a page say the same.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    client_name: Option<&'a RawValue>,
    #[serde(borrow)]
    redirect_uris: Option<&'a RawValue>,
}

/// Clients by their families. A client whose metadata cannot be read belongs to none.
pub(super) fn counted<'a>(clients: impl IntoIterator<Item = &'a ClientRecord>) -> Vec<Counted> {
    let mut alike: HashMap<[&str; 2], Counted> = HashMap::new();
    for client in clients {
        let Ok(said) = serde_json::from_str::<Said<'_>>(&client.metadata) else { continue };
        match alike
            .entry([said.client_name, said.redirect_uris].map(|it| it.map_or("", RawValue::get)))
        {
            Entry::Occupied(mut alike) => alike.get_mut().add_alike(client),
            Entry::Vacant(new) => {
                if let Some(first) = Counted::of(client) {
                    new.insert(first);
                }
            }
        }
    }
    let mut families: BTreeMap<FamilyId, Counted> = BTreeMap::new();
    for alike in alike.into_values() {
        match families.get_mut(&alike.seen.family_id) {
            Some(family) => {
                family.seen.add(&alike.seen);
                family.members.extend(alike.members);
            }
            None => drop(families.insert(alike.seen.family_id, alike)),
        }
    }
    families.into_values().collect()
}

impl Counted {
    /// One client alone.
    fn of(client: &ClientRecord) -> Option<Self> {
        let metadata: ClientMetadata = serde_json::from_str(&client.metadata).ok()?;
        let seen = ArrivalRecord::of(client, &FamilySaid::by(&metadata)).seen();
        Some(Self { seen, members: BTreeSet::from([client.client_id]) })
    }

    /// Adds a client that says the same as all that are here: they have one name.
    fn add_alike(&mut self, client: &ClientRecord) {
        let seen = &mut self.seen;
        seen.flags.insert(client.flags);
        seen.first_seen_at = seen.first_seen_at.min(client.issued_at);
        seen.last_seen_at = seen.last_seen_at.max(client.issued_at);
        for (at, _) in &mut seen.names.0 {
            *at = seen.first_seen_at;
        }
        self.members.insert(client.client_id);
    }
}

/// The family of a client with this metadata, as it is stored.
pub(crate) fn family_of(metadata: &str) -> Option<FamilyId> {
    let metadata = serde_json::from_str::<ClientMetadata>(metadata).ok()?;
    Some(FamilyKey::of(&metadata).id())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(all: &[(u64, u8)]) -> FamilyNames {
        let mut added = FamilyNames::default();
        for (at, name) in all {
            added.add(&FamilyNames(vec![(Timestamp::from_millis(*at), name.to_string())]));
        }
        added
    }

    proptest! {
        #[test]
        fn names_add_up_to_the_same_in_any_order(
            all in prop::collection::vec((0..50_u64, 0..30_u8), 0..60),
            cut in 0..60_usize,
        ) {
            let expected = names(&all);
            let (left, right) = all.split_at(cut.min(all.len()));
            let mut merged = names(right);
            merged.add(&names(left));
            prop_assert_eq!(&merged, &expected);
            merged.add(&names(left));
            prop_assert_eq!(merged, expected, "adding again changes nothing");
        }
    }
}
