//! Sessions.

use std::slice;

use crate::store::{
    Deleted, EventRecord, SessionId, SessionRecord,
    column::Stored as _,
    statements::{events, sessions},
    transaction::Transaction,
};
use crate::{
    audit::{Action, Author},
    clock::Timestamp,
};

/// Stores sessions that are new, or live longer than the stored ones. Returns how many did.
pub(in crate::store) async fn keep_sessions<T: Transaction>(
    change: &mut T,
    sessions: &[SessionRecord],
) -> Result<usize, T::Fault> {
    change.insert(&sessions::INSERT, sessions).await
}

pub(in crate::store) async fn prolong_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
    idle_at: Timestamp,
) -> Result<(), T::Fault> {
    change.execute(&sessions::PROLONG, &[id.value(), idle_at.value()]).await.map(drop)
}

pub(in crate::store) async fn end_session<T: Transaction>(
    change: &mut T,
    id: SessionId,
    by: &Author,
) -> Result<Deleted, T::Fault> {
    let found: Vec<SessionRecord> = change.select(&sessions::SELECT, &[id.value()]).await?;
    let Some(session) = found.into_iter().next() else { return Ok(Deleted::NotThere) };
    // In PostgreSQL another request may have ended it in between.
    if change.execute(&sessions::DELETE, &[id.value()]).await? == 0 {
        return Ok(Deleted::NotThere);
    }
    let subject = Some(session.owner.subject);
    let event = EventRecord { subject, ..by.event(Action::SessionEnded) };
    change.insert(&events::INSERT, slice::from_ref(&event)).await?;
    Ok(Deleted::Forgotten)
}

/// Stores a session that begins.
pub(in crate::store) async fn begin_session<T: Transaction>(
    change: &mut T,
    session: &SessionRecord,
    by: &Author,
) -> Result<(), T::Fault> {
    change.insert(&sessions::INSERT, slice::from_ref(session)).await?;
    let subject = Some(session.owner.subject.clone());
    let event = EventRecord { subject, ..by.event(Action::SigninSucceeded) };
    change.insert(&events::INSERT, slice::from_ref(&event)).await.map(drop)
}
