//! The conditions of a rule, and when a client meets them. A condition that is not given is met; one with several values
//! is met if any of them matches.

use std::str::FromStr as _;

use ipnet::IpNet;

use super::{
    facts::Facts,
    word::{RuleId, SoftwareId, Word, names},
};
use crate::{
    appearance,
    family::{self, Destination, FamilyId, FamilyKey},
};

/// Makes the conditions that are lists of values, so that each is named once.
macro_rules! conditions {
    ($($(#[doc = $about:literal])+ $name:ident: $value:ty,)*) => {
        /// What a client must meet: every condition that is given.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Conditions {
            $($(#[doc = $about])+ pub $name: Vec<$value>,)*
            /// Whether the client goes by a protected name that is not its own.
            pub imitation: Option<bool>,
        }

        impl Conditions {
            /// The names of the conditions that are lists.
            pub(crate) const LISTS: &[&str] = &[$(stringify!($name)),*];

            /// Whether no condition is given.
            pub(super) fn are_none(&self) -> bool {
                self.imitation.is_none() $(&& self.$name.is_empty())*
            }

            /// Reads the list `name` with `reader`.
            pub(super) fn read_list(&mut self, name: &str, reader: &mut impl ListReader) {
                match name {
                    $(stringify!($name) => self.$name = reader.read(),)*
                    _ => {}
                }
            }

            /// Name and texts of each list that is given.
            pub(super) fn texts(&self) -> Vec<(&'static str, Vec<String>)> {
                let lists = [$((stringify!($name), self.$name.iter().map(Word::text).collect::<Vec<_>>())),*];
                lists.into_iter().filter(|(_, texts)| !texts.is_empty()).collect()
            }
        }
    };
}

/// Reads the values of a list, whatever they are written in.
pub(super) trait ListReader {
    fn read<W: Word>(&mut self) -> Vec<W>;
}

conditions! {
    /// How the client came.
    door: Door,
    /// A redirect URI leads there.
    any_destination: DestinationPattern,
    /// Every redirect URI leads to one of these.
    all_destinations: DestinationPattern,
    /// The client's name, without version and parenthesized suffix, looks like this.
    name: NamePattern,
    /// This is part of what the client's name looks like.
    name_contains: NamePart,
    /// The client's family.
    family: FamilyPattern,
    /// What software the client says it is.
    software_id: SoftwareId,
    /// The host at which the client publishes its metadata.
    document_host: HostPattern,
    /// The policy of the initial access token with which the client registers.
    initial_access_token: TokenPolicy,
    /// Where the request comes from.
    source: IpNet,
}

impl Conditions {
    /// Whether redirect URIs decide.
    pub(super) fn look_at_destinations(&self) -> bool {
        !(self.any_destination.is_empty() && self.all_destinations.is_empty())
    }

    /// Whether the client meets all of them.
    pub(super) fn are_met_by(&self, facts: &Facts<'_>) -> bool {
        let candidate = facts.candidate;
        is_any(&self.door, |door| *door == candidate.door)
            && is_any(&self.source, |network| {
                candidate.source.is_some_and(|source| network.contains(&source))
            })
            && is_any(&self.software_id, |id| facts.software_id() == Some(id.as_str()))
            && is_any(&self.document_host, |host| {
                candidate.document_host.is_some_and(|own| host.matches(own))
            })
            && is_any(&self.initial_access_token, |policy| {
                policy.is_of(candidate.initial_access_token)
            })
            && self.destinations_are_met_by(facts)
            && is_any(&self.name, |name| facts.names().short.contains(&name.letters))
            && is_any(&self.name_contains, |part| {
                facts.names().whole.iter().any(|name| name.contains(&part.letters))
            })
            && is_any(&self.family, |family| family.id() == facts.family())
            && self.imitation.is_none_or(|wanted| wanted == candidate.is_imitation)
    }

    fn destinations_are_met_by(&self, facts: &Facts<'_>) -> bool {
        let leads_to = |destination: &Destination<'_>, patterns: &[DestinationPattern]| {
            patterns.iter().any(|pattern| pattern.matches(destination))
        };
        let all = |patterns: &[DestinationPattern]| {
            let destinations = facts.destinations();
            !destinations.is_empty() && destinations.iter().all(|it| leads_to(it, patterns))
        };
        let any = |patterns: &[DestinationPattern]| {
            facts.destinations().iter().any(|it| leads_to(it, patterns))
        };
        (self.all_destinations.is_empty() || all(&self.all_destinations))
            && (self.any_destination.is_empty() || any(&self.any_destination))
    }
}

/// Whether any value matches, or none is given.
fn is_any<T>(values: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(matches)
}

/// How a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It registered at `POST /api/v2/oauth2/register`.
    Datadog,
    /// It registered at `POST /oauth2/register` or `POST /register`.
    Rfc7591,
    /// It publishes its metadata.
    Document,
}

names!(Door, "datadog, rfc7591, or document", "datadog": Datadog, "rfc7591": Rfc7591, "document": Document,);

/// Where redirect URIs may lead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DestinationPattern {
    /// To this place.
    At(Destination<'static>),
    /// To a host below this one.
    Below(String),
}

impl DestinationPattern {
    /// Whether a redirect URI that leads to `destination` matches.
    pub fn matches(&self, destination: &Destination<'_>) -> bool {
        match (self, destination) {
            (Self::At(place), other) => place == other,
            (Self::Below(parent), Destination::Host(host)) => is_below(host, parent),
            (Self::Below(_), Destination::Loopback | Destination::Scheme(_)) => false,
        }
    }
}

impl Word for DestinationPattern {
    const EXPECTED: &'static str = "a host such as app.example, *.app.example for the hosts below it, loopback, or scheme:NAME";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if let Some(parent) = text.strip_prefix("*.") {
            return host(parent).map(Self::Below).ok_or(None);
        }
        Destination::from_str(text).map(Self::At).map_err(|_| None)
    }

    fn text(&self) -> String {
        match self {
            Self::At(destination) => destination.to_string(),
            Self::Below(parent) => format!("*.{parent}"),
        }
    }
}

