//! HTTP without OAuth: no endpoint is named here.

pub(crate) mod answer;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod body_budget;
pub(crate) mod caller;
pub(crate) mod client_address;
pub(crate) mod cookie;
pub(crate) mod fetch;
pub(crate) mod form;
pub(crate) mod freshness;
pub(crate) mod rate_limit;
pub(crate) mod request_event;
pub(crate) mod request_id;
pub(crate) mod same_origin;
pub(crate) mod single_flight;
