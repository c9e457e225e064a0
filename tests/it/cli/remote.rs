//! Commands with `--server`: the same output over the operator API as beside the store.

use std::io::{BufRead as _, BufReader, Write as _};

use doorward::{
    clock::Timestamp,
    secret::SecretHash,
    store::{AttemptRecord, ResourceOwner, SessionId, SessionRecord},
};

use serde_json::json;

use super::{
    audit,
    grants::{DOCUMENT, in_store},
    serve::Server,
    standing, *,
};
use crate::harness::by;

/// A server with clients, grants, and events, and what opens its operator API.
struct Remote {
    doorward: Doorward,
    url: String,
    token: String,
    _server: Server,
}

/// Four clients, of which one was used, one waits, and one has a document; grants of all but the one that waits; two
/// sessions; and three reasons of refused requests.
fn fixture() -> Doorward {
    let doorward = standing::with_connections();
    let used = line(4, &metadata("four")).replace(
        "\"flags\":[],",
        "\"flags\":[\"look_alike\"],\"used_at\":1700000100.5,\"note\":\"a note\",",
    );
    doorward.run_with(&["--quiet", "client", "import", "-"], &used);
    in_store(&doorward, async |store| {
        for (nth, subject) in [(1, "acme:ada"), (2, "acme:bob")] {
            store.begin_session(session(nth, subject), by()).await.unwrap();
        }
        store.note_attempts([1, 2, 3].map(attempt).to_vec()).await.unwrap();
    });
    let rule = ["rule", "add", "in-store", "--any-destination", "*.example", "--effect", "reject"];
    let more = ["--reason", "not here", "--mode", "observe", "--note", "a note"];
    assert_eq!(doorward.run(&[&rule[..], &more].concat()).code, Some(0));
    // A server has made a key.
    drop(standing::serve(&doorward).stop());
    doorward
}

/// January 2027.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn session(nth: u8, subject: &str) -> SessionRecord {
    SessionRecord {
        session_id: SessionId::from_bytes([nth; 16]),
        hash: SecretHash::of(&[nth]),
        owner: ResourceOwner {
            subject: subject.to_owned(),
            name: Some(format!("{subject} by name")),
            email: None,
            identity: None,
        },
        signed_in_at: NOW,
        idle_at: NOW.after_days(300),
        expires_at: NOW.after_days(300),
    }
}

fn attempt(nth: u64) -> AttemptRecord {
    let reasons = ["registration.redirect_uri", "token.invalid_grant", "authorization.pkce"];
    let targets = ["\u{202e}evil.example", "claude code@loopback", ""];
    let place = usize::try_from(nth - 1).unwrap();
    AttemptRecord {
        reason: reasons[place].to_owned(),
        target: targets[place].to_owned(),
        network: if nth == 3 { String::new() } else { "192.0.2.0/24".to_owned() },
        attempts: nth,
        first_at: NOW,
        last_at: NOW.after_seconds(nth),
        request_id: "4bf92f3577b34da6".to_owned(),
    }
}

impl Remote {
    fn new() -> Self {
        let doorward = fixture();
        let server = standing::serve(&doorward);
        let line = server.announced.iter().find(|line| line.contains("/api/v2/oauth2/clients"));
        let words: Vec<&str> = line.unwrap().split(|char| " '\"".contains(char)).collect();
        let word = |part: &str| words.iter().find(|word| word.contains(part)).unwrap().trim();
        let url = word("http://").split("/api/").next().unwrap().to_owned();
        let token = word("dwo_").to_owned();
        Self { doorward, url, token, _server: server }
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.run_as(&self.token, words)
    }

    fn run_as(&self, token: &str, words: &[&str]) -> Ran {
        Ran::of(self.command_as(token, words).spawn().unwrap())
    }

    fn command_as(&self, token: &str, words: &[&str]) -> Command {
        let mut command = self.doorward.command(words);
        // No store and no settings: the server has both.
        command.current_dir("/").env_remove("DOORWARD_STORE");
        command.args(["--server", &self.url]).env("DOORWARD_TOKEN", token);
        command
    }
}

