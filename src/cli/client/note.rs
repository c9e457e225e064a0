//! `doorward client note`.

use clap::Args;
use serde_json::json;

use super::{known::Known, remark};
use crate::{
    cli::{
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        grant,
        output::{Messages, insist},
    },
    client::ClientIdentifier,
    store::{Access, ClientEdited, Deleted},
};

/// Put a note on a client, which `client get` shows
#[derive(Args, Debug)]
#[command(after_help = "A new note replaces the one before.

Examples:
  doorward client note 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e \"Ticket 4711: asked the vendor\"
  doorward client note 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --clear")]
pub(in crate::cli) struct NoteArguments {
    /// The client: a UUID, or the URL of a metadata document
    #[arg(value_parser = grant::client)]
    client_id: ClientIdentifier,
    /// The note, one line
    #[arg(required_unless_present = "clear", conflicts_with = "clear", value_parser = remark)]
    text: Option<String>,
    /// Remove the note
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

impl NoteArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let backend = self.backend.open(Access::Command)?;
        let note = self.text.as_deref();
        let client = Known::find(&backend, &self.client_id)?;
        let is_written = match (&backend, &client) {
            (_, None) => false,
            (Backend::Store(store), Some(_)) => {
                store.wait(store.handle.put_note(&self.client_id, note))? == Deleted::Forgotten
            }
            (Backend::Server(server), Some(client)) => {
                let changed = client.change_at(server, &json!({ "note": note }), |_| true)?;
                changed == ClientEdited::Now
            }
        };
        let outcome = if let Some(client) = client.filter(|_| is_written) {
            let change = if note.is_some() { "Set" } else { "Removed" };
            messages.say(format_args!("{change} the note of {}.", client.label()));
            Outcome::Done
        } else {
            insist(format_args!("There is no client {}.", self.client_id));
            Outcome::No
        };
        backend.close()?;
        Ok(outcome)
    }
}
