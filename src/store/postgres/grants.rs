//! The grants and consents in SQL. Each change is one statement, so that it happens entirely or not at all.

use std::error::Error;

use async_trait::async_trait;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::{Postgres, connect::Statement};
use crate::{
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    grant::{CodeChallenge, GrantId, ResourceIndicator},
    secret::SecretHash,
    store::{
        CodeRecord, ConsentRecord, Deleted, GrantFilter, GrantRecord, GrantStore, Purchase,
        Redeemed, RefreshRecord, Rotated, Rotation, Step, StoreError,
    },
};

/// What went wrong with the columns of a row.
pub(super) type Unreadable = Box<dyn Error + Send + Sync>;

const INSERT: Statement = Statement {
    sql: "INSERT INTO grants (grant_id, client, subject, scope, resources, issued_at, expires_at, \
        code_hash, redirect_uri, code_challenge, code_expires_at, redeemed_at, refresh_family, \
        refresh_current, refresh_previous, superseded_at, refresh_expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
        ON CONFLICT (grant_id) DO NOTHING",
    types: &[
        Type::UUID,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::BYTEA,
        Type::TEXT,
        Type::BYTEA,
        Type::INT8,
        Type::INT8,
        Type::BYTEA,
        Type::BYTEA,
        Type::BYTEA,
        Type::INT8,
        Type::INT8,
    ],
};

const SELECT: Statement = Statement {
    sql: "SELECT client, subject, scope, resources, issued_at, expires_at, code_hash, redirect_uri, \
        code_challenge, code_expires_at, redeemed_at, refresh_family, refresh_current, \
        refresh_previous, superseded_at, refresh_expires_at FROM grants WHERE grant_id = $1",
    types: &[Type::UUID],
};

const SELECT_PAGE: Statement = Statement {
    sql: "SELECT client, subject, scope, resources, issued_at, expires_at, code_hash, redirect_uri, \
        code_challenge, code_expires_at, redeemed_at, refresh_family, refresh_current, \
        refresh_previous, superseded_at, refresh_expires_at, grant_id FROM grants \
        WHERE grant_id >= $1 AND ($2::text IS NULL OR client = $2) \
        AND ($3::text IS NULL OR subject = $3) ORDER BY grant_id LIMIT $4",
    types: &[Type::UUID, Type::TEXT, Type::TEXT, Type::INT8],
};

const REDEEM: Statement = Statement {
    sql: "UPDATE grants SET redeemed_at = $2, expires_at = $3, refresh_family = $4, \
        refresh_current = $5, refresh_expires_at = $6 WHERE grant_id = $1 AND redeemed_at IS NULL",
    types: &[Type::UUID, Type::INT8, Type::INT8, Type::BYTEA, Type::BYTEA, Type::INT8],
};

/// Only on the grant as it was when this was decided.
const SUPERSEDE: Statement = Statement {
    sql: "UPDATE grants SET refresh_previous = refresh_current, superseded_at = $2, \
        refresh_current = $3, refresh_expires_at = $4 WHERE grant_id = $1 AND refresh_current = $5",
    types: &[Type::UUID, Type::INT8, Type::BYTEA, Type::INT8, Type::BYTEA],
};

const DELETE: Statement =
    Statement { sql: "DELETE FROM grants WHERE grant_id = $1", types: &[Type::UUID] };

const KEEP_CONSENT: Statement = Statement {
    sql: "INSERT INTO consents (consent_id, subject, client, scope, redirect_uri, metadata_hash, \
        allowed_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
        ON CONFLICT (consent_id) DO UPDATE SET scope = excluded.scope, \
        redirect_uri = excluded.redirect_uri, metadata_hash = excluded.metadata_hash, \
        allowed_at = excluded.allowed_at, expires_at = excluded.expires_at",
    types: &[
        Type::BYTEA,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::BYTEA,
        Type::INT8,
        Type::INT8,
    ],
};

const SELECT_CONSENT: Statement = Statement {
    sql: "SELECT scope, redirect_uri, metadata_hash, allowed_at, expires_at FROM consents \
        WHERE consent_id = $1",
    types: &[Type::BYTEA],
};

/// How often a rotation is decided anew because another one was quicker.
const TRIES_MAX: usize = 8;

