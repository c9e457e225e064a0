//! `doorward client note`.

use clap::Args;

use super::{known::Known, remark};
use crate::{
    cli::{
        exit::{Failure, Outcome},
        grant,
        output::{Messages, insist},
        settings::StoreArguments,
    },
    client::ClientIdentifier,
    store::{Access, Deleted},
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
    store: StoreArguments,
}

impl NoteArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Command)?;
        let note = self.text.as_deref();
        let client = Known::find(&store, &self.client_id)?;
        let written = store.wait(store.handle.put_note(&self.client_id, note))?;
        let outcome = if let (Some(client), Deleted::Forgotten) = (client, written) {
            let change = if note.is_some() { "Set" } else { "Removed" };
            messages.say(format_args!("{change} the note of {}.", client.label()));
            Outcome::Done
        } else {
            insist(format_args!("There is no client {}.", self.client_id));
            Outcome::No
        };
        store.close()?;
        Ok(outcome)
    }
}
