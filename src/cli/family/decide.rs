//! `doorward family suspend`, `resume`, and `remove`.

use clap::Args;
use indicatif::ProgressBar;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{Found, change_at, find, path};
use crate::{
    cli::{
        author::author,
        backend::{Backend, BackendArguments},
        client::{family, remark},
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal, number, visible_line},
        progress,
        remote::Server,
        settings::OpenStore,
    },
    family::FamilyId,
    store::{
        Access, FamilyAccess, FamilyEdit, FamilyEdited, FamilyRecord, FamilyRemoval, Standing,
    },
};

#[derive(Args, Debug)]
pub(in crate::cli) struct DecideArguments {
    /// The families: identifiers, or keys such as "claude code@loopback"
    #[arg(value_name = "FAMILY", required = true, value_parser = family)]
    families: Vec<FamilyId>,
    /// Why, for the audit event
    #[arg(long, value_name = "TEXT", value_parser = remark)]
    reason: Option<String>,
    /// Do not ask before people lose access; needed where there is no terminal to ask on
    #[arg(long, short)]
    yes: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    backend: BackendArguments,
}

/// What an operator decides about a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Suspend,
    Resume,
    Remove,
}

impl Decision {
    const fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Remove => "remove",
        }
    }

    /// Whether the decision takes something away.
    const fn is_hard(self) -> bool {
        !matches!(self, Self::Resume)
    }

    /// What the decision is about in a family.
    fn extent(self, family: &FamilyRecord, access: FamilyAccess) -> String {
        let clients = number(family.clients, "client", "clients");
        if self.is_hard() {
            let connections = number(access.grants, "connection", "connections");
            let people = number(access.people, "person", "people");
            format!("{clients}, {connections} of {people}")
        } else {
            clients
        }
    }
}

impl DecideArguments {
    pub(super) fn run(self, decision: Decision, messages: Messages) -> Result<Outcome, Failure> {
        let is_asked = decision.is_hard() && !self.yes && !self.dry_run;
        needs_a_terminal(!is_asked, decision.verb())?;
        let access = if self.dry_run { Access::Read } else { Access::Command };
        let backend = self.backend.open(access)?;
        let (chosen, mut is_complete) = choose(&backend, &self.families, decision)?;
        for (family, access) in &chosen {
            let (label, extent) = (label(family), decision.extent(family, *access));
            if self.dry_run {
                messages.say(format_args!("Would {} {label}: {extent}.", decision.verb()));
            } else if is_asked {
                insist(format_args!("{label}: {extent}."));
            }
        }
        if self.dry_run {
            return Ok(Outcome::from_verdict(is_complete));
        }
        let families = if chosen.len() == 1 { "this family" } else { "these families" };
        if is_asked
            && !chosen.is_empty()
            && !is_confirmed(&format!("Do you want to {} {families}?", decision.verb()))
        {
            insist("Nothing was changed.");
            return Ok(Outcome::No);
        }
        for (family, _) in &chosen {
            is_complete &= decide(&backend, family, decision, self.reason.as_deref(), messages)?;
        }
        backend.close()?;
        Ok(Outcome::from_verdict(is_complete))
    }
}

fn label(family: &FamilyRecord) -> String {
    visible_line(&family.key)
}

type Chosen = Vec<(FamilyRecord, FamilyAccess)>;

/// The families that the decision applies to, and whether those are all; says why of each other one. A suspension that
/// was cut short goes on: a suspended family that still has connections is suspended again.
fn choose(
    backend: &Backend,
    named: &[FamilyId],
    decision: Decision,
) -> Result<(Chosen, bool), Failure> {
    let (mut chosen, mut is_complete): (Chosen, bool) = (Vec::new(), true);
    for id in named {
        let Some(Found { family, access, .. }) = find(backend, *id)? else {
            insist(format_args!("There is no family {id}."));
            is_complete = false;
            continue;
        };
        if chosen.iter().any(|(other, _)| other.family_id == *id) {
            continue;
        }
        let applies = match decision {
            Decision::Suspend => family.standing != Standing::Suspended || access.grants > 0,
            Decision::Resume => family.standing == Standing::Suspended,
            Decision::Remove => true,
        };
        if applies {
            chosen.push((family, access));
        } else {
            insist(format_args!("{} is already {}.", label(&family), family.standing));
            is_complete = false;
        }
    }
    Ok((chosen, is_complete))
}