#[async_trait]
impl GrantStore for Postgres {
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        let (code, refresh) = (&grant.code, grant.refresh.as_ref());
        let previous = refresh.and_then(|refresh| refresh.previous.as_ref());
        let scope = grant.scope.as_ref().map(Scope::as_str);
        self.change(
            &INSERT,
            &[
                &Uuid::from(grant.grant_id),
                &grant.client.to_string(),
                &grant.subject,
                &scope,
                &lines(&grant.resources),
                &moment(grant.issued_at),
                &moment(grant.expires_at),
                &bytes(&code.hash),
                &code.redirect_uri,
                &&code.challenge.as_bytes()[..],
                &moment(code.expires_at),
                &code.redeemed_at.map(moment),
                &refresh.map(|refresh| bytes(&refresh.family)),
                &refresh.map(|refresh| bytes(&refresh.current)),
                &previous.map(|(hash, _)| bytes(hash)),
                &previous.map(|(_, superseded_at)| moment(*superseded_at)),
                &refresh.map(|refresh| moment(refresh.expires_at)),
            ],
        )
        .await?;
        Ok(())
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let rows = self.ask(&SELECT, &[&Uuid::from(id)]).await?;
        let record = |row| record(id, row).map_err(|error| corrupt(format!("grant {id}"), error));
        rows.first().map(record).transpose()
    }

    async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let Some(first) = first_after(after.map(Uuid::from)) else { return Ok(Vec::new()) };
        let client = filter.client.as_ref().map(ToString::to_string);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.ask(&SELECT_PAGE, &[&first, &client, &filter.subject, &limit]).await?;
        let read = |row: &Row| {
            let id: Uuid = row
                .try_get(16)
                .map_err(|error| corrupt("the identifier of a grant".to_owned(), error.into()))?;
            let id = GrantId::from_bytes(id.into_bytes());
            record(id, row).map_err(|error| corrupt(format!("grant {id}"), error))
        };
        rows.iter().map(read).collect()
    }

    /// When the answer of the database is lost, the caller is told that the store is unavailable, and the
    /// code may be spent: whoever comes again is taken for a second user of it. That asks the resource owner
    /// once more, and gives nobody what is another's.
    async fn redeem_code(&self, id: GrantId, purchase: Purchase) -> Result<Redeemed, StoreError> {
        let refresh = purchase.refresh.as_ref();
        let redeemed = self
            .change(
                &REDEEM,
                &[
                    &Uuid::from(id),
                    &moment(purchase.at),
                    &moment(purchase.expires_at),
                    &refresh.map(|refresh| bytes(&refresh.family)),
                    &refresh.map(|refresh| bytes(&refresh.current)),
                    &refresh.map(|refresh| moment(refresh.expires_at)),
                ],
            )
            .await?;
        if redeemed > 0 {
            return Ok(Redeemed::Now);
        }
        Ok(match self.grant(id).await? {
            Some(_) => Redeemed::Before,
            None => Redeemed::NotThere,
        })
    }

    /// When the answer of the database is lost, the token that was presented may be superseded: within the
    /// grace its holder is given the same successor again.
    async fn rotate_refresh_token(
        &self,
        id: GrantId,
        rotation: Rotation,
    ) -> Result<Rotated, StoreError> {
        for _ in 0..TRIES_MAX {
            let Some(grant) = self.grant(id).await? else { return Ok(Rotated::Refused) };
            match rotation.on(&grant) {
                Step::Supersede => {
                    let superseded = self
                        .change(
                            &SUPERSEDE,
                            &[
                                &Uuid::from(id),
                                &moment(rotation.at),
                                &bytes(&rotation.successor),
                                &moment(rotation.expires_at),
                                &bytes(&rotation.presented),
                            ],
                        )
                        .await?;
                    if superseded > 0 {
                        return Ok(Rotated::Succeeded);
                    }
                }
                Step::Repeat => return Ok(Rotated::Succeeded),
                Step::Refuse => return Ok(Rotated::Refused),
                Step::Forget => {
                    self.revoke_grant(id).await?;
                    return Ok(Rotated::Reused);
                }
            }
        }
        Err(StoreError::Busy)
    }

    async fn revoke_grant(&self, id: GrantId) -> Result<Deleted, StoreError> {
        Ok(match self.change(&DELETE, &[&Uuid::from(id)]).await? {
            0 => Deleted::NotThere,
            _ => Deleted::Forgotten,
        })
    }

    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let key = ConsentRecord::key(subject, client);
        let rows = self.ask(&SELECT_CONSENT, &[&&key[..]]).await?;
        let read = |row| {
            consent(subject, client, row)
                .map_err(|error| corrupt(format!("the consent of {subject} to {client}"), error))
        };
        rows.first().map(read).transpose()
    }

    async fn keep_consent(&self, consent: ConsentRecord) -> Result<(), StoreError> {
        let key = ConsentRecord::key(&consent.subject, &consent.client);
        let scope = consent.scope.as_ref().map(Scope::as_str);
        self.change(
            &KEEP_CONSENT,
            &[
                &&key[..],
                &consent.subject,
                &consent.client.to_string(),
                &scope,
                &consent.redirect_uri,
                &&consent.metadata_hash[..],
                &moment(consent.allowed_at),
                &moment(consent.expires_at),
            ],
        )
        .await?;
        Ok(())
    }
}

