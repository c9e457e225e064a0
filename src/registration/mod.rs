//! Dynamic client registration (RFC 7591). A registration is five steps: parse (`request.rs`), admit
//! (`policy.rs`), issue (`issue.rs`), store, answer (`response.rs`, `error.rs`); `endpoint.rs` tells the
//! story, `profile.rs` holds what differs between the two doors.

mod check;
mod document;
mod endpoint;
mod error;
mod issue;
mod look_alike;
mod policy;
mod profile;
pub(crate) mod refusals;
mod request;
mod response;

pub(crate) use self::check::{Violation, check};
pub(crate) use self::{
    document::admit_document,
    endpoint::{prepare, register},
    look_alike::ProtectedNames,
    profile::Profile,
};

/// The largest request body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
