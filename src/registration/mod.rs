//! Dynamic client registration (RFC 7591). A registration is five steps: parse and admit (`metadata_policy/`), issue
//! (`issue.rs`), store, answer (`response.rs`, `error.rs`); `endpoint.rs` tells the story. In `management.rs`, a client reads,
//! changes, and removes its registration (RFC 7592).

mod access_token;
mod admission;
mod check;
mod endpoint;
mod error;
mod initial_access;
mod issue;
mod make;
mod management;
pub(crate) mod refusals;
mod response;
mod trial;

pub(crate) use self::{
    check::check,
    endpoint::{prepare, register},
    initial_access::{InitialAccessToken, token_word},
    make::make,
    management::{read, remove, update},
    trial::{Draft, Trial, TrialSpan, Tried, TriedClient, existing_rule},
};