fn record(grant_id: GrantId, row: &Row) -> Result<GrantRecord, Unreadable> {
    let (client, resources): (&str, &str) = (row.try_get(0)?, row.try_get(3)?);
    Ok(GrantRecord {
        grant_id,
        client: client.parse()?,
        subject: row.try_get(1)?,
        scope: scope(row, 2)?,
        resources: resources.lines().map(ResourceIndicator::parse).collect::<Result<_, _>>()?,
        issued_at: timestamp(row, 4)?,
        expires_at: timestamp(row, 5)?,
        code: CodeRecord {
            hash: hash(row, 6)?,
            redirect_uri: row.try_get(7)?,
            challenge: CodeChallenge::from_bytes(row.try_get::<_, &[u8]>(8)?.try_into()?),
            expires_at: timestamp(row, 9)?,
            redeemed_at: optional(row, 10, timestamp)?,
        },
        refresh: optional(row, 11, hash)?.map(|family| refresh(family, row)).transpose()?,
    })
}

fn refresh(family: SecretHash, row: &Row) -> Result<RefreshRecord, Unreadable> {
    Ok(RefreshRecord {
        family,
        current: hash(row, 12)?,
        previous: match optional(row, 13, hash)? {
            Some(previous) => Some((previous, timestamp(row, 14)?)),
            None => None,
        },
        expires_at: timestamp(row, 15)?,
    })
}

fn consent(
    subject: &str,
    client: &ClientIdentifier,
    row: &Row,
) -> Result<ConsentRecord, Unreadable> {
    Ok(ConsentRecord {
        subject: subject.to_owned(),
        client: client.clone(),
        scope: scope(row, 0)?,
        redirect_uri: row.try_get(1)?,
        metadata_hash: row.try_get::<_, &[u8]>(2)?.try_into()?,
        allowed_at: timestamp(row, 3)?,
        expires_at: timestamp(row, 4)?,
    })
}

fn scope(row: &Row, column: usize) -> Result<Option<Scope>, Unreadable> {
    match row.try_get::<_, Option<&str>>(column)? {
        Some(text) => Ok(Scope::parse(text)?),
        None => Ok(None),
    }
}

/// What `read` makes of a column, unless it is NULL.
fn optional<T>(
    row: &Row,
    column: usize,
    read: impl Fn(&Row, usize) -> Result<T, Unreadable>,
) -> Result<Option<T>, Unreadable> {
    let is_null = match row.columns().get(column).map(tokio_postgres::Column::type_) {
        Some(&Type::BYTEA) => row.try_get::<_, Option<&[u8]>>(column)?.is_none(),
        _ => row.try_get::<_, Option<i64>>(column)?.is_none(),
    };
    if is_null { Ok(None) } else { read(row, column).map(Some) }
}

pub(super) fn hash(row: &Row, column: usize) -> Result<SecretHash, Unreadable> {
    Ok(SecretHash::from_bytes(row.try_get::<_, &[u8]>(column)?.try_into()?))
}

pub(super) fn timestamp(row: &Row, column: usize) -> Result<Timestamp, Unreadable> {
    Ok(Timestamp::from_millis(u64::try_from(row.try_get::<_, i64>(column)?)?))
}

/// The first identifier that can come after another, or of all; `None` when there is none.
pub(super) fn first_after(after: Option<Uuid>) -> Option<Uuid> {
    match after {
        None => Some(Uuid::nil()),
        Some(id) => id.as_u128().checked_add(1).map(Uuid::from_u128),
    }
}

/// No record is later than the last moment that a table can say.
pub(super) fn moment(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn bytes(hash: &SecretHash) -> &[u8] {
    hash.as_bytes()
}

/// One a line: no indicator holds a line break.
fn lines(resources: &[ResourceIndicator]) -> String {
    resources.iter().map(ResourceIndicator::as_str).collect::<Vec<_>>().join("\n")
}

pub(super) fn corrupt(what: String, source: Unreadable) -> StoreError {
    StoreError::Corrupt { what, source }
}
