//! No message about the settings shows a secret, however it was mistyped.

use doorward::config;

use super::Given;

/// What no message may hold.
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

/// Values in which a secret may stand. Every setting that the reference marks as secret is given each of them.
const VALUES: &[&str] = &[
    "{}",
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
    "redis:/u:{}@h",
    "redis//u:{}@h",
    "http://u:{}@h",
    "redis://u:{}@h/x",
    "redis://u:{}",
    "redis://{}@h",
    "redis://u:{}@h?protocol=resp3",
];

/// Settings that hold no secret, with values in which one may stand all the same.
const MISPLACED: &[(&str, &[&str])] = &[
    ("server.issuer", &["https://u:{}@h", "https:/u:{}@h", "https://u:{}", "https://h?key={}"]),
    ("tls.key_file", &["-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"]),
    ("log.filter", &["postgres://u:{}@h/x"]),
];

/// Every key of the reference, with the part that describes it.
fn described(reference: &str) -> impl Iterator<Item = (&str, &str)> {
    reference.split("\n### `").skip(1).filter_map(|part| part.split_once("`\n"))
}

/// Every setting, with each value in which a secret may stand.
fn settings() -> Vec<(String, String)> {
    let reference = config::reference();
    let secret = described(&reference).filter(|(_, about)| about.contains("\n- Secret: "));
    let secret = secret.flat_map(|(key, _)| VALUES.iter().map(move |value| (key, *value)));
    let misplaced = MISPLACED.iter().flat_map(|(key, all)| all.iter().map(|it| (*key, *it)));
    // A word alone is the folder of a store.
    let all = secret.chain(misplaced).filter(|it| *it != ("store", "{}"));
    all.map(|(key, value)| (key.to_owned(), value.replace("{}", SECRET))).collect()
}

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
    ("webhooks", "{ name = \"a\", url = {}, secret_file = \"./s\" }"),
    ("webhooks", "{ name = \"a\", url = \"https://u:{}@h/\", secret_file = \"./s\" }"),
    ("webhooks", "{ name = \"a\", url = \"https://h/\", secret_file = {} }"),
    ("webhooks", "{ name = \"a\", url = \"https://h/\", secret = {} }"),
    ("webhooks", "{}"),
];

/// Neither the faults nor, where it is accepted, the dump shows it.
fn assert_hidden(given: &Given, case: &str) {
    let shown = match config::load(given.sources.clone()) {
        Ok(config) => config.dump(),
        Err(faults) => faults.to_string(),
    };
    assert!(!shown.contains("hunter2"), "{case}\n{shown}");
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
    for (key, value) in settings() {
        let key = &*key;
        let variable = format!("DOORWARD_{}", key.replace('.', "__").to_uppercase());
        let quoted = format!("{value:?}");
        assert_hidden(&Given::dev().file("a.toml", file(key, &quoted)), &value);
        assert_hidden(&Given::dev().variable(&variable, &value), &value);
        let mut given = Given::dev();
        given.sources.flags.push((key.to_owned().leak(), value.clone()));
        assert_hidden(&given, &value);
    }
}

#[test]
fn no_message_shows_a_secret_whose_file_cannot_be_understood() {
    for (key, value) in settings() {
        let key = &*key;
        let name = key.rsplit('.').next().unwrap();
        let section = key.rsplit_once('.').map_or("", |(section, _)| section);
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
fn every_secret_member_of_an_entry_is_tried() {
    let reference = config::reference();
    let lines = reference.lines().filter(|line| line.contains(" Secret: messages"));
    let members: Vec<&str> = lines.filter_map(|line| line.split('`').nth(1)).collect();
    assert!(members.contains(&"secret_sha256"), "{members:?}");
    for member in members {
        let is_tried = MEMBERS.iter().any(|(_, entry)| entry.contains(&format!("{member} = {{}}")));
        assert!(is_tried, "{member} needs a row in MEMBERS");
    }
}

#[test]
fn settings_that_hold_secrets_are_marked_in_the_reference() {
    let reference = config::reference();
    for key in ["token.keys_secret", "postgres.password", "store", "rate_limit.redis"] {
        let section = reference.split(&format!("### `{key}`\n")).nth(1).unwrap();
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains("- Secret: messages never show it"), "{key}");
    }
}
