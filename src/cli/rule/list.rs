//! `doorward rule list`.

use clap::Args;
use serde_json::{Value, json};

use super::book::Book;
use crate::{
    admission::Rule,
    cli::{
        backend::BackendArguments,
        exit::{Failure, Outcome},
        output::{Format, Messages, RecordOutput, print, table, visible_json, visible_line},
        time::to_rfc3339,
    },
    store::{Access, RuleRecord},
};

/// List the admission rules in the order in which they decide
#[derive(Args, Debug)]
#[command(
    after_help = "The rules of the settings come first, and have no position: give the settings of the servers, or only \
the rules in the store are listed. The last rule, look-alikes, ships with Doorward: registration.look_alikes says \
what it does, and an enforced rule of your own with that id replaces it. A client that no rule decides about gets registration.default.

Examples:
  doorward rule list --config doorward.toml
  doorward rule list --output jsonl | jq -r .id"
)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    backend: BackendArguments,
}

/// A rule of either origin.
enum Shown {
    OfSettings(Box<Rule>),
    OfStore(RuleRecord),
    Shipped(Box<Rule>),
}

impl ListArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let book = Book::open(self.backend, Access::Read)?;
        let Book { of_settings, of_store, shipped, default, .. } = book;
        let all = all(of_settings, of_store, shipped);
        let format = self.output.format();
        if all.is_empty() && format != Format::Json {
            messages.say("There are no admission rules.");
        } else {
            print(text(&all, format))?;
        }
        if format == Format::Table {
            messages.say(format_args!("Clients that no rule decides about: {default}."));
        }
        Ok(Outcome::Done)
    }
}

fn text(all: &[Shown], format: Format) -> String {
    let lines = || all.iter().map(|shown| shown.json().to_string());
    match format {
        Format::Table => {
            let rows: Vec<[String; 4]> = all.iter().map(Shown::row).collect();
            let rows = rows.iter().map(|row| row.iter().map(String::as_str).collect());
            table(&["#", "ID\nORIGIN", "EFFECT\nMODE", "CONDITIONS"], rows)
        }
        Format::Jsonl => visible_json(&lines().collect::<Vec<_>>().join("\n")).into_owned(),
        Format::Json if all.is_empty() => "[]".to_owned(),
        Format::Json => {
            let lines = lines().collect::<Vec<_>>().join(",\n");
            visible_json(&format!("[\n{lines}\n]")).into_owned()
        }
    }
}

/// Every rule, in order.
fn all(of_settings: Vec<Rule>, of_store: Vec<RuleRecord>, shipped: Option<Rule>) -> Vec<Shown> {
    let of_settings = of_settings.into_iter().map(|rule| Shown::OfSettings(Box::new(rule)));
    let of_store = of_store.into_iter().map(Shown::OfStore);
    let shipped = shipped.map(|rule| Shown::Shipped(Box::new(rule)));
    of_settings.chain(of_store).chain(shipped).collect()
}

impl Shown {
    /// The members of the rule, and where it is.
    fn json(&self) -> Value {
        match self {
            Self::OfSettings(rule) => {
                let mut value = members(&rule.to_json());
                value["origin"] = "settings".into();
                value
            }
            Self::Shipped(rule) => {
                let mut value = members(&rule.to_json());
                value["origin"] = "built-in".into();
                value
            }
            Self::OfStore(record) => {
                let mut value = members(&record.rule);
                if !value.is_object() {
                    value = json!({});
                }
                value["id"] = record.rule_id.as_str().into();
                value["origin"] = "store".into();
                value["position"] = (record.position + 1).into();
                value["changed_at"] = to_rfc3339(record.changed_at).into();
                value["changed_by"] = record.changed_by.as_deref().into();
                value
            }
        }
    }

    fn row(&self) -> [String; 4] {
        let value = self.json();
        let text = |name: &str| value[name].as_str().unwrap_or("?").to_owned();
        let position = value["position"].as_u64().map_or_else(String::new, |it| it.to_string());
        [
            position,
            format!("{}\n{}", text("id"), text("origin")),
            format!("{}\n{}", text("effect"), text("mode")),
            conditions(&value),
        ]
    }
}

fn members(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// What a rule looks at, and what else it says, a line for each member.
fn conditions(rule: &Value) -> String {
    const ELSEWHERE: [&str; 7] =
        ["id", "origin", "position", "effect", "mode", "changed_at", "changed_by"];
    let members = rule.as_object().into_iter().flatten();
    let lines: Vec<String> = members
        .filter(|(name, _)| !ELSEWHERE.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", visible_line(&words(value))))
        .collect();
    lines.join("\n")
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
