//! Files that hold secrets: who can read them, what `doctor` says about it, and what a server repairs itself.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

use super::{
    serve::{Server, sh},
    *,
};
use crate::redis::free_port;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A development server has run here once, with the store in a folder.
fn after_a_start() -> Doorward {
    let mut doorward = Doorward::new();
    doorward.database = None;
    let server = start(&doorward);
    assert_eq!(server.stop().code, Some(0));
    doorward
}

fn start(doorward: &Doorward) -> Server {
    let words = ["serve", "--dev", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
    Server::start(doorward, &words, "/register'")
}

/// The findings of a run of `doctor`.
fn doctor(doorward: &Doorward, words: &[&str], variables: &[(&str, &str)]) -> Vec<Value> {
    let mut command = doorward.command(&[&["doctor", "--dev"], words].concat());
    let ran = Ran::of(command.envs(variables.iter().copied()).spawn().unwrap());
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What it says of secret files: the place, with the verdict and the advice.
fn exposed(findings: &[Value]) -> BTreeMap<String, [String; 2]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_check = findings.iter().filter(|finding| finding["check"] == "secrets");
    let entries = of_check
        .map(|it| (text(&it["place"]), [text(&it["verdict"]), text(&it["advice"])]))
        .collect::<Vec<_>>();
    let count = entries.len();
    let by_place: BTreeMap<_, _> = entries.into_iter().collect();
    assert_eq!(by_place.len(), count, "one line for each file: {findings:?}");
    by_place
}

#[test]
fn doctor_names_each_secret_file_that_others_can_read_and_its_command_repairs_it() {
    let doorward = after_a_start();
    let settings = "[postgres]\npassword = \"of the database\"\n\
         [tls]\ncertificate_file = \"tls.crt\"\nkey_file = \"tls.key\"\n\
         [[sign_in.providers]]\nid = \"a\"\nname = \"A\"\nissuer = \"https://a.example\"\n\
         client_id = \"d\"\nclient_secret_file = \"./it's a.secret\"\n";
    doorward.write("secret.toml", settings);
    doorward.write("plain.toml", "[server]\nshutdown_deadline_seconds = 3\n");
    for name in ["tls.crt", "tls.key", "it's a.secret", "redis.url", "filter"] {
        doorward.write(name, "redis://u:secret@127.0.0.1:1");
    }
    doorward.write("filter", "info");
    let variables =
        [("DOORWARD_RATE_LIMIT__REDIS_FILE", "redis.url"), ("DOORWARD_LOG__FILTER_FILE", "filter")];
    let words = ["--config", "secret.toml", "--config", "plain.toml", "--offline"];
    let look = || exposed(&doctor(&doorward, &words, &variables));
    let secret = [
        "./it's a.secret",
        "doorward-data/doorward.sqlite3",
        "doorward-data/doorward.sqlite3-shm",
        "doorward-data/doorward.sqlite3-wal",
        "doorward-data/keys.secret",
        "redis.url",
        "secret.toml",
        "tls.key",
    ];
    // SQLite leaves files beside the database that a command has read.
    look();
    for bits in [0o644, 0o640, 0o602, 0o777] {
        for name in secret.iter().chain(&["plain.toml", "tls.crt", "filter"]) {
            set_mode(&doorward.path(name), bits);
        }
        let found = look();
        let places: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(places, secret, "{bits:o}");
        for (place, [verdict, advice]) in &found {
            let is_needed = place.ends_with("keys.secret");
            assert_eq!(verdict, if is_needed { "problem" } else { "warning" }, "{place}");
            assert!(advice.starts_with("chmod 600 "), "{advice}");
            sh(&format!("cd '{}' && {advice}", doorward.folder.path().display())).result();
            assert_eq!(mode(&doorward.path(place)), 0o600, "{place}");
        }
        assert_eq!(look(), [("all".to_owned(), ["ok".to_owned(), String::new()])].into());
    }
}

#[test]
fn a_server_makes_the_files_of_an_existing_store_private_and_says_so() {
    let doorward = after_a_start();
    let names = ["doorward-data/doorward.sqlite3", "doorward-data/doorward.sqlite3-wal"];
    doorward.write(names[1], "");
    for bits in [0o644, 0o660, 0o604] {
        for name in names {
            set_mode(&doorward.path(name), bits);
        }
        let server = start(&doorward);
        for name in names {
            assert_eq!(mode(&doorward.path(name)), 0o600, "{name}");
        }
        assert_eq!(server.stop().code, Some(0));
        let log = doorward.read("log");
        for name in names {
            let is_told = |line: &str| line.contains("others could read") && line.contains(name);
            assert!(log.lines().any(is_told), "{name}: {log}");
        }
        assert!(log.contains(&format!("{bits:04o}")), "{log}");
        doorward.write(names[1], "");
    }
    set_mode(&doorward.path(names[1]), 0o600);
    assert_eq!(start(&doorward).stop().code, Some(0));
    assert!(!doorward.read("log").contains("others could read"), "nothing is left to repair");
}

#[test]
fn doctor_right_after_the_quick_start_finds_nothing_to_repair() {
    let mut doorward = Doorward::new();
    doorward.database = None;
    let [public, management] = [free_port(), free_port()].map(|it| format!("127.0.0.1:{it}"));
    let addresses = ["--listen", &public, "--management", &management];
    let quick_start = [&["serve", "--dev"], &addresses[..]].concat();
    let server = Server::start(&doorward, &quick_start, "/register'");
    sh(server.announced.last().unwrap()).result();
    let assert_green = |when: &str| {
        let findings = doctor(&doorward, &addresses, &[]);
        assert!(findings.len() > 5, "{findings:?}");
        for finding in findings {
            // The limit of open files is the machine's.
            let is_ok = finding["verdict"] == "ok" || finding["check"] == "descriptors";
            assert!(is_ok, "{when}: {finding}");
        }
        let code = doorward.run(&[&["doctor", "--dev"], &addresses[..]].concat()).code;
        assert_eq!(code, Some(0), "{when}");
    };
    assert_green("while the server runs");
    assert_eq!(server.stop().code, Some(0));
    assert_green("after it has stopped");
    // The README's commands for production begin with a file that `config init` writes.
    doorward.run(&["--quiet", "config", "init", "doorward.toml"]).result();
    let findings =
        doctor(&doorward, &[&["--config", "doorward.toml"], &addresses[..]].concat(), &[]);
    assert_eq!(exposed(&findings).keys().collect::<Vec<_>>(), ["all"]);
}
