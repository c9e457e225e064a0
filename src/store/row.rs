//! How records stand in rows: in both databases the same columns in the same order, of which each kind of row
//! knows how to give one. Everything that a past release wrote must load.

use std::{error::Error, net::IpAddr};

use super::{
    ClientFlags, ClientRecord, CodeRecord, ConsentRecord, GrantRecord, KeyRecord, RefreshRecord,
    ResourceOwner, SessionRecord, StoreError,
};
use crate::{
    client::{ClientIdentifier, Scope},
    clock::Timestamp,
    grant::{CodeChallenge, ResourceIndicator},
    id::Id,
    secret::SecretHash,
};

/// What went wrong with the columns of a row.
pub(super) type Unreadable = Box<dyn Error + Send + Sync>;

/// A row, by the numbers of its columns; `None` is NULL.
pub(super) trait Row {
    /// An identifier.
    fn id(&self, column: usize) -> Result<[u8; 16], Unreadable>;

    /// An integer.
    fn number(&self, column: usize) -> Result<Option<i64>, Unreadable>;

    /// A text.
    fn text(&self, column: usize) -> Result<Option<&str>, Unreadable>;

    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, Unreadable>;
}

/// What is kept as a row.
pub(super) trait FromRow: Sized {
    /// Reads the columns of [`select`].
    fn from_row(row: &impl Row) -> Result<Self, StoreError>;
}

/// Asks for records of one kind, by what stands behind the name of their table: the columns are those that
/// [`FromRow`] reads, in its order, and the same in both databases.
macro_rules! select {
    (clients, $which:literal) => {
        concat!("SELECT client_id, issued_at, profile, source, flags, metadata FROM clients ", $which)
    };
    (grants, $which:literal) => {
        concat!(
            "SELECT grant_id, client, subject, scope, resources, issued_at, expires_at, code_hash, \
             redirect_uri, code_challenge, code_expires_at, redeemed_at, refresh_family, refresh_current, \
             refresh_previous, superseded_at, refresh_expires_at FROM grants ",
            $which
        )
    };
    (consents, $which:literal) => {
        concat!(
            "SELECT subject, client, scope, redirect_uri, metadata_hash, allowed_at, expires_at \
             FROM consents ",
            $which
        )
    };
    (sessions, $which:literal) => {
        concat!(
            "SELECT session_id, hash, subject, name, email, signed_in_at, idle_at, expires_at \
             FROM sessions ",
            $which
        )
    };
    (keys, $which:literal) => {
        concat!("SELECT key_id, algorithm, made_at, sealed FROM keys ", $which)
    };
}
pub(super) use select;

impl FromRow for ClientRecord {
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        record(row, "client", |client_id, row| {
            let profile = text(row, 2)?;
            Ok(Self {
                client_id,
                issued_at: timestamp(row, 1)?,
                profile: profile
                    .parse()
                    .map_err(|()| format!("no profile is called {profile:?}"))?,
                source: row.text(3)?.map(str::parse::<IpAddr>).transpose()?,
                flags: ClientFlags::from_bits(u32::try_from(there(row.number(4)?)?)?),
                metadata: text(row, 5)?.to_owned(),
            })
        })
    }
}

impl FromRow for GrantRecord {
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        record(row, "grant", |grant_id, row| {
            let resources = text(row, 4)?.lines().map(ResourceIndicator::parse);
            Ok(Self {
                grant_id,
                client: text(row, 1)?.parse()?,
                subject: text(row, 2)?.to_owned(),
                scope: scope(row, 3)?,
                resources: resources.collect::<Result<_, _>>()?,
                issued_at: timestamp(row, 5)?,
                expires_at: timestamp(row, 6)?,
                code: CodeRecord {
                    hash: there(hash(row, 7)?)?,
                    redirect_uri: text(row, 8)?.to_owned(),
                    challenge: CodeChallenge::from_bytes(there(row.bytes(9)?)?.try_into()?),
                    expires_at: timestamp(row, 10)?,
                    redeemed_at: optional_timestamp(row, 11)?,
                },
                refresh: refresh(row)?,
            })
        })
    }
}