/// A command that reads, in the words of a command line; `GRANT` stands for a grant.
const READS: &[&[&str]] = &[
    &["operator", "token", "list", "-o", "table"],
    &["operator", "token", "list", "--limit", "1"],
    &["registration-token", "list"],
    &["registration-token", "list", "-o", "table"],
    &["client", "list"],
    &["client", "list", "-o", "table"],
    &["client", "list", "-o", "json"],
    &["client", "list", "--limit", "2"],
    &["client", "list", "--limit", "1", "--after", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "list", "--name", "ONE"],
    &["client", "list", "--profile", "datadog"],
    &["client", "list", "--flag", "look_alike"],
    &["client", "list", "--since", "2023-11-14T22:13:20Z", "--until", "2026-06-01"],
    &["client", "list", "--standing", "pending"],
    &["client", "list", "--standing", "suspended"],
    &["client", "list", "--destination", "*.example"],
    &["client", "list", "--family", "one@one.example"],
    &["client", "list", "--source", "192.0.2.0/24", "--unused"],
    &["client", "list", "--used-since", "2023-01-01", "--used-until", "2024-01-01"],
    &["client", "list", "--sort", "used", "-o", "table"],
    &["client", "list", "--sort", "used", "--after", "019aa7b4-5a1c-7bd1-b0ff-000000000004"],
    &["client", "list", "--kind", "document"],
    &["client", "list", "--kind", "document", "-o", "table"],
    &["client", "get", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "get", "019aa7b4-5a1c-7bd1-b0ff-000000000003", "-o", "table"],
    &["client", "get", "019aa7b4-5a1c-7bd1-b0ff-000000000004", "-o", "json"],
    &["client", "show", DOCUMENT],
    &["client", "get", "019aa7b4-5a1c-7bd1-b0ff-000000000009"],
    &["client", "export"],
    &["client", "export", "--name", "two"],
    &["client", "suspend", "019aa7b4-5a1c-7bd1-b0ff-000000000001", DOCUMENT, "--dry-run"],
    &["client", "reject", "019aa7b4-5a1c-7bd1-b0ff-000000000003", "--dry-run"],
    &["client", "approve", "019aa7b4-5a1c-7bd1-b0ff-000000000001", "--dry-run"],
    &["client", "delete", "--name", "e", "--dry-run"],
    &["grant", "list"],
    &["grant", "list", "-o", "table"],
    &["grant", "list", "--limit", "1"],
    &["grant", "list", "--client", DOCUMENT],
    &["grant", "list", "--subject", "acme:bob", "-o", "json"],
    &["grant", "show", "GRANT"],
    &["grant", "show", "GRANT", "-o", "json"],
    &["grant", "show", "019aa7b4-5a1c-7bd1-b0ff-000000000009"],
    &["grant", "revoke", "--subject", "acme:bob", "--dry-run"],
    &["session", "list"],
    &["session", "list", "-o", "table"],
    &["session", "list", "--subject", "acme:bob", "-o", "json"],
    &["session", "list", "--limit", "1"],
    &["session", "revoke", "--subject", "acme:bob", "--dry-run"],
    &["attempt", "list"],
    &["attempt", "list", "-o", "table"],
    &["attempt", "list", "--reason", "token.invalid_grant"],
    &["attempt", "list", "--limit", "2"],
    &["person", "list"],
    &["person", "list", "-o", "table"],
    &["person", "list", "--matching", "BOB", "-o", "json"],
    &["person", "list", "--limit", "1", "--after", "acme:ada"],
    &["person", "list", "--matching", "nobody"],
    &["person", "show", "acme:bob"],
    &["person", "show", "acme:ada", "-o", "json"],
    &["person", "show", "acme:ada/../nobody"],
    &["person", "end", "acme:bob", "acme:nobody", "acme:ada", "--dry-run"],
    &["person", "forget", "acme:bob", "--dry-run"],
    &["family", "list"],
    &["family", "list", "-o", "table"],
    &["family", "list", "--sort", "seen", "--limit", "1"],
    &["family", "list", "--sort", "seen", "--after", "two@two.example"],
    &["family", "list", "--after", "one@one.example", "-o", "json"],
    &["family", "list", "--name", "TWO", "--destination", "*.example"],
    &["family", "list", "--standing", "suspended"],
    &["family", "list", "--after", "nothing@nothing.example"],
    &["family", "show", "one@one.example"],
    &["family", "show", "one@one.example", "-o", "table"],
    &["family", "show", "nothing@nothing.example"],
    &["family", "suspend", "one@one.example", "nothing@nothing.example", "--dry-run"],
    &["family", "resume", "one@one.example", "--dry-run"],
    &["family", "remove", "one@one.example", "two@two.example", "--dry-run"],
    &["family", "restrict", "one@one.example", "--only", "write", "--dry-run"],
    &["rule", "list"],
    &["rule", "list", "-o", "table"],
    &["rule", "list", "-o", "json"],
    &["rule", "try", "--any-destination", "one.example", "--effect", "hold", "--days", "36000"],
    &["rule", "try", "in-store", "--effect", "hold", "--days", "36000", "-o", "table"],
    &["rule", "try", "in-store", "--position", "1"],
    &["rule", "try", "--effect", "reject", "--days", "1"],
    &["rule", "remove", "in-store", "nothing", "--dry-run"],
    &["key", "list"],
    &["key", "list", "-o", "json"],
    &["key", "discard", "--dry-run"],
    &["audit", "list", "--family", "one@one.example"],
    &["audit", "list"],
    &["audit", "list", "-o", "table"],
    &["audit", "list", "-o", "json", "--limit", "2"],
    &["audit", "list", "--subject", "acme:bob"],
    &["audit", "list", "--client", DOCUMENT, "--action", "grant.issued"],
    &["audit", "list", "--grant", "GRANT"],
    &["audit", "export"],
    &["audit", "export", "--since", "1h"],
];

