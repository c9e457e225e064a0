//! Sessions.

use std::slice;

use serde_json::json;

use super::deleted;
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
    delete_sessions(change, found, None, by).await.map(deleted)
}

/// Deletes sessions, with an event for each. Returns how many were there.
pub(super) async fn delete_sessions<T: Transaction>(
    change: &mut T,
    sessions: Vec<SessionRecord>,
    reason: Option<&str>,
    by: &Author,
) -> Result<usize, T::Fault> {
    let mut ended = Vec::with_capacity(sessions.len());
    for session in sessions {
        // In PostgreSQL another request may have ended it in between.
        if change.execute(&sessions::DELETE, &[session.session_id.value()]).await? > 0 {
            let event = by.event(Action::SessionEnded);
            let event = match reason {
                Some(reason) => event.with(&json!({ "reason": reason })),
                None => event,
            };
            ended.push(EventRecord { subject: Some(session.owner.subject), ..event });
        }
    }
    change.insert(&events::INSERT, &ended).await?;
    Ok(ended.len())
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
