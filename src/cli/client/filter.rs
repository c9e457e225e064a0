//! Which clients a command is about.

use std::net::IpAddr;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ipnet::IpNet;

use crate::{
    admission::{DestinationPattern, Word},
    cli::{settings::one_of, time},
    client::ProfileName,
    clock::Timestamp,
    family::{FamilyId, FamilyKey},
    store::{ClientFilter, ClientFlags, Standing},
};

/// Which clients are meant: those that pass every filter.
#[derive(Args, Debug)]
pub(super) struct FilterArguments {
    /// Only clients that came through this door
    #[arg(long, visible_alias = "door", value_parser = profile_parser())]
    profile: Option<ProfileName>,
    /// Only clients with this flag
    #[arg(long, value_parser = flag_parser())]
    flag: Vec<ClientFlags>,
    /// Only clients registered at this time or later: 2026-11-23T19:30:00Z, 2026-11-23, or 12h (ago)
    #[arg(long, visible_alias = "registered-from", value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
    /// Only clients registered before this time
    #[arg(long, visible_alias = "registered-until", value_name = "TIME", value_parser = time::parse)]
    until: Option<Timestamp>,
    /// Only clients for which this standing holds: their own, or that of their suspended family
    #[arg(long, value_parser = standing_parser())]
    standing: Option<Standing>,
    /// Only clients whose name contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Only clients with a redirect URI that leads there: a host, *.HOST, loopback, or scheme:NAME
    #[arg(long, value_name = "DESTINATION", value_parser = destination)]
    destination: Option<DestinationPattern>,
    /// Only clients of this family (see `family list`): its identifier, or a key such as "claude code@loopback"
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    family: Option<FamilyId>,
    /// Only clients with this label, which an admission rule gave them
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Only clients that registered from this network or address
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    source: Option<IpNet>,
    /// Only clients last used at this time or later
    #[arg(long, visible_alias = "used-from", value_name = "TIME", value_parser = time::parse)]
    used_since: Option<Timestamp>,
    /// Only clients last used before this time; clients that were never used are left out
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    used_until: Option<Timestamp>,
    /// Only clients that were never used
    #[arg(long, conflicts_with_all = ["used_since", "used_until"])]
    unused: bool,
}

impl FilterArguments {
    /// The names of these arguments.
    pub(super) const NAMES: [&str; 13] = [
        "profile",
        "flag",
        "since",
        "until",
        "standing",
        "name",
        "destination",
        "family",
        "label",
        "source",
        "used_since",
        "used_until",
        "unused",
    ];

    pub(super) fn into_filter(self) -> ClientFilter {
        let mut flags = ClientFlags::default();
        for flag in self.flag {
            flags.insert(flag);
        }
        ClientFilter {
            profile: self.profile,
            flags,
            issued_from: self.since,
            issued_until: self.until,
            standing: self.standing,
            name_contains: self.name,
            destination: self.destination,
            family: self.family,
            label: self.label,
            source: self.source,
            used_from: self.used_since,
            used_until: self.used_until,
            is_unused: self.unused,
        }
    }
}

/// The values of `--profile`.
pub(in crate::cli) fn profile_parser() -> impl TypedValueParser<Value = ProfileName> {
    one_of([ProfileName::Datadog, ProfileName::Rfc7591].map(ProfileName::as_str))
}

fn flag_parser() -> impl TypedValueParser<Value = ClientFlags> {
    PossibleValuesParser::new(ClientFlags::LOOK_ALIKE.names()).map(|_| ClientFlags::LOOK_ALIKE)
}

pub(in crate::cli) fn standing_parser() -> impl TypedValueParser<Value = Standing> {
    one_of(Standing::ALL.iter().map(|standing| standing.as_str()))
}

pub(in crate::cli) fn destination(text: &str) -> Result<DestinationPattern, String> {
    DestinationPattern::parse(text).map_err(|reason| {
        reason.unwrap_or_else(|| format!("write {}", DestinationPattern::EXPECTED))
    })
}

/// A family by its identifier or its key.
pub(in crate::cli) fn family(text: &str) -> Result<FamilyId, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    text.parse::<FamilyKey>().map(|key| key.id()).map_err(|_| {
        "write a family's identifier, or a key such as \"claude code@loopback\"".to_owned()
    })
}

/// A network, or the network of one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    text.parse::<IpNet>().map(|network| network.trunc()).or_else(|_| address()).map_err(|_| {
        "write a network such as 203.0.113.0/24 or 2001:db8::/32, or an address".to_owned()
    })
}
