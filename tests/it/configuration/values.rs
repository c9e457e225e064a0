//! What a value may be, by itself and beside others.

use super::*;

#[test]
fn a_log_filter_is_refused_where_it_would_not_mean_what_it_says() {
    for filter in ["warn, doorward=debug", " info", "doorward=loud", "\u{a0}\u{20ac}=info"] {
        let fault = Given::enough().flag("log.filter", filter).only_fault();
        assert!(fault.starts_with("command line: log.filter: expected a log filter"), "{fault}");
    }
    let filter = "warn,doorward=debug,doorward[{route=x}]=trace";
    assert_eq!(Given::enough().flag("log.filter", filter).config().log.filter, filter);
}

/// The faults of these operators beside one provider, `acme`.
fn faults_of_operators(operators: &str) -> Vec<String> {
    let file = format!(
        "[server]\nissuer = \"http://localhost:8080\"\n[sign_in]\nproviders = [{{ id = \"acme\", \
         name = \"Acme\", issuer = \"https://login.example\", client_id = \"x\" }}]\n{operators}"
    );
    let given = Given::new().file("d.toml", file);
    if config::load(given.sources.clone()).is_ok() { Vec::new() } else { given.faults() }
}

#[test]
fn operators_are_people_who_sign_in_by_subject_address_or_group() {
    let good = "[[operators]]\nrole = \"admin\"\nsubjects = [\"acme:7\"]\n\
                [[operators]]\nrole = \"viewer\"\nprovider = \"acme\"\nemails = [\"a@x.example\"]\ngroups = [\"g\"]\n";
    assert_eq!(faults_of_operators(good), [""; 0]);
    for (members, fault) in [
        (
            "role = \"root\"\ngroups = [\"g\"]",
            "operators[0].role: expected viewer, operator, or admin, found \"root\"",
        ),
        ("role = \"admin\"", "operators[0]: names nobody: add subjects, emails, or groups"),
        ("groups = [\"g\"]", "operators[0]: role is missing"),
        (
            "role = \"admin\"\ngroups = [\"g\"]\nemail = [\"a@x.example\"]",
            "operators[0].email: unknown member; did you mean emails?",
        ),
        (
            "role = \"admin\"\nprovider = \"acem\"\ngroups = [\"g\"]",
            "operators: no provider in sign_in.providers has the id \"acem\"; did you mean acme?",
        ),
        (
            "role = \"admin\"\nsubjects = [\"acem:7\"]",
            "operators: the subject \"acem:7\": no provider in sign_in.providers has the id \"acem\"; did you mean acme?",
        ),
        (
            "role = \"admin\"\nsubjects = [\"7\"]",
            "operators[0].subjects[0]: expected the id of a provider, a colon, and what the provider calls the person, such as acme:248289761001, found \"7\"",
        ),
        (
            "role = \"admin\"\nemails = [\"*@x.example\"]",
            "operators[0].emails[0]: expected an email address such as ada@example.com, found \"[redacted]@x.example\": each address stands alone: for all of a domain, use groups",
        ),
        (
            "role = \"admin\"\nemails = [\"x.example\"]",
            "operators[0].emails[0]: expected an email address such as ada@example.com, found \"x.example\"",
        ),
    ] {
        let faults = faults_of_operators(&format!("[[operators]]\n{members}\n"));
        assert!(faults.len() == 1 && faults[0].contains(fault), "{members}: {faults:#?}");
    }
    let fault =
        Given::enough().flag("operators", "[{ role = \"admin\", groups = [\"g\"] }]").only_fault();
    assert!(fault.ends_with("there is no way to sign in: set sign_in.providers"), "{fault}");
}

