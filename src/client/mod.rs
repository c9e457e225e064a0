//! What a client is: its identifier and its metadata (RFC 7591 §2). Pure: no clock, no I/O, no HTTP,
//! no settings. Whatever parses today parses for ever; what an operator may change is a rule of
//! `registration/policy.rs`.

mod auth_method;
mod document_url;
pub(crate) mod fault;
mod grant_type;
mod identifier;
mod jwks;
mod member;
mod metadata;
mod name;
mod redirect_uri;
mod scope;
mod text;
mod uri;
mod web_uri;

use std::{fmt, str::FromStr};

pub use self::{
    auth_method::TokenEndpointAuthMethod,
    document_url::{DocumentUrl, DocumentUrlError},
    grant_type::{GrantType, GrantTypes, ResponseType, ResponseTypes},
    identifier::{ClientIdentifier, ClientIdentifierError},
    metadata::{ClientMetadata, JwksUri, REDIRECT_URIS_MAX, RedirectUris},
    name::{ClientName, skeleton_of},
    redirect_uri::{Reach, RedirectUri, RedirectUriError},
    scope::{Scope, ScopeError},
    uri::UriError,
    web_uri::WebUri,
};
use uuid::Uuid;

use crate::{clock::Timestamp, entropy::Entropy};

/// A client identifier: a UUID of version 7, so that clients registered together lie together in the
/// store. Written in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Uuid);

impl ClientId {
    /// A new identifier: 48 bits of `now`, 74 of chance.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        Self(
            uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &entropy.bytes())
                .into_uuid(),
        )
    }

    /// The sixteen bytes, in the order in which identifiers sort.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identifier of these sixteen bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Writes the identifier into `buffer` and returns it as text, without allocating.
    pub fn encode<'buffer>(&self, buffer: &'buffer mut [u8; 36]) -> &'buffer str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl From<ClientId> for Uuid {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ClientId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// Which door a client came through: the profile of the registration endpoint that admitted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileName {
    /// `POST /api/v2/oauth2/register`.
    Datadog,
    /// `POST /oauth2/register` and its alias `POST /register`.
    Rfc7591,
}

impl ProfileName {
    /// The name in settings, tables, logs and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datadog => "datadog",
            Self::Rfc7591 => "rfc7591",
        }
    }
}

impl FromStr for ProfileName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "datadog" => Ok(Self::Datadog),
            "rfc7591" => Ok(Self::Rfc7591),
            _ => Err(()),
        }
    }
}
