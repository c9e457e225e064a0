//! `doorward guard`: what the guard would decide, by the function that decides.

use std::{
    io::{self, Read as _},
    rc::Rc,
    sync::Arc,
};

use clap::{Args, Subcommand};

use super::{
    exit::{Failure, Outcome},
    output::{Results, visible_line},
    settings::{OpenStore, StoreArguments, waiting_runtime},
};
use crate::{
    app::App,
    clock::{Clock, Timestamp},
    config::{Config, Secret},
    entropy::Entropy,
    grant::GrantId,
    guard::{
        Asked, Authorized, Decided, Decision, Found, Guarded, Guards, Tool, decide, find,
        mcp::{self, MessageFault, MessageKind},
        misfits, split_address,
    },
    keys::{self, KeysError},
    store::Access,
};

/// More than any access token has.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

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
    --tool delete_repo --scope 'tools:read'
  doorward guard explain -c doorward.toml --resource tools --method POST --url https://mcp.example.com/mcp \\
    --scope 'tools:read' --body - < message.json")]
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
    /// Read the request body on standard input, which names the tool; the value is -
    #[arg(long, value_name = "-", value_parser = ["-"], conflicts_with_all = ["tool", "token"])]
    body: Option<String>,
    /// The origin of the page that sends the request
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Assume a valid token with these scopes, separated by spaces
    #[arg(long, value_name = "SCOPES", conflicts_with = "token")]
    scope: Option<String>,
    /// Try the access token on standard input; the value is -, so that no token is in the list of processes
    #[arg(long, value_name = "-", value_parser = ["-"])]
    token: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

impl ExplainArguments {
    fn run(self) -> Result<Outcome, Failure> {
        let config = self.store.load()?;
        let guarded = guarded(&config, &self.resource)?;
        let (address, target) = split_address(&self.url).ok_or_else(|| {
            Failure::Usage("--url is a whole URL, such as https://mcp.example.com/mcp".into())
        })?;
        let called = match self.body {
            Some(_) => called_by_body(&guarded)?,
            None => Ok(self.tool),
        };
        let called = match called {
            Ok(called) => called,
            Err(fault) => {
                let mut results = Results::open();
                results.line(format_args!("resource  {}", guarded.uri))?;
                results.line(format_args!("decision  400: {fault}"))?;
                results.finish()?;
                return Ok(Outcome::from_verdict(false));
            }
        };
        let asked = Asked {
            method: &self.method,
            address,
            target: target.as_bytes(),
            origin: self.origin.as_deref().map(str::as_bytes),
            is_preflight: false,
            tool: called.as_deref().map_or(Tool::None, Tool::Called),
            ambiguity: None,
        };
        let found = match (self.token, self.scope) {
            (Some(_), _) => found(config, &guarded.uri)?,
            (None, Some(scope)) => Found::Valid(assumed(scope)),
            (None, None) => Found::Nothing,
        };
        let decided = decide(&guarded, &asked, found.presented());
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

/// The tool that the body on standard input calls, as the built-in proxy reads it.
fn called_by_body(guarded: &Guarded) -> Result<Result<Option<String>, MessageFault>, Failure> {
    if guarded.settings.upstream.is_none() {
        let what = "a proxy in front sends no body to the guard: name the tool with --tool instead";
        return Err(Failure::Usage(what.into()));
    }
    let mut body = Vec::new();
    let max = guarded.settings.body_max as u64;
    let read = io::stdin().lock().take(max).read_to_end(&mut body);
    read.map_err(Failure::of("cannot read standard input"))?;
    Ok(mcp::read_body(&body).map(|message| match message.kind {
        MessageKind::Call(tool) => Some(tool),
        _ => None,
    }))
}

/// The resource with the guard of this id, or of this URI.
fn guarded(config: &Config, named: &str) -> Result<Guarded, Failure> {
    let all = config.authorization.resources.iter();
    let mut all = all.filter_map(|resource| Guarded::of(resource, config));
    all.find(|guarded| guarded.settings.id == named || guarded.uri == named).ok_or_else(|| {
        Failure::Usage(format!("no guarded resource has the id or URI {}", visible_line(named)))
    })
}

/// What the token on standard input is worth now, by the keys and the grants in the store.
fn found(mut config: Config, resource: &str) -> Result<Found, Failure> {
    let cannot = "the token cannot be verified";
    let mut token = String::new();
    let input = io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut token);
    input.map_err(Failure::of("cannot read standard input"))?;
    let secret = keys::secret_there(&config).map_err(Failure::of(cannot))?;
    config.token.keys_secret = Secret::new(secret.as_deref().unwrap_or_default());
    let store = OpenStore::open(config.clone(), Access::Read, &Rc::new(waiting_runtime()?))?;
    let handle = Arc::clone(&store.handle);
    let found = store.wait_for(async {
        let app = App::new(config, handle, Clock::System, Entropy::System);
        let guards = Guards::new(&app.config, &app.internet);
        let now = app.clock.now();
        app.keys.read(&app.store, now).await?;
        Ok(find(&app, &guards, token.trim(), resource, now).await)
    });
    store.close()?;
    match found.map_err(|error: KeysError| Failure::of(cannot)(error))? {
        Found::Unknown(error) => Err(Failure::of(cannot)(error.to_string())),
        found => Ok(found),
    }
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
        identity: Arc::default(),
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
        Decision::SignIn { scope, fault } => {
            let fault = fault.map_or_else(String::new, |fault| format!("{fault}: "));
            (false, format!("401: {fault}needs a token{}", scopes(scope)))
        }
        Decision::StepUp { scope } => (false, format!("403: needs a token{}", scopes(scope))),
        Decision::Denied => (false, "403: the rule denies every request".into()),
        Decision::Rejected(refusal) => (false, format!("{}: {refusal}", refusal.status())),
    }
}
