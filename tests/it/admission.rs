//! Admission rules, as operators write them and as clients and people meet them.

use std::fs;

use doorward::{
    audit::{Action, Author},
    client::DocumentUrl,
    config::{self, RegistrationConfig, Sources},
    store::{
        ClientFilter, ClientState, DocumentClientId, DocumentClientRecord, EventsOf, Standing,
        Transition,
    },
};
use serde_json::{Value, json};

use crate::{
    client_document::Site,
    flow::{self, Browser, Client, Request},
    granted,
    harness::{Answer, TestServer, by, config},
};

/// The section `[registration]` of a file, or what is wrong with it.
pub(crate) fn load(text: &str) -> Result<RegistrationConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.toml");
    fs::write(&file, text).unwrap();
    let sources = Sources { files: vec![file], dev: true, ..Sources::default() };
    config::load(sources).map(|config| config.registration).map_err(|errors| errors.to_string())
}

async fn server(rules: &str) -> TestServer {
    let mut config = config();
    config.registration = load(rules).unwrap();
    TestServer::with(config).await
}

/// Registers at a door.
async fn register(server: &TestServer, path: &str, name: &str, uris: &[&str]) -> Answer {
    let body = json!({ "client_name": name, "redirect_uris": uris });
    server.post(path, &body.to_string()).await
}

const DOORS: [&str; 3] = ["/api/v2/oauth2/register", "/oauth2/register", "/register"];

/// Checks how often a rule has matched.
async fn check_hits(server: &TestServer, rule: &str, mode: &str, expected: u32) {
    let labels = format!("{{rule=\"{rule}\",mode=\"{mode}\"}}");
    let hits = server.metric(&format!("doorward_admission_rule_hits_total{labels}")).await;
    assert_eq!(hits.to_string(), expected.to_string(), "{rule}");
}

#[tokio::test]
async fn a_rule_that_decides_by_destination_rejects_with_invalid_redirect_uri() {
    let server = server(
        "[[registration.rules]]
         id = 'no-tunnels'
         any_destination = '*.tunnel.example'
         effect = 'reject'
         reason = 'redirect URIs of tunnels are not allowed'",
    )
    .await;
    for door in DOORS {
        let uris = ["https://app.example/cb", "https://x.tunnel.example/cb"];
        let answer = register(&server, door, "App", &uris).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let told = answer.json();
        assert_eq!(told["error"], "invalid_redirect_uri");
        let reason = "redirect_uris: redirect URIs of tunnels are not allowed";
        assert_eq!(told["error_description"], reason);
        if door != DOORS[0] {
            let violation = json!({ "pointer": "/redirect_uris", "code": "invalid_redirect_uri", "reason": reason });
            assert_eq!(told["violations"], json!([violation]));
        }
        assert_eq!(register(&server, door, "App", &uris[..1]).await.status, 201);
    }
    check_hits(&server, "no-tunnels", "enforce", 3).await;
}

#[tokio::test]
async fn a_rule_that_decides_otherwise_rejects_with_invalid_client_metadata() {
    let server = server(
        "[[registration.rules]]
         id = 'no-claude-here'
         door = 'rfc7591'
         name = 'Claude Code'
         effect = 'reject'
         reason = 'use the connector of your organization'",
    )
    .await;
    let uris = ["http://localhost:3118/callback"];
    for name in ["Claude Code", "claude-code (acme) 2.1", "Cl\u{430}ude Code"] {
        let answer = register(&server, "/register", name, &uris).await;
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["error"]),
            (400, &json!("invalid_client_metadata")),
            "{name}"
        );
        assert_eq!(told["error_description"], "use the connector of your organization");
    }
    assert_eq!(register(&server, "/register", "Claude", &uris).await.status, 201);
    assert_eq!(register(&server, DOORS[0], "Claude Code", &uris).await.status, 201, "another door");
}

#[tokio::test]
async fn a_default_of_reject_lets_in_only_what_a_rule_allows() {
    let server = server(
        "[registration]
         default = 'reject'
         [[registration.rules]]
         id = 'known'
         all_destinations = ['claude.ai', 'loopback']
         effect = 'allow'",
    )
    .await;
    for (uris, status) in [
        (&["https://claude.ai/cb"][..], 201),
        (&["https://claude.ai/cb", "http://127.0.0.1:9/"], 201),
        (&["https://claude.ai/cb", "https://evil.example/"], 400),
        (&["https://claude.ai.evil.example/cb"], 400),
    ] {
        let answer = register(&server, "/register", "App", uris).await;
        assert_eq!(answer.status, status, "{uris:?}");
        if status == 400 {
            assert_eq!(answer.json()["error"], "invalid_client_metadata");
        }
    }
}

