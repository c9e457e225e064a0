//! Clients.

use std::sync::Arc;

use super::{ClientFlags, ClientRecord, Database, Store, StoreError};
use crate::{
    client::{ClientId, ProfileName},
    clock::Timestamp,
};

impl Store {
    /// Stores a new client. When this returns `Ok`, the record survives the process and the machine.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is stored then.
    pub async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError> {
        if let Some(answer) = self.check_registration().await {
            return answer;
        }
        match &self.database {
            Database::Embedded(embedded) => embedded.register_client(client).await,
            Database::Postgres(postgres) => postgres.register_client(client).await,
        }
    }

    /// The client with this identifier, if it exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.client(id).await,
            Database::Postgres(postgres) => postgres.client(id).await,
        }
    }

    /// At most `limit` clients that pass `filter`, in the order of their identifiers (which is the order of
    /// registration), beginning after `after`.
    ///
    /// A page may hold fewer than `limit` clients and not be the last: the last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(
        &self,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.clients(filter, after, limit).await,
            Database::Postgres(postgres) => postgres.clients(filter, after, limit).await,
        }
    }

    /// The number of clients.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_clients(&self) -> Result<u64, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.count_clients().await,
            Database::Postgres(postgres) => postgres.count_clients().await,
        }
    }

    /// Deletes a client, durably.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.delete_client(id).await,
            Database::Postgres(postgres) => postgres.delete_client(id).await,
        }
    }

    /// Stores clients that another store exported, as one change: all of them or none. A client that exists already
    /// stays as it is, so that an import can be run again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.import_clients(clients).await,
            Database::Postgres(postgres) => postgres.import_clients(clients).await,
        }
    }
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