#[test]
fn with_several_providers_operators_by_group_or_address_name_theirs() {
    let faults = |operators: &str| {
        let providers = ["acme", "other"].map(|id| {
            format!("{{ id = \"{id}\", name = \"A\", issuer = \"https://{id}.example\", client_id = \"x\" }}")
        });
        let file = format!(
            "[server]\nissuer = \"http://localhost:8080\"\n[sign_in]\nproviders = [{}]\n[[operators]]\n{operators}\n",
            providers.join(", ")
        );
        let given = Given::new().file("d.toml", file);
        if config::load(given.sources.clone()).is_ok() { Vec::new() } else { given.faults() }
    };
    for good in [
        "role = \"admin\"\nsubjects = [\"acme:7\", \"other:7\"]",
        "role = \"admin\"\nprovider = \"other\"\ngroups = [\"g\"]\nemails = [\"a@x.example\"]",
    ] {
        assert_eq!(faults(good), [""; 0], "{good}");
    }
    for bad in [
        "groups = [\"g\"]",
        "emails = [\"a@x.example\"]",
        "subjects = [\"acme:7\"]\ngroups = [\"g\"]",
    ] {
        let found = faults(&format!("role = \"viewer\"\n{bad}"));
        let [fault] = &found[..] else { panic!("{bad}: {found:?}") };
        assert!(
            fault.contains("operators: the viewer entry has groups or emails and no provider"),
            "{fault}"
        );
        assert!(
            fault.contains("Add the provider whose groups and addresses count: acme, other"),
            "{fault}"
        );
    }
}

#[test]
fn a_listener_of_operators_has_an_address_of_its_own_and_no_tokens_in_the_clear() {
    let given = |listen: &str| Given::enough().flag("operator.listen", listen);
    assert_eq!(given("").config().operator.listen, None);
    assert_eq!(given("[::1]:9443").config().operator.listen, Some("[::1]:9443".parse().unwrap()));
    for (listen, fault) in [
        ("127.0.0.1:8080", "operator.listen: is the address of server.listen as well"),
        ("127.0.0.1:9000", "operator.listen: is the address of server.management as well"),
        (
            "10.0.0.5:9443",
            "operator.listen: would carry tokens without TLS: set tls.certificate_file",
        ),
        (
            "0.0.0.0:9443",
            "operator.listen: would carry tokens without TLS: set tls.certificate_file",
        ),
        ("9443", "operator.listen: expected an IP address and a port, such as 127.0.0.1:9443"),
    ] {
        let found = given(listen).only_fault();
        assert!(found.contains(fault), "{listen}: {found}");
    }
    let behind = given("10.0.0.5:9443").flag("server.tls_terminated_in_front", "true");
    assert!(behind.config().operator.listen.is_some());
}

#[test]
fn a_listener_of_the_guard_has_an_address_of_its_own_and_no_tokens_in_the_clear() {
    let given = |listen: &str| Given::enough().flag("guard.listen", listen);
    assert_eq!(given("").config().guard.listen, None);
    assert_eq!(given("[::1]:9080").config().guard.listen, Some("[::1]:9080".parse().unwrap()));
    for (listen, fault) in [
        ("127.0.0.1:8080", "guard.listen: is the address of server.listen as well"),
        ("127.0.0.1:9000", "guard.listen: is the address of server.management as well"),
        ("127.0.0.1:9443", "guard.listen: is the address of operator.listen as well"),
        ("10.0.0.5:9080", "guard.listen: would carry tokens without TLS: set tls.certificate_file"),
    ] {
        let found = given(listen).flag("operator.listen", "127.0.0.1:9443").only_fault();
        assert!(found.contains(fault), "{listen}: {found}");
    }
    let behind = given("10.0.0.5:9080").flag("server.tls_terminated_in_front", "true");
    assert!(behind.config().guard.listen.is_some());
}

#[test]
fn no_resource_is_the_operator_api() {
    for uri in ["http://localhost:8080/api", "HTTP://LOCALHOST:8080/api"] {
        let list = format!("[{{ uri = \"{uri}\" }}]");
        let fault = Given::enough().flag("authorization.resources", &list).only_fault();
        assert!(
            fault.ends_with(
                "is the operator API of this server itself: give your resource another uri"
            ),
            "{fault}"
        );
    }
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
fn a_database_leaves_a_connection_for_more_than_batches() {
    let fault = Given::enough().flag("postgres.connections_max", "2").only_fault();

    assert!(fault.contains("postgres.writers: leaves no connection"), "{fault}");
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
