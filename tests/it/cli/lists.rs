//! `doorward client list`: its filters, its orders, and both kinds of clients.

use super::*;

fn with(number: u32, name: &str, change: impl FnOnce(String) -> String) -> String {
    change(line(number, &metadata(name)))
}

fn used(seconds: u32) -> impl FnOnce(String) -> String {
    move |line| line.replace("\"metadata\"", &format!("\"used_at\":{seconds},\"metadata\""))
}

/// Two used clients, and two that were never used, from other networks.
fn store() -> Doorward {
    let elsewhere = |line: String| line.replace("192.0.2.1", "2001:db8::1");
    let private = |line: String| line.replace("https://four.example/cb", "com.four:/cb");
    Doorward::with_clients(&[
        with(1, "one", used(1_700_001_000)),
        with(2, "two", used(1_700_002_000)),
        with(3, "three", elsewhere),
        with(4, "four", private),
    ])
}

fn ids(ran: Ran) -> Vec<String> {
    ran.lines().iter().map(|line| line["client_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_filter_of_client_list_finds_what_it_says() {
    let doorward = store();
    let cases: &[(&[&str], &[u32])] = &[
        (&["--destination", "two.example"], &[2]),
        (&["--destination", "*.example"], &[1, 2, 3]),
        (&["--destination", "scheme:com.four"], &[4]),
        (&["--family", "One v2@one.example"], &[1]),
        (&["--family", "one@two.example"], &[]),
        (&["--source", "192.0.2.0/24"], &[1, 2, 4]),
        (&["--source", "192.0.2.77/24"], &[1, 2, 4]),
        (&["--source", "2001:db8::1"], &[3]),
        (&["--unused"], &[3, 4]),
        (&["--used-since", "1700001001"], &[2]),
        (&["--used-from", "1700001000", "--used-until", "1700002000"], &[1]),
        (&["--unused", "--registered-from", "1700000004"], &[4]),
        (&["--unused", "--registered-until", "1700000004"], &[3]),
        (&["--door", "rfc7591", "--source", "2001:db8::/32", "--name", "THREE"], &[3]),
        (&["--sort", "used"], &[2, 1]),
        (&["--sort", "used", "--after", &id(2)], &[1]),
        (&["--sort", "used", "--used-until", "1700002000"], &[1]),
        (&["--kind", "document"], &[]),
    ];
    for (filter, expected) in cases {
        let words = [&["--quiet", "client", "list"], *filter].concat();
        let expected: Vec<String> = expected.iter().copied().map(id).collect();
        assert_eq!(ids(doorward.run(&words)), expected, "{filter:?}");
    }
    for wrong in [
        &["--source", "192.0.2"][..],
        &["--destination", "https://one.example"],
        &["--family", "one"],
        &["--unused", "--used-since", "1d"],
        &["--kind", "document", "--sort", "used"],
        &["--sort", "used", "--after", &id(3)],
        &["--after", "https://app.example/client.json"],
    ] {
        let words = [&["client", "list"], wrong].concat();
        assert_eq!(doorward.run(&words).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_filter_of_client_list_also_says_what_delete_deletes() {
    let doorward = store();

    let ran = doorward.run(&["client", "delete", "--unused", "--source", "192.0.2.0/24", "--yes"]);

    assert_eq!((ran.code, &*ran.err), (Some(0), "Deleted 1 client.\n"));
    assert_eq!(ids(doorward.run(&["client", "list"])), [id(1), id(2), id(3)]);
}

#[test]
fn a_list_by_last_use_shows_when_and_goes_on_where_it_was_cut() {
    let doorward = store();

    let ran = doorward.run(&["client", "list", "--sort", "used", "--limit", "1", "-o", "table"]);

    insta::assert_snapshot!(ran.out, @r"
    CLIENT ID                             LAST USED   STANDING  NAME
    PROFILE                                           FLAGS     REDIRECT URIS
    019aa7b4-5a1c-7bd1-b0ff-000000000002  2023-11-14  active    two
    rfc7591                               22:46:40Z             https://two.example/cb
    ");
    assert_eq!(ran.err, format!("There are more: go on with --after {}\n", id(2)));
}
