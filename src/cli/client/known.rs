//! A client as the commands that decide about it see it: registered, or with a document.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    cli::{
        backend::Backend,
        exit::Failure,
        grant::Grant,
        output::{number, visible_line},
        records::Pages,
    },
    client::ClientIdentifier,
    clock::Timestamp,
    store::{ClientRecord, ClientState, DocumentClientRecord, GrantFilter, Standing},
};

/// What the store holds of a client.
pub(super) enum Record {
    Registered(ClientRecord),
    Document(DocumentClientRecord),
}

impl Record {
    pub(super) const fn state(&self) -> &ClientState {
        match self {
            Self::Registered(client) => &client.state,
            Self::Document(client) => &client.state,
        }
    }

    fn metadata(&self) -> &str {
        match self {
            Self::Registered(client) => &client.metadata,
            Self::Document(client) => &client.metadata,
        }
    }
}

/// A client that the store knows.
pub(super) struct Known {
    pub(super) identifier: ClientIdentifier,
    pub(super) record: Record,
    /// The standing that holds: `suspended` if its family is.
    pub(super) effective_standing: Standing,
}

impl Known {
    pub(super) fn find(
        backend: &Backend,
        identifier: &ClientIdentifier,
    ) -> Result<Option<Self>, Failure> {
        let store = match backend {
            Backend::Store(store) => store,
            Backend::Server(server) => return Self::find_at(server, identifier),
        };
        let record = match identifier {
            ClientIdentifier::Registered(id) => {
                store.wait(store.handle.client(*id))?.map(Record::Registered)
            }
            ClientIdentifier::Document(url) => {
                store.wait(store.handle.document_client(url))?.map(Record::Document)
            }
        };
        let suspended = store.wait(store.handle.suspended_families())?;
        Ok(record.map(|record| Self {
            identifier: identifier.clone(),
            effective_standing: suspended.standing_of(record.state(), record.metadata()),
            record,
        }))
    }

    pub(super) const fn state(&self) -> &ClientState {
        self.record.state()
    }

    pub(super) fn metadata(&self) -> Value {
        serde_json::from_str(self.record.metadata()).unwrap_or_default()
    }

    /// What sentences call it: its name, and its identifier in parentheses.
    pub(super) fn label(&self) -> String {
        let metadata = self.metadata();
        match metadata.get("client_name").and_then(Value::as_str) {
            Some(name) => format!("{} ({})", visible_line(name), self.identifier),
            None => self.identifier.to_string(),
        }
    }

    pub(super) fn connections(
        &self,
        backend: &Backend,
        now: Timestamp,
    ) -> Result<Connections, Failure> {
        self.connections_if(backend, now, |_| true)
    }

    /// The live grants that `is_meant` chooses.
    pub(super) fn connections_if(
        &self,
        backend: &Backend,
        now: Timestamp,
        is_meant: impl Fn(&Grant) -> bool,
    ) -> Result<Connections, Failure> {
        let filter = GrantFilter { client: Some(self.identifier.clone()), subject: None };
        let (mut number, mut people) = (0, HashSet::new());
        for grant in Pages::<Grant>::new(backend, filter, None, None) {
            let grant = grant?;
            if grant.expires_at > now && is_meant(&grant) {
                number += 1;
                people.insert(grant.subject);
            }
        }
        Ok(Connections { number, people: people.len() })
    }
}

/// The live grants of a client.
#[derive(Clone, Copy)]
pub(super) struct Connections {
    pub(super) number: usize,
    pub(super) people: usize,
}

impl Connections {
    /// `3 connections of 2 people`.
    pub(super) fn words(self) -> String {
        let connections = number(self.number as u64, "connection", "connections");
        format!("{connections} of {}", number(self.people as u64, "person", "people"))
    }
}
