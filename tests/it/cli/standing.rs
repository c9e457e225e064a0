//! `doorward client approve`, `reject`, `suspend`, `resume`, and `note`, beside a running server.

use doorward::{
    clock::Timestamp,
    entropy::Entropy,
    grant::GrantId,
    store::{DocumentClientRecord, Standing},
};

use serde_json::json;

use super::{
    grants::{DOCUMENT, grant, in_store},
    serve::Server,
    *,
};

/// Three connections of two people with the first client, of one of them with the second, and one with a document. The
/// third client is pending.
pub(super) fn with_connections() -> Doorward {
    let pending = line(3, &metadata("three"))
        .replace("\"metadata\"", "\"standing\":\"pending\",\"metadata\"");
    let doorward =
        Doorward::with_clients(&[line(1, &metadata("one")), line(2, &metadata("two")), pending]);
    let entropy = Entropy::seeded(5);
    let (one, two) = (id(1), id(2));
    let connections = [
        (&*one, "acme:ada"),
        (&*one, "acme:ada"),
        (&*one, "acme:bob"),
        (&*two, "acme:bob"),
        (DOCUMENT, "acme:bob"),
    ];
    in_store(&doorward, async |store| {
        for (nth, (client, subject)) in (0..).zip(connections) {
            store.keep_grant(grant(nth, client, subject, &entropy)).await.unwrap();
        }
        let mut expired = grant(9, &one, "acme:gone", &entropy);
        expired.grant_id = GrantId::generate(Timestamp::from_millis(1_000), &entropy);
        expired.expires_at = Timestamp::from_millis(2_000);
        store.keep_grant(expired).await.unwrap();
        let document = DocumentClientRecord {
            url: DOCUMENT.to_owned(),
            document_client_id: "019aa7b4-5a1c-7bd1-b0ff-0000000000dd".parse().unwrap(),
            first_allowed_at: Timestamp::from_millis(1_700_000_000_000),
            allowed_at: Timestamp::from_millis(1_700_000_001_000),
            metadata: metadata("document"),
            state: doorward::store::ClientState::default(),
        };
        store.import_document_clients(vec![document]).await.unwrap();
    });
    doorward
}

pub(super) fn serve(doorward: &Doorward) -> Server {
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    Server::start(doorward, &words, "/register'")
}

fn get(doorward: &Doorward, client: &str) -> Value {
    doorward.run(&["client", "get", client]).lines().remove(0)
}

fn actions(shown: &Value) -> Vec<&str> {
    let events = shown["events"].as_array().unwrap();
    events.iter().map(|event| event["action"].as_str().unwrap()).collect()
}

