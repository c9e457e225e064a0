//! A store that keeps nothing.

use std::sync::Arc;

use async_trait::async_trait;
use doorward::{
    client::ClientId,
    store::{
        ClientFilter, ClientRecord, ClientStore, Deleted, Imported, Store, StoreError, UpkeepStore,
    },
};

pub(crate) fn store() -> Arc<dyn Store> {
    Arc::new(Nothing)
}

/// A store that keeps nothing and says that it did. It breaks the promise of every change, which is
/// what it is for.
struct Nothing;

#[async_trait]
impl ClientStore for Nothing {
    async fn register_client(&self, _: Arc<ClientRecord>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn client(&self, _: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        Ok(None)
    }

    async fn clients(
        &self,
        _: &ClientFilter,
        _: Option<ClientId>,
        _: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn count_clients(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn delete_client(&self, _: ClientId) -> Result<Deleted, StoreError> {
        Ok(Deleted::NotThere)
    }

    async fn import_clients(
        &self,
        clients: Vec<ClientRecord>,
    ) -> Result<Vec<Imported>, StoreError> {
        Ok(vec![Imported::Kept; clients.len()])
    }
}

#[async_trait]
impl UpkeepStore for Nothing {
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
