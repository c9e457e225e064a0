//! What operators decide and create.

use super::{Kind, Written};
use crate::{
    clock::Timestamp,
    family::FamilyId,
    operator::OperatorTokenId,
    store::{
        FamilyRecord, InitialAccessTokenId, InitialAccessTokenRecord, OperatorTokenRecord,
        RuleRecord, Store, StoreError,
    },
};

/// What operators decided about families. What is counted of them follows from their clients.
impl Kind for FamilyRecord {
    type Key = FamilyId;

    const PLURAL: &'static str = "families";

    fn key(&self) -> FamilyId {
        self.family_id
    }

    fn name(&self) -> String {
        format!("family {}", self.key)
    }

    fn changed_at(&self) -> Timestamp {
        self.standing_at.max(Some(self.last_seen_at)).unwrap_or(self.last_seen_at)
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        to.bytes(self.family_id.as_bytes());
        to.text(self.standing.as_str());
        to.optional(self.standing_at, Written::moment);
        if let Some(ceiling) = &self.ceiling {
            to.text(&ceiling.words());
        }
    }

    async fn page(
        store: &Store,
        after: Option<FamilyId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.families_by_id(after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_families(records).await
    }
}

impl Kind for RuleRecord {
    type Key = String;

    const PLURAL: &'static str = "rules";

    fn key(&self) -> String {
        self.rule_id.clone()
    }

    fn name(&self) -> String {
        format!("rule {}", self.rule_id)
    }

    fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        let Self { rule_id, position, rule, changed_at, changed_by } = self;
        to.text(rule_id);
        to.bytes(&position.to_be_bytes());
        to.text(rule);
        to.moment(*changed_at);
        to.optional(changed_by.as_deref(), Written::text);
    }

    /// There are at most a thousand: they are asked for at once.
    async fn page(
        store: &Store,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let mut rules = store.rules().await?;
        rules.sort_by_key(Kind::key);
        Ok(rules.into_iter().filter(|rule| Some(rule.key()) > after).take(limit).collect())
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_rules(records).await
    }
}

impl Kind for OperatorTokenRecord {
    type Key = OperatorTokenId;

    const PLURAL: &'static str = "operator tokens";

    fn key(&self) -> OperatorTokenId {
        self.operator_token_id
    }

    fn name(&self) -> String {
        format!("operator token {}", self.name)
    }

    fn changed_at(&self) -> Timestamp {
        self.created_at
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    fn write(&self, to: &mut Written) {
        // A use in the meantime is no difference.
        let Self { operator_token_id, name, role, hash, created_at, expires_at, used_at: _ } = self;
        to.bytes(operator_token_id.as_bytes());
        to.text(name);
        to.text(role.as_str());
        to.hash(hash);
        to.moment(*created_at);
        to.optional(*expires_at, Written::moment);
    }

    async fn page(
        store: &Store,
        after: Option<OperatorTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.operator_tokens(after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_operator_tokens(records).await
    }
}

impl Kind for InitialAccessTokenRecord {
    type Key = InitialAccessTokenId;

    const PLURAL: &'static str = "initial access tokens";

    fn key(&self) -> InitialAccessTokenId {
        self.initial_access_token_id
    }

    fn name(&self) -> String {
        format!("initial access token {}", self.name)
    }

    fn changed_at(&self) -> Timestamp {
        self.used_at.unwrap_or(self.created_at)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    fn write(&self, to: &mut Written) {
        let Self {
            initial_access_token_id,
            name,
            policy,
            hash,
            created_at,
            expires_at,
            uses_max,
            uses,
            used_at,
        } = self;
        to.bytes(initial_access_token_id.as_bytes());
        to.text(name);
        to.text(policy);
        to.hash(hash);
        to.moment(*created_at);
        to.optional(*expires_at, Written::moment);
        to.bytes(&uses_max.to_be_bytes());
        to.bytes(&uses.to_be_bytes());
        to.optional(*used_at, Written::moment);
    }

    async fn page(
        store: &Store,
        after: Option<InitialAccessTokenId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.initial_access_tokens(after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_initial_access_tokens(records).await
    }
}
