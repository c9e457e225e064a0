//! What is copied. Sign-ins that are on their way at a provider are not: they end within minutes, and are begun
//! anew.

mod operators;

use super::{Kind, Written};
use crate::{
    audit::EventId,
    ceiling::Ceiling,
    client::{ClientId, Scope},
    clock::Timestamp,
    grant::{GrantId, ResourceIndicator},
    store::{
        ClientFilter, ClientRecord, ClientRegistration, ClientState, ClientTerms, ConsentRecord,
        DocumentClientRecord, EventRecord, GrantFilter, GrantRecord, Imported, KeyRecord,
        SessionId, SessionRecord, Standing, Store, StoreError,
    },
};

impl Kind for ClientRecord {
    type Key = ClientId;

    const PLURAL: &'static str = "clients";

    fn key(&self) -> ClientId {
        self.client_id
    }

    fn name(&self) -> String {
        format!("client {}", self.client_id)
    }

    fn changed_at(&self) -> Timestamp {
        self.issued_at
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        let Self { client_id, issued_at, profile, source, flags, metadata, state, registration } =
            self;
        to.bytes(client_id.as_bytes());
        to.moment(*issued_at);
        to.bytes(&flags.bits().to_be_bytes());
        to.text(profile.as_str());
        // No address is empty.
        to.text(&source.map(|address| address.to_string()).unwrap_or_default());
        to.text(metadata);
        state.put(to);
        registration.put(to);
    }

    async fn page(
        store: &Store,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.clients(&ClientFilter::default(), after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        let outcomes = store.import_clients(records).await?;
        Ok(outcomes.iter().filter(|outcome| **outcome == Imported::Kept).count())
    }
}

impl ClientState {
    /// Writes nothing for a client that nothing became of, as earlier releases did. A use in the meantime is no
    /// difference.
    fn put(&self, to: &mut Written) {
        let Self { standing, standing_at, used_at: _, note, ceiling, terms } = self;
        if *standing != Standing::Active || standing_at.is_some() || note.is_some() {
            to.text(standing.as_str());
            to.optional(*standing_at, Written::moment);
            to.optional(note.as_deref(), Written::text);
        }
        if let Some(ceiling) = ceiling {
            to.text(&ceiling.words());
        }
        if *terms != ClientTerms::default() {
            to.optional(terms.label.as_deref(), Written::text);
            let words = terms.ceiling.as_ref().map(Ceiling::words);
            to.optional(words.as_deref(), Written::text);
            to.optional(terms.expires_at, Written::moment);
        }
    }
}

impl ClientRegistration {
    /// Writes nothing for a stranger that has changed nothing, as earlier releases did.
    fn put(&self, to: &mut Written) {
        let Self { generation, changed_at, registered_by } = self;
        if *self != Self::default() {
            to.bytes(&generation.number().to_be_bytes());
            to.optional(*changed_at, Written::moment);
            to.optional(registered_by.as_deref(), Written::text);
        }
    }
}

/// Those that people have allowed.
impl Kind for DocumentClientRecord {
    type Key = String;

    const PLURAL: &'static str = "document clients";

    fn key(&self) -> String {
        self.url.clone()
    }

    fn name(&self) -> String {
        format!("client {}", self.url)
    }

    fn changed_at(&self) -> Timestamp {
        self.allowed_at
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        let Self { url, document_client_id, first_allowed_at, allowed_at, metadata, state } = self;
        to.text(url);
        to.bytes(document_client_id.as_bytes());
        to.moment(*first_allowed_at);
        to.moment(*allowed_at);
        to.text(metadata);
        state.put(to);
    }

    async fn page(
        store: &Store,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.document_clients(after.as_deref(), limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_document_clients(records).await
    }
}

impl Kind for EventRecord {
    type Key = EventId;

    const PLURAL: &'static str = "events";

    fn key(&self) -> EventId {
        self.event_id
    }

    fn name(&self) -> String {
        format!("event {}", self.event_id)
    }

    fn changed_at(&self) -> Timestamp {
        self.at
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        // An event never changes: its identifier stands for all of it.
        to.bytes(self.event_id.as_bytes());
    }

    async fn page(
        store: &Store,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.events(None, after, None, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.record_events(records).await
    }
}

impl Kind for ConsentRecord {
    type Key = [u8; 32];

    const PLURAL: &'static str = "consents";

    fn key(&self) -> [u8; 32] {
        Self::key(&self.subject, &self.client)
    }

    fn name(&self) -> String {
        format!("the consent of {} to {}", self.subject, self.client)
    }

