//! A rule on the command line: by an option for each of its members, or as JSON.

use std::io::{self, Read as _};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{admission::Rule, cli::exit::Failure, json};

/// More than any rule that the store keeps.
const JSON_BYTES_MAX: u64 = 1 << 20;

/// Makes the options, so that each member is named once.
macro_rules! members {
    (
        lists: $($(#[doc = $list_about:literal])+ $list:ident as $list_value:literal,)+;
        texts: $($(#[doc = $text_about:literal])+ $text:ident as $text_value:literal,)+;
    ) => {
        /// The members of a rule, as in the settings.
        #[derive(Args, Debug, Default)]
        pub(super) struct MemberArguments {
            $($(#[doc = $list_about])+
            #[arg(long, value_name = $list_value, help_heading = "Conditions")]
            $list: Vec<String>,)+
            /// The client goes by a protected name that is not its own, or does not
            #[arg(long, value_name = "BOOL", help_heading = "Conditions")]
            imitation: Option<bool>,
            /// The scopes that a client which the rule lets in may hold at most
            #[arg(long, value_name = "SCOPE")]
            ceiling: Vec<String>,
            /// After how many days a client that the rule lets in is removed, whatever its use
            #[arg(long, value_name = "DAYS")]
            expires_days: Option<u32>,
            $($(#[doc = $text_about])+
            #[arg(long, value_name = $text_value)]
            $text: Option<String>,)+
        }

        impl MemberArguments {
            /// Those that are given, in the JSON form.
            fn given(&self) -> Vec<(&'static str, Value)> {
                let mut given = Vec::new();
                $(if !self.$list.is_empty() {
                    given.push((stringify!($list), json!(self.$list)));
                })+
                if !self.ceiling.is_empty() {
                    given.push(("ceiling", json!(self.ceiling)));
                }
                given.extend(self.expires_days.map(|days| ("expires_days", json!(days))));
                given.extend(self.imitation.map(|is_imitation| ("imitation", json!(is_imitation))));
                $(given.extend(self.$text.as_ref().map(|text| (stringify!($text), json!(text))));)+
                given
            }
        }
    };
}

members! {
    lists:
    /// The client came this way: datadog, rfc7591, or document
    door as "DOOR",
    /// At least one redirect URI leads to one of these hosts, *.hosts, loopback, or scheme:NAME
    any_destination as "PLACE",
    /// Every redirect URI leads to one of these
    all_destinations as "PLACE",
    /// A name of the client looks like one of these, without version and parenthesized suffix
    name as "NAME",
    /// Part of a name of the client looks like one of these
    name_contains as "TEXT",
    /// The software identifier that the client states
    software_id as "ID",
    /// The host at which the client publishes its metadata document, or *.host
    document_host as "HOST",
    /// The policy of the initial access token with which the client registers, or none
    initial_access_token as "POLICY",
    /// The network from which the request comes
    source as "NETWORK",
    ;
    texts:
    /// The family of the client, such as claude code@loopback
    family as "FAMILY",
    /// The decision: allow, hold, or reject
    effect as "EFFECT",
    /// A label for the clients that the rule lets in, to find them by
    label as "LABEL",
    /// The text for the developer of a rejected client
    reason as "TEXT",
    /// Whether the rule decides or only counts: enforce or observe [default: enforce]
    mode as "MODE",
    /// Why the rule exists
    note as "TEXT",
    ;
}

/// A rule, whole or in part.
#[derive(Args, Debug)]
pub(super) struct DraftArguments {
    #[command(flatten)]
    members: MemberArguments,
    /// The whole rule as a JSON object; - reads it from standard input
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
}

impl DraftArguments {
    /// Whether nothing is given.
    pub(super) fn is_empty(&self) -> bool {
        self.json.is_none() && self.members.given().is_empty()
    }

    /// A new rule.
    pub(super) fn rule(&self, id: Option<&str>) -> Result<Rule, Failure> {
        let mut members = match (&self.json, id) {
            (Some(json), _) => object(json)?,
            (None, Some(_)) => Map::new(),
            (None, None) => return Err(Failure::Usage("the rule needs an id".to_owned())),
        };
        if let Some(id) = id {
            members.insert("id".to_owned(), id.into());
        }
        self.with_given(members)
    }

    /// A new rule, with this id if none is given.
    pub(super) fn rule_or_draft(&self, id: &str) -> Result<Rule, Failure> {
        let mut members = match &self.json {
            Some(json) => object(json)?,
            None => Map::new(),
        };
        members.entry("id").or_insert_with(|| id.into());
        self.with_given(members)
    }

    /// A rule that replaces the one of this JSON form.
    pub(super) fn edited(
        &self,
        id: &str,
        before: &str,
        cleared: &[String],
    ) -> Result<Rule, Failure> {
        let mut members = match &self.json {
            Some(json) => object(json)?,
            None => object(before)?,
        };
        for member in cleared {
            if members.remove(&member.replace('-', "_")).is_none() {
                return Err(Failure::Usage(format!("rule {id} has no {member} to clear")));
            }
        }
        members.insert("id".to_owned(), id.into());
        let given = self.members.given();
        // The reason of a rejection goes with it.
        let is_effect =
            |effect: &str| given.iter().any(|(name, value)| *name == "effect" && value == effect);
        if is_effect("allow") || is_effect("hold") {
            members.remove("reason");
        }
        self.with_given(members)
    }

    fn with_given(&self, mut members: Map<String, Value>) -> Result<Rule, Failure> {
        for (name, value) in self.members.given() {
            members.insert(name.to_owned(), value);
        }
        parse(&Value::Object(members).to_string())
    }
}

/// The rule of a JSON form.
pub(super) fn parse(json: &str) -> Result<Rule, Failure> {
    Rule::from_json(json.as_bytes()).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::Usage(faults.join("\n       "))
    })
}

fn object(json: &str) -> Result<Map<String, Value>, Failure> {
    let mut text = json.to_owned();
    if json == "-" {
        text.clear();
        io::stdin()
            .take(JSON_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(Failure::of("cannot read the rule"))?;
    }
    // The strict reader finds a member that appears twice, too.
    let read = json::read(text.as_bytes()).map(drop);
    let fault = read.err().map(|error| format!("rule: {} {}", error.pointer, error.problem));
    match (fault, serde_json::from_str::<Value>(&text)) {
        (None, Ok(Value::Object(members))) => Ok(members),
        (fault, _) => {
            Err(Failure::Usage(fault.unwrap_or_else(|| "rule: is no JSON object".to_owned())))
        }
    }
}
