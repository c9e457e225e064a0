//! The limit of open files of the process (`RLIMIT_NOFILE`), and how it is shared out: descriptors for the store,
//! the management listener, and outgoing connections come first, connections of strangers have the rest.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::places::LEAVING_MAX;
use crate::config::{Config, StoreLocation};

/// Connections that the management listener takes.
const MANAGEMENT_MAX: u64 = 256;
/// Connections that the listener of the guard takes: some proxies open one for each question.
const GUARD_MAX: u64 = 1024;
/// The part of all descriptors that a listener beside the public one may have at most.
const OWN_SHARE: u64 = 8;
/// The part that strangers have at least, whatever else is wanted.
const CONNECTIONS_SHARE: u64 = 4;
/// Standard streams, listeners, the runtime, signals, the log, files that are read again.
const OURSELVES: u64 = 32;
/// Files of one SQLite connection: the database, its log, its shared memory.
const FILES_OF_SQLITE: u64 = 3;
/// SQLite connections besides the readers.
const WRITERS_OF_SQLITE: u64 = 3;
/// Connections to a database beside its pool, when an answer was lost.
const BESIDE_THE_POOL: u64 = 8;
/// Sockets of a connection that leads out: two addresses are tried at once.
const SOCKETS_OF_FETCH: u64 = 2;
/// Connections to identity providers, and to Redis.
const OTHER_FETCHES: u64 = 8;

/// How many connections the descriptors of a process allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    pub(crate) limit: u64,
    /// What `connections.max` needs.
    pub(crate) wanted: u64,
    /// Connections to the public listener: at most `connections.max`.
    pub(crate) connections: usize,
    /// Of one source: fewer in proportion.
    pub(crate) connections_per_source: usize,
    /// Connections to the management listener, and to the operators' own.
    pub(crate) management: usize,
    /// Connections to the guard's own listener.
    pub(crate) guard: usize,
}

impl Descriptors {
    /// Raises the limit as far as `config` needs and the system allows, and shares it out.
    pub(crate) fn raised(config: &Config) -> Self {
        let wanted = wanted(config);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let possible = maximum.unwrap_or(u64::MAX).min(wanted);
        let raised = Rlimit { current: Some(possible), maximum };
        let is_raised = current.is_some_and(|current| current < possible)
            && setrlimit(Resource::Nofile, raised).is_ok();
        Self::of(config, if is_raised { possible } else { current.unwrap_or(u64::MAX) })
    }

    /// What a process with these limits would get, the raised one; changes nothing.
    pub(crate) fn possible(config: &Config) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let current = current.unwrap_or(u64::MAX);
        Self::of(config, current.max(maximum.unwrap_or(u64::MAX).min(wanted(config))))
    }

    fn of(config: &Config, limit: u64) -> Self {
        let caps = &config.connections;
        let management = MANAGEMENT_MAX.min(limit / OWN_SHARE).max(1);
        let guard = GUARD_MAX.min(limit / OWN_SHARE).max(1);
        let own = management * own_listeners(config) + guard * guard_listeners(config);
        let rest = limit.saturating_sub(reserved(config) + own);
        let rest = usize::try_from(rest.max(limit / CONNECTIONS_SHARE)).unwrap_or(usize::MAX);
        let connections = caps.max.min(rest.max(1));
        let in_proportion = caps.per_source_max.saturating_mul(connections) / caps.max;
        Self {
            limit,
            wanted: wanted(config),
            connections,
            connections_per_source: in_proportion.max(1),
            management: usize::try_from(management).unwrap_or(1),
            guard: usize::try_from(guard).unwrap_or(1),
        }
    }

    /// Whether there are fewer than `config` asks for.
    pub(crate) const fn is_clamped(&self, config: &Config) -> bool {
        self.connections < config.connections.max
    }
}

fn wanted(config: &Config) -> u64 {
    let own = MANAGEMENT_MAX * own_listeners(config) + GUARD_MAX * guard_listeners(config);
    config.connections.max as u64 + own + reserved(config)
}

/// Listeners with few connections beside the public one: management, and the operators' own.
fn own_listeners(config: &Config) -> u64 {
    1 + u64::from(config.operator.listen.is_some())
}

fn guard_listeners(config: &Config) -> u64 {
    u64::from(config.guard.listen.is_some())
}

/// Descriptors that no connection to a listener takes.
fn reserved(config: &Config) -> u64 {
    let store = match &config.store {
        StoreLocation::Postgres(_) => config.postgres.connections_max as u64 + BESIDE_THE_POOL,
        StoreLocation::Folder(_) => {
            (config.embedded.readers as u64 + WRITERS_OF_SQLITE) * FILES_OF_SQLITE
        }
    };
    let documents = &config.client_documents;
    let fetches = if documents.enabled { documents.fetches_max as u64 } else { 0 };
    let outgoing = (fetches + OTHER_FETCHES) * SOCKETS_OF_FETCH + upstreams(config);
    OURSELVES + store + outgoing + LEAVING_MAX as u64
}

/// Connections to the upstreams of guarded resources. Over HTTP/1, no more are open than connections of clients.
fn upstreams(config: &Config) -> u64 {
    let guards = config.authorization.resources.iter().filter_map(|it| it.guard.as_ref());
    let streams = guards.filter(|guard| guard.upstream.is_some()).map(|guard| guard.streams_max);
    let streams = streams.fold(0, usize::saturating_add);
    streams.min(config.connections.max) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    fn of(limit: u64) -> Descriptors {
        Descriptors::of(&Config::default(), limit)
    }

    #[test]
    fn enough_descriptors_change_nothing() {
        let config = Config::default();
        let found = of(wanted(&config));
        assert_eq!((found.connections, found.connections_per_source), (4096, 512));
        assert_eq!(found.management, 256);
        assert!(!found.is_clamped(&config));
        assert!(of(wanted(&config) - 1).is_clamped(&config));
    }

    #[test]
    fn connections_to_upstreams_have_descriptors_of_their_own() {
        let guarded = |streams_max: u64| {
            let guard = format!(
                r#"{{ id = "a", upstream = "http://127.0.0.1:3000/a", streams_max = {streams_max} }}"#
            );
            let resources = format!(r#"[{{ uri = "http://a.example/a", guard = {guard} }}]"#);
            let flags = vec![("authorization.resources", resources)];
            config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap()
        };
        let difference = |streams_max| {
            let mut without = guarded(streams_max);
            let with = wanted(&without);
            without.authorization.resources.clear();
            with - wanted(&without)
        };
        assert_eq!(difference(1_000), 1_000);
        assert_eq!(difference(1_000_000), 4_096, "as many as clients have connections");
        let found = Descriptors::of(&guarded(1_000), 3_000);
        assert!(found.connections < 3_000 - 1_000, "{found:?}");
    }

    #[test]
    fn a_low_limit_leaves_descriptors_for_the_store_and_the_management_listener() {
        let config = Config::default();
        for limit in [200, 256, 512, 1024] {
            let found = of(limit);
            let taken = found.connections as u64 + found.management as u64 + reserved(&config);
            assert!(taken <= limit, "{found:?}");
            assert!(found.connections >= 32 && found.management >= 25, "{found:?}");
            assert!(found.connections_per_source <= found.connections / 4, "{found:?}");
        }
        assert_eq!((of(8).connections, of(8).management), (2, 1));
    }
}
