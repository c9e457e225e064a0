//! `doorward client list`.

use std::{
    io::{self, IsTerminal as _},
    num::NonZeroUsize,
};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{
    FilterArguments, line,
    pages::{self, Pages},
};
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Format, Messages, RecordOutput, Results, table, visible_json},
        progress,
        settings::StoreArguments,
        time,
    },
    client::ClientId,
    store::{Access, ClientRecord},
};

/// A table is laid out as a whole, so it has an end even when nobody asked for one.
const TABLE_CLIENTS_MAX: NonZeroUsize = NonZeroUsize::new(100).expect("100 is not 0");

/// List clients in the order of their registration
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward client list --profile datadog --since 2026-11-01T00:00:00Z
  doorward client list --flag look_alike --output table
  doorward client list --output jsonl | jq -r .client_id")]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Show at most this many clients [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Go on behind this client, the last of an earlier list
    #[arg(long, value_name = "CLIENT_ID")]
    after: Option<ClientId>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    store: StoreArguments,
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let format = self.output.format();
        let limit = match format {
            Format::Table => self.limit.or(Some(TABLE_CLIENTS_MAX)),
            Format::Json | Format::Jsonl => self.limit,
        };
        let limit = limit.map(NonZeroUsize::get);
        let store = self.store.open(Access::Read)?;
        let filter = self.filter.into_filter();
        let bar = if io::stdout().is_terminal() {
            ProgressBar::hidden() // It would stand between the lines.
        } else if limit.is_some() || self.after.is_some() {
            progress::of_clients(None, messages)
        } else {
            pages::progress(&store, &filter, messages)?
        };
        // One more than shown tells whether there is more.
        let expected = limit.map(|limit| limit.saturating_add(1));
        let mut clients = Pages::new(&store, filter, self.after, expected).fuse();

        let shown = clients.by_ref().take(limit.unwrap_or(usize::MAX)).inspect(|_| bar.inc(1));
        let last = match format {
            Format::Table => print_table(shown)?,
            Format::Json => print_array(shown)?,
            Format::Jsonl => print_lines(shown)?,
        };
        let next = clients.next().transpose()?;
        bar.finish_and_clear();
        match (last, next) {
            (Some(last), Some(_)) => {
                messages.say(format_args!("There are more: go on with --after {last}"));
            }
            (None, _) => messages.say("There is no such client."),
            (Some(_), None) => {}
        }
        Ok(Outcome::Done)
    }
}

/// One client after the other, as the store gives them.
trait Clients: Iterator<Item = Result<ClientRecord, Failure>> {}

impl<T: Iterator<Item = Result<ClientRecord, Failure>>> Clients for T {}

/// The last client that was printed, if there was one.
type Printed = Result<Option<ClientId>, Failure>;

fn print_lines(clients: impl Clients) -> Printed {
    let mut results = Results::open();
    let mut last = None;
    for client in clients {
        let client = client?;
        results.line(visible_json(&line::print(&client)?))?;
        last = Some(client.client_id);
    }
    results.finish()?;
    Ok(last)
}

fn print_array(clients: impl Clients) -> Printed {
    let mut results = Results::open();
    let mut last = None;
    for client in clients {
        let client = client?;
        results.bytes(if last.is_none() { b"[\n" } else { b",\n" })?;
        results.bytes(visible_json(&line::print(&client)?).as_bytes())?;
        last = Some(client.client_id);
    }
    results.line(if last.is_none() { "[]" } else { "\n]" })?;
    results.finish()?;
    Ok(last)
}

fn print_table(clients: impl Clients) -> Printed {
    let clients: Vec<ClientRecord> = clients.collect::<Result<_, _>>()?;
    let Some(last) = clients.last() else {
        return Ok(None);
    };
    let rows: Vec<[String; 6]> = clients.iter().map(row).collect();
    let header = ["CLIENT ID", "REGISTERED", "PROFILE", "NAME", "REDIRECT URIS", "FLAGS"];
    let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
    let mut results = Results::open();
    results.line(table(&header, rows))?;
    results.finish()?;
    Ok(Some(last.client_id))
}

fn row(client: &ClientRecord) -> [String; 6] {
    let metadata: Value = serde_json::from_str(&client.metadata).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let redirect_uris = match metadata.get("redirect_uris").and_then(Value::as_array) {
        Some(uris) => match uris.as_slice() {
            [] => String::new(),
            [only] => text(only),
            [first, others @ ..] => format!("{} +{}", text(first), others.len()),
        },
        None => String::new(),
    };
    [
        client.client_id.to_string(),
        time::to_rfc3339(client.issued_at),
        client.profile.as_str().to_owned(),
        metadata.get("client_name").map(text).unwrap_or_default(),
        redirect_uris,
        line::flag_names(client.flags).join(" "),
    ]
}
