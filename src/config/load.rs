//! From the sources to checked settings, the stronger source over the weaker, and the rules between
//! settings: what `--dev` derives, two listeners at two addresses, an issuer whose scheme is spoken, one password
//! and enough connections for a database, a secret where keys are signed with.
//! The rules of a single value are in `kind.rs` and `text.rs`.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use toml::{Spanned, de::DeValue};
use url::Url;

use super::{
    Config, Resource, StoreLocation,
    fault::{ConfigErrors, Faults, did_you_mean, nearest},
    guard,
    otel::standard_variables,
    setting::{Section, setting},
    source::{ConfigFile, Origin, Sources, variables},
    text::{ADDRESS, without_credentials},
    values::Values,
};
use crate::grant::ResourceIndicator;

/// The settings: the command line over the environment over files over defaults.
///
/// Reads the files that are named, and no others.
pub fn load(mut sources: Sources) -> Result<Config, ConfigErrors> {
    if sources.files.is_empty() {
        sources.files = named_files(&sources.environment);
    }
    let mut faults = Faults::default();
    let files: Vec<ConfigFile> =
        sources.files.iter().filter_map(|path| read_file(path, &mut faults)).collect();
    let config = read(&sources, &files, &mut faults);
    faults.or(config)
}

impl Default for Config {
    /// Every default of the table; the issuer is the public listener's address.
    fn default() -> Self {
        let mut values = Values::default();
        values.add_defaults(false);
        derive_issuer(&mut values);
        Self::read(&values, &mut Faults::default()).expect("what stands in the table is valid")
    }
}

/// Any bytes as a file and as a value of every variable: no panic.
#[cfg(any(fuzzing, test))]
pub(super) fn fuzz(bytes: &[u8]) {
    use super::setting::settings;

    let file = ConfigFile { name: "fuzz.toml".into(), bytes: bytes.to_vec() };
    let text = String::from_utf8_lossy(bytes);
    let environment = settings().map(|setting| (setting.variable(), text.clone().into())).collect();
    for sources in [Sources::default(), Sources { environment, dev: true, ..Sources::default() }] {
        let mut faults = Faults::default();
        let config = read(&sources, std::slice::from_ref(&file), &mut faults);
        match faults.or(config) {
            Ok(config) => drop(config.dump()),
            Err(errors) => assert!(!errors.to_string().is_empty(), "nothing is refused silently"),
        }
    }
}