/// The second session.
const SESSION: &str = "02020202-0202-0202-0202-020202020202";

/// Commands that change something, in this order.
const CHANGES: &[&[&str]] = &[
    &["client", "approve", "019aa7b4-5a1c-7bd1-b0ff-000000000003", "--reason", "Reviewed"],
    &["client", "approve", "019aa7b4-5a1c-7bd1-b0ff-000000000003"],
    &["client", "reject", "019aa7b4-5a1c-7bd1-b0ff-000000000003", "--yes"],
    &["client", "suspend", "019aa7b4-5a1c-7bd1-b0ff-000000000001", DOCUMENT, "--yes"],
    &["client", "suspend", "019aa7b4-5a1c-7bd1-b0ff-000000000009"],
    &["client", "resume", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "restrict", "019aa7b4-5a1c-7bd1-b0ff-000000000002", "--only", "write", "--yes"],
    &["client", "restrict", DOCUMENT, "--except", "admin", "--yes"],
    &["client", "restrict", "019aa7b4-5a1c-7bd1-b0ff-000000000002", "--lift"],
    &["client", "note", "019aa7b4-5a1c-7bd1-b0ff-000000000002", "Ask the vendor"],
    &["client", "note", "019aa7b4-5a1c-7bd1-b0ff-000000000004", "--clear"],
    &["client", "note", "019aa7b4-5a1c-7bd1-b0ff-000000000009", "nobody"],
    &["grant", "revoke", "GRANT", "019aa7b4-5a1c-7bd1-b0ff-000000000009", "--yes"],
    &["rule", "add", "office", "--source", "10.0.0.0/8", "--effect", "allow", "--position", "1"],
    &["rule", "add", "office", "--effect", "hold"],
    &["rule", "edit", "in-store", "--effect", "hold", "--clear", "note"],
    &["rule", "edit", "nothing", "--effect", "hold"],
    &["rule", "move", "office", "--to", "2"],
    &["rule", "move", "nothing", "--to", "2"],
    &["rule", "remove", "office", "nothing", "--yes"],
    &["rule", "try", "in-store"],
    &["family", "restrict", "two@two.example", "--except", "other", "--yes"],
    &["family", "restrict", "two@two.example", "--only", "write", "--yes", "--reason", "Ticket 4"],
    &["family", "restrict", "two@two.example", "--lift"],
    &["family", "restrict", "nothing@nothing.example", "--lift"],
    &["family", "suspend", "two@two.example", "--yes", "--reason", "Ticket 5"],
    &["family", "suspend", "two@two.example", "--yes"],
    &["family", "resume", "two@two.example"],
    &["family", "resume", "two@two.example"],
    &["family", "remove", "four@four.example", "--yes", "--reason", "Ticket 6 & more"],
    &["key", "rotate", "--yes"],
    &["key", "rotate", "--yes"],
    &["key", "discard", "--yes"],
    &["session", "revoke", SESSION, "019aa7b4-5a1c-7bd1-b0ff-000000000009", "--yes"],
    &["person", "end", "acme:ada", "acme:nobody", "--yes"],
    &["person", "list", "--matching", "bob"],
    &["person", "forget", "acme:bob", "--yes"],
    &["person", "forget", "acme:bob", "--yes"],
    &["grant", "revoke", "--subject", "acme:bob", "--yes"],
    &["client", "delete", "--yes", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "delete", "--yes", "--name", "two"],
    &["client", "add", "--name", "CRM", "--redirect-uri", "https://crm.example/cb"],
    &["client", "add", "--name", "CRM", "--redirect-uri", "javascript:x", "--client-uri", "x"],
    &["operator", "token", "create", "--name", "ci", "--role", "viewer"],
    &["operator", "token", "create", "--name", "ci", "--role", "viewer", "--expires", "never"],
    &["operator", "token", "revoke", "ci", "nobody", "--yes"],
    &["registration-token", "create", "--name", "partners", "--uses", "10"],
    &["registration-token", "create", "--name", "partners"],
    &["registration-token", "revoke", "partners", "--yes"],
];

