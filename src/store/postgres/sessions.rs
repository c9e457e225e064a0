//! The sessions in SQL.

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
    store::{
        Deleted, SessionId, SessionRecord, SessionStore, StoreError,
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
}
