//! When clients and operator tokens were last used. Requests note it in memory of a fixed size; batches bring it to the store.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    client::{ClientId, ClientIdentifier, DocumentUrl},
    clock::Timestamp,
    operator::OperatorTokenId,
    store::{ClientUse, DocumentClientUse, OperatorTokenUse, Store, StoreError},
};

/// How many registered clients can wait for a batch: together less than 4 MiB.
const CLIENTS_MAX: usize = 1 << 16;
/// How many clients with a metadata document can: their URLs are long.
const DOCUMENTS_MAX: usize = 1 << 12;
/// How many operator tokens can.
const OPERATOR_TOKENS_MAX: usize = 1 << 10;
/// How many clients one statement updates.
const BATCH: usize = 1_000;

/// What is noted and not stored yet.
#[derive(Default)]
pub(crate) struct LastUse {
    clients: Noted<ClientId>,
    documents: Noted<DocumentUrl>,
    operator_tokens: Noted<OperatorTokenId>,
}

impl LastUse {
    /// Notes that a client is used now; `false` if there is no room.
    pub(crate) fn note(&self, client: &ClientIdentifier, now: Timestamp) -> bool {
        match client {
            ClientIdentifier::Registered(id) => self.clients.note(id, now, CLIENTS_MAX),
            ClientIdentifier::Document(url) => self.documents.note(url, now, DOCUMENTS_MAX),
        }
    }

    /// Notes that an operator token is used now; `false` if there is no room.
    pub(crate) fn note_operator_token(&self, id: OperatorTokenId, now: Timestamp) -> bool {
        self.operator_tokens.note(&id, now, OPERATOR_TOKENS_MAX)
    }

    /// Stores what is noted. What could not be stored stays noted, also if the caller stops waiting.
    pub(crate) async fn store(&self, store: &Store) -> Result<(), StoreError> {
        for _ in 0..self.clients.batches() {
            let batch = self.clients.batch();
            let use_of = |(client_id, used_at): &(ClientId, _)| ClientUse {
                client_id: *client_id,
                used_at: *used_at,
            };
            store.note_client_uses(batch.iter().map(use_of).collect()).await?;
            self.clients.stored(&batch);
        }
        for _ in 0..self.documents.batches() {
            let batch = self.documents.batch();
            let use_of = |(url, used_at): &(DocumentUrl, _)| DocumentClientUse {
                url: url.as_str().to_owned(),
                used_at: *used_at,
            };
            store.note_document_client_uses(batch.iter().map(use_of).collect()).await?;
            self.documents.stored(&batch);
        }
        for _ in 0..self.operator_tokens.batches() {
            let batch = self.operator_tokens.batch();
            let use_of = |(operator_token_id, used_at): &(OperatorTokenId, _)| OperatorTokenUse {
                operator_token_id: *operator_token_id,
                used_at: *used_at,
            };
            store.note_operator_token_uses(batch.iter().map(use_of).collect()).await?;
            self.operator_tokens.stored(&batch);
        }
        Ok(())
    }
}

/// The last use of each client of one kind.
struct Noted<K>(Mutex<HashMap<K, Timestamp>>);

impl<K> Default for Noted<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash + Ord> Noted<K> {
    fn map(&self) -> MutexGuard<'_, HashMap<K, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, client: &K, now: Timestamp, max: usize) -> bool {
        let mut noted = self.map();
        if let Some(used_at) = noted.get_mut(client) {
            *used_at = now.max(*used_at);
            return true;
        }
        let has_room = noted.len() < max;
        if has_room {
            noted.insert(client.clone(), now);
        }
        has_room
    }

    /// How many batches there are at this moment.
    fn batches(&self) -> usize {
        self.map().len().div_ceil(BATCH)
    }

    /// Some of what is noted, in an order in which two nodes rarely wait for each other.
    fn batch(&self) -> Vec<(K, Timestamp)> {
        let noted = self.map();
        let mut batch: Vec<_> =
            noted.iter().take(BATCH).map(|(client, used_at)| (client.clone(), *used_at)).collect();
        drop(noted);
        batch.sort_unstable();
        batch
    }

    /// Forgets what is stored, unless a client was used again since.
    fn stored(&self, batch: &[(K, Timestamp)]) {
        let mut noted = self.map();
        for (client, used_at) in batch {
            if noted.get(client) == Some(used_at) {
                noted.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn a_full_memory_drops_new_clients_and_still_updates_known_ones() {
        let noted = Noted::<u8>::default();
        assert!(noted.note(&1, NOW, 2) && noted.note(&2, NOW, 2));

        assert!(!noted.note(&3, NOW, 2));
        assert!(noted.note(&1, NOW.after_days(1), 2));

        assert_eq!(noted.batch(), [(1, NOW.after_days(1)), (2, NOW)]);
    }

    #[test]
    fn a_use_during_the_write_of_a_batch_stays_noted() {
        let noted = Noted::<u8>::default();
        noted.note(&1, NOW, 2);
        noted.note(&2, NOW, 2);
        let batch = noted.batch();
        noted.note(&1, NOW.after_days(1), 2);

        noted.stored(&batch);

        assert_eq!(noted.batch(), [(1, NOW.after_days(1))]);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_take_a_use_back() {
        let noted = Noted::<u8>::default();
        noted.note(&1, NOW.after_days(1), 2);
        noted.note(&1, NOW, 2);

        assert_eq!(noted.batch(), [(1, NOW.after_days(1))]);
    }
}
