//! `doorward store copy`: from data folder to data folder, and to a database and back.

use std::{thread, time::Duration};

use rusqlite::Connection;

use super::{serve::Server, *};

/// More than a page of them.
fn clients(count: u32) -> Vec<String> {
    (0..count).map(|number| line(number, &metadata(&format!("client-{number}")))).collect()
}

/// With `lines` in the data folder `old`.
fn with_old(lines: &[String]) -> Doorward {
    let doorward = Doorward::new();
    fill(&doorward, "old", lines);
    doorward
}

fn fill(doorward: &Doorward, place: &str, lines: &[String]) {
    let words = ["--quiet", "client", "import", "-", "--data", place];
    let ran = doorward.run_with(&words, &lines.join("\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn copy(doorward: &Doorward, from: &str, to: &str, words: &[&str]) -> Ran {
    let copy = ["store", "copy", "--output", "json", "--from", from, "--to", to];
    doorward.run(&[&copy[..], words].concat())
}

/// What a copy has to say, with exit code `code`.
#[track_caller]
fn report(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

fn export(doorward: &Doorward, place: &str) -> String {
    let ran = doorward.run(&["--quiet", "client", "export", "--data", place]);
    ran.result()
}

/// Makes a data folder in which something happens after each client that it takes.
fn with_trigger(doorward: &Doorward, place: &str, then: &str) {
    fill(doorward, place, &[]);
    let database = Connection::open(doorward.path(place).join("doorward.sqlite3")).unwrap();
    let sql = format!("CREATE TRIGGER meddle AFTER INSERT ON clients BEGIN {then}; END");
    database.execute_batch(&sql).unwrap();
}

fn count(doorward: &Doorward, place: &str) -> u64 {
    let file = doorward.path(place).join("doorward.sqlite3");
    let database = Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let count = database.and_then(|database| {
        database.query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0))
    });
    count.unwrap_or(0).try_into().unwrap()
}

#[test]
fn a_copy_has_every_record_and_says_so() {
    let lines = clients(1_200);
    let doorward = with_old(&lines);

    let words = ["store", "copy", "--from", "old", "--to", "new"];
    let said = doorward.run(&words).result();

    assert!(said.starts_with("Copied: 1200. There already: 0.\nSource: 1200 (SHA-256: "), "{said}");
    assert!(said.ends_with("\nThe target has what the source has.\n"), "{said}");
    assert_eq!(export(&doorward, "new"), lines.join("\n") + "\n");
}

#[test]
fn a_target_that_is_not_empty_is_refused_with_the_word_that_lets_it_go_on() {
    let lines = clients(3);
    let doorward = with_old(&lines);
    fill(&doorward, "new", &lines[1..2]);

    let complaint = copy(&doorward, "old", "new", &[]).complaint(1);
    assert!(complaint.contains("the data folder new holds clients already"), "{complaint}");
    assert!(complaint.contains("--into-existing"), "{complaint}");
    assert_eq!(count(&doorward, "new"), 1);

    let report = report(&copy(&doorward, "old", "new", &["--into-existing"]), 0);
    assert_eq!((&report["copied"], &report["already_there"]), (&2.into(), &1.into()));
    assert_eq!(export(&doorward, "new"), export(&doorward, "old"));
}

#[test]
fn a_copy_that_was_killed_goes_on_when_it_is_run_again() {
    const COUNT: u32 = 10_000;
    let doorward = with_old(&clients(COUNT));
    let words = ["store", "copy", "--from", "old", "--to", "new"];
    let mut killed = doorward.command(&words).spawn().unwrap();
    while count(&doorward, "new") == 0 && killed.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let there = count(&doorward, "new");
    assert!(0 < there && there < COUNT.into(), "it was killed in the middle: {there}");

    let report = report(&copy(&doorward, "old", "new", &["--into-existing"]), 0);

    assert_eq!(report["already_there"], there);
    assert_eq!(report["source"], report["target"]);
    assert_eq!(export(&doorward, "new"), export(&doorward, "old"));
}

#[test]
fn a_client_with_another_record_is_named_and_stays_as_it_is() {
    let doorward = with_old(&clients(3));
    let other = line(1, &metadata("other"));
    fill(&doorward, "new", std::slice::from_ref(&other));

    let ran = copy(&doorward, "old", "new", &["--into-existing"]);

    let report = report(&ran, 3);
    assert_eq!((&report["good"], &report["differing"]), (&false.into(), &1.into()));
    assert_ne!(report["source"]["sha256"], report["target"]["sha256"]);
    let told = "is in the target with another record, which stays as it is";
    assert_eq!(ran.err, format!("client {} {told}\n", id(1)));
    assert!(export(&doorward, "new").contains(&other));
}

#[test]
fn a_record_that_changes_under_the_copy_is_found_at_the_end() {
    let doorward = with_old(&clients(3));
    let changed = format!(
        "UPDATE clients SET flags = 1 WHERE client_id = new.client_id AND new.issued_at % 60000 = {}",
        (1_700_000_001_u64 * 1_000 + 125) % 60_000
    );
    with_trigger(&doorward, "new", &changed);

    let ran = copy(&doorward, "old", "new", &[]);

    let report = report(&ran, 3);
    assert_eq!((&report["copied"], &report["differing"]), (&3.into(), &1.into()));
    assert_eq!(report["source"]["clients"], report["target"]["clients"]);
    assert_ne!(report["source"]["sha256"], report["target"]["sha256"]);
    assert!(ran.err.starts_with(&format!("client {} is in the target with ", id(1))), "{ran:?}");
}

#[test]
fn a_record_that_is_lost_on_the_way_is_found_at_the_end() {
    let doorward = with_old(&clients(2));
    with_trigger(&doorward, "new", "DELETE FROM clients WHERE client_id = new.client_id");

    let ran = copy(&doorward, "old", "new", &[]);

    let report = report(&ran, 3);
    assert_eq!((&report["missing"], &report["target"]["clients"]), (&2.into(), &0.into()));
    assert_eq!(ran.err.matches(" is not in the target\n").count(), 2, "{ran:?}");
}

#[test]
fn servers_may_run_on_both_sides() {
    let doorward = with_old(&clients(2));
    let serve = |place| {
        let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
        let words = [&["serve", "--dev", "--data", place], &listen[..]].concat();
        Server::start(&doorward, &words, "curl ")
    };
    let servers = [serve("old"), serve("new")];

    let report = report(&copy(&doorward, "old", "new", &[]), 0);

    assert_eq!((&report["copied"], &report["registered_meanwhile"]), (&2.into(), &0.into()));
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_named_without_its_password_and_nothing_is_made() {
    let doorward = with_old(&clients(1));
    let nobody = format!("postgres://u:hunter2@127.0.0.1:{}/d", crate::redis::free_port());

    let complaint = copy(&doorward, "old", &nobody, &[]).complaint(1);
    assert!(complaint.contains("postgres://u:[redacted]@127.0.0.1"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let complaint = copy(&doorward, &nobody, "new", &[]).complaint(1);
    assert!(!complaint.contains("hunter2"), "{complaint}");
    let complaint = copy(&doorward, "nowhere", "new", &[]).complaint(1);
    assert!(complaint.contains("nowhere holds no store"), "{complaint}");
    assert!(!doorward.path("new").exists() && !doorward.path("nowhere").exists());
}

#[test]
fn clients_go_into_a_database_and_come_back_as_they_were() {
    let lines = clients(1_200);
    let doorward = with_old(&lines);
    let Some(url) = doorward.database.clone() else {
        eprintln!("LEFT OUT: copies to PostgreSQL, as DOORWARD_TEST_STORE is not postgres");
        return;
    };
    let into = |from: &str, to: &str, words: &[&str]| copy(&doorward, from, to, words);

    let there = report(&into("old", &url, &[]), 0);
    assert_eq!((&there["copied"], &there["source"]), (&1_200.into(), &there["target"]));
    let again = into("old", &url, &[]).complaint(1);
    assert!(again.contains("--into-existing"), "{again}");
    let again = report(&into("old", &url, &["--into-existing"]), 0);
    assert_eq!((&again["copied"], &again["already_there"]), (&0.into(), &1_200.into()));
    let back = report(&into(&url, "new", &[]), 0);

    assert_eq!(back["target"], there["source"]);
    assert_eq!(export(&doorward, "new"), lines.join("\n") + "\n");
}
