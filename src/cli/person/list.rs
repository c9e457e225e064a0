//! `doorward person list`.

use std::num::NonZeroUsize;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::json;
use crate::{
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        output::{Messages, RecordOutput, visible_line},
        records::{self, Listed, Part},
        remote::{Collection, Read, attributes, moment_or_none},
        time::to_rfc3339,
    },
    clock::{Clock, Timestamp},
    paths,
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
    backend: BackendArguments,
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let part = Part { format: self.output.format(), limit: self.limit, after: self.after };
        let matching = self.matching.map(|text| text.to_lowercase());
        records::list::<Person>(&self.backend.open(Access::Read)?, matching, part, messages)
    }
}

/// The person of a resource of the operator API.
pub(super) fn read(resource: &Value) -> Read<Person> {
    #[derive(Deserialize)]
    struct Attributes {
        name: Option<String>,
        email: Option<String>,
        apps: u64,
        grants: u64,
        sessions: u64,
        consents: u64,
        #[serde(default, deserialize_with = "moment_or_none")]
        last_used_at: Option<Timestamp>,
    }
    let person: Attributes = attributes(resource)?;
    Ok(Person {
        subject: resource["id"].as_str().ok_or("id is missing")?.to_owned(),
        name: person.name,
        email: person.email,
        apps: person.apps,
        grants: person.grants,
        sessions: person.sessions,
        consents: person.consents,
        used_at: person.last_used_at,
    })
}

impl Listed for Person {
    type Id = String;
    /// A text in lower case.
    type Filter = Option<String>;
    const NAME: &'static str = "person";
    const HEADER: &'static [&'static str] =
        &["SUBJECT\nNAME, EMAIL", "APPS", "SESSIONS", "LAST USED"];
    const API: Option<Collection<Self>> = Some(Collection {
        path: paths::PEOPLE,
        query: |_| Vec::new(),
        read: |resource| Some(read(resource)),
        page_max: 100,
    });

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
            people.retain(|person| person.is_listed(matching));
            if !people.is_empty() {
                return Ok(people);
            }
        }
    }

    fn id(&self) -> String {
        self.subject.clone()
    }

    fn is_listed(&self, matching: &Option<String>) -> bool {
        matching.as_ref().is_none_or(|text| self.contains(text))
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
