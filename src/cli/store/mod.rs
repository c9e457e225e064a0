//! `doorward store`: the embedded store as a file, and a store brought into another.

mod copy;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    exit::{Failure, Outcome},
    output::{Format, Messages, ReportOutput, insist, print, visible_line},
    progress,
    settings::StoreArguments,
};
use crate::{
    config::StoreLocation,
    store::embedded::{self, CheckReport},
};

/// Back up and check a data folder, and copy a store into another
#[derive(Subcommand, Debug)]
pub(super) enum StoreCommand {
    Backup(BackupArguments),
    Check(CheckArguments),
    Copy(copy::CopyArguments),
}

impl StoreCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Backup(arguments) => arguments.run(messages),
            Self::Check(arguments) => arguments.run(),
            Self::Copy(arguments) => arguments.run(messages),
        }
    }
}

/// Copy the store into one file, also while a server runs on it
#[derive(Args, Debug)]
#[command(
    after_help = "The copy is opened and checked before the command says that it is there. To restore it, \
stop the server and put the copy as doorward.sqlite3 into an empty data folder.

Example:
  doorward store backup /backup/doorward-$(date +%F).sqlite3"
)]
pub(super) struct BackupArguments {
    /// Where to write the copy, a file that is not there yet
    file: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// Read the whole store and tell whether it is sound, also while a server runs on it
#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: StoreArguments,
}

impl BackupArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let folder = folder(self.store, "pg_dump copies a database")?;
        let bar = progress::of_pages(messages);
        let mut draw = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let report = embedded::backup(&folder, &self.file, &mut draw)
            .map_err(|error| Failure::because(error.to_string()))?;
        bar.finish_and_clear();
        messages.say(format_args!(
            "Wrote {} (clients: {}, bytes: {}).",
            self.file.display(),
            report.clients,
            report.bytes
        ));
        Ok(Outcome::Done)
    }
}

impl CheckArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let folder = folder(self.store, "PostgreSQL looks after its files by itself")?;
        let report =
            embedded::check(&folder).map_err(|error| Failure::because(error.to_string()))?;
        let is_sound = report.faults.is_empty();
        print(match self.output.output {
            Format::Table => in_words(&report),
            Format::Json | Format::Jsonl => json!({
                "file": report.file.display().to_string(),
                "sound": is_sound,
                "version": report.version,
                "clients": report.clients,
                "database_bytes": report.database_bytes,
                "log_bytes": report.log_bytes,
                "faults": report.faults,
            })
            .to_string(),
        })?;
        if let Some(advice) = report.advice() {
            insist(format_args!("What to do: {advice}."));
        }
        Ok(Outcome::from_verdict(is_sound))
    }
}

/// The data folder; `instead` says what does the same for a database.
fn folder(store: StoreArguments, instead: &str) -> Result<PathBuf, Failure> {
    match store.load()?.store {
        StoreLocation::Folder(folder) => Ok(folder),
        StoreLocation::Postgres(url) => Err(Failure::because(format!(
            "{url} is no data folder, and this command is for the embedded store alone: {instead}"
        ))),
    }
}

fn in_words(report: &CheckReport) -> String {
    let verdict = if report.faults.is_empty() { "sound" } else { "damaged" };
    let mut text = format!(
        "{} is {verdict} (version: {}, clients: {}, bytes: {}, bytes of log: {}).",
        report.file.display(),
        report.version,
        report.clients,
        report.database_bytes,
        report.log_bytes,
    );
    for fault in &report.faults {
        text.push_str("\n  ");
        text.push_str(&visible_line(fault));
    }
    text
}
