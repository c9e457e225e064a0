//! `doorward doctor`: is everything there that a server needs, and what is to be done? What is looked at
//! is `doctor/`'s.

use clap::Args;
use serde::Serialize;

use super::{
    exit::{Failure, Outcome},
    output::{Format, Messages, RecordOutput, Results, table, visible_json},
    settings::ServerArguments,
};
use crate::{
    clock::Clock,
    config::{self, ConfigErrors},
    doctor::{self, Finding, Verdict},
};

/// Check that everything a server with these settings needs is in place, and say what to fix
#[derive(Args, Debug)]
#[command(
    after_help = "Looks at the settings, the data folder, the store, the clients that are about to expire, the signing keys, who can read secret files, the clock, Redis, the certificate, the \
providers at which people sign in, the webhooks and the addresses, also while a server runs, and changes nothing. Run it as the user of the server, with its settings. \
The exit code is 1 when there is a problem, and 0 when there are only warnings.

Examples:
  doorward doctor --config doorward.toml
  doorward doctor --config doorward.toml --output jsonl | jq 'select(.verdict != \"ok\")'"
)]
pub(super) struct DoctorArguments {
    /// Leave out the providers at which people sign in: for a check that runs again and again
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    output: RecordOutput,
    #[command(flatten)]
    server: ServerArguments,
}

impl DoctorArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let format = self.output.format();
        let sources = self.server.sources();
        let findings = match config::load(sources.clone()) {
            Ok(config) => {
                let mut findings = vec![settings_are_good()];
                let files = config::secret_files(&sources, &config);
                let found = doctor::examine(&config, &files, &Clock::System, self.offline);
                findings.extend(found.map_err(Failure::of("nothing can be looked at"))?);
                findings
            }
            Err(errors) => faults(&errors),
        };
        report(&findings, format, messages)
    }
}

/// Prints findings, and fails if one is a problem.
pub(super) fn report(
    findings: &[Finding],
    format: Format,
    messages: Messages,
) -> Result<Outcome, Failure> {
    print(findings, format)?;
    let count = |verdict| findings.iter().filter(|it| it.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
    let summary = format!("problems: {problems}, warnings: {warnings}");
    if problems > 0 {
        return Err(Failure::because(summary));
    }
    messages.say(format_args!("No problem was found ({summary})."));
    Ok(Outcome::Done)
}

const SETTINGS: &str = "settings";

pub(super) fn settings_are_good() -> Finding {
    Finding {
        verdict: Verdict::Ok,
        check: SETTINGS,
        place: "all sources".into(),
        what: "they are good".into(),
        advice: None,
        data: None,
    }
}

/// Without settings there is nothing else to look at.
pub(super) fn faults(errors: &ConfigErrors) -> Vec<Finding> {
    let finding = |fault: &str| Finding {
        verdict: Verdict::Problem,
        check: SETTINGS,
        place: "all sources".into(),
        what: fault.to_owned(),
        advice: Some("mend it, and look again: nothing else was looked at".into()),
        data: None,
    };
    errors.to_string().lines().map(finding).collect()
}

/// A finding as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    verdict: &'static str,
    check: &'static str,
    place: &'a str,
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a serde_json::Value>,
}

fn line(finding: &Finding) -> Line<'_> {
    let Finding { verdict, check, place, what, advice, data } = finding;
    let (verdict, advice, data) = (verdict.as_str(), advice.as_deref(), data.as_ref());
    Line { verdict, check, place, what, advice, data }
}

fn print(findings: &[Finding], format: Format) -> Result<(), Failure> {
    let json = |text: serde_json::Result<String>| text.expect("strings under string keys are JSON");
    let mut results = Results::open();
    match format {
        Format::Table => {
            let header = ["VERDICT", "CHECK", "WHERE", "WHAT", "WHAT TO DO"];
            let rows = findings.iter().map(|finding| {
                let Line { verdict, check, place, what, advice, data: _ } = line(finding);
                vec![verdict, check, place, what, advice.unwrap_or_default()]
            });
            results.line(table(&header, rows))?;
        }
        Format::Json => {
            let lines: Vec<Line<'_>> = findings.iter().map(line).collect();
            results.line(visible_json(&json(serde_json::to_string_pretty(&lines))))?;
        }
        Format::Jsonl => {
            for finding in findings {
                results.line(visible_json(&json(serde_json::to_string(&line(finding)))))?;
            }
        }
    }
    results.finish()
}
