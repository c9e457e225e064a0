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
            r#"{"client_name":"x","client_name#fr":"CLAUDE","redirect_uris":["https://evil.example/"]}"#,
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

/// A name a line, under the source of the names.
const INNOCENT: &str = include_str!("innocent_names.txt");
const CORPUS: &str = include_str!("../../tests/corpus/registrations.jsonl");

/// The innocent names that are flagged beside a website that is not the owner's: each holds a protected name as a word
/// of its own. No rule tells a client of Slack from an imitation of Slack, or the painter from an imitation of Claude,
/// and a list of surnames would let `Claude Monet` through for everyone who imitates. A flag rejects nothing, so a
/// false one costs an operator a look. This list may only become shorter.
const FLAGGED: &[&str] = &[
    // Of the product lists: third-party programs named after the service that they work with.
    "Copilot-MCP",
    "Klavis AI Slack/Discord/Web",
    "Slack MCP Client",
    "ClaudeMind",
    "console-chat-gpt",
    "MCP Simple Slackbot",
    "VS Code REST Client",
    // Word groups, which an imitator writes with a blank.
    "Slackbot Free Zone",
    "Face Book Binding",
    // People, places, ordinary words, and services.
    "Claude Monet",
    "Claude Debussy",
    "Claude Shannon",
    "Jean-Claude Juncker",
    "Claude Bernard University",
    "Frédéric Mistral",
    "Gabriela Mistral",
    "Mistral Sailing Club",
    "Amazon Rainforest Watch",
    "Amazon River Levels",
    "Anthropic Principle Podcast",
    "Slack Tide Tables",
    "Pilot and Copilot Logbook",
    "Perplexity Calculator",
    "GitHub Stars Counter",
    "Google Sheets Exporter",
    "Backup for Dropbox",
    "Facebook Ads Report",
];

/// The names of [`INNOCENT`] below the headings that hold `source`.
fn innocent(source: &str) -> Vec<&'static str> {
    let mut is_from_source = false;
    let mut names = INNOCENT.lines().collect::<Vec<_>>();
    names.retain(|line| {
        if let Some(heading) = line.strip_prefix("# ") {
            is_from_source = heading.contains(source);
        }
        is_from_source && !line.starts_with("# ")
    });
    names
}

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
        "\u{3f9}laude",
        "\u{3f2}laude Code",
        "\u{3f9}hatGPT",
        "\u{3f9}LAUDE",
        "Mi\u{3f2}rosoft",
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
fn the_documented_rates_are_those_of_imitations_innocent_names_and_the_corpus() {
    let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
    let flagged = |of: &[&'static str]| {
        let flagged = of.iter().copied().filter(|name| finds(&names, name).is_some());
        flagged.collect::<Vec<_>>()
    };
    let imitations: Vec<String> = IMITATED.iter().flat_map(|name| disguises(name)).collect();
    let missed: Vec<&String> =
        imitations.iter().filter(|name| finds(&names, name).is_none()).collect();
    assert!(missed.len() * 100 <= imitations.len() * 2, "{missed:?}");

    let (innocent, products) = (innocent(""), innocent("github.com/"));
    assert_eq!(flagged(&innocent), FLAGGED);

    let clients = real_clients();
    let falsely = |line: &&String| {
        let request = RegistrationRequest::parse(line.as_bytes()).unwrap();
        names.borrowed_by(&request.metadata).is_some()
    };
    let false_clients: Vec<&String> = clients.iter().filter(falsely).collect();
    assert!(false_clients.is_empty(), "{false_clients:?}");

    let documented = format!(
        "{} of {} imitations missed; {} of {} innocent names flagged, among them {} of {} from \
         product lists; {} of {} real clients flagged",
        missed.len(),
        imitations.len(),
        FLAGGED.len(),
        innocent.len(),
        flagged(&products).len(),
        products.len(),
        false_clients.len(),
        clients.len(),
    );
    let protocol = include_str!("../../docs/protocol.md");
    assert!(protocol.contains(&documented), "docs/protocol.md has other figures: {documented}");
}

/// What the real clients of the corpus send, with their own redirect URIs.
fn real_clients() -> Vec<String> {
    let lines = CORPUS.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let clients = lines
        .filter(|line| line["kind"] == "client" && line["body"]["client_name"].as_str().is_some());
    clients.map(|line| line["body"].to_string()).collect()
}

#[test]
fn a_name_beside_loopback_alone_is_borrowed_only_in_disguise() {
    let names = ProtectedNames::new(&crate::config::Config::default().registration.protected_names);
    for (name, other, is_borrowed) in [
        ("Claude Code", None, false),
        ("Claude Code (acme-tools)", None, false),
        ("claude-code", None, false),
        ("CLAUDE.", None, false),
        ("copilot-cli", None, false),
        ("Gemini CLI MCP Client", None, false),
        ("VSCode", None, false),
        ("C\u{430}laude", None, false),
        ("Cl\u{430}ude Code", None, true),
        ("CIaude Code", None, true),
        ("Cl@ude", None, true),
        ("G00gle", None, true),
        ("\u{ff23}laude", None, true),
        ("Claude", Some("C1aude"), true),
        ("Claude", Some("Klaudia"), false),
    ] {
        let mut body = serde_json::json!({
            "client_name": name,
            "redirect_uris": ["http://127.0.0.1/cb", "http://localhost:3000/cb", "http://[::1]/"],
        });
        if let Some(other) = other {
            body["client_name#fr"] = other.into();
        }
        let body = body.to_string();
        let request = RegistrationRequest::parse(body.as_bytes()).unwrap();
        assert!(request.faults.is_empty(), "{name}");
        assert_eq!(names.borrowed_by(&request.metadata).is_some(), is_borrowed, "{body}");
    }
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
