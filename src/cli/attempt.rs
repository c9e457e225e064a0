//! `doorward attempt`: why clients fail, in the store or by the operator API of a server.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand, builder::TypedValueParser};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    backend::BackendArguments,
    exit::{Failure, Outcome},
    output::{Messages, RecordOutput, visible_line},
    records::{self, Listed, Part},
    remote::{Collection, Read, attributes, moment},
    settings::one_of,
    time::to_rfc3339,
};
use crate::{
    attempt::AttemptReason,
    clock::Timestamp,
    paths,
    store::{Access, AttemptPlace, AttemptRecord, Store, StoreError},
};

/// List refused registrations, authorizations, and token requests, with what to do about each
#[derive(Subcommand, Debug)]
pub(super) enum AttemptCommand {
    List(ListArguments),
}

impl AttemptCommand {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        match self {
            Self::List(arguments) => arguments.run(messages),
        }
    }
}

/// List refused requests by reason, app or destination, and network, the latest first
#[derive(Args, Debug)]
#[command(
    after_help = "Servers count refused requests in memory and store the counts every 30 seconds. At most 10,000 rows are \
kept; beyond that, the network with the most rows loses its least frequent ones. The network is an IPv4 /24 or an IPv6 /48, \
and missing where registration.keep_source_address is off. Search the log for the request identifier to see the last \
request.

Examples:
  doorward attempt list
  doorward attempt list --reason token.invalid_grant
  doorward attempt list --output jsonl | jq -r '[.reason, .attempts] | @tsv'"
)]
pub(super) struct ListArguments {
    /// Only attempts that were refused for this reason
    #[arg(long, value_parser = reason_parser(), hide_possible_values = true)]
    reason: Option<AttemptReason>,
    /// Show at most this many rows [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this row, the last of an earlier list
    #[arg(long, value_name = "PLACE", value_parser = place)]
    after: Option<AttemptPlace>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

fn reason_parser() -> impl TypedValueParser<Value = AttemptReason> {
    one_of(AttemptReason::ALL.iter().map(|reason| reason.as_str()))
}

fn place(text: &str) -> Result<AttemptPlace, &'static str> {
    text.parse().map_err(|()| "not a place: take the one that an earlier list names")
}

impl ListArguments {
    fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        let backend = self.backend.open(Access::Read)?;
        records::list::<AttemptRecord>(&backend, self.reason, part, messages)
    }
}

/// The row of a resource of the operator API.
fn read(resource: &Value) -> Read<AttemptRecord> {
    #[derive(Deserialize)]
    struct Attributes {
        reason: String,
        target: Option<String>,
        source_network: Option<String>,
        attempts: u64,
        #[serde(deserialize_with = "moment")]
        first_at: Timestamp,
        #[serde(deserialize_with = "moment")]
        last_at: Timestamp,
        last_request_id: String,
    }
    let row: Attributes = attributes(resource)?;
    Ok(AttemptRecord {
        reason: row.reason,
        target: row.target.unwrap_or_default(),
        network: row.source_network.unwrap_or_default(),
        attempts: row.attempts,
        first_at: row.first_at,
        last_at: row.last_at,
        request_id: row.last_request_id,
    })
}

impl Listed for AttemptRecord {
    type Id = AttemptPlace;
    type Filter = Option<AttemptReason>;
    const NAME: &'static str = "attempt";
    const HEADER: &'static [&'static str] =
        &["ATTEMPTS\nLAST", "REASON\nAPP OR DESTINATION, NETWORK", "WHAT TO DO"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::ATTEMPTS,
        query: |reason| reason.iter().map(|it| ("filter[reason]", it.to_string())).collect(),
        read: |resource| Some(read(resource)),
        page_max: 100,
    });

    async fn page(
        store: &Store,
        reason: &Option<AttemptReason>,
        after: Option<AttemptPlace>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        let of_reason = |row: &Self| reason.is_none_or(|reason| row.reason == reason.as_str());
        store.attempts_page(of_reason, after, limit).await
    }

    fn id(&self) -> AttemptPlace {
        self.place()
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(json(self).to_string())
    }

    /// Narrow, so that 80 columns hold it.
    fn row(&self) -> Vec<String> {
        let about = [&self.target, &self.network].map(|text| visible_line(text));
        let facts: Vec<&str> = [self.reason.as_str()]
            .into_iter()
            .chain(about.iter().map(String::as_str))
            .filter(|fact| !fact.is_empty())
            .collect();
        vec![
            format!("{}\n{}", self.attempts, to_rfc3339(self.last_at).replace('T', "\n")),
            facts.join("\n"),
            self.advice().unwrap_or("This reason is of a later release.").to_owned(),
        ]
    }
}

/// Attempts as programs read them.
fn json(row: &AttemptRecord) -> Value {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "id": row.id().to_string(),
        "reason": row.reason,
        "target": known(&row.target),
        "source_network": known(&row.network),
        "attempts": row.attempts,
        "first_at": to_rfc3339(row.first_at),
        "last_at": to_rfc3339(row.last_at),
        "last_request_id": row.request_id,
        "advice": row.advice(),
    })
}
