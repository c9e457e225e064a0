//! Where values come from, which of them is stronger, and how faults are told.

use super::*;

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
    doorward.toml:1:9: store: expected a folder, or a database as postgres://user@host:port/database, found [redacted]
    doorward.toml:3:10: server.listen: expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, found "localhost:80"
    doorward.toml:4:3: server.isuer: unknown setting; did you mean server.issuer?
    doorward.toml:5:2: ratelimit: unknown setting; did you mean rate_limit?
    doorward.toml:8:1: rate_limit.per_sorce: unknown setting; did you mean rate_limit.per_source?
    doorward.toml:9:9: rate_limit.total: expected an integer from 0 to 10000000, found -1
    doorward.toml:10:18: rate_limit.period_seconds: expected an integer from 1 to 86400, found 0x1FFFF
    doorward.toml:12:10: log.filter: expected a log filter, such as info or warn,doorward=debug, found "a=b"
    doorward.toml:13:13: log.addresses: expected true or false, found "true"
    doorward.toml:15:11: registration.scopes[0]: expected a scope (RFC 6749 section 3.3), found "a b"
    doorward.toml:15:23: registration.scopes[2]: expected a scope (RFC 6749 section 3.3), alone or in a table such as { scope = "read", description = "Read" }, found 7
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
        ("\"a b\" = 1", "1:1", None),
        ("[nothing.like.it]", "1:2", None),
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
        "DOORWARD_STORE_FILE: store: cannot read the file named here: \
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
