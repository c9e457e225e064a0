//! Doorward: the front door of an API. Strangers become OAuth clients by Dynamic Client Registration
//! (RFC 7591).
//!
//! The map, in reading order; `ARCHITECTURE.md` tells more, and `tests/tidy/` holds who may name whom.
//!
//! 1. What a client is: [`client`], named by an [`id`] and read from strict JSON ([`json`]); which clients are the
//!    same app: [`family`], by names that look alike ([`appearance`]).
//! 2. How a stranger becomes one: [`registration`], five steps told in `registration/endpoint.rs`, by
//!    [`metadata_policy`], with the registered error codes ([`error_code`]); which ones an operator lets in: [`admission`].
//! 3. What a client may then be given: [`grant`]; how it finds its way ([`discovery`]), how its user signs in
//!    ([`sign_in`], at a [`provider`]), allows it ([`authorization`]), and how it exchanges that for tokens ([`token`]),
//!    signed with [`keys`].
//!    What operators may do, and the tokens of their programs: [`operator`]; who of the people who sign in is one:
//!    [`operators`]; both at the API of [`operator_api`].
//! 4. What is kept, and with which promise: [`store`], [`secret`], [`private_file`]; who did what: [`audit`], as
//!    programs read it ([`event_json`]).
//! 5. What surrounds a request: [`mod@http`], which knows no protocol, and [`server`], with its routes in
//!    one table and the management listener; [`metrics`] what is counted, [`webhook`] what is sent to operators, [`openapi`] how the interface
//!    describes itself.
//! 6. What everything is handed: [`app`], the one shared state; [`config`], every setting in one table;
//!    [`clock`], [`entropy`] and [`internet`], where time, chance and other servers come in; [`log`].
//! 7. What is asked of the program: [`cli`], one file a command; [`doctor`] looks whether a server has
//!    what it needs.
//!
//! Public is what `main.rs`, the tests and the benches need, and no more: this is a program, not a library.

pub mod admission;
pub mod app;
mod appearance;
pub mod attempt;
mod attempts;
pub mod audit;
mod authorization;
pub mod bench;
pub mod ceiling;
pub mod cli;
pub mod client;
mod client_document;
pub mod clock;
pub mod config;
mod credential;
mod discovery;
mod doctor;
pub mod entropy;
mod error_code;
mod event_json;
mod families;
pub mod family;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod grant;
mod guard;
mod http;
mod id;
mod identified_client;
pub mod internet;
mod json;
mod keys;
mod last_use;
mod live_rules;
mod local_password;
pub mod log;
mod look_alike;
mod messages;
mod metadata_policy;
mod metrics;
mod openapi;
pub mod operator;
mod operator_api;
mod operators;
mod pages;
mod paths;
mod private_file;
mod provider;
mod refusal;
mod registration;
pub mod secret;
pub mod server;
mod server_metadata;
mod sign_in;
mod special_use;
pub mod store;
mod stored_identity;
mod timeline;
mod token;
mod traces;
mod webhook;
