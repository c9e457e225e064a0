//! `doorward openapi`.

use clap::Args;

use super::{
    exit::{Failure, Outcome},
    output::print,
    settings::{ServerArguments, refused},
};
use crate::server;

/// Print the OpenAPI 3.1 description that a server with these settings answers at /openapi.json
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward openapi --config doorward.toml
  doorward openapi --dev")]
pub(super) struct OpenapiArguments {
    #[command(flatten)]
    server: ServerArguments,
}

impl OpenapiArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let config = self.server.load().map_err(|errors| refused(&errors))?;
        print(server::description(&config).trim_end())?;
        Ok(Outcome::Done)
    }
}
