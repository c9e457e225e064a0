//! `doorward rule`: the rules in the store, without a server and beside a running one.

use std::time::{Duration, Instant};

use doorward::{clock::Clock, entropy::Entropy};
use serde_json::json;

use super::{
    grants::{DOCUMENT, grant, in_store},
    serve::{Server, sh},
    *,
};

/// A registration with a redirect URI at this host, so many days ago.
fn registered(number: u32, host: &str, days: u64) -> String {
    let name = format!("app{number}");
    let metadata = metadata(&name).replace(&format!("{name}.example"), host);
    assert!(metadata.contains(host), "{metadata}");
    let at = Clock::System.now().as_seconds() - days * 86_400;
    let mut line: Value = serde_json::from_str(&line(number, &metadata)).unwrap();
    line["client_id_issued_at"] = at.into();
    line.to_string()
}

/// Those in the store.
fn ids(doorward: &Doorward) -> Vec<(String, u64)> {
    let mut lines = doorward.run(&["rule", "list"]).lines();
    lines.retain(|line| line["origin"] == "store");
    let position = |line: &Value| line["position"].as_u64().unwrap();
    lines.iter().map(|line| (line["id"].as_str().unwrap().to_owned(), position(line))).collect()
}

const TUNNELS: [&str; 9] = [
    "rule",
    "add",
    "no-tunnels",
    "--any-destination",
    "*.tunnel.example",
    "--effect",
    "reject",
    "--reason",
    "no tunnels",
];

