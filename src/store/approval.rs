//! Clients that wait for an operator.

use super::{
    DocumentClientRecord, EventRecord, Standing, StandingChanged, Store, StoreError, change,
    changes,
};
use crate::{
    audit::{Action, Author},
    client::{ClientIdentifier, DocumentUrl},
};

impl Store {
    /// Records a client with a document that a rule holds, as pending, because the author asked for it, a person. A client that is
    /// recorded already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold_document(
        &self,
        url: &DocumentUrl,
        document: DocumentClientRecord,
        max: WaitingMax,
        by: Author,
    ) -> Result<Waiting, StoreError> {
        let event = EventRecord {
            subject: by.actor.id(),
            ..by.event(Action::ClientHeld).about(&ClientIdentifier::Document(url.clone()))
        };
        change!(self, one, |change| changes::hold_document(change, &document, max, &event))
    }

    /// Removes a pending client, registered or with a document. One that an operator approved in the meantime stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reject_client(
        &self,
        client: &ClientIdentifier,
        reason: &str,
        by: Author,
    ) -> Result<StandingChanged, StoreError> {
        let (client, reason) = (client.clone(), reason.to_owned());
        change!(self, whole deleting, |change| {
            changes::reject_client(change, &client, &reason, &by)
        })
    }
}

/// How many clients with a document may wait for an operator.
#[derive(Clone, Copy, Debug)]
pub struct WaitingMax {
    /// Together.
    pub in_total: usize,
    /// Of those that one person asked for.
    pub of_one_person: usize,
}

/// What became of a client that is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It is recorded, and waits.
    Now,
    /// It was recorded before, with this standing.
    Is(Standing),
    /// Too many clients wait, or too many that the person asked for; nothing is stored.
    TooMany,
}
