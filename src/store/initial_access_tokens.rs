//! Initial access tokens (RFC 7591 §3).

use std::sync::Arc;

use super::{
    ClientRecord, Deleted, Store, StoreError, change, changes,
    column::{Record, Row, Value, columns, first_after},
    statements::initial_access_tokens,
};
use crate::{audit::Author, clock::Timestamp, credential::Purpose, id::Id, secret::SecretHash};

/// Identifies an initial access token; not a secret.
pub type InitialAccessTokenId = Id<InitialAccessTokenKind>;

/// What an [`InitialAccessTokenId`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitialAccessTokenKind {}

impl Purpose for InitialAccessTokenKind {
    const PREFIX: &'static str = "dwi_";
}

columns! {
    /// A token with which clients register.
    #[derive(Clone, Debug)]
    pub struct InitialAccessTokenRecord {
        /// Identifies it; not a secret.
        pub initial_access_token_id: InitialAccessTokenId = "initial_access_token_id",
        /// What operators call it. Unique.
        pub name: String = "name",
        /// The policy by which admission rules know it.
        pub policy: String = "policy",
        /// The hash of its secret.
        pub hash: SecretHash = "hash",
        /// When it was created.
        pub created_at: Timestamp = "created_at",
        /// When it expires; `None` for never.
        pub expires_at: Option<Timestamp> = "expires_at",
        /// How many clients it lets register.
        pub uses_max: u64 = "uses_max",
        /// How many have.
        pub uses: u64 = "uses",
        /// When the last one did.
        pub used_at: Option<Timestamp> = "used_at",
    }
}

impl InitialAccessTokenRecord {
    /// Whether a client can register with it at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.uses < self.uses_max && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl Record for InitialAccessTokenRecord {
    const TABLE: &'static str = "initial_access_tokens";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        let name = row.text(1).ok().flatten();
        format!("the initial access token {}", name.unwrap_or("without a name"))
    }
}

impl Store {
    /// Stores a new initial access token; `false` if another one has its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_initial_access_token(
        &self,
        token: InitialAccessTokenRecord,
        by: Author,
    ) -> Result<bool, StoreError> {
        change!(self, whole, |change| changes::create_initial_access_token(change, &token, &by))
    }

    /// The initial access token with this identifier, whether or not it is still valid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn initial_access_token(
        &self,
        id: InitialAccessTokenId,
    ) -> Result<Option<InitialAccessTokenRecord>, StoreError> {
        self.select_one(&initial_access_tokens::SELECT, vec![Value::Id(*id.as_bytes())]).await
    }

    /// At most `limit` initial access tokens, in the order of their identifiers (which is the order of creation), beginning
    /// after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn initial_access_tokens(
        &self,
        after: Option<InitialAccessTokenId>,
        limit: usize,
    ) -> Result<Vec<InitialAccessTokenRecord>, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Vec::new()) };
        let parameters = vec![Value::Id(first), Value::limit(limit)];
        self.select(&initial_access_tokens::SELECT_PAGE, parameters).await
    }

    /// Revokes an initial access token: its record is deleted. Clients that registered with it stay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_initial_access_token(
        &self,
        id: InitialAccessTokenId,
        by: Author,
    ) -> Result<Deleted, StoreError> {
        change!(self, whole deleting, |change| {
            changes::revoke_initial_access_token(change, id, &by)
        })
    }

    /// Stores a new client and one use of its token, as one change; `false`, and nothing is stored, if the token is no longer
    /// valid.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_with_token(
        &self,
        client: &Arc<ClientRecord>,
        token: InitialAccessTokenId,
        by: &Author,
    ) -> Result<bool, StoreError> {
        match self.try_to_register(client, token, by).await {
            // The answer to the commit may be lost. The change waits for the first one, and knows its client.
            Err(StoreError::Unavailable(_)) => self.try_to_register(client, token, by).await,
            outcome => outcome,
        }
    }

    async fn try_to_register(
        &self,
        client: &Arc<ClientRecord>,
        token: InitialAccessTokenId,
        by: &Author,
    ) -> Result<bool, StoreError> {
        let (client, by) = (Arc::clone(client), by.clone());
        change!(self, whole, |change| changes::register_with_token(change, &client, token, &by))
    }

    /// Stores a client that an operator makes. Its record is the event about that, and names the operator.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_client(&self, client: ClientRecord) -> Result<(), StoreError> {
        change!(self, one, |change| changes::add_client(change, &client))
    }

    /// Stores initial access tokens of another store, as one change. Of an existing one, the higher number of uses stays.
    /// Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_initial_access_tokens(
        &self,
        tokens: Vec<InitialAccessTokenRecord>,
    ) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::import_initial_access_tokens(change, &tokens))
    }
}
