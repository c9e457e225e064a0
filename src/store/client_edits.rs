//! What operators change of a client, each change in the version that the operator saw.

use std::fmt::Write as _;

use super::{
    ClientState, DocumentClientId, DocumentClientRecord, Standing, Store, StoreError, Transition,
    change, changes, column::Value, statements::document_clients,
};
use crate::{
    audit::{Action, Author},
    ceiling::Ceiling,
    client::{ClientId, ClientIdentifier},
    secret::SecretHash,
};

/// What becomes of a client. An absent member stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ClientEdit {
    /// Its standing.
    pub standing: Option<Standing>,
    /// Its note; `Some(None)` removes it.
    pub note: Option<Option<String>>,
    /// Its label; `Some(None)` removes it.
    pub label: Option<Option<String>>,
    /// The scopes that it may hold; `Some(None)` lifts the bound.
    pub ceiling: Option<Option<Ceiling>>,
    /// Why, for the audit event.
    pub reason: Option<String>,
}

/// What became of a [`ClientEdit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEdited {
    /// The client is as the edit asks.
    Now,
    /// Somebody changed the client first.
    Superseded,
    /// The client has this standing, from which no transition leads to the one of the edit.
    Is(Standing),
    /// There is no such client.
    NotThere,
}

/// The version of what `text` says.
pub(super) fn version_of(text: &str) -> String {
    let hash = SecretHash::of(text.as_bytes());
    hash.as_bytes().iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

impl ClientState {
    /// Identifies what operators decided about a client: it changes with standing, note, label, and ceiling, and not
    /// with a use.
    pub fn version(&self) -> String {
        let Self { standing, standing_at, used_at: _, note, ceiling, terms } = self;
        let label = &terms.label;
        version_of(&format!("{standing}\n{standing_at:?}\n{note:?}\n{label:?}\n{ceiling:?}"))
    }

    /// Whether the client is in one of these versions; `None` admits every version.
    pub(super) fn is_in(&self, versions: Option<&[String]>) -> bool {
        versions.is_none_or(|versions| versions.contains(&self.version()))
    }
}

impl Transition {
    /// The transition from one standing to another that an operator may decide, if there is one.
    pub fn between(from: Standing, to: Standing) -> Option<&'static Self> {
        static BY_OPERATORS: [Transition; 3] =
            [Transition::APPROVE, Transition::RESUME, Transition::SUSPEND];
        BY_OPERATORS.iter().find(|it| it.from.contains(&from) && it.to == to)
    }
}

impl Store {
    /// Makes an edit entirely or not at all, if the client is in one of `versions` ([`ClientState::version`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn edit_client(
        &self,
        client: &ClientIdentifier,
        edit: ClientEdit,
        versions: Option<Vec<String>>,
        by: Author,
    ) -> Result<ClientEdited, StoreError> {
        let client = client.clone();
        change!(self, whole, |change| {
            changes::edit_client(change, &client, &edit, versions.as_deref(), &by)
        })
    }

    /// Removes a client and its grants ([`Store::remove_client`]), if the client is in one of `versions`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_unchanged_client(
        &self,
        id: ClientId,
        versions: Option<Vec<String>>,
        (action, reason): (Action, &'static str),
        by: Author,
    ) -> Result<ClientEdited, StoreError> {
        change!(self, whole deleting, |change| {
            changes::remove_unchanged_client(change, id, versions.as_deref(), (action, reason), &by)
        })
    }

    /// Sets the scopes that a client may hold ([`Store::restrict_client`]), if the client is in one of `versions`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restrict_unchanged_client(
        &self,
        client: &ClientIdentifier,
        ceiling: Option<Ceiling>,
        versions: Option<Vec<String>>,
        by: Author,
    ) -> Result<ClientEdited, StoreError> {
        let client = client.clone();
        change!(self, whole deleting, |change| {
            let (ceiling, versions) = (ceiling.as_ref(), versions.as_deref());
            changes::restrict_unchanged_client(change, &client, ceiling, versions, &by)
        })
    }

    /// Removes a pending client ([`Store::reject_client`]), if it is in one of `versions`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reject_unchanged_client(
        &self,
        client: &ClientIdentifier,
        versions: Option<Vec<String>>,
        reason: &str,
        by: Author,
    ) -> Result<ClientEdited, StoreError> {
        let (client, reason) = (client.clone(), reason.to_owned());
        change!(self, whole deleting, |change| {
            changes::reject_unchanged_client(change, &client, versions.as_deref(), &reason, &by)
        })
    }

    /// The client with a document that has this UUID, if a person has ever allowed it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_client_by_id(
        &self,
        id: DocumentClientId,
    ) -> Result<Option<DocumentClientRecord>, StoreError> {
        self.select_one(&document_clients::SELECT_BY_ID, vec![Value::Id(*id.as_bytes())]).await
    }
}
