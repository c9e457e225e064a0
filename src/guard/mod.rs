//! The guard: protects a server that knows nothing of OAuth.

#![cfg_attr(not(test), expect(dead_code, reason = "the built-in proxy uses all of it"))]

pub(crate) mod assertion;
pub(crate) mod headers;
pub(crate) mod mcp;
pub(crate) mod session_id;
pub(crate) mod tool_list;