    fn changed_at(&self) -> Timestamp {
        self.allowed_at
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    fn write(&self, to: &mut Written) {
        let Self { subject, client, scope, redirect_uri, metadata_hash, allowed_at, expires_at } =
            self;
        to.text(subject);
        to.text(&client.to_string());
        to.optional(scope.as_ref().map(Scope::as_str), Written::text);
        to.text(redirect_uri);
        to.bytes(metadata_hash);
        to.moment(*allowed_at);
        to.moment(*expires_at);
    }

    async fn page(
        store: &Store,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.consents(after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_consents(records).await
    }
}

impl Kind for GrantRecord {
    type Key = GrantId;

    const PLURAL: &'static str = "grants";

    fn key(&self) -> GrantId {
        self.grant_id
    }

    fn name(&self) -> String {
        format!("grant {}", self.grant_id)
    }

    fn changed_at(&self) -> Timestamp {
        let previous = self.refresh.as_ref().and_then(|refresh| refresh.previous);
        let rotated_at = previous.map(|(_, superseded_at)| superseded_at);
        rotated_at.max(self.code.redeemed_at).map_or(self.issued_at, |at| at.max(self.issued_at))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    fn write(&self, to: &mut Written) {
        let Self {
            grant_id,
            client,
            subject,
            scope,
            resources,
            issued_at,
            expires_at,
            code,
            refreshes,
            graced,
            refresh,
            identity,
        } = self;
        to.bytes(grant_id.as_bytes());
        to.text(&client.to_string());
        to.text(subject);
        to.optional(scope.as_ref().map(Scope::as_str), Written::text);
        to.bytes(&(resources.len() as u64).to_be_bytes());
        for resource in resources.iter().map(ResourceIndicator::as_str) {
            to.text(resource);
        }
        to.moment(*issued_at);
        to.moment(*expires_at);
        to.hash(&code.hash);
        to.text(&code.redirect_uri);
        to.bytes(code.challenge.as_bytes());
        to.moment(code.expires_at);
        to.optional(code.redeemed_at, Written::moment);
        to.optional(refresh.as_ref(), |to, refresh| {
            to.hash(&refresh.family);
            to.hash(&refresh.current);
            to.optional(refresh.previous, |to, (hash, superseded_at)| {
                to.hash(&hash);
                to.moment(superseded_at);
            });
            to.moment(refresh.expires_at);
        });
        // As earlier releases wrote what had not been counted.
        if *refreshes > 0 || *graced > 0 {
            to.bytes(&refreshes.to_be_bytes());
            to.bytes(&graced.to_be_bytes());
        }
        if let Some(identity) = identity {
            to.text(identity);
        }
    }

    async fn page(
        store: &Store,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.grants(&GrantFilter::default(), after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_grants(records).await
    }
}

impl Kind for SessionRecord {
    type Key = SessionId;

    const PLURAL: &'static str = "sessions";

    fn key(&self) -> SessionId {
        self.session_id
    }

    fn name(&self) -> String {
        format!("session {}", self.session_id)
    }

    fn changed_at(&self) -> Timestamp {
        self.signed_in_at
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now || self.idle_at <= now
    }

    fn write(&self, to: &mut Written) {
        // Each use of a session moves when it is idle, and says nothing of when that was.
        let Self { session_id, hash, owner, signed_in_at, idle_at: _, expires_at } = self;
        to.bytes(session_id.as_bytes());
        to.hash(hash);
        to.text(&owner.subject);
        to.optional(owner.name.as_deref(), Written::text);
        to.optional(owner.email.as_deref(), Written::text);
        to.moment(*signed_in_at);
        to.moment(*expires_at);
        // As earlier releases wrote a session.
        if let Some(identity) = &owner.identity {
            to.text(identity);
        }
    }

    async fn page(
        store: &Store,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.sessions(None, after, limit).await
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_sessions(records).await
    }
}

impl Kind for KeyRecord {
    type Key = (Timestamp, String);

    const PLURAL: &'static str = "keys";

    fn key(&self) -> (Timestamp, String) {
        (self.made_at, self.key_id.clone())
    }

    fn name(&self) -> String {
        format!("key {}", self.key_id)
    }

    fn changed_at(&self) -> Timestamp {
        self.made_at
    }

    fn is_over(&self, _: Timestamp) -> bool {
        false
    }

    fn write(&self, to: &mut Written) {
        let Self { key_id, algorithm, made_at, sealed } = self;
        to.text(key_id);
        to.text(algorithm);
        to.moment(*made_at);
        to.long(sealed);
    }

    /// There are a handful: they are asked for at once.
    async fn page(
        store: &Store,
        after: Option<Self::Key>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let mut keys = store.keys().await?;
        // A database may think otherwise of the order of texts.
        keys.sort_by_key(Kind::key);
        Ok(keys.into_iter().filter(|key| Some(key.key()) > after).take(limit).collect())
    }

    async fn import(store: &Store, records: Vec<Self>) -> Result<usize, StoreError> {
        store.import_keys(records).await
    }
}