#[tokio::test]
async fn the_first_rule_decides_and_a_rule_that_observes_only_counts() {
    let server = server(
        "[[registration.rules]]
         id = 'try'
         mode = 'observe'
         any_destination = 'a.example'
         effect = 'reject'
         reason = 'no'
         [[registration.rules]]
         id = 'office'
         source = ['127.0.0.0/8']
         name_contains = 'office'
         effect = 'allow'
         [[registration.rules]]
         id = 'rest'
         any_destination = '*.a.example'
         effect = 'reject'
         reason = 'no'",
    )
    .await;
    let status =
        async |name: &str, uri: &str| register(&server, "/register", name, &[uri]).await.status;
    assert_eq!(status("App", "https://a.example/cb").await, 201, "observing changes nothing");
    assert_eq!(status("My Office", "https://b.a.example/cb").await, 201, "the first one decides");
    assert_eq!(status("App", "https://b.a.example/cb").await, 400);
    check_hits(&server, "try", "observe", 1).await;
    check_hits(&server, "office", "enforce", 1).await;
    check_hits(&server, "rest", "enforce", 1).await;
}

#[tokio::test]
async fn an_operator_may_reject_imitations() {
    let rule = "[[registration.rules]]
        id = 'imitations'
        imitation = true
        effect = 'reject'
        reason = 'this name belongs to somebody else'";
    for (rules, status) in [(rule, 400), ("", 201)] {
        let server = server(rules).await;
        for door in DOORS {
            let theirs = register(&server, door, "C1aude", &["https://evil.example/cb"]).await;
            assert_eq!(theirs.status, status);
            assert_eq!(
                register(&server, door, "Claude", &["https://claude.ai/cb"]).await.status,
                201
            );
        }
    }
}

#[tokio::test]
async fn a_page_says_that_a_client_with_a_document_is_rejected() {
    let mut config = config();
    config.client_documents.enabled = true;
    config.registration = load(
        "[[registration.rules]]
         id = 'seen'
         mode = 'observe'
         door = 'document'
         effect = 'allow'
         [[registration.rules]]
         id = 'editors'
         door = 'document'
         document_host = 'app.example'
         name = 'Bad Editor'
         effect = 'reject'
         reason = 'ask your administrator for the good editor'",
    )
    .unwrap();
    let site = Site::with(config).await;
    let uri = "http://127.0.0.1/cb";
    assert_eq!(site.authorize(uri).await.status, 200);
    // A cached document as well: rules look at every request.
    assert_eq!(site.authorize(uri).await.status, 200);
    let other = Site::with({
        let mut config = crate::harness::config();
        config.client_documents.enabled = true;
        config.registration = load(
            "[registration]
             default = 'reject'",
        )
        .unwrap();
        config
    })
    .await;
    for (site, reason) in [
        (&other, "this server admits only apps that its administrator has allowed"),
        (&site, "ask your administrator for the good editor"),
    ] {
        if reason.starts_with("ask") {
            site.publish("Bad Editor");
            site.door.clock.advance(std::time::Duration::from_hours(48));
        }
        for _ in 0..2 {
            let page = site.authorize(uri).await;
            assert_eq!((page.status, page.header("location")), (403, None), "{page:?}");
            assert!(page.body.contains("This app isn't allowed here"), "{}", page.body);
            assert!(page.body.contains(reason), "{}", page.body);
        }
    }
    check_hits(&site.door, "editors", "enforce", 2).await;
    check_hits(&site.door, "seen", "observe", 4).await;
}

