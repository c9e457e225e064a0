//! What rules look at of a client, each worked out at most once, and only if a rule asks.

use std::{cell::OnceCell, net::IpAddr};

use super::Door;
use crate::{
    appearance::{self, Appearance},
    client::{ClientMetadata, ClientName, Text},
    family::{self, Destination, FamilyId, FamilyKey},
};

/// A client that asks to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How it came.
    pub door: Door,
    /// What it says of itself.
    pub metadata: &'a ClientMetadata,
    /// Where it publishes that, in lower case; `None` for a client that registers.
    pub document_host: Option<&'a str>,
    /// Where the request comes from; `None` if that is unknown, and then no network matches.
    pub source: Option<IpAddr>,
    /// The policy of its initial access token, if it registers with one.
    pub initial_access_token: Option<&'a str>,
    /// Whether it goes by a protected name that is not its own.
    pub is_imitation: bool,
}

/// What the names of a client look like, in letters of [`appearance`].
pub(super) struct Names {
    /// Of whole names.
    pub(super) whole: Vec<String>,
    /// Of whole names, and of names without version and suffix.
    pub(super) short: Vec<String>,
}

pub(super) struct Facts<'a> {
    pub(super) candidate: &'a Candidate<'a>,
    destinations: OnceCell<Vec<Destination<'a>>>,
    names: OnceCell<Names>,
    family: OnceCell<FamilyId>,
}

impl<'a> Facts<'a> {
    pub(super) const fn of(candidate: &'a Candidate<'a>) -> Self {
        Self {
            candidate,
            destinations: OnceCell::new(),
            names: OnceCell::new(),
            family: OnceCell::new(),
        }
    }

    /// Where its redirect URIs lead, in their order.
    pub(super) fn destinations(&self) -> &[Destination<'a>] {
        self.destinations.get_or_init(|| {
            self.candidate.metadata.redirect_uris.as_slice().iter().map(Destination::of).collect()
        })
    }

    /// What its names look like, those with a language tag among them.
    pub(super) fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let metadata = self.candidate.metadata;
            let localized =
                metadata.localized.iter().filter(|(member, _)| member.starts_with("client_name#"));
            let names = metadata.client_name.iter().map(ClientName::as_str);
            let mut all = Names { whole: Vec::new(), short: Vec::new() };
            for name in names.chain(localized.map(|(_, name)| name.as_str())) {
                all.whole.extend(letters(name));
                all.short.extend(letters(&family::family_name(name)));
            }
            all.short.extend(all.whole.iter().cloned());
            all
        })
    }

    pub(super) fn family(&self) -> FamilyId {
        *self.family.get_or_init(|| FamilyKey::of(self.candidate.metadata).id())
    }

    pub(super) fn software_id(&self) -> Option<&'a str> {
        self.candidate.metadata.software_id.as_ref().map(Text::as_str)
    }
}

fn letters(name: &str) -> impl Iterator<Item = String> {
    Appearance::all_of(name).map(|seen| appearance::letters(&seen))
}
