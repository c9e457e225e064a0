//! Tokens: the token endpoint (RFC 6749 §3.2), revocation (RFC 7009), and introspection by protected resources (RFC
//! 7662).
//!
//! `endpoint.rs` has the endpoints, `authorization_code.rs` and `refresh_token.rs` one grant type each, and
//! `access_token.rs` the token that both issue. All clients are public and prove nothing, so each token proves itself
//! and is bound to its client.

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

/// Entry point of a fuzz target: reads bytes as claims of an access token.
#[cfg(fuzzing)]
pub(crate) fn fuzz_claims(signed: &[u8]) {
    access_token::fuzz(signed);
}
