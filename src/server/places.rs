//! The places of connections: how many exist in all and by source, how many bytes they hold, and which connection
//! ends to make room for another.
//!
//! Two rules protect the places of other sources. A new connection takes the place of the connection that has idled
//! longest, or else of one of the source with the most. Bytes over the maximum are taken from the source that holds
//! the most: its connection with the oldest request ends.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use ipnet::IpNet;

use super::activity::Activity;
use crate::{http::client_address::is_trusted, metrics::ConnectionMetrics};

/// The part of all bytes that one source may hold.
const SHARE_OF_SOURCE: usize = 4;
/// The most connections that were told to end and still have their socket.
pub(super) const LEAVING_MAX: usize = 32;

/// The maximum numbers of a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// Twice as many from an IPv6 /56, four times as many from a /48.
    pub(crate) connections_per_source: usize,
    /// The bytes that requests and responses hold.
    pub(crate) bytes: usize,
}

/// The places of one listener.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    trusted_proxies: Vec<IpNet>,
    metrics: Arc<ConnectionMetrics>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    connections: HashMap<u64, Connection>,
    by_network: HashMap<Network, OfNetwork>,
    leaving: usize,
}

#[derive(Debug)]
struct Connection {
    activity: Arc<Activity>,
    /// The networks of the peer; empty for a trusted proxy.
    networks: Vec<Network>,
}

impl Connection {
    /// The source that the connection counts for: the widest of its networks.
    fn source(&self) -> Option<Network> {
        self.networks.last().copied()
    }
}

#[derive(Debug, Default)]
struct OfNetwork {
    connections: usize,
    bytes: Arc<AtomicUsize>,
}

/// Why a new connection gets no place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    InAll,
    OfSource,
}

/// Addresses that may belong to one party: an IPv4 address, or an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6 { bits: u128, length: u32 },
}

impl Network {
    /// The networks of an address, narrowest first: providers hand out IPv6 by /64, /56, or /48.
    fn of(address: IpAddr) -> Vec<Self> {
        match address.to_canonical() {
            IpAddr::V4(address) => vec![Self::V4(address.to_bits())],
            IpAddr::V6(address) => [64, 56, 48]
                .map(|length| Self::V6 {
                    bits: address.to_bits() & (u128::MAX << (128 - length)),
                    length,
                })
                .to_vec(),
        }
    }

    /// Whether it is the widest of its kind.
    const fn is_source(self) -> bool {
        matches!(self, Self::V4(_) | Self::V6 { length: 48, .. })
    }

    /// How many times the connections of one source it may have.
    const fn sources(self) -> usize {
        match self {
            Self::V6 { length: 56, .. } => 2,
            Self::V6 { length: 48, .. } => 4,
            Self::V4(_) | Self::V6 { .. } => 1,
        }
    }
}

impl Places {
    pub(crate) fn new(
        limits: Limits,
        trusted_proxies: Vec<IpNet>,
        metrics: Arc<ConnectionMetrics>,
    ) -> Arc<Self> {
        Arc::new(Self { limits, trusted_proxies, metrics, table: Mutex::default() })
    }

