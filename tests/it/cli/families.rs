//! `doorward family`, beside a running server and without one.

use serde_json::json;

use super::{
    grants::{grant, in_store},
    serve::Server,
    *,
};
use doorward::entropy::Entropy;

/// Three clients of one family with two connections of two people, and one client of another.
fn store() -> Doorward {
    let of_one = |number: u32, name: &str| {
        line(number, &metadata("one").replace("\"one\"", &format!("\"{name}\"")))
    };
    let doorward = Doorward::with_clients(&[
        of_one(1, "One"),
        of_one(2, "one 2.0"),
        of_one(3, "One (acme)"),
        line(4, &metadata("two")),
    ]);
    let entropy = Entropy::seeded(6);
    in_store(&doorward, async |store| {
        for (nth, (client, subject)) in
            [(1, "acme:ada"), (3, "acme:bob"), (4, "acme:bob")].into_iter().enumerate()
        {
            let nth = u32::try_from(nth).unwrap();
            store.keep_grant(grant(nth, &id(client), subject, &entropy)).await.unwrap();
        }
    });
    doorward
}

const ONE: &str = "one@one.example";

fn show(doorward: &Doorward, family: &str) -> Value {
    doorward.run(&["family", "show", family]).lines().remove(0)
}

#[test]
fn families_are_listed_by_size_and_shown_by_key_or_identifier() {
    let doorward = store();
    let listed = doorward.run(&["family", "list"]).lines();
    let keys: Vec<_> = listed.iter().map(|family| family["key"].as_str().unwrap()).collect();
    assert_eq!(keys, [ONE, "two@two.example"]);
    assert_eq!(listed[0]["names"], json!(["One", "one 2.0", "One (acme)"]));
    assert_eq!(listed[0]["destinations"], json!(["one.example"]));
    assert_eq!((&listed[0]["clients"], &listed[0]["registrations"]), (&json!(3), &json!(3)));
    let filters: &[(&[&str], &[&str])] = &[
        (&["--name", "ACME"], &[ONE]),
        (&["--destination", "two.example"], &["two@two.example"]),
        (&["--standing", "suspended"], &[]),
        (&["--sort", "seen"], &["two@two.example", ONE]),
        (&["--after", ONE], &["two@two.example"]),
    ];
    for (filter, expected) in filters {
        let words = [&["--quiet", "family", "list"], *filter].concat();
        let found = doorward.run(&words).lines();
        let found: Vec<_> = found.iter().map(|family| family["key"].as_str().unwrap()).collect();
        assert_eq!(found, *expected, "{filter:?}");
    }
    let ran = doorward.run(&["family", "list", "--limit", "1", "--output", "table"]);
    let identifier = listed[0]["family_id"].as_str().unwrap();
    assert_eq!(ran.err, format!("There are more: go on with --after {identifier}\n"));
    assert!(ran.out.contains("2023-11-14") && ran.out.lines().count() == 4, "{ran:?}");

    let shown = show(&doorward, ONE);
    assert_eq!(show(&doorward, identifier), shown);
    assert_eq!((&shown["connections"], &shown["people"]), (&json!(2), &json!(2)));
    assert_eq!(shown["events"], json!([]));
    let text = doorward.run(&["family", "show", ONE, "-o", "table"]).result();
    for part in ["3, 0 of them in the last 7 days, 0 removed", "2 connections of 2 people"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let missing = doorward.run(&["family", "show", "three@three.example"]).complaint(3);
    assert!(missing.starts_with("There is no family "), "{missing}");
    assert_eq!(doorward.run(&["family", "show", "one"]).code, Some(2), "no key");
}

#[test]
fn a_restriction_of_a_family_says_who_loses_access_and_ends_what_goes_beyond_it() {
    let doorward = store();
    let restrict = |more: &[&str]| doorward.run(&[&["family", "restrict", ONE], more].concat());
    let unasked = restrict(&["--only", "other"]).complaint(2);
    assert!(unasked.contains("say --yes to restrict"), "{unasked}");
    let rehearsed = restrict(&["--only", "other", "--dry-run"]);
    let would = format!("Would let the clients of {ONE} hold only other");
    let said = format!("{would}: 2 connections of 2 people would end.\n");
    assert_eq!((rehearsed.code, rehearsed.err), (Some(0), said));
    assert_eq!(show(&doorward, ONE)["connections"], 2);
    let ended = restrict(&["--only", "other", "--yes", "--reason", "Ticket 4711"]);
    let said = format!("The clients of {ONE} may hold only other: 2 connections ended.\n");
    assert_eq!((ended.code, ended.err), (Some(0), said));
    let shown = show(&doorward, ONE);
    assert_eq!(
        (&shown["ceiling"], &shown["connections"]),
        (&json!({ "only": ["other"] }), &json!(0))
    );
    assert_eq!(shown["events"][0]["action"], "family.restricted");
    assert_eq!(show(&doorward, "two@two.example")["connections"], 1);
    let lifted = restrict(&["--lift"]);
    let said = format!("The clients of {ONE} may hold every scope: 0 connections ended.\n");
    assert_eq!((lifted.code, lifted.err), (Some(0), said));
    assert_eq!(show(&doorward, ONE)["ceiling"], Value::Null);
}

#[test]
fn a_family_is_suspended_and_resumed_beside_a_running_server_and_others_are_not() {
    let doorward = store();
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let server = Server::start(&doorward, &words, "curl ");
    let unasked = doorward.run(&["family", "suspend", ONE]).complaint(2);
    assert!(unasked.contains("say --yes to suspend"), "{unasked}");
    let rehearsed = doorward.run(&["family", "suspend", ONE, "--dry-run"]);
    let said = format!("Would suspend {ONE}: 3 clients, 2 connections of 2 people.\n");
    assert_eq!((rehearsed.code, rehearsed.err), (Some(0), said));
    assert_eq!(show(&doorward, ONE)["standing"], "active");

    let words = ["family", "suspend", ONE, "--yes", "--reason", "Ticket 4711"];
    let ran = doorward.run(&words);

    let said = format!("Suspended {ONE}: 2 connections ended, and no one can allow its clients.\n");
    assert_eq!((ran.code, ran.err), (Some(0), said));
    let shown = show(&doorward, ONE);
    assert_eq!((&shown["standing"], &shown["connections"]), (&json!("suspended"), &json!(0)));
    assert_eq!(shown["events"][0]["action"], "family.suspended");
    assert_eq!(show(&doorward, "two@two.example")["connections"], 1);
    let again = doorward.run(&words).complaint(3);
    assert_eq!(again, format!("{ONE} is already suspended.\n"));

    let ran = doorward.run(&["family", "resume", ONE]);
    let said = format!("Resumed {ONE}: people can allow its clients again.\n");
    assert_eq!((ran.code, ran.err), (Some(0), said));
    let again = doorward.run(&["family", "resume", ONE]).complaint(3);
    assert_eq!(again, format!("{ONE} is already active.\n"));
    drop(server);
}

#[test]
fn removing_a_family_removes_its_clients_and_a_rebuild_changes_nothing() {
    let doorward = store();
    let rehearsed = doorward.run(&["family", "remove", ONE, "--dry-run"]);
    assert!(rehearsed.err.starts_with("Would remove one@one.example: 3 clients"), "{rehearsed:?}");

    let ran = doorward.run(&["family", "remove", ONE, "--yes"]);

    assert_eq!((ran.code, ran.err), (Some(0), format!("Removed 3 clients of {ONE}.\n")));
    let left = doorward.run(&["client", "list"]).lines();
    assert_eq!(left.len(), 1);
    let shown = show(&doorward, ONE);
    assert_eq!((&shown["clients"], &shown["registrations"]), (&json!(0), &json!(3)));
    let before = doorward.run(&["family", "list"]).result();

    let ran = doorward.run(&["family", "rebuild"]);

    assert_eq!((ran.code, &*ran.err), (Some(0), "Counted 2 families.\n"));
    let people = |text: &str| {
        let lines = text.lines().map(|line| {
            let mut family: Value = serde_json::from_str(line).unwrap();
            // Counted by servers.
            family["people"] = Value::Null;
            family
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(people(&doorward.run(&["family", "list"]).result()), people(&before));
}

#[test]
fn clients_of_a_family_are_listed_by_its_key() {
    let doorward = store();
    let listed = doorward.run(&["client", "list", "--family", ONE]).lines();
    let listed: Vec<_> = listed.iter().map(|it| it["client_id"].as_str().unwrap()).collect();
    assert_eq!(listed, [id(1), id(2), id(3)]);
}

/// The standing that holds is not always a client's own: lists and records say both.
#[test]
fn a_client_of_a_suspended_family_is_shown_as_suspended_by_it_until_it_is_resumed() {
    let doorward = store();
    let standings = |words: &[&str]| -> Vec<Value> {
        let lines = doorward.run(words).lines();
        lines.iter().map(|line| json!([line["standing"], line["effective_standing"]])).collect()
    };
    let list = ["client", "list"];
    let [active, suspended] = [json!([null, null]), json!([null, "suspended"])];
    assert_eq!(standings(&list), vec![active.clone(); 4]);
    assert_eq!(doorward.run(&["family", "suspend", ONE, "--yes"]).code, Some(0));

    let expected = [&suspended, &suspended, &suspended, &active].map(Clone::clone);
    assert_eq!(standings(&list), expected);
    let of_family = ["client", "list", "--family", ONE];
    assert_eq!(standings(&of_family), expected[..3]);
    let shown = doorward.run(&["client", "get", &id(1)]).lines().remove(0);
    let both = (&shown["standing"], &shown["effective_standing"]);
    assert_eq!(both, (&json!("active"), &json!("suspended")));
    let table = doorward.run(&["client", "list", "-o", "table"]).out;
    assert_eq!(table.matches("by family").count(), 3, "{table}");
    let text = doorward.run(&["client", "get", &id(1), "-o", "table"]).out;
    assert!(text.contains("suspended by its family; its own: active"), "{text}");
    let by_standing = |standing| doorward.run(&["-q", "client", "list", "--standing", standing]);
    assert_eq!(by_standing("suspended").lines().len(), 3, "those that are shown as suspended");
    assert_eq!(by_standing("active").lines().len(), 1);
    // What a list says of the family is not imported with the client.
    let other = Doorward::with_clients(&[]);
    let listed = doorward.run(&list).result();
    assert_eq!(other.run_with(&["client", "import", "-"], &listed).code, Some(0));
    let imported = other.run(&list).result();
    assert_eq!(imported, doorward.run(&["client", "export"]).out);
    assert!(!imported.contains("suspended"), "{imported}");

    assert_eq!(doorward.run(&["family", "resume", ONE]).code, Some(0));
    assert_eq!(standings(&list), vec![active; 4]);
}
