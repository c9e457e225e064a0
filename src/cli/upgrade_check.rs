//! `doorward upgrade-check`: what a start of this release would change for these settings and this store.

use clap::Args;

use super::{
    doctor::{faults, report, settings_are_good},
    exit::{Failure, Outcome},
    output::{Messages, RecordOutput},
    settings::ServerArguments,
};
use crate::{clock::Clock, config, doctor};

/// Say what this release would change for these settings and this store, and change nothing
#[derive(Args, Debug)]
#[command(
    after_help = "Run it with the new binary, as the user of the server and with its settings, before you replace the installed one; the server \
can run meanwhile. It checks that the new release accepts the settings, says which steps the tables need and whether servers of the \
installed release can continue, and looks at the signing keys. The exit code is 1 when there is a problem, and 0 when there are only warnings.

Example:
  ./doorward upgrade-check --config /etc/doorward/doorward.toml"
)]
pub(super) struct UpgradeCheckArguments {
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    server: ServerArguments,
}

impl UpgradeCheckArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let sources = self.server.sources();
        let findings = match config::load(sources.clone()) {
            Ok(config) => {
                let files = config::secret_files(&sources, &config);
                let found = doctor::examine_upgrade(&config, &files, &Clock::System);
                let found = found.map_err(Failure::of("nothing can be looked at"))?;
                [vec![settings_are_good()], found].concat()
            }
            Err(errors) => faults(&errors),
        };
        report(&findings, self.output.format(), messages)
    }
}
