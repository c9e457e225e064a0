//! The token of a request: whether it is ours, for this resource, and whether its grant is alive at this moment.
//!
//! A token is verified once and remembered by its hash. Only tokens with a valid signature are remembered, so strangers
//! displace nothing. The embedded store is asked about the grant each time; a database at most every
//! [`REMEMBERED_SECONDS`], so that a revocation ends access on every node within five seconds.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Authorized, Guards, Presented,
    memory::{Held, Memory},
};
use crate::{
    app::App,
    client::Scope,
    clock::Timestamp,
    config::{Config, StoreLocation},
    grant::GrantId,
    secret::SecretHash,
    store::StoreError,
    stored_identity::StoredIdentity,
    token::{self, Verified},
};

/// How long a node goes by what a database has said of a grant. Less than five, for the question itself takes time.
const REMEMBERED_SECONDS: u64 = 4;

/// How many bytes of tokens, and of grants, one generation remembers: some 10,000 of each.
const GENERATION_BYTES_MAX: usize = 8 << 20;

/// The tokens and grants that were seen lately.
pub(crate) struct Liveness {
    /// With the keys that have verified each: with others, it is verified anew.
    tokens: Memory<[u8; 32], VerifiedBy>,
    /// `None` where the store answers as fast as a memory.
    grants: Option<Memory<GrantId, Known>>,
}

/// A token, and the keys of that moment, as they are published.
#[derive(Clone)]
struct VerifiedBy {
    keys: Bytes,
    verified: Arc<Verified>,
}

impl Held for VerifiedBy {
    fn bytes_held(&self) -> usize {
        let Verified { subject, client_id, scope, audience, .. } = &*self.verified;
        let texts = [Some(subject), Some(client_id), Some(scope), audience.as_ref()];
        size_of::<Verified>() + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

/// What the store has said of a grant.
#[derive(Clone)]
struct Known {
    asked_at: Timestamp,
    state: State,
}

/// A grant at one moment.
#[derive(Clone)]
enum State {
    Ended,
    Alive { scope: Option<Arc<Scope>>, expires_at: Timestamp, identity: Arc<StoredIdentity> },
}

impl Held for Known {
    fn bytes_held(&self) -> usize {
        let State::Alive { scope, identity, .. } = &self.state else { return 0 };
        let scope = scope.as_ref().map_or(0, |scope| scope.as_str().len());
        scope + size_of::<StoredIdentity>() + identity.bytes_held()
    }
}

/// What a token is found to be.
pub(crate) enum Found {
    Nothing,
    Invalid(&'static str),
    Valid(Authorized),
    Unknown(Arc<StoreError>),
}

impl Found {
    pub(crate) fn presented(&self) -> Presented<'_> {
        match self {
            Self::Nothing => Presented::Nothing,
            Self::Invalid(fault) => Presented::Invalid(fault),
            Self::Valid(authorized) => Presented::Valid(authorized),
            Self::Unknown(_) => Presented::Unknown,
        }
    }
}

impl Liveness {
    pub(crate) fn new(config: &Config) -> Self {
        let is_remote = matches!(config.store, StoreLocation::Postgres(_));
        Self {
            tokens: Memory::new(GENERATION_BYTES_MAX),
            grants: is_remote.then(|| Memory::new(GENERATION_BYTES_MAX)),
        }
    }

    fn verified(&self, app: &App, token: &str) -> Option<Arc<Verified>> {
        let keys = app.keys.jwks();
        let hash = *SecretHash::of(token.as_bytes()).as_bytes();
        match self.tokens.get(&hash) {
            Some(known) if known.keys == keys => return Some(known.verified),
            _ => {}
        }
        let verified = Arc::new(token::verified(app, token)?);
        self.tokens.put(hash, VerifiedBy { keys, verified: Arc::clone(&verified) });
        Some(verified)
    }

    /// Whether a grant is alive.
    pub(super) async fn is_alive(
        &self,
        app: &App,
        id: GrantId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let state = self.state(app, id, now).await?;
        Ok(matches!(state, State::Alive { expires_at, .. } if now < expires_at))
    }

    async fn state(&self, app: &App, id: GrantId, now: Timestamp) -> Result<State, StoreError> {
        let is_fresh = |known: &Known| {
            known.asked_at <= now && now < known.asked_at.after_seconds(REMEMBERED_SECONDS)
        };
        let known = self.grants.as_ref().and_then(|grants| grants.get(&id)).filter(is_fresh);
        if let Some(Known { state, .. }) = known {
            return Ok(state);
        }
        let state = match token::live_grant(app, id, now).await? {
            None => State::Ended,
            Some(grant) => State::Alive {
                scope: grant.scope.map(Arc::new),
                expires_at: grant.expires_at,
                identity: Arc::new(StoredIdentity::read(grant.identity.as_deref())),
            },
        };
        if let Some(grants) = &self.grants {
            grants.put(id, Known { asked_at: now, state: state.clone() });
        }
        Ok(state)
    }
}

/// What the token of a request is worth at a resource.
pub(crate) async fn find(
    app: &App,
    guards: &Guards,
    token: &str,
    resource: &str,
    now: Timestamp,
) -> Found {
    let Some(verified) = guards.liveness.verified(app, token) else {
        return Found::Invalid("the access token was not issued here");
    };
    if verified.expires_at <= now {
        return Found::Invalid("the access token has expired");
    }
    if verified.audience.as_deref() != Some(resource) {
        return Found::Invalid("the access token is not for this resource alone");
    }
    match guards.liveness.state(app, verified.grant, now).await {
        Err(error) => Found::Unknown(Arc::new(error)),
        Ok(State::Alive { scope, expires_at, identity }) if now < expires_at => {
            Found::Valid(authorized(&verified, scope.as_deref(), identity))
        }
        Ok(_) => Found::Invalid("access was revoked or has ended"),
    }
}

fn authorized(
    verified: &Verified,
    granted: Option<&Scope>,
    identity: Arc<StoredIdentity>,
) -> Authorized {
    let granted = granted.map_or("", Scope::as_str);
    let is_granted = |scope: &&str| granted.split(' ').any(|held| held == *scope);
    let held: Vec<&str> = verified.scope.split(' ').filter(is_granted).collect();
    Authorized {
        subject: verified.subject.clone(),
        client_id: verified.client_id.clone(),
        grant: verified.grant,
        scope: held.join(" "),
        granted: granted.to_owned(),
        expires_at: verified.expires_at,
        identity,
    }
}
