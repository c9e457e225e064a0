//! Which client metadata is accepted, whether a client registers it (RFC 7591) or publishes it
//! (Client ID Metadata Document). Pure: bytes and settings in, a client or every violation out.
//!
//! `request.rs` parses, `policy.rs` admits, `profile.rs` holds what differs between the two registration endpoints,
//! `document.rs` adds what only a published document has, `update.rs` what only an update has (RFC 7592), and `error.rs`
//! says why a client is rejected.

mod document;
mod error;
mod policy;
mod profile;
mod request;
mod update;

pub(crate) use self::{
    document::admit_document,
    error::{MetadataError, VIOLATIONS_MAX, Violation},
    policy::{Admitted, admit},
    profile::{Answers, Profile},
    request::RegistrationRequest,
    update::admit_update,
};

/// The largest client metadata, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