/// Makes the decision; false where the family changed in the meantime, which this says.
fn decide(
    backend: &Backend,
    family: &FamilyRecord,
    decision: Decision,
    reason: Option<&str>,
    messages: Messages,
) -> Result<bool, Failure> {
    let label = label(family);
    let is_suspended = match decision {
        Decision::Suspend => true,
        Decision::Resume => false,
        Decision::Remove => {
            let removed = remove(backend, family, reason, messages)?;
            let removed = number(removed, "client", "clients");
            messages.say(format_args!("Removed {removed} of {label}."));
            return Ok(true);
        }
    };
    let edited = match backend {
        Backend::Store(store) => edit(store, family, is_suspended, reason, messages)?,
        Backend::Server(server) => {
            let standing = if is_suspended { Standing::Suspended } else { Standing::Active };
            let attributes = json!({ "standing": standing.as_str() });
            change_at(server, family.family_id, attributes, reason)?
        }
    };
    match edited {
        FamilyEdited::Now { is_changed: false, .. } if !is_suspended => {
            insist(format_args!("{label} is already {}.", Standing::Active));
            return Ok(false);
        }
        FamilyEdited::Now { .. } if !is_suspended => {
            messages.say(format_args!("Resumed {label}: people can allow its clients again."));
        }
        FamilyEdited::Now { ended, .. } => {
            let ended = number(ended as u64, "connection", "connections");
            let told = "and no one can allow its clients";
            messages.say(format_args!("Suspended {label}: {ended} ended, {told}."));
        }
        FamilyEdited::Superseded | FamilyEdited::NotThere => {
            insist(format_args!("There is no family {label}."));
            return Ok(false);
        }
    }
    Ok(true)
}

fn edit(
    store: &OpenStore,
    family: &FamilyRecord,
    is_suspended: bool,
    reason: Option<&str>,
    messages: Messages,
) -> Result<FamilyEdited, Failure> {
    let bar = if is_suspended {
        progress::of_clients(Some(family.clients), messages)
    } else {
        ProgressBar::hidden()
    };
    let watch = |clients: usize, _| bar.inc(clients as u64);
    let reason = reason.map(str::to_owned);
    let edit = FamilyEdit { is_suspended: Some(is_suspended), reason, ..FamilyEdit::default() };
    let edited = store.wait(store.handle.edit_family(family.family_id, edit, author(), &watch))?;
    bar.finish_and_clear();
    Ok(edited)
}

/// Removes the clients of a family, and returns how many there were.
fn remove(
    backend: &Backend,
    family: &FamilyRecord,
    reason: Option<&str>,
    messages: Messages,
) -> Result<u64, Failure> {
    let bar = progress::of_clients(Some(family.clients), messages);
    let removed = match backend {
        Backend::Store(store) => {
            let watch = |clients: usize| bar.inc(clients as u64);
            let reason = reason.unwrap_or("family_removed").to_owned();
            let removal = FamilyRemoval { reason, ..FamilyRemoval::default() };
            store
                .wait(store.handle.remove_family(family.family_id, removal, author(), &watch))?
                .unwrap_or_default()
        }
        Backend::Server(server) => remove_at(server, family.family_id, reason, &bar)?,
    };
    bar.finish_and_clear();
    Ok(removed)
}

/// The same at a server, which removes as many in one call as it has time for.
fn remove_at(
    server: &Server,
    id: FamilyId,
    reason: Option<&str>,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let reason = reason.unwrap_or("family_removed");
    let first = format!("{}?reason={}", path(id), utf8_percent_encode(reason, NON_ALPHANUMERIC));
    let (mut removed, mut next) = (0, first.clone());
    loop {
        let meta = &server.remove(&next)?.done()?["meta"];
        if let Some(event) = meta["removal"].as_str() {
            next = format!("{first}&continues={event}");
        }
        let count = |name: &str| meta[name].as_u64().unwrap_or_default();
        removed += count("clients_removed");
        bar.set_position(removed);
        if count("clients_left") == 0 || count("clients_removed") == 0 {
            return Ok(removed);
        }
    }
}
