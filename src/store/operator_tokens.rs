//! Operator tokens.

use super::{
    Deleted, Store, StoreError, change, changes,
    column::{Record, Row, Value, columns, first_after},
    record::identified,
    statements::operator_tokens,
};
use crate::{
    audit::Author,
    clock::Timestamp,
    operator::{OperatorTokenId, Role},
    secret::SecretHash,
};

columns! {
    /// A token of a program that acts for an operator.
    #[derive(Clone, Debug)]
    pub struct OperatorTokenRecord {
        /// Identifies it; not a secret.
        pub operator_token_id: OperatorTokenId = "operator_token_id",
        /// What operators call it: its changes name it as their author. Unique.
        pub name: String = "name",
        /// What it may do.
        pub role: Role = "role",
        /// The hash of its secret.
        pub hash: SecretHash = "hash",
        /// When it was created.
        pub created_at: Timestamp = "created_at",
        /// When it expires; `None` for never.
        pub expires_at: Option<Timestamp> = "expires_at",
        /// When it was last used, as far as that is recorded.
        pub used_at: Option<Timestamp> = "used_at",
    }
}

columns! {
    /// When an operator token was used.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OperatorTokenUse {
        /// The token.
        pub operator_token_id: OperatorTokenId = "operator_token_id",
        /// When.
        pub used_at: Timestamp = "used_at",
    }
}

impl Record for OperatorTokenRecord {
    const TABLE: &'static str = "operator_tokens";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        identified(row, "operator token", OperatorTokenId::from_bytes)
    }
}

impl Record for OperatorTokenUse {
    const TABLE: &'static str = "operator_tokens";
    const NAMES: &'static str = Self::COLUMNS;

    fn name(row: &impl Row) -> String {
        identified(row, "operator token", OperatorTokenId::from_bytes)
    }
}

impl Store {
    /// Stores a new operator token; `false` if another one has its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_operator_token(
        &self,
        token: OperatorTokenRecord,
        by: Author,
    ) -> Result<bool, StoreError> {
        change!(self, whole, |change| changes::create_operator_token(change, &token, &by))
    }

    /// The operator token with this identifier, expired or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn operator_token(
        &self,
        id: OperatorTokenId,
    ) -> Result<Option<OperatorTokenRecord>, StoreError> {
        self.select_one(&operator_tokens::SELECT, vec![Value::Id(*id.as_bytes())]).await
    }

    /// At most `limit` operator tokens, expired or not, in the order of their identifiers (which is the order of
    /// creation), beginning after `after`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn operator_tokens(
        &self,
        after: Option<OperatorTokenId>,
        limit: usize,
    ) -> Result<Vec<OperatorTokenRecord>, StoreError> {
        let Some(first) = first_after(after) else { return Ok(Vec::new()) };
        self.select(&operator_tokens::SELECT_PAGE, vec![Value::Id(first), Value::limit(limit)])
            .await
    }

    /// Revokes an operator token, durably: its record is deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_operator_token(
        &self,
        id: OperatorTokenId,
        by: Author,
    ) -> Result<Deleted, StoreError> {
        change!(self, whole deleting, |change| changes::revoke_operator_token(change, id, &by))
    }

    /// Stores when operator tokens were used, as one change. A token that has a later use, or does not exist, stays as it
    /// is. Returns how many have a later use now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_operator_token_uses(
        &self,
        uses: Vec<OperatorTokenUse>,
    ) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::note_operator_token_uses(change, &uses))
    }

    /// Stores operator tokens of another store, as one change. An existing token stays as it is. Returns how many were
    /// new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_operator_tokens(
        &self,
        tokens: Vec<OperatorTokenRecord>,
    ) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::import_operator_tokens(change, &tokens))
    }
}
