//! The grants and consents in SQL. Each change is one statement, so that it happens entirely or not at all.

use async_trait::async_trait;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{
    Postgres,
    connect::{Parameters, Statement},
    rows::{bytes, column, first_after},
};
use crate::{
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    grant::GrantId,
    secret::SecretHash,
    store::{
        ConsentRecord, Deleted, GrantFilter, GrantRecord, GrantStore, Purchase, Redeemed, Rotated,
        Rotation, Step, StoreError,
        row::{FromRow, lines, moment, row_count, select},
    },
};

/// Keeps grants, each a column of values. One that is there goes on to a later state, and never back.
const INSERT: Statement = Statement {
    sql: "INSERT INTO grants (grant_id, client, subject, scope, resources, issued_at, expires_at, \
        code_hash, redirect_uri, code_challenge, code_expires_at, redeemed_at, refresh_family, \
        refresh_current, refresh_previous, superseded_at, refresh_expires_at) \
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], \
        $6::bigint[], $7::bigint[], $8::bytea[], $9::text[], $10::bytea[], $11::bigint[], \
        $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bigint[], $17::bigint[]) \
        ON CONFLICT (grant_id) DO UPDATE SET expires_at = excluded.expires_at, \
        redeemed_at = excluded.redeemed_at, refresh_family = excluded.refresh_family, \
        refresh_current = excluded.refresh_current, refresh_previous = excluded.refresh_previous, \
        superseded_at = excluded.superseded_at, refresh_expires_at = excluded.refresh_expires_at \
        WHERE grants.code_hash = excluded.code_hash \
        AND (coalesce(grants.redeemed_at, -1), coalesce(grants.superseded_at, -1)) \
        < (coalesce(excluded.redeemed_at, -1), coalesce(excluded.superseded_at, -1))",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
    ],
};

const SELECT: Statement =
    Statement { sql: select!(grants, "WHERE grant_id = $1"), types: &[Type::UUID] };

const SELECT_PAGE: Statement = Statement {
    sql: select!(
        grants,
        "WHERE grant_id >= $1 AND ($2::text IS NULL OR client = $2) ORDER BY grant_id LIMIT $3"
    ),
    types: &[Type::UUID, Type::TEXT, Type::INT8],
};

const SELECT_PAGE_OF_SUBJECT: Statement = Statement {
    sql: select!(
        grants,
        "WHERE subject = $1 AND grant_id >= $2 AND ($3::text IS NULL OR client = $3) \
         ORDER BY grant_id LIMIT $4"
    ),
    types: &[Type::TEXT, Type::UUID, Type::TEXT, Type::INT8],
};

