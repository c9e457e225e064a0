//! `doorward registration-token`, and `doorward client add`.

use super::*;

fn store() -> Doorward {
    Doorward::with_clients(&[line(1, &metadata("one"))])
}

#[test]
fn a_token_is_shown_once_listed_without_its_secret_and_revoked_by_its_name() {
    let doorward = store();
    let words = ["registration-token", "create", "--name", "partners", "--uses", "10"];

    let created =
        doorward.run(&[&words[..], &["--expires", "30d", "--policy", "trusted"]].concat());

    assert_eq!(created.code, Some(0), "{created:?}");
    let token = created.out.trim();
    assert!(token.starts_with("dwi_") && token.len() == 68, "{token}");
    let said = "Created partners for 10 clients. It expires at ";
    assert!(created.err.starts_with(said) && !created.err.contains(token), "{}", created.err);
    assert_eq!(doorward.run(&words).code, Some(3), "the name is taken");

    let listed = doorward.run(&["registration-token", "list", "--output", "jsonl"]);
    let text = listed.out.clone();
    let one = &listed.lines()[0];
    assert_eq!((&one["name"], &one["policy"]), (&"partners".into(), &"trusted".into()));
    assert_eq!((&one["uses"], &one["uses_max"]), (&0.into(), &10.into()));
    assert!(!text.contains("dwi_") && one.get("hash").is_none(), "{text}");

    let revoke = ["registration-token", "revoke", "partners", "--yes"];
    assert_eq!(doorward.run(&revoke).code, Some(0));
    let again = doorward.run(&revoke);
    assert_eq!(again.code, Some(3));
    assert!(again.err.contains("There is no initial access token partners."), "{}", again.err);
    let audit = doorward.run(&["audit", "list", "--output", "jsonl"]).out;
    for action in ["initial_access_token.created", "initial_access_token.revoked"] {
        assert!(audit.contains(action), "{audit}");
    }
    assert!(!audit.contains(token));
}

#[test]
fn a_token_without_a_sensible_name_number_or_lifetime_is_not_created() {
    let doorward = store();
    for words in [
        &["--name", "none"][..],
        &["--name", "Not a word"],
        &["--name", "a", "--uses", "0"],
        &["--name", "a", "--expires", "soon"],
        &["--name", "a", "--policy", "none"],
        &[],
    ] {
        let ran = doorward.run(&[&["registration-token", "create"], words].concat());
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{words:?}");
    }
}

#[test]
fn an_operator_adds_a_client_whose_identifier_is_typed_into_an_app() {
    let doorward = store();
    let add = |more: &[&str]| {
        let words = ["client", "add", "--name", "Acme CRM", "--redirect-uri"];
        doorward.run(&[&words, more].concat())
    };

    let added = add(&["https://crm.acme.example/cb", "--scope", "read"]);

    assert_eq!(
        (added.code, &*added.err),
        (Some(0), "Added Acme CRM. Its client_id:\n"),
        "{added:?}"
    );
    let id = added.out.trim();
    let shown = doorward.run(&["client", "get", id]).lines().remove(0);
    assert_eq!(shown["metadata"]["client_name"], "Acme CRM");
    assert_eq!(
        shown["metadata"]["redirect_uris"],
        serde_json::json!(["https://crm.acme.example/cb"])
    );
    assert_eq!(shown["metadata"]["token_endpoint_auth_method"], "none");
    let by = shown["registered_by"].as_str().unwrap();
    assert!(by.starts_with("operator:uid:"), "{shown}");
    let audit = doorward.run(&["audit", "list", "--output", "jsonl"]).lines();
    let registered = audit.iter().find(|event| event["client_id"] == id).unwrap();
    assert_eq!(registered["action"], "client.registered");
    assert_eq!(registered["actor"]["type"], "operator");
    let exported = doorward.run(&["client", "export"]).out;
    let other = Doorward::with_clients(&[exported.lines().last().unwrap().to_owned()]);
    assert_eq!(other.run(&["client", "get", id]).lines()[0]["registered_by"], by);

    for (uri, reason) in [
        ("javascript:alert(1)", "redirect_uris[0]"),
        ("http://crm.acme.example/cb", "redirect_uris[0]"),
    ] {
        let ran = add(&["https://crm.acme.example/cb", "--redirect-uri", uri]);
        assert_eq!((ran.code, &*ran.out), (Some(3), ""), "{ran:?}");
        let named = reason.replace('0', "1");
        assert!(
            ran.err.contains(&named) && ran.err.ends_with("No client was added.\n"),
            "{}",
            ran.err
        );
    }
}