/// What is made by chance, or depends on the time: identifiers, tokens, and times.
fn masked(text: &str) -> String {
    let is_uuid = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let is_time = |word: &str| word.starts_with("20") && word.ends_with('Z');
    let mask = |word: &str| match word.trim_end().trim_end_matches('.') {
        key if key.len() == 43 && !key.contains(['/', '.']) => "KEY".to_owned(),
        token if token.starts_with("dwo_") || token.starts_with("dwi_") => "TOKEN".to_owned(),
        id if is_uuid(id) && !id.starts_with("019aa7b4-5a1c") => "UUID".to_owned(),
        time if is_time(time) => "TIME".to_owned(),
        _ => word.to_owned(),
    };
    text.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

fn same(words: &[&str], here: &Ran, there: &Ran) {
    assert_eq!(
        (there.code, &there.out, &there.err),
        (here.code, &here.out, &here.err),
        "{words:?}"
    );
}

fn any_grant(doorward: &Doorward) -> String {
    let listed = doorward.run(&["--quiet", "grant", "list", "--subject", "acme:ada"]).lines();
    listed[0]["grant_id"].as_str().unwrap().to_owned()
}

fn with_grant<'a>(words: &[&'a str], grant: &'a str) -> Vec<&'a str> {
    words.iter().map(|word| if *word == "GRANT" { grant } else { word }).collect()
}

#[test]
fn a_command_that_reads_prints_the_same_with_a_server_as_beside_its_store() {
    let remote = Remote::new();
    let grant = any_grant(&remote.doorward);
    for words in READS {
        let words = with_grant(words, &grant);
        let both = || (remote.doorward.run(&words), remote.run(&words));
        // The server may store the last use of its token between the two.
        let first = both();
        let (here, there) = if first.0.out == first.1.out { first } else { both() };
        same(&words, &here, &there);
        let is_known = !here.out.is_empty() || !here.err.is_empty();
        assert!(matches!(here.code, Some(0 | 2 | 3)) && is_known, "{words:?}: {here:?}");
    }
}

