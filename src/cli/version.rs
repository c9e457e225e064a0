//! `doorward version`.

use std::env::consts::{ARCH, OS};

use clap::Args;
use serde_json::json;

use super::{
    exit::{Failure, Outcome},
    output::{Format, ReportOutput, print},
};
use crate::store::embedded;

/// Print the versions of the program and of its SQLite, and the machine it was built for
#[derive(Args, Debug)]
pub(super) struct VersionArguments {
    #[command(flatten)]
    output: ReportOutput,
}

impl VersionArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        let sqlite = embedded::sqlite_version();
        let target = format!("{ARCH}-{OS}-{ENVIRONMENT}");
        match self.output.output {
            Format::Table => print(format_args!("doorward {version}\nSQLite {sqlite}\n{target}"))?,
            Format::Json | Format::Jsonl => {
                print(json!({ "version": version, "sqlite": sqlite, "target": target }))?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// The C library that the program was linked with.
const ENVIRONMENT: &str = if cfg!(target_env = "musl") {
    "musl"
} else if cfg!(target_env = "gnu") {
    "gnu"
} else {
    "system"
};
