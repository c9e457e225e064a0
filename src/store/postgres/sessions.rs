//! The sessions and sign-ins in SQL.

use async_trait::async_trait;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::{
    Postgres,
    connect::Statement,
    grants::{Unreadable, bytes, corrupt, first_after, hash, moment, timestamp},
};
use crate::{
    clock::Timestamp,
    grant::CodeVerifier,
    secret::SecretHash,
    store::{
        Deleted, ResourceOwner, SessionId, SessionRecord, SessionStore, SignInRecord, StoreError,
    },
};

const INSERT: Statement = Statement {
    sql: "INSERT INTO sessions (session_id, hash, subject, name, email, signed_in_at, idle_at, \
        expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (session_id) DO NOTHING",
    types: &[
        Type::UUID,
        Type::BYTEA,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::INT8,
    ],
};

const SELECT: Statement = Statement {
    sql: "SELECT hash, subject, name, email, signed_in_at, idle_at, expires_at FROM sessions \
        WHERE session_id = $1",
    types: &[Type::UUID],
};

const SELECT_PAGE: Statement = Statement {
    sql: "SELECT hash, subject, name, email, signed_in_at, idle_at, expires_at, session_id \
        FROM sessions WHERE session_id >= $1 AND ($2::text IS NULL OR subject = $2) \
        ORDER BY session_id LIMIT $3",
    types: &[Type::UUID, Type::TEXT, Type::INT8],
};

const PROLONG: Statement = Statement {
    sql: "UPDATE sessions SET idle_at = $2 WHERE session_id = $1",
    types: &[Type::UUID, Type::INT8],
};

const DELETE: Statement =
    Statement { sql: "DELETE FROM sessions WHERE session_id = $1", types: &[Type::UUID] };

const INSERT_SIGN_IN: Statement = Statement {
    sql: "INSERT INTO sign_ins (sign_in_id, hash, browser, provider, nonce, verifier, \
        authorization_request, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
        ON CONFLICT (sign_in_id) DO NOTHING",
    types: &[
        Type::UUID,
        Type::BYTEA,
        Type::BYTEA,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
    ],
};

const TAKE_SIGN_IN: Statement = Statement {
    sql: "DELETE FROM sign_ins WHERE sign_in_id = $1 AND browser = $2 \
        RETURNING hash, browser, provider, nonce, verifier, authorization_request, expires_at",
    types: &[Type::UUID, Type::BYTEA],
};

#[async_trait]
impl SessionStore for Postgres {
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError> {
        let owner = &session.owner;
        self.change(
            &INSERT,
            &[
                &uuid(session.session_id),
                &bytes(&session.hash),
                &owner.subject,
                &owner.name,
                &owner.email,
                &moment(session.signed_in_at),
                &moment(session.idle_at),
                &moment(session.expires_at),
            ],
        )
        .await?;
        Ok(())
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let rows = self.ask(&SELECT, &[&uuid(id)]).await?;
        let read = |row| record(id, row).map_err(|error| corrupt(format!("session {id}"), error));
        rows.first().map(read).transpose()
    }

    async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let Some(first) = first_after(after.map(uuid)) else { return Ok(Vec::new()) };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.ask(&SELECT_PAGE, &[&first, &subject, &limit]).await?;
        let read = |row: &Row| {
            let id: Uuid = row
                .try_get(7)
                .map_err(|error| corrupt("the identifier of a session".to_owned(), error.into()))?;
            let id = SessionId::from_bytes(id.into_bytes());
            record(id, row).map_err(|error| corrupt(format!("session {id}"), error))
        };
        rows.iter().map(read).collect()
    }

    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError> {
        self.change(&PROLONG, &[&uuid(id), &moment(idle_at)]).await?;
        Ok(())
    }

    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError> {
        Ok(match self.change(&DELETE, &[&uuid(id)]).await? {
            0 => Deleted::NotThere,
            _ => Deleted::Forgotten,
        })
    }

    async fn keep_sign_in(&self, sign_in: SignInRecord) -> Result<(), StoreError> {
        self.change(
            &INSERT_SIGN_IN,
            &[
                &uuid(sign_in.sign_in_id),
                &bytes(&sign_in.hash),
                &bytes(&sign_in.browser),
                &sign_in.provider,
                &sign_in.nonce,
                &sign_in.verifier.as_str(),
                &sign_in.authorization_request,
                &moment(sign_in.expires_at),
            ],
        )
        .await?;
        Ok(())
    }

    async fn take_sign_in(
        &self,
        id: SessionId,
        browser: SecretHash,
    ) -> Result<Option<SignInRecord>, StoreError> {
        let rows = self.change_and_show(&TAKE_SIGN_IN, &[&uuid(id), &bytes(&browser)]).await?;
        let read = |row| sign_in(id, row).map_err(|error| corrupt(format!("sign-in {id}"), error));
        rows.first().map(read).transpose()
    }
}

fn uuid(id: SessionId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn record(session_id: SessionId, row: &Row) -> Result<SessionRecord, Unreadable> {
    Ok(SessionRecord {
        session_id,
        hash: hash(row, 0)?,
        owner: ResourceOwner {
            subject: row.try_get(1)?,
            name: row.try_get(2)?,
            email: row.try_get(3)?,
        },
        signed_in_at: timestamp(row, 4)?,
        idle_at: timestamp(row, 5)?,
        expires_at: timestamp(row, 6)?,
    })
}

fn sign_in(sign_in_id: SessionId, row: &Row) -> Result<SignInRecord, Unreadable> {
    Ok(SignInRecord {
        sign_in_id,
        hash: hash(row, 0)?,
        browser: hash(row, 1)?,
        provider: row.try_get(2)?,
        nonce: row.try_get(3)?,
        verifier: CodeVerifier::parse(row.try_get(4)?)?,
        authorization_request: row.try_get(5)?,
        expires_at: timestamp(row, 6)?,
    })
}
