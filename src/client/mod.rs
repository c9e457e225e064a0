//! What a client is: its identifier and its metadata (RFC 7591 §2). Pure: no clock, no I/O, no HTTP,
//! no settings. Whatever parses today parses for ever; what an operator may change is a rule of
//! `metadata_policy/policy.rs`.

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
mod scheme;
mod scope;
mod text;
mod uri;
#[cfg(test)]
pub(crate) mod violations;
mod web_uri;

use std::str::FromStr;

pub use self::{
    auth_method::TokenEndpointAuthMethod,
    document_url::{DocumentUrl, DocumentUrlError},
    grant_type::{GrantType, GrantTypes, ResponseType, ResponseTypes},
    identifier::{ClientIdentifier, ClientIdentifierError},
    metadata::{ClientMetadata, JwksUri, REDIRECT_URIS_MAX, RedirectUris},
    name::{ClientName, shown_name},
    redirect_uri::{Reach, RedirectUri, RedirectUriError},
    scope::{Scope, ScopeError},
    text::Text,
    uri::UriError,
    web_uri::WebUri,
};
use crate::id::Id;

/// A client identifier.
pub type ClientId = Id<Client>;

/// What a [`ClientId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {}

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