#[test]
fn a_command_that_changes_something_does_and_prints_the_same_with_a_server() {
    let (here, there) = (fixture(), Remote::new());
    let grants = [any_grant(&here), any_grant(&there.doorward)];
    for words in CHANGES {
        let ran = here.run(&with_grant(words, &grants[0]));
        let ran_there = there.run(&with_grant(words, &grants[1]));
        let err = masked(&ran.err.replace(&grants[0], &grants[1]));
        let there = Ran { out: masked(&ran_there.out), err: masked(&ran_there.err), ..ran_there };
        same(words, &Ran { out: masked(&ran.out), err, ..ran }, &there);
    }
    for words in [&["client", "list", "-o", "table"][..], &["grant", "list", "-o", "table"]] {
        let (here, there) = (here.run(words), there.doorward.run(words));
        assert_eq!(here.out.lines().count(), there.out.lines().count(), "{here:?}: {there:?}");
    }
    let actions = |doorward: &Doorward| {
        // The server has swept the grant that had expired.
        let events = doorward.run(&["--quiet", "audit", "export"]).lines();
        let events = events.iter().filter(|event| event["sub"] != "acme:gone");
        let actions = events.map(|event| event["action"].as_str().unwrap().to_owned());
        // The server notes more: its operator tokens, its keys, and each note.
        let own =
            ["client.updated", "operator_token.created", "operator_token.revoked", "key.made"];
        let mut actions: Vec<_> = actions.filter(|action| !own.contains(&&**action)).collect();
        actions.sort();
        actions
    };
    assert_eq!(actions(&here), actions(&there.doorward));
    let suspended = ["--quiet", "audit", "list", "--action", "client.suspended", "--limit", "1"];
    let event = there.run(&suspended).lines().remove(0);
    assert_eq!(event["actor"]["type"], "operator", "{event}");
    assert!(!event["actor"]["id"].as_str().unwrap().starts_with("uid:"), "{event}");
}

