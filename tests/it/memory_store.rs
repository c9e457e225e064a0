//! A store that keeps clients in memory and can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use doorward::{
    client::ClientId,
    store::{ClientFilter, ClientRecord, ClientStore, Deleted, Imported, StoreError, UpkeepStore},
};

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    None,
    Busy,
    Unavailable,
    Corrupt,
    Panic,
}

/// Keeps clients in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    clients: Mutex<BTreeMap<ClientId, ClientRecord>>,
    failure: Mutex<Failure>,
    is_closed: AtomicBool,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            clients: Mutex::default(),
            failure: Mutex::new(Failure::None),
            is_closed: AtomicBool::new(false),
        })
    }

    /// How every call fails from now on.
    pub(crate) fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap() = failure;
    }

    /// The identifiers of what is kept, failing or closed.
    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.clients.lock().unwrap().keys().copied().collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), StoreError> {
        let failure = *self.failure.lock().unwrap();
        match failure {
            Failure::None if self.is_closed() => Err(StoreError::Unavailable("closed".into())),
            Failure::None => Ok(()),
            Failure::Busy => Err(StoreError::Busy),
            Failure::Unavailable => Err(StoreError::Unavailable("told to fail".into())),
            Failure::Corrupt => Err(StoreError::Corrupt {
                what: "the whole of it".to_owned(),
                source: "told to be corrupt".into(),
            }),
            Failure::Panic => panic!("told to panic"),
        }
    }
}

#[async_trait]
impl ClientStore for MemoryStore {
    async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError> {
        self.check()?;
        self.clients.lock().unwrap().insert(client.client_id, (*client).clone());
        Ok(())
    }

    async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.check()?;
        Ok(self.clients.lock().unwrap().get(&id).cloned())
    }

    async fn clients(
        &self,
        _: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        self.check()?;
        let clients = self.clients.lock().unwrap();
        let rest = clients.values().filter(|client| Some(client.client_id) > after);
        Ok(rest.take(limit).cloned().collect())
    }

    async fn count_clients(&self) -> Result<u64, StoreError> {
        self.check()?;
        Ok(self.clients.lock().unwrap().len() as u64)
    }

    async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError> {
        self.check()?;
        Ok(match self.clients.lock().unwrap().remove(&id) {
            Some(_) => Deleted::Forgotten,
            None => Deleted::NotThere,
        })
    }

    async fn import_clients(&self, new: Vec<ClientRecord>) -> Result<Vec<Imported>, StoreError> {
        self.check()?;
        let mut clients = self.clients.lock().unwrap();
        let import = |client: ClientRecord| match clients.get(&client.client_id) {
            Some(there) if *there == client => Imported::AlreadyThere,
            Some(_) => Imported::Differs,
            None => {
                clients.insert(client.client_id, client);
                Imported::Kept
            }
        };
        Ok(new.into_iter().map(import).collect())
    }
}

#[async_trait]
impl UpkeepStore for MemoryStore {
    async fn ready(&self) -> Result<(), StoreError> {
        self.check()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}
