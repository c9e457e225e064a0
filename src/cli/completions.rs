//! `doorward completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{
    Arguments,
    exit::{Failure, Outcome},
    output::Results,
};

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward completions bash > /etc/bash_completion.d/doorward
  doorward completions zsh > \"${fpath[1]}/_doorward\"
  doorward completions fish > ~/.config/fish/completions/doorward.fish")]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

impl CompletionsArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "doorward", &mut script);
        let mut results = Results::open();
        results.bytes(&script)?;
        results.finish()?;
        Ok(Outcome::Done)
    }
}
