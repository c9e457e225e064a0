//! `doorward family suspend`, `resume`, and `remove`.

use clap::Args;
use indicatif::ProgressBar;

use crate::{
    cli::{
        author::author,
        client::{family, remark},
        exit::{Failure, Outcome},
        output::{Messages, insist, is_confirmed, needs_a_terminal, number, visible_line},
        progress,
        settings::{OpenStore, StoreArguments},
    },
    clock::Clock,
    family::FamilyId,
    store::{Access, FamilyAccess, FamilyRecord, Standing, StandingChanged},
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
    store: StoreArguments,
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
        let store = self.store.open(access)?;
        let (chosen, mut is_complete) = choose(&store, &self.families, decision)?;
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
            is_complete &= decide(&store, family, decision, self.reason.as_deref(), messages)?;
        }
        store.close()?;
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
    store: &OpenStore,
    named: &[FamilyId],
    decision: Decision,
) -> Result<(Chosen, bool), Failure> {
    let now = Clock::System.now();
    let (mut chosen, mut is_complete): (Chosen, bool) = (Vec::new(), true);
    for id in named {
        let Some(family) = store.wait(store.handle.family(*id))? else {
            insist(format_args!("There is no family {id}."));
            is_complete = false;
            continue;
        };
        if chosen.iter().any(|(other, _)| other.family_id == *id) {
            continue;
        }
        let access = store.wait(store.handle.family_access(*id, now))?;
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
    store: &OpenStore,
    family: &FamilyRecord,
    decision: Decision,
    reason: Option<&str>,
    messages: Messages,
) -> Result<bool, Failure> {
    let (handle, id) = (&store.handle, family.family_id);
    let label = label(family);
    let bar = if decision.is_hard() {
        progress::of_clients(Some(family.clients), messages)
    } else {
        ProgressBar::hidden()
    };
    let told = match decision {
        Decision::Suspend => {
            let watch = |clients: usize, _| bar.inc(clients as u64);
            let changed = store.wait(handle.suspend_family(id, reason, author(), &watch))?;
            let ended = match changed {
                StandingChanged::Now { ended } => ended as u64,
                StandingChanged::Is(_) => 0,
                StandingChanged::NotThere => return Ok(gone(&label)),
            };
            let ended = number(ended, "connection", "connections");
            format!("Suspended {label}: {ended} ended, and no one can allow its clients.")
        }
        Decision::Resume => {
            match store.wait(handle.resume_family(id, reason, author()))? {
                StandingChanged::Now { .. } => {}
                StandingChanged::Is(standing) => {
                    insist(format_args!("{label} is already {standing}."));
                    return Ok(false);
                }
                StandingChanged::NotThere => return Ok(gone(&label)),
            }
            format!("Resumed {label}: people can allow its clients again.")
        }
        Decision::Remove => {
            let watch = |clients: usize| bar.inc(clients as u64);
            let reason = reason.unwrap_or("family_removed");
            let removed = store.wait(handle.remove_family(id, reason, author(), &watch))?;
            format!("Removed {} of {label}.", number(removed, "client", "clients"))
        }
    };
    bar.finish_and_clear();
    messages.say(told);
    Ok(true)
}

fn gone(label: &str) -> bool {
    insist(format_args!("There is no family {label}."));
    false
}
