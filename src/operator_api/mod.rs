//! The operator API: JSON:API under `/api/v2`, for people's programs that administer this server.
//!
//! `operation.rs` says what an operation is and takes a request through it: authenticate, authorize, read the query and
//! the body, call the handler, answer. `authentication.rs` decides who calls, `query.rs` reads parameters, `document.rs`
//! writes documents, and `error.rs` is every refusal. Each other file has the operations of one kind of resource, as
//! constants; the table of routes names them.

pub(crate) mod attempts;
pub(crate) mod audit_events;
mod authentication;
mod authorized;
mod authorized_list;
pub(crate) mod client_creation;
pub(crate) mod client_list;
pub(crate) mod clients;
mod credentials;
mod description;
mod document;
mod error;
pub(crate) mod families;
pub(crate) mod grants;
pub(crate) mod initial_access_tokens;
pub(crate) mod keys;
mod operation;
pub(crate) mod operator_tokens;
pub(crate) mod org_clients;
pub(crate) mod overview;
mod page;
pub(crate) mod people;
mod query;
mod resource;
mod rule_schemas;
pub(crate) mod rule_trial;
pub(crate) mod rules;
pub(crate) mod scopes_restriction;
pub(crate) mod sessions;
pub(crate) mod user_clients;
pub(crate) mod well_known;

#[cfg(test)]
pub(crate) use self::error::refusals;
pub(crate) use self::{
    authentication::Needs,
    description::{add_components, describe},
    operation::{Call, answer},
    resource::metadata,
};
