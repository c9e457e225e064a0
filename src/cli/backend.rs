//! What a command works on: the store on this machine, or a server elsewhere, by its operator API. A command is written
//! once over both.

use std::path::PathBuf;

use clap::Args;

use super::{
    exit::Failure,
    remote::{Server, ServerUrl},
    settings::{OpenStore, StoreArguments},
};
use crate::store::Access;

/// Which store, or which server, is meant.
#[derive(Args, Debug)]
pub(super) struct BackendArguments {
    /// Ask the server at this issuer URL over its operator API, with the operator token in `DOORWARD_TOKEN`
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "config"])]
    server: Option<ServerUrl>,
    /// A file with the operator token for --server
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArguments,
}

impl BackendArguments {
    /// Opens the store, or prepares to call the server.
    pub(super) fn open(self, access: Access) -> Result<Backend, Failure> {
        Ok(match self.choose()? {
            Choice::Store(store) => Backend::Store(store.open(access)?),
            Choice::Server(server) => Backend::Server(server),
        })
    }

    /// For a command that looks at the settings of the store.
    pub(super) fn choose(self) -> Result<Choice, Failure> {
        match self.server {
            None => Ok(Choice::Store(self.store)),
            Some(url) => Server::new(url, self.token_file).map(Choice::Server),
        }
    }
}

/// Which store is meant, of a command that has no operation in the operator API.
#[derive(Args, Debug)]
pub(super) struct LocalArguments {
    /// Rejected, with the alternative
    #[arg(long, value_name = "URL", hide = true)]
    server: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

impl LocalArguments {
    /// Opens the store.
    pub(super) fn open(self, access: Access) -> Result<OpenStore, Failure> {
        self.store()?.open(access)
    }

    /// The store that is meant.
    pub(super) fn store(self) -> Result<StoreArguments, Failure> {
        if self.server.is_some() {
            return Err(Failure::Usage(
                "the operator API has no operation for this command: run it without --server on a machine that \
                 reaches the store, with --config or --data"
                    .to_owned(),
            ));
        }
        Ok(self.store)
    }
}

/// A backend before its store is opened.
pub(super) enum Choice {
    Store(StoreArguments),
    Server(Server),
}

/// What a command works on.
pub(super) enum Backend {
    Store(OpenStore),
    Server(Server),
}

/// The same, borrowed: either half will do.
#[derive(Clone, Copy)]
pub(super) enum BackendRef<'a> {
    Store(&'a OpenStore),
    Server(&'a Server),
}

impl<'a> From<&'a Backend> for BackendRef<'a> {
    fn from(backend: &'a Backend) -> Self {
        match backend {
            Backend::Store(store) => Self::Store(store),
            Backend::Server(server) => Self::Server(server),
        }
    }
}

impl<'a> From<&'a OpenStore> for BackendRef<'a> {
    fn from(store: &'a OpenStore) -> Self {
        Self::Store(store)
    }
}

impl Backend {
    /// Runs work that asks the store or the server itself.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Store(store) => store.wait_for(work),
            Self::Server(server) => server.wait_for(work),
        }
    }

    /// Lets go of the store, after everything that was asked of it.
    pub(super) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Store(store) => store.close(),
            Self::Server(_) => Ok(()),
        }
    }
}
