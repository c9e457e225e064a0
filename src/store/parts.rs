//! Parts of records, which statements read or write alone, and moments that the store remembers.

use super::{
    Standing,
    column::{Record, Row, columns},
    record::{identified, tables},
};
use crate::{audit::EventId, client::ClientId, clock::Timestamp};

columns! {
    /// What decides when a registered client expires.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClientAge {
        /// The client.
        pub client_id: ClientId = "client_id",
        /// When it was registered.
        pub issued_at: Timestamp = "issued_at",
        /// Its standing.
        pub standing: Standing = "standing",
        /// When its standing last changed.
        pub standing_at: Option<Timestamp> = "standing_at",
        /// When it was last used, as far as that is recorded.
        pub used_at: Option<Timestamp> = "used_at",
        /// Who vouches for it.
        pub registered_by: Option<String> = "registered_by",
        /// When a rule removes it.
        pub expires_at: Option<Timestamp> = "expires_at",
    }
}

columns! {
    /// When a registered client was used.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ClientUse {
        /// The client.
        pub client_id: ClientId = "client_id",
        /// When.
        pub used_at: Timestamp = "used_at",
    }
}

columns! {
    /// When a client with a metadata document was used.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct DocumentClientUse {
        /// The URL of its document.
        pub url: String = "url",
        /// When.
        pub used_at: Timestamp = "used_at",
    }
}

columns! {
    /// The identifier of an event.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EventKey {
        /// See [`event_id`](super::EventRecord::event_id).
        pub event_id: EventId = "event_id",
    }
}

columns! {
    /// A moment that the store remembers.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MarkRecord {
        /// A [`super::Mark`].
        pub name: String = "name",
        /// The moment.
        pub at: Timestamp = "at",
    }
}

tables! {
    ClientAge in "clients", |row| identified::<ClientId>(row, "client", ClientId::from_bytes);
    ClientUse in "clients", |row| identified::<ClientId>(row, "client", ClientId::from_bytes);
    DocumentClientUse in "document_clients", |row| {
        format!("client {}", row.text(0).ok().flatten().unwrap_or("without a URL"))
    };
    EventKey in "events", |row| identified::<EventId>(row, "event", EventId::from_bytes);
    MarkRecord in "marks", |row| {
        format!("the mark {}", row.text(0).ok().flatten().unwrap_or("without a name"))
    };
}
