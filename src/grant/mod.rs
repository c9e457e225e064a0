//! What a grant is: what a resource owner allowed a client (RFC 6749 §1.3), and the secrets by which the
//! client proves it. Pure: no clock, no I/O, no HTTP, no settings.
//!
//! A grant lives from the authorization code to the last refresh token bought with it; all of them carry
//! its identifier, so that one lookup finds it, and one deletion ends them all.

mod pkce;
mod resource;
mod token;

use std::fmt;

use uuid::Uuid;

pub use self::{
    pkce::{CodeChallenge, CodeVerifier, PkceError},
    resource::{ResourceIndicator, ResourceIndicatorError},
    token::{AuthorizationCode, RefreshToken, TokenFormatError},
};
use crate::{clock::Timestamp, entropy::Entropy};

/// Names a grant: a UUID of version 7, so that grants made together lie together in the store. It is no
/// secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(Uuid);

impl GrantId {
    /// A new identifier: 48 bits of `now`, 74 of chance.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        let random = entropy.bytes();
        Self(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
    }

    /// The sixteen bytes, in the order in which identifiers sort.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identifier of these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl From<GrantId> for Uuid {
    fn from(id: GrantId) -> Self {
        id.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
