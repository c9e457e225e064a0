//! Families of real names, and what does not change them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Recorded from the public sources that each line names (`tests/corpus/README.md`).
const CORPUS: &str = include_str!("../../tests/corpus/registrations.jsonl");

fn key(name: &str, uris: &[&str]) -> FamilyKey {
    let metadata = json!({ "client_name": name, "redirect_uris": uris });
    FamilyKey::of(&serde_json::from_value(metadata).unwrap())
}

fn text(name: &str, uri: &str) -> String {
    key(name, &[uri]).to_string()
}

#[test]
fn a_name_belongs_to_its_family_without_version_and_suffix() {
    for (name, expected) in [
        ("Claude Code (acme-tools)", "claude code"),
        ("Claude Code (acme (prod))", "claude code"),
        ("Claude Code (acme) v2.1.4", "claude code"),
        ("Claude Code 2.1.4 (acme)", "claude code"),
        ("claude-code/2.1.4-beta.3", "claude code"),
        ("  Claude \t Code ", "claude code"),
        ("CLAUDE CODE", "claude code"),
        ("Cl\u{430}ude \u{421}ode", "claude code"),
        ("Ｃｌａｕｄｅ Code（acme）", "claude code"),
        ("Cl\u{e1}ude Code", "claude code"),
        ("cli-client (todos)", "cli client"),
        ("dynamic_client_3", "dynamic client"),
        ("goose version 1.0", "goose"),
        ("Studio 3", "studio"),
        ("v0", "v0"),
        ("1.2.3", "1"),
        ("(acme)", "acme"),
        ("365 Copilot", "365 copilot"),
        ("n8n", "n8n"),
        ("Auth0", "auth0"),
        ("4o mini", "4o mini"),
        ("Element X", "element x"),
        ("sentry-bot@example.com", "sentry bot example com"),
        // The last letter stands for all that look like it (UTS 39).
        ("テスト", "テス卜"),
        ("", ""),
    ] {
        assert_eq!(key(name, &[]).name(), expected, "{name}");
    }
}

#[test]
fn destinations_are_hosts_loopback_and_private_schemes() {
    for (uri, expected) in [
        ("https://claude.ai/api/mcp/auth_callback", "a@claude.ai"),
        ("https://Claude.AI.:8443/other", "a@claude.ai"),
        ("https://claude.ai../cb", "a@claude.ai"),
        ("http://localhost:3118/callback", "a@loopback"),
        ("http://127.0.0.1/", "a@loopback"),
        ("http://[::1]:1/", "a@loopback"),
        ("http://192.168.1.20:3080/cb", "a@192.168.1.20"),
        ("https://[2606:4700::1111]/cb", "a@[2606:4700::1111]"),
        ("https://[2606:4700:0:0:0:0:0:1111]/cb", "a@[2606:4700::1111]"),
        ("https://[2606:4700:0::0.0.17.17]/cb", "a@[2606:4700::1111]"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "a@scheme:cursor"),
        ("Com.Example.App:/cb", "a@scheme:com.example.app"),
    ] {
        assert_eq!(text("A", uri), expected, "{uri}");
    }
}

/// The families of the corpus whose clients differ in more than their port.
#[test]
fn the_families_of_the_corpus_are_what_an_operator_would_call_the_same_app() {
    let clients = CORPUS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let clients = clients.filter(|line| line["kind"] == "client" && line["body"].is_object());
    let families: BTreeSet<String> = clients
        .filter_map(|line| serde_json::from_value(line["body"].clone()).ok())
        .map(|metadata| FamilyKey::of(&metadata).to_string())
        .collect();
    for expected in [
        "chatgpt@chatgpt.com",
        "claude@claude.ai",
        "claude@claude.com",
        "claude code@loopback",
        "copilot cli@loopback",
        "cursor@www.cursor.com,loopback,scheme:cursor",
        "gemini cli mcp client@loopback",
        "visual studio code@insiders.vscode.dev,vscode.dev,loopback",
        "zed@loopback",
        "zed@scheme:zed",
    ] {
        assert!(families.contains(expected), "{expected}: {families:#?}");
    }
    assert!(families.iter().all(|family| !family.contains(['(', '/'])), "{families:#?}");
}

/// Stores keep them: neither the text nor the identifier of a key may change.
#[test]
fn text_and_identifier_of_a_key_are_stable() {
    let key = key("Claude Code (acme)", &["https://claude.ai/cb", "http://localhost:1/cb"]);
    assert_eq!(key.to_string(), "claude code@claude.ai,loopback");
    assert_eq!(key.id().to_string(), "2a2cf992-af0a-8bb6-9c29-7751a84f1e2e");
    assert_eq!("Claude Code 1.2@loopback, CLAUDE.ai".parse(), Ok(key));
    assert_eq!(
        "Claude Code@[2606:4700:0::1111]".parse(),
        Ok(self::key("claude code", &["https://[2606:4700::1111]/"]))
    );
    assert_eq!(text("", "http://localhost/"), "@loopback");
}

#[test]
fn rejects_a_text_that_is_no_family_key() {
    for text in [
        "",
        "claude",
        "claude@",
        "claude@a b",
        "claude@scheme:https",
        "a@.x",
        "a@x,",
        "a@x..y",
        "a@1.2.3.999",
        "a@192.168.001.1",
        "a@[::1::]",
    ] {
        assert_eq!(text.parse::<FamilyKey>(), Err(FamilyKeyError), "{text:?}");
    }
}

fn uri() -> impl Strategy<Value = (String, u16)> {
    let place = prop_oneof![
        Just("http://localhost"),
        Just("http://127.0.0.1"),
        Just("https://claude.ai"),
        Just("https://a.example"),
        Just("https://b_c.example."),
    ];
    (place.prop_map(str::to_owned), 1_u16..)
}

proptest! {
    #[test]
    fn ports_versions_suffixes_and_order_do_not_change_a_family(
        name in "[A-Z][a-z]{2,8}( [A-Z][a-z]{2,8})?",
        mut uris in proptest::collection::vec(uri(), 1..5),
        version in "v?[0-9]{1,3}\\.[0-9]{1,3}(\\.[0-9]{1,3})?(-(alpha|rc)\\.[0-9])?",
        suffix in "[a-z-]{1,9}",
    ) {
        let of = |name: &str, uris: &[(String, u16)], has_ports: bool| {
            let uris: Vec<String> = uris
                .iter()
                .map(|(place, port)| if has_ports { format!("{place}:{port}/cb") } else { format!("{place}/") })
                .collect();
            key(name, &uris.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let family = of(&name, &uris, false);
        uris.reverse();
        for name in [
            format!("{name} {version}"),
            format!("{name} ({suffix})"),
            format!("{name}/{version} ({suffix})"),
            format!("{name} ({suffix}) {version}"),
        ] {
            prop_assert_eq!(&of(&name, &uris, true), &family, "{}", name);
        }
    }

    #[test]
    fn a_key_is_read_again_from_its_text(name in ".{0,24}", uris in proptest::collection::vec(uri(), 1..5)) {
        let uris: Vec<String> = uris.into_iter().map(|(place, port)| format!("{place}:{port}")).collect();
        let family = key(&name, &uris.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(family.to_string().parse(), Ok(family));
    }
}