    /// A place, until it is dropped. Trusted proxies are not counted by source.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let is_counted = !is_trusted(peer, &self.trusted_proxies);
        let networks = if is_counted { Network::of(peer) } else { Vec::new() };
        let mut table = self.table();
        let full = networks.iter().find(|network| self.is_full(&table, **network));
        if let Some(network) = full {
            let idle = table.idlest(|connection| connection.networks.contains(network));
            let idle = idle.filter(|_| table.leaving < LEAVING_MAX).ok_or(Full::OfSource)?;
            table.end(idle);
            self.metrics.made_room.add_one();
        }
        if table.connections.len() >= self.limits.connections {
            let source = networks.last().copied();
            let one = table.idlest(|_| true).or_else(|| table.one_of_the_most(source));
            let one = one.filter(|_| table.leaving < LEAVING_MAX).ok_or(Full::InAll)?;
            table.end(one);
            self.metrics.made_room.add_one();
        }
        Ok(self.place(&mut table, networks))
    }

    fn is_full(&self, table: &Table, network: Network) -> bool {
        let max = self.limits.connections_per_source.saturating_mul(network.sources());
        table.by_network.get(&network).is_some_and(|taken| taken.connections >= max)
    }

    fn place(self: &Arc<Self>, table: &mut Table, networks: Vec<Network>) -> Place {
        let (mut source, mut of_source) = (None, None);
        for network in &networks {
            let taken = table.by_network.entry(*network).or_default();
            taken.connections += 1;
            (source, of_source) = (Some(*network), Some(Arc::clone(&taken.bytes)));
        }
        let activity = Activity::new(Bytes { places: Arc::clone(self), source, of_source });
        let id = table.next;
        table.next += 1;
        let connection = Connection { activity: Arc::clone(&activity), networks };
        table.connections.insert(id, connection);
        Place { id, places: Arc::clone(self), activity }
    }

    /// Ends the connection with the oldest request of the source that holds the most bytes, which is `source`
    /// when that holds more than its share.
    fn relieve(&self, source: Option<Network>, of_source: Option<&AtomicUsize>) {
        let (all_max, share) = (self.limits.bytes, self.limits.bytes / SHARE_OF_SOURCE);
        let is_source_over = || of_source.is_some_and(|bytes| bytes.load(Relaxed) > share);
        let is_over = || is_source_over() || self.metrics.held_bytes.value() > all_max;
        if !is_over() {
            return;
        }
        let mut table = self.table();
        // Another thread may have ended one meanwhile.
        if !is_over() {
            return;
        }
        let heaviest =
            if is_source_over() { source } else { table.heaviest(self.metrics.held_bytes.value()) };
        if let Some(id) = table.longest(heaviest) {
            table.end(id);
            self.metrics.held_too_much.add_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Tells a connection to end. It is counted no longer.
    fn end(&mut self, id: u64) {
        if let Some(connection) = self.remove(id) {
            connection.activity.end();
            self.leaving += 1;
        }
    }

    fn remove(&mut self, id: u64) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        for network in &connection.networks {
            if let Some(taken) = self.by_network.get_mut(network) {
                taken.connections -= 1;
                if taken.connections == 0 {
                    self.by_network.remove(network);
                }
            }
        }
        Some(connection)
    }

    /// The connection that has waited longest for a next request, of those that `may` end.
    fn idlest(&self, may: impl Fn(&Connection) -> bool) -> Option<u64> {
        let idle = self.connections.iter().filter(|(_, connection)| may(connection));
        let idle =
            idle.filter_map(|(id, connection)| Some((connection.activity.idle_since()?, *id)));
        idle.min().map(|(_, id)| id)
    }

    /// The connection that has been at its request longest, of the source with the most connections, when those
    /// are more than `newcomer` would have.
    fn one_of_the_most(&self, newcomer: Option<Network>) -> Option<u64> {
        let count = |network: &Network| self.by_network.get(network).map_or(0, |of| of.connections);
        let sources = self.by_network.keys().filter(|network| network.is_source());
        let most = sources.max_by_key(|network| count(network)).copied()?;
        if count(&most) <= newcomer.as_ref().map_or(0, count) + 1 {
            return None;
        }
        self.longest(Some(most))
    }

    /// The source that holds the most of all `bytes`; `None` stands for the trusted proxies.
    fn heaviest(&self, bytes: usize) -> Option<Network> {
        let of_sources =
            self.by_network.iter().map(|(network, of)| (of.bytes.load(Relaxed), *network));
        let (mut known, mut most) = (0, None);
        for (held, network) in of_sources {
            known += held;
            if most.is_none_or(|(most, _)| held > most) {
                most = Some((held, network));
            }
        }
        most.filter(|(held, _)| *held >= bytes.saturating_sub(known)).map(|(_, network)| network)
    }

    /// The connection of a source that has been at its request longest.
    fn longest(&self, source: Option<Network>) -> Option<u64> {
        let of_source = self.connections.iter().filter(|(_, one)| one.source() == source);
        let busy = of_source.filter_map(|(id, one)| Some((one.activity.busy_since()?, *id)));
        busy.min().map(|(_, id)| id)
    }
}

/// What a connection holds of the bytes of its listener.
#[derive(Debug)]
pub(super) struct Bytes {
    places: Arc<Places>,
    source: Option<Network>,
    of_source: Option<Arc<AtomicUsize>>,
}