/// The standing with which a client is stored that registers at each door.
async fn standings(server: &TestServer, name: &str, uri: &str) -> Vec<Standing> {
    let mut standings = Vec::new();
    for door in DOORS {
        let answer = register(server, door, name, &[uri]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.client_id().to_string();
        let record = server.record(&id).await;
        assert_eq!(record.state.standing_at, None, "one insert, and no second change");
        standings.push(record.state.standing);
    }
    standings
}

#[tokio::test]
async fn a_client_that_a_rule_holds_is_registered_and_waits() {
    use Standing::{Active, Pending};
    let rules = "[[registration.rules]]
         id = 'watch'
         mode = 'observe'
         any_destination = 'a.example'
         effect = 'hold'
         [[registration.rules]]
         id = 'known'
         any_destination = 'known.example'
         effect = 'allow'
         [[registration.rules]]
         id = 'datadog'
         door = 'datadog'
         effect = 'hold'";
    let by_rule = server(rules).await;
    let by_default = server(&format!("[registration]\ndefault = 'hold'\n{rules}")).await;
    for (server, expected) in
        [(&by_rule, [Pending, Active, Active]), (&by_default, [Pending, Pending, Pending])]
    {
        assert_eq!(standings(server, "App", "https://a.example/cb").await, expected);
        assert_eq!(standings(server, "App", "https://known.example/cb").await, [Active; 3]);
        check_hits(server, "watch", "observe", 3).await;
        check_hits(server, "datadog", "enforce", 1).await;
        check_hits(server, "known", "enforce", 3).await;
        let waiting = ClientFilter { standing: Some(Pending), ..ClientFilter::default() };
        let waiting = server.kept.clients(&waiting, None, 10).await.unwrap();
        assert_eq!(waiting.len(), expected.iter().filter(|one| **one == Pending).count());
    }
}

/// The answer tells a stranger nothing of what operators think, and has the members that it always has.
#[tokio::test]
async fn the_answer_to_a_client_that_is_held_is_that_of_any_other() {
    let (held, admitted) = (server("[registration]\ndefault = 'hold'").await, server("").await);
    for door in DOORS {
        let mut answers = Vec::new();
        for server in [&held, &admitted] {
            let mut told = register(server, door, "App", &["https://a.example/cb"]).await.json();
            told["client_id"] = Value::Null;
            told["client_id_issued_at"] = Value::Null;
            answers.push(told);
        }
        assert_eq!(answers[0], answers[1], "{door}");
    }
}

/// A site whose document clients wait for approval.
async fn holding_site() -> Site {
    let mut config = config();
    config.client_documents.enabled = true;
    config.registration = load("[registration]\ndefault = 'hold'").unwrap();
    Site::with(config).await
}

fn waiting_request(site: &Site) -> Request {
    site.client().request().with("redirect_uri", "http://127.0.0.1/cb")
}

const PENDING: &str = "This app is waiting for approval";

#[tokio::test]
async fn a_client_with_a_document_that_is_held_waits_once_a_signed_in_person_asks() {
    let site = holding_site().await;
    let door = &site.door;
    let path = waiting_request(&site).path();
    let url = site.client_id.parse().unwrap();
    let ask_to_sign_in = Browser::new(door).get(&path).await;
    assert_eq!(ask_to_sign_in.answer.status, 200, "{ask_to_sign_in:?}");
    assert_eq!(door.kept.document_client(&url).await.unwrap(), None, "a stranger stores nothing");

    let mut browser = Browser::new(door);
    let waiting = browser.sign_in(&ask_to_sign_in).await;

    assert_eq!((waiting.answer.status, waiting.answer.header("refresh")), (403, Some("10")));
    assert!(waiting.text().starts_with(PENDING), "{waiting:?}");
    let record = door.kept.document_client(&url).await.unwrap().unwrap();
    assert_eq!(record.state.standing, Standing::Pending);
    assert!(record.metadata.contains("My Editor"), "{record:?}");
    let of = EventsOf::Client(url.clone().into());
    let events = door.kept.newest_events(Some(&of), None, 10).await.unwrap();
    let [event] = &*events else { panic!("one event: {events:?}") };
    assert_eq!(event.action, Action::ClientHeld);
    assert!(event.subject.is_some(), "it says who asked: {event:?}");
    // From now on everyone reads that it waits.
    for page in [browser.get(&path).await, Browser::new(door).get(&path).await] {
        assert!(page.text().starts_with(PENDING), "{page:?}");
    }
    assert_eq!(door.kept.newest_events(Some(&of), None, 10).await.unwrap(), events);

    let by = Author { at: door.clock.now(), ..by() };
    door.kept.change_standing(&url.into(), &Transition::APPROVE, None, by).await.unwrap();

    let asked = browser.get(&path).await;
    assert!(asked.text().starts_with("Allow access to your account?"), "{asked:?}");
    assert!(!browser.submit(&asked, "decision", "allow").await.code().is_empty());
    assert!(browser.get(&path).await.text().starts_with("Allow access again?"));
}

#[tokio::test]
async fn a_client_with_a_document_that_was_rejected_does_not_wait_again() {
    let site = holding_site().await;
    let door = &site.door;
    let path = waiting_request(&site).path();
    let url: DocumentUrl = site.client_id.parse().unwrap();
    let mut browser = Browser::signed_in(door).await;
    assert!(browser.get(&path).await.text().starts_with(PENDING));
    let by = Author { at: door.clock.now(), ..by() };
    let client = url.clone().into();
    door.kept.reject_client(&client, "unknown vendor", by).await.unwrap();

    let page = browser.get(&path).await;

    let told = "My Editor isn't registered here any more. An administrator rejected its request to be \
                approved less than a minute ago.";
    assert!(page.text().contains(told), "{page:?}");
    assert_eq!((page.answer.status, page.answer.header("location")), (400, None));
    assert_eq!(door.kept.document_client(&url).await.unwrap(), None);
}

#[tokio::test]
async fn a_person_can_make_ten_clients_wait_and_others_still_can() {
    let site = holding_site().await;
    let mut browser = Browser::signed_in(&site.door).await;
    for number in 0..12 {
        let id = site.client_id.replace("client.json", &format!("client{number}.json"));
        site.publish_as(&id, "My Editor");
        let request = Client { id }.request().with("redirect_uri", "http://127.0.0.1/cb");
        let page = browser.get(&request.path()).await;
        assert_eq!(page.answer.status, 403, "{page:?}");
        let expected = if number < 10 { PENDING } else { "This app can't wait for approval now" };
        assert!(page.text().starts_with(expected), "{number}: {page:?}");
    }
    let of = ClientFilter { standing: Some(Standing::Pending), ..ClientFilter::default() };
    let waiting = site.door.kept.document_clients_behind(&of, None, 100).await.unwrap();
    assert_eq!(waiting.len(), 10);
}

/// Whoever allowed a client before a rule held it keeps it, as a registered client keeps its registration.
#[tokio::test]
async fn a_rule_holds_no_client_with_a_document_that_people_have_allowed() {
    let site = holding_site().await;
    let door = &site.door;
    let url: DocumentUrl = site.client_id.parse().unwrap();
    let record = DocumentClientRecord {
        url: url.to_string(),
        document_client_id: DocumentClientId::generate(door.clock.now(), &door.chance),
        first_allowed_at: door.clock.now(),
        allowed_at: door.clock.now(),
        metadata: "{}".to_owned(),
        state: ClientState::default(),
    };
    door.kept.import_document_clients(vec![record]).await.unwrap();
    let page = Browser::signed_in(door).await.get(&waiting_request(&site).path()).await;
    assert!(page.text().starts_with("Allow access to your account?"), "{page:?}");
}

#[test]
fn every_fault_of_a_rule_in_a_file_names_its_place() {
    let rule = |more: &str| {
        format!(
            "[registration]\nrules = [{{ id = 'a', effect = 'allow', door = 'rfc7591', {more} }}]"
        )
    };
    for (text, fault) in [
        (rule("door2 = 'x'"), "rules[0].door2: unknown member; did you mean door?"),
        (rule("source = []"), "rules[0].source: is empty: leave it out, or give it a value"),
        (
            rule("source = ['10.0.0.0/8', '10.0.0.1/8']"),
            "rules[0].source[1]: expected an IP address or",
        ),
        (
            rule("any_destination = 'https://x/'"),
            "rules[0].any_destination: expected a host such as",
        ),
        (rule("reason = 'x'"), "rules[0]: a reason needs effect reject"),
        (rule("ceiling = ['a b']"), "rules[0].ceiling[0]: expected a scope"),
        (rule("expires_days = 0"), "rules[0].expires_days: expected an integer from 1 to 36500"),
        (rule("imitation = 'yes'"), "rules[0].imitation: expected true or false"),
        (
            "[registration]\nrules = [{ id = 'a', effect = 'keep', door = 'rfc7591' }]".to_owned(),
            "rules[0].effect: expected allow, hold, or reject, found \"keep\"",
        ),
        (
            "[registration]\nrules = [{ id = 'a', effect = 'hold', door = 'rfc7591', reason = 'x' }]"
                .to_owned(),
            "rules[0]: a reason needs effect reject",
        ),
        (
            "[registration]\nrules = [{ id = 'a', effect = 'reject', door = 'rfc7591' }]"
                .to_owned(),
            "rules[0]: effect reject needs a reason",
        ),
        (
            "[registration]\nrules = [{ id = 'a', effect = 'allow' }]".to_owned(),
            "rules[0]: needs at least one condition",
        ),
        (
            "[registration]\nrules = [{ id = 'a', effect = 'allow', imitation = true }, \
             { id = 'a', effect = 'allow', imitation = false }]"
                .to_owned(),
            "rules: two rules have the id \"a\"",
        ),
        (
            "[registration]\ndefault = 'wait'".to_owned(),
            "default: expected allow, hold, or reject, found \"wait\"",
        ),
    ] {
        let found = load(&text).unwrap_err();
        assert!(found.contains(&format!(": registration.{fault}")), "{fault}\n{found}");
    }
}

#[test]
fn rules_are_written_into_the_dump_as_they_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.toml");
    let rules = "[registration]
        default = 'reject'
        [[registration.rules]]
        id = 'all'
        note = 'everything at once'
        door = ['rfc7591', 'document']
        any_destination = ['*.a.example', 'scheme:cursor']
        all_destinations = 'loopback'
        name = 'Claude'
        name_contains = 'code'
        family = 'Claude Code (x)@localhost,claude.ai'
        software_id = 's'
        document_host = '*.a.example'
        source = ['10.0.0.0/8', '2001:db8::1']
        imitation = false
        effect = 'reject'
        reason = 'no'
        mode = 'observe'";
    fs::write(&file, rules).unwrap();
    let load = |file: &std::path::Path| {
        let files = vec![file.to_owned()];
        config::load(Sources { files, dev: true, ..Sources::default() }).unwrap()
    };
    let read = load(&file);
    assert!(read.dump().contains("family = \"claude code@claude.ai,loopback\""), "{}", read.dump());
    fs::write(&file, read.dump()).unwrap();
    assert_eq!(load(&file).registration, read.registration);
}

