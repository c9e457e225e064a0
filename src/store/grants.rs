//! The chapter of grants.

use async_trait::async_trait;

use super::{ConsentRecord, Deleted, GrantRecord, RefreshRecord, StoreError};
use crate::{client::ClientIdentifier, clock::Timestamp, grant::GrantId, secret::SecretHash};

/// What the service keeps of grants, and of the consent behind them. Implementations pass every test in
/// `contract/`.
///
/// Whether a client that a grant names is still there is not looked at here: identifiers are never used
/// again, and whoever asks for a grant asks for its client as well. The sweep forgets what is left of them.
#[async_trait]
pub trait GrantStore: Send + Sync {
    /// Keeps a new grant, its code not yet redeemed.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is kept then.
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError>;

    /// The grant of this identifier, if there is one, expired or not.
    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError>;

    /// At most `limit` grants that pass `filter`, expired or not, in the order of their identifiers (which is the
    /// order in which they were made), beginning after `after`.
    ///
    /// A page may hold fewer than `limit` grants and not be the last: the last page is the empty one.
    async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError>;

    /// At most `limit` grants by this resource owner, expired or not, the newest first, beginning with the last
    /// one that was made before `before`. The last page is the empty one.
    async fn newest_grants(
        &self,
        subject: &str,
        before: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError>;

    /// Spends the code of a grant and keeps what it buys; both happen or neither. Of all callers, at once
    /// or one after another, one is told [`Redeemed::Now`].
    async fn redeem_code(&self, id: GrantId, purchase: Purchase) -> Result<Redeemed, StoreError>;

    /// Supersedes the refresh token that was presented by its successor, or says why not.
    ///
    /// When a token of the family is presented that is neither the last one nor, within the grace, the one
    /// before, somebody has a copy: the grant is forgotten by the same change.
    async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
    ) -> Result<Rotated, StoreError>;

    /// Keeps grants of another store, no two of them of one identifier, as one change. One that is there
    /// already is brought to the state that comes, if that is later: redeemed or rotated since. Returns how
    /// many were changed by that; the others stay as they are.
    async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError>;

    /// Forgets a grant, durably: its code and its tokens end. It wins over whatever is asked at once with it
    /// or later.
    async fn revoke_grant(&self, id: GrantId) -> Result<Deleted, StoreError>;

    /// Ends at once, as one change, what this resource owner has allowed this client: the consent expires `at`, and
    /// every grant is forgotten.
    async fn disconnect(
        &self,
        subject: &str,
        client: &ClientIdentifier,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What this resource owner has allowed this client before.
    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError>;

    /// Keeps a consent in the place of an earlier one of the same resource owner and client.
    async fn keep_consent(&self, consent: ConsentRecord) -> Result<(), StoreError>;

    /// At most `limit` consents in the order of their keys ([`ConsentRecord::key`]), beginning after `after`;
    /// expired ones, too. The last page is the empty one.
    async fn consents(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError>;

    /// Keeps consents of another store, no two of them of one key, as one change. One that is there already is
    /// replaced if the one that comes was allowed later. Returns how many were changed by that; the others stay
    /// as they are.
    async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError>;
}

/// Which grants a list shows; an absent bound lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Only grants to this client.
    pub client: Option<ClientIdentifier>,
    /// Only grants by this resource owner.
    pub subject: Option<String>,
}

/// What an authorization code buys.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// When it was redeemed.
    pub at: Timestamp,
    /// When the grant ends from now on.
    pub expires_at: Timestamp,
    /// The first refresh token; `None` for a client that gets none.
    pub refresh: Option<RefreshRecord>,
}

/// What became of redeeming a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It is spent, by this call.
    Now,
    /// It had been spent before; nothing was changed.
    Before,
    /// There is no such grant any more.
    NotThere,
}

/// The exchange of one refresh token for the next.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The hash of what the family has in common, as it was presented.
    pub family: SecretHash,
    /// The hash of the secret that was presented.
    pub presented: SecretHash,
    /// The hash of the secret that follows it.
    pub successor: SecretHash,
    /// When it is presented.
    pub at: Timestamp,
    /// From when on the successor expires unless it is used.
    pub expires_at: Timestamp,
    /// A token superseded at this moment or later may still be presented: callers race, and answers are
    /// lost.
    pub graced_from: Timestamp,
}

impl Rotation {
    /// What becomes of it on a grant that stands so; only the first answer changes anything.
    ///
    /// A back end may ask this of a grant that has changed since it was read: time only makes a token
    /// older, so what is refused or reused stays that.
    pub fn on(&self, grant: &GrantRecord) -> Step {
        let Some(refresh) = &grant.refresh else { return Step::Refuse };
        if !refresh.family.matches(&self.family) {
            return Step::Refuse;
        }
        let is_current = refresh.current.matches(&self.presented);
        let is_graced = refresh.previous.is_some_and(|(previous, superseded_at)| {
            previous.matches(&self.presented)
                && refresh.current.matches(&self.successor)
                && superseded_at >= self.graced_from
        });
        if grant.expires_at <= self.at || refresh.expires_at <= self.at {
            Step::Refuse
        } else if is_current {
            Step::Supersede
        } else if is_graced {
            Step::Repeat
        } else {
            Step::Forget
        }
    }
}

/// What a back end has to do about a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put the successor into the place of the last token: [`Rotated::Succeeded`].
    Supersede,
    /// Nothing, it was done before: [`Rotated::Succeeded`].
    Repeat,
    /// Nothing: [`Rotated::Refused`].
    Refuse,
    /// Forget the grant: [`Rotated::Reused`].
    Forget,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The successor is the last one now, by this call or, within the grace, by an earlier one.
    Succeeded,
    /// It is good no longer: the family or the grant has expired, or there is no such grant or family.
    Refused,
    /// An old token was used again; the grant is forgotten.
    Reused,
}
