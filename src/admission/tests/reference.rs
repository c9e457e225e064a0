//! Random rules and clients, evaluated by the rules and by a reference that tries each rule in order. The reference shares
//! no code with the conditions but how names look.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Client, all_conditions};
use crate::{
    admission::{Door, Effect, EffectName, Rule, Rules, Word},
    appearance,
};

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect())
}

fn matches_host(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == pattern,
    }
}

fn leads_to(uri: &str, pattern: &str) -> bool {
    let url = url::Url::parse(uri).unwrap();
    let host = url.host_str().unwrap_or_default();
    match (url.scheme(), pattern.strip_prefix("scheme:")) {
        ("http" | "https", Some(_)) => false,
        ("http" | "https", None) if pattern == "loopback" => {
            ["localhost", "127.0.0.1"].contains(&host)
        }
        ("http" | "https", None) => matches_host(host, pattern),
        (scheme, wanted) => wanted == Some(scheme),
    }
}

/// Where a redirect URI leads, as families spell it.
fn destination(uri: &str) -> String {
    let url = url::Url::parse(uri).unwrap();
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "http" | "https" if ["localhost", "127.0.0.1"].contains(&host) => "loopback".to_owned(),
        "http" | "https" => host.to_owned(),
        scheme => format!("scheme:{scheme}"),
    }
}

fn is_of_family(client: &Client, family: &str) -> bool {
    let (name, destinations) = family.split_once('@').unwrap();
    let own = client.metadata["client_name"].as_str().unwrap();
    let uris = texts(&client.metadata["redirect_uris"]);
    let leads_to: BTreeSet<String> = uris.iter().map(|uri| destination(uri)).collect();
    name == own.to_lowercase() && leads_to == destinations.split(',').map(str::to_owned).collect()
}

fn meets(client: &Client, rule: &Value) -> bool {
    let uris = texts(&client.metadata["redirect_uris"]);
    let name = client.metadata["client_name"].as_str().unwrap();
    let leads_to_any =
        |uri: &String, value: &Value| texts(value).iter().any(|it| leads_to(uri, it));
    rule.as_object().unwrap().iter().all(|(condition, value)| match condition.as_str() {
        "door" => texts(value).contains(&Word::text(&client.door)),
        "any_destination" => uris.iter().any(|uri| leads_to_any(uri, value)),
        "all_destinations" => uris.iter().all(|uri| leads_to_any(uri, value)),
        "name" => {
            texts(value).iter().any(|it| appearance::letters_of(it) == appearance::letters_of(name))
        }
        "name_contains" => {
            let name = appearance::letters_of(name);
            texts(value).iter().any(|it| name.contains(&appearance::letters_of(it)))
        }
        "software_id" => client.metadata["software_id"]
            .as_str()
            .is_some_and(|id| texts(value).iter().any(|it| it == id)),
        "document_host" => {
            let host = client.document_host.as_deref();
            host.is_some_and(|host| texts(value).iter().any(|it| matches_host(host, it)))
        }
        "source" => client.source.is_some_and(|source| {
            texts(value).iter().any(|it| it.parse::<ipnet::IpNet>().unwrap().contains(&source))
        }),
        "family" => texts(value).iter().any(|family| is_of_family(client, family)),
        "initial_access_token" => {
            let policy = client.token_policy.as_deref();
            texts(value).iter().any(|it| policy.map_or(it == "none", |policy| policy == it))
        }
        "imitation" => client.is_imitation == value.as_bool().unwrap(),
        "id" | "effect" | "reason" | "label" | "mode" => true,
        other => panic!("the reference does not know {other}"),
    })
}

/// The place of the rule that decides, and those that observe.
fn decided(client: &Client, rules: &[Value]) -> (Option<usize>, Vec<usize>) {
    let mut observed = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        if meets(client, rule) && rule["mode"] == "observe" {
            observed.push(place);
        } else if meets(client, rule) {
            return (Some(place), observed);
        }
    }
    (None, observed)
}

/// Whether the client is let in, and whether it waits then.
fn admitted(client: &Client, rules: &[Value], default: &Value) -> Option<bool> {
    let allow = Value::from("allow");
    let otherwise = if client.token_policy.is_some() { &allow } else { default };
    let effect = decided(client, rules).0.map_or(otherwise, |place| &rules[place]["effect"]);
    match effect.as_str().unwrap() {
        "allow" => Some(false),
        "hold" => Some(true),
        _ => None,
    }
}

