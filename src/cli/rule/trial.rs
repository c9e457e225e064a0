//! `doorward rule try`: what a rule would have decided about the clients that came lately.

use std::rc::Rc;

use clap::Args;
use serde_json::{Value, json};

use super::{draft::DraftArguments, id, of_settings, of_store};
use crate::{
    admission::{Rule, Word as _},
    cli::{
        exit::{Failure, Outcome},
        output::{Format, Messages, ReportOutput, print, table, visible_json, visible_line},
        progress,
        records::Pages,
        settings::{OpenStore, StoreArguments, waiting_runtime},
        time::to_rfc3339,
    },
    client::{ClientIdentifier, DocumentUrl},
    clock::{Clock, Timestamp},
    config::Config,
    live_rules,
    registration::Trial,
    store::{
        Access, ClientFilter, ClientRecord, DocumentClientRecord, GrantFilter, GrantRecord,
        RuleRecord,
    },
};

/// How many clients are named; all of them are counted.
const NAMED_MAX: usize = 20;

/// Try a rule on the clients of the last days, and change nothing
#[derive(Args, Debug)]
#[command(
    after_help = "The clients that registered, or with a metadata document that people first allowed, are evaluated one after \
the other, as if the rule were enforced at its position: clients that a rule before it decides about do not count. A client \
is in use if someone has allowed it and that has not ended. Give the settings of the servers.

Examples:
  doorward rule try --any-destination '*.tunnel.example' --effect reject --reason 'no tunnels' --days 30
  doorward rule try no-tunnels
  doorward rule try no-tunnels --effect hold --output json"
)]
pub(in crate::cli) struct TryArguments {
    /// A rule that exists, with the members that are given instead of its own
    #[arg(value_name = "RULE_ID", value_parser = id)]
    rule_id: Option<String>,
    #[command(flatten)]
    draft: DraftArguments,
    /// Try it at this position among the rules in the store, from 1 [default: its own, else the last]
    #[arg(long, value_name = "NUMBER")]
    position: Option<std::num::NonZeroUsize>,
    /// Evaluate clients of the last so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    store: StoreArguments,
}

const DAY_SECONDS: u64 = 86_400;

/// The id of a draft without one.
const DRAFT: &str = "draft";

impl TryArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { rule_id, draft, position, days, output, store } = self;
        let config = store.load()?;
        let settings = config.registration.clone();
        let of_settings = of_settings(&config);
        let store = open(config)?;
        let of_store = of_store(&store)?;
        let tried = Tried::of(rule_id, &draft, &of_settings, &of_store)?;
        let (rules, place) =
            tried.among(of_settings, &of_store, position.map(|it| it.get() - 1))?;
        let trial = Trial::new(rules, place, &settings);
        let now = Clock::System.now();
        let since = now.before_seconds(u64::from(days) * DAY_SECONDS);
        let mut found = Found::default();
        let mut counted = Counted { store: &store, trial: &trial, now, found: &mut found };
        counted.registered(since, messages)?;
        counted.with_documents(since, messages)?;
        let report = Report { rule: tried.rule, days, since, found };
        print(match output.output {
            Format::Table => report.text(),
            Format::Json | Format::Jsonl => visible_json(&report.json().to_string()).into_owned(),
        })?;
        report.remarks(messages);
        Ok(Outcome::Done)
    }
}

fn open(config: Config) -> Result<OpenStore, Failure> {
    OpenStore::open(config, Access::Read, &Rc::new(waiting_runtime()?))
}

/// The rule that is tried, and where it stands now.
struct Tried {
    rule: Rule,
    /// Its place among the rules of the settings, or in the store.
    stands: Option<Stands>,
}

#[derive(Clone, Copy)]
enum Stands {
    InSettings(usize),
    InStore(usize),
}

impl Tried {
    fn of(
        rule_id: Option<String>,
        draft: &DraftArguments,
        of_settings: &[Rule],
        of_store: &[RuleRecord],
    ) -> Result<Self, Failure> {
        let Some(id) = rule_id else {
            return Ok(Self { rule: draft.rule_or_draft(DRAFT)?, stands: None });
        };
        let in_settings = of_settings.iter().position(|rule| rule.id.as_str() == id);
        let in_store = of_store.iter().position(|rule| rule.rule_id == id);
        let (before, stands) = match (in_settings, in_store) {
            (Some(place), _) => (of_settings[place].to_json(), Stands::InSettings(place)),
            (None, Some(place)) => (of_store[place].rule.clone(), Stands::InStore(place)),
            (None, None) => return Ok(Self { rule: draft.rule(Some(&id))?, stands: None }),
        };
        Ok(Self { rule: draft.edited(&id, &before, &[])?, stands: Some(stands) })
    }

    /// All rules in their order with this one among them, and its place.
    fn among(
        &self,
        of_settings: Vec<Rule>,
        of_store: &[RuleRecord],
        position: Option<usize>,
    ) -> Result<(Vec<Rule>, usize), Failure> {
        let unreadable = Failure::of("the rules in the store");
        let mut stored = live_rules::read(of_store).map_err(unreadable)?;
        let mut rules = of_settings;
        match self.stands {
            Some(Stands::InSettings(place)) => {
                rules[place] = self.rule.clone();
                rules.extend(stored);
                return Ok((rules, place));
            }
            Some(Stands::InStore(place)) => drop(stored.remove(place)),
            None => {}
        }
        let own = match self.stands {
            Some(Stands::InStore(place)) => place,
            Some(Stands::InSettings(_)) | None => stored.len(),
        };
        let place = position.unwrap_or(own).min(stored.len());
        stored.insert(place, self.rule.clone());
        let place = rules.len() + place;
        rules.extend(stored);
        Ok((rules, place))
    }
}

