//! The door of the benches (`bench/`): a registration without HTTP and without a store, and the state of a server
//! that is built around another store.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use crate::{
    app::App,
    clock::Clock,
    config::Config,
    entropy::Entropy,
    keys,
    metadata_policy::Profile,
    registration,
    store::{ClientRecord, FamilySaid, Store},
};

/// The state of a server as `doorward serve` has it: its keys can be opened by whatever serves this folder next.
///
/// # Errors
/// The secret of the keys cannot be read or made.
pub fn app(config: Config, store: Arc<Store>) -> Result<Arc<App>, Box<dyn Error>> {
    let config = keys::with_secret(config, &Entropy::System)?;
    Ok(App::new(config, store, Clock::System, Entropy::System))
}

/// What `POST /register` with this body would keep, and the body of its 201. `None` when it is refused.
pub fn registration(app: &App, body: &[u8]) -> Option<(ClientRecord, Arc<FamilySaid>, Vec<u8>)> {
    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let prepared = registration::prepare(&Profile::RFC7591, app, SOURCE, body, None).ok()?;
    Some((prepared.record, prepared.family, prepared.information))
}
