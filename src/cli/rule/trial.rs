//! `doorward rule try`: what a rule would have decided about the clients that came lately.

use clap::Args;
use serde_json::{Value, json};

use super::{
    book::{Book, Source, members, replacing},
    draft::DraftArguments,
    id,
};
use crate::{
    admission::{Rule, Word as _},
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        output::{Format, Messages, ReportOutput, print, table, visible_json, visible_line},
        progress,
        remote::Server,
        settings::OpenStore,
        time::to_rfc3339,
    },
    clock::{Clock, Timestamp},
    live_rules, paths,
    registration::{Draft, Trial, TrialSpan, Tried, TriedClient},
    store::Access,
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
    backend: BackendArguments,
}

/// The id of a draft without one.
const DRAFT: &str = "draft";

impl TryArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let Self { rule_id, draft, position, days, output, backend } = self;
        let book = Book::open(backend, Access::Read)?;
        let rule = drafted(rule_id, &draft, &book)?;
        let draft = Draft { rule, place: position.map(|it| it.get() - 1) };
        let (since, tried) = match &book.source {
            Source::Store(store, settings) => {
                let of_store = live_rules::read(&book.of_store);
                let of_store = of_store.map_err(Failure::of("the rules in the store"))?;
                let trial = Trial::new(draft.among(settings, of_store), settings);
                try_beside(store, &trial, days, messages)?
            }
            Source::Server(server) => try_at(server, &book, &draft, days)?,
        };
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
fn drafted(rule_id: Option<String>, draft: &DraftArguments, book: &Book) -> Result<Rule, Failure> {
    let Some(id) = rule_id else { return draft.rule_or_draft(DRAFT) };
    match existing(book, &id) {
        Some(before) => draft.edited(&id, &before, &[]),
        None => draft.rule(Some(&id)),
    }
}

/// The JSON form of the rule with this id.
fn existing(book: &Book, id: &str) -> Option<String> {
    let others = book.of_settings.iter().chain(&book.shipped);
    let other = others.into_iter().find(|rule| rule.id.as_str() == id).map(Rule::to_json);
    other.or_else(|| book.stored(id).map(|rule| rule.rule.clone()))
}

/// Since when clients were evaluated, and what the rule would have decided.
type Outcomes = Result<(Timestamp, Tried), Failure>;

fn try_beside(store: &OpenStore, trial: &Trial, days: u32, messages: Messages) -> Outcomes {
    let now = Clock::System.now();
    let since = now.before_days(days.into());
    let bar = progress::of_clients(None, messages);
    let span = TrialSpan { since, now, until: None };
    let tried = store.wait(trial.run(&store.handle, span, &|| bar.inc(1)))?;
    bar.finish_and_clear();
    Ok((since, tried))
}

fn try_at(server: &Server, book: &Book, draft: &Draft, days: u32) -> Outcomes {
    let id = draft.rule.id.as_str();
    let before = existing(book, id);
    let before_members = before.as_deref().map(members).unwrap_or_default();
    let rule = replacing(&before_members, members(&draft.rule.to_json()));
    let mut attributes = json!({ "rule": rule, "days": days });
    if before.is_some() {
        attributes["rule_id"] = id.into();
    }
    if let Some(place) = draft.place {
        attributes["position"] = (place + 1).into();
    }
    let reply = server.create(paths::RULE_TRIAL, "oauth2_admission_rule_trials", &attributes)?;
    let tried = &reply.done()?["data"]["attributes"];
    read(tried).ok_or_else(|| server.unreadable("the trial is incomplete"))
}

/// The trial of a resource of the operator API.
fn read(tried: &Value) -> Option<(Timestamp, Tried)> {
    let count = |name: &str| tried[name].as_u64();
    let client = |client: &Value| {
        Some(TriedClient {
            client: client["client_id"].as_str()?.parse().ok()?,
            name: client["name"].as_str().map(str::to_owned),
            connections: usize::try_from(client["connections"].as_u64()?).ok()?,
        })
    };
    let clients = |name: &str| -> Option<Vec<TriedClient>> {
        tried[name].as_array()?.iter().map(client).collect()
    };
    let since = Timestamp::from_rfc3339(tried["since"].as_str()?)?;
    let tried = Tried {
        evaluated: count("evaluated")?,
        decided: count("matched")?,
        in_use: count("in_use")?,
        in_use_clients: clients("in_use_clients")?,
        other_clients: clients("other_clients")?,
        without_source: count("without_source")?,
        is_complete: tried["is_complete"].as_bool()?,
    };
    Some((since, tried))
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
        let Tried { in_use, in_use_clients: named, without_source, is_complete, .. } = &self.tried;
        if !is_complete {
            messages.say("The server had no time for earlier clients: the latest were evaluated.");
        }
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