/// Each example of the manual is a file that can be read.
#[test]
fn the_examples_of_the_manual_are_valid() {
    let manual = include_str!("../../docs/run/operating.md");
    let (_, section) = manual.split_once("\n## Admission rules\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let examples: Vec<&str> =
        section.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let rules = load(example).unwrap_or_else(|errors| panic!("{errors}\n{example}"));
        assert!(!rules.rules.is_empty(), "{example}");
    }
}

/// The dry run of the command line knows the rules as well.
#[test]
fn a_dry_run_says_that_a_rule_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, body) = (folder.path().join("doorward.toml"), folder.path().join("client.json"));
    fs::write(
        &settings,
        "[server]
         issuer = 'http://localhost:8080'
         [[registration.rules]]
         id = 'a'
         any_destination = 'a.example'
         effect = 'reject'
         reason = 'no'",
    )
    .unwrap();
    let metadata = json!({ "client_name": "A", "redirect_uris": ["https://a.example/cb"] });
    fs::write(&body, metadata.to_string()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["metadata", "check", "--profile", "rfc7591", "--output", "json", "--config"])
        .args([&settings, &body])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told.to_string().contains("redirect_uris: no"), "{told}");
}

/// A rule that admits with every term.
const PARTNERS: &str = "[[registration.rules]]
     id = 'partners'
     name = 'Partner'
     effect = 'allow'
     ceiling = ['read']
     label = 'partners'
     expires_days = 7";

