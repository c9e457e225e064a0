//! `doorward operator token`: created once, listed without the secret, and revoked.

use super::*;

fn create(doorward: &Doorward, name: &str, more: &[&str]) -> Ran {
    let words = ["--quiet", "operator", "token", "create", "--name", name, "--role", "viewer"];
    doorward.run(&[&words[..], more].concat())
}

fn list(doorward: &Doorward, more: &[&str]) -> Vec<Value> {
    doorward.run(&[&["--quiet", "operator", "token", "list"], more].concat()).lines()
}

#[test]
fn an_operator_token_is_printed_once_and_only_its_hash_is_stored() {
    let doorward = Doorward::with_clients(&[]);
    let token = create(&doorward, "CI", &["--expires", "90d"]).result();
    let token = token.trim_end();
    assert!(token.starts_with("dwo_") && token.len() == 68, "{token}");

    let listed = list(&doorward, &[]);
    let [line] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&line["name"], &line["role"]), (&"CI".into(), &"viewer".into()));
    assert!(line["expires_at"].is_string() && line["used_at"].is_null(), "{line}");
    assert!(!line.to_string().contains("dwo_"));
    let exported = doorward.run(&["--quiet", "audit", "list"]).result();
    assert!(exported.contains("operator_token.created") && !exported.contains("dwo_"));
    assert!(exported.contains(r#""name":"CI""#) && exported.contains(r#""expires_at":"20"#));
    if doorward.database.is_none() {
        let file = fs::read(doorward.path("doorward-data/doorward.sqlite3")).unwrap();
        let secret = token.trim_start_matches("dwo_").as_bytes();
        assert!(!file.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn a_lifetime_may_be_unlimited_and_the_default_is_ninety_days() {
    let doorward = Doorward::with_clients(&[]);
    create(&doorward, "a", &["--expires", "never"]).result();
    create(&doorward, "b", &[]).result();
    let listed = list(&doorward, &[]);
    assert!(listed[0]["expires_at"].is_null() && listed[1]["expires_at"].is_string());
    for bad in ["0d", "soon", "2026-11-23"] {
        let refused = create(&doorward, "c", &["--expires", bad]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    let table = doorward.run(&["-q", "operator", "token", "list", "-o", "table"]).result();
    assert!(table.contains("NAME") && table.contains("never"), "{table}");
}

#[test]
fn a_name_is_taken_until_its_token_is_revoked() {
    let doorward = Doorward::with_clients(&[]);
    create(&doorward, "CI", &[]).result();
    let refused = create(&doorward, "CI", &[]);
    assert_eq!((refused.code, &*refused.out), (Some(3), ""), "{refused:?}");
    assert!(refused.err.contains("There is already an operator token named CI"), "{refused:?}");

    let revoke = ["operator", "token", "revoke", "CI", "nobody"];
    let unasked = doorward.run(&revoke);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let revoked = doorward.run(&[&revoke[..], &["--yes"]].concat());
    assert_eq!(revoked.code, Some(3), "{revoked:?}");
    assert_eq!(revoked.err, "There is no operator token nobody.\nRevoked CI.\n");
    assert_eq!(list(&doorward, &[]), [Value::Null; 0]);
    let actions = doorward.run(&["--quiet", "audit", "list"]).lines();
    let actions: Vec<_> = actions.iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["operator_token.revoked", "operator_token.created"]);
    create(&doorward, "CI", &[]).result();
}

#[test]
fn operator_tokens_are_copied_with_the_store() {
    let doorward = Doorward::with_clients(&[]);
    doorward.run_with(&["-q", "client", "import", "-", "--data", "old"], "").result();
    create(&doorward, "CI", &["--data", "old"]).result();
    let copied =
        doorward.run(&["store", "copy", "--output", "json", "--from", "old", "--to", "new"]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let report: Value = serde_json::from_str(&copied.out).unwrap();
    assert_eq!(report["operator_tokens"]["copied"], 1, "{report}");
    assert_eq!(list(&doorward, &["--data", "new"]), list(&doorward, &["--data", "old"]));
}
