//! Every setting.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

/// All settings, checked; nothing that reads them has to check them again.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are kept: a folder for the embedded store.
    pub store: PathBuf,
    /// How the server is reached.
    pub server: ServerConfig,
    /// Certificate files; `None` when TLS is off.
    pub tls: Option<TlsConfig>,
    /// What connections may cost.
    pub connections: ConnectionsConfig,
    /// How often strangers may register.
    pub rate_limit: RateLimitConfig,
    /// Which registrations are admitted.
    pub registration: RegistrationConfig,
    /// The embedded store.
    pub embedded: EmbeddedConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Public listener.
    pub listen: SocketAddr,
    /// Management listener.
    pub management: SocketAddr,
    /// The issuer: the public origin, without a trailing slash.
    pub issuer: String,
    /// TLS ends in front of this process.
    pub tls_terminated_in_front: bool,
    /// Proxies whose `Forwarded`, `X-Forwarded-For` and `X-Request-Id` are believed.
    pub trusted_proxies: Vec<IpNet>,
    pub shutdown_deadline_seconds: u64,
}

#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

#[derive(Clone, Debug)]
pub struct ConnectionsConfig {
    /// In all.
    pub max: usize,
    /// From one source (IPv4 address, IPv6 /64); trusted proxies are not counted.
    pub per_source_max: usize,
    pub headers_timeout_seconds: u64,
    pub body_timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
}

#[derive(Clone, Debug)]
pub struct RateLimitConfig {
    /// Registrations that one source may ask for in a period; 0 for no limit.
    pub per_source: u32,
    /// Registrations that all sources together may ask for in a period; 0 for no limit.
    pub total: u32,
    pub period_seconds: u32,
    /// How many sources are remembered at most.
    pub sources_max: usize,
}

#[derive(Clone, Debug)]
pub struct RegistrationConfig {
    /// Whether the caller's address is kept on the record.
    pub keep_source_address: bool,
    /// Whether `http` redirect URIs to private (RFC 1918, link-local, ULA) addresses are allowed.
    pub allow_lan_redirects: bool,
    /// The scope catalogue; empty when there is none.
    pub scopes: Vec<String>,
    pub protected_names: Vec<ProtectedName>,
}

/// A name that strangers like to borrow.
#[derive(Clone, Debug)]
pub struct ProtectedName {
    pub name: String,
    /// Hosts (and their subdomains) whose redirect URIs may go by that name.
    pub hosts: Vec<String>,
    /// Private-use schemes whose redirect URIs may go by that name.
    pub schemes: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// How many changes may wait for the writer.
    pub queue_max: usize,
    /// Page cache of the writer, in KiB.
    pub cache_kib: u32,
    /// How many connections read.
    pub readers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `doorward=debug`.
    pub filter: String,
    /// Whether callers' addresses are logged.
    pub addresses: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: "doorward-data".into(),
            server: ServerConfig {
                listen: ([127, 0, 0, 1], 8080).into(),
                management: ([127, 0, 0, 1], 9000).into(),
                issuer: "http://127.0.0.1:8080".into(),
                tls_terminated_in_front: false,
                trusted_proxies: Vec::new(),
                shutdown_deadline_seconds: 25,
            },
            tls: None,
            connections: ConnectionsConfig {
                max: 4096,
                per_source_max: 512,
                headers_timeout_seconds: 10,
                body_timeout_seconds: 10,
                idle_timeout_seconds: 60,
            },
            rate_limit: RateLimitConfig {
                per_source: 60,
                total: 6000,
                period_seconds: 60,
                sources_max: 65_536,
            },
            registration: RegistrationConfig {
                keep_source_address: true,
                allow_lan_redirects: false,
                scopes: Vec::new(),
                protected_names: Vec::new(),
            },
            embedded: EmbeddedConfig { queue_max: 4096, cache_kib: 8192, readers: 2 },
            log: LogConfig { format: LogFormat::Auto, filter: "info".into(), addresses: false },
        }
    }
}
