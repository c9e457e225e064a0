//! `doorward metadata check`.

use super::*;

#[test]
fn metadata_that_registers_is_accepted_and_what_changes_is_told() {
    let request = r#"{"client_name":"A","redirect_uris":["http://localhost/cb"],
        "token_endpoint_auth_method":"client_secret_basic","unknown":1,"scope":""}"#;

    let ran =
        Doorward::new().run_with(&["metadata", "check", "-", "--profile", "rfc7591"], request);

    insta::assert_snapshot!(ran.result(), @r#"
    rfc7591: accepted
      filled in  grant_types: ["authorization_code","refresh_token"]
      filled in  response_types: ["code"]
      replaced   token_endpoint_auth_method: "client_secret_basic" becomes "none"
      left out   unknown
    "#);
}

#[test]
fn every_reason_of_a_refusal_is_told() {
    let doorward = Doorward::new();
    doorward.write("client.json", r#"{"redirect_uris":["https://a.example/#"],"scope":1}"#);

    let ran = doorward.run(&["metadata", "check", "client.json", "--output", "jsonl"]);

    assert_eq!((ran.code, &*ran.err), (Some(3), ""));
    insta::assert_snapshot!(ran.out, @r#"
    {"profile":"datadog","accepted":false,"violations":[{"pointer":"/redirect_uris/0","code":"invalid_redirect_uri","reason":"redirect_uris[0]: has a fragment"},{"pointer":"/scope","code":"invalid_client_metadata","reason":"scope: is not a string"},{"pointer":"/client_name","code":"invalid_client_metadata","reason":"client_name: is required"}]}
    {"profile":"rfc7591","accepted":false,"violations":[{"pointer":"/redirect_uris/0","code":"invalid_redirect_uri","reason":"redirect_uris[0]: has a fragment"},{"pointer":"/scope","code":"invalid_client_metadata","reason":"scope: is not a string"}]}
    "#);
}

#[test]
fn one_profile_that_accepts_is_enough_unless_the_other_is_asked_for() {
    let doorward = Doorward::new();
    doorward.write("client.json", r#"{"redirect_uris":["https://a.example/cb"]}"#);
    let code = |words: &[&str]| {
        doorward.run(&[&["metadata", "check", "client.json"], words].concat()).code
    };

    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--profile", "rfc7591"]), Some(0));
    assert_eq!(code(&["--profile", "datadog"]), Some(3));
}

#[test]
fn what_no_endpoint_would_read_is_refused() {
    let doorward = Doorward::new();
    let huge = format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024));
    for (body, reason) in [("", ""), ("[]", ""), (&huge, "larger than 65536 bytes")] {
        let ran = doorward.run_with(&["metadata", "check", "-"], body);

        assert_eq!((ran.code, &*ran.err), (Some(3), ""), "{ran:?}");
        assert!(ran.out.starts_with("datadog: refused\n"), "{ran:?}");
        assert!(ran.out.contains("invalid_request") && ran.out.contains(reason), "{ran:?}");
    }
    let complaint = doorward.run(&["metadata", "check", "missing.json"]).complaint(1);
    assert!(complaint.starts_with("error: cannot read missing.json: No such file"), "{complaint}");
}

#[test]
fn the_settings_of_the_server_decide() {
    let doorward = Doorward::new();
    doorward.write("lan.toml", "[registration]\nallow_lan_redirects = true\n");
    doorward.write("client.json", r#"{"redirect_uris":["http://192.168.1.2/cb"]}"#);
    let words = ["metadata", "check", "client.json", "--config", "lan.toml"];

    assert_eq!(doorward.run(&words[..3]).code, Some(3));
    assert_eq!(doorward.run(&words).code, Some(0));
}
