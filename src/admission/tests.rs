//! Every condition, effect, and mode.

mod reference;

use std::{collections::BTreeSet, net::IpAddr};

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
    token_policy: Option<String>,
    is_imitation: bool,
}

impl Client {
    fn new(name: &str, uris: &[&str]) -> Self {
        Self {
            door: Door::Rfc7591,
            metadata: json!({ "client_name": name, "redirect_uris": uris }),
            document_host: None,
            source: Some([203, 0, 113, 9].into()),
            token_policy: None,
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

    fn with_token(mut self, policy: &str) -> Self {
        self.token_policy = Some(policy.to_owned());
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
            initial_access_token: self.token_policy.as_deref(),
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
        (json!({ "initial_access_token": "ci" }), evil().with_token("ci"), evil().with_token("c")),
        (json!({ "initial_access_token": ["ci", "none"] }), evil(), evil().with_token("other")),
        (json!({ "initial_access_token": "none" }), evil(), evil().with_token("none")),
        (json!({ "imitation": true }), claude().imitation(), claude()),
        (json!({ "imitation": false }), claude(), claude().imitation()),
    ]
}

/// The members of a rule that are conditions.
fn all_conditions() -> BTreeSet<&'static str> {
    Conditions::LISTS.iter().copied().chain(["imitation"]).collect()
}

/// The members that belong to an effect: alone, and with every term that it may have.
fn effects(effect: EffectName) -> [Value; 2] {
    let terms = json!({ "ceiling": ["a"], "label": "new", "expires_days": 30 });
    let mut members = match effect {
        EffectName::Allow | EffectName::Hold => [json!({}), terms],
        EffectName::Reject => ["not here", "ask us"].map(|reason| json!({ "reason": reason })),
    };
    for members in &mut members {
        members["effect"] = effect.text().into();
    }
    members
}

/// Checks one rule of the matrix with a client that it matches and one that it does not.
fn check_rule(rule: &Rule, default: &Effect, meets: &Client, fails: &Client) {
    let rules = Rules::new(vec![rule.clone()], default.clone());
    let (decides, no_terms) = (rule.mode == Mode::Enforce, Terms::default());
    meets.seen(|candidate| {
        let passes = candidate.initial_access_token.is_some();
        let otherwise = if passes { &Effect::Allow } else { default };
        let outcome = rules.evaluate(candidate);
        assert_eq!(outcome.decided_by, decides.then_some(0), "{rule:?} {meets:?}");
        assert_eq!(outcome.observed, if decides { vec![] } else { vec![0] }, "{rule:?} {meets:?}");
        assert_eq!(outcome.effect, if decides { &rule.effect } else { otherwise });
        assert_eq!(outcome.terms, if decides { &rule.terms } else { &no_terms });
        let looks = [&rule.conditions.any_destination, &rule.conditions.all_destinations];
        let is_destination = looks.iter().any(|patterns| !patterns.is_empty());
        assert_eq!(outcome.by_destination, is_destination && decides);
        let admitted = rules.admit(candidate);
        match outcome.effect {
            Effect::Reject(reason) => {
                let rejection = admitted.unwrap_err();
                assert_eq!(rejection.reason, reason.as_str());
                assert_eq!(rejection.by_destination, is_destination && decides);
            }
            effect => {
                let admitted = admitted.unwrap();
                assert_eq!(admitted.is_held, *effect == Effect::Hold);
                assert_eq!(admitted.terms, outcome.terms);
            }
        }
    });
    assert_eq!(fails.decided(&rules), (None, Vec::new()), "{rule:?} {fails:?}");
    let hits: Vec<_> = rules.hits().map(|(rule, hits)| (rule.mode, hits)).collect();
    assert_eq!(hits, [(rule.mode, 1)], "the rule counts what it matches, and no more");
}

#[test]
fn every_condition_decides_with_every_effect_in_every_mode() {
    let rows = conditions();
    let covered: BTreeSet<&str> = rows.iter().map(|(row, ..)| only_member(row)).collect();
    assert_eq!(covered, all_conditions(), "each condition has a row");
    for (condition, meets, fails) in &rows {
        for effect in EffectName::ALL.iter().flat_map(|effect| effects(*effect)) {
            for mode in Mode::ALL {
                for default in EffectName::ALL {
                    let mut members = condition.clone();
                    for (name, value) in effect.as_object().unwrap() {
                        members[name] = value.clone();
                    }
                    (members["id"], members["mode"]) = ("r".into(), mode.as_str().into());
                    let rule = Rule::from_json(members.to_string().as_bytes()).unwrap();
                    check_rule(&rule, &Effect::by_default(*default), meets, fails);
                }
            }
        }
    }
}

fn only_member(condition: &Value) -> &str {
    condition.as_object().unwrap().keys().next().unwrap()
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
        (r#""door":"document","door":"document""#, "rule (no id): door: a member appears twice"),
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