#[test]
fn a_restriction_says_who_loses_access_and_ends_what_goes_beyond_it() {
    let doorward = with_connections();
    let one = format!("one ({})", id(1));
    let scopes = |ceiling: &str| doorward.run(&["client", "restrict", &id(1), ceiling, "other"]);
    assert!(scopes("--only").complaint(2).contains("say --yes to restrict"));

    let rehearsed = doorward.run(&["client", "restrict", &id(1), "--only", "", "--dry-run"]);
    let said = format!("Would let {one} hold no scope: 3 connections of 2 people would end.\n");
    assert_eq!((rehearsed.code, rehearsed.err), (Some(0), said));
    let spared = doorward.run(&["client", "restrict", &id(1), "--except", "other", "--yes"]);
    let said = format!("{one} may hold all scopes but other: no connection ended.\n");
    assert_eq!((spared.code, spared.err), (Some(0), said));
    let ended = doorward.run(&["client", "restrict", &id(1), "--only", "other", "--yes"]);
    let said = format!("{one} may hold only other: 3 connections of 2 people ended.\n");
    assert_eq!((ended.code, ended.err), (Some(0), said));

    let shown = get(&doorward, &id(1));
    assert_eq!(
        (&shown["ceiling"], &shown["connections"]),
        (&json!({ "only": ["other"] }), &0.into())
    );
    assert!(actions(&shown).contains(&"client.restricted"), "{shown}");
    let exported = doorward.run(&["client", "export"]).out;
    assert!(exported.contains(r#""ceiling":{"only":["other"]}"#), "{exported}");
    let elsewhere = Doorward::new();
    elsewhere.run_with(&["client", "import", "-"], &exported).result();
    assert_eq!(elsewhere.run(&["client", "export"]).out, exported);
    let lifted = doorward.run(&["client", "restrict", &id(1), "--lift"]);
    let said = format!("{one} may hold every scope: no connection ended.\n");
    assert_eq!((lifted.code, lifted.err), (Some(0), said));
    assert_eq!(get(&doorward, &id(1))["ceiling"], Value::Null);
    let unknown = doorward.run(&["client", "restrict", &id(9), "--lift"]);
    assert_eq!((unknown.code, unknown.err), (Some(3), format!("There is no client {}.\n", id(9))));
}

#[test]
fn a_suspension_says_who_loses_access_and_ends_it_beside_a_running_server() {
    let doorward = with_connections();
    let server = serve(&doorward);
    let one = format!("one ({})", id(1));
    let unasked = doorward.run(&["client", "suspend", &id(1)]).complaint(2);
    assert!(unasked.contains("say --yes to suspend"), "{unasked}");

    let rehearsed = doorward.run(&["client", "suspend", &id(1), "--dry-run"]);
    let said = format!("Would suspend {one}: 3 connections of 2 people would end.\n");
    assert_eq!((rehearsed.code, rehearsed.err), (Some(0), said));
    assert_eq!(get(&doorward, &id(1))["connections"], 3);

    let words = ["client", "suspend", "--yes", "--reason", "Ticket 7", &id(1), &id(9), &id(2)];
    let ran = doorward.run(&words);
    assert_eq!((ran.code, &*ran.out), (Some(3), ""), "{ran:?}");
    let said = format!(
        "There is no client {}.\nSuspended {one}: 3 connections of 2 people ended.\n\
         Suspended two ({}): 1 connection of 1 person ended.\n",
        id(9),
        id(2)
    );
    assert_eq!(ran.err, said);
    let shown = get(&doorward, &id(1));
    assert_eq!((&shown["standing"], &shown["people"]), (&"suspended".into(), &0.into()));
    assert!(shown["standing_at"].is_number(), "{shown}");
    assert!(actions(&shown).contains(&"client.suspended"), "{shown}");
    assert_eq!(shown["events"][0]["actor_kind"], "operator");

    let again = doorward.run(&["client", "suspend", "--yes", &id(1)]);
    assert_eq!((again.code, again.err), (Some(3), format!("{one} is already suspended.\n")));
    let approved = doorward.run(&["client", "approve", &id(1)]);
    assert_eq!(
        (approved.code, approved.err),
        (Some(3), format!("{one} is suspended, not pending.\n"))
    );
    let resumed = doorward.run(&["client", "resume", &id(1)]);
    let said = format!("Resumed {one}: people have to allow it again.\n");
    assert_eq!((resumed.code, resumed.err), (Some(0), said));
    let shown = get(&doorward, &id(1));
    assert_eq!((&shown["standing"], &shown["connections"]), (&"active".into(), &0.into()));
    assert_eq!(actions(&shown)[0], "client.resumed");
    drop(server);
}

#[test]
fn a_client_with_a_document_is_suspended_and_noted_by_its_url() {
    let doorward = with_connections();
    let ran = doorward.run(&["client", "suspend", "--yes", DOCUMENT]);
    let said = format!("Suspended document ({DOCUMENT}): 1 connection of 1 person ended.\n");
    assert_eq!((ran.code, ran.err), (Some(0), said));
    let ran = doorward.run(&["client", "note", DOCUMENT, "asked the vendor"]);
    assert_eq!((ran.code, ran.err), (Some(0), format!("Set the note of document ({DOCUMENT}).\n")));

    let shown = get(&doorward, DOCUMENT);

    assert_eq!(shown["client_id"], DOCUMENT);
    assert_eq!(shown["standing"], "suspended");
    assert_eq!(shown["note"], "asked the vendor");
    assert_eq!(shown["metadata"]["client_name"], "document");
    let text = doorward.run(&["client", "show", DOCUMENT, "-o", "table"]).result();
    for expected in ["suspended since ", "0 connections of 0 people", "asked the vendor"] {
        assert!(text.contains(expected), "{text}");
    }
    let other = "https://other.example/client.json";
    for words in [&["client", "get", other][..], &["client", "resume", other]] {
        let complaint = doorward.run(words).complaint(3);
        assert!(complaint.starts_with(&format!("There is no client {other}.")), "{complaint}");
    }
}

#[test]
fn a_pending_client_is_approved_or_rejected_and_a_rejected_one_is_gone() {
    let doorward = with_connections();
    let server = serve(&doorward);
    let listed = |standing: &str| -> Vec<String> {
        let ran = doorward.run(&["-q", "client", "list", "--standing", standing]);
        ran.lines().iter().map(|line| line["client_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("pending"), [id(3)]);
    assert_eq!(listed("active"), [id(1), id(2)]);
    let three = format!("three ({})", id(3));
    for (decision, effect) in
        [("approve", "people can allow it"), ("reject", "it would be removed")]
    {
        let ran = doorward.run(&["client", decision, &id(3), "--dry-run"]);
        let said = format!("Would {decision} {three}: {effect}.\n");
        assert_eq!((ran.code, ran.err), (Some(0), said));
    }
    assert_eq!(listed("pending"), [id(3)]);

    let ran = doorward.run(&["client", "approve", &id(3)]);
    let said = format!("Approved {three}: people can allow it.\n");
    assert_eq!((ran.code, ran.err), (Some(0), said));
    assert_eq!(listed("active"), [id(1), id(2), id(3)]);

    let kept = doorward.run(&["client", "reject", "--yes", &id(3)]);
    let said = format!("{three} is active, not pending.\n");
    assert_eq!((kept.code, kept.err), (Some(3), said));
    let pending =
        line(4, &metadata("four")).replace("\"metadata\"", "\"standing\":\"pending\",\"metadata\"");
    doorward.run_with(&["client", "import", "-"], &pending).result();
    assert_eq!(doorward.run(&["client", "reject", &id(4)]).code, Some(2), "unasked");
    let ran = doorward.run(&["client", "reject", "--yes", &id(4)]);
    let said = format!("Rejected four ({}): it is removed.\n", id(4));
    assert_eq!((ran.code, ran.err), (Some(0), said));
    assert_eq!(doorward.run(&["client", "get", &id(4)]).code, Some(3));
    let ran = doorward.run(&["-q", "client", "remove", "--yes", &id(3)]);
    assert_eq!(ran.result(), "", "remove is another name of delete");
    drop(server);
}

#[test]
fn pending_clients_with_a_document_are_listed_and_decided_about_by_url() {
    let doorward = with_connections();
    let urls = ["https://a.example/client.json", "https://b.example/client.json"];
    in_store(&doorward, async |store| {
        for (nth, url) in urls.into_iter().enumerate() {
            let record = DocumentClientRecord {
                url: url.to_owned(),
                document_client_id: format!("019aa7b4-5a1c-7bd1-b0ff-00000000000{nth}")
                    .parse()
                    .unwrap(),
                first_allowed_at: Timestamp::from_millis(1_700_000_000_000),
                allowed_at: Timestamp::from_millis(1_700_000_000_000),
                metadata: metadata("Held").replace("client.example", "b.example"),
                state: doorward::store::ClientState {
                    standing: Standing::Pending,
                    ..doorward::store::ClientState::default()
                },
            };
            store.import_document_clients(vec![record]).await.unwrap();
        }
    });
    let server = serve(&doorward);
    let listed = |words: &[&str]| -> Vec<String> {
        let words = [&["-q", "client", "list"], words].concat();
        let lines = doorward.run(&words).lines();
        lines.iter().map(|line| line["client_id"].as_str().unwrap().to_owned()).collect()
    };
    let pending = ["--standing", "pending"];
    assert_eq!(listed(&pending), [&id(3), urls[0], urls[1]]);
    assert_eq!(listed(&[&pending[..], &["--limit", "2"]].concat()), [&id(3), urls[0]]);
    assert_eq!(listed(&[&pending[..], &["--after", &id(3)]].concat()), urls);
    assert_eq!(listed(&[&pending[..], &["--after", urls[0]]].concat()), urls[1..]);
    assert_eq!(listed(&[&pending[..], &["--name", "held"]].concat()), urls);
    assert_eq!(listed(&[&pending[..], &["--profile", "rfc7591"]].concat()), [id(3)]);
    assert_eq!(listed(&[&pending[..], &["--kind", "document"]].concat()), urls);
    assert_eq!(listed(&[&pending[..], &["--kind", "registered"]].concat()), [id(3)]);
    assert_eq!(listed(&[&pending[..], &["--until", "2020-01-01"]].concat()), [""; 0]);
    let table = doorward.run(&["-q", "client", "list", "--standing", "pending", "-o", "table"]);
    let table = table.result();
    for part in [urls[0], "document", "pending", "Held"] {
        assert!(table.contains(part), "{part}: {table}");
    }

    let ran = doorward.run(&["client", "approve", urls[0]]);
    let said = format!("Approved Held ({}): people can allow it.\n", urls[0]);
    assert_eq!((ran.code, ran.err), (Some(0), said));
    let ran = doorward.run(&["client", "reject", "--yes", urls[0], urls[1]]);
    let said = format!(
        "Held ({}) is active, not pending.\nRejected Held ({}): it is removed.\n",
        urls[0], urls[1]
    );
    assert_eq!((ran.code, ran.err), (Some(3), said));
    assert_eq!(doorward.run(&["client", "get", urls[1]]).code, Some(3));
    assert_eq!(get(&doorward, urls[0])["standing"], "active");
    drop(server);
}

#[test]
fn a_note_is_one_line_that_get_shows_until_it_is_cleared() {
    let doorward = Doorward::with_clients(&[line(1, &metadata("one"))]);
    for wrong in [
        &["client", "note", &id(1)][..],
        &["client", "note", &id(1), "x", "--clear"],
        &["client", "note", &id(1), "two\nlines"],
    ] {
        assert_eq!(doorward.run(wrong).code, Some(2), "{wrong:?}");
    }
    let noted = |more: &str| doorward.run(&["client", "note", &id(1), more]);
    assert_eq!(noted("first").err, format!("Set the note of one ({}).\n", id(1)));
    assert_eq!(noted("second").code, Some(0));
    assert_eq!(get(&doorward, &id(1))["note"], "second");

    assert_eq!(noted("--clear").err, format!("Removed the note of one ({}).\n", id(1)));

    assert_eq!(get(&doorward, &id(1)).get("note"), None);
    let ran = doorward.run(&["client", "note", &id(9), "x"]).complaint(3);
    assert_eq!(ran, format!("There is no client {}.\n", id(9)));
}
