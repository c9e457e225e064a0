//! `doorward metadata`: the offline dry run of a registration. It goes through the very functions of the
//! endpoint, so that the server cannot disagree.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    client::profile_parser,
    exit::{Failure, Outcome},
    output::{Format, ReportOutput, Results, visible_json, visible_line},
    settings::SettingsArguments,
};
use crate::{
    client::ProfileName,
    config::RegistrationConfig,
    metadata_policy::{BODY_BYTES_MAX, Violation},
    registration,
};

/// Try client metadata without registering it
#[derive(Subcommand, Debug)]
pub(super) enum MetadataCommand {
    Check(CheckArguments),
}

impl MetadataCommand {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Check(arguments) => arguments.run(),
        }
    }
}

/// Tell whether this metadata would register, and if not, why
#[derive(Args, Debug)]
#[command(
    after_help = "It tells what would be registered otherwise than it was sent, and every reason of a \
refusal. The exit code is 0 when a profile accepts the metadata, and 3 when none does.

Examples:
  doorward metadata check client.json
  curl -s https://app.example/client.json | doorward metadata check - --profile datadog"
)]
pub(super) struct CheckArguments {
    /// A registration request's JSON body; - for standard input
    file: PathBuf,
    /// Try this profile of the endpoint alone
    #[arg(long, value_parser = profile_parser())]
    profile: Option<ProfileName>,
    #[command(flatten)]
    output: ReportOutput,
    #[command(flatten)]
    settings: SettingsArguments,
}

impl CheckArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let body = read(&self.file)?;
        let config = self.settings.load()?;
        let profiles = match self.profile {
            Some(only) => vec![only],
            None => vec![ProfileName::Datadog, ProfileName::Rfc7591],
        };
        let verdicts: Vec<Verdict> = profiles
            .into_iter()
            .map(|profile| Verdict::of(&body, profile, &config.registration))
            .collect();
        let mut results = Results::open();
        match self.output.output {
            Format::Table => {
                for verdict in &verdicts {
                    results.line(verdict)?;
                }
            }
            Format::Json => results.line(visible_json(&json(&verdicts)))?,
            Format::Jsonl => {
                for verdict in &verdicts {
                    results.line(visible_json(&json(verdict)))?;
                }
            }
        }
        results.finish()?;
        Ok(Outcome::from_verdict(verdicts.iter().any(|verdict| verdict.accepted)))
    }
}

/// At most a byte more than any profile reads, which is enough to be refused for its length.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let input: io::Result<Box<dyn Read>> = if path == Path::new("-") {
        Ok(Box::new(io::stdin().lock()))
    } else {
        File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let mut body = Vec::new();
    input
        .and_then(|input| input.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut body))
        .map_err(Failure::of(format!("cannot read {}", path.display())))?;
    Ok(body)
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings and JSON values are JSON")
}

/// What one profile says.
#[derive(Serialize)]
struct Verdict {
    profile: &'static str,
    accepted: bool,
    /// The metadata that would be registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    /// How it differs from what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Difference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Refusal>,
}

/// One reason of a refusal.
#[derive(Serialize)]
struct Refusal {
    pointer: String,
    code: &'static str,
    reason: String,
}

impl From<Violation> for Refusal {
    fn from(Violation { pointer, code, reason }: Violation) -> Self {
        Self { pointer, code: code.as_str(), reason }
    }
}

/// A member that is registered otherwise than it was sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    change: &'static str,
    member: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<Value>,
}

impl Verdict {
    fn of(body: &[u8], profile: ProfileName, settings: &RegistrationConfig) -> Self {
        let refused = |violations| Self {
            profile: profile.as_str(),
            accepted: false,
            metadata: None,
            changes: Vec::new(),
            violations,
        };
        if body.len() > BODY_BYTES_MAX {
            let reason = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            return refused(vec![Refusal {
                pointer: String::new(),
                code: "invalid_request",
                reason,
            }]);
        }
        match registration::check(body, profile, settings) {
            Err(violations) => refused(violations.into_iter().map(Refusal::from).collect()),
            Ok(registered) => {
                let registered: Value = serde_json::from_str(&registered).unwrap_or_default();
                let sent: Value = serde_json::from_slice(body).unwrap_or_default();
                Self {
                    profile: profile.as_str(),
                    accepted: true,
                    changes: changes(&sent, &registered),
                    metadata: Some(registered),
                    violations: Vec::new(),
                }
            }
        }
    }
}

/// What a developer would be surprised by: members that get another value, that get none, and that get
/// one although they were not sent. `null` and `""` are as good as not sent.
fn changes(sent: &Value, registered: &Value) -> Vec<Difference> {
    let none = Map::new();
    let sent = sent.as_object().unwrap_or(&none);
    let registered = registered.as_object().unwrap_or(&none);
    let was_sent = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    let mut members: Vec<&String> = sent.keys().chain(registered.keys()).collect();
    members.sort();
    members.dedup();
    let change = |member: &String| {
        let sent = sent.get(member).filter(was_sent).cloned();
        let registered = registered.get(member).cloned();
        let change = match (&sent, &registered) {
            (Some(sent), Some(registered)) if sent != registered => "replaced",
            (Some(_), None) => "left out",
            (None, Some(_)) => "filled in",
            _ => return None,
        };
        Some(Difference { change, member: member.clone(), sent, registered })
    };
    members.into_iter().filter_map(change).collect()
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.accepted { "accepted" } else { "refused" };
        write!(f, "{}: {verdict}", self.profile)?;
        for Difference { change, member, sent, registered } in &self.changes {
            write!(f, "\n  {change:<9}  {}", visible_line(member))?;
            let value = |value: &Option<Value>| {
                value.as_ref().map(|value| visible_json(&value.to_string()).into_owned())
            };
            match (value(sent), value(registered)) {
                (Some(sent), Some(registered)) => write!(f, ": {sent} becomes {registered}")?,
                (None, Some(registered)) => write!(f, ": {registered}")?,
                _ => {}
            }
        }
        for Refusal { pointer, code, reason } in &self.violations {
            let place = if pointer.is_empty() { "the body" } else { pointer };
            write!(f, "\n  {}  {code}  {}", visible_line(place), visible_line(reason))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_between_request_and_registration_is_told() {
        let sent = json!({
            "same": 1, "other": "a", "gone": [], "empty": "", "null": null, "defaulted": "",
        });
        let registered = json!({ "same": 1, "other": "b", "new": true, "defaulted": "x" });

        let told: Vec<_> = changes(&sent, &registered)
            .into_iter()
            .map(|change| (change.change, change.member))
            .collect();

        let expected = [
            ("filled in", "defaulted"),
            ("left out", "gone"),
            ("filled in", "new"),
            ("replaced", "other"),
        ];
        assert_eq!(told, expected.map(|(change, member)| (change, member.to_owned())));
    }
}