pub(super) fn named_files(environment: &[(String, String)]) -> Vec<PathBuf> {
    let named = environment.iter().find(|(name, _)| name == "DOORWARD_CONFIG");
    let paths = named.map_or("", |(_, paths)| paths);
    paths.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

pub(super) fn read_file(path: &Path, faults: &mut Faults) -> Option<ConfigFile> {
    match ConfigFile::read(path) {
        Ok(file) => Some(file),
        Err(error) => {
            faults.incomplete = true;
            let name = without_credentials(&path.display().to_string());
            let what = format!("{name}: cannot read: {error}");
            faults.add(Origin::Nowhere, 0, what);
            None
        }
    }
}

fn read(sources: &Sources, files: &[ConfigFile], faults: &mut Faults) -> Option<Config> {
    let variables = variables(&sources.environment, faults);
    let mut values = Values::default();
    values.add_defaults(sources.dev);
    for (nth, file) in files.iter().enumerate() {
        values.add_file(nth, file, faults);
    }
    let standard = standard_variables(&sources.environment, &values, faults);
    for variable in standard.iter().chain(&variables) {
        let origin = Origin::Variable { name: &variable.name };
        values.add_text(variable.setting, origin, &variable.text);
    }
    for (key, text) in &sources.flags {
        match setting(key) {
            Some(setting) => values.add_text(setting, Origin::Flag, text),
            None => faults.add(Origin::Flag, 0, format_args!("{key}: unknown setting")),
        }
    }
    if sources.dev && !values.has("server.issuer") {
        derive_issuer(&mut values);
    }
    let mut config = Config::read(&values, faults)?;
    if faults.incomplete {
        return None;
    }
    let is_default = |key| matches!(values.origin(key), None | Some((Origin::Default, _)));
    if is_default("sign_in.local") {
        config.sign_in.local &= can_sign_in_locally(&config);
    }
    if is_default("registration.management") {
        config.registration.management &= has_keys_secret(&config);
    }
    for upstream in &sources.protect {
        let resource = guard::protected(&config, upstream, faults);
        config.authorization.resources.extend(resource);
    }
    check_listeners(&config, &values, faults);
    check_issuer(&config, &values, faults);
    check_postgres(&config, &values, faults);
    check_sign_in(&config, &values, faults);
    check_resources(&config, &values, faults);
    check_client_documents(&config, &values, faults);
    check_rules(&config, &values, faults);
    check_webhooks(&config, &values, faults);
    check_operators(&config, &values, faults);
    let (origin, offset) = place(&values, "authorization.resources");
    for fault in guard::faults(&config) {
        faults.add(origin, offset, fault);
    }
    Some(config)
}

/// Whether `--dev` lets somebody sign in without being told to: on this machine alone, and where signing keys
/// can be sealed.
fn can_sign_in_locally(config: &Config) -> bool {
    is_loopback_issuer(config) && has_keys_secret(config)
}

/// Whether there is something to seal signing keys with. The embedded store makes it.
fn has_keys_secret(config: &Config) -> bool {
    match &config.store {
        StoreLocation::Folder(_) => true,
        StoreLocation::Postgres(_) => !config.token.keys_secret.reveal().is_empty(),
    }
}

fn is_loopback_issuer(config: &Config) -> bool {
    let url = Url::parse(&config.server.issuer).ok();
    is_loopback_host(url.as_ref().and_then(Url::host_str).unwrap_or_default())
}

/// Gives the issuer that names the public listener from this machine.
fn derive_issuer(values: &mut Values<'_>) {
    // A listener that is refused is reported when all is read.
    let listen = values.read("server.listen", &ADDRESS, &mut Faults::default());
    let listen = listen.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into());
    let scheme = if values.has("tls.certificate_file") { "https" } else { "http" };
    let issuer = DeValue::String(Cow::Owned(issuer_of(scheme, listen)));
    values.add("server.issuer", Origin::Default, Spanned::new(0..0, issuer));
}

fn issuer_of(scheme: &str, listen: SocketAddr) -> String {
    let host = match listen.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => "127.0.0.1",
        IpAddr::V6(Ipv6Addr::LOCALHOST) => "[::1]",
        _ => "localhost",
    };
    match (scheme, listen.port()) {
        // Port 0 is the system's choice, and known only once it listens.
        (_, 0) | ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        (_, port) => format!("{scheme}://{host}:{port}"),
    }
}

fn is_loopback_host(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A fault of the value that holds for `key`.
fn refuse(values: &Values<'_>, key: &str, faults: &mut Faults, reason: impl Display) {
    let (origin, offset) = place(values, key);
    faults.add(origin, offset, format_args!("{key}: {reason}"));
}

/// Where the value that holds for `key` was given.
fn place<'a>(values: &Values<'a>, key: &str) -> (Origin<'a>, usize) {
    values.origin(key).unwrap_or((Origin::Nowhere, 0))
}

fn check_listeners(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let server = &config.server;
    if server.listen == server.management && server.listen.port() != 0 {
        refuse(values, "server.management", faults, "is the address of server.listen as well");
    }
    let own = [(config.operator.listen, "operator.listen"), (config.guard.listen, "guard.listen")];
    let own = own.into_iter().filter_map(|(at, setting)| Some((at?, setting)));
    let mut others =
        vec![(server.listen, "server.listen"), (server.management, "server.management")];
    for (at, setting) in own {
        check_own_listener(config, values, faults, (at, setting), &others);
        others.push((at, setting));
    }
}

