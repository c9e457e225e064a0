//! The guard: protects a server that knows nothing of OAuth.
//!
//! `target.rs` reads what a request is for, or refuses it; `pattern.rs` compares it with a rule; `decision.rs` is the
//! one decision, a pure function over settings, token, grant, and request.

#![cfg_attr(not(test), expect(dead_code, reason = "the built-in proxy uses all of it"))]

pub(crate) mod assertion;
mod decision;
pub(crate) mod headers;
pub(crate) mod mcp;
mod pattern;
pub(crate) mod session_id;
mod target;
pub(crate) mod tool_list;

pub(crate) use self::decision::{
    Asked, Authorized, Decided, Decision, Guarded, Presented, Tool, decide, misfits, split_address,
};

/// The door of a fuzz target: any bytes as a target.
#[cfg(fuzzing)]
pub(crate) fn fuzz_target(bytes: &[u8]) {
    target::fuzz(bytes);
}
