//! Doorward: the front door of an API.

pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod entropy;
mod error_code;
#[cfg(fuzzing)]
pub mod fuzz;
mod http;
mod json;
pub mod log;
mod management;
mod metrics;
pub mod openapi;
mod registration;
pub mod server;
pub mod store;
