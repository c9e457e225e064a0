//! What a grant is exchanged for: the token endpoint (RFC 6749 §3.2), the end of tokens before their time
//! (RFC 7009), and what a protected resource may ask about them (RFC 7662).
//!
//! `endpoint.rs` is the doors; `authorization_code.rs` and `refresh_token.rs` are one grant each,
//! `access_token.rs` what both issue. All clients are public: none proves who it is, so each token proves
//! itself, and is bound to the client it was issued to.

mod access_token;
mod authorization_code;
mod client;
mod endpoint;
mod error;
mod introspection;
mod live_grant;
mod refresh_token;
pub(crate) mod refusals;
mod request;
mod response;
mod revocation;

pub(crate) use self::{
    access_token::{Verified, verified},
    endpoint::{introspect, revoke, token},
    introspection::schema as introspection_schema,
    live_grant::live_grant,
    request::BODY_BYTES_MAX,
    response::schema as token_response_schema,
};

/// The door of a fuzz target: claims of an access token.
#[cfg(fuzzing)]
pub(crate) fn fuzz_claims(signed: &[u8]) {
    access_token::fuzz(signed);
}
