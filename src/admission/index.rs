//! Finds the few rules that can match a client without looking at all of them. Each rule stands under the values of one
//! of its conditions, the most telling one: that whose values the fewest rules share. A client leads to the rules under
//! its own values; these are then evaluated in full, in order.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::IpAddr,
};

use aho_corasick::AhoCorasick;
use ipnet::IpNet;

use super::{
    Rule,
    condition::{Conditions, DestinationPattern, HostPattern},
    facts::Facts,
};
use crate::family::{Destination, FamilyId};

/// A value of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    SoftwareId(String),
    Family(FamilyId),
    Name(String),
    NamePart(String),
    DocumentHost(String),
    BelowDocumentHost(String),
    Host(String),
    BelowHost(String),
    Scheme(String),
    Loopback,
    Network(IpNet),
}

/// The places of the rules under each value, in order.
type Places<V> = HashMap<V, Vec<usize>>;

#[derive(Debug, Default)]
pub(super) struct Index {
    software_ids: Places<String>,
    families: Places<FamilyId>,
    names: Places<String>,
    name_parts: NameParts,
    document_hosts: Places<String>,
    below_document_hosts: Places<String>,
    hosts: Places<String>,
    below_hosts: Places<String>,
    schemes: Places<String>,
    loopback: Vec<usize>,
    networks: Places<IpNet>,
    /// The lengths of prefixes among the networks, apart for each version of IP.
    prefixes: [BTreeSet<u8>; 2],
    /// Rules without a condition that tells clients apart.
    others: Vec<usize>,
}

/// Parts of names, all looked for at once.
#[derive(Debug, Default)]
struct NameParts {
    searcher: Option<AhoCorasick>,
    places: Vec<Vec<usize>>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let conditions: Vec<Vec<Vec<Value>>> =
            rules.iter().map(|rule| values(&rule.conditions)).collect();
        let mut sharing: HashMap<&Value, usize> = HashMap::new();
        for value in conditions.iter().flatten().flatten() {
            *sharing.entry(value).or_default() += 1;
        }
        let mut index = Self::default();
        let mut name_parts: Vec<(String, usize)> = Vec::new();
        for (place, conditions) in conditions.iter().enumerate() {
            let shared =
                |values: &&Vec<Value>| values.iter().map(|value| sharing[value]).sum::<usize>();
            match conditions.iter().min_by_key(shared) {
                Some(values) => {
                    for value in values {
                        index.insert(value, place, &mut name_parts);
                    }
                }
                None => index.others.push(place),
            }
        }
        index.name_parts = NameParts::of(name_parts);
        index
    }

    fn insert(&mut self, value: &Value, place: usize, name_parts: &mut Vec<(String, usize)>) {
        fn put<V: Eq + Hash + Clone>(places: &mut Places<V>, value: &V, place: usize) {
            places.entry(value.clone()).or_default().push(place);
        }
        match value {
            Value::SoftwareId(id) => put(&mut self.software_ids, id, place),
            Value::Family(id) => put(&mut self.families, id, place),
            Value::Name(name) => put(&mut self.names, name, place),
            Value::NamePart(part) => name_parts.push((part.clone(), place)),
            Value::DocumentHost(host) => put(&mut self.document_hosts, host, place),
            Value::BelowDocumentHost(host) => put(&mut self.below_document_hosts, host, place),
            Value::Host(host) => put(&mut self.hosts, host, place),
            Value::BelowHost(host) => put(&mut self.below_hosts, host, place),
            Value::Scheme(scheme) => put(&mut self.schemes, scheme, place),
            Value::Loopback => self.loopback.push(place),
            Value::Network(network) => {
                self.prefixes[version(network.addr())].insert(network.prefix_len());
                put(&mut self.networks, network, place);
            }
        }
    }

    /// The places of all rules that can match, in order.
    pub(super) fn possible(&self, facts: &Facts<'_>) -> Vec<usize> {
        let mut found = self.others.clone();
        self.by_document_host(facts, &mut found);
        self.by_source(facts, &mut found);
        self.by_destination(facts, &mut found);
        self.by_name(facts, &mut found);
        if !self.software_ids.is_empty()
            && let Some(id) = facts.software_id()
        {
            add(&self.software_ids, id, &mut found);
        }
        if !self.families.is_empty() {
            found.extend(self.families.get(&facts.family()).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn by_document_host(&self, facts: &Facts<'_>, found: &mut Vec<usize>) {
        if let Some(host) = facts.candidate.document_host {
            let host = host.strip_suffix('.').unwrap_or(host);
            add(&self.document_hosts, host, found);
            add_below(&self.below_document_hosts, host, found);
        }
    }

    fn by_source(&self, facts: &Facts<'_>, found: &mut Vec<usize>) {
        let Some(source) = facts.candidate.source else { return };
        for prefix in &self.prefixes[version(source)] {
            let network = IpNet::new(source, *prefix).map(|network| network.trunc());
            found.extend(network.ok().and_then(|it| self.networks.get(&it)).into_iter().flatten());
        }
    }

    fn by_destination(&self, facts: &Facts<'_>, found: &mut Vec<usize>) {
        let has_none = self.hosts.is_empty()
            && self.below_hosts.is_empty()
            && self.schemes.is_empty()
            && self.loopback.is_empty();
        if has_none {
            return;
        }
        let all = facts.destinations();
        for (at, destination) in all.iter().enumerate() {
            // A client may name one destination fifty times.
            if all.iter().take(at).any(|before| before == destination) {
                continue;
            }
            match destination {
                Destination::Host(host) => {
                    add(&self.hosts, host, found);
                    add_below(&self.below_hosts, host, found);
                }
                Destination::Scheme(scheme) => add(&self.schemes, scheme, found),
                Destination::Loopback => found.extend(&self.loopback),
            }
        }
    }

    fn by_name(&self, facts: &Facts<'_>, found: &mut Vec<usize>) {
        if !self.names.is_empty() {
            for name in &facts.names().short {
                add(&self.names, name, found);
            }
        }
        self.name_parts.find(|| &facts.names().whole, found);
    }
}

impl NameParts {
    fn of(parts: Vec<(String, usize)>) -> Self {
        let mut by_part: Places<String> = HashMap::new();
        for (part, place) in parts {
            by_part.entry(part).or_default().push(place);
        }
        let (parts, places): (Vec<String>, Vec<Vec<usize>>) = by_part.into_iter().unzip();
        let searcher = (!parts.is_empty()).then(|| {
            AhoCorasick::new(&parts).expect("the parts of all rules have less than 2 GiB together")
        });
        Self { searcher, places }
    }

    fn find<'names>(&self, names: impl Fn() -> &'names Vec<String>, found: &mut Vec<usize>) {
        let Some(searcher) = &self.searcher else { return };
        // Only once each, however often a name repeats it.
        let mut is_found = Vec::new();
        for part in names().iter().flat_map(|name| searcher.find_overlapping_iter(name)) {
            is_found.resize(self.places.len(), false);
            let part = part.pattern().as_usize();
            if !std::mem::replace(&mut is_found[part], true) {
                found.extend(&self.places[part]);
            }
        }
    }
}

/// Adds the places under `value`.
fn add(places: &Places<String>, value: &str, found: &mut Vec<usize>) {
    if !places.is_empty() {
        found.extend(places.get(value).into_iter().flatten());
    }
}

/// Adds the places under each host that `host` is below.
fn add_below(places: &Places<String>, host: &str, found: &mut Vec<usize>) {
    if places.is_empty() {
        return;
    }
    let mut rest = host;
    while let Some((_, parent)) = rest.split_once('.') {
        found.extend(places.get(parent).into_iter().flatten());
        rest = parent;
    }
}

const fn version(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1,
    }
}

