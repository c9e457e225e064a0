//! `doorward client restrict`.

use clap::Args;
use serde_json::json;

use super::known::{Connections, Known};
use crate::{
    ceiling::Ceiling,
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        grant,
        output::{Messages, insist, is_confirmed, needs_a_terminal},
    },
    client::{ClientIdentifier, Scope},
    clock::Clock,
    store::Access,
};

/// Restrict the scopes of a client; ends the connections that have another one
#[derive(Args, Debug)]
#[command(
    after_help = "The consent page offers only what is left. Scopes that are allowed again add nothing to the \
connections that exist.

Examples:
  doorward client restrict 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --only \"read search\" --dry-run
  doorward client restrict https://app.example/client.json --except admin --yes
  doorward client restrict 019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e --lift"
)]
pub(in crate::cli) struct RestrictArguments {
    /// The client: a UUID, or the URL of a metadata document
    #[arg(value_parser = grant::client)]
    client_id: ClientIdentifier,
    #[command(flatten)]
    ceiling: CeilingArguments,
    /// Do not ask before people lose access; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct CeilingArguments {
    /// The scopes that may be held, separated by spaces; scopes that the catalogue gains later are not among them
    #[arg(long, value_name = "SCOPES", value_parser = tokens)]
    only: Option<Tokens>,
    /// The scopes that may not be held; what the catalogue gains later may
    #[arg(long, value_name = "SCOPES", value_parser = tokens)]
    except: Option<Tokens>,
    /// Lift the restriction
    #[arg(long)]
    pub(in crate::cli) lift: bool,
}

/// Scope tokens.
#[derive(Clone, Debug)]
struct Tokens(Vec<String>);

/// Reads a list of scope tokens, which may be empty.
fn tokens(text: &str) -> Result<Tokens, String> {
    let scope = Scope::parse(text).map_err(|error| error.to_string())?;
    Ok(Tokens(scope.iter().flat_map(Scope::tokens).map(str::to_owned).collect()))
}

impl CeilingArguments {
    /// The ceiling; `None` lifts it.
    pub(in crate::cli) fn ceiling(self) -> Option<Ceiling> {
        let only = self.only.map(|Tokens(tokens)| Ceiling::Only(tokens));
        only.or(self.except.map(|Tokens(tokens)| Ceiling::Except(tokens)))
    }
}

impl RestrictArguments {
    pub(super) fn run(self, messages: Messages) -> Result<Outcome, Failure> {
        let is_sure = self.yes || self.dry_run || self.ceiling.lift;
        needs_a_terminal(is_sure, "restrict")?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let backend = self.backend.open(access)?;
        let Some(client) = Known::find(&backend, &self.client_id)? else {
            insist(format_args!("There is no client {}.", self.client_id));
            return Ok(Outcome::No);
        };
        let ceiling = self.ceiling.ceiling();
        let words = ceiling.as_ref().map_or_else(|| "every scope".to_owned(), Ceiling::words);
        let is_above = |scope: Option<&Scope>| {
            ceiling.as_ref().is_some_and(|ceiling| !ceiling.allows_all(scope))
        };
        let now = Clock::System.now();
        let lost = client.connections_if(&backend, now, |grant| is_above(grant.scope.as_ref()))?;
        let label = client.label();
        let outcome = if self.dry_run {
            messages.say(format_args!(
                "Would let {label} hold {words}: {}.",
                effect(lost, "would end")
            ));
            Outcome::Done
        } else if is_sure || confirm(&label, &words, lost) {
            match &backend {
                Backend::Store(store) => {
                    store.wait(store.handle.restrict_client(&self.client_id, ceiling, author()))?;
                }
                Backend::Server(server) => {
                    client.change_at(server, &json!({ "ceiling": ceiling }), |_| true)?;
                }
            }
            messages.say(format_args!("{label} may hold {words}: {}.", effect(lost, "ended")));
            Outcome::Done
        } else {
            insist("Nothing was changed.");
            Outcome::No
        };
        backend.close()?;
        Ok(outcome)
    }
}

fn effect(lost: Connections, verb: &str) -> String {
    if lost.number == 0 {
        format!("no connection {verb}")
    } else {
        format!("{} {verb}", lost.words())
    }
}

fn confirm(label: &str, words: &str, lost: Connections) -> bool {
    insist(format_args!("{label}: {}.", effect(lost, "would end")));
    is_confirmed(&format!("Let it hold {words}?"))
}
