//! The identifiers that the server makes, of whatever they are.

use std::{fmt, hash::Hash, marker::PhantomData, str::FromStr};

use uuid::Uuid;

use crate::{clock::Timestamp, entropy::Entropy};

/// Names one thing, and is no secret: a UUID of version 7 (RFC 9562 §5.7), so that what is made together lies
/// together in the store. Written in lower case with hyphens. No identifier of one kind stands for another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<Kind>(Uuid, PhantomData<Kind>);

impl<Kind> Id<Kind> {
    /// A new identifier: 48 bits of `now`, 74 of chance.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        let random = entropy.bytes();
        let uuid = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid();
        Self(uuid, PhantomData)
    }

    /// The sixteen bytes, in the order in which identifiers sort.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identifier of these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// Writes the identifier into `buffer` and returns it as text, without allocating.
    pub fn encode<'buffer>(&self, buffer: &'buffer mut [u8; 36]) -> &'buffer str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl<Kind> From<Id<Kind>> for Uuid {
    fn from(id: Id<Kind>) -> Self {
        id.0
    }
}

impl<Kind> fmt::Debug for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<Kind> fmt::Display for Id<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl<Kind> FromStr for Id<Kind> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(|uuid| Self(uuid, PhantomData))
    }
}
