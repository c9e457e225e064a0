//! `doorward migrate`: the tables of a database, brought up to date and looked at.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    exit::{Failure, Outcome},
    output::{Format, ReportOutput, print},
    settings::{StoreArguments, waiting_runtime},
};
use crate::{
    config::{PostgresConfig, PostgresUrl, StoreLocation},
    store::postgres,
};

/// Bring the tables of a database up to date
#[derive(Subcommand, Debug)]
pub(super) enum MigrateCommand {
    Up(UpArguments),
    Status(StatusArguments),
}

impl MigrateCommand {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Up(arguments) => arguments.run(),
            Self::Status(arguments) => arguments.run(),
        }
    }
}

/// Make the tables, or bring those of an earlier release up to date, beside servers or not
#[derive(Args, Debug)]
#[command(
    after_help = "Run it before the servers of a new release are started; those of the release before go on \
meanwhile. It can be run again, and by several at once.

Example:
  doorward migrate up --config doorward.toml"
)]
pub(super) struct UpArguments {
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: StoreArguments,
}

/// Tell whether the tables are those that this release needs
#[derive(Args, Debug)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: StoreArguments,
}

impl UpArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let (url, settings) = database(self.store)?;
        let done = waiting_runtime()?
            .block_on(postgres::migrate(&url, &settings))
            .map_err(|error| Failure::because(error.to_string()))?;
        print(match self.output.output {
            Format::Table if done.from == done.to => {
                format!("The tables are up to date (version: {}).", done.to)
            }
            Format::Table => {
                format!("The tables are up to date (version: {}, before: {}).", done.to, done.from)
            }
            Format::Json | Format::Jsonl => {
                json!({ "version": done.to, "version_before": done.from }).to_string()
            }
        })?;
        Ok(Outcome::Done)
    }
}

impl StatusArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let (url, settings) = database(self.store)?;
        let (found, verdict) = waiting_runtime()?
            .block_on(postgres::look(&url, &settings))
            .map_err(|error| Failure::because(error.to_string()))?;
        let version = found.version();
        print(match (self.output.output, &verdict) {
            (Format::Table, Ok(())) => {
                format!("This release can work on the tables (version: {version}).")
            }
            (Format::Table, Err(reason)) => format!("No: {reason}."),
            (Format::Json | Format::Jsonl, _) => {
                json!({ "version": version, "good": verdict.is_ok() }).to_string()
            }
        })?;
        Ok(Outcome::from_verdict(verdict.is_ok()))
    }
}

fn database(store: StoreArguments) -> Result<(PostgresUrl, PostgresConfig), Failure> {
    let config = store.load()?;
    match config.store {
        StoreLocation::Postgres(url) => Ok((url, config.postgres)),
        StoreLocation::Folder(folder) => Err(Failure::because(format!(
            "{} is a data folder, which `doorward serve` brings up to date by itself; set `store` to \
             a database",
            folder.display()
        ))),
    }
}
