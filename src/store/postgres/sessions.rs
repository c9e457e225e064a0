//! The sessions and sign-ins in SQL.

use async_trait::async_trait;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{
    Postgres,
    connect::{Parameters, Statement},
    rows::{bytes, column, first_after},
};
use crate::{
    clock::Timestamp,
    secret::SecretHash,
    store::{
        Deleted, SessionId, SessionRecord, SessionStore, SignInRecord, StoreError,
        row::{FromRow, moment, row_count, select},
    },
};

/// Keeps sessions, each a column of values. One that is there may live longer, and never shorter.
const INSERT: Statement = Statement {
    sql: "INSERT INTO sessions (session_id, hash, subject, name, email, signed_in_at, idle_at, \
        expires_at) SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], \
        $5::text[], $6::bigint[], $7::bigint[], $8::bigint[]) \
        ON CONFLICT (session_id) DO UPDATE SET idle_at = excluded.idle_at \
        WHERE sessions.hash = excluded.hash AND sessions.idle_at < excluded.idle_at",
    types: &[
        Type::UUID_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
    ],
};

const SELECT: Statement =
    Statement { sql: select!(sessions, "WHERE session_id = $1"), types: &[Type::UUID] };

const SELECT_PAGE: Statement = Statement {
    sql: select!(
        sessions,
        "WHERE session_id >= $1 AND ($2::text IS NULL OR subject = $2) ORDER BY session_id LIMIT $3"
    ),
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
        RETURNING sign_in_id, hash, browser, provider, nonce, verifier, authorization_request, expires_at",
    types: &[Type::UUID, Type::BYTEA],
};

#[async_trait]
impl SessionStore for Postgres {
    async fn keep_session(&self, session: SessionRecord) -> Result<(), StoreError> {
        self.import_sessions(vec![session]).await.map(drop)
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let rows = self.ask(&SELECT, &[&Uuid::from(id)]).await?;
        rows.first().map(FromRow::from_row).transpose()
    }

    async fn import_sessions(&self, sessions: Vec<SessionRecord>) -> Result<usize, StoreError> {
        let sessions = &sessions[..];
        let columns: Parameters<'_> = &[
            &column(sessions, |session| Uuid::from(session.session_id)),
            &column(sessions, |session| bytes(&session.hash)),
            &column(sessions, |session| &*session.owner.subject),
            &column(sessions, |session| session.owner.name.as_deref()),
            &column(sessions, |session| session.owner.email.as_deref()),
            &column(sessions, |session| moment(session.signed_in_at)),
            &column(sessions, |session| moment(session.idle_at)),
            &column(sessions, |session| moment(session.expires_at)),
        ];
        self.change_many(&INSERT, columns).await
    }

    async fn sessions(
        &self,
        subject: Option<&str>,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let Some(first) = first_after(after.map(Uuid::from)) else { return Ok(Vec::new()) };
        let limit = row_count(limit);
        let rows = self.ask(&SELECT_PAGE, &[&first, &subject, &limit]).await?;
        rows.iter().map(FromRow::from_row).collect()
    }

    async fn prolong_session(&self, id: SessionId, idle_at: Timestamp) -> Result<(), StoreError> {
        self.change(&PROLONG, &[&Uuid::from(id), &moment(idle_at)]).await?;
        Ok(())
    }

    async fn end_session(&self, id: SessionId) -> Result<Deleted, StoreError> {
        Ok(match self.change(&DELETE, &[&Uuid::from(id)]).await? {
            0 => Deleted::NotThere,
            _ => Deleted::Forgotten,
        })
    }

    async fn keep_sign_in(&self, sign_in: SignInRecord) -> Result<(), StoreError> {
        self.change(
            &INSERT_SIGN_IN,
            &[
                &Uuid::from(sign_in.sign_in_id),
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
        let parameters: Parameters<'_> = &[&Uuid::from(id), &bytes(&browser)];
        let rows = self.change_and_show(&TAKE_SIGN_IN, parameters).await?;
        rows.first().map(FromRow::from_row).transpose()
    }
}
