//! A store that keeps everything in memory and can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use doorward::{
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    grant::GrantId,
    store::{
        ClientFilter, ClientRecord, ClientStore, ConsentRecord, Deleted, GrantFilter, GrantRecord,
        GrantStore, Imported, KeyKept, KeyRecord, Purchase, Redeemed, Rotated, Rotation, SessionId,
        SessionRecord, SessionStore, Step, StoreError, SweepPage, Swept, UpkeepStore,
    },
};

/// How a store fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    None,
    Busy,
    Unavailable,
    Corrupt,
    Panic,
    /// Nothing is ever registered, and nothing is answered.
    Hang,
}

/// Keeps everything in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    clients: Mutex<BTreeMap<ClientId, ClientRecord>>,
    grants: Mutex<BTreeMap<GrantId, GrantRecord>>,
    consents: Mutex<BTreeMap<[u8; 32], ConsentRecord>>,
    sessions: Mutex<BTreeMap<SessionId, SessionRecord>>,
    keys: Mutex<Vec<KeyRecord>>,
    /// How calls fail, and how many before that do not.
    failure: Mutex<(Failure, usize)>,
    is_closed: AtomicBool,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            clients: Mutex::default(),
            grants: Mutex::default(),
            consents: Mutex::default(),
            sessions: Mutex::default(),
            keys: Mutex::default(),
            failure: Mutex::new((Failure::None, 0)),
            is_closed: AtomicBool::new(false),
        })
    }

    /// How every call fails from now on.
    pub(crate) fn fail(&self, failure: Failure) {
        self.fail_after(0, failure);
    }

    /// How every call fails from now on but the first `calls`, which do not.
    pub(crate) fn fail_after(&self, calls: usize, failure: Failure) {
        *self.failure.lock().unwrap() = (failure, calls);
    }

    /// The identifiers of what is kept, failing or closed.
    pub(crate) fn ids(&self) -> Vec<ClientId> {
        self.clients.lock().unwrap().keys().copied().collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    fn hangs(&self) -> bool {
        self.failure.lock().unwrap().0 == Failure::Hang
    }

    fn failure_of_this_call(&self) -> Failure {
        let (failure, calls) = &mut *self.failure.lock().unwrap();
        match calls.checked_sub(1) {
            Some(rest) => {
                *calls = rest;
                Failure::None
            }
            None => *failure,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.failure_of_this_call() {
            Failure::None if self.is_closed() => Err(StoreError::Unavailable("closed".into())),
            Failure::None | Failure::Hang => Ok(()),
            Failure::Busy => Err(StoreError::Busy),
            Failure::Unavailable => Err(StoreError::Unavailable("told to fail".into())),
            Failure::Corrupt => Err(StoreError::Corrupt {
                what: "the whole of it".to_owned(),
                source: "told to be corrupt".into(),
            }),
            Failure::Panic => panic!("told to panic"),
        }
    }
}

#[async_trait]
impl ClientStore for MemoryStore {
    async fn register_client(&self, client: Arc<ClientRecord>) -> Result<(), StoreError> {
        if self.hangs() {
            return std::future::pending().await;
        }
        self.check()?;
        self.clients.lock().unwrap().insert(client.client_id, (*client).clone());
        Ok(())
    }

    async fn client(&self, id: ClientId) -> Result<Option<ClientRecord>, StoreError> {
        self.check()?;
        Ok(self.clients.lock().unwrap().get(&id).cloned())
    }

    async fn clients(
        &self,
        _: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        self.check()?;
        let clients = self.clients.lock().unwrap();
        let rest = clients.values().filter(|client| Some(client.client_id) > after);
        Ok(rest.take(limit).cloned().collect())
    }

    async fn count_clients(&self) -> Result<u64, StoreError> {
        self.check()?;
        Ok(self.clients.lock().unwrap().len() as u64)
    }

    async fn delete_client(&self, id: ClientId) -> Result<Deleted, StoreError> {
        self.check()?;
        Ok(match self.clients.lock().unwrap().remove(&id) {
            Some(_) => Deleted::Forgotten,
            None => Deleted::NotThere,
        })
    }

    async fn import_clients(&self, new: Vec<ClientRecord>) -> Result<Vec<Imported>, StoreError> {
        self.check()?;
        let mut clients = self.clients.lock().unwrap();
        let import = |client: ClientRecord| match clients.get(&client.client_id) {
            Some(there) if *there == client => Imported::AlreadyThere,
            Some(_) => Imported::Differs,
            None => {
                clients.insert(client.client_id, client);
                Imported::Kept
            }
        };
        Ok(new.into_iter().map(import).collect())
    }
}

/// The next records of one kind.
fn page<K: Copy + Ord, R: Clone>(
    kept: &Mutex<BTreeMap<K, R>>,
    after: Option<K>,
    limit: usize,
) -> Vec<R> {
    let kept = kept.lock().unwrap();
    kept.iter()
        .filter(|(key, _)| Some(**key) > after)
        .take(limit)
        .map(|(_, one)| one.clone())
        .collect()
}

/// Keeps what is not there, or what is later than what is; returns how many those were.
fn import<K: Ord, R>(
    kept: &Mutex<BTreeMap<K, R>>,
    new: impl Iterator<Item = (K, R)>,
    is_later: impl Fn(&R, &R) -> bool,
) -> usize {
    let mut kept = kept.lock().unwrap();
    let mut changed = 0;
    for (key, one) in new {
        if kept.get(&key).is_none_or(|there| is_later(&one, there)) {
            kept.insert(key, one);
            changed += 1;
        }
    }
    changed
}

/// What became of taking something away.
fn deleted<T>(taken: Option<T>) -> Deleted {
    taken.map_or(Deleted::NotThere, |_| Deleted::Forgotten)
}

#[async_trait]
impl GrantStore for MemoryStore {
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        self.check()?;
        self.grants.lock().unwrap().insert(grant.grant_id, grant);
        Ok(())
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.check()?;
        Ok(self.grants.lock().unwrap().get(&id).cloned())
    }

    async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        self.check()?;
        let grants = self.grants.lock().unwrap();
        let is_shown = |grant: &&GrantRecord| {
            Some(grant.grant_id) > after
                && filter.client.as_ref().is_none_or(|client| *client == grant.client)
                && filter.subject.as_ref().is_none_or(|subject| *subject == grant.subject)
        };
        Ok(grants.values().filter(is_shown).take(limit).cloned().collect())
    }

    async fn newest_grants(
        &self,
        subject: &str,
        before: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        self.check()?;
        let grants = self.grants.lock().unwrap();
        let is_shown = |grant: &&GrantRecord| {
            grant.subject == subject && before.is_none_or(|before| grant.grant_id < before)
        };
        Ok(grants.values().rev().filter(is_shown).take(limit).cloned().collect())
    }

    async fn redeem_code(&self, id: GrantId, purchase: Purchase) -> Result<Redeemed, StoreError> {
        self.check()?;
        let mut grants = self.grants.lock().unwrap();
        let Some(grant) = grants.get_mut(&id) else { return Ok(Redeemed::NotThere) };
        if grant.code.redeemed_at.is_some() {
            return Ok(Redeemed::Before);
        }
        grant.code.redeemed_at = Some(purchase.at);
        grant.expires_at = purchase.expires_at;
        grant.refresh = purchase.refresh;
        Ok(Redeemed::Now)
    }

    async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
    ) -> Result<Rotated, StoreError> {
        self.check()?;
        let mut grants = self.grants.lock().unwrap();
        let Some(grant) = grants.get_mut(&id) else { return Ok(Rotated::Refused) };
        Ok(match (rotation.on(grant), &mut grant.refresh) {
            (Step::Supersede, Some(refresh)) => {
                refresh.previous = Some((refresh.current, rotation.at));
                refresh.current = rotation.successor;
                refresh.expires_at = rotation.expires_at;
                Rotated::Succeeded
            }
            (Step::Repeat, _) => Rotated::Succeeded,
            (Step::Forget, _) => {
                grants.remove(&id);
                Rotated::Reused
            }
            (Step::Refuse | Step::Supersede, _) => Rotated::Refused,
        })
    }

    async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError> {
        self.check()?;
        let state = |grant: &GrantRecord| {
            let previous = grant.refresh.as_ref().and_then(|refresh| refresh.previous);
            (grant.code.redeemed_at, previous.map(|(_, superseded_at)| superseded_at))
        };
        let grants = grants.into_iter().map(|grant| (grant.grant_id, grant));
        Ok(import(&self.grants, grants, |new, there| state(new) > state(there)))
    }

    async fn revoke_grant(&self, id: GrantId) -> Result<Deleted, StoreError> {
        self.check()?;
        Ok(deleted(self.grants.lock().unwrap().remove(&id)))
    }

    async fn disconnect(
        &self,
        subject: &str,
        client: &ClientIdentifier,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.check()?;
        for consent in self.consents.lock().unwrap().values_mut() {
            if consent.subject == subject && consent.client == *client {
                consent.expires_at = at;
            }
        }
        let mut grants = self.grants.lock().unwrap();
        grants.retain(|_, grant| grant.subject != subject || grant.client != *client);
        Ok(())
    }

    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        self.check()?;
        let key = ConsentRecord::key(subject, client);
        Ok(self.consents.lock().unwrap().get(&key).cloned())
    }

    async fn keep_consent(&self, consent: ConsentRecord) -> Result<(), StoreError> {
        self.check()?;
        let key = ConsentRecord::key(&consent.subject, &consent.client);
        self.consents.lock().unwrap().insert(key, consent);
        Ok(())
    }

    async fn consents(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        self.check()?;
        Ok(page(&self.consents, after, limit))
    }

    async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError> {
        self.check()?;
        let key = |one: &ConsentRecord| ConsentRecord::key(&one.subject, &one.client);
        let consents = consents.into_iter().map(|consent| (key(&consent), consent));
        Ok(import(&self.consents, consents, |new, there| new.allowed_at > there.allowed_at))
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError> {
        self.check()?;
        self.sessions.lock().unwrap().insert(session.session_id, session);
        Ok(())
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.check()?;
        Ok(self.sessions.lock().unwrap().get(&id).cloned())
    }

    async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.check()?;
        let sessions = self.sessions.lock().unwrap();
        let is_shown = |session: &&SessionRecord| {
            Some(session.session_id) > after
                && subject.is_none_or(|subject| subject == session.owner.subject)
        };
        Ok(sessions.values().filter(is_shown).take(limit).cloned().collect())
    }

    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError> {
        self.check()?;
        if let Some(session) = self.sessions.lock().unwrap().get_mut(&id) {
            session.idle_at = idle_at;
        }
        Ok(())
    }

    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError> {
        self.check()?;
        Ok(deleted(self.sessions.lock().unwrap().remove(&id)))
    }

    async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError> {
        self.check()?;
        let sessions = sessions.into_iter().map(|session| (session.session_id, session));
        Ok(import(&self.sessions, sessions, |new, there| new.idle_at > there.idle_at))
    }
}

