//! Changes, each written once for both databases, over a [`Transaction`].
//!
//! A change that ends with one statement needs no `BEGIN`: its conditions are in the statement, and what it reads
//! afterwards only explains why nothing was changed. An event about a change belongs in the same transaction: its
//! insert is one more statement at the end of the function here that makes the change.

use super::{
    ConsentRecord, Deleted, GrantRecord, KeyKept, KeyRecord, Purchase, Redeemed, Rotated, Rotation,
    SessionId, SessionRecord, Step, StoreError,
    column::{Stored as _, Value},
    statements::{consents, grants, keys, sessions},
    transaction::Transaction,
};
use crate::{client::ClientIdentifier, clock::Timestamp, grant::GrantId, secret::SecretHash};

/// How often a rotation is decided anew because another one was faster. Within one transaction, none is.
const ROTATION_TRIES_MAX: usize = 8;

/// Whether a `DELETE` found its record.
fn deleted(rows: usize) -> Deleted {
    if rows == 0 { Deleted::NotThere } else { Deleted::Forgotten }
}

/// Stores grants that are new, or in a later state than the stored ones. Returns how many were.
pub(super) async fn keep_grants<T: Transaction>(
    change: &mut T,
    grants: &[GrantRecord],
) -> Result<usize, T::Fault> {
    change.insert(&grants::INSERT, grants).await
}

/// Redeems the code of a grant. Of all tries at one code, one wins.
///
/// When the answer of the database is lost, the caller learns that the store is unavailable, and the code may be
/// redeemed: a repeated request then counts as a second use. The user is asked once more, and nobody gets the tokens
/// of somebody else.
pub(super) async fn redeem_code<T: Transaction>(
    change: &mut T,
    id: GrantId,
    purchase: &Purchase,
) -> Result<Redeemed, T::Fault> {
    let refresh = purchase.refresh.as_ref();
    let redeemed = change
        .execute(
            &grants::REDEEM,
            &[
                id.value(),
                purchase.at.value(),
                purchase.expires_at.value(),
                refresh.map_or(SecretHash::NULL, |refresh| refresh.family.value()),
                refresh.map_or(SecretHash::NULL, |refresh| refresh.current.value()),
                refresh.map_or(Timestamp::NULL, |refresh| refresh.expires_at.value()),
            ],
        )
        .await?;
    if redeemed > 0 {
        return Ok(Redeemed::Now);
    }
    let found: Vec<GrantRecord> = change.select(&grants::SELECT, &[id.value()]).await?;
    Ok(if found.is_empty() { Redeemed::NotThere } else { Redeemed::Before })
}

/// Supersedes a refresh token, or says why not.
///
/// When the answer of the database is lost, the token that was presented may be superseded: within the grace its
/// holder gets the same successor again.
pub(super) async fn rotate_refresh_token<T: Transaction>(
    change: &mut T,
    id: GrantId,
    rotation: &Rotation,
) -> Result<Rotated, T::Fault> {
    let parameters = [
        id.value(),
        rotation.at.value(),
        rotation.successor.value(),
        rotation.expires_at.value(),
        rotation.family.value(),
        rotation.presented.value(),
    ];
    for _ in 0..ROTATION_TRIES_MAX {
        // The common case.
        if change.execute(&grants::SUPERSEDE, &parameters).await? > 0 {
            return Ok(Rotated::Succeeded);
        }
        let found: Vec<GrantRecord> = change.select(&grants::SELECT, &[id.value()]).await?;
        let Some(grant) = found.first() else { return Ok(Rotated::Refused) };
        match rotation.on(grant) {
            Step::Repeat => return Ok(Rotated::Succeeded),
            Step::Refuse => return Ok(Rotated::Refused),
            Step::Forget => {
                change.execute(&grants::DELETE, &[id.value()]).await?;
                return Ok(Rotated::Reused);
            }
            Step::Supersede => {}
        }
    }
    Err(StoreError::Busy.into())
}

pub(super) async fn revoke_grant<T: Transaction>(
    change: &mut T,
    id: GrantId,
) -> Result<Deleted, T::Fault> {
    change.execute(&grants::DELETE, &[id.value()]).await.map(deleted)
}

/// Ends the consent and every grant of one subject and client.
pub(super) async fn disconnect<T: Transaction>(
    change: &mut T,
    subject: &str,
    client: &ClientIdentifier,
    at: Timestamp,
) -> Result<(), T::Fault> {
    let key = ConsentRecord::key(subject, client);
    change.execute(&consents::EXPIRE, &[Value::bytes(&key), at.value()]).await?;
    let parameters = [Value::text(subject), client.value()];
    change.execute(&grants::DELETE_OF_SUBJECT_AND_CLIENT, &parameters).await.map(drop)
}

pub(super) async fn keep_consent<T: Transaction>(
    change: &mut T,
    consent: &ConsentRecord,
) -> Result<(), T::Fault> {
    change.insert(&consents::REPLACE_ALWAYS, std::slice::from_ref(consent)).await.map(drop)
}

/// Stores consents that are new, or later than the stored ones. Returns how many were.
pub(super) async fn import_consents<T: Transaction>(
    change: &mut T,
    consents: &[ConsentRecord],
) -> Result<usize, T::Fault> {
    change.insert(&consents::REPLACE_EARLIER, consents).await
}

/// Stores sessions that are new, or live longer than the stored ones. Returns how many did.
pub(super) async fn keep_sessions<T: Transaction>(
    change: &mut T,
    sessions: &[SessionRecord],
) -> Result<usize, T::Fault> {
    change.insert(&sessions::INSERT, sessions).await
}

pub(super) async fn prolong_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
    idle_at: Timestamp,
) -> Result<(), T::Fault> {
    change.execute(&sessions::PROLONG, &[id.value(), idle_at.value()]).await.map(drop)
}

pub(super) async fn end_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
) -> Result<Deleted, T::Fault> {
    change.execute(&sessions::DELETE, &[id.value()]).await.map(deleted)
}

/// Stores a key if the newest stored one is still `newest`.
pub(super) async fn keep_key<T: Transaction>(
    change: &mut T,
    key: &KeyRecord,
    newest: Option<&str>,
) -> Result<KeyKept, T::Fault> {
    let newest = Value::Text(Some(newest.unwrap_or_default().into()));
    let KeyRecord { key_id, algorithm, made_at, sealed } = key;
    let parameters = [key_id.value(), algorithm.value(), made_at.value(), sealed.value(), newest];
    let kept = change.execute(&keys::KEEP, &parameters).await?;
    Ok(if kept == 0 { KeyKept::TooLate } else { KeyKept::Kept })
}

/// Stores keys that are new. Returns how many were.
pub(super) async fn import_keys<T: Transaction>(
    change: &mut T,
    keys: &[KeyRecord],
) -> Result<usize, T::Fault> {
    change.insert(&keys::IMPORT, keys).await
}

pub(super) async fn forget_key<T: Transaction>(
    change: &mut T,
    key_id: &String,
) -> Result<(), T::Fault> {
    change.execute(&keys::FORGET, &[key_id.value()]).await.map(drop)
}
