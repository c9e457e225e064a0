//! `doorward store`, and what is said of a data folder that cannot be used.

use rusqlite::Connection;

use super::{
    serve::{Server, sh},
    *,
};

const DATABASE: &str = "doorward-data/doorward.sqlite3";

fn one_client() -> Doorward {
    Doorward::with_clients(&[line(1, &metadata("one"))])
}

#[test]
fn a_backup_is_a_store() {
    let doorward = one_client();
    let ran = doorward.run(&["store", "backup", "copy.sqlite3"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
    assert!(ran.err.starts_with("Wrote copy.sqlite3 (clients: 1, "), "{ran:?}");
    let again = doorward.run(&["store", "backup", "copy.sqlite3"]).complaint(1);
    assert!(again.contains("copy.sqlite3 is there already"), "{again}");

    fs::create_dir(doorward.path("restored")).unwrap();
    fs::rename(doorward.path("copy.sqlite3"), doorward.path("restored/doorward.sqlite3")).unwrap();

    let restored = doorward.run(&["client", "list", "--data", "restored"]).result();
    assert_eq!(restored, line(1, &metadata("one")) + "\n");
}

#[test]
fn a_server_runs_on_a_restored_backup() {
    if !is_in_path("curl") {
        left_out("a server on a restored backup (there is no curl)");
        return;
    }
    let doorward = one_client();
    let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    let serve = |data| {
        let words = [&["serve", "--dev", "--data", data], &listen[..]].concat();
        Server::start(&doorward, &words, "/register'")
    };
    let old = serve("doorward-data");
    let register = |server: &Server| -> String {
        let answer = sh(server.announced.last().unwrap()).result();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["client_id"].as_str().unwrap().to_owned()
    };
    let before = register(&old);
    assert_eq!(doorward.run(&["store", "backup", "copy.sqlite3"]).code, Some(0));
    let lost = register(&old);
    assert_eq!(old.stop().code, Some(0));

    // As docs/run/operating.md says.
    fs::create_dir(doorward.path("restored")).unwrap();
    fs::rename(doorward.path("copy.sqlite3"), doorward.path("restored/doorward.sqlite3")).unwrap();
    fs::copy(doorward.path("doorward-data/keys.secret"), doorward.path("restored/keys.secret"))
        .unwrap();
    assert_eq!(doorward.run(&["store", "check", "--data", "restored"]).code, Some(0));
    let new = serve("restored");

    let after = register(&new);
    let is_there = |id: &str| doorward.run(&["client", "get", id, "--data", "restored"]).code;
    let codes = [&id(1), &before, &after, &lost].map(|id| is_there(id));
    assert_eq!(codes, [Some(0), Some(0), Some(0), Some(3)]);
    assert_eq!(new.stop().code, Some(0));
}

#[test]
fn a_sound_store_passes_its_check() {
    let doorward = one_client();
    let words = doorward.run(&["store", "check"]).result();
    let lines = doorward.run(&["store", "check", "--output", "json"]).lines();

    assert!(
        words.starts_with(&format!("{DATABASE} is sound (version: 10, clients: 1, ")),
        "{words}"
    );
    assert_eq!((&lines[0]["sound"], &lines[0]["clients"]), (&true.into(), &1.into()));
}

#[test]
fn a_damaged_record_fails_the_check_with_advice() {
    let doorward = one_client();
    let database = Connection::open(doorward.path(DATABASE)).unwrap();
    database.execute("UPDATE clients SET metadata = 'no json'", []).unwrap();

    let ran = doorward.run(&["store", "check"]);

    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains(" is damaged ") && ran.out.contains(&id(1)), "{ran:?}");
    assert!(ran.err.starts_with("What to do: "), "{ran:?}");
    let complaint = doorward.run(&["client", "export"]).complaint(1);
    assert!(complaint.contains(&id(1)), "{complaint}");
}

/// Every command that opens the store, and the server.
const COMMANDS: &[&[&str]] = &[
    &["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"],
    &["client", "list"],
    &["client", "get", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "delete", "--yes", "019aa7b4-5a1c-7bd1-b0ff-000000000001"],
    &["client", "export"],
    &["client", "import", "/dev/null"],
    &["store", "backup", "copy"],
    &["store", "check"],
];

/// What each of `commands` says of the folder, in one line, with exit code 1.
fn each_complains(doorward: &Doorward, commands: &[&[&str]], data: &str, expected: &str) {
    for words in commands {
        let complaint = doorward.run(&[*words, &["--data", data]].concat()).complaint(1);
        assert!(complaint.starts_with("error: "), "{words:?}: {complaint}");
        assert!(complaint.contains(expected), "{words:?}: {complaint}");
    }
}

#[test]
fn a_missing_store_is_made_by_the_server_and_by_an_import_alone() {
    let doorward = Doorward::new();
    let readers: Vec<&[&str]> = COMMANDS
        .iter()
        .filter(|words| words[0] != "serve" && words[1] != "import")
        .copied()
        .collect();

    each_complains(
        &doorward,
        &readers,
        "nowhere",
        "nowhere holds no store; `doorward serve` makes one",
    );
    assert!(!doorward.path("nowhere").exists());
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told() {
    let doorward = Doorward::new();
    doorward.write("file", "");

    each_complains(&doorward, COMMANDS, "file", "file");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    if !Path::new("/sys/kernel").exists() {
        left_out(
            "a folder that cannot be written (there is no /sys, where not even root makes a folder)",
        );
        return;
    }
    let doorward = Doorward::new();

    each_complains(
        &doorward,
        &COMMANDS[..1],
        "/sys/doorward",
        "the data folder /sys/doorward cannot be used",
    );
}

#[test]
fn a_newer_store_is_told() {
    let doorward = one_client();
    let database = Connection::open(doorward.path(DATABASE)).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);

    each_complains(
        &doorward,
        COMMANDS,
        "doorward-data",
        "is a store of version 99, and this release",
    );
}

#[test]
fn a_file_that_is_no_store_is_told() {
    let doorward = Doorward::new();
    fs::create_dir(doorward.path("doorward-data")).unwrap();
    doorward.write(DATABASE, &"no database at all".repeat(1_000));

    each_complains(&doorward, COMMANDS, "doorward-data", "is not a store of Doorward");
}

#[test]
fn a_store_that_is_cut_short_is_told() {
    let lines: Vec<String> = (0..200).map(|number| line(number, &metadata("many"))).collect();
    let doorward = Doorward::with_clients(&lines);
    let file = fs::File::options().write(true).open(doorward.path(DATABASE)).unwrap();
    file.set_len(4_096 + 100).unwrap();

    let ran = doorward.run(&["store", "check"]);
    assert!(matches!(ran.code, Some(1 | 3)), "{ran:?}");
    let ran = doorward.run(&["client", "export"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("error: ") && ran.err.lines().count() == 1, "{ran:?}");
}
