//! Tests of borrowed names, and how many of them are found.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::metadata_policy::RegistrationRequest;

#[test]
fn a_borrowed_name_is_flagged_and_its_owner_is_not() {
    let names = ProtectedNames::new(&[ProtectedName {
        name: "Claude".to_owned(),
        hosts: vec!["claude.ai".to_owned()],
        schemes: vec!["claude".to_owned()],
        ordinary_word: false,
    }]);
    let cases = [
        (r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/cb"]}"#, false),
        (
            r#"{"client_name":"Claude","redirect_uris":["https://eu.CLAUDE.ai/cb","claude://cb"]}"#,
            false,
        ),
        (r#"{"client_name":"Claude","redirect_uris":["https://evilclaude.ai/cb"]}"#, true),
        (
            r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/cb","https://evil.example/"]}"#,
            true,
        ),
        (r#"{"client_name":"\u0421laude","redirect_uris":["http://localhost:1/"]}"#, true),
        (
            r#"{"client_name":"x","client_name#fr":"CLAUDE","redirect_uris":["http://localhost:1/"]}"#,
            true,
        ),
        (r#"{"client_name":"Clause","redirect_uris":["https://evil.example/"]}"#, false),
        (r#"{"redirect_uris":["https://evil.example/"]}"#, false),
    ];
    for (body, is_borrowed) in cases {
        let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(names.borrowed_by(&request.metadata).is_some(), is_borrowed, "{body}");
    }
}

#[test]
fn whoever_publishes_at_a_host_of_the_name_has_not_borrowed_it() {
    let names = ProtectedNames::new(&[ProtectedName {
        name: "Claude".to_owned(),
        hosts: vec!["claude.ai".to_owned()],
        schemes: Vec::new(),
        ordinary_word: false,
    }]);
    let body = r#"{"client_name":"Claude","redirect_uris":["http://localhost/cb"]}"#;
    let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
    for (host, is_borrowed) in
        [("claude.ai", false), ("eu.claude.ai", false), ("claude.ai.evil.example", true)]
    {
        assert_eq!(names.borrowed_at(host, &request.metadata).is_some(), is_borrowed, "{host}");
    }
}

/// Disguises of a name: itself with companions, other separators, and letters that resemble its own.
fn disguises(name: &str) -> Vec<String> {
    let swapped = |from: &[char], to: &str| {
        let swap = |one: char| if from.contains(&one) { to.to_owned() } else { one.to_string() };
        name.chars().map(swap).collect::<String>()
    };
    let spaced: Vec<String> = name.chars().map(String::from).collect();
    let disguises = [
        format!("{name} Connector"),
        format!("{name} (acme-tools)"),
        format!("{name}.ai"),
        format!("{name}."),
        format!("\u{2800}{name}"),
        format!("{name}{}x", " ".repeat(80)),
        format!("My{name}"),
        format!("{name}App"),
        format!("{} {name}tte", "Official ".repeat(12).get(..79 - name.len()).unwrap_or_default()),
        name.to_lowercase(),
        name.to_uppercase(),
        spaced.join(" "),
        spaced.join("\u{b7}"),
        swapped(&['o', 'O'], "0"),
        swapped(&['l', 'i', 'I'], "1"),
        swapped(&['l'], "I"),
        swapped(&['I', 'i'], "l"),
        swapped(&['m'], "rn"),
        swapped(&['a'], "\u{430}"),
        swapped(&['e'], "\u{435}"),
        swapped(&['e'], "\u{e9}"),
        swapped(&['C'], "\u{421}"),
        swapped(&['a'], "\u{ff41}"),
    ];
    disguises.into_iter().collect()
}

const IMITATED: &[&str] = &[
    "Claude",
    "Anthropic",
    "OpenAI",
    "ChatGPT",
    "Google",
    "Microsoft",
    "GitHub",
    "Perplexity",
    "Mistral",
    "Slack",
    "Datadog",
    "DeepSeek",
    "Dropbox",
    "Visual Studio Code",
];

const INNOCENT: &str = include_str!("innocent_names.txt");

fn finds(names: &ProtectedNames, name: &str) -> Option<String> {
    let body =
        serde_json::json!({ "client_name": name, "redirect_uris": ["https://evil.example/cb"] });
    let body = body.to_string();
    let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
    assert!(request.faults.is_empty(), "{name}");
    names.borrowed_by(&request.metadata).map(|protected| protected.name.clone())
}

#[test]
fn finds_the_imitations_that_people_fall_for() {
    let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
    for name in [
        "OpenAI ChatGPT",
        "ChatGPT Connector",
        "Claude.ai",
        "Claude Code (acme-tools)",
        "CIaude",
        "OpenAl",
        "GoogIe",
        "0penAI",
        "Micr0soft",
        "Claude.",
        "\u{2800}Claude",
        "\u{421}laude",
        "C\u{217c}aude",
        "Cl\u{430}ude Desktop",
        "\u{24b8}\u{24db}\u{24d0}\u{24e4}\u{24d3}\u{24d4}",
        "\u{1d402}\u{1d425}\u{1d41a}\u{1d42e}\u{1d41d}\u{1d41e}",
        "G00gle",
        "Cl@ude",
        "Claude\u{30a2}\u{30d7}\u{30ea}",
        "claudecode",
        "Cursor",
        "Cursor MCP",
        "Notion AI",
    ] {
        assert!(finds(&names, name).is_some(), "{name}");
    }
    let padded = format!("Claude{}x", " ".repeat(80));
    assert!(finds(&names, &padded).is_some());
}

#[test]
fn finds_imitations_and_leaves_innocent_names_alone() {
    let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
    let imitations: Vec<String> = IMITATED.iter().flat_map(|name| disguises(name)).collect();
    let missed: Vec<&String> =
        imitations.iter().filter(|name| finds(&names, name).is_none()).collect();
    let innocents: Vec<&str> = INNOCENT.lines().collect();
    let flagged: Vec<&&str> =
        innocents.iter().filter(|name| finds(&names, name).is_some()).collect();
    println!(
        "{} of {} missed, {} of {} flagged",
        missed.len(),
        imitations.len(),
        flagged.len(),
        innocents.len()
    );
    assert!(imitations.len() >= 200);
    assert!(missed.len() * 100 <= imitations.len() * 2, "{missed:?}");
    assert!(flagged.len() * 100 <= innocents.len(), "{flagged:?}");
}

#[test]
fn the_owner_of_one_name_may_use_another_beside_it() {
    let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
    for (uri, is_borrowed) in
        [("https://chatgpt.com/cb", false), ("https://chatgpt.com.evil.example/", true)]
    {
        let body = format!(r#"{{"client_name":"OpenAI ChatGPT","redirect_uris":["{uri}"]}}"#);
        let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(names.borrowed_by(&request.metadata).is_some(), is_borrowed, "{uri}");
    }
}

proptest! {
    #[test]
    fn the_quick_look_at_beginnings_misses_no_imitation(pieces in vec(select(PIECES), 1..8), name in "[ -~]{0,12}") {
        let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
        for name in [pieces.concat(), format!("{name}{}", pieces.concat()), pieces.concat() + &name] {
            let mut found = Vec::new();
            names.resembled_by(&name, &mut found);
            prop_assert!(found.is_empty() || names.beginnings.may_begin_a_word_of(&name), "{}", name);
        }
    }
}

/// What names that imitate are put together from.
const PIECES: &[&str] = &[
    "Claude",
    "claude",
    "CIaude",
    "OpenAI",
    "0pen",
    "AI",
    "Google",
    "g00gle",
    "Micr0s0ft",
    "rnistral",
    "Cursor",
    "Datadog",
    "DATADOG",
    "|e Chat",
    "Le",
    "Chat",
    "VVindsurf",
    "V S",
    "Code",
    "my",
    "My",
    "the",
    "get",
    "official",
    "App",
    "tte",
    " ",
    "-",
    ".",
    "!",
    "1",
    "0",
    "x",
    "X",
    "aI",
    "Ab",
];
