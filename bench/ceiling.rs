//! Doorward with its store taken out, for measurement alone: what the rest of the process could serve
//! if keeping a client cost nothing. It is an example and thus part of no release.
//!
//! `ceiling PORT MANAGEMENT_PORT FOLDER LOG_FILTER`. Everything else is what `doorward serve --dev` does.

mod nothing;

use std::{error::Error, path::Path};

use doorward::{
    bench,
    config::{self, Sources},
    log,
    server::{self, Signals},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, management_port, folder, filter] = &arguments[..] else {
        return Err("usage: ceiling PORT MANAGEMENT_PORT FOLDER LOG_FILTER".into());
    };
    let flags = vec![
        ("store", folder.clone()),
        ("server.listen", format!("127.0.0.1:{port}")),
        ("server.management", format!("127.0.0.1:{management_port}")),
        ("log.filter", filter.clone()),
    ];
    let config = config::load(Sources { dev: true, flags, ..Sources::default() })?;
    let _log = log::init(&config.log)?;
    let store = nothing::store(Path::new(folder), &config.embedded)?;
    let app = bench::app(config, store)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        server::serve(app, Signals::system()?, |_| ()).await?;
        Ok(())
    })
}
