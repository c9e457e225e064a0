//! Clients.

use std::sync::Arc;

use super::{
    ClientFilter, ClientRecord, ClientUse, Database, DocumentClientRecord, DocumentClientUse,
    FamilySaid, Standing, Store, StoreError,
    arrival::Newcomer,
    change, changes,
    column::Value,
    statements::{clients, document_clients},
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier, DocumentUrl},
    metrics::StoreOperation,
};

impl Store {
    /// Stores a new client. When this returns `Ok`, the record survives the process and the machine. `None` leaves its
    /// family for later.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is stored then.
    pub async fn register_client(
        &self,
        client: Arc<ClientRecord>,
        family: Option<Arc<FamilySaid>>,
    ) -> Result<(), StoreError> {
        if let Some(answer) = self.check_registration().await {
            return answer;
        }
        let timed = self.timed(StoreOperation::Registration, "register_client");
        let newcomer = Newcomer { client, family };
        timed.ended(match &self.database {
            Database::Embedded(embedded) => embedded.register_client(newcomer).await,
            Database::Postgres(postgres) => postgres.register_client(newcomer).await,
        })
    }

    /// The client with this identifier, if it exists.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.check()?;
        let timed = self.timed(StoreOperation::Lookup, "client");
        timed.ended(match &self.database {
            Database::Embedded(embedded) => embedded.client(id).await,
            Database::Postgres(postgres) => postgres.client(id).await,
        })
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
        if filter.family.is_some() || filter.label.is_some() || filter.standing.is_some() {
            return self.clients_by_looking(filter, after, limit).await;
        }
        match &self.database {
            Database::Embedded(embedded) => embedded.clients(filter, after, limit).await,
            Database::Postgres(postgres) => postgres.clients(filter, after, limit).await,
        }
    }

    /// At most `limit` clients, the newest first, beginning with the last one before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn newest_clients(
        &self,
        before: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let before = before.map_or(Value::LAST, |id| Value::Id(*id.as_bytes()));
        self.select(&clients::SELECT_NEWEST, vec![before, Value::limit(limit)]).await
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

    /// Removes a client and its grants, durably, whatever its standing. The event, which `action` names, stays as its
    /// tombstone. [`Self::reject_client`] removes a client only while it is pending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_client(
        &self,
        id: ClientId,
        action: Action,
        reason: &str,
        by: Author,
    ) -> Result<Deleted, StoreError> {
        let reason = reason.to_owned();
        change!(self, whole deleting, |change| {
            changes::remove_client(change, id, action, &reason, &by)
        })
    }

    /// Brings a client to another standing, if it has one of those that `transition` begins with. A suspension ends every
    /// grant of the client in the same change.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_standing(
        &self,
        client: &ClientIdentifier,
        transition: &'static Transition,
        reason: Option<&str>,
        by: Author,
    ) -> Result<StandingChanged, StoreError> {
        let (client, reason) = (client.clone(), reason.map(str::to_owned));
        change!(self, whole, |change| {
            changes::change_standing(change, &client, transition, reason.as_deref(), &by)
        })
    }

    /// Sets the scopes that a client may hold at most, or lifts the bound. Ends, in the same change, every grant that has
    /// another scope; what is allowed again adds nothing to a grant. Returns how many grants ended; `None` if there is no such
    /// client.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restrict_client(
        &self,
        client: &ClientIdentifier,
        ceiling: Option<Ceiling>,
        by: Author,
    ) -> Result<Option<usize>, StoreError> {
        let client = client.clone();
        change!(self, whole, |change| {
            changes::restrict_client(change, &client, ceiling.as_ref(), &by)
        })
    }

    /// Puts a note on a client, or takes it away.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_note(
        &self,
        client: &ClientIdentifier,
        note: Option<&str>,
    ) -> Result<Deleted, StoreError> {
        let (client, note) = (client.clone(), note.map(str::to_owned));
        let written =
            change!(self, one, |change| { changes::put_note(change, &client, note.as_deref()) });
        Ok(if written? == 0 { Deleted::NotThere } else { Deleted::Forgotten })
    }

    /// Stores when registered clients were used, as one change. A client that has a later use, or does not exist, stays as
    /// it is. Returns how many clients have a later use now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_client_uses(&self, uses: Vec<ClientUse>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::note_client_uses(change, &uses))
    }

    /// The same for clients with a metadata document.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_document_client_uses(
        &self,
        uses: Vec<DocumentClientUse>,
    ) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::note_document_client_uses(change, &uses))
    }

    /// The client with a document at this URL, if a person has ever allowed it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_client(
        &self,
        url: &DocumentUrl,
    ) -> Result<Option<DocumentClientRecord>, StoreError> {
        self.select_one(&document_clients::SELECT, vec![Value::text(url.as_str())]).await
    }

    /// Stores clients with a document of another store, as one change. An existing one is replaced if the imported one was
    /// allowed or changed its standing later. Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_document_clients(
        &self,
        clients: Vec<DocumentClientRecord>,
    ) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::import_document_clients(change, &clients))
    }

    /// At most `limit` clients with a document that people have allowed, in the order of their URLs, beginning after
    /// `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_clients(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DocumentClientRecord>, StoreError> {
        let after = Value::text(after.unwrap_or_default());
        self.select(&document_clients::SELECT_PAGE, vec![after, Value::limit(limit)]).await
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
        let imported = match &self.database {
            Database::Embedded(embedded) => embedded.import_clients(clients.clone()).await,
            Database::Postgres(postgres) => postgres.import_clients(clients.clone()).await,
        }?;
        self.count_in_families(&clients).await?;
        Ok(imported)
    }
}

/// How a client comes from one standing to another.
#[derive(Debug)]
pub struct Transition {
    /// Where it may begin.
    pub from: &'static [Standing],
    /// Where it ends.
    pub to: Standing,
    /// What the event about it says.
    pub action: Action,
}

impl Transition {
    /// An operator approves a pending client.
    pub const APPROVE: Self =
        Self { from: &[Standing::Pending], to: Standing::Active, action: Action::ClientApproved };
    /// An operator or a rule suspends a client.
    pub const SUSPEND: Self = Self {
        from: &[Standing::Active, Standing::Pending, Standing::Dormant],
        to: Standing::Suspended,
        action: Action::ClientSuspended,
    };
    /// An operator resumes a suspended client.
    pub const RESUME: Self =
        Self { from: &[Standing::Suspended], to: Standing::Active, action: Action::ClientResumed };
    /// Time makes an unused client dormant.
    pub const SLEEP: Self =
        Self { from: &[Standing::Active], to: Standing::Dormant, action: Action::ClientDormant };
}

/// What became of a [`Transition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingChanged {
    /// The client has the new standing, and this many grants ended.
    Now {
        /// How many.
        ended: usize,
    },
    /// The client has this standing, from which the transition does not lead.
    Is(Standing),
    /// There is no such client.
    NotThere,
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