/// Every command that takes `--server`, as its help says, and its words.
fn with_server(doorward: &Doorward, words: &[String], found: &mut Vec<Vec<String>>) {
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    line.push("--help");
    let help = doorward.run(&line).out;
    let commands =
        help.split("\nCommands:\n").nth(1).map(|rest| rest.split("\n\n").next().unwrap());
    let Some(commands) = commands else {
        if help.contains("--server <URL>") {
            found.push(words.to_vec());
        }
        return;
    };
    let names = commands.lines().filter_map(|line| line.strip_prefix("  "));
    for name in names.filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()) {
        if name != "help" {
            with_server(doorward, &[words, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn every_command_that_takes_a_server_is_compared_with_its_store() {
    let mut found = Vec::new();
    with_server(&Doorward::new(), &[], &mut found);
    assert!(found.len() >= 10, "{found:?}");
    // A test of its own compares it, since it does not end.
    let endless = ["audit", "follow"];
    for command in found.into_iter().filter(|command| *command != endless) {
        let is_command = |words: &&&[&str]| words.iter().zip(&command).all(|(a, b)| a == b);
        let tables = READS.iter().chain(CHANGES);
        assert!(tables.clone().any(|words| is_command(&words)), "{command:?} has no row");
    }
}

#[test]
fn events_are_followed_at_a_server_as_beside_its_store() {
    let remote = Remote::new();
    let (one, two) =
        ("019aa7b4-5a1c-7bd1-b0ff-000000000001", "019aa7b4-5a1c-7bd1-b0ff-000000000002");
    for more in [&["-o", "jsonl"][..], &["-o", "table", "--client", two], &["--subject", "nobody"]]
    {
        let exported = || remote.doorward.run(&["--quiet", "audit", "export"]).out;
        let before = exported();
        let words = [&["audit", "follow"], more].concat();
        let here = audit::follow(remote.doorward.command(&words));
        let there = audit::follow(remote.command_as(&remote.token, &words));
        for change in [
            &["client", "add", "--name", "CRM", "--redirect-uri", "https://crm.example/cb"][..],
            &["client", "note", two, "Ask the vendor"],
            &["client", "suspend", one, two, "--yes"],
            &["client", "resume", one, two],
        ] {
            assert_eq!(remote.run(change).code, Some(0), "{change:?}");
        }
        // What is stored before the interrupt is printed.
        let [here, there] = [here, there].map(|child| {
            audit::interrupt(&child);
            Ran::of(child)
        });
        same(&words, &here, &there);
        assert_eq!(there.code, Some(0), "{there:?}");
        match more {
            ["-o", "jsonl"] => {
                let after = exported();
                let is_new = |line: &&str| !before.lines().any(|known| known == *line);
                assert!(there.out.lines().eq(after.lines().filter(is_new)), "{}", there.out);
            }
            ["-o", ..] => assert_eq!(there.out.matches("client.").count(), 2, "{there:?}"),
            _ => assert_eq!(there.out, ""),
        }
    }
    let wrong = remote.run_as("dwo_wrong", &["audit", "follow"]).complaint(1);
    assert!(wrong.contains("refuses the token"), "{wrong}");
}

#[test]
fn following_a_server_goes_on_after_an_outage_and_prints_each_event_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let event = |nth: u8| {
        let id = format!("019aa7b4-5a1c-7bd1-b0ff-0000000000{nth:02}");
        let time = "2027-01-15T14:05:00Z";
        json!({ "attributes": { "attributes": {
            "id": id, "time": time, "action": "key.made", "actor": { "type": "system" },
        } } })
    };
    let page = |after: &str, events: &[u8]| {
        let data: Vec<_> = events.iter().map(|nth| event(*nth)).collect();
        json!({ "data": data, "meta": { "page": { "after": after } } }).to_string()
    };
    let answers = [
        ("200 OK", r#"{"data":[],"meta":{"page":{}}}"#.to_owned()),
        ("200 OK", page("a", &[])),
        ("200 OK", page("b", &[1])),
        ("503 Service Unavailable", String::new()),
        ("502 Bad Gateway", String::new()),
        ("200 OK", page("c", &[1, 2])),
        ("200 OK", page("d", &[])),
        ("401 Unauthorized", r#"{"errors":["Unauthorized"]}"#.to_owned()),
    ];
    let mut command = Doorward::new().command(&["audit", "follow", "--server", &url]);
    let (ran, asked) = std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                asked.push(lines.next().unwrap().unwrap());
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}");
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
            }
            asked
        });
        let child = command.current_dir("/").env("DOORWARD_TOKEN", "dwo_x").spawn().unwrap();
        (Ran::of(child), answering.join().unwrap())
    });
    assert_eq!(ran.out.lines().count(), 2, "{ran:?}");
    let said: Vec<_> = ran.err.lines().skip(1).collect();
    assert!(said[0].contains("503") && said[0].contains("no event is skipped"), "{ran:?}");
    assert!(said[1].contains("refuses the token") && said.len() == 2, "{ran:?}");
    assert_eq!(ran.code, Some(1));
    let cursors: Vec<_> = asked.iter().map(|line| line.split("cursor%5D=").nth(1)).collect();
    let cursors: Vec<_> =
        cursors.into_iter().map(|rest| rest.and_then(|rest| rest.get(..1))).collect();
    assert_eq!(
        cursors,
        [None, None, Some("a"), Some("b"), Some("b"), Some("b"), Some("c"), Some("d")]
    );
    let (known, followed) = asked.split_first().unwrap();
    assert!(known.contains("client.registered"), "the last registrations, which may come again");
    assert!(followed.iter().all(|line| line.contains("sort=stored")), "{asked:?}");
}