/// A listener that has a part of the server for itself, and carries tokens.
fn check_own_listener(
    config: &Config,
    values: &Values<'_>,
    faults: &mut Faults,
    (at, setting): (SocketAddr, &'static str),
    others: &[(SocketAddr, &'static str)],
) {
    for (_, other) in others.iter().filter(|(other, _)| *other == at && at.port() != 0) {
        refuse(values, setting, faults, format_args!("is the address of {other} as well"));
    }
    let is_in_the_clear = config.tls.is_none() && !config.server.tls_terminated_in_front;
    if is_in_the_clear && !at.ip().is_loopback() {
        let reason = "would carry tokens without TLS: set tls.certificate_file and tls.key_file, listen on loopback, \
             or set server.tls_terminated_in_front when a proxy speaks TLS";
        refuse(values, setting, faults, reason);
    }
}

fn check_postgres(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let postgres = &config.postgres;
    if postgres.writers >= postgres.connections_max {
        let reason =
            "leaves no connection for anything else: set it below postgres.connections_max";
        refuse(values, "postgres.writers", faults, reason);
    }
    let has_password = matches!(&config.store, StoreLocation::Postgres(url) if url.has_password());
    if has_password && !postgres.password.reveal().is_empty() {
        let reason = "is a password, and the URL of the store has one as well";
        refuse(values, "postgres.password", faults, reason);
    }
}

/// What the subjects of a provider must not begin with: those of the local sign-in do, and the identifiers of clients
/// that publish their metadata, which no subject may be (RFC 9068 §5).
const SUBJECT_PREFIXES_TAKEN: [&str; 2] = ["https", "local"];

fn check_sign_in(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    if config.sign_in.local && !is_loopback_issuer(config) {
        let reason = "is for development, and server.issuer is not this machine: \
            let people sign in at sign_in.providers";
        refuse(values, "sign_in.local", faults, reason);
    }
    if config.authorizes() && !has_keys_secret(config) {
        let reason = "must be set, the same on all nodes, to seal the signing keys in the database: \
            `openssl rand -base64 48` makes one";
        refuse(values, "token.keys_secret", faults, reason);
    }
    if config.registration.management && !has_keys_secret(config) {
        let reason = "needs token.keys_secret, the same on all nodes, to derive registration access tokens from";
        refuse(values, "registration.management", faults, reason);
    }
    let ids = config.sign_in.providers.iter().map(|provider| provider.id.as_str());
    if let Some(twice) = repeated(ids) {
        let reason = format_args!("two providers have the id {twice:?}");
        refuse(values, "sign_in.providers", faults, reason);
    }
    let mut ids = config.sign_in.providers.iter().map(|provider| provider.id.as_str());
    if let Some(taken) = ids.find(|id| SUBJECT_PREFIXES_TAKEN.contains(id)) {
        let reason = format_args!(
            "no provider may have the id {taken:?}, which means something else in a subject"
        );
        refuse(values, "sign_in.providers", faults, reason);
    }
}

fn check_resources(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let resources = &config.authorization.resources;
    // A request could mean either of two that it names the same.
    let is_named_before = |(nth, resource): &(usize, &Resource)| {
        resources[..*nth].iter().any(|before| before.uri.names_the_same(&resource.uri))
    };
    let uri = resources.iter().enumerate().find(is_named_before);
    let id = repeated(resources.iter().filter_map(|resource| resource.id.as_deref()));
    let api = ResourceIndicator::parse(&config.api()).ok();
    let is_api =
        |resource: &&Resource| api.as_ref().is_some_and(|api| api.names_the_same(&resource.uri));
    if let Some(resource) = resources.iter().find(is_api) {
        let reason = format_args!(
            "{:?} is the operator API of this server itself: give your resource another uri",
            resource.uri.as_str()
        );
        refuse(values, "authorization.resources", faults, reason);
    }
    for twice in uri.map(|(_, resource)| resource.uri.as_str()).into_iter().chain(id) {
        let reason = format_args!("{twice:?} stands there twice");
        refuse(values, "authorization.resources", faults, reason);
    }
}

fn check_client_documents(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let settings = &config.client_documents;
    if settings.remembered_seconds_min > settings.remembered_seconds_max {
        let reason = "is more than client_documents.remembered_seconds_max";
        refuse(values, "client_documents.remembered_seconds_min", faults, reason);
    }
}

fn check_rules(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let ids = config.registration.rules.iter().map(|rule| rule.id.as_str());
    if let Some(twice) = repeated(ids) {
        let reason = format_args!("two rules have the id {twice:?}");
        refuse(values, "registration.rules", faults, reason);
    }
}

fn check_webhooks(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let names = config.webhooks.iter().map(|webhook| webhook.name.as_str());
    if let Some(twice) = repeated(names) {
        let reason = format_args!("two webhooks have the name {twice:?}");
        refuse(values, "webhooks", faults, reason);
    }
}

fn check_operators(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    if config.operators.is_empty() {
        return;
    }
    if !config.authorizes() {
        let reason =
            "are people who sign in, and there is no way to sign in: set sign_in.providers";
        refuse(values, "operators", faults, reason);
        return;
    }
    let mut ids: Vec<&str> =
        config.sign_in.providers.iter().map(|provider| provider.id.as_str()).collect();
    let unknown = |id: &str, ids: &[&str]| {
        let meant = did_you_mean(nearest(id, ids.iter().copied()));
        format!("no provider in sign_in.providers has the id {id:?}{meant}")
    };
    for operators in &config.operators {
        if let Some(id) = operators.provider.as_deref().filter(|id| !ids.contains(id)) {
            refuse(values, "operators", faults, unknown(id, &ids));
        }
        let is_of_any = operators.provider.is_none()
            && !(operators.groups.is_empty() && operators.emails.is_empty());
        if is_of_any && ids.len() > 1 {
            let (role, all) = (operators.role, ids.join(", "));
            let reason = format_args!(
                "the {role} entry has groups or emails and no provider: with several providers, each of them could \
                 say that someone has these. Add the provider whose groups and addresses count: {all}"
            );
            refuse(values, "operators", faults, reason);
        }
    }
    if config.sign_in.local {
        ids.push("local");
    }
    for subject in config.operators.iter().flat_map(|operators| &operators.subjects) {
        let id = subject.split(':').next().unwrap_or_default();
        if !ids.contains(&id) {
            let reason = format_args!("the subject {subject:?}: {}", unknown(id, &ids));
            refuse(values, "operators", faults, reason);
        }
    }
}

/// The first that stands there twice.
fn repeated<'text>(texts: impl Iterator<Item = &'text str>) -> Option<&'text str> {
    let mut seen = HashSet::new();
    texts.into_iter().find(|text| !seen.insert(*text))
}

/// The scheme of the issuer is what clients will speak, so something must speak it.
fn check_issuer(config: &Config, values: &Values<'_>, faults: &mut Faults) {
    let server = &config.server;
    if server.tls_terminated_in_front {
        return;
    }
    let url = Url::parse(&server.issuer).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let reason = match (server.issuer.starts_with("https:"), config.tls.is_some()) {
        (true, true) => return,
        (true, false) => {
            "is https, but TLS is off: set tls.certificate_file and tls.key_file, \
             or server.tls_terminated_in_front when a proxy speaks TLS"
        }
        (false, true) => "is http, but [tls] is set and the listener speaks TLS only",
        (false, false) if is_loopback_host(host) => return,
        (false, false) => {
            "is http to a host that is not localhost, 127.0.0.1 or [::1]: use https, \
             or set server.tls_terminated_in_front when a proxy speaks TLS"
        }
    };
    refuse(values, "server.issuer", faults, reason);
}
