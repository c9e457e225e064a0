//! `doorward client list`.

use std::{num::NonZeroUsize, sync::Arc};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{FilterArguments, line};
use crate::{
    audit::Action,
    cli::{
        author::author,
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, visible_line},
        progress,
        records::{self, Forgotten, Listed, Part},
        settings::{OpenStore, StoreArguments},
        time,
    },
    client::ClientId,
    clock::Timestamp,
    store::{ClientFilter, ClientRecord, Deleted, Store, StoreError},
};

/// List clients in the order of their registration
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  doorward client list --profile datadog --since 2026-11-01T00:00:00Z
  doorward client list --standing pending
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
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        records::list::<ClientRecord>(self.store, self.filter.into_filter(), &part, messages)
    }
}

impl Listed for ClientRecord {
    type Id = ClientId;
    type Filter = ClientFilter;
    const NAME: &'static str = "client";
    const HEADER: &'static [&'static str] =
        &["CLIENT ID\nPROFILE", "REGISTERED", "STANDING\nFLAGS", "NAME\nREDIRECT URIS"];

    async fn page(
        store: &Store,
        filter: &ClientFilter,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        store.clients(filter, after, limit).await
    }

    /// Their number is asked for when it is known without going through them, and when somebody sees it.
    fn progress(
        store: &OpenStore,
        filter: &ClientFilter,
        messages: Messages,
    ) -> Result<ProgressBar, Failure> {
        let is_everything = *filter == ClientFilter::default();
        let total = if is_everything && progress::is_seen(messages) {
            Some(store.wait(store.handle.count_clients())?)
        } else {
            None
        };
        Ok(progress::of_clients(total, messages))
    }

    fn id(&self) -> ClientId {
        self.client_id
    }

    fn line(&self) -> Result<String, Failure> {
        line::print(self)
    }

    fn row(&self) -> Vec<String> {
        row(self).into()
    }
}

impl Forgotten for ClientRecord {
    const FORGET: &'static str = "Delete";

    async fn forget(store: Arc<Store>, id: ClientId) -> Result<Deleted, StoreError> {
        store.remove_client(id, Action::ClientRemoved, "by_operator", author()).await
    }
}

/// Two lines, so that a row fits a terminal of 80 columns.
fn row(client: &ClientRecord) -> [String; 4] {
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
    let name = metadata.get("client_name").map(text).unwrap_or_default();
    let registered = Timestamp::from_millis(client.issued_at.as_seconds().saturating_mul(1_000));
    [
        format!("{}\n{}", client.client_id, client.profile.as_str()),
        time::to_rfc3339(registered).replace('T', "\n"),
        format!("{}\n{}", client.state.standing, line::flag_names(client.flags).join(" ")),
        format!("{}\n{redirect_uris}", visible_line(&name)),
    ]
}
