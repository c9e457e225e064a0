//! What a grant is: what a resource owner allowed a client (RFC 6749 §1.3), and the secrets by which the
//! client proves it. Pure: no clock, no I/O, no HTTP, no settings.
//!
//! A grant lives from the authorization code to the last refresh token bought with it; all of them carry
//! its identifier, so that one lookup finds it, and one deletion ends them all.

mod pkce;
mod resource;
mod token;

pub use self::{
    pkce::{CodeChallenge, CodeVerifier, PkceError},
    resource::{ResourceIndicator, ResourceIndicatorError},
    token::{AuthorizationCode, RefreshToken, TokenFormatError},
};
use crate::id::Id;

/// Names a grant.
pub type GrantId = Id<Grant>;

/// What a [`GrantId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {}
