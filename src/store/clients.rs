//! The chapter of clients.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientFlags, ClientRecord, StoreError};
use crate::{
    client::{ClientId, ProfileName},
    clock::Timestamp,
};

/// What the service keeps of clients, and nothing about how. Implementations pass every test in
/// `contract/`.
#[async_trait]
pub trait ClientStore: Send + Sync {
    /// Keeps a new client. When this returns `Ok`, the record survives the process and the machine.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is kept then.
    async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError>;

    /// The client of this identifier, if there is one.
    async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError>;

    /// At most `limit` clients that pass `filter`, in the order of their identifiers (which is the order
    /// of registration), beginning after `after`.
    ///
    /// A page may hold fewer than `limit` clients and not be the last: the last page is the empty one.
    async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError>;

    /// How many clients are kept.
    async fn count_clients(&self) -> Result<u64, StoreError>;

    /// Forgets a client, durably.
    async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError>;

    /// Keeps clients that another store exported, as one change: all of them or none. A client that is
    /// already kept is left as it is and told so, thus an import can be run again.
    async fn import_clients(&self, clients: Vec<ClientRecord>)
    -> Result<Vec<Imported>, StoreError>;
}

/// Which clients a list shows; an absent bound lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// Only clients that came through this door.
    pub profile: Option<ProfileName>,
    /// Only clients with all of these flags.
    pub flags: ClientFlags,
    /// Only clients registered at this moment or later.
    pub issued_from: Option<Timestamp>,
    /// Only clients registered before this moment.
    pub issued_until: Option<Timestamp>,
    /// Only clients whose `client_name` contains this text, without regard to ASCII case.
    pub name_contains: Option<String>,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The client was there and is forgotten.
    Forgotten,
    /// There was no such client.
    NotThere,
}

/// What became of one imported client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is kept now.
    Kept,
    /// A client of this identifier was there already, with the same record.
    AlreadyThere,
    /// A client of this identifier was there already, with another record, which stays.
    Differs,
}
