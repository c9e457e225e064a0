//! `doorward client get`.

use clap::Args;
use serde_json::Value;

use super::line;
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Format, RecordOutput, insist, print, table, visible_json},
        settings::StoreArguments,
        time,
    },
    client::ClientId,
    store::{Access, ClientRecord},
};

/// Show one client with all that is kept of it
#[derive(Args, Debug)]
pub(in crate::cli) struct GetArguments {
    /// The client
    client_id: ClientId,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    store: StoreArguments,
}

impl GetArguments {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        let store = self.store.open(Access::Read)?;
        let Some(client) = store.wait(store.handle.client(self.client_id))? else {
            insist(format_args!("There is no client {}.", self.client_id));
            return Ok(Outcome::No);
        };
        print(match self.output.format() {
            Format::Table => print_table(&client),
            Format::Json => {
                let value: Value = serde_json::from_str(&line::print(&client)?)
                    .map_err(Failure::of("the record is not JSON"))?;
                visible_json(&format!("{value:#}")).into_owned()
            }
            Format::Jsonl => visible_json(&line::print(&client)?).into_owned(),
        })?;
        Ok(Outcome::Done)
    }
}

/// A row for each thing that is known; lists have their items below one another.
fn print_table(client: &ClientRecord) -> String {
    let mut rows = vec![
        ("client_id".to_owned(), client.client_id.to_string()),
        ("registered".to_owned(), time::to_rfc3339(client.issued_at)),
        ("profile".to_owned(), client.profile.as_str().to_owned()),
        ("source".to_owned(), client.source.map_or("not kept".to_owned(), |ip| ip.to_string())),
        ("flags".to_owned(), line::flag_names(client.flags).join(" ")),
    ];
    let metadata: Value = serde_json::from_str(&client.metadata).unwrap_or_default();
    for (member, value) in metadata.as_object().into_iter().flatten() {
        rows.push((member.clone(), cell(value)));
    }
    table(&[], rows.iter().map(|(name, value)| vec![name.as_str(), value.as_str()]))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}