/// The policy of an initial access token, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPolicy {
    /// The client registers without a token.
    None,
    /// It registers with a token of this policy.
    Named(RuleId),
}

impl TokenPolicy {
    const NONE: &str = "none";

    fn is_of(&self, presented: Option<&str>) -> bool {
        match (self, presented) {
            (Self::None, None) => true,
            (Self::Named(policy), Some(presented)) => policy.as_str() == presented,
            (Self::None, Some(_)) | (Self::Named(_), None) => false,
        }
    }
}

impl Word for TokenPolicy {
    const EXPECTED: &'static str = "the policy of initial access tokens (1 to 64 lower-case letters, digits, hyphens, and underscores), or none";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if text == Self::NONE { Ok(Self::None) } else { RuleId::parse(text).map(Self::Named) }
    }

    fn text(&self) -> String {
        match self {
            Self::None => Self::NONE.to_owned(),
            Self::Named(policy) => policy.text(),
        }
    }
}

/// Hosts at which clients publish their metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host.
    At(String),
    /// A host below this one.
    Below(String),
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::At(own) => own == host,
            Self::Below(parent) => is_below(host, parent),
        }
    }
}

impl Word for HostPattern {
    const EXPECTED: &'static str =
        "a host such as app.example, or *.app.example for the hosts below it";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        match text.strip_prefix("*.") {
            Some(parent) => host(parent).map(Self::Below),
            None => host(text).map(Self::At),
        }
        .ok_or(None)
    }

    fn text(&self) -> String {
        match self {
            Self::At(host) => host.clone(),
            Self::Below(parent) => format!("*.{parent}"),
        }
    }
}

/// A host name in lower case.
fn host(text: &str) -> Option<String> {
    match Destination::from_str(text) {
        Ok(Destination::Host(host)) if !host.starts_with('[') => Some(host.into_owned()),
        _ => None,
    }
}

fn is_below(host: &str, parent: &str) -> bool {
    host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

/// A client name, compared by what it looks like, without version and parenthesized suffix.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    pub(super) letters: String,
}

/// A part of a client name, compared by what it looks like.
#[derive(Clone, Debug)]
pub struct NamePart {
    text: String,
    pub(super) letters: String,
}

/// The longest name in a rule, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// Of a name, whose letters follow from its text by `letters`.
macro_rules! name {
    ($type:ident, $expected:literal, $letters:expr) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $type {}

        impl Word for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, Option<String>> {
                let letters_of: fn(&str) -> String = $letters;
                let letters = letters_of(text);
                if letters.is_empty() || text.chars().count() > NAME_CHARACTERS_MAX {
                    return Err(None);
                }
                Ok(Self { text: text.to_owned(), letters })
            }

            fn text(&self) -> String {
                self.text.clone()
            }
        }
    };
}

name!(NamePattern, "a name of at most 200 characters", |text| {
    appearance::letters_of(&family::family_name(text))
});
name!(NamePart, "part of a name, at most 200 characters", appearance::letters_of);

/// A family, by its key or by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyPattern {
    /// `None` if the identifier is given.
    key: Option<FamilyKey>,
    id: FamilyId,
}

impl FamilyPattern {
    pub(super) const fn id(&self) -> FamilyId {
        self.id
    }
}

impl Word for FamilyPattern {
    const EXPECTED: &'static str =
        "a family, such as claude code@claude.ai,loopback, or its identifier";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        if let Ok(id) = text.parse() {
            return Ok(Self { key: None, id });
        }
        let key: FamilyKey = text.parse().map_err(|_| None)?;
        Ok(Self { id: key.id(), key: Some(key) })
    }

    fn text(&self) -> String {
        self.key.as_ref().map_or_else(|| self.id.to_string(), FamilyKey::to_string)
    }
}
