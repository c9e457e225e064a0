//! What only this folder can reach; what an operator sees is tested in `tests/it/configuration.rs`.

use std::iter;

use proptest::prelude::*;

use super::{
    Config,
    fault::{line_and_column, nearest},
    load::fuzz,
    setting::{Setting, settings},
};

/// Lines that are nearly a file of ours.
fn nearly_settings() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = settings().map(|setting| setting.key).collect();
    let line = (prop::sample::select(keys), "[\"'\\[{]?[a-z0-9.:/@,= é-]{0,12}[\"'\\]}]?\n?")
        .prop_map(|(key, value)| format!("{key} = {value}"));
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn no_bytes_in_a_file_or_a_variable_cause_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        fuzz(&bytes);
    }

    #[test]
    fn nothing_that_is_nearly_a_file_causes_a_panic(text in nearly_settings()) {
        fuzz(text.as_bytes());
    }
}

#[test]
fn every_key_is_in_the_table_once() {
    let mut keys: Vec<&str> = settings().map(|setting| setting.key).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all);
}

#[test]
fn no_variable_of_a_setting_is_also_the_file_variable_of_another() {
    let variables: Vec<String> = settings().map(Setting::variable).collect();
    for variable in &variables {
        assert!(!variables.contains(&format!("{variable}_FILE")), "{variable}");
    }
}

#[test]
fn every_default_and_example_of_the_table_is_valid() {
    for setting in settings() {
        for toml in [setting.default, setting.dev, setting.example].into_iter().flatten() {
            assert_ne!((setting.spell)(toml), "", "{}", setting.key);
        }
        assert!(setting.default.is_some() || setting.example.is_some(), "{}", setting.key);
    }
}

#[test]
fn a_setting_that_names_a_file_says_whether_the_file_is_secret() {
    const PUBLIC: [&str; 2] = ["tls.certificate_file", "postgres.ca_file"];
    let rows = settings().flat_map(|setting| iter::once(setting).chain((setting.members)()));
    for row in rows.filter(|row| row.key.ends_with("_file")) {
        assert_eq!((row.names_secret_file)(), !PUBLIC.contains(&row.key), "{}", row.key);
    }
}

#[test]
fn columns_are_counted_in_characters() {
    assert_eq!(line_and_column("é = 1\nöä = 2", 0), (1, 1));
    assert_eq!(line_and_column("é = 1\nöä = 2", "é = 1\nöä".len()), (2, 3));
}

#[test]
fn the_nearest_key_is_the_one_a_few_edits_away_or_the_same_word_under_another_heading() {
    let keys = ["rate_limit.per_source", "connections.per_source_max", "server.listen", "store"];
    let cases = [
        ("rate_limit.per_sorce", Some("rate_limit.per_source")),
        ("ratelimit.per_source", Some("rate_limit.per_source")),
        ("listen", Some("server.listen")),
        ("log.listen", Some("server.listen")),
        ("stor", Some("store")),
        ("x", None),
        ("completely.different", None),
    ];
    for (given, expected) in cases {
        assert_eq!(nearest(given, keys), expected, "{given}");
    }
}

#[test]
fn an_issuer_is_an_origin_and_a_path() {
    for (issuer, origin, path) in [
        ("https://door.example", "https://door.example", ""),
        ("https://door.example:8443/acme", "https://door.example:8443", "/acme"),
        ("http://[::1]:8080/a/b", "http://[::1]:8080", "/a/b"),
    ] {
        let mut config = Config::default();
        config.server.issuer = issuer.to_owned();
        assert_eq!((config.issuer_origin(), config.issuer_path()), (origin, path));
    }
}