impl Bytes {
    pub(super) fn add(&self, count: usize) {
        self.places.metrics.held_bytes.add(count);
        if let Some(bytes) = &self.of_source {
            bytes.fetch_add(count, Relaxed);
        }
    }

    pub(super) fn sub(&self, count: usize) {
        self.places.metrics.held_bytes.sub(count);
        if let Some(bytes) = &self.of_source {
            bytes.fetch_sub(count, Relaxed);
        }
    }

    /// Makes room when there are too many. Whoever calls this holds no lock.
    pub(super) fn check(&self) {
        self.places.relieve(self.source, self.of_source.as_deref());
    }
}

/// A place that a connection takes.
pub(crate) struct Place {
    id: u64,
    places: Arc<Places>,
    pub(super) activity: Arc<Activity>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.places.table();
        if table.remove(self.id).is_none() {
            table.leaving -= 1;
        }
        self.activity.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, connections_per_source: usize, bytes: usize) -> Arc<Places> {
        let limits = Limits { connections, connections_per_source, bytes };
        let proxies = vec!["192.0.2.0/24".parse().unwrap()];
        Places::new(limits, proxies, Arc::default())
    }

    fn take(places: &Arc<Places>, peer: &str) -> Result<Place, Full> {
        places.take(peer.parse().unwrap())
    }

    /// A connection whose one request was answered.
    fn idle(places: &Arc<Places>, peer: &str) -> Place {
        let place = take(places, peer).unwrap();
        drop(place.activity.request(0));
        place
    }

    fn is_told_to_end(place: &Place) -> bool {
        place.activity.is_ended()
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_network_of_three_sizes() {
        let places = places(100, 2, usize::MAX);
        let mut held = Vec::new();
        let mut taken = |peer: &str| take(&places, peer).map(|place| held.push(place)).err();
        for (peer, full) in [
            ("203.0.113.1", None),
            ("::ffff:203.0.113.1", None),
            ("203.0.113.1", Some(Full::OfSource)),
            ("203.0.113.2", None),
            // A /64.
            ("2001:db8:0:0::1", None),
            ("2001:db8:0:0::2", None),
            ("2001:db8:0:0::3", Some(Full::OfSource)),
            // The /56 around it has twice as many.
            ("2001:db8:0:1::1", None),
            ("2001:db8:0:2::1", None),
            ("2001:db8:0:3::1", Some(Full::OfSource)),
            // The /48 around that has four times as many.
            ("2001:db8:0:100::1", None),
            ("2001:db8:0:200::1", None),
            ("2001:db8:0:300::1", None),
            ("2001:db8:0:400::1", None),
            ("2001:db8:0:500::1", Some(Full::OfSource)),
            ("2001:db8:1::1", None),
        ] {
            assert_eq!(taken(peer), full, "{peer}");
        }
        held.clear();
        assert!(places.table().by_network.is_empty());
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_connection_that_has_idled_longest() {
        let places = places(3, 3, usize::MAX);
        let busy = take(&places, "203.0.113.1").unwrap();
        let _request = busy.activity.request(0);
        let (longest, other) = (idle(&places, "203.0.113.1"), idle(&places, "203.0.113.2"));

        let newcomer = take(&places, "203.0.113.3").unwrap();
        assert!(is_told_to_end(&longest) && !is_told_to_end(&other));
        assert_eq!(places.metrics.made_room.value(), 1);
        drop((longest, newcomer));
        assert_eq!(places.table().connections.len(), 2);
    }

    #[test]
    fn a_source_with_all_its_connections_gives_up_one_that_idles_and_none_of_others() {
        let places = places(100, 2, usize::MAX);
        let other = idle(&places, "203.0.113.2");
        let held = [idle(&places, "203.0.113.1"), idle(&places, "203.0.113.1")];
        let newcomer = take(&places, "203.0.113.1").unwrap();
        assert_eq!(held.each_ref().map(is_told_to_end), [true, false]);
        let second = take(&places, "203.0.113.1").unwrap();
        assert!(is_told_to_end(&held[1]) && !is_told_to_end(&other));
        assert_eq!(take(&places, "203.0.113.1").err(), Some(Full::OfSource));
        drop((newcomer, second));
    }

    #[test]
    fn where_nothing_idles_the_source_with_the_most_connections_gives_one_up() {
        let places = places(4, 4, usize::MAX);
        let other = take(&places, "203.0.113.2").unwrap();
        let held = ["203.0.113.1"; 3].map(|peer| take(&places, peer).unwrap());
        assert_eq!(take(&places, "203.0.113.1").err(), Some(Full::InAll));
        let newcomer = take(&places, "203.0.113.3").unwrap();
        assert_eq!(held.each_ref().map(is_told_to_end), [true, false, false]);
        assert_eq!(take(&places, "203.0.113.3").err(), Some(Full::InAll), "all have about as many");
        assert!(!is_told_to_end(&other));
        drop(newcomer);
    }

    #[test]
    fn connections_that_were_told_to_end_are_bounded() {
        let places = places(1, 1, usize::MAX);
        let mut held = vec![idle(&places, "203.0.113.1")];
        for last in 2..LEAVING_MAX + 2 {
            held.push(idle(&places, &format!("203.0.113.{last}")));
        }
        assert_eq!(take(&places, "203.0.113.99").err(), Some(Full::InAll));
        held.remove(0);
        assert!(take(&places, "203.0.113.99").is_ok());
    }

    #[test]
    fn a_source_with_more_than_its_share_of_bytes_loses_its_connection_with_the_oldest_request() {
        let places = places(100, 100, 1_000);
        let [oldest, other, fresh] = ["203.0.113.1"; 3].map(|peer| take(&places, peer).unwrap());
        let elsewhere = take(&places, "203.0.113.2").unwrap();
        let _requests = [
            elsewhere.activity.request(250),
            oldest.activity.request(100),
            other.activity.request(100),
        ];
        let _one_too_many = fresh.activity.request(51);
        assert!(is_told_to_end(&oldest));
        assert!([&other, &fresh, &elsewhere].iter().all(|place| !is_told_to_end(place)));
        assert_eq!(places.metrics.held_bytes.value(), 401);
        assert_eq!(places.metrics.held_too_much.value(), 1);
    }

    #[test]
    fn beyond_all_bytes_the_source_with_the_most_gives_up_its_oldest() {
        let places = places(100, 100, 1_000);
        let held: Vec<Place> =
            (1..=5).map(|last| take(&places, &format!("203.0.113.{last}")).unwrap()).collect();
        let mut requests: Vec<_> = [200, 250, 199, 199, 100]
            .iter()
            .zip(&held)
            .map(|(n, one)| one.activity.request(*n))
            .collect();
        assert!(!held.iter().any(is_told_to_end));
        requests.push(held[4].activity.request(53));
        assert_eq!(
            held.iter().map(is_told_to_end).collect::<Vec<_>>(),
            [false, true, false, false, false]
        );
        assert_eq!(places.metrics.held_bytes.value(), 751);
    }

    #[test]
    fn proxies_have_no_share_and_give_up_a_connection_when_they_hold_the_most() {
        let places = places(100, 1, 1_000);
        let [first, second] = ["192.0.2.1"; 2].map(|peer| take(&places, peer).unwrap());
        let _requests = [first.activity.request(500), second.activity.request(500)];
        assert!(!is_told_to_end(&first) && !is_told_to_end(&second));
        let stranger = take(&places, "203.0.113.1").unwrap();
        let _request = stranger.activity.request(10);
        assert!(is_told_to_end(&first) && !is_told_to_end(&stranger));
    }

    #[test]
    fn what_a_connection_held_is_free_once_it_is_gone() {
        let places = places(100, 100, 1_000_000);
        let place = take(&places, "203.0.113.1").unwrap();
        let mut answered = place.activity.request(700);
        answered.answered(900);
        let unanswered = place.activity.request(300);
        assert_eq!(places.metrics.held_bytes.value(), 1_200);
        drop(unanswered);
        assert_eq!(places.metrics.held_bytes.value(), 900);
        drop(answered);
        assert_eq!(places.metrics.held_bytes.value(), 900, "it is written and not flushed");
        drop(place);
        assert_eq!(places.metrics.held_bytes.value(), 0);
    }
}
