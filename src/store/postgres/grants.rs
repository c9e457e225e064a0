//! Grants and sessions. (Skeleton.)

use async_trait::async_trait;

use super::Postgres;
use crate::{client::ClientIdentifier, clock::Timestamp, grant::GrantId, store::*};

#[async_trait]
impl GrantStore for Postgres {
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn redeem_code(&self, id: GrantId, purchase: Purchase) -> Result<Redeemed, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
    ) -> Result<Rotated, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn revoke_grant(&self, id: GrantId) -> Result<Deleted, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keep_consent(&self, consent: ConsentRecord) -> Result<(), StoreError> {
        unimplemented!()
    }
}

#[async_trait]
impl SessionStore for Postgres {
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn keep_sign_in(&self, sign_in: SignInRecord) -> Result<(), StoreError> {
        unimplemented!()
    }
    #[expect(clippy::unimplemented, unused_variables, reason = "skeleton")]
    async fn take_sign_in(&self, id: SessionId) -> Result<Option<SignInRecord>, StoreError> {
        unimplemented!()
    }
}
