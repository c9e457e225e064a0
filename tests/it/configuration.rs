//! Settings, as an operator meets them: files, variables, flags in; values or faults out.

use std::{fs, path::PathBuf};

use doorward::config::{self, Config, LogFormat, Sources, StoreLocation};
use tempfile::TempDir;

/// The least that a server outside of development must be told.
const ISSUER: &str = "[server]\nissuer = \"http://localhost:8080\"\n";

fn folder(path: &str) -> StoreLocation {
    StoreLocation::Folder(path.into())
}

/// Files in a folder of their own, and what else is given.
struct Given {
    folder: TempDir,
    sources: Sources,
}

impl Given {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    /// An issuer, so that nothing is missing.
    fn enough() -> Self {
        Self::new().flag("server.issuer", "http://localhost:8080")
    }

    fn dev() -> Self {
        let mut given = Self::new();
        given.sources.dev = true;
        given
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(mut self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        self.sources.files.push(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.sources.flags.push((key, value.into()));
        self
    }

    fn config(&self) -> Config {
        config::load(self.sources.clone()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The faults, a line each, with the folder's name left out.
    fn faults(&self) -> Vec<String> {
        let errors =
            config::load(self.sources.clone()).expect_err("nothing was refused").to_string();
        let folder = format!("{}/", self.folder.path().display());
        errors.lines().map(|line| line.replace(&folder, "")).collect()
    }

    fn only_fault(&self) -> String {
        let mut faults = self.faults();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.remove(0)
    }
}

#[test]
fn flags_are_stronger_than_variables_than_later_files_than_earlier_ones_than_defaults() {
    let first = "[connections]\nmax = 1\nper_source_max = 1\nheaders_timeout_seconds = 1\n\
                 body_timeout_seconds = 1";
    let second = "[connections]\nmax = 2\nper_source_max = 2\nheaders_timeout_seconds = 2";
    let given = Given::enough()
        .file("first.toml", first)
        .file("second.toml", second)
        .variable("DOORWARD_CONNECTIONS__MAX", "3")
        .variable("DOORWARD_CONNECTIONS__PER_SOURCE_MAX", "3")
        .flag("connections.max", "4");

    let connections = given.config().connections;

    assert_eq!(connections.max, 4, "flag");
    assert_eq!(connections.per_source_max, 3, "variable");
    assert_eq!(connections.headers_timeout_seconds, 2, "later file");
    assert_eq!(connections.body_timeout_seconds, 1, "earlier file");
    assert_eq!(connections.idle_timeout_seconds, 60, "default");
}

#[test]
fn every_fault_is_reported_at_once_with_line_and_column() {
    let text = "\
store = 5
[server]
listen = \"localhost:80\"
  isuer = \"https://x.example\"
[ratelimit]
per_source = 1
[rate_limit]
per_sorce = 2
total = -1
period_seconds = 0x1FFFF
[log]
filter = \"a=b\"
addresses = \"true\"
[registration]
scopes = [\"a b\", \"c\", 7]
protected_names = [{ nam = \"x\", hosts = [\"A.example\"] }]
";
    let given = Given::dev()
        .file("doorward.toml", text)
        .file("other.toml", "log = 3")
        .variable("DOORWARD_EMBEDDED__READERS", "many")
        .flag("connections.max", "0");

    let faults = given.faults().join("\n");

    insta::assert_snapshot!(faults, @r#"
    doorward.toml:1:9: store: expected a folder, or a database as postgres://user@host:port/database, found 5
    doorward.toml:3:10: server.listen: expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, found "localhost:80"
    doorward.toml:4:3: server.isuer: unknown setting; did you mean server.issuer?
    doorward.toml:5:2: ratelimit: unknown setting; did you mean rate_limit?
    doorward.toml:8:1: rate_limit.per_sorce: unknown setting; did you mean rate_limit.per_source?
    doorward.toml:9:9: rate_limit.total: expected an integer from 0 to 10000000, found -1
    doorward.toml:10:18: rate_limit.period_seconds: expected an integer from 1 to 86400, found 0x1FFFF
    doorward.toml:12:10: log.filter: expected a log filter, such as info or warn,doorward=debug, found "a=b": error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
    doorward.toml:13:13: log.addresses: expected true or false, found "true"
    doorward.toml:15:11: registration.scopes[0]: expected a scope (RFC 6749 section 3.3), found "a b"
    doorward.toml:15:23: registration.scopes[2]: expected a scope (RFC 6749 section 3.3), alone or as { scope = "read", description = "Read" }, found 7
    doorward.toml:16:20: registration.protected_names[0]: name is missing
    doorward.toml:16:22: registration.protected_names[0].nam: unknown member; did you mean name?
    doorward.toml:16:42: registration.protected_names[0].hosts[0]: expected a host name in lower case, such as app.example.com, found "A.example"
    other.toml:1:7: log: expected a section, [log]
    DOORWARD_EMBEDDED__READERS: embedded.readers: expected an integer from 1 to 64, found "many"
    command line: connections.max: expected an integer from 1 to 1000000, found 0
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_refused_where_it_is_not_and_checked_where_it_is() {
    let text = "\
[server]
issuer = https://x.example
listen = \"1.2.3.4\"
[connections]
max =
per_source_max = = 7
[log]
filters = \"info\"
";
    let given = Given::new().file("doorward.toml", text);

    insta::assert_snapshot!(given.faults().join("\n"), @r#"
    doorward.toml:2:10: string values must be quoted, expected literal string
    doorward.toml:3:10: server.listen: expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, found "1.2.3.4"
    doorward.toml:5:6: string values must be quoted, expected literal string
    doorward.toml:6:18: extra `=`, expected nothing
    doorward.toml:8:1: log.filters: unknown setting; did you mean log.filter?
    "#);
}

#[test]
fn what_may_stand_in_the_unread_part_of_a_file_is_not_called_missing() {
    for (text, fault) in [
        ("[server]\nissuer = http://localhost", "2:10: string values must be quoted"),
        (
            "[server]\nissuer = \"https://a.example\"\ntls_terminated_in_front = yes",
            "3:27: string values must be quoted",
        ),
    ] {
        let found = Given::new().file("doorward.toml", text).only_fault();
        assert!(found.starts_with(&format!("doorward.toml:{fault}")), "{found}");
    }
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_known_key() {
    let cases = [
        (
            "[rate_limit]\n  per_sorce = 1",
            "2:3: rate_limit.per_sorce",
            Some("rate_limit.per_source"),
        ),
        ("rate_limit.per_sorce = 1", "1:12: rate_limit.per_sorce", Some("rate_limit.per_source")),
        ("listen = \"[::1]:80\"", "1:1: listen", Some("server.listen")),
        ("[conections]", "1:2: conections", Some("connections")),
        ("\"a b\" = 1", "1:1: \"a b\"", None),
        ("[nothing.like.it]", "1:2: nothing", None),
    ];
    for (text, place, nearest) in cases {
        let meant = nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default();
        assert_eq!(
            Given::enough().file("doorward.toml", text).only_fault(),
            format!("doorward.toml:{place}: unknown setting{meant}"),
        );
    }
}

#[test]
fn a_value_that_another_hides_is_checked_all_the_same() {
    let given =
        Given::enough().file("doorward.toml", "[log]\naddresses = 1").flag("log.addresses", "true");

    assert_eq!(
        given.only_fault(),
        "doorward.toml:2:13: log.addresses: expected true or false, found 1"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault() {
    let mut given = Given::new();
    given.sources.files.push(given.path("missing.toml"));
    let fault = given.only_fault();
    assert!(fault.starts_with("missing.toml: cannot read: No such file"), "{fault}");

    let fault = Given::new().file("doorward.toml", b"store = \"\xff\"").only_fault();
    assert_eq!(fault, "doorward.toml:1:10: not UTF-8");

    let fault = Given::new().file("doorward.toml", "#".repeat(1_048_577)).only_fault();
    assert_eq!(fault, "doorward.toml: cannot read: it has more than 1048576 bytes");
}

#[test]
fn variables_name_sections_with_two_underscores() {
    let config = Given::enough()
        .variable("DOORWARD_STORE", "/srv/clients")
        .variable("DOORWARD_LOG__FORMAT", "json")
        .variable("DOORWARD_LOG__ADDRESSES", "true")
        .variable("DOORWARD_TLS__KEY_FILE", "k.pem")
        .variable("DOORWARD_TLS__CERTIFICATE_FILE", "c.pem")
        .variable("DOORWARD_SERVER__TLS_TERMINATED_IN_FRONT", "true")
        .variable("PATH", "/bin")
        .config();

    assert_eq!(config.store, folder("/srv/clients"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(config.log.addresses);
    assert_eq!(config.tls.unwrap().key_file, PathBuf::from("k.pem"));
}

#[test]
fn a_list_in_a_variable_is_a_toml_array_or_has_commas() {
    for (text, scopes) in [
        ("a:b, c", &["a:b", "c"][..]),
        ("a", &["a"]),
        ("[\"a\", 'c']", &["a", "c"]),
        ("", &[]),
        ("[]", &[]),
    ] {
        let given = Given::enough().variable("DOORWARD_REGISTRATION__SCOPES", text);
        let read = given.config().registration.scopes;
        let read: Vec<&str> = read.iter().map(|one| one.scope.as_str()).collect();
        assert_eq!(read, scopes, "{text}");
    }
    let tables = "[{ name = \"Acme\", hosts = [\"acme.example\"], schemes = [\"acme\"] }]";
    let given = Given::enough().variable("DOORWARD_REGISTRATION__PROTECTED_NAMES", tables);
    assert_eq!(given.config().registration.protected_names[0].schemes, ["acme"]);
}

#[test]
fn a_variable_that_ends_in_file_names_a_file_that_holds_the_value() {
    let mut given = Given::enough();
    let path = given.path("store");
    fs::write(&path, "/srv/clients\n").unwrap();
    given = given.variable("DOORWARD_STORE_FILE", path.to_str().unwrap());
    assert_eq!(given.config().store, folder("/srv/clients"));

    let both = given.variable("DOORWARD_STORE", "elsewhere");
    assert_eq!(both.only_fault(), "DOORWARD_STORE: store is set by DOORWARD_STORE_FILE as well");

    let missing = Given::enough().variable("DOORWARD_STORE_FILE", "/nowhere/at/all");
    assert_eq!(
        missing.only_fault(),
        "DOORWARD_STORE_FILE: store: cannot read \"/nowhere/at/all\": \
         No such file or directory (os error 2)"
    );
}

#[test]
fn a_redis_comes_with_its_password_from_a_file_and_no_dump_shows_that() {
    let given = Given::dev();
    let path = given.folder.path().join("redis.url");
    fs::write(&path, "rediss://door:hunter2@redis.internal/1\n").unwrap();

    let config = given.variable("DOORWARD_RATE_LIMIT__REDIS_FILE", path.to_str().unwrap()).config();

    let dump = config.dump();
    assert!(dump.contains("redis = \"rediss://door:[redacted]@redis.internal/1\""), "{dump}");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.rate_limit.redis.unwrap().password.as_deref(), Some("hunter2"));
    assert_eq!(Given::dev().flag("rate_limit.redis", "").config().rate_limit.redis, None);
}

#[test]
fn an_unknown_variable_of_ours_is_refused_with_the_nearest_known_one() {
    for (name, nearest) in [
        ("DOORWARD_RATE_LIMIT__PER_SORCE", Some("DOORWARD_RATE_LIMIT__PER_SOURCE")),
        ("DOORWARD_SERVER_LISTEN", Some("DOORWARD_SERVER__LISTEN")),
        ("DOORWARD_STOR", Some("DOORWARD_STORE")),
        ("DOORWARD_QQQQQQ", None),
    ] {
        let meant = nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        assert_eq!(
            Given::enough().variable(name, "1").only_fault(),
            format!("{name}: unknown setting{meant}"),
        );
    }
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_of_our_name_are_passed_over() {
    Given::enough()
        .variable("DOORWARD_SERVICE_HOST", "10.0.0.1")
        .variable("DOORWARD_SERVICE_PORT", "80")
        .variable("DOORWARD_SERVICE_PORT_HTTP", "80")
        .variable("DOORWARD_PORT", "tcp://10.0.0.1:80")
        .variable("DOORWARD_PORT_80_TCP_ADDR", "10.0.0.1")
        .config();
}

#[test]
fn doorward_config_names_the_files_when_no_flag_does() {
    let mut given = Given::new().file("a.toml", ISSUER).file("b.toml", "store = \"b\"");
    let paths: Vec<_> = given.sources.files.iter().map(|path| path.to_str().unwrap()).collect();
    let paths = paths.join(":");
    given.sources.files.clear();
    let given = given.variable("DOORWARD_CONFIG", &paths);
    assert_eq!(given.config().store, folder("b"));

    let given = given.file("c.toml", format!("store = \"c\"\n{ISSUER}"));
    assert_eq!(given.config().store, folder("c"));
}

#[test]
fn a_log_filter_is_refused_where_it_would_not_mean_what_it_says() {
    for filter in ["warn, doorward=debug", " info", "doorward=loud", "\u{a0}\u{20ac}=info"] {
        let fault = Given::enough().flag("log.filter", filter).only_fault();
        assert!(fault.starts_with("command line: log.filter: expected a log filter"), "{fault}");
    }
    let filter = "warn,doorward=debug,doorward[{route=x}]=trace";
    assert_eq!(Given::enough().flag("log.filter", filter).config().log.filter, filter);
}

#[test]
fn a_bare_address_is_a_network_of_one() {
    let networks = "192.0.2.1, 10.0.0.0/8, 2001:db8::1, fd00::/8";
    let config = Given::enough().variable("DOORWARD_SERVER__TRUSTED_PROXIES", networks).config();

    let networks: Vec<_> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.1/32", "10.0.0.0/8", "2001:db8::1/128", "fd00::/8"]);
}

#[test]
fn a_network_that_could_not_mean_what_it_says_is_refused() {
    for (network, reason) in [
        ("10.0.0.1/8", ": the network is 10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", ": write IPv4 networks in their IPv4 form"),
        ("10.0.0.0/33", ""),
        ("proxy.example", ""),
    ] {
        let given = Given::enough().variable("DOORWARD_SERVER__TRUSTED_PROXIES", network);
        let expected = "expected an IP address or network, such as 10.0.0.0/8 or fd00::/8";
        assert_eq!(
            given.only_fault(),
            format!(
                "DOORWARD_SERVER__TRUSTED_PROXIES: server.trusted_proxies[0]: \
                 {expected}, found \"{network}\"{reason}"
            ),
        );
    }
}

#[test]
fn a_protected_name_needs_a_name_and_hosts_and_schemes_in_lower_case() {
    for (table, fault) in [
        ("{ hosts = [] }", "protected_names[0]: name is missing"),
        ("{ name = ' ' }", "protected_names[0].name: expected a name, found \" \""),
        ("{ name = 'x', hosts = ['127.0.0.1'] }", "protected_names[0].hosts[0]: expected a host"),
        ("{ name = 'x', hosts = ['a.example:1'] }", "protected_names[0].hosts[0]: expected a host"),
        ("{ name = 'x', schemes = ['https'] }", "protected_names[0].schemes[0]: expected a URI"),
        ("{ name = 'x', schemes = ['cursor:'] }", "protected_names[0].schemes[0]: expected a URI"),
        (
            "{ name = 'x', host = [] }",
            "protected_names[0].host: unknown member; did you mean hosts?",
        ),
        ("'x'", "protected_names[0]: expected a table"),
    ] {
        let text = format!("[registration]\nprotected_names = [{table}]");
        let found = Given::enough().file("doorward.toml", text).only_fault();
        assert!(found.contains(&format!(": registration.{fault}")), "{found}");
    }
}

#[test]
fn an_issuer_is_an_http_url_in_its_one_spelling_without_anything_behind_the_path() {
    for issuer in ["https://a.example", "https://a.example:8443", "https://a.example/oauth"] {
        let given = Given::new()
            .flag("server.issuer", issuer)
            .flag("server.tls_terminated_in_front", "true");
        assert_eq!(given.config().server.issuer, issuer);
    }
    for issuer in [
        "a.example",
        "/oauth",
        "ftp://a.example",
        "https://a.example/",
        "https://a.example/oauth/",
        "https://a.example?",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://user@a.example",
        "https://user:pass@a.example",
        "https://A.example",
        "https://a.example:443",
        "https://a.example/x/../y",
        " https://a.example",
        "https:a.example",
        "https://a.example:0",
        "",
    ] {
        let given = Given::new()
            .flag("server.issuer", issuer)
            .flag("server.tls_terminated_in_front", "true");
        let fault = given.only_fault();
        assert!(fault.starts_with("command line: server.issuer: expected an https"), "{fault}");
        assert!(!fault.contains("pass"), "{fault}");
    }
}

/// Issuer, whether `[tls]` is set, whether TLS is terminated in front, and what is wrong with it.
const ISSUER_RULES: &[(&str, bool, bool, Option<&str>)] = &[
    ("http://localhost:8080", false, false, None),
    ("http://127.0.0.1:8080", false, false, None),
    ("http://[::1]:8080", false, false, None),
    ("http://127.0.0.2:8080", false, false, Some("is http to a host that is not localhost")),
    ("http://localhost.example", false, false, Some("is http to a host that is not localhost")),
    ("http://a.example", false, false, Some("is http to a host that is not localhost")),
    ("http://a.example", false, true, None),
    ("http://a.example", true, false, Some("is http, but [tls] is set")),
    ("http://localhost:8080", true, false, Some("is http, but [tls] is set")),
    ("https://a.example", false, false, Some("is https, but TLS is off")),
    ("https://a.example", true, false, None),
    ("https://a.example", false, true, None),
    ("https://a.example", true, true, None),
];

#[test]
fn something_speaks_the_scheme_of_the_issuer_and_http_stays_on_this_machine() {
    for &(issuer, tls, in_front, fault) in ISSUER_RULES {
        let mut given = Given::new()
            .file("doorward.toml", format!("[server]\nissuer = \"{issuer}\""))
            .flag("server.tls_terminated_in_front", if in_front { "true" } else { "false" });
        if tls {
            given = given.flag("tls.certificate_file", "c").flag("tls.key_file", "k");
        }
        match fault {
            None => assert_eq!(given.config().server.issuer, issuer),
            Some(fault) => {
                let found = given.only_fault();
                let expected = format!("doorward.toml:2:10: server.issuer: {fault}");
                assert!(found.starts_with(&expected), "{issuer} {tls} {in_front}: {found}");
            }
        }
    }
}

#[test]
fn no_subject_of_a_provider_is_one_of_another_kind_or_a_client() {
    for (id, is_good) in [("acme", true), ("https", false), ("local", false)] {
        let provider = format!(
            "{{ id = \"{id}\", name = \"A\", issuer = \"https://a.example\", client_id = \"c\" }}"
        );
        let given =
            Given::dev().file("doorward.toml", format!("[sign_in]\nproviders = [{provider}]"));
        if is_good {
            assert_eq!(given.config().sign_in.providers[0].id, id);
        } else {
            let fault = given.only_fault();
            assert!(fault.contains(&format!("no provider may have the id \"{id}\"")), "{fault}");
        }
    }
}

#[test]
fn a_code_is_good_for_ten_minutes_at_most() {
    for (seconds, is_good) in [("0", false), ("1", true), ("600", true), ("601", false)] {
        let given = Given::dev().flag("authorization.code_lifetime_seconds", seconds);
        if is_good {
            let read = given.config().authorization.code_lifetime_seconds;
            assert_eq!(read.to_string(), seconds);
        } else {
            assert!(given.only_fault().contains("authorization.code_lifetime_seconds"));
        }
    }
}

#[test]
fn the_issuer_of_a_provider_is_kept_as_it_is_spelled_with_its_slash() {
    let given = |issuer: &str| {
        let provider =
            format!("{{ id = \"a\", name = \"A\", issuer = \"{issuer}\", client_id = \"c\" }}");
        Given::dev().file("doorward.toml", format!("[sign_in]\nproviders = [{provider}]"))
    };
    for issuer in
        ["https://acme.eu.auth0.example/", "https://login.example", "https://login.example/a/v2.0/"]
    {
        let config = given(issuer).config();
        assert_eq!(config.sign_in.providers[0].issuer, issuer);
        assert!(config.dump().contains(&format!("issuer = \"{issuer}\"")), "{}", config.dump());
    }
    for issuer in ["https://login.example//", "https://login.example/?a", "/", "HTTPS://a.example/"]
    {
        let fault = given(issuer).only_fault();
        assert!(fault.contains("issuer") && fault.contains("expected an https"), "{fault}");
    }
}

#[test]
fn a_resource_is_an_absolute_uri_without_fragment() {
    let given = |uri: &str| {
        Given::dev().flag("authorization.resources", &format!("[{{ uri = \"{uri}\" }}]"))
    };
    let longest = format!("https://mcp.example/{}", "x".repeat(2_048 - 20));
    for uri in [&*longest, "https://mcp.example", "urn:example:tools", "https://mcp.example/?a=%20"]
    {
        assert_eq!(given(uri).config().authorization.resources[0].uri.as_str(), uri);
    }
    for uri in
        [&*format!("{longest}x"), "", "/mcp", "https://mcp.example/#", "https://mcp.example/ a"]
    {
        let fault = given(uri).only_fault();
        assert!(fault.contains("expected an absolute URI without fragment"), "{fault}");
    }
}

#[test]
fn no_two_resources_are_named_the_same_by_requests() {
    let given = |other: &str| {
        let tables = format!(r#"[{{ uri = "https://mcp.example" }}, {{ uri = "{other}" }}]"#);
        Given::dev().flag("authorization.resources", &tables)
    };
    assert_eq!(given("https://mcp.example/mcp").config().authorization.resources.len(), 2);
    for same in ["https://mcp.example", "https://mcp.example/", "https://MCP.example"] {
        let fault = given(same).only_fault();
        assert!(fault.contains(&format!("{same:?} stands there twice")), "{fault}");
    }
}

#[test]
fn no_two_providers_have_one_id() {
    let provider = r#"{ id = "b", name = "A", issuer = "https://a.example", client_id = "c" }"#;
    let given = Given::dev().flag("sign_in.providers", &format!("[{provider},{provider}]"));
    let found = given.only_fault();
    assert!(found.contains("two providers have the id \"b\""), "{found}");
}

#[test]
fn outside_of_development_the_issuer_must_be_set() {
    let fault = Given::new().only_fault();
    assert!(fault.starts_with("server.issuer: must be set to an https or http URL"), "{fault}");
}

#[test]
fn certificate_and_key_are_set_both_or_neither() {
    assert_eq!(Given::enough().config().tls, None);
    let given = Given::dev().file("doorward.toml", "[tls]\nkey_file = \"k\"");
    assert_eq!(
        given.only_fault(),
        "doorward.toml:2:12: tls.certificate_file: must be set to a file, as tls.key_file is set"
    );
    assert_eq!(
        Given::dev().variable("DOORWARD_TLS__CERTIFICATE_FILE", "c").only_fault(),
        "DOORWARD_TLS__CERTIFICATE_FILE: tls.key_file: must be set to a file, \
         as tls.certificate_file is set"
    );
}

#[test]
fn the_two_listeners_have_two_addresses() {
    let given = Given::dev().flag("server.management", "127.0.0.1:8080");
    let fault = "command line: server.management: is the address of server.listen as well";
    assert_eq!(given.only_fault(), fault);

    Given::dev().flag("server.management", "[::1]:0").flag("server.listen", "[::1]:0").config();
}

#[test]
fn development_has_loopback_listeners_a_folder_here_and_no_rate_limits() {
    let config = Given::dev().config();

    assert_eq!(config.store, folder("doorward-data"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.management.to_string(), "127.0.0.1:9000");
    assert_eq!((config.rate_limit.per_source, config.rate_limit.total), (0, 0));

    let limited = Given::dev().file("doorward.toml", "[rate_limit]\ntotal = 7").config();
    assert_eq!((limited.rate_limit.per_source, limited.rate_limit.total), (0, 7));
}

#[test]
fn development_derives_the_issuer_from_the_public_listener() {
    for (listen, issuer) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:9999", "http://[::1]:9999"),
        ("0.0.0.0:8080", "http://localhost:8080"),
        ("192.0.2.1:80", "http://localhost"),
    ] {
        let config = Given::dev().flag("server.listen", listen).config();
        assert_eq!(config.server.issuer, issuer);
    }
    let tls = Given::dev().flag("tls.certificate_file", "c").flag("tls.key_file", "k");
    assert_eq!(tls.config().server.issuer, "https://127.0.0.1:8080");

    let set = Given::dev().flag("server.issuer", "http://localhost:1");
    assert_eq!(set.config().server.issuer, "http://localhost:1");
}

#[test]
fn the_defaults_of_the_structure_are_those_of_the_table() {
    let given = Given::new().flag("server.issuer", "http://127.0.0.1:8080");
    assert_eq!(given.config(), Config::default());
}

#[test]
fn the_dump_loads_again_as_the_same_settings() {
    let given = Given::new()
        .flag("store", "a \"quoted\" folder")
        .flag("server.issuer", "https://a.example")
        .flag("server.trusted_proxies", "10.0.0.1,fd00::/8")
        .flag("tls.certificate_file", "c\\d.pem")
        .flag("tls.key_file", "k'.pem")
        .flag("registration.scopes", "a,b")
        .flag("log.format", "text");
    for config in [given.config(), Given::dev().config()] {
        assert_eq!(Given::new().file("dump.toml", config.dump()).config(), config);
    }
}

#[test]
fn the_dump_and_the_faults_hide_a_password() {
    let given = Given::enough().flag("store", "postgres://door:p%40ss%2Fword@db/clients");
    let dump = given.config().dump();
    assert!(dump.contains("postgres://door:[redacted]@db/clients"), "{dump}");

    for store in ["postgres://door:hunter2@db", "mysql://door:hunter2@db/clients"] {
        let fault = Given::enough().flag("store", store).only_fault();
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn the_password_of_a_database_comes_from_a_file_and_is_not_shown() {
    let mut given = Given::enough().flag("store", "postgres://door@h1:5433,h2/clients");
    let path = given.path("password");
    fs::write(&path, "hunter2\n").unwrap();
    given = given.variable("DOORWARD_POSTGRES__PASSWORD_FILE", path.to_str().unwrap());

    let config = given.config();

    assert!(config.dump().contains("password = \"[redacted]\""), "{}", config.dump());
    assert!(!format!("{config:?}{}", config.dump()).contains("hunter2"));
    let twice = given.flag("store", "postgres://door:secret@h1/clients").only_fault();
    assert!(twice.contains("postgres.password: is a password, and the URL"), "{twice}");
}

#[test]
fn a_database_leaves_a_connection_for_more_than_batches() {
    let fault = Given::enough().flag("postgres.connections_max", "2").only_fault();

    assert!(fault.contains("postgres.writers: leaves no connection"), "{fault}");
}

#[test]
fn the_sample_has_every_setting_and_changes_none() {
    let given = Given::new().file("doorward.toml", config::sample());
    let given = given.flag("server.issuer", "http://127.0.0.1:8080");
    assert_eq!(given.config(), Config::default());
}

#[test]
fn every_line_of_the_sample_can_be_put_in_force() {
    let setting = |line: &str| !line.starts_with("# ") || line.starts_with("#  ");
    let text: Vec<String> = config::sample()
        .lines()
        .filter(|line| setting(line))
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned())
        .collect();
    let config = Given::new().file("doorward.toml", text.join("\n")).config();

    let keys = |dump: String| -> Vec<String> {
        dump.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    assert_eq!(keys(text.join("\n")), keys(config.dump()));
    assert_eq!(config.registration.protected_names, Config::default().registration.protected_names);
}

#[test]
fn the_committed_reference_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let reference = config::reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &reference).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == reference, "{path} is out of date: run `UPDATE_DOCS=1 cargo test`");
}

#[test]
fn the_packaged_settings_are_good() {
    let load = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
        config::load(Sources { files: vec![path], ..Sources::default() }).unwrap()
    };

    let alone = load("doorward.toml");
    assert_eq!(alone.store, folder("/var/lib/doorward"));
    assert!(alone.server.tls_terminated_in_front);
    let behind_a_balancer = load("compose/doorward.toml");
    assert_eq!(behind_a_balancer.server.trusted_proxies.len(), 1);
}