const NAMES: &[&str] = &["Claude", "Cursor", "Claude Code", "My Claude", "Zed", "C1aude"];
const PATTERNS: &[&str] = &[
    "a.example",
    "*.example",
    "*.a.example",
    "b.a.example",
    "loopback",
    "scheme:cursor",
    "scheme:zed",
];
const URIS: &[&str] = &[
    "https://a.example/cb",
    "https://b.a.example:8443/",
    "https://c.b.a.example/",
    "https://other.test/",
    "http://localhost:1/",
    "http://127.0.0.1/",
    "cursor://x/cb",
    "zed:/cb",
];
const FAMILIES: &[&str] = &[
    "claude@a.example",
    "claude@loopback",
    "cursor@scheme:cursor",
    "cursor@loopback,scheme:cursor",
    "claude code@b.a.example",
    "zed@other.test",
];
const HOSTS: &[&str] = &["a.example", "b.a.example", "other.test"];
const NETWORKS: &[&str] =
    &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32"];
const SOURCES: &[&str] = &["10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::5", "unknown"];

fn some(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec(proptest::sample::select(texts), 1..3).prop_map(Value::from)
}

/// Random values of a condition.
fn random_condition(name: &'static str) -> BoxedStrategy<(&'static str, Value)> {
    let values = match name {
        "door" => some(&["datadog", "rfc7591", "document"]).boxed(),
        "any_destination" | "all_destinations" => some(PATTERNS).boxed(),
        "name" => some(NAMES).boxed(),
        "name_contains" => some(&["claude", "cur", "o", "zed", "code"]).boxed(),
        "family" => some(FAMILIES).boxed(),
        "software_id" => some(&["s1", "s2"]).boxed(),
        "document_host" => some(&["a.example", "*.a.example", "*.test"]).boxed(),
        "initial_access_token" => some(&["ci", "partners", "none"]).boxed(),
        "source" => some(NETWORKS).boxed(),
        "imitation" => any::<bool>().prop_map(Value::from).boxed(),
        other => panic!("no random values of {other}"),
    };
    values.prop_map(move |value| (name, value)).boxed()
}

fn random_rule() -> impl Strategy<Value = Value> {
    let all: Vec<&str> = all_conditions().into_iter().collect();
    let condition = proptest::sample::select(all).prop_flat_map(random_condition);
    let effect = prop_oneof![
        Just(json!({ "effect": "allow" })),
        Just(json!({ "effect": "hold", "label": "new" })),
        Just(json!({ "effect": "reject", "reason": "no" })),
    ];
    (proptest::collection::vec(condition, 1..4), proptest::bool::weighted(0.6), effect).prop_map(
        |(conditions, observes, mut rule)| {
            rule["id"] = "r".into();
            rule["mode"] = if observes { "observe" } else { "enforce" }.into();
            for (name, value) in conditions {
                rule[name] = value;
            }
            rule
        },
    )
}

fn random_client() -> impl Strategy<Value = Client> {
    let uris = proptest::collection::vec(proptest::sample::select(URIS), 1..4);
    let door = proptest::sample::select(Door::ALL);
    let software = proptest::option::of(proptest::sample::select(&["s1", "s2", "s3"][..]));
    let policy = proptest::option::of(proptest::sample::select(&["ci", "partners"][..]));
    let other =
        (proptest::sample::select(HOSTS), proptest::sample::select(SOURCES), policy, any::<bool>());
    (proptest::sample::select(NAMES), uris, door, software, other).prop_map(
        |(name, uris, door, software, (host, source, policy, is_imitation))| {
            let mut client = Client::new(name, &uris).from(source);
            client.token_policy = policy.map(str::to_owned);
            if let Some(id) = software {
                client = client.with("software_id", id);
            }
            client.document_host = (door == Door::Document).then(|| host.to_owned());
            Client { door, is_imitation, ..client }
        },
    )
}

proptest! {
    #[test]
    fn the_index_finds_what_a_reference_finds_that_tries_every_rule(
        rules in proptest::collection::vec(random_rule(), 0..24),
        clients in proptest::collection::vec(random_client(), 1..8),
        default in proptest::sample::select(&["allow", "hold", "reject"][..]),
    ) {
        let read = rules.iter().map(|rule| Rule::from_json(rule.to_string().as_bytes()).unwrap());
        let effect = Effect::by_default(EffectName::parse(default).unwrap());
        let indexed = Rules::new(read.collect(), effect);
        for client in &clients {
            prop_assert_eq!(client.decided(&indexed), decided(client, &rules), "{:?}", client);
            let found = client.seen(|it| indexed.admit(it).ok().map(|it| it.is_held));
            let expected = admitted(client, &rules, &default.into());
            prop_assert_eq!(found, expected, "{:?}", client);
        }
    }

    #[test]
    fn no_text_makes_a_rule_panic(text in any::<Vec<u8>>()) {
        drop(Rule::from_json(&text));
    }

    #[test]
    fn a_random_rule_is_read_again_from_its_json(rule in random_rule()) {
        let read = Rule::from_json(rule.to_string().as_bytes()).unwrap();
        prop_assert_eq!(Rule::from_json(read.to_json().as_bytes()), Ok(read));
    }
}
