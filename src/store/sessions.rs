//! The chapter of sessions.

use async_trait::async_trait;

use super::{Deleted, SessionId, SessionRecord, StoreError};
use crate::clock::Timestamp;

/// What the service keeps of resource owners who sign in. Implementations pass every test in `contract/`.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a new session.
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError>;

    /// The session of this identifier, if there is one, expired or not.
    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError>;

    /// At most `limit` sessions, of one resource owner where `subject` says so, expired or not, in the order of
    /// their identifiers (which is the order in which they were begun), beginning after `after`.
    ///
    /// A page may hold fewer than `limit` sessions and not be the last: the last page is the empty one.
    async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Lets a session live on until `idle_at`, unless it is gone.
    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError>;

    /// Forgets a session, durably.
    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError>;

    /// Keeps sessions of another store, no two of them of one identifier, as one change. One that is there
    /// already lives on as long as the one that comes, if that is longer. Returns how many were changed by
    /// that; the others stay as they are.
    async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError>;
}