#[test]
fn rules_are_added_edited_moved_and_removed() {
    let doorward = Doorward::with_clients(&[]);
    assert_eq!(ids(&doorward), []);
    let said = |words: &[&str]| {
        let ran = doorward.run(words);
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
        ran.err
    };
    assert_eq!(said(&TUNNELS), "Added rule no-tunnels, at position 1 of 1.\n");
    let office = ["rule", "add", "office", "--source", "10.0.0.0/8", "--source", "fd00::/8"];
    let words = [&office[..], &["--effect", "allow", "--position", "1"]].concat();
    assert_eq!(said(&words), "Added rule office, at position 1 of 2.\n");
    let json = r#"{"id":"strangers","door":"document","effect":"hold","note":"ask"}"#;
    assert_eq!(
        said(&["rule", "add", "--json", json]),
        "Added rule strangers, at position 3 of 3.\n"
    );
    let order = |expected: [&str; 3]| {
        let expected: Vec<_> = (1..).zip(expected).map(|(at, id)| (id.to_owned(), at)).collect();
        assert_eq!(ids(&doorward), expected);
    };
    order(["office", "no-tunnels", "strangers"]);
    assert_eq!(
        said(&["rule", "move", "strangers", "--to", "1"]),
        "Moved rule strangers, at position 1 of 3.\n"
    );
    order(["strangers", "office", "no-tunnels"]);

    let edit = ["rule", "edit", "strangers", "--mode", "observe", "--clear", "note"];
    assert_eq!(said(&edit), "Edited rule strangers, at position 1 of 3.\n");
    let shown = doorward.run(&["rule", "list", "-o", "jsonl"]).lines().remove(0);
    assert_eq!(shown["mode"], "observe");
    assert_eq!(shown.get("note"), None);
    assert_eq!((&shown["origin"], &shown["door"]), (&json!("store"), &json!(["document"])));
    assert!(shown["changed_by"].as_str().unwrap().starts_with("uid:"), "{shown}");
    let edit = ["rule", "edit", "no-tunnels", "--effect", "hold"];
    assert_eq!(said(&edit), "Edited rule no-tunnels, at position 3 of 3.\n");
    let shown = doorward.run(&["rule", "list"]).lines().remove(2);
    assert_eq!((&shown["effect"], shown.get("reason")), (&json!("hold"), None));

    assert_eq!(said(&["rule", "remove", "office", "--dry-run"]), "Would remove office.\n");
    assert_eq!(doorward.run(&["rule", "remove", "office"]).code, Some(2), "unasked");
    assert_eq!(said(&["rule", "remove", "office", "--yes"]), "Removed rule office.\n");
    let events = doorward.run(&["audit", "list", "-o", "jsonl"]).lines();
    let told: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    for action in ["rule.created", "rule.changed", "rule.deleted"] {
        assert!(told.contains(&action), "{action}: {told:?}");
    }
    let deleted = events.iter().find(|event| event["action"] == "rule.deleted").unwrap();
    assert_eq!(deleted["detail"]["rule"]["source"], json!(["10.0.0.0/8", "fd00::/8"]));
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_with_its_faults() {
    let doorward = Doorward::with_clients(&[]);
    assert_eq!(doorward.run(&TUNNELS).code, Some(0));
    for (words, code, complaint) in [
        (&TUNNELS[..], 3, "Rule no-tunnels exists already: edit it, or choose another id."),
        (&["rule", "add", "x", "--effect", "allow"], 2, "rule x: needs at least one condition"),
        (
            &["rule", "add", "x", "--effect", "reject", "--door", "document"],
            2,
            "rule x: effect: effect reject needs a reason",
        ),
        (
            &["rule", "add", "x", "--effect", "allow", "--source", "10.0.0.1/8"],
            2,
            "rule x: source[0]: expected an IP address or network",
        ),
        (&["rule", "add", "--json", r#"{"id":"x","id":"y"}"#], 2, "a member appears twice"),
        (&["rule", "add", "--json", "[]"], 2, "rule"),
        (
            &["rule", "add", "x", "--door", "document", "--effect", "hold", "--ceiling", "a b"],
            2,
            "rule x: ceiling[0]: expected a scope",
        ),
        (
            &["rule", "add", "x", "--door", "document", "--effect", "hold", "--expires-days", "0"],
            2,
            "rule x: expires_days: expected an integer from 1 to 36500",
        ),
        (&["rule", "edit", "no-tunnels"], 2, "give at least one member to change"),
        (&["rule", "edit", "no-tunnels", "--clear", "note"], 2, "has no note to clear"),
        (&["rule", "edit", "x", "--mode", "observe"], 3, "There is no rule x in the store."),
        (&["rule", "move", "x", "--to", "1"], 3, "There is no rule x in the store."),
        (&["rule", "remove", "x", "--yes"], 3, "There is no rule x in the store."),
        (&["rule", "add", "Big Rule"], 2, "1 to 64 lower-case letters"),
    ] {
        let ran = doorward.run(words);
        assert_eq!((ran.code, &*ran.out), (Some(code), ""), "{words:?} {ran:?}");
        assert!(ran.err.contains(complaint), "{words:?}\n{}", ran.err);
    }
    assert_eq!(ids(&doorward).len(), 1);
}

#[test]
fn the_rules_of_the_settings_come_first_and_are_not_changed() {
    let doorward = Doorward::with_clients(&[]);
    doorward.write(
        "doorward.toml",
        "[[registration.rules]]\nid = 'mine'\ndoor = 'document'\neffect = 'hold'\n",
    );
    let with = |words: &[&str]| doorward.run(&[words, &["-c", "doorward.toml"]].concat());
    assert_eq!(with(&TUNNELS).code, Some(0));
    let shown = with(&["rule", "list"]).lines();
    let told: Vec<_> =
        shown.iter().map(|line| (line["id"].as_str(), line["origin"].as_str())).collect();
    let expected = [("mine", "settings"), ("no-tunnels", "store"), ("look-alikes", "built-in")];
    assert_eq!(told, expected.map(|(id, origin)| (Some(id), Some(origin))));
    let ran = with(&["rule", "add", "mine", "--door", "datadog", "--effect", "allow"]);
    let said = "Rule mine is in the settings: choose another id.\n";
    assert_eq!((ran.code, &*ran.err), (Some(3), said));
    assert_eq!(with(&["rule", "remove", "mine", "--yes"]).code, Some(3));
    let table = with(&["rule", "list", "-o", "table"]);
    assert!(table.err.contains("Clients that no rule decides about: allow."), "{table:?}");
    let table = table.out;
    for part in
        ["no-tunnels", "any_destination: *.tunnel.example", "reason: no tunnels", "settings"]
    {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn the_rule_that_ships_is_listed_last_and_tried_and_replaced_or_turned_off() {
    let name = r#""client_name":"C1aude""#;
    let imitator = registered(1, "evil.example", 1).replace(r#""client_name":"app1""#, name);
    let lines = [imitator, registered(2, "app.example", 1)];
    assert!(lines[0].contains(name), "{}", lines[0]);
    let doorward = Doorward::with_clients(&lines);
    let list = || doorward.run(&["rule", "list"]).lines();
    let shown = list().remove(0);
    assert_eq!((&shown["id"], &shown["origin"]), (&json!("look-alikes"), &json!("built-in")));
    assert_eq!((&shown["effect"], &shown["label"]), (&json!("allow"), &json!("look-alike")));
    assert_eq!(shown.get("position"), None);
    let table = doorward.run(&["rule", "list", "-o", "table"]).out;
    for part in ["look-alikes", "built-in", "imitation: true", "label: look-alike"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let words = ["rule", "try", "look-alikes", "--effect", "hold", "-o", "json"];
    let tried = doorward.run(&words).lines().remove(0);
    assert_eq!((&tried["evaluated"], &tried["matched"]), (&json!(2), &json!(1)));
    for words in [
        &["rule", "edit", "look-alikes", "--mode", "observe"][..],
        &["rule", "move", "look-alikes", "--to", "1"],
        &["rule", "remove", "look-alikes", "--yes"],
    ] {
        let ran = doorward.run(words);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.err.contains("registration.look_alikes"), "{}", ran.err);
    }
    let add = ["rule", "add", "look-alikes", "--imitation", "true", "--effect", "hold"];
    assert_eq!(doorward.run(&add).code, Some(0));
    assert_eq!(list().len(), 1);
    assert_eq!(list()[0]["origin"], "store");
    assert_eq!(doorward.run(&["rule", "remove", "look-alikes", "--yes"]).code, Some(0));
    doorward.write("doorward.toml", "[registration]\nlook_alikes = 'off'\n");
    let none = doorward.run(&["rule", "list", "-o", "json", "-c", "doorward.toml"]);
    assert_eq!(none.result(), "[]\n");
}

#[test]
fn a_rule_is_tried_on_the_registrations_of_the_last_days() {
    let lines = [
        registered(1, "a.tunnel.example", 1),
        registered(2, "b.tunnel.example", 2),
        registered(3, "c.tunnel.example", 40),
        registered(4, "app.example", 1),
        registered(5, "d.tunnel.example", 3),
    ];
    let doorward = Doorward::with_clients(&lines);
    let entropy = Entropy::seeded(5);
    in_store(&doorward, async |store| {
        for (nth, client) in [id(1), id(4), DOCUMENT.to_owned()].iter().enumerate() {
            let nth = u32::try_from(nth).unwrap();
            store.keep_grant(grant(nth, client, "acme:ada", &entropy)).await.unwrap();
        }
    });
    let draft = ["--any-destination", "*.tunnel.example", "--effect", "reject", "--reason", "no"];
    let tried = |more: &[&str]| {
        let words = [&["rule", "try", "--output", "json"][..], more].concat();
        doorward.run(&words).lines().remove(0)
    };
    let told = tried(&draft);
    assert_eq!(
        (&told["evaluated"], &told["matched"], &told["in_use"]),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(told["in_use_clients"][0]["client_id"], id(1));
    assert_eq!(told["effect"], "reject");
    let told = tried(&[&draft[..], &["--days", "60"]].concat());
    assert_eq!((&told["evaluated"], &told["matched"]), (&json!(5), &json!(4)));
    let text = doorward.run(&[&["rule", "try"][..], &draft].concat()).result();
    let said = "Rule draft would reject 3 of 4 clients of the last 30 days, of which 1 is in use:";
    assert!(text.starts_with(said), "{text}");
    assert!(text.contains(&id(1)), "{text}");
    assert_eq!(ids(&doorward), [], "nothing is stored");

    // A rule before it decides about some; one that only observes is tried as if it decided.
    let allow = ["rule", "add", "b", "--any-destination", "b.tunnel.example", "--effect", "allow"];
    assert_eq!(doorward.run(&allow).code, Some(0));
    assert_eq!(tried(&draft)["matched"], 2);
    assert_eq!(tried(&[&draft[..], &["--position", "1"]].concat())["matched"], 3);
    assert_eq!(doorward.run(&[&TUNNELS[..], &["--mode", "observe"]].concat()).code, Some(0));
    assert_eq!(tried(&["no-tunnels"])["matched"], 2);
    let told = tried(&["no-tunnels", "--effect", "hold"]);
    assert_eq!((&told["effect"], &told["matched"]), (&json!("hold"), &json!(2)));
    let told = tried(&["no-tunnels", "--any-destination", "a.tunnel.example"]);
    assert_eq!(told["matched"], 1);
}

#[test]
fn a_running_server_follows_the_rules_within_five_seconds() {
    let doorward = Doorward::new();
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let server = Server::start(&doorward, &words, "curl ");
    let command = server.announced.iter().find(|line| line.contains("curl ")).unwrap().clone();
    let (_, rest) = command.split_once("http://").unwrap();
    let (host, _) = rest.split_once('/').unwrap();
    let url = format!("http://{host}/register");
    let status = || {
        let body = r#"{"client_name":"A","redirect_uris":["https://x.tunnel.example/cb"]}"#;
        let line = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' -H 'content-type: application/json' -d '{body}' {url}"
        );
        sh(&line).out
    };
    let until = |expected: &str| {
        let began = Instant::now();
        while status() != expected && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(status(), expected);
    };
    until("201");
    assert_eq!(doorward.run(&TUNNELS).code, Some(0));
    until("400");
    assert_eq!(doorward.run(&["rule", "edit", "no-tunnels", "--effect", "hold"]).code, Some(0));
    until("201");
    let pending = doorward.run(&["-q", "client", "list", "--standing", "pending"]).lines();
    assert!(!pending.is_empty(), "the registration waits");
    assert_eq!(doorward.run(&["rule", "remove", "no-tunnels", "--yes"]).code, Some(0));
    drop(server);
}
