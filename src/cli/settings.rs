//! The options that several commands share to find their settings and their store, and the store once it
//! is open.

use std::{net::SocketAddr, path::PathBuf, rc::Rc, str::FromStr, sync::Arc};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tokio::runtime::{self, Runtime};

use super::exit::Failure;
use crate::{
    config::{self, Config, ConfigErrors, Sources, StoreLocation},
    store::{self, Access, Store, StoreError},
};

/// The parser of an option that takes one of these words.
pub(super) fn one_of<T>(
    words: impl IntoIterator<Item = &'static str>,
) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = ()> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).map(|word| word.parse().expect("a word of the list above"))
}

/// The settings of a server.
#[derive(Args, Debug)]
pub(super) struct ServerArguments {
    /// Development: loopback listeners, an issuer made from --listen, no rate limits unless set
    #[arg(long)]
    dev: bool,
    /// A file of settings (TOML); given again, later files go over earlier ones
    #[arg(long, short, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The folder where clients are kept, or a database as postgres://… [default: doorward-data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where clients register [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where health and metrics are [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDRESS")]
    management: Option<SocketAddr>,
    /// Protect the server at this URL: people sign in before a client reaches it; repeatable
    #[arg(long, value_name = "URL")]
    protect: Vec<String>,
}

impl ServerArguments {
    pub(super) fn is_dev(&self) -> bool {
        self.dev
    }

    /// Flags over environment over files over defaults.
    pub(super) fn load(self) -> Result<Config, ConfigErrors> {
        config::load(self.sources())
    }

    /// Where these settings come from.
    pub(super) fn sources(self) -> Sources {
        let mut flags = data_flag(self.data);
        let addresses = [("server.listen", self.listen), ("server.management", self.management)];
        for (key, address) in addresses {
            flags.extend(address.map(|address| (key, address.to_string())));
        }
        Sources { protect: self.protect, ..sources(self.dev, self.config, flags) }
    }
}

/// The settings of a command that is no server.
#[derive(Args, Debug)]
pub(super) struct SettingsArguments {
    /// The server's file of settings (TOML); given again, later files go over earlier ones
    #[arg(long, short, value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl SettingsArguments {
    /// A server's settings without those that only a server must have.
    pub(super) fn load(self) -> Result<Config, Failure> {
        self.load_with(Vec::new())
    }

    /// The same with the store in `place`: a folder, or a database as a URL.
    pub(super) fn load_at(&self, place: PathBuf) -> Result<Config, Failure> {
        Self { config: self.config.clone() }.load_with(data_flag(Some(place)))
    }

    fn load_with(self, flags: Vec<(&'static str, String)>) -> Result<Config, Failure> {
        // The defaults of development lack nothing, and differ in nothing that concerns a store.
        config::load(sources(true, self.config, flags)).map_err(|errors| refused(&errors))
    }
}

/// Which store is meant.
#[derive(Args, Debug)]
pub(super) struct StoreArguments {
    /// The server's data folder, or its database as postgres://… [default: what its settings say, else doorward-data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArguments,
}

impl StoreArguments {
    /// Opens the store that is there.
    pub(super) fn open(self, access: Access) -> Result<OpenStore, Failure> {
        OpenStore::open(self.load()?, access, &Rc::new(waiting_runtime()?))
    }

    /// Where it is, with the settings around it.
    pub(super) fn load(self) -> Result<Config, Failure> {
        self.settings.load_with(data_flag(self.data))
    }
}

/// A runtime for a command that does nothing but wait for what it asked.
pub(super) fn waiting_runtime() -> Result<Runtime, Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::of("cannot wait for the store"))
}

/// What a command says when a server would not start with these settings.
pub(super) fn refused(errors: &ConfigErrors) -> Failure {
    let faults = errors.to_string().replace('\n', "\n  ");
    Failure::because(format!("the settings are refused:\n  {faults}"))
}

fn sources(dev: bool, files: Vec<PathBuf>, flags: Vec<(&'static str, String)>) -> Sources {
    Sources { dev, files, environment: config::environment(), flags, protect: Vec::new() }
}

fn data_flag(data: Option<PathBuf>) -> Vec<(&'static str, String)> {
    data.map(|folder| ("store", folder.to_string_lossy().into_owned())).into_iter().collect()
}

/// A store, for commands that have nothing else to do while they wait for it.
pub(super) struct OpenStore {
    /// What is asked.
    pub(super) handle: Arc<Store>,
    location: StoreLocation,
    runtime: Rc<Runtime>,
}

impl OpenStore {
    /// Opens the store of these settings. Two that are used together share their runtime.
    pub(super) fn open(
        config: Config,
        access: Access,
        runtime: &Rc<Runtime>,
    ) -> Result<Self, Failure> {
        let handle = runtime
            .block_on(store::open(&config, access))
            .map_err(|error| Failure::because(error.to_string()))?;
        Ok(Self { handle, location: config.store, runtime: Rc::clone(runtime) })
    }

    /// The answer to a question put to [`OpenStore::handle`].
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(answer).map_err(Failure::of(self.name()))
    }

    /// What comes of work that asks the store by itself.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Lets go of the store, after everything that was asked of it.
    pub(super) fn close(self) -> Result<(), Failure> {
        self.wait(self.handle.close())
    }

    /// What a sentence calls it, without its password.
    pub(super) fn name(&self) -> String {
        match &self.location {
            StoreLocation::Folder(folder) => format!("the data folder {}", folder.display()),
            StoreLocation::Postgres(url) => format!("the database {url}"),
        }
    }
}
