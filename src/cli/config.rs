//! `doorward config`: the settings, before a server lives by them.

use std::{io::Write as _, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    exit::{Failure, Outcome},
    output::{Messages, insist, print},
    settings::{ServerArguments, refused},
};
use crate::{config, private_file};

/// Check, show and begin a configuration
#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    Check(CheckArguments),
    Dump(DumpArguments),
    Init(InitArguments),
}

impl ConfigCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::Check(arguments) => Ok(arguments.run(messages)),
            Self::Dump(arguments) => arguments.run(),
            Self::Init(arguments) => arguments.run(messages),
        }
    }
}

/// Tell whether a server would start with these settings, and if not, every reason
#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    server: ServerArguments,
}

impl CheckArguments {
    fn run(self, messages: Messages) -> Outcome {
        match self.server.load() {
            Ok(_) => {
                messages.say("The configuration is good.");
                Outcome::Done
            }
            Err(faults) => {
                insist(faults);
                Outcome::No
            }
        }
    }
}

/// Print all settings as they are in force, secrets blotted out
#[derive(Args, Debug)]
pub(super) struct DumpArguments {
    #[command(flatten)]
    server: ServerArguments,
}

impl DumpArguments {
    fn run(self) -> Result<Outcome, Failure> {
        print(self.server.load().map_err(|errors| refused(&errors))?.dump().trim_end())?;
        Ok(Outcome::Done)
    }
}

/// Write a configuration file that names and explains every setting
#[derive(Args, Debug)]
#[command(after_help = "Example:
  doorward config init doorward.toml")]
pub(super) struct InitArguments {
    /// Where to write, a file that is not there yet; without one, standard output
    file: Option<PathBuf>,
}

impl InitArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let sample = config::sample();
        let Some(path) = self.file else {
            print(sample.trim_end())?;
            return Ok(Outcome::Done);
        };
        // Its owner will write secrets into it.
        private_file::create_new(&path)
            .and_then(|mut file| file.write_all(sample.as_bytes()))
            .map_err(Failure::of(format!("cannot create {}", path.display())))?;
        messages.say(format_args!("Wrote {}.", path.display()));
        Ok(Outcome::Done)
    }
}