/// The values of each condition that tells clients apart. A client that meets a condition has at least one of them.
fn values(conditions: &Conditions) -> Vec<Vec<Value>> {
    let destinations = |patterns: &[DestinationPattern]| patterns.iter().map(destination).collect();
    let lists: [Vec<Value>; 8] = [
        conditions.software_id.iter().map(|id| Value::SoftwareId(id.as_str().to_owned())).collect(),
        conditions.family.iter().map(|family| Value::Family(family.id())).collect(),
        conditions.name.iter().map(|name| Value::Name(name.letters.clone())).collect(),
        conditions.document_host.iter().map(document_host).collect(),
        destinations(&conditions.any_destination),
        destinations(&conditions.all_destinations),
        conditions.name_contains.iter().map(|part| Value::NamePart(part.letters.clone())).collect(),
        conditions.source.iter().copied().map(Value::Network).collect(),
    ];
    lists.into_iter().filter(|values| !values.is_empty()).collect()
}

fn destination(pattern: &DestinationPattern) -> Value {
    match pattern {
        DestinationPattern::At(Destination::Host(host)) => Value::Host(host.as_ref().to_owned()),
        DestinationPattern::At(Destination::Scheme(scheme)) => {
            Value::Scheme(scheme.as_ref().to_owned())
        }
        DestinationPattern::At(Destination::Loopback) => Value::Loopback,
        DestinationPattern::Below(parent) => Value::BelowHost(parent.clone()),
    }
}

fn document_host(pattern: &HostPattern) -> Value {
    match pattern {
        HostPattern::At(host) => Value::DocumentHost(host.clone()),
        HostPattern::Below(parent) => Value::BelowDocumentHost(parent.clone()),
    }
}
