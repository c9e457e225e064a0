//! The one JSON form of a rule, which stores keep, the API speaks, and commands read. Strict: a member that is unknown,
//! repeated, or invalid is an error, and every error names the rule and the member. A list of one value may be written as
//! that value alone.

use super::{
    Conditions, EXPIRES_DAYS_MAX, Effect, EffectName, Mode, Rule, RuleId, Terms, Word,
    condition::ListReader,
};
use crate::json::{self, Object, Value, write_text};

/// The most values of one condition.
const VALUES_MAX: usize = 1_000;

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {}{reason}", place(.member))]
pub struct RuleFault {
    /// The id of the rule; `(no id)` if it has no valid one.
    pub rule: String,
    /// The member, and the place in its list; empty for what is wrong with the rule as a whole.
    pub member: String,
    /// What is wrong there.
    pub reason: String,
}

fn place(member: &str) -> String {
    if member.is_empty() { String::new() } else { format!("{member}: ") }
}

const NO_ID: &str = "(no id)";

impl Rule {
    /// Reads a rule from its JSON form, or everything that is wrong with it.
    ///
    /// # Errors
    /// At least one fault.
    pub fn from_json(text: &[u8]) -> Result<Self, Vec<RuleFault>> {
        let object = json::read(text).map_err(|error| {
            vec![RuleFault {
                rule: NO_ID.to_owned(),
                member: error.pointer.trim_start_matches('/').replace('/', "."),
                reason: error.problem.to_string(),
            }]
        })?;
        let mut members = Members { object: &object, faults: Vec::new() };
        let rule = members.rule();
        let Members { faults, .. } = members;
        match rule {
            Some(rule) if faults.is_empty() => Ok(rule),
            _ => Err(named(faults, &object)),
        }
    }

    /// The rule in its JSON form, on one line.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        member(&mut json, "id", |json| write_text(json, self.id.as_str()));
        if let Some(note) = &self.note {
            member(&mut json, "note", |json| write_text(json, note.as_str()));
        }
        for (name, texts) in self.conditions.texts() {
            member(&mut json, name, |json| write_list(json, &texts));
        }
        if let Some(is_imitation) = self.conditions.imitation {
            member(&mut json, "imitation", |json| {
                json.push_str(if is_imitation { "true" } else { "false" });
            });
        }
        member(&mut json, "effect", |json| write_text(json, &self.effect.name().text()));
        if let Effect::Reject(reason) = &self.effect {
            member(&mut json, "reason", |json| write_text(json, reason.as_str()));
        }
        if let Some(ceiling) = &self.terms.ceiling {
            let scopes: Vec<String> = ceiling.iter().map(Word::text).collect();
            member(&mut json, "ceiling", |json| write_list(json, &scopes));
        }
        if let Some(label) = &self.terms.label {
            member(&mut json, "label", |json| write_text(json, label.as_str()));
        }
        if let Some(days) = self.terms.expires_days {
            member(&mut json, "expires_days", |json| json.push_str(&days.to_string()));
        }
        member(&mut json, "mode", |json| write_text(json, self.mode.as_str()));
        json.push('}');
        json
    }
}

fn member(json: &mut String, name: &str, write: impl FnOnce(&mut String)) {
    if json.len() > 1 {
        json.push(',');
    }
    write_text(json, name);
    json.push(':');
    write(json);
}

fn write_list(json: &mut String, texts: &[String]) {
    json.push('[');
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_text(json, text);
    }
    json.push(']');
}

/// Gives each fault the name of the rule.
fn named(faults: Vec<RuleFault>, object: &Object<'_>) -> Vec<RuleFault> {
    let id = match object.get("id") {
        Some(Value::String(id)) if RuleId::parse(id).is_ok() => &**id,
        _ => NO_ID,
    };
    faults.into_iter().map(|fault| RuleFault { rule: id.to_owned(), ..fault }).collect()
}

/// The members of a rule, read one by one, so that every fault is found.
struct Members<'json> {
    object: &'json Object<'json>,
    faults: Vec<RuleFault>,
}