fn refresh(row: &impl Row) -> Result<Option<RefreshRecord>, Unreadable> {
    let Some(family) = hash(row, 12)? else { return Ok(None) };
    let previous = match hash(row, 14)? {
        Some(previous) => Some((previous, timestamp(row, 15)?)),
        None => None,
    };
    let (current, expires_at) = (there(hash(row, 13)?)?, timestamp(row, 16)?);
    Ok(Some(RefreshRecord { family, current, previous, expires_at }))
}

impl FromRow for ConsentRecord {
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        let read = || -> Result<_, Unreadable> {
            let client: ClientIdentifier = text(row, 1)?.parse()?;
            Ok(Self {
                subject: text(row, 0)?.to_owned(),
                client,
                scope: scope(row, 2)?,
                redirect_uri: text(row, 3)?.to_owned(),
                metadata_hash: there(row.bytes(4)?)?.try_into()?,
                allowed_at: timestamp(row, 5)?,
                expires_at: timestamp(row, 6)?,
            })
        };
        read().map_err(|source| {
            let whose = |column| row.text(column).ok().flatten().unwrap_or("nobody");
            corrupt(format!("the consent of {} to {}", whose(0), whose(1)), source)
        })
    }
}

impl FromRow for SessionRecord {
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        record(row, "session", |session_id, row| {
            Ok(Self {
                session_id,
                hash: there(hash(row, 1)?)?,
                owner: ResourceOwner {
                    subject: text(row, 2)?.to_owned(),
                    name: row.text(3)?.map(str::to_owned),
                    email: row.text(4)?.map(str::to_owned),
                },
                signed_in_at: timestamp(row, 5)?,
                idle_at: timestamp(row, 6)?,
                expires_at: timestamp(row, 7)?,
            })
        })
    }
}

impl FromRow for KeyRecord {
    fn from_row(row: &impl Row) -> Result<Self, StoreError> {
        let read = || -> Result<_, Unreadable> {
            Ok(Self {
                key_id: text(row, 0)?.to_owned(),
                algorithm: text(row, 1)?.to_owned(),
                made_at: timestamp(row, 2)?,
                sealed: there(row.bytes(3)?)?.to_owned(),
            })
        };
        read().map_err(|source| corrupt("a signing key".to_owned(), source))
    }
}

/// Reads the rest of a row that begins with an identifier, by which it is named when that cannot be done.
fn record<R: Row, Kind: Copy, T>(
    row: &R,
    what: &str,
    read: impl FnOnce(Id<Kind>, &R) -> Result<T, Unreadable>,
) -> Result<T, StoreError> {
    let id = Id::from_bytes(row.id(0).map_err(|source| corrupt(format!("a {what}"), source))?);
    read(id, row).map_err(|source| corrupt(format!("{what} {id}"), source))
}

/// A record that is not what was written.
pub(super) fn corrupt(what: String, source: impl Into<Unreadable>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}

fn there<T>(value: Option<T>) -> Result<T, Unreadable> {
    value.ok_or_else(|| "a column is NULL".into())
}

fn text(row: &impl Row, column: usize) -> Result<&str, Unreadable> {
    there(row.text(column)?)
}

fn hash(row: &impl Row, column: usize) -> Result<Option<SecretHash>, Unreadable> {
    let bytes = row.bytes(column)?.map(TryInto::try_into).transpose()?;
    Ok(bytes.map(SecretHash::from_bytes))
}

fn scope(row: &impl Row, column: usize) -> Result<Option<Scope>, Unreadable> {
    match row.text(column)? {
        Some(text) => Ok(Scope::parse(text)?),
        None => Ok(None),
    }
}

fn timestamp(row: &impl Row, column: usize) -> Result<Timestamp, Unreadable> {
    there(optional_timestamp(row, column)?)
}

fn optional_timestamp(row: &impl Row, column: usize) -> Result<Option<Timestamp>, Unreadable> {
    let millis = row.number(column)?.map(u64::try_from).transpose()?;
    Ok(millis.map(Timestamp::from_millis))
}

/// A moment as it is written: no record is later than the last one that a table can say.
pub(super) fn moment(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// Resource indicators as they are written, one a line: none holds a line break.
pub(super) fn lines(resources: &[ResourceIndicator]) -> String {
    resources.iter().map(ResourceIndicator::as_str).collect::<Vec<_>>().join("\n")
}

/// A limit as statements take it.
pub(super) fn row_count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
