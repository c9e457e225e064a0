//! The authorization endpoint (RFC 6749 §3.1, OAuth 2.1 §4.1): a client asks, and the resource owner decides.
//!
//! `request.rs` reads the request, `endpoint.rs` has the steps, and `consent.rs` has the content of the page and the
//! grant. `response.rs`, `page.rs`, `error.rs`, and `explanation.rs` tell the outcome to the client or the person.
//! Any client can register, so each authorization needs a click. `grants.rs` lists the allowed apps and disconnects
//! them.

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

/// Entry point of the fuzz target; `src/fuzz.rs` states what must hold.
#[cfg(fuzzing)]
pub(crate) fn fuzz(bytes: &[u8]) {
    response::fuzz(bytes);
}