#[test]
fn a_refusal_says_what_happened_and_what_to_do() {
    let remote = Remote::new();
    let viewer = ["operator", "token", "create", "-q", "--name", "v", "--role", "viewer"];
    let viewer = remote.doorward.run(&viewer).result().trim_end().to_owned();
    let suspend = ["client", "suspend", "--yes", "019aa7b4-5a1c-7bd1-b0ff-000000000001"];
    let forbidden = remote.run_as(&viewer, &suspend).complaint(1);
    assert!(
        forbidden.contains("clients_write, which the role viewer does not have"),
        "{forbidden}"
    );
    assert!(forbidden.contains("Use a token with a role that may do it"), "{forbidden}");
    let unknown = remote.run_as(&viewer.replace("dwo_", "dwo_A"), &["client", "list"]).complaint(1);
    assert!(unknown.contains("refuses the token") && !unknown.contains("dwo_"), "{unknown}");
    let missing = remote.run_as("", &["client", "list"]).complaint(2);
    assert!(missing.contains("DOORWARD_TOKEN") && missing.contains("--token-file"), "{missing}");

    let elsewhere = |url: &str, words: &[&str]| {
        let words = [words, &["--server", url]].concat();
        let mut command = remote.doorward.command(&words);
        Ran::of(command.env("DOORWARD_TOKEN", &remote.token).spawn().unwrap())
    };
    let wrong = elsewhere(&format!("{}/elsewhere", remote.url), &["client", "list"]).complaint(1);
    assert!(wrong.contains("--server takes the issuer URL"), "{wrong}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = elsewhere(&format!("http://{closed}"), &["client", "list"]).complaint(1);
    assert!(nobody.contains("cannot reach") && nobody.contains("Check --server"), "{nobody}");
    let clear = elsewhere("http://auth.example.com", &["client", "list"]);
    assert_eq!((clear.code, &*clear.out), (Some(2), ""), "{clear:?}");
    assert!(clear.err.contains("must begin with https://"), "{clear:?}");
    let local = elsewhere(&remote.url, &["client", "import", "-"]).complaint(2);
    assert!(local.contains("no operation") && local.contains("--config or --data"), "{local}");
}

#[test]
fn a_token_file_opens_the_server_and_no_output_or_log_has_the_token() {
    let remote = Remote::new();
    remote.doorward.write("token", &format!("{}\n", remote.token));
    let words = ["client", "list", "--server", &remote.url, "--token-file", "token"];
    let listed = remote.doorward.run(&words);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let both = [&listed.out, &listed.err];
    assert!(both.iter().all(|text| !text.contains(&remote.token)), "{listed:?}");
    assert!(!remote.doorward.read("log").contains(&remote.token));
    let absent = remote.doorward.run(&[&words[..5], &["absent"]].concat()).complaint(1);
    assert!(absent.contains("cannot read absent"), "{absent}");
    let alone = remote.doorward.run(&["client", "list", "--token-file", "token"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
}

#[test]
fn an_answer_that_is_no_answer_of_the_api_is_told_from_one() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "has no operator API"),
        (
            "HTTP/1.1 301 Moved\r\nlocation: https://other.example/\r\ncontent-length: 0\r\n\r\n",
            "redirects to https://other.example/, which is not followed",
        ),
        (
            "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n",
            "try again in 7 seconds",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "502 Bad Gateway"),
        ("HTTP/1.1 412 Failed\r\ncontent-length: 0\r\n\r\n", "another operator changed it"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "There is no such client."),
        ("garbage\r\n\r\n", "cannot reach"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let words = ["client", "list", "--server", &url];
        let mut command = Doorward::new().command(&words);
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                stream.write_all(answer.as_bytes()).ok();
            });
            Ran::of(command.current_dir("/").env("DOORWARD_TOKEN", "dwo_x").spawn().unwrap())
        });
        assert!(ran.err.contains(expected) && ran.err.lines().count() == 1, "{answer}: {ran:?}");
    }
}

#[test]
fn a_list_goes_on_behind_an_empty_page() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = Doorward::new().command(&["client", "list", "--server", &url]);
    let (ran, asked) = std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let mut asked = Vec::new();
            for page in [r#"{"after":"a place"}"#, "{}"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                asked.push(lines.next().unwrap().unwrap());
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let body = format!(r#"{{"data":[],"meta":{{"page":{page}}}}}"#);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}");
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
            }
            asked
        });
        let child = command.current_dir("/").env("DOORWARD_TOKEN", "dwo_x").spawn().unwrap();
        (Ran::of(child), answering.join().unwrap())
    });
    assert_eq!((ran.code, &*ran.err), (Some(0), "There is no such client.\n"), "{ran:?}");
    assert!(asked[1].contains("page%5Bcursor%5D=a+place"), "{asked:?}");
}
