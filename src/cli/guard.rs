//! `doorward guard`: what the guard would decide, by the function that decides.

use clap::{Args, Subcommand};

use super::{
    exit::{Failure, Outcome},
    output::{Results, visible_line},
    settings::SettingsArguments,
};
use crate::{
    clock::Timestamp,
    config::Config,
    grant::GrantId,
    guard::{
        Asked, Authorized, Decided, Decision, Guarded, Presented, Tool, decide, misfits,
        split_address,
    },
};

/// Try requests to guarded resources
#[derive(Subcommand, Debug)]
pub(super) enum GuardCommand {
    Explain(ExplainArguments),
}

impl GuardCommand {
    pub(super) fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Explain(arguments) => arguments.run(),
        }
    }
}

/// Say what the guard would decide about a request, and why
#[derive(Args, Debug)]
#[command(after_help = "The exit code is 0 when the request would go on, and 3 when it would not.

Examples:
  doorward guard explain -c doorward.toml --resource tools --method POST --url https://mcp.example.com/mcp
  doorward guard explain -c doorward.toml --resource tools --method POST --url https://mcp.example.com/mcp \\
    --tool delete_repo --scope 'tools:read'")]
pub(super) struct ExplainArguments {
    /// The resource: the id of its guard, or its URI
    #[arg(long, value_name = "RESOURCE")]
    resource: String,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// The URL that the client requests
    #[arg(long, value_name = "URL")]
    url: String,
    /// The tool that the request calls
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// The origin of the page that sends the request
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Assume a valid token with these scopes, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    #[command(flatten)]
    settings: SettingsArguments,
}

impl ExplainArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let config = self.settings.load()?;
        let guarded = guarded(&config, &self.resource)?;
        let (address, target) = split_address(&self.url).ok_or_else(|| {
            Failure::Usage("--url is a whole URL, such as https://mcp.example.com/mcp".into())
        })?;
        let asked = Asked {
            method: &self.method,
            address,
            target: target.as_bytes(),
            origin: self.origin.as_deref().map(str::as_bytes),
            is_preflight: false,
            tool: self.tool.as_deref().map_or(Tool::None, Tool::Called),
            ambiguity: None,
        };
        let authorized = self.scope.map(assumed);
        let presented = authorized.as_ref().map_or(Presented::Nothing, Presented::Valid);
        let decided = decide(&guarded, &asked, presented);
        let mut results = Results::open();
        results.line(format_args!("resource  {}", guarded.uri))?;
        let misfits = misfits(&guarded, &asked);
        for (nth, misfit) in
            misfits.iter().enumerate().take(decided.rule.map_or(misfits.len(), |nth| nth + 1))
        {
            let verdict =
                misfit.map_or_else(|| "matches".to_owned(), |why| format!("does not match: {why}"));
            results.line(format_args!("rules[{nth}]  {verdict}"))?;
        }
        let (goes_on, told) = told(&decided);
        results.line(format_args!("decision  {}", visible_line(&told)))?;
        results.finish()?;
        Ok(Outcome::from_verdict(goes_on))
    }
}

/// The resource with the guard of this id, or of this URI.
fn guarded(config: &Config, named: &str) -> Result<Guarded, Failure> {
    let all = config.authorization.resources.iter();
    let mut all = all.filter_map(|resource| Guarded::of(resource, config));
    all.find(|guarded| guarded.settings.id == named || guarded.uri == named).ok_or_else(|| {
        Failure::Usage(format!("no guarded resource has the id or URI {}", visible_line(named)))
    })
}

/// A token with these scopes, of a grant with the same.
fn assumed(scope: String) -> Authorized {
    Authorized {
        subject: String::new(),
        client_id: String::new(),
        grant: GrantId::from_bytes([0; 16]),
        granted: scope.clone(),
        scope,
        expires_at: Timestamp::from_millis(u64::MAX),
    }
}

/// Whether the request goes on, and the decision in words.
fn told(decided: &Decided<'_>) -> (bool, String) {
    let scopes = |scope: &str| match scope {
        "" => String::new(),
        scope => format!(" with the scopes {scope}"),
    };
    match &decided.decision {
        Decision::Public => (true, "200: the path is public".into()),
        Decision::Allow(_) => (true, "200: the token has all scopes".into()),
        Decision::Preflight => (true, "200: a browser asks about the origin".into()),
        Decision::SignIn { scope, .. } => (false, format!("401: needs a token{}", scopes(scope))),
        Decision::StepUp { scope } => (false, format!("403: needs a token{}", scopes(scope))),
        Decision::Denied => (false, "403: the rule denies every request".into()),
        Decision::Rejected(refusal) => (false, format!("{}: {refusal}", refusal.status())),
    }
}
