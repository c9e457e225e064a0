//! The door of the benches (`bench/`): a registration without HTTP and without a store.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    app::App,
    registration::{self, Profile},
    store::ClientRecord,
};

/// What `POST /register` with this body would keep, and the body of its 201. `None` when it is refused.
pub fn registration(app: &App, body: &[u8]) -> Option<(ClientRecord, Vec<u8>)> {
    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    registration::prepare(&Profile::RFC7591, app, SOURCE, body).ok()
}
