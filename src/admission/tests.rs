//! Every condition, effect, and mode; and the index against a reference that tries each rule in order.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::client::ClientMetadata;

/// A client as a test writes it.
#[derive(Clone, Debug)]
struct Client {
    door: Door,
    metadata: Value,
    document_host: Option<String>,
    source: Option<IpAddr>,
    is_imitation: bool,
}

impl Client {
    fn new(name: &str, uris: &[&str]) -> Self {
        Self {
            door: Door::Rfc7591,
            metadata: json!({ "client_name": name, "redirect_uris": uris }),
            document_host: None,
            source: Some([203, 0, 113, 9].into()),
            is_imitation: false,
        }
    }

    fn with(mut self, member: &str, value: &str) -> Self {
        self.metadata[member] = value.into();
        self
    }

    fn document(mut self, host: &str) -> Self {
        (self.door, self.document_host) = (Door::Document, Some(host.to_owned()));
        self
    }

    fn from(mut self, source: &str) -> Self {
        self.source = source.parse().ok();
        self
    }

    fn imitation(mut self) -> Self {
        self.is_imitation = true;
        self
    }

    /// Hands the client to `look` as rules see it.
    fn seen<T>(&self, look: impl FnOnce(&Candidate<'_>) -> T) -> T {
        let metadata: ClientMetadata = serde_json::from_value(self.metadata.clone()).unwrap();
        look(&Candidate {
            door: self.door,
            metadata: &metadata,
            document_host: self.document_host.as_deref(),
            source: self.source,
            initial_access_token: None,
            is_imitation: self.is_imitation,
        })
    }

    /// The place of the rule that decides, and those that observe.
    fn decided(&self, rules: &Rules) -> (Option<usize>, Vec<usize>) {
        self.seen(|candidate| {
            let outcome = rules.evaluate(candidate);
            (outcome.decided_by, outcome.observed)
        })
    }
}

fn rule(members: &Value) -> Rule {
    let mut rule = json!({ "id": "r", "effect": "reject", "reason": "no" });
    for (name, value) in members.as_object().unwrap() {
        rule[name] = value.clone();
    }
    Rule::from_json(rule.to_string().as_bytes()).unwrap()
}

fn claude() -> Client {
    Client::new("Claude Code (acme)", &["http://localhost:3118/callback", "https://claude.ai/cb"])
}

/// A condition, a client that meets it, and one that does not.
fn conditions() -> Vec<(Value, Client, Client)> {
    let evil = || Client::new("Evil", &["https://cb.evil.example/x"]);
    let cursor =
        || Client::new("Cursor", &["cursor://anysphere.cursor-mcp/cb", "http://127.0.0.1/"]);
    vec![
        (json!({ "door": "rfc7591" }), evil(), evil().document("evil.example")),
        (json!({ "door": ["datadog", "document"] }), evil().document("evil.example"), evil()),
        (json!({ "any_destination": "claude.ai" }), claude(), evil()),
        (
            json!({ "any_destination": "[2606:4700::1111]" }),
            Client::new("A", &["https://[2606:4700:0::1111]/"]),
            evil(),
        ),
        (
            json!({ "any_destination": "cb.evil.example" }),
            Client::new("A", &["https://CB.evil.example..:8443/"]),
            Client::new("A", &["https://evil.example/"]),
        ),
        (
            json!({ "any_destination": "*.evil.example" }),
            evil(),
            Client::new("A", &["https://evil.example/"]),
        ),
        (
            json!({ "any_destination": "*.example" }),
            evil(),
            Client::new("A", &["https://notexample/"]),
        ),
        (json!({ "any_destination": ["loopback", "a.example"] }), claude(), evil()),
        (json!({ "any_destination": "scheme:cursor" }), cursor(), claude()),
        (json!({ "all_destinations": ["claude.ai", "loopback"] }), claude(), cursor()),
        (
            json!({ "all_destinations": "loopback" }),
            Client::new("A", &["http://[::1]:9/"]),
            claude(),
        ),
        (json!({ "name": "claude code" }), claude(), Client::new("Claude", &[])),
        (json!({ "name": "Claude Code" }), Client::new("C1aude-C0de v2.1", &[]), evil()),
        (json!({ "name": "Claude Code" }), Client::new("Cl\u{430}ude Code (x)", &[]), evil()),
        (json!({ "name": "Claude" }), evil().with("client_name#fr", "CLAUDE"), evil()),
        (json!({ "name_contains": "claude" }), Client::new("My Claude Helper", &[]), evil()),
        (json!({ "name_contains": ["x", "acme"] }), claude(), evil()),
        (
            json!({ "family": "claude code@claude.ai,loopback" }),
            claude(),
            Client::new("Claude Code", &["https://claude.ai/cb"]),
        ),
        (json!({ "family": "2a2cf992-af0a-8bb6-9c29-7751a84f1e2e" }), claude(), evil()),
        (
            json!({ "software_id": "s1" }),
            evil().with("software_id", "s1"),
            evil().with("software_id", "S1"),
        ),
        (
            json!({ "document_host": "evil.example" }),
            evil().document("evil.example"),
            evil().document("a.evil.example"),
        ),
        (json!({ "document_host": "*.evil.example" }), evil().document("a.evil.example"), evil()),
        (json!({ "source": "203.0.113.0/24" }), evil(), evil().from("203.0.114.9")),
        (
            json!({ "source": ["10.0.0.0/8", "2001:db8::/32"] }),
            evil().from("2001:db8::1"),
            evil().from("none"),
        ),
        (json!({ "imitation": true }), claude().imitation(), claude()),
        (json!({ "imitation": false }), claude(), claude().imitation()),
    ]
}

#[test]
fn every_condition_decides_with_every_effect_in_every_mode() {
    let effects = [
        json!({ "effect": "allow" }),
        json!({ "effect": "hold", "ceiling": ["a"], "label": "new", "expires_days": 30 }),
        json!({ "effect": "reject", "reason": "not here" }),
    ];
    for (condition, meets, fails) in conditions() {
        for effect in &effects {
            for mode in ["enforce", "observe"] {
                let mut members = condition.clone();
                for (name, value) in effect.as_object().unwrap() {
                    members[name] = value.clone();
                }
                (members["id"], members["mode"]) = ("r".into(), mode.into());
                let rule = Rule::from_json(members.to_string().as_bytes()).unwrap();
                let rules = Rules::new(vec![rule.clone()], Effect::Allow);
                meets.seen(|candidate| {
                    let outcome = rules.evaluate(candidate);
                    if mode == "enforce" {
                        assert_eq!(outcome.decided_by, Some(0), "{condition} {meets:?}");
                        assert_eq!((outcome.effect, outcome.terms), (&rule.effect, &rule.terms));
                        assert!(outcome.observed.is_empty());
                    } else {
                        assert_eq!(outcome.observed, [0], "{condition} {meets:?}");
                        assert_eq!(outcome.effect, &Effect::Allow, "observing changes nothing");
                    }
                    let is_destination = condition.to_string().contains("_destination");
                    assert_eq!(outcome.by_destination, is_destination && mode == "enforce");
                    rules.count(&outcome);
                });
                assert_eq!(fails.decided(&rules), (None, Vec::new()), "{condition} {fails:?}");
                assert_eq!(rules.hits().map(|(_, hits)| hits).collect::<Vec<_>>(), [1]);
            }
        }
    }
}

#[test]
fn the_first_enforced_rule_decides_and_only_rules_before_it_observe() {
    let observing = |condition: Value| {
        let mut members = condition;
        members["mode"] = "observe".into();
        rule(&members)
    };
    let rules = Rules::new(
        vec![
            observing(json!({ "any_destination": "claude.ai" })),
            rule(&json!({ "name": "Cursor" })),
            observing(json!({ "source": "0.0.0.0/0" })),
            rule(&json!({ "any_destination": ["nowhere.example", "claude.ai"] })),
            rule(&json!({ "door": "rfc7591" })),
            observing(json!({ "door": "rfc7591" })),
        ],
        Effect::Hold,
    );
    assert_eq!(claude().decided(&rules), (Some(3), vec![0, 2]));
    let other = Client::new("A", &["https://a.example/"]).document("a.example");
    assert_eq!(other.decided(&rules), (None, vec![2]));
    other.seen(|candidate| assert_eq!(rules.evaluate(candidate).effect, &Effect::Hold));
}

#[test]
fn all_conditions_of_a_rule_must_be_met() {
    let all: Vec<(Value, Client, Client)> = conditions();
    let door = json!({ "door": "rfc7591" });
    for (condition, meets, _) in &all {
        let mut both = condition.clone();
        both["door"] = door["door"].clone();
        let is_met = meets.door == Door::Rfc7591;
        let rules = Rules::new(vec![rule(&both)], Effect::Allow);
        let same = condition.get("door").is_some_and(|given| *given != door["door"]);
        assert!(same || meets.decided(&rules).0.is_some() == is_met, "{both}");
    }
}

#[test]
fn a_rule_is_written_as_it_was_read() {
    for text in [
        r#"{"id":"a-1","note":"why","door":["rfc7591"],"any_destination":["*.a.example","loopback"],"effect":"allow","mode":"enforce"}"#,
        r#"{"id":"b","all_destinations":["scheme:cursor"],"name":["Claude Code"],"name_contains":["é"],"effect":"hold","ceiling":["a","b"],"label":"x","expires_days":30,"mode":"observe"}"#,
        r#"{"id":"c","family":["claude code@claude.ai,loopback"],"software_id":["s"],"document_host":["a.example"],"source":["10.0.0.0/8"],"imitation":true,"effect":"reject","reason":"no","mode":"enforce"}"#,
        r#"{"id":"d","family":["2a2cf992-af0a-8bb6-9c29-7751a84f1e2e"],"effect":"allow","ceiling":[],"mode":"enforce"}"#,
    ] {
        assert_eq!(Rule::from_json(text.as_bytes()).unwrap().to_json(), text);
    }
    let short = r#"{"id":"a","source":"10.0.0.1","effect":"allow"}"#;
    let long = r#"{"id":"a","source":["10.0.0.1/32"],"effect":"allow","mode":"enforce"}"#;
    assert_eq!(Rule::from_json(short.as_bytes()).unwrap().to_json(), long);
}

#[test]
fn every_fault_of_a_rule_names_the_rule_and_the_member() {
    let faults = |text: &str| -> Vec<String> {
        Rule::from_json(text.as_bytes()).unwrap_err().iter().map(RuleFault::to_string).collect()
    };
    let whole = |more: &str| format!(r#"{{"id":"a","effect":"allow",{more}}}"#);
    for (more, expected) in [
        (r#""port":1"#, "rule a: port: is no member of a rule"),
        (
            r#""door":"assertion""#,
            r#"rule a: door: expected datadog, rfc7591, or document, found "assertion""#,
        ),
        (r#""door":[]"#, "rule a: door: is empty: leave it out, or give it a value"),
        (
            r#""any_destination":["a.example","a b"]"#,
            r#"rule a: any_destination[1]: expected a host such as app.example, *.app.example for the hosts below it, loopback, or scheme:NAME, found "a b""#,
        ),
        (
            r#""source":"10.0.0.1/8""#,
            r#"rule a: source: expected an IP address or network, such as 10.0.0.0/8 or fd00::/8, found "10.0.0.1/8": the network is 10.0.0.0/8"#,
        ),
        (
            r#""name":"--""#,
            r#"rule a: name: expected a name of at most 200 characters, found "--""#,
        ),
        (r#""imitation":"yes""#, "rule a: imitation: expected true or false"),
        (
            r#""door":"document","expires_days":0"#,
            "rule a: expires_days: expected an integer from 1 to 36500",
        ),
        (r#""door":"document","reason":"no""#, "rule a: effect: a reason needs effect reject"),
        (
            r#""note":"x""#,
            "rule a: needs at least one condition; registration.default covers all other clients",
        ),
        (
            r#""door":"document","mode":"off""#,
            r#"rule a: mode: expected enforce or observe, found "off""#,
        ),
        (r#""door":"document","door":"document""#, "rule (no id): door: a member stands twice"),
    ] {
        assert_eq!(faults(&whole(more)), [expected]);
    }
    assert_eq!(faults(r#"{"id":"A B","source":1}"#).len(), 3);
    assert!(faults(r#"{"id":"A"}"#).iter().all(|fault| fault.starts_with("rule (no id): ")));
    for (text, expected) in [
        (
            r#"{"id":"a","effect":"reject","imitation":true}"#,
            "rule a: effect: effect reject needs a reason",
        ),
        (
            r#"{"id":"a","effect":"reject","reason":"no","imitation":true,"label":"x"}"#,
            "rule a: a rejected client gets no ceiling, label, or expires_days",
        ),
    ] {
        assert_eq!(faults(text), [expected]);
    }
    assert!(
        faults(r#"{"id":"a","effect":"reject","reason":"say \"no\"","door":"document"}"#)[0]
            .starts_with("rule a: reason: expected at most 200 characters")
    );
}

/// What a rule says, read by a reference that shares no code with the conditions but how names look.
mod reference {
    use super::{Client, Value};
    use crate::appearance;

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

    pub(super) fn meets(client: &Client, rule: &Value) -> bool {
        let uris = texts(&client.metadata["redirect_uris"]);
        let name = client.metadata["client_name"].as_str().unwrap();
        let leads_to_any =
            |uri: &String, value: &Value| texts(value).iter().any(|it| leads_to(uri, it));
        rule.as_object().unwrap().iter().all(|(condition, value)| match condition.as_str() {
            "door" => texts(value).contains(&super::Word::text(&client.door)),
            "any_destination" => uris.iter().any(|uri| leads_to_any(uri, value)),
            "all_destinations" => uris.iter().all(|uri| leads_to_any(uri, value)),
            "name" => texts(value)
                .iter()
                .any(|it| appearance::letters_of(it) == appearance::letters_of(name)),
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
            "imitation" => client.is_imitation == value.as_bool().unwrap(),
            _ => true,
        })
    }

    /// The place of the rule that decides, and those that observe.
    pub(super) fn decided(client: &Client, rules: &[Value]) -> (Option<usize>, Vec<usize>) {
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
    pub(super) fn admitted(client: &Client, rules: &[Value], default: &Value) -> Option<bool> {
        let effect = decided(client, rules).0.map_or(default, |place| &rules[place]["effect"]);
        match effect.as_str().unwrap() {
            "allow" => Some(false),
            "hold" => Some(true),
            _ => None,
        }
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
const HOSTS: &[&str] = &["a.example", "b.a.example", "other.test"];
const NETWORKS: &[&str] =
    &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32"];
const SOURCES: &[&str] = &["10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::5", "unknown"];

fn some(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec(proptest::sample::select(texts), 1..3).prop_map(Value::from)
}

fn random_rule() -> impl Strategy<Value = Value> {
    let condition = prop_oneof![
        some(&["datadog", "rfc7591", "document"]).prop_map(|value| ("door", value)),
        some(PATTERNS).prop_map(|value| ("any_destination", value)),
        some(PATTERNS).prop_map(|value| ("all_destinations", value)),
        some(NAMES).prop_map(|value| ("name", value)),
        some(&["claude", "cur", "o", "zed", "code"]).prop_map(|value| ("name_contains", value)),
        some(&["s1", "s2"]).prop_map(|value| ("software_id", value)),
        some(&["a.example", "*.a.example", "*.test"]).prop_map(|value| ("document_host", value)),
        some(NETWORKS).prop_map(|value| ("source", value)),
        any::<bool>().prop_map(|value| ("imitation", value.into())),
    ];
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
    let door = prop_oneof![Just(Door::Datadog), Just(Door::Rfc7591), Just(Door::Document)];
    let software = proptest::option::of(proptest::sample::select(&["s1", "s2", "s3"][..]));
    let other = (proptest::sample::select(HOSTS), proptest::sample::select(SOURCES), any::<bool>());
    (proptest::sample::select(NAMES), uris, door, software, other).prop_map(
        |(name, uris, door, software, (host, source, is_imitation))| {
            let mut client = Client::new(name, &uris).from(source);
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
            prop_assert_eq!(client.decided(&indexed), reference::decided(client, &rules), "{:?}", client);
            let admitted = client.seen(|it| indexed.admit(it).ok().map(|it| it.is_held));
            let expected = reference::admitted(client, &rules, &default.into());
            prop_assert_eq!(admitted, expected, "{:?}", client);
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
