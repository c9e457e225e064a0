//! `doorward migrate`, and what commands say of a database.

use serde_json::json;

use super::*;

/// With a database of its own; `None`, said loudly, in a run that has none.
fn with_database() -> Option<(Doorward, String)> {
    let doorward = Doorward::new();
    let Some(url) = doorward.database.clone() else {
        left_out("commands on PostgreSQL (DOORWARD_TEST_STORE is not postgres)");
        return None;
    };
    Some((doorward, url))
}

#[test]
fn a_data_folder_needs_no_migration_by_hand() {
    let doorward = Doorward::new();
    for word in ["up", "status"] {
        let complaint = doorward.run(&["migrate", word, "--data", "here"]).complaint(1);
        assert!(complaint.contains("here is a data folder"), "{complaint}");
    }
}

#[test]
fn tables_that_are_up_to_date_are_good_and_stay_as_they_are() {
    let Some((doorward, _)) = with_database() else { return };

    let status = doorward.run(&["migrate", "status", "--output", "json"]).lines();
    assert_eq!(status, [json!({ "version": 10, "good": true })]);
    let up = doorward.run(&["migrate", "up"]).result();
    assert_eq!(up, "The tables are up to date (version: 10).\n");
}

#[test]
fn a_server_without_its_tables_names_the_command_that_makes_them() {
    let Some((doorward, url)) = with_database() else { return };
    // A schema that is not there holds no table, and takes none.
    let nowhere = url.replace("search_path%3D", "search_path%3Dno_");

    let issuer = "DOORWARD_SERVER__ISSUER";
    let serve = doorward
        .command(&["serve", "--data", &nowhere])
        .env(issuer, "http://localhost:8080")
        .spawn()
        .unwrap();
    let complaint = Ran::of(serve).complaint(1);
    assert!(complaint.contains("run `doorward migrate up`"), "{complaint}");

    let status = doorward.run(&["migrate", "status", "--data", &nowhere]);
    assert_eq!(status.code, Some(3), "{status:?}");
    assert!(status.out.starts_with("No: the database postgres://"), "{status:?}");
    let up = doorward.run(&["migrate", "up", "--data", &nowhere]).complaint(1);
    assert!(up.contains("no schema has been selected"), "{up}");
}

#[test]
fn the_doctor_looks_at_the_tables() {
    let Some((doorward, url)) = with_database() else { return };
    let nowhere = url.replace("search_path%3D", "search_path%3Dno_");
    let look = |url: &str, migrate_at_start: &str| {
        let words = ["doctor", "--dev", "--data", url, "--output", "jsonl", "--quiet"];
        let listen = ["--listen", "127.0.0.1:0", "--management", "127.0.0.1:0"];
        let mut command = doorward.command(&[&words[..], &listen[..]].concat());
        command.env("DOORWARD_POSTGRES__MIGRATE_AT_START", migrate_at_start);
        let ran = Ran::of(command.spawn().unwrap());
        let findings = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_store: Vec<_> = findings
            .filter(|it| it["check"] == "tables" || it["check"] == "store")
            .map(|it| ["check", "verdict", "what"].map(|key| it[key].as_str().unwrap().to_owned()))
            .collect();
        (ran.code, of_store)
    };

    let (code, found) = look(&url, "false");
    let what = "they are of version 10, which this release needs";
    assert_eq!((code, &found[1]), (Some(0), &["tables", "ok", what].map(str::to_owned)));

    let (code, found) = look(&nowhere, "false");
    let [[check, verdict, what]] = &found[..] else { panic!("{found:?}") };
    assert_eq!((code, &**check, &**verdict), (Some(1), "tables", "problem"));
    assert!(what.contains("has tables of version 0, and this release needs version 10"), "{what}");

    let (code, found) = look(&nowhere, "true");
    let what = "they are of version 0: a server brings them up to date when it starts";
    assert_eq!((code, found), (Some(0), vec![["tables", "warning", what].map(str::to_owned)]));
}

#[test]
fn the_commands_of_a_data_folder_say_that_a_database_is_none() {
    let Some((doorward, _)) = with_database() else { return };
    let complaint = doorward.run(&["store", "backup", "copy"]).complaint(1);
    assert!(complaint.contains("pg_dump copies a database"), "{complaint}");
    doorward.run(&["store", "check"]).complaint(1);
}
