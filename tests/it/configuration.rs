//! Settings, as an operator meets them: files, variables, flags in; values or faults out.

mod guard;
mod secrets;
mod sources;
mod values;
mod written;

use std::{fs, path::PathBuf};

use doorward::config::{self, Config, LogFormat, Sources, StoreLocation};
use tempfile::TempDir;

/// The least that a server outside of development must be told.
const ISSUER: &str = "[server]\nissuer = \"http://localhost:8080\"\n";

fn folder(path: &str) -> StoreLocation {
    StoreLocation::Folder(path.into())
}

/// Files in a folder of their own, and what else is given.
struct Given {
    folder: TempDir,
    sources: Sources,
}

impl Given {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    /// An issuer, so that nothing is missing.
    fn enough() -> Self {
        Self::new().flag("server.issuer", "http://localhost:8080")
    }

    fn dev() -> Self {
        let mut given = Self::new();
        given.sources.dev = true;
        given
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        self.sources.files.push(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.sources.flags.push((key, value.into()));
        self
    }

    fn config(&self) -> Config {
        config::load(self.sources.clone()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The faults, a line each, with the folder's name left out.
    fn faults(&self) -> Vec<String> {
        let errors =
            config::load(self.sources.clone()).expect_err("nothing was refused").to_string();
        let folder = format!("{}/", self.folder.path().display());
        errors.lines().map(|line| line.replace(&folder, "")).collect()
    }

    fn only_fault(&self) -> String {
        let mut faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.remove(0)
    }
}