#[tokio::test]
async fn a_client_that_a_rule_limits_is_offered_what_the_rule_leaves_until_its_time_is_over() {
    let mut config = flow::config();
    config.registration = load(PARTNERS).unwrap();
    let server = TestServer::with(config).await;
    let named =
        |name: &str| json!({ "client_name": name, "redirect_uris": [granted::REDIRECT_URI] });
    let limited = Client::with(&server, named("Partner")).await;
    let other = Client::with(&server, named("Other")).await;
    let asked = |client: &Client| client.request().and("scope", "read write");
    let tokens = flow::tokens(&server, &limited, &asked(&limited)).await;
    assert_eq!(tokens["scope"], "read");
    assert_eq!(flow::tokens(&server, &other, &asked(&other)).await["scope"], "read write");
    let terms = server.record(&limited.id).await.state.terms;
    assert_eq!(terms.label.as_deref(), Some("partners"));

    server.clock.advance(std::time::Duration::from_hours(7 * 24));

    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let refreshed = limited.refresh(&server, refresh_token).await;
    assert_eq!(granted::refused(&refreshed), (401, "invalid_client".to_owned()));
    let page = Browser::new(&server).get(&asked(&limited).path()).await;
    assert_eq!((page.answer.status, page.answer.header("location")), (400, None), "{page:?}");
    let kept = Browser::new(&server).get(&asked(&other).path()).await;
    assert_eq!(kept.answer.status, 200);
}
