//! The chapter of upkeep.

use async_trait::async_trait;

use super::StoreError;

/// What keeps the store itself in order.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// Whether a registration could be kept now: asks the writer, not a flag.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Waits until everything accepted so far is durable, then lets go of the store. Later calls of any
    /// method answer [`StoreError::Unavailable`].
    async fn close(&self) -> Result<(), StoreError>;
}