#[async_trait]
impl UpkeepStore for MemoryStore {
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.check()?;
        Ok(self.keys.lock().unwrap().clone())
    }

    async fn keep_key(
        &self,
        key: KeyRecord,
        newest: Option<String>,
    ) -> Result<KeyKept, StoreError> {
        self.check()?;
        let mut keys = self.keys.lock().unwrap();
        if keys.last().map(|key| key.key_id.clone()) != newest {
            return Ok(KeyKept::TooLate);
        }
        keys.push(key);
        Ok(KeyKept::Kept)
    }

    async fn import_keys(&self, new: Vec<KeyRecord>) -> Result<usize, StoreError> {
        self.check()?;
        let mut keys = self.keys.lock().unwrap();
        let before = keys.len();
        for key in new {
            if keys.iter().all(|there| there.key_id != key.key_id) {
                keys.push(key);
            }
        }
        keys.sort_by_key(|key| key.made_at);
        Ok(keys.len() - before)
    }

    async fn forget_key(&self, key_id: String) -> Result<(), StoreError> {
        self.check()?;
        self.keys.lock().unwrap().retain(|key| key.key_id != key_id);
        Ok(())
    }

    /// What a sweep finds is for the stores themselves to try.
    async fn sweep(
        &self,
        _: Swept,
        _: Timestamp,
        _: Option<Vec<u8>>,
        _: usize,
    ) -> Result<SweepPage, StoreError> {
        self.check()?;
        Ok(SweepPage { forgotten: 0, after: None })
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.check()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}