/// What the rule would have decided.
#[derive(Default)]
struct Found {
    evaluated: u64,
    decided: u64,
    in_use: u64,
    /// The first ones in use.
    named: Vec<Named>,
    /// Clients whose address is not stored.
    without_source: u64,
}

/// A client that is in use.
struct Named {
    client: ClientIdentifier,
    name: String,
    connections: usize,
}

/// Goes through the clients.
struct Counted<'run> {
    store: &'run OpenStore,
    trial: &'run Trial,
    now: Timestamp,
    found: &'run mut Found,
}

impl Counted<'_> {
    fn registered(&mut self, since: Timestamp, messages: Messages) -> Result<(), Failure> {
        let filter = ClientFilter { issued_from: Some(since), ..ClientFilter::default() };
        let bar = progress::of_clients(None, messages);
        for client in Pages::<ClientRecord>::new(self.store, filter, None, None) {
            let client = client?;
            bar.inc(1);
            self.found.evaluated += 1;
            self.found.without_source += u64::from(client.source.is_none());
            if self.trial.decides(&client) {
                self.decided(client.client_id.into(), &client.metadata)?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn with_documents(&mut self, since: Timestamp, messages: Messages) -> Result<(), Failure> {
        let filter = ClientFilter { issued_from: Some(since), ..ClientFilter::default() };
        let bar = progress::of_clients(None, messages);
        for client in Pages::<DocumentClientRecord>::new(self.store, filter, None, None) {
            let client = client?;
            bar.inc(1);
            let Ok(url) = client.url.parse::<DocumentUrl>() else { continue };
            self.found.evaluated += 1;
            self.found.without_source += 1;
            if self.trial.decides_about_document(&url, &client) {
                self.decided(url.into(), &client.metadata)?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn decided(&mut self, client: ClientIdentifier, metadata: &str) -> Result<(), Failure> {
        self.found.decided += 1;
        let connections = self.connections(&client)?;
        if connections == 0 {
            return Ok(());
        }
        self.found.in_use += 1;
        if self.found.named.len() < NAMED_MAX {
            let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
            let name = visible_line(metadata["client_name"].as_str().unwrap_or_default());
            self.found.named.push(Named { client, name, connections });
        }
        Ok(())
    }

    /// How many live grants a client has.
    fn connections(&self, client: &ClientIdentifier) -> Result<usize, Failure> {
        let filter = GrantFilter { client: Some(client.clone()), subject: None };
        let mut live = 0;
        for grant in Pages::<GrantRecord>::new(self.store, filter, None, None) {
            live += usize::from(grant?.expires_at > self.now);
        }
        Ok(live)
    }
}

struct Report {
    rule: Rule,
    days: u32,
    since: Timestamp,
    found: Found,
}

impl Report {
    /// `Would reject 412 of 18,233 clients of the last 30 days, of which 3 are in use:`
    fn text(&self) -> String {
        let Found { evaluated, decided, in_use, named, .. } = &self.found;
        let id = self.rule.id.as_str();
        let effect = self.rule.effect.name().text();
        let use_of = match in_use {
            0 => "none of them in use".to_owned(),
            1 => "of which 1 is in use".to_owned(),
            in_use => format!("of which {} are in use", grouped(*in_use)),
        };
        let days = if self.days == 1 { "day".to_owned() } else { format!("{} days", self.days) };
        let summary = format!(
            "Rule {id} would {effect} {} of {} clients of the last {days}, {use_of}",
            grouped(*decided),
            grouped(*evaluated)
        );
        if named.is_empty() {
            return format!("{summary}.");
        }
        let rows: Vec<[String; 3]> = named
            .iter()
            .map(|it| [it.client.to_string(), it.name.clone(), it.connections.to_string()])
            .collect();
        let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
        format!("{summary}:\n\n{}", table(&["CLIENT ID", "NAME", "CONNECTIONS"], rows))
    }

    fn json(&self) -> Value {
        let Found { evaluated, decided, in_use, named, without_source } = &self.found;
        let named: Vec<Value> = named
            .iter()
            .map(|it| json!({ "client_id": it.client.to_string(), "name": it.name, "connections": it.connections }))
            .collect();
        json!({
            "rule_id": self.rule.id.as_str(),
            "effect": self.rule.effect.name().text(),
            "since": to_rfc3339(self.since),
            "evaluated": evaluated,
            "matched": decided,
            "in_use": in_use,
            "in_use_clients": named,
            "without_source": without_source,
        })
    }

    /// What the result leaves out.
    fn remarks(&self, messages: Messages) {
        let Found { in_use, named, without_source, .. } = &self.found;
        if *in_use > named.len() as u64 {
            messages.say(format_args!("The first {NAMED_MAX} in use are shown."));
        }
        if *without_source > 0 && !self.rule.conditions.source.is_empty() {
            messages.say(format_args!(
                "{} clients have no stored address, and match no network.",
                grouped(*without_source)
            ));
        }
    }
}

/// A number with commas between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
