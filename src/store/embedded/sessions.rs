//! The sessions and sign-ins in SQL.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    fault::{corrupt, store_error},
    grants::{Unreadable, moment, timestamp},
};
use crate::{
    clock::Timestamp,
    grant::CodeVerifier,
    secret::SecretHash,
    store::{Deleted, ResourceOwner, SessionId, SessionRecord, SignInRecord, StoreError},
};

/// Keeps a new session.
pub(super) fn insert(change: &Connection, session: &SessionRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (session_id, hash, subject, name, email, signed_in_at, idle_at, \
        expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    change.prepare_cached(sql)?.execute(params![
        session.session_id.as_bytes(),
        session.hash.as_bytes(),
        session.owner.subject,
        session.owner.name,
        session.owner.email,
        moment(session.signed_in_at),
        moment(session.idle_at),
        moment(session.expires_at),
    ])?;
    Ok(())
}

/// One session.
pub(super) fn session(
    connection: &Connection,
    id: SessionId,
) -> Result<Option<SessionRecord>, StoreError> {
    let sql = "SELECT hash, subject, name, email, signed_in_at, idle_at, expires_at FROM sessions \
        WHERE session_id = ?1";
    let found =
        connection.prepare_cached(sql).map_err(store_error)?.query_row([id.as_bytes()], |row| {
            Ok(read(id, row).map_err(|error| corrupt(format!("session {id}"), error)))
        });
    found.optional().map_err(store_error)?.transpose()
}

/// One page of sessions. There are as many as people have signed in since yesterday: one snapshot does.
pub(super) fn page(
    connection: &Connection,
    subject: Option<&str>,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionRecord>, StoreError> {
    let sql = "SELECT hash, subject, name, email, signed_in_at, idle_at, expires_at, session_id \
        FROM sessions WHERE session_id > ?1 AND (?2 IS NULL OR subject = ?2) \
        ORDER BY session_id LIMIT ?3";
    // What stands before every session when there is none.
    let after: &[u8] = after.as_ref().map_or(&[], |id| id.as_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query(params![after, subject, limit]).map_err(store_error)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let id = SessionId::from_bytes(row.get(7).map_err(store_error)?);
        page.push(read(id, row).map_err(|error| corrupt(format!("session {id}"), error))?);
    }
    Ok(page)
}

fn read(session_id: SessionId, row: &Row<'_>) -> Result<SessionRecord, Unreadable> {
    Ok(SessionRecord {
        session_id,
        hash: SecretHash::from_bytes(row.get(0)?),
        owner: ResourceOwner { subject: row.get(1)?, name: row.get(2)?, email: row.get(3)? },
        signed_in_at: timestamp(row, 4)?,
        idle_at: timestamp(row, 5)?,
        expires_at: timestamp(row, 6)?,
    })
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

/// Keeps a sign-in.
pub(super) fn insert_sign_in(change: &Connection, sign_in: &SignInRecord) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sign_ins (sign_in_id, hash, browser, provider, nonce, verifier, \
        authorization_request, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    change.prepare_cached(sql)?.execute(params![
        sign_in.sign_in_id.as_bytes(),
        sign_in.hash.as_bytes(),
        sign_in.browser.as_bytes(),
        sign_in.provider,
        sign_in.nonce,
        sign_in.verifier.as_str(),
        sign_in.authorization_request,
        moment(sign_in.expires_at),
    ])?;
    Ok(())
}

/// Takes a sign-in away that this browser began.
pub(super) fn take_sign_in(
    change: &Connection,
    id: SessionId,
    browser: &SecretHash,
) -> rusqlite::Result<Option<Result<SignInRecord, StoreError>>> {
    let sql = "DELETE FROM sign_ins WHERE sign_in_id = ?1 AND browser = ?2 \
        RETURNING hash, browser, provider, nonce, verifier, authorization_request, expires_at";
    let mut statement = change.prepare_cached(sql)?;
    let taken = statement.query_row(params![id.as_bytes(), browser.as_bytes()], |row| {
        Ok(read_sign_in(id, row).map_err(|error| corrupt(format!("sign-in {id}"), error)))
    });
    taken.optional()
}

fn read_sign_in(sign_in_id: SessionId, row: &Row<'_>) -> Result<SignInRecord, Unreadable> {
    Ok(SignInRecord {
        sign_in_id,
        hash: SecretHash::from_bytes(row.get(0)?),
        browser: SecretHash::from_bytes(row.get(1)?),
        provider: row.get(2)?,
        nonce: row.get(3)?,
        verifier: CodeVerifier::parse(&row.get::<_, String>(4)?)?,
        authorization_request: row.get(5)?,
        expires_at: timestamp(row, 6)?,
    })
}
