//! HTTP pieces that know no protocol.

pub(crate) mod body;
pub(crate) mod client_address;
pub(crate) mod rate_limit;
