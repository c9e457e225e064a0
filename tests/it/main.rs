//! The tests of the whole, as one binary.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends where it stands, says what it leaves out, and owns what it spawns"
)]

mod admission;
mod attempts;
mod audit;
mod authorization;
mod branding;
mod built_in_proxy;
mod cli;
mod client_document;
mod configuration;
mod corpus;
mod declined;
mod description;
mod disk_full;
mod document_tokens;
mod every_caller;
mod every_phase;
mod every_route;
mod expiry;
mod failing_store;
mod failures;
mod families;
mod flow;
mod granted;
mod grants;
mod guard;
mod harness;
mod heads;
mod http2;
mod initial_access;
mod languages;
mod last_use;
mod left_out;
mod look_alikes;
mod management;
mod mcp;
mod operators;
mod postgres;
mod random_walk;
mod rate_limit;
mod records;
mod redirect_uris;
mod redis;
mod registration;
mod registration_management;
mod revocation;
mod several_nodes;
mod shared_limits;
mod shutdown;
mod sign_in;
mod simulated_year;
mod slow_callers;
mod standing;
mod start;
mod stored_forms;
mod stranded;
mod tls;
mod token;
mod traces;
mod under_way;
mod upstream;
mod webhooks;
