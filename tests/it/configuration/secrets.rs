//! No message about the settings shows a secret, however it was mistyped.

use super::Given;

/// What no message may hold.
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

/// Every setting that holds a secret, with the values around it in which the secret may stand.
const SETTINGS: &[(&str, &[&str])] = &[
    ("token.keys_secret", &["{}"]),
    ("postgres.password", &["{}"]),
    (
        "store",
        &[
            "postgres://u:{}@h",
            "postgres:/u:{}@h/x",
            "postgres:u:{}@h/x",
            "postgress://u:{}@h/x",
            "Postgres://u:{}@h/x",
            "postgres://u:{}/x",
            "postgres://u:{}@h/x?sslmode=prefer",
            "postgres://u:a@{}@h/x",
            "postgres://u:a/{}@h/x",
            "postgres://u@h/x?password={}",
            "u:{}@h/x",
            "//u:{}@h/x",
            "host=h user=u password={}",
            "mysql://u:{}@h/x",
        ],
    ),
    (
        "rate_limit.redis",
        &[
            "redis:/u:{}@h",
            "redis//u:{}@h",
            "http://u:{}@h",
            "redis://u:{}@h/x",
            "redis://u:{}",
            "redis://{}@h",
            "redis://u:{}@h?protocol=resp3",
        ],
    ),
    ("server.issuer", &["https://u:{}@h", "https:/u:{}@h", "https://u:{}", "https://h?key={}"]),
    ("tls.key_file", &["-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"]),
    ("log.filter", &["postgres://u:{}@h/x"]),
];

/// Members of entries that hold a secret, with an entry around them.
const MEMBERS: &[(&str, &str)] = &[
    ("authorization.resources", "{ uri = \"https://h/mcp\", id = \"t\", secret_sha256 = {} }"),
    ("authorization.resources", "{ uri = \"https://h/mcp\", id = \"t\", secret_sha265 = {} }"),
    ("authorization.resources", "{ uri = \"https://h/mcp\", secret = {} }"),
    ("authorization.resources", "{ uri = \"https://h/mcp\", \"{}\" = 1 }"),
    ("authorization.resources", "{ uri = \"https://u:{}@h/mcp\" }"),
    (
        "sign_in.providers",
        "{ id = \"a\", name = \"A\", issuer = \"https://u:{}@h\", client_id = \"c\" }",
    ),
    (
        "sign_in.providers",
        "{ id = \"a\", name = \"A\", issuer = \"https://h\", client_secret_file = {} }",
    ),
    (
        "sign_in.providers",
        "{ id = \"a\", name = \"A\", issuer = \"https://h\", client_secret = {} }",
    ),
    ("sign_in.providers", "{}"),
];

fn assert_hidden(given: &Given, case: &str) {
    let faults = given.faults().join("\n");
    assert!(!faults.contains("hunter2"), "{case}\n{faults}");
}

/// The file that sets `key` to what stands in `toml`.
fn file(key: &str, toml: &str) -> String {
    match key.rsplit_once('.') {
        Some((section, name)) => format!("[{section}]\n{name} = {toml}\n"),
        None => format!("{key} = {toml}\n"),
    }
}

#[test]
fn no_message_shows_a_secret_that_is_refused_in_a_file_a_variable_or_a_flag() {
    for (key, values) in SETTINGS {
        for value in *values {
            let value = value.replace("{}", SECRET);
            if value == SECRET {
                continue; // It is good.
            }
            let variable = format!("DOORWARD_{}", key.replace('.', "__").to_uppercase());
            let quoted = format!("{value:?}");
            assert_hidden(&Given::dev().file("a.toml", file(key, &quoted)), &value);
            assert_hidden(&Given::dev().variable(&variable, &value), &value);
            assert_hidden(&Given::dev().flag(key, &value), &value);
        }
    }
}

#[test]
fn no_message_shows_a_secret_whose_file_cannot_be_understood() {
    for (key, values) in SETTINGS {
        let name = key.rsplit('.').next().unwrap();
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
        for value in *values {
            let value = value.replace("{}", SECRET);
            let texts = [
                file(key, &value),                          // unquoted
                file(key, &format!("\"{value}")),           // no closing quote
                file(key, &format!("{value}\"")),           // no opening quote
                file(key, &format!("'{value}' x")),         // something behind it
                file(key, &format!("\n{value}")),           // on the next line
                file(key, &format!("[{value:?}]")),         // a list
                file(key, &format!("{{ a = {value:?} }}")), // a table
                file(key, &format!("{value:?} = 1")),       // two equals signs
                format!("[{section}x]\n{name} = {value:?}\n"),
                format!("[server]\n{name}_ = {value:?}\n"),
                format!("[server]\n{value:?} = \"{name}\"\n"),
                format!("{name}x = {value:?}\n"),
                format!("{value:?} = 1\n"),
                format!("[{value:?}]\n"),
                format!("{section} = {value:?}\n"),
                format!("{name} {value}\n"),
                format!("{value}\n"),
            ];
            for text in texts {
                let given = Given::dev().file("a.toml", &text).flag("postgres.writers", "999");
                assert_hidden(&given, &text);
            }
        }
    }
}

#[test]
fn no_message_shows_a_secret_of_another_type_or_a_secret_in_place_of_its_file() {
    for key in ["token.keys_secret", "postgres.password"] {
        for number in ["4711.4711", "47114711"] {
            let faults = Given::dev().file("a.toml", file(key, number)).faults().join("\n");
            assert!(!faults.contains("4711"), "{faults}");
        }
        let variable = format!("DOORWARD_{}", key.replace('.', "__").to_uppercase());
        assert_hidden(&Given::dev().variable(&format!("{variable}_FILE"), SECRET), key);
        assert_hidden(&Given::dev().variable(&format!("{variable}X"), SECRET), key);
    }
    let short = Given::dev().flag("token.keys_secret", "hunter2");
    assert_hidden(&short, "too short");
    assert_hidden(&Given::dev().flag("postgres.password", "hunter2\0"), "with a NUL");
}

#[test]
fn no_message_shows_a_secret_in_an_entry() {
    for (key, entry) in MEMBERS {
        for secret in [format!("\"{SECRET}\""), SECRET.to_owned(), format!("['{SECRET}']")] {
            let inner = entry.contains("\"{}\"") || entry.contains(":{}@");
            let secret = if inner { SECRET } else { &*secret };
            let text = file(key, &format!("[{}]", entry.replace("{}", secret)));
            assert_hidden(&Given::dev().file("a.toml", &text), &text);
        }
    }
}

#[test]
fn settings_that_hold_secrets_are_marked_in_the_reference() {
    let reference = doorward::config::reference();
    for key in ["token.keys_secret", "postgres.password", "store", "rate_limit.redis"] {
        let section = reference.split(&format!("### `{key}`\n")).nth(1).unwrap();
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains("- Secret: messages never show it"), "{key}");
    }
}
