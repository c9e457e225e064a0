//! `doorward client` without a server.

use serde_json::json;

use super::*;

fn three() -> Vec<String> {
    vec![line(1, &metadata("one")), line(2, &metadata("two")), line(3, &metadata("three"))]
}

fn ids(ran: Ran) -> Vec<String> {
    ran.lines().iter().map(|line| line["client_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_export_can_be_imported_elsewhere_and_nothing_is_lost() {
    let look_alike = line(4, &metadata("four"))
        .replace("rfc7591", "datadog")
        .replace("\"192.0.2.1\"", "null")
        .replace("\"flags\":[]", "\"flags\":[\"look_alike\",\"bit_31\"]");
    let lines = [three(), vec![look_alike]].concat();
    let here = Doorward::with_clients(&lines);
    let exported = here.run(&["--quiet", "client", "export", "clients.jsonl"]);
    assert_eq!(exported.result(), "");
    assert_eq!(here.read("clients.jsonl"), lines.join("\n") + "\n");

    let there = Doorward::new();
    let ran = there.run_with(&["client", "import", "-"], &here.read("clients.jsonl"));

    assert_eq!(ran.result(), "Imported: 4. There already: 0. Refused: 0.\n");
    let ran = there.run(&["client", "export"]);
    assert_eq!((&*ran.out, &*ran.err), (&*here.read("clients.jsonl"), "Exported 4 clients.\n"));
}

#[test]
fn an_import_can_be_run_again_and_what_is_there_stays() {
    let doorward = Doorward::with_clients(&three());
    doorward.write("again.jsonl", &three().join("\n"));
    let words = ["client", "import", "again.jsonl", "--output", "json"];
    let count = json!({ "imported": 0, "already_there": 3, "refused": 0 });
    assert_eq!(doorward.run(&words).lines(), [count]);

    let ran = doorward.run_with(&["client", "import", "-"], &line(2, &metadata("other")));

    assert_eq!(ran.code, Some(3));
    assert!(ran.err.starts_with("line 1: another client has this client_id already"), "{ran:?}");
    let kept = doorward.run(&["client", "get", &id(2)]).lines();
    assert_eq!(kept[0]["metadata"]["client_name"], "two");
}

#[test]
fn every_refused_line_is_told_with_its_number_and_reason_and_the_rest_is_kept() {
    let good = line(1, &metadata("one"));
    let refused = [
        ("nonsense".to_owned(), "not a client in JSON: expected ident"),
        (good.replace("\"flags\"", "\"flaggs\""), "not a client in JSON: unknown field"),
        (
            good.replace("flags", "a\\u001b\\nb"),
            "not a client in JSON: unknown field `a\\u{1b}\\nb`",
        ),
        (good.replace("\"flags\"", "\"source\""), "not a client in JSON: duplicate field"),
        (format!("{good}{good}"), "not a client in JSON: trailing characters"),
        (good.replace("019aa7b4", "019AA7B4"), "client_id is not a UUID in lower case"),
        (good.replace(".125", ".1255"), "client_id_issued_at is not a number of seconds"),
        (good.replace("rfc7591", "rfc7592"), "profile is neither datadog nor rfc7591"),
        (good.replace("[],", "[\"red\"],"), "flags holds one that is not known: \"red\""),
        (line(1, "[]"), "metadata: "),
        (line(1, "{}"), "metadata: redirect_uris is missing"),
        (good.replace("https:", "javascript:"), "metadata: redirect_uris[0] "),
        (good.replace("{\"client_name\"", "{\"a\":1,\"client_name\""), "metadata: \"a\" is not"),
        (
            good.replace("{\"client_name\"", "{\"scope\":\"\",\"client_name\""),
            "metadata: \"scope\"",
        ),
        (
            good.replace("{\"client_name\"", "{\"scope\":\"b a a\",\"client_name\""),
            "metadata: \"scope\" is not as it is stored",
        ),
        (
            good.replace("{\"client_name\"", "{\"scope\":\"a\",\"scope\":\"a\",\"client_name\""),
            "metadata: ",
        ),
        (format!("{}{good}", " ".repeat(256 * 1024)), "longer than 262144 bytes"),
    ];
    for (text, reason) in refused {
        let doorward = Doorward::new();
        let input =
            format!("{}\n\n{text}\n{}", line(2, &metadata("two")), line(3, &metadata("three")));

        let ran = doorward.run_with(&["client", "import", "-"], &input);

        assert_eq!(ran.code, Some(3), "{reason}: {ran:?}");
        assert_eq!(ran.out, "Imported: 2. There already: 0. Refused: 1.\n");
        assert!(ran.err.starts_with(&format!("line 3: {reason}")), "{reason}: {ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert_eq!(ids(doorward.run(&["client", "list"])), [id(2), id(3)], "{reason}");
    }
}

#[test]
fn a_client_twice_in_one_import_is_kept_once() {
    let doorward = Doorward::new();
    let lines = [line(1, &metadata("one")), line(1, &metadata("one")), line(1, &metadata("two"))];

    let ran = doorward.run_with(&["client", "import", "-"], &lines.join("\n"));

    assert_eq!(ran.out, "Imported: 1. There already: 1. Refused: 1.\n", "{ran:?}");
    assert!(ran.err.starts_with("line 3: "), "{ran:?}");
}

#[test]
fn an_import_larger_than_one_change_keeps_everything() {
    let lines: Vec<String> = (0..1_201).map(|number| line(number, &metadata("many"))).collect();
    let doorward = Doorward::with_clients(&lines);

    let listed = ids(doorward.run(&["client", "list"]));
    assert_eq!(listed, (0..1_201).map(id).collect::<Vec<_>>());
}

#[test]
fn an_export_never_replaces_a_file_and_leaves_none_when_it_fails() {
    let doorward = Doorward::with_clients(&three());
    doorward.write("there", "mine");
    let complaint = doorward.run(&["client", "export", "there"]).complaint(1);
    assert!(complaint.contains("there exists already: name a new file"), "{complaint}");
    assert_eq!(doorward.read("there"), "mine");

    doorward.run(&["client", "export", "new", "--data", "nowhere"]).complaint(1);
    doorward.run(&["client", "export", "no-folder/new"]).complaint(1);

    let files = fs::read_dir(doorward.folder.path()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.retain(|name| name != "doorward-data");
    assert_eq!(names, ["there"]);
}

#[test]
fn a_list_shows_what_passes_its_filters_in_the_order_of_registration() {
    let odd = line(4, &metadata("Evil"))
        .replace("rfc7591", "datadog")
        .replace("\"flags\":[]", "\"flags\":[\"look_alike\"]");
    let doorward = Doorward::with_clients(&[three(), vec![odd]].concat());
    let cases: &[(&[&str], &[u32])] = &[
        (&[], &[1, 2, 3, 4]),
        (&["--profile", "datadog"], &[4]),
        (&["--flag", "look_alike"], &[4]),
        (&["--since", "1700000002.125"], &[2, 3, 4]),
        (&["--since", "2023-11-14T22:13:22.126Z", "--until", "1700000004"], &[3]),
        (&["--name", "eVIL"], &[4]),
        (&["--name", "t"], &[2, 3]),
        (&["--after", &id(3)], &[4]),
        (&["--name", "nobody"], &[]),
    ];
    for (filter, expected) in cases {
        let words = [&["--quiet", "client", "list"], *filter].concat();
        let expected: Vec<String> = expected.iter().copied().map(id).collect();
        assert_eq!(ids(doorward.run(&words)), expected, "{filter:?}");
    }
}

#[test]
fn a_list_that_was_cut_short_says_how_to_go_on() {
    let doorward = Doorward::with_clients(&three());

    let ran = doorward.run(&["client", "list", "--limit", "2"]);

    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.err, format!("There are more: go on with --after {}\n", id(2)));
    assert_eq!(ran.out.lines().count(), 2);
    assert_eq!(ids(doorward.run(&["client", "list", "--limit", "3"])), [id(1), id(2), id(3)]);
}

#[test]
fn a_list_is_json_lines_unless_another_form_is_asked_for() {
    let doorward = Doorward::with_clients(&three()[..2]);
    assert_eq!(doorward.run(&["client", "list"]).result(), three()[..2].join("\n") + "\n");

    let array = doorward.run(&["client", "list", "--output", "json"]).result();
    let array: Vec<Value> = serde_json::from_str(&array).unwrap();
    assert_eq!(array, doorward.run(&["client", "list"]).lines());
    let none = doorward.run(&["-q", "client", "list", "--output", "json", "--name", "x"]).result();
    assert_eq!(none, "[]\n");

    insta::assert_snapshot!(doorward.run(&["client", "list", "--output", "table"]).result(), @r"
    CLIENT ID                             REGISTERED  STANDING  NAME
    PROFILE                                           FLAGS     REDIRECT URIS
    019aa7b4-5a1c-7bd1-b0ff-000000000001  2023-11-14  active    one
    rfc7591                               22:13:21Z             https://one.example/cb
    019aa7b4-5a1c-7bd1-b0ff-000000000002  2023-11-14  active    two
    rfc7591                               22:13:22Z             https://two.example/cb
    ");
}

#[test]
fn get_shows_all_that_is_kept() {
    let doorward = Doorward::with_clients(&three());
    let mut expected: Value = serde_json::from_str(&three()[1]).unwrap();
    for (member, value) in [
        ("standing", json!("active")),
        ("connections", json!(0)),
        ("people", json!(0)),
        (
            "events",
            json!([{
                "event_id": id(2),
                "at": "2023-11-14T22:13:22.125Z",
                "action": "client.registered",
                "actor_kind": "client",
                "actor": id(2),
            }]),
        ),
    ] {
        expected[member] = value;
    }
    assert_eq!(doorward.run(&["client", "get", &id(2)]).lines(), [expected.clone()]);

    insta::assert_snapshot!(doorward.run(&["client", "get", &id(2), "-o", "table"]).result(), @r"
    client_id                   019aa7b4-5a1c-7bd1-b0ff-000000000002
    registered                  2023-11-14T22:13:22.125Z
    profile                     rfc7591
    source                      192.0.2.1
    flags
    standing                    active
    connections                 0 connections of 0 people
    client_name                 two
    grant_types                 authorization_code
                                refresh_token
    redirect_uris               https://two.example/cb
    response_types              code
    token_endpoint_auth_method  none

    TIME                      ACTION             ACTOR
    2023-11-14T22:13:22.125Z  client.registered  client 019aa7b4-5a1c-7bd1-b0ff-000000000002
    ");
    let json: Value =
        serde_json::from_str(&doorward.run(&["client", "get", &id(2), "-o", "json"]).result())
            .unwrap();
    assert_eq!(json, expected);
}

#[test]
fn a_client_that_is_not_there_is_answered_no() {
    let doorward = Doorward::with_clients(&three());

    let complaint = doorward.run(&["client", "get", &id(9)]).complaint(3);

    let id = id(9);
    let audit = format!("doorward audit list --client {id}");
    assert!(complaint.starts_with(&format!("There is no client {id}. ")), "{complaint}");
    assert!(complaint.contains(&audit), "{complaint}");
}

#[test]
fn deletion_needs_a_yes_and_tells_what_was_not_there() {
    let doorward = Doorward::with_clients(&three());
    let complaint = doorward.run_with(&["client", "delete", &id(1)], "y\n").complaint(2);
    assert!(complaint.contains("say --yes"), "{complaint}");
    assert_eq!(ids(doorward.run(&["client", "list"])).len(), 3);

    let ran = doorward.run(&["client", "delete", "--yes", &id(1), &id(9), &id(2)]);

    assert_eq!((ran.code, &*ran.out), (Some(3), ""));
    let said = format!("Deleted {}.\nThere is no client {}.\nDeleted {}.\n", id(1), id(9), id(2));
    assert_eq!(ran.err, said);
    assert_eq!(ids(doorward.run(&["client", "list"])), [id(3)]);
}

#[test]
fn a_deletion_behind_a_filter_deletes_what_list_shows_behind_it_and_no_more() {
    let named = |name: &str, numbers: std::ops::Range<u32>| {
        numbers.map(|number| line(number, &metadata(name))).collect::<Vec<_>>()
    };
    let doorward = Doorward::with_clients(&[named("go", 0..300), named("stay", 300..305)].concat());
    for words in
        [&["client", "delete", "--yes"][..], &["client", "delete", "--yes", "--name", "go", &id(1)]]
    {
        assert_eq!(doorward.run(words).code, Some(2), "{words:?}");
    }

    // A rehearsal needs no terminal to ask on, counts, and deletes nothing.
    let rehearsed = doorward.run(&["client", "delete", "--name", "GO", "--dry-run"]);
    assert_eq!((rehearsed.code, &*rehearsed.err), (Some(0), "Would delete 300 clients.\n"));
    assert_eq!(ids(doorward.run(&["client", "list"])).len(), 305);

    let ran = doorward.run(&["client", "delete", "--name", "GO", "--yes"]);

    assert_eq!((ran.code, &*ran.err), (Some(0), "Deleted 300 clients.\n"));
    let left: Vec<String> = (300..305).map(id).collect();
    assert_eq!(ids(doorward.run(&["client", "list"])), left);
}

#[test]
fn a_reader_who_stops_reading_ends_the_command_quietly() {
    let lines: Vec<String> = (0..2_000).map(|number| line(number, &metadata("many"))).collect();
    let doorward = Doorward::with_clients(&lines);
    for words in [["client", "list"], ["client", "export"]] {
        let mut child = doorward.command(&words).spawn().unwrap();
        let mut first = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();

        let ran = Ran::of(child);

        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{words:?}");
    }
}