impl Members<'_> {
    fn rule(&mut self) -> Option<Rule> {
        self.refuse_unknown();
        let id = self.required("id");
        let note = self.text("note");
        let conditions = self.conditions();
        let effect = self.effect();
        let terms = Terms {
            ceiling: self.object.get("ceiling").map(|_| self.list("ceiling", true)),
            label: self.text("label"),
            expires_days: self.expires_days(),
        };
        let mode =
            if self.object.get("mode").is_some() { self.text("mode") } else { Some(Mode::Enforce) };
        let rule = Rule { id: id?, note, conditions, effect: effect?, terms, mode: mode? };
        if self.faults.is_empty()
            && let Some(fault) = rule.fault()
        {
            self.refuse("", fault);
        }
        Some(rule)
    }

    fn refuse(&mut self, member: &str, reason: impl Into<String>) {
        self.faults.push(RuleFault {
            rule: String::new(),
            member: member.to_owned(),
            reason: reason.into(),
        });
    }

    fn refuse_unknown(&mut self) {
        const OTHERS: &[&str] = &[
            "id",
            "note",
            "imitation",
            "effect",
            "reason",
            "ceiling",
            "label",
            "expires_days",
            "mode",
        ];
        for (name, _) in self.object.iter() {
            if !OTHERS.contains(&name) && !Conditions::LISTS.contains(&name) {
                self.refuse(name, "is no member of a rule");
            }
        }
    }

    fn required<W: Word>(&mut self, name: &str) -> Option<W> {
        if self.object.get(name).is_none() {
            self.refuse(name, "is required");
        }
        self.text(name)
    }

    fn text<W: Word>(&mut self, name: &str) -> Option<W> {
        let value = self.object.get(name)?;
        self.word(name, value)
    }

    fn word<W: Word>(&mut self, place: &str, value: &Value<'_>) -> Option<W> {
        let Value::String(text) = value else {
            self.refuse(place, format!("expected {}", W::EXPECTED));
            return None;
        };
        match W::parse(text) {
            Ok(word) => Some(word),
            Err(hint) => {
                let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
                self.refuse(place, format!("expected {}, found {text:?}{hint}", W::EXPECTED));
                None
            }
        }
    }

    /// The values of a list. An empty one would match nothing or everything, depending on its reader.
    fn list<W: Word>(&mut self, name: &str, may_be_empty: bool) -> Vec<W> {
        match self.object.get(name) {
            None => Vec::new(),
            Some(Value::Array(entries)) if entries.is_empty() && !may_be_empty => {
                self.refuse(name, "is empty: leave it out, or give it a value");
                Vec::new()
            }
            Some(Value::Array(entries)) if entries.len() > VALUES_MAX => {
                self.refuse(name, format!("has more than {VALUES_MAX} values"));
                Vec::new()
            }
            Some(Value::Array(entries)) => {
                let entries = entries.iter().enumerate();
                entries
                    .filter_map(|(at, entry)| self.word(&format!("{name}[{at}]"), entry))
                    .collect()
            }
            Some(value) => self.word(name, value).into_iter().collect(),
        }
    }

    fn conditions(&mut self) -> Conditions {
        let mut conditions = Conditions::default();
        for name in Conditions::LISTS {
            conditions.read_list(name, &mut List { members: self, name });
        }
        match self.object.get("imitation") {
            None => {}
            Some(Value::Bool(is_imitation)) => conditions.imitation = Some(*is_imitation),
            Some(_) => self.refuse("imitation", "expected true or false"),
        }
        conditions
    }

    fn effect(&mut self) -> Option<Effect> {
        let name: Option<EffectName> = self.required("effect");
        let has_reason = self.object.get("reason").is_some();
        let reason = self.text("reason");
        if has_reason && reason.is_none() {
            return None;
        }
        let effect = Effect::of(name?, reason);
        effect.map_err(|reason| self.refuse("effect", reason)).ok()
    }

    fn expires_days(&mut self) -> Option<u32> {
        let value = self.object.get("expires_days")?;
        let days = match value {
            Value::Number(number) => number.as_u64().and_then(|days| u32::try_from(days).ok()),
            _ => None,
        };
        let days = days.filter(|days| (1..=EXPIRES_DAYS_MAX).contains(days));
        if days.is_none() {
            self.refuse(
                "expires_days",
                format!("expected an integer from 1 to {EXPIRES_DAYS_MAX}"),
            );
        }
        days
    }
}

/// One list of the members.
struct List<'members, 'json> {
    members: &'members mut Members<'json>,
    name: &'static str,
}

impl ListReader for List<'_, '_> {
    fn read<W: Word>(&mut self) -> Vec<W> {
        self.members.list(self.name, false)
    }
}
