//! `doorward client approve`, `reject`, `suspend`, and `resume`.

use clap::Args;
use serde_json::json;

use super::{
    known::{Connections, Known},
    remark,
};
use crate::{
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        exit::{Failure, Outcome},
        grant,
        output::{Messages, insist, is_confirmed, needs_a_terminal},
    },
    client::ClientIdentifier,
    clock::Clock,
    store::{Access, ClientEdited, Standing, StandingChanged, Transition},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct StandingArguments {
    /// The clients: UUIDs, or URLs of metadata documents
    #[arg(value_name = "CLIENT_ID", required = true, value_parser = grant::client)]
    client_ids: Vec<ClientIdentifier>,
    /// Why, for the audit event
    #[arg(long, value_name = "TEXT", value_parser = remark)]
    reason: Option<String>,
    /// Do not ask before people lose access or a client is removed; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

/// What an operator decides about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Approve,
    Reject,
    Suspend,
    Resume,
}

impl Decision {
    /// How the standing changes. A rejected client is removed, and begins where an approved one does.
    const fn transition(self) -> &'static Transition {
        match self {
            Self::Approve | Self::Reject => &Transition::APPROVE,
            Self::Suspend => &Transition::SUSPEND,
            Self::Resume => &Transition::RESUME,
        }
    }

    /// The standing that the operator API takes for it.
    const fn standing(self) -> &'static str {
        match self {
            Self::Approve | Self::Resume => Standing::Active.as_str(),
            Self::Reject => "rejected",
            Self::Suspend => Standing::Suspended.as_str(),
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
        }
    }

    const fn past(self) -> &'static str {
        match self {
            Self::Approve => "Approved",
            Self::Reject => "Rejected",
            Self::Suspend => "Suspended",
            Self::Resume => "Resumed",
        }
    }

    /// Whether access or a client is lost.
    const fn loses(self) -> bool {
        matches!(self, Self::Reject | Self::Suspend)
    }

    /// What the decision means for people; `is_done` when it is made.
    fn effect(self, connections: Connections, is_done: bool) -> String {
        match (self, is_done) {
            (Self::Approve, _) => "people can allow it".to_owned(),
            (Self::Reject, false) => "it would be removed".to_owned(),
            (Self::Reject, true) => "it is removed".to_owned(),
            (Self::Suspend, false) if connections.number == 0 => "no one is connected".to_owned(),
            (Self::Suspend, true) if connections.number == 0 => "no one was connected".to_owned(),
            (Self::Suspend, false) => format!("{} would end", connections.words()),
            (Self::Suspend, true) => format!("{} ended", connections.words()),
            (Self::Resume, _) => "people have to allow it again".to_owned(),
        }
    }
}

/// A client that a decision applies to, and what people have allowed it.
type Chosen = (Known, Connections);

impl StandingArguments {
    pub(super) fn run(self, decision: Decision, messages: Messages) -> Result<Outcome, Failure> {
        let verb = decision.verb().to_ascii_lowercase();
        let is_sure = self.yes || self.dry_run || !decision.loses();
        needs_a_terminal(is_sure, &verb)?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let backend = self.backend.open(access)?;
        let named = self.client_ids.len();
        let chosen = choose(&backend, self.client_ids, decision)?;
        let mut is_complete = chosen.len() == named;
        if self.dry_run {
            for (client, connections) in &chosen {
                let effect = decision.effect(*connections, false);
                messages.say(format_args!("Would {verb} {}: {effect}.", client.label()));
            }
        } else if is_sure || chosen.is_empty() || confirm(&chosen, decision) {
            for (client, connections) in &chosen {
                let is_decided = decide(&backend, client, decision, self.reason.as_deref())?;
                is_complete &= is_decided;
                if is_decided {
                    let effect = decision.effect(*connections, true);
                    let label = client.label();
                    messages.say(format_args!("{} {label}: {effect}.", decision.past()));
                }
            }
        } else {
            insist("Nothing was changed.");
            is_complete = false;
        }
        backend.close()?;
        Ok(Outcome::from_verdict(is_complete))
    }
}

/// The clients that the decision applies to; says why of each other one.
fn choose(
    backend: &Backend,
    named: Vec<ClientIdentifier>,
    decision: Decision,
) -> Result<Vec<Chosen>, Failure> {
    let now = Clock::System.now();
    let mut chosen: Vec<Chosen> = Vec::new();
    for identifier in named {
        let Some(client) = Known::find(backend, &identifier)? else {
            insist(format_args!("There is no client {identifier}."));
            continue;
        };
        let standing = client.state().standing;
        if !decision.transition().from.contains(&standing) {
            refuse(&client, standing, decision);
        } else if chosen.iter().any(|(other, _)| other.identifier == identifier) {
            insist(format_args!("{} is named twice.", client.label()));
        } else {
            let connections = client.connections(backend, now)?;
            chosen.push((client, connections));
        }
    }
    Ok(chosen)
}

/// Says that a client is not where the decision begins.
fn refuse(client: &Known, standing: Standing, decision: Decision) {
    let label = client.label();
    match decision.transition().from {
        [expected] => insist(format_args!("{label} is {standing}, not {expected}.")),
        _ => insist(format_args!("{label} is already {standing}.")),
    }
}

fn confirm(chosen: &[Chosen], decision: Decision) -> bool {
    for (client, connections) in chosen {
        let effect = decision.effect(*connections, false);
        insist(format_args!("{}: {effect}.", client.label()));
    }
    let clients = if chosen.len() == 1 { "client" } else { "clients" };
    is_confirmed(&format!("{} {} {clients}?", decision.verb(), chosen.len()))
}

/// Makes the decision; false where the client changed in the meantime, which this says.
fn decide(
    backend: &Backend,
    client: &Known,
    decision: Decision,
    reason: Option<&str>,
) -> Result<bool, Failure> {
    let transition = decision.transition();
    let standing = match backend {
        Backend::Store(store) => {
            let identifier = &client.identifier;
            let changed = if decision == Decision::Reject {
                let reason = reason.unwrap_or("by_operator");
                store.wait(store.handle.reject_client(identifier, reason, author()))?
            } else {
                let changing =
                    store.handle.change_standing(identifier, transition, reason, author());
                store.wait(changing)?
            };
            match changed {
                StandingChanged::Now { .. } => return Ok(true),
                StandingChanged::Is(standing) => Some(standing),
                StandingChanged::NotThere => None,
            }
        }
        Backend::Server(server) => {
            let mut attributes = json!({ "standing": decision.standing() });
            if let Some(reason) = reason {
                attributes["reason"] = reason.into();
            }
            let admits = |standing| transition.from.contains(&standing);
            match client.change_at(server, &attributes, admits)? {
                ClientEdited::Now => return Ok(true),
                ClientEdited::Is(standing) => Some(standing),
                ClientEdited::NotThere | ClientEdited::Superseded => None,
            }
        }
    };
    match standing {
        Some(standing) => refuse(client, standing, decision),
        None => insist(format_args!("There is no client {}.", client.identifier)),
    }
    Ok(false)
}
