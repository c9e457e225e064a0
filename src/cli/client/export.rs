//! `doorward client export`.

use std::path::PathBuf;

use clap::Args;

use super::FilterArguments;
use crate::{
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        export::export,
        output::Messages,
    },
    store::ClientRecord,
};

/// Write clients as JSON Lines, to keep or to import elsewhere
#[derive(Args, Debug)]
#[command(
    after_help = "A line is a JSON object with the members client_id, client_id_issued_at (seconds, \
with milliseconds as decimals), profile, source, flags and metadata.

Examples:
  doorward client export clients.jsonl
  doorward client export | gzip > clients.jsonl.gz
  doorward client export | ssh new-host doorward client import -"
)]
pub(in crate::cli) struct ExportArguments {
    /// Where to write, a file that is not there yet; without one, standard output
    file: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    backend: BackendArguments,
}

impl ExportArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        export::<ClientRecord>(self.backend, self.filter.into_filter(), self.file, messages)
    }
}
