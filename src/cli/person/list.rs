//! `doorward person list`.

use std::num::NonZeroUsize;

use clap::Args;

use super::json;
use crate::{
    cli::{
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, visible_line},
        records::{self, Listed, Part},
        settings::StoreArguments,
        time::to_rfc3339,
    },
    clock::Clock,
    store::{Access, Person, Store, StoreError},
};

/// List people by subject: who has a session, a connection to a client, or a remembered decision
#[derive(Args, Debug)]
#[command(
    after_help = "The name and email address are those of the last session, while it is stored. At most 1,000 records of \
each kind are counted for one person. With --matching, all people are looked through: among millions this takes a while.

Examples:
  doorward person list
  doorward person list --matching ada@acme.example
  doorward person list --output jsonl | jq -r 'select(.apps > 20) | .sub'"
)]
pub(in crate::cli) struct ListArguments {
    /// Only people whose subject, name, or email address contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    matching: Option<String>,
    /// Show at most this many people [default: 100 in a table, else all]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<NonZeroUsize>,
    /// Continue after this person, the last of an earlier list
    #[arg(long, value_name = "SUBJECT")]
    after: Option<String>,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    store: StoreArguments,
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        let matching = self.matching.map(|text| text.to_lowercase());
        records::list::<Person>(&self.store.open(Access::Read)?, matching, part, messages)
    }
}

impl Listed for Person {
    type Id = String;
    /// A text in lower case.
    type Filter = Option<String>;
    const NAME: &'static str = "person";
    const HEADER: &'static [&'static str] =
        &["SUBJECT\nNAME, EMAIL", "APPS", "SESSIONS", "LAST USED"];

    async fn page(
        store: &Store,
        matching: &Option<String>,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Self>, StoreError> {
        loop {
            let from = after.unwrap_or_default();
            let mut people = store.people(Clock::System.now(), &from, limit).await?;
            let Some(last) = people.last() else { return Ok(people) };
            after = Some(last.subject.clone());
            if let Some(text) = matching {
                people.retain(|person| person.contains(text));
            }
            if !people.is_empty() {
                return Ok(people);
            }
        }
    }

    fn id(&self) -> String {
        self.subject.clone()
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(json(self).to_string())
    }

    /// Two lines, so that a row fits a terminal of 80 columns.
    fn row(&self) -> Vec<String> {
        let names = [&self.name, &self.email].into_iter().flatten();
        let names: Vec<String> = names.map(|text| visible_line(text)).collect();
        let person = format!("{}\n{}", visible_line(&self.subject), names.join(", "));
        vec![
            person.trim_end().to_owned(),
            self.apps.to_string(),
            self.sessions.to_string(),
            self.used_at.map(to_rfc3339).unwrap_or_default(),
        ]
    }
}

impl Person {
    /// Whether a text in lower case is part of what names the person.
    fn contains(&self, text: &str) -> bool {
        let of_person = [Some(&self.subject), self.name.as_ref(), self.email.as_ref()];
        of_person.into_iter().flatten().any(|name| name.to_lowercase().contains(text))
    }
}
