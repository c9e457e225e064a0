//! What is written of settings: the dump, the sample, the reference.

use super::*;

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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run/configuration.md");
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
