//! Grants, and the consents behind them.
//!
//! These methods do not check whether the client of a grant still exists: identifiers are never used again, and the caller
//! looks the client up as well. The sweep deletes the grants of deleted clients.

use std::slice;

use super::{
    ClientRecord, ConsentRecord, Database, Deleted, DocumentClientRecord, EventRecord, GrantRecord,
    RefreshRecord, SessionId, Standing, Store, StoreError, change, changes,
    column::Value,
    statements::{consents, grants},
};
use crate::{
    audit::{Action, Author},
    client::ClientIdentifier,
    clock::Timestamp,
    grant::GrantId,
    metrics::StoreOperation,
    secret::SecretHash,
};

/// A grant and its client.
#[derive(Clone, Debug)]
pub struct GrantOfClient {
    /// The grant.
    pub grant: GrantRecord,
    /// The client, if it registered and is still there.
    pub client: Option<ClientRecord>,
}

impl Store {
    /// Stores what a person allowed, in one change: the consent in the place of an earlier one, the grant, its code not yet
    /// redeemed, and the record of a client with a document.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is stored then.
    pub async fn allow(
        &self,
        allowed: Allowed,
        by: Author,
    ) -> Result<Result<(), NotAllowed>, StoreError> {
        change!(self, whole, |change| changes::allow(change, &allowed, &by))
    }

    /// Stores a grant alone.
    ///
    /// # Errors
    /// [`StoreError::Busy`] at once when too much is waiting; nothing is stored then.
    pub async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        let kept =
            change!(self, one, |change| { changes::keep_grants(change, slice::from_ref(&grant)) });
        kept.map(drop)
    }

    /// The grant with this identifier, expired or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        self.check()?;
        let timed = self.timed(StoreOperation::Lookup, "grant");
        timed.ended(match &self.database {
            Database::Embedded(embedded) => embedded.grant(id).await,
            Database::Postgres(postgres) => postgres.grant(id).await,
        })
    }

    /// The grant of this identifier and its client, if there is such a grant. It costs one lookup in SQLite, which reads both at
    /// one moment, and two in PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn grant_of_client(&self, id: GrantId) -> Result<Option<GrantOfClient>, StoreError> {
        self.check()?;
        let timed = self.timed(StoreOperation::Lookup, "grant_of_client");
        timed.ended(match &self.database {
            Database::Embedded(embedded) => embedded.grant_of_client(id).await,
            Database::Postgres(postgres) => postgres.grant_of_client(id).await,
        })
    }

    /// At most `limit` grants that pass `filter`, expired or not, in the order of their identifiers (which is the
    /// order in which they were issued), beginning after `after`.
    ///
    /// A page may hold fewer than `limit` grants and not be the last: the last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        self.check()?;
        match &self.database {
            Database::Embedded(embedded) => embedded.grants(filter, after, limit).await,
            Database::Postgres(postgres) => postgres.grants(filter, after, limit).await,
        }
    }

    /// At most `limit` grants of this subject, expired or not, the newest first, beginning with the last one that was
    /// issued before `before`. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_grants(
        &self,
        subject: &str,
        before: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let before = before.map_or(Value::LAST, |before| Value::Id(*before.as_bytes()));
        let parameters = vec![Value::text(subject), before, Value::limit(limit)];
        self.select(&grants::SELECT_NEWEST_OF_SUBJECT, parameters).await
    }

    /// Redeems the code of a grant and stores what it buys, in one change. Of all callers, at once or one after
    /// another, one gets [`Redeemed::Now`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn redeem_code(
        &self,
        id: GrantId,
        purchase: Purchase,
        event: EventRecord,
    ) -> Result<Redeemed, StoreError> {
        change!(self, one, |change| changes::redeem_code(change, id, &purchase, &event))
    }

    /// Supersedes the refresh token that was presented by its successor, or says why not.
    ///
    /// A token of the family that is neither the last one nor, within the grace, the one before is a copy: the same
    /// change deletes the grant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
        by: &Author,
    ) -> Result<Rotated, StoreError> {
        for _ in 0..ROTATION_TRIES_MAX {
            let first = rotation.clone();
            let superseded = change!(self, one, |change| {
                changes::supersede_refresh_token(change, id, &first)
            });
            if superseded? {
                return Ok(Rotated::Succeeded);
            }
            let (rotation, by) = (rotation.clone(), by.clone());
            let decided = change!(self, whole, |change| {
                changes::repeat_or_end(change, id, &rotation, &by)
            });
            if let Some(rotated) = decided? {
                return Ok(rotated);
            }
        }
        Err(StoreError::Busy)
    }

    /// Stores grants of another store, no two of them with one identifier, as one change. An existing grant advances
    /// to the imported state, if that is later: redeemed or rotated since. Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::keep_grants(change, &grants))
    }

    /// Deletes a grant, durably: its code and its tokens end. It wins over every other change at the same time or
    /// later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_grant(
        &self,
        id: GrantId,
        action: Action,
        reason: &'static str,
        by: Author,
    ) -> Result<Deleted, StoreError> {
        let ending = changes::Ending::new(action, reason);
        change!(self, whole deleting, |change| changes::revoke_grant(change, id, &ending, &by))
    }

    /// Ends at once, in one change, everything that this subject has allowed this client: the consent expires, and every
    /// grant is deleted. Returns how many grants there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn disconnect(
        &self,
        subject: &str,
        client: &ClientIdentifier,
        by: Author,
    ) -> Result<usize, StoreError> {
        let (subject, client) = (subject.to_owned(), client.clone());
        change!(self, whole deleting, |change| changes::disconnect(change, &subject, &client, &by))
    }

    /// What this subject has allowed this client before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let key = ConsentRecord::key(subject, client);
        self.select_one(&consents::SELECT, vec![Value::bytes(&key)]).await
    }

    /// At most `limit` consents in the order of their keys ([`ConsentRecord::key`]), beginning after `after`, expired
    /// or not. The last page is the empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn consents(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        let after = Value::bytes(after.as_ref().map_or(&[][..], |key| &key[..]));
        self.select(&consents::SELECT_PAGE, vec![after, Value::limit(limit)]).await
    }

    /// Stores consents of another store, no two of them with one key, as one change. An existing consent is replaced if
    /// the imported one was allowed later. Returns how many were changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError> {
        change!(self, one, |change| changes::import_consents(change, &consents))
    }
}

/// How often a rotation is decided anew because another one was faster.
const ROTATION_TRIES_MAX: usize = 8;

/// What a person allowed.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// What later requests need not ask again.
    pub consent: ConsentRecord,
    /// The grant, its code not yet redeemed.
    pub grant: GrantRecord,
    /// The client, if it publishes a metadata document.
    pub document: Option<DocumentClientRecord>,
    /// The session in which the person decided: one that has ended allows nothing.
    pub session: Option<SessionId>,
}

/// Why a client cannot be allowed what the person allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAllowed {
    /// There is no such client.
    NotThere,
    /// It has this standing.
    Standing(Standing),
    /// An operator has restricted its scopes in the meantime.
    Ceiling,
    /// The person was signed out meanwhile.
    SignedOut,
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
    /// Nothing, it was done before: [`Rotated::Repeated`].
    Repeat,
    /// Nothing: [`Rotated::Refused`].
    Refuse,
    /// Forget the grant: [`Rotated::Reused`].
    Forget,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The successor is the last one now.
    Succeeded,
    /// An earlier call within the grace has made the successor the last one.
    Repeated,
    /// It is good no longer: the family or the grant has expired, or there is no such grant or family.
    Refused,
    /// An old token was used again; the grant is forgotten.
    Reused,
}
