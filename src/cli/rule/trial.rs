//! `doorward rule try`: what a rule would have decided about the clients that came lately.

use std::rc::Rc;

use clap::Args;
use serde_json::{Value, json};

use super::{draft::DraftArguments, id, of_store};
use crate::{
    admission::{Rule, Word as _},
    cli::{
        exit::{Failure, Outcome},
        output::{Format, Messages, ReportOutput, print, table, visible_json, visible_line},
        progress,
        settings::{OpenStore, StoreArguments, waiting_runtime},
        time::to_rfc3339,
    },
    clock::{Clock, Timestamp},
    config::RegistrationConfig,
    live_rules,
    registration::{Draft, Trial, TrialSpan, Tried, existing_rule},
    store::{Access, RuleRecord},
};

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

/// The id of a draft without one.
const DRAFT: &str = "draft";

impl TryArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { rule_id, draft, position, days, output, store } = self;
        let config = store.load()?;
        let settings = config.registration.clone();
        let store = OpenStore::open(config, Access::Read, &Rc::new(waiting_runtime()?))?;
        let of_store = of_store(&store)?;
        let rule = drafted(rule_id, &draft, &settings, &of_store)?;
        let draft = Draft { rule, place: position.map(|it| it.get() - 1) };
        let of_store =
            live_rules::read(&of_store).map_err(Failure::of("the rules in the store"))?;
        let trial = Trial::new(draft.among(&settings, of_store), &settings);
        let now = Clock::System.now();
        let since = now.before_days(days.into());
        let bar = progress::of_clients(None, messages);
        let span = TrialSpan { since, now, until: None };
        let tried = store.wait(trial.run(&store.handle, span, &|| bar.inc(1)))?;
        bar.finish_and_clear();
        let report = Report { rule: draft.rule, days, since, tried };
        print(match output.output {
            Format::Table => report.text(),
            Format::Json | Format::Jsonl => visible_json(&report.json().to_string()).into_owned(),
        })?;
        report.remarks(messages);
        Ok(Outcome::Done)
    }
}

/// The rule that is tried.
fn drafted(
    rule_id: Option<String>,
    draft: &DraftArguments,
    settings: &RegistrationConfig,
    of_store: &[RuleRecord],
) -> Result<Rule, Failure> {
    let Some(id) = rule_id else { return draft.rule_or_draft(DRAFT) };
    match existing_rule(&id, settings, of_store) {
        Some(before) => draft.edited(&id, &before, &[]),
        None => draft.rule(Some(&id)),
    }
}

struct Report {
    rule: Rule,
    days: u32,
    since: Timestamp,
    tried: Tried,
}

impl Report {
    /// `Would reject 412 of 18,233 clients of the last 30 days, of which 3 are in use:`
    fn text(&self) -> String {
        let Tried { evaluated, decided, in_use, in_use_clients: named, .. } = &self.tried;
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
            .map(|it| {
                let name = visible_line(it.name.as_deref().unwrap_or_default());
                [it.client.to_string(), name, it.connections.to_string()]
            })
            .collect();
        let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
        format!("{summary}:\n\n{}", table(&["CLIENT ID", "NAME", "CONNECTIONS"], rows))
    }

    fn json(&self) -> Value {
        let Tried { evaluated, decided, in_use, in_use_clients, without_source, .. } = &self.tried;
        let named: Vec<Value> = in_use_clients
            .iter()
            .map(|it| {
                let name = visible_line(it.name.as_deref().unwrap_or_default());
                json!({ "client_id": it.client.to_string(), "name": name, "connections": it.connections })
            })
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
        let Tried { in_use, in_use_clients: named, without_source, .. } = &self.tried;
        if *in_use > named.len() as u64 {
            messages.say(format_args!("The latest {} in use are shown.", named.len()));
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
