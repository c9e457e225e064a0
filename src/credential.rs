//! What an operator hands out once: a token that contains the identifier of its record, so that the record is found by its
//! key. The store has only the hash of the rest.

use std::{fmt, str::FromStr};

use crate::{
    clock::Timestamp,
    entropy::Entropy,
    id::Id,
    secret::{self, SECRET_BYTES, Secret},
};

/// What a [`Credential`] is for.
pub trait Purpose: Copy {
    /// Tells where a leaked token comes from, and keeps one kind from standing for another.
    const PREFIX: &'static str;
}

/// A token, as it is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential<Kind: Purpose> {
    /// Its record.
    pub id: Id<Kind>,
    /// What proves it.
    pub secret: Secret,
}

/// How many bytes the identifier has.
const ID_BYTES: usize = 16;

impl<Kind: Purpose> Credential<Kind> {
    /// A new token.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        Self { id: Id::generate(now, entropy), secret: Secret::generate(entropy) }
    }
}

impl<Kind: Purpose> fmt::Display for Credential<Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [&[u8]; 2] = [self.id.as_bytes(), self.secret.as_bytes()];
        f.write_str(&secret::text(Kind::PREFIX, &parts))
    }
}

impl<Kind: Purpose> FromStr for Credential<Kind> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = secret::read::<{ ID_BYTES + SECRET_BYTES }>(text, Kind::PREFIX).ok_or(())?;
        let (id, secret) = bytes.split_first_chunk::<ID_BYTES>().ok_or(())?;
        let secret = secret.try_into().map_err(|_| ())?;
        Ok(Self { id: Id::from_bytes(*id), secret: Secret::from_bytes(secret) })
    }
}
