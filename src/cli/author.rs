//! Who runs a command, for the audit.

use crate::{
    audit::{Actor, Author},
    clock::Clock,
    entropy::Entropy,
};

/// The author of what a command changes: the user of this machine who runs it.
pub(super) fn author() -> Author {
    let user = rustix::process::getuid();
    let actor = Actor::Operator(format!("uid:{}", user.as_raw()));
    Author::new(actor, Clock::System.now(), Entropy::System)
}
