//! The sessions in SQL.

use rusqlite::{Connection, params};

use super::rows::{first, rows};
use crate::{
    clock::Timestamp,
    store::{
        Deleted, SessionId, SessionRecord, StoreError,
        row::{moment, row_count, select},
    },
};

/// Keeps a session that is new, or lives longer than it is kept; returns whether it was, as 1 or 0.
pub(super) fn insert(change: &Connection, session: &SessionRecord) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO sessions (session_id, hash, subject, name, email, signed_in_at, idle_at, \
        expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        ON CONFLICT (session_id) DO UPDATE SET idle_at = excluded.idle_at \
        WHERE hash = excluded.hash AND idle_at < excluded.idle_at";
    change.prepare_cached(sql)?.execute(params![
        session.session_id.as_bytes(),
        session.hash.as_bytes(),
        session.owner.subject,
        session.owner.name,
        session.owner.email,
        moment(session.signed_in_at),
        moment(session.idle_at),
        moment(session.expires_at),
    ])
}

/// One session.
pub(super) fn session(
    connection: &Connection,
    id: SessionId,
) -> Result<Option<SessionRecord>, StoreError> {
    let sql = select!(sessions, "WHERE session_id = ?1");
    first(connection, sql, [id.as_bytes()])
}

/// One page of sessions. There are as many as people have signed in since yesterday: one snapshot does.
pub(super) fn page(
    connection: &Connection,
    subject: Option<&str>,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionRecord>, StoreError> {
    let sql = select!(
        sessions,
        "WHERE session_id > ?1 AND (?2 IS NULL OR subject = ?2) ORDER BY session_id LIMIT ?3"
    );
    // What stands before every session when there is none.
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    rows(connection, sql, params![after, subject, row_count(limit)])
}

/// Lets a session live on.
pub(super) fn prolong(
    change: &Connection,
    id: SessionId,
    idle_at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "UPDATE sessions SET idle_at = ?2 WHERE session_id = ?1";
    change.prepare_cached(sql)?.execute(params![id.as_bytes(), moment(idle_at)])?;
    Ok(())
}

/// Forgets a session.
pub(super) fn delete(change: &Connection, id: SessionId) -> rusqlite::Result<Deleted> {
    let mut statement = change.prepare_cached("DELETE FROM sessions WHERE session_id = ?1")?;
    Ok(match statement.execute([id.as_bytes()])? {
        0 => Deleted::NotThere,
        _ => Deleted::Forgotten,
    })
}
