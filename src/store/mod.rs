//! What is kept, and the promise with which it is kept.
//!
//! One trait in chapters by noun: [`ClientStore`], [`GrantStore`], [`SessionStore`] and [`UpkeepStore`].
//! Every method is one whole change or one whole question: it happens entirely or not at all, and is durable when it returns. No
//! transaction, connection, table or row is visible outside this folder.

mod clients;
#[cfg(test)]
mod contract;
pub(crate) mod copy;
pub mod embedded;
mod grants;
pub mod postgres;
mod record;
mod row;
mod sessions;
mod upkeep;

use std::{path::Path, sync::Arc};

pub use self::{
    clients::{ClientFilter, ClientStore, Deleted, Imported},
    embedded::Access,
    grants::{GrantFilter, GrantStore, Purchase, Redeemed, Rotated, Rotation, Step},
    record::{
        ClientFlags, ClientRecord, CodeRecord, ConsentRecord, GrantRecord, KeyRecord,
        RefreshRecord, ResourceOwner, SessionId, SessionRecord,
    },
    sessions::SessionStore,
    upkeep::{DatabaseFigures, KeyKept, SweepPage, Swept, UpkeepStore},
};
use crate::config::{Config, EmbeddedConfig, StoreLocation};

/// Everything that is kept.
pub trait Store: ClientStore + GrantStore + SessionStore + UpkeepStore {}

impl<T: ClientStore + GrantStore + SessionStore + UpkeepStore> Store for T {}

/// Why a store could not be opened: one line for the operator that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The store in PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

/// Opens the store that the settings name. An embedded store blocks for some milliseconds, or while another
/// process writes; a database lives on the runtime that opens it.
///
/// # Errors
/// [`OpenError`]: one whole line for the operator.
pub async fn open(config: &Config, access: Access) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match &config.store {
        StoreLocation::Folder(folder) => open_folder(folder, &config.embedded, access)?,
        StoreLocation::Postgres(url) => {
            Arc::new(postgres::Postgres::open(url, &config.postgres, access).await?)
        }
    })
}

/// Opens the embedded store in `folder`. Blocks for some milliseconds, or while another process writes.
///
/// # Errors
/// [`embedded::OpenError`]: one whole line for the operator.
pub fn open_folder(
    folder: &Path,
    settings: &EmbeddedConfig,
    access: Access,
) -> Result<Arc<dyn Store>, embedded::OpenError> {
    Ok(Arc::new(embedded::Embedded::open(folder, settings, access)?))
}

/// Why the store could not answer. "Not found" and "already there" are no errors but outcomes.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than the store lets wait. Nothing was kept; worth another try soon.
    #[error("the store is busy")]
    Busy,
    /// The store cannot be reached, or its disk is full or failing. Nothing was kept; or, where the store
    /// is another machine that fell silent, whatever was kept is told to nobody.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was read is not what was written.
    #[error("the store is corrupt: {what}")]
    Corrupt {
        /// Which record or file.
        what: String,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
