//! New clients that know their family. What the family is told of them is stored with them, and added to it aside: no
//! registration waits for the row of a family, which many share.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ClientFlags, ClientRecord, FamilyRecord, Standing,
    column::{Columns, Record, Row, Unreadable, Value, columns},
    family_record::FamilyNames,
    record::{identified, tables},
};
use crate::{
    client::{ClientId, ClientMetadata, ClientName},
    clock::Timestamp,
    family::{FamilyId, FamilyKey},
};

/// A client that registers.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) client: Arc<ClientRecord>,
    /// `None` leaves its family for later.
    pub(super) family: Option<Arc<FamilySaid>>,
}

/// What a new client says of its family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilySaid {
    family_id: FamilyId,
    /// The text of its [`FamilyKey`].
    key: String,
    /// The name of the client.
    name: Option<String>,
}

impl FamilySaid {
    /// What a client with this metadata says.
    pub fn by(metadata: &ClientMetadata) -> Self {
        let (family_id, key) = FamilyKey::of(metadata).identified();
        let name = metadata.client_name.as_ref().map(|name| ClientName::as_str(name).to_owned());
        Self { family_id, key, name }
    }

    /// The name of the client.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

columns! {
    /// A client as it registers, beside its family.
    #[derive(Clone, Debug)]
    pub(super) struct Registration {
        /// Its family.
        pub(super) family: Option<FamilyId> = "family",
        /// The client.
        pub(super) client: Arc<ClientRecord> = ClientRecord::NAMES,
    }
}

impl From<&Newcomer> for Registration {
    fn from(newcomer: &Newcomer) -> Self {
        let family = newcomer.family.as_ref().map(|family| family.family_id);
        Self { family, client: Arc::clone(&newcomer.client) }
    }
}

impl Columns for Arc<ClientRecord> {
    const COUNT: usize = ClientRecord::COUNT;

    fn write<'a>(&'a self, to: &mut impl FnMut(Value<'a>)) {
        ClientRecord::write(self, to);
    }

    fn write_none<'a>(to: &mut impl FnMut(Value<'a>)) {
        ClientRecord::write_none(to);
    }

    fn read(row: &impl Row, first: usize) -> Result<Self, Unreadable> {
        ClientRecord::read(row, first).map(Self::new)
    }
}

columns! {
    /// Clients of one family and name that registered together, of which their family is not told yet.
    #[derive(Clone, Debug)]
    pub(super) struct ArrivalRecord {
        /// The first of them, by identifier.
        pub(super) client_id: ClientId = "client_id",
        /// Their family.
        pub(super) family_id: FamilyId = "family_id",
        /// The text of its [`FamilyKey`].
        family_key: String = "family_key",
        /// Their name.
        name: Option<String> = "name",
        /// How many there are.
        pub(super) clients: u64 = "clients",
        /// How many were removed.
        removed: u64 = "removed",
        /// What an operator should look at, of any of them.
        flags: ClientFlags = "flags",
        /// When the first registered.
        pub(super) first_seen_at: Timestamp = "first_seen_at",
        /// When the last registered.
        last_seen_at: Timestamp = "last_seen_at",
    }
}

tables! {
    Registration in "clients", |_row| "a new client".to_owned();
    ArrivalRecord in "family_arrivals", |row| identified::<ClientId>(row, "arrival", ClientId::from_bytes);
}

/// The arrivals of clients that register together.
pub(super) fn arrivals<'a>(
    newcomers: impl IntoIterator<Item = &'a Newcomer>,
) -> Vec<ArrivalRecord> {
    let mut alike: BTreeMap<(FamilyId, Option<&str>), ArrivalRecord> = BTreeMap::new();
    for Newcomer { client, family } in newcomers {
        let Some(family) = family else { continue };
        let arrival = alike
            .entry((family.family_id, family.name.as_deref()))
            .or_insert_with(|| ArrivalRecord::of(client, family));
        arrival.client_id = arrival.client_id.min(client.client_id);
        arrival.clients += 1;
        arrival.flags.insert(client.flags);
        arrival.first_seen_at = arrival.first_seen_at.min(client.issued_at);
        arrival.last_seen_at = arrival.last_seen_at.max(client.issued_at);
    }
    alike.into_values().collect()
}

impl ArrivalRecord {
    /// One that counts no client yet; `client` would be the first.
    pub(super) fn of(client: &ClientRecord, family: &FamilySaid) -> Self {
        Self {
            client_id: client.client_id,
            family_id: family.family_id,
            family_key: family.key.clone(),
            name: family.name.clone(),
            clients: 0,
            removed: 0,
            flags: client.flags,
            first_seen_at: client.issued_at,
            last_seen_at: client.issued_at,
        }
    }

    /// What their family is told.
    pub(super) fn seen(self) -> FamilyRecord {
        let name = self.name.map(|name| (self.first_seen_at, name));
        FamilyRecord {
            family_id: self.family_id,
            key: self.family_key,
            names: FamilyNames(name.into_iter().collect()),
            clients: self.clients,
            removed: self.removed,
            people: 0,
            flags: self.flags,
            first_seen_at: self.first_seen_at,
            last_seen_at: self.last_seen_at,
            used_at: None,
            standing: Standing::Active,
            standing_at: None,
            ceiling: None,
        }
    }
}
