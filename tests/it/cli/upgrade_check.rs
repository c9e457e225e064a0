//! `doorward upgrade-check`: what it says of settings and stores, and that it changes nothing.

use rusqlite::Connection;

use super::*;
use crate::stored_forms::written_by;

/// The findings of a check, each as verdict, what, and advice.
fn looked(doorward: &Doorward, data: &str, check: &str) -> (Option<i32>, Vec<[String; 3]>) {
    let words = ["upgrade-check", "--quiet", "--dev", "--data", data, "--output", "jsonl"];
    let ran = doorward.run(&words);
    let findings = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_check = findings.filter(|finding| finding["check"] == check);
    let words = of_check.map(|finding| {
        ["verdict", "what", "advice"]
            .map(|key| finding[key].as_str().unwrap_or_default().to_owned())
    });
    (ran.code, words.collect())
}

fn version(folder: &Path) -> i64 {
    let connection = Connection::open(folder.join("doorward.sqlite3")).unwrap();
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_earlier_store_is_told_its_steps_and_stays_as_it_is() {
    let doorward = Doorward::new();
    let folder = written_by("5.sql");
    let data = folder.path().to_str().unwrap();

    let (code, tables) = looked(&doorward, data, "tables");
    let [[verdict, what, advice]] = &tables[..] else { panic!("{tables:?}") };
    assert_eq!((code, &**verdict), (Some(0), "warning"));
    assert!(what.contains("from version 5 to 10"), "{what}");
    assert!(advice.contains("doorward store backup"), "{advice}");
    let (_, disk) = looked(&doorward, data, "disk");
    assert!(disk[0][1].contains("a backup and the upgrade need"), "{disk:?}");
    let (_, keys) = looked(&doorward, data, "keys");
    assert!(!keys[0][1].contains("none yet"), "{keys:?}");
    assert_eq!(version(folder.path()), 5);
}

#[test]
fn a_current_store_needs_nothing_and_a_later_one_is_a_problem() {
    let doorward = Doorward::new();
    let data = doorward.path("here");
    let imported = doorward.run_with(&["client", "import", "-", "--data", "here"], "");
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let (code, tables) = looked(&doorward, "here", "tables");
    assert_eq!((code, &*tables[0][0]), (Some(0), "ok"), "{tables:?}");

    let connection = Connection::open(data.join("doorward.sqlite3")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let (code, tables) = looked(&doorward, "here", "tables");
    assert_eq!((code, &*tables[0][0]), (Some(1), "problem"), "{tables:?}");
    assert!(tables[0][1].contains("99"), "{tables:?}");
}

#[test]
fn a_setting_that_this_release_does_not_know_is_a_problem() {
    let doorward = Doorward::new();
    doorward.write("doorward.toml", "[server]\nisuer = \"https://auth.example\"\n");
    let ran = doorward.run(&["upgrade-check", "--config", "doorward.toml", "--output", "jsonl"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("isuer") && ran.out.contains("problem"), "{ran:?}");
}

#[test]
fn tables_of_a_database_are_told_too() {
    let doorward = Doorward::new();
    let Some(url) = doorward.database.clone() else {
        left_out("upgrade-check on PostgreSQL (DOORWARD_TEST_STORE is not postgres)");
        return;
    };
    let (code, tables) = looked(&doorward, &url, "tables");
    assert_eq!((code, &*tables[0][0]), (Some(0), "ok"), "{tables:?}");
    let nowhere = url.replace("search_path%3D", "search_path%3Dno_");
    let (code, tables) = looked(&doorward, &nowhere, "tables");
    assert_eq!((code, &*tables[0][0]), (Some(0), "warning"), "{tables:?}");
    assert!(tables[0][2].contains("doorward migrate up"), "{tables:?}");
}
