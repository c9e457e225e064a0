//! The authorization endpoint (RFC 6749 §3.1, OAuth 2.1 §4.1): a client asks, the resource owner decides.
//!
//! `request.rs` reads what is asked, `endpoint.rs` tells the story, `consent.rs` says what is shown and what
//! an answer grants, `response.rs`, `page.rs`, `error.rs`, and `explanation.rs` how the client or the person is told. All
//! clients have registered themselves, so none is ever allowed anything without a click. `grants.rs` shows what was
//! allowed, to be taken back.

mod consent;
mod endpoint;
mod error;
mod explanation;
mod grants;
mod page;
pub(crate) mod refusals;
mod removal;
mod request;
mod response;

pub(crate) use self::{
    endpoint::{authorize, consent, sign_in},
    grants::{grants, take_back},
};

/// The door of the fuzz target; the promises stand in `src/fuzz.rs`.
#[cfg(fuzzing)]
pub(crate) fn fuzz(bytes: &[u8]) {
    response::fuzz(bytes);
}
