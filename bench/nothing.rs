//! A store that keeps nothing.

use std::sync::Arc;

use async_trait::async_trait;
use doorward::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    grant::GrantId,
    store::{
        ClientFilter, ClientRecord, ClientStore, ConsentRecord, Deleted, GrantFilter, GrantRecord,
        GrantStore, Imported, KeyKept, KeyRecord, Purchase, Redeemed, Rotated, Rotation, SessionId,
        SessionRecord, SessionStore, Store, StoreError, SweepPage, Swept, UpkeepStore,
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
impl GrantStore for Nothing {
    async fn keep_grant(&self, _: GrantRecord) -> Result<(), StoreError> {
        Ok(())
    }

    async fn grant(&self, _: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(None)
    }

    async fn grants(
        &self,
        _: &GrantFilter,
        _: Option<GrantId>,
        _: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn newest_grants(
        &self,
        _: &str,
        _: Option<GrantId>,
        _: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn redeem_code(&self, _: GrantId, _: Purchase) -> Result<Redeemed, StoreError> {
        Ok(Redeemed::NotThere)
    }

    async fn rotate_refresh_token(&self, _: GrantId, _: Rotation) -> Result<Rotated, StoreError> {
        Ok(Rotated::Refused)
    }

    async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError> {
        Ok(grants.len())
    }

    async fn disconnect(
        &self,
        _: &str,
        _: &ClientIdentifier,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn revoke_grant(&self, _: GrantId) -> Result<Deleted, StoreError> {
        Ok(Deleted::NotThere)
    }

    async fn consent(
        &self,
        _: &str,
        _: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        Ok(None)
    }

    async fn keep_consent(&self, _: ConsentRecord) -> Result<(), StoreError> {
        Ok(())
    }

    async fn consents(
        &self,
        _: Option<[u8; 32]>,
        _: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError> {
        Ok(consents.len())
    }
}

#[async_trait]
impl SessionStore for Nothing {
    async fn keep_session(&self, _: SessionRecord) -> Result<(), StoreError> {
        Ok(())
    }

    async fn session(&self, _: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        Ok(None)
    }

    async fn sessions(
        &self,
        _: Option<&str>,
        _: Option<SessionId>,
        _: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn prolong_session(&self, _: SessionId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn end_session(&self, _: SessionId) -> Result<Deleted, StoreError> {
        Ok(Deleted::NotThere)
    }

    async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError> {
        Ok(sessions.len())
    }
}

#[async_trait]
impl UpkeepStore for Nothing {
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn keep_key(&self, _: KeyRecord, _: Option<String>) -> Result<KeyKept, StoreError> {
        Ok(KeyKept::Kept)
    }

    async fn import_keys(&self, keys: Vec<KeyRecord>) -> Result<usize, StoreError> {
        Ok(keys.len())
    }

    async fn forget_key(&self, _: String) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sweep(
        &self,
        _: Swept,
        _: Timestamp,
        _: Option<Vec<u8>>,
        _: usize,
    ) -> Result<SweepPage, StoreError> {
        Ok(SweepPage { forgotten: 0, after: None })
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