const SELECT_NEWEST_OF_SUBJECT: Statement = Statement {
    sql: select!(grants, "WHERE subject = $1 AND grant_id < $2 ORDER BY grant_id DESC LIMIT $3"),
    types: &[Type::TEXT, Type::UUID, Type::INT8],
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

/// Both happen or neither.
const DISCONNECT: Statement = Statement {
    sql: "WITH ended AS (UPDATE consents SET expires_at = $2 WHERE consent_id = $1) \
        DELETE FROM grants WHERE subject = $3 AND client = $4",
    types: &[Type::BYTEA, Type::INT8, Type::TEXT, Type::TEXT],
};

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

/// Keeps consents, each a column of values. One that is there gives way to a later one.
const IMPORT_CONSENTS: Statement = Statement {
    sql: "INSERT INTO consents (consent_id, subject, client, scope, redirect_uri, metadata_hash, \
        allowed_at, expires_at) SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], \
        $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::bigint[]) \
        ON CONFLICT (consent_id) DO UPDATE SET scope = excluded.scope, \
        redirect_uri = excluded.redirect_uri, metadata_hash = excluded.metadata_hash, \
        allowed_at = excluded.allowed_at, expires_at = excluded.expires_at \
        WHERE consents.allowed_at < excluded.allowed_at",
    types: &[
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
    ],
};

const SELECT_CONSENT: Statement =
    Statement { sql: select!(consents, "WHERE consent_id = $1"), types: &[Type::BYTEA] };

const SELECT_CONSENTS: Statement = Statement {
    sql: select!(consents, "WHERE consent_id > $1 ORDER BY consent_id LIMIT $2"),
    types: &[Type::BYTEA, Type::INT8],
};

/// How often a rotation is decided anew because another one was quicker.
const TRIES_MAX: usize = 8;

#[async_trait]
impl GrantStore for Postgres {
    async fn keep_grant(&self, grant: GrantRecord) -> Result<(), StoreError> {
        self.import_grants(vec![grant]).await.map(drop)
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let rows = self.ask(&SELECT, &[&Uuid::from(id)]).await?;
        rows.first().map(FromRow::from_row).transpose()
    }

    async fn import_grants(&self, grants: Vec<GrantRecord>) -> Result<usize, StoreError> {
        let grants = &grants[..];
        let columns: Parameters<'_> = &[
            &column(grants, |grant| Uuid::from(grant.grant_id)),
            &column(grants, |grant| grant.client.to_string()),
            &column(grants, |grant| &*grant.subject),
            &column(grants, |grant| grant.scope.as_ref().map(Scope::as_str)),
            &column(grants, |grant| lines(&grant.resources)),
            &column(grants, |grant| moment(grant.issued_at)),
            &column(grants, |grant| moment(grant.expires_at)),
            &column(grants, |grant| bytes(&grant.code.hash)),
            &column(grants, |grant| &*grant.code.redirect_uri),
            &column(grants, |grant| &grant.code.challenge.as_bytes()[..]),
            &column(grants, |grant| moment(grant.code.expires_at)),
            &column(grants, |grant| grant.code.redeemed_at.map(moment)),
            &column(grants, |grant| grant.refresh.as_ref().map(|one| bytes(&one.family))),
            &column(grants, |grant| grant.refresh.as_ref().map(|one| bytes(&one.current))),
            &column(grants, |grant| previous(grant).map(|(hash, _)| bytes(hash))),
            &column(grants, |grant| previous(grant).map(|(_, at)| moment(*at))),
            &column(grants, |grant| grant.refresh.as_ref().map(|one| moment(one.expires_at))),
        ];
        self.change_many(&INSERT, columns).await
    }

    async fn grants(
        &self,
        filter: &GrantFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let Some(first) = first_after(after.map(Uuid::from)) else { return Ok(Vec::new()) };
        let client = filter.client.as_ref().map(ToString::to_string);
        let limit = row_count(limit);
        let asked = match &filter.subject {
            Some(subject) => {
                self.ask(&SELECT_PAGE_OF_SUBJECT, &[subject, &first, &client, &limit]).await
            }
            None => self.ask(&SELECT_PAGE, &[&first, &client, &limit]).await,
        };
        let rows = asked?;
        rows.iter().map(FromRow::from_row).collect()
    }

    async fn newest_grants(
        &self,
        subject: &str,
        before: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let before = before.map_or(Uuid::max(), Uuid::from);
        let rows =
            self.ask(&SELECT_NEWEST_OF_SUBJECT, &[&subject, &before, &row_count(limit)]).await?;
        rows.iter().map(FromRow::from_row).collect()
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

    /// A statement does not see a grant that is committed while it runs, so it runs again until it finds none.
    async fn disconnect(
        &self,
        subject: &str,
        client: &ClientIdentifier,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = ConsentRecord::key(subject, client);
        let client = client.to_string();
        while self.change(&DISCONNECT, &[&&key[..], &moment(at), &subject, &client]).await? > 0 {}
        Ok(())
    }

    async fn consent(
        &self,
        subject: &str,
        client: &ClientIdentifier,
    ) -> Result<Option<ConsentRecord>, StoreError> {
        let key = ConsentRecord::key(subject, client);
        let rows = self.ask(&SELECT_CONSENT, &[&&key[..]]).await?;
        rows.first().map(FromRow::from_row).transpose()
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

    async fn consents(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        let after = after.as_ref().map_or(&[][..], |key| key);
        let rows = self.ask(&SELECT_CONSENTS, &[&after, &row_count(limit)]).await?;
        rows.iter().map(FromRow::from_row).collect()
    }

    async fn import_consents(&self, consents: Vec<ConsentRecord>) -> Result<usize, StoreError> {
        let consents = &consents[..];
        let columns: Parameters<'_> = &[
            &column(consents, |one| ConsentRecord::key(&one.subject, &one.client).to_vec()),
            &column(consents, |one| &*one.subject),
            &column(consents, |one| one.client.to_string()),
            &column(consents, |one| one.scope.as_ref().map(Scope::as_str)),
            &column(consents, |one| &*one.redirect_uri),
            &column(consents, |one| &one.metadata_hash[..]),
            &column(consents, |one| moment(one.allowed_at)),
            &column(consents, |one| moment(one.expires_at)),
        ];
        self.change_many(&IMPORT_CONSENTS, columns).await
    }
}

/// What was superseded last.
fn previous(grant: &GrantRecord) -> Option<&(SecretHash, Timestamp)> {
    grant.refresh.as_ref().and_then(|refresh| refresh.previous.as_ref())
}
