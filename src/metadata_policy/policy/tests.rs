//! Tests of the rules, through the whole of a registration.

use serde_json::{Value, json};

use crate::{
    client::ProfileName::{self, Datadog, Rfc7591},
    config::{CatalogueScope, Config, RegistrationConfig},
    metadata_policy::{MetadataError, Profile, RegistrationRequest, Violation, admit},
};

/// The metadata that would be registered, or every violation.
fn check(
    body: &[u8],
    profile: ProfileName,
    settings: &RegistrationConfig,
) -> Result<String, Vec<Violation>> {
    let profile = Profile::of(profile);
    let admitted = || -> Result<_, MetadataError> {
        Ok(admit(RegistrationRequest::parse(body)?, profile, settings)?)
    };
    let admitted = admitted().map_err(|error| error.violations(profile))?;
    Ok(admitted.metadata().document())
}

fn settings() -> RegistrationConfig {
    Config::default().registration
}

/// The metadata that would be registered, or code and reason of each violation.
fn outcome(body: &str, profile: ProfileName) -> Result<Value, Vec<String>> {
    with(&settings(), body, profile)
}

fn with(
    settings: &RegistrationConfig,
    body: &str,
    profile: ProfileName,
) -> Result<Value, Vec<String>> {
    check(body.as_bytes(), profile, settings)
        .map(|document| serde_json::from_str(&document).unwrap())
        .map_err(|violations| {
            let text = |violation: &Violation| {
                format!("{} {} {}", violation.pointer, violation.code.as_str(), violation.reason)
            };
            violations.iter().map(text).collect()
        })
}

fn refused(body: &str, profile: ProfileName) -> Vec<String> {
    outcome(body, profile).unwrap_err()
}

/// A body with one redirect URI, a name, and `more`.
fn body(more: &str) -> String {
    format!(r#"{{"client_name":"A","redirect_uris":["https://a.example/cb"],{more}}}"#)
}

#[test]
fn a_misspelled_member_near_a_required_one_is_named() {
    for (sent, member, other) in [
        ("redirect_uri", "redirect_uris", r#""client_name":"An app""#),
        ("redirectUris", "redirect_uris", r#""client_name":"An app""#),
        ("redirect_urls", "redirect_uris", r#""client_name":"An app""#),
        ("clientName", "client_name", r#""redirect_uris":["https://app.example/cb"]"#),
    ] {
        let body = format!(r#"{{{other},"{sent}":["https://app.example/cb"]}}"#);
        let expected = format!("is required: {sent} is not a member, did you mean {member}?");
        let violations = outcome(&body, Datadog).unwrap_err();
        assert!(violations.iter().any(|one| one.ends_with(&expected)), "{violations:?}");
    }
    for sent in ["callback_urls", "redirect\u{e9}uris", "logo_uri"] {
        let body = format!(r#"{{"client_name":"An app","{sent}":"https://app.example/cb"}}"#);
        let violations = outcome(&body, Datadog).unwrap_err();
        assert!(violations.iter().any(|one| one.ends_with("is required")), "{violations:?}");
    }
}

#[test]
fn omitted_members_take_their_defaults() {
    for more in [
        "\"x\":1",
        r#""grant_types":null,"response_types":"","token_endpoint_auth_method":null,"scope":"","jwks":null"#,
    ] {
        for profile in [Datadog, Rfc7591] {
            assert_eq!(
                outcome(&body(more), profile).unwrap(),
                json!({
                    "client_name": "A",
                    "grant_types": ["authorization_code", "refresh_token"],
                    "redirect_uris": ["https://a.example/cb"],
                    "response_types": ["code"],
                    "token_endpoint_auth_method": "none",
                }),
            );
        }
    }
}

#[test]
fn a_client_name_is_required_at_one_door_alone() {
    for name in
        ["\"x\":1", "\"client_name\":\"\"", "\"client_name\":\"  \"", "\"client_name\":null"]
    {
        let body = format!(r#"{{"redirect_uris":["https://a.example/cb"],{name}}}"#);
        assert_eq!(
            refused(&body, Datadog),
            ["/client_name invalid_client_metadata client_name: is required"]
        );
        assert!(outcome(&body, Rfc7591).unwrap().get("client_name").is_none());
    }
}

#[test]
fn redirect_uris_are_required_and_bounded() {
    for value in ["null", "[]", "\"\""] {
        let body = format!(r#"{{"client_name":"A","redirect_uris":{value}}}"#);
        for profile in [Datadog, Rfc7591] {
            assert_eq!(
                refused(&body, profile),
                ["/redirect_uris invalid_client_metadata redirect_uris: is required"]
            );
        }
    }
    let many = |count: usize| {
        let uris: Vec<String> = (0..count).map(|n| format!("\"https://a.example/{n}\"")).collect();
        format!(r#"{{"client_name":"A","redirect_uris":[{}]}}"#, uris.join(","))
    };
    assert!(outcome(&many(50), Datadog).is_ok());
    assert_eq!(
        refused(&many(51), Rfc7591),
        ["/redirect_uris invalid_client_metadata redirect_uris: has more than 50 entries"]
    );
}

#[test]
fn what_is_merely_not_allowed_is_left_out_where_the_profile_is_lenient() {
    let body = r#"{"client_name":"A","redirect_uris":["https://a.example/cb","http://a.example/cb","urn:x:y","https://a.example/cb"]}"#;
    assert_eq!(outcome(body, Rfc7591).unwrap()["redirect_uris"], json!(["https://a.example/cb"]));
    assert_eq!(
        refused(body, Datadog),
        [
            "/redirect_uris/1 invalid_redirect_uri redirect_uris[1]: uses http, which is for loopback hosts alone; use https",
            "/redirect_uris/2 invalid_redirect_uri redirect_uris[2]: has a scheme that is not allowed",
        ],
    );
    let nothing_left = r#"{"redirect_uris":["http://a.example/cb"]}"#;
    assert_eq!(refused(nothing_left, Rfc7591).len(), 1);
}

#[test]
fn a_dangerous_redirect_uri_sinks_the_request() {
    for uri in
        ["javascript:alert(1)", "data:,x", "file:///x", "app:data:,x", "https://a.example/\\u200b"]
    {
        let body =
            format!(r#"{{"client_name":"A","redirect_uris":["https://a.example/cb","{uri}"]}}"#);
        for profile in [Datadog, Rfc7591] {
            assert_eq!(refused(&body, profile).len(), 1, "{uri}");
        }
    }
}

#[test]
fn a_redirect_uri_that_does_not_parse_is_named_as_documented() {
    for uri in [
        "not-a-uri",
        "/cb",
        "https://a.example/%zz",
        "https://a.example:99999/",
        "https://a b.example/",
    ] {
        let body = format!(r#"{{"client_name":"A","redirect_uris":["{uri}"]}}"#);
        assert_eq!(
            refused(&body, Datadog),
            ["/redirect_uris/0 invalid_client_metadata redirect URI is not well-formed"],
        );
        assert!(
            refused(&body, Rfc7591)[0]
                .starts_with("/redirect_uris/0 invalid_redirect_uri redirect_uris[0]: ")
        );
    }
}

#[test]
fn private_networks_are_redirected_to_only_where_allowed() {
    let body =
        r#"{"client_name":"A","redirect_uris":["https://a.example/cb","http://192.168.1.20/cb"]}"#;
    assert_eq!(
        refused(body, Datadog),
        [
            "/redirect_uris/1 invalid_redirect_uri redirect_uris[1]: leads into a private network, which is not allowed here"
        ]
    );
    assert_eq!(outcome(body, Rfc7591).unwrap()["redirect_uris"], json!(["https://a.example/cb"]));
    let allowing = RegistrationConfig { allow_lan_redirects: true, ..settings() };
    assert!(with(&allowing, body, Datadog).is_ok());
}

#[test]
fn a_method_with_a_secret_is_replaced_or_refused() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let body = body(&format!(r#""token_endpoint_auth_method":"{method}""#));
        assert_eq!(outcome(&body, Rfc7591).unwrap()["token_endpoint_auth_method"], "none");
        assert_eq!(refused(&body, Datadog).len(), 1);
    }
    for method in ["private_key_jwt", "tls_client_auth", "NONE", "x"] {
        let body = body(&format!(r#""token_endpoint_auth_method":"{method}""#));
        for profile in [Datadog, Rfc7591] {
            assert_eq!(
                refused(&body, profile),
                [
                    "/token_endpoint_auth_method invalid_client_metadata token_endpoint_auth_method: asks for a method that is not supported; only none is"
                ],
            );
        }
    }
}

#[test]
fn unsupported_grants_are_dropped_while_one_that_works_remains() {
    let grants = |list: &str| {
        outcome(&body(&format!("\"grant_types\":{list}")), Datadog)
            .map(|it| it["grant_types"].clone())
    };
    assert_eq!(grants(r#"["authorization_code"]"#).unwrap(), json!(["authorization_code"]));
    assert_eq!(
        grants(r#"["refresh_token","implicit","authorization_code","authorization_code"]"#)
            .unwrap(),
        json!(["refresh_token", "authorization_code"]),
    );
    for list in ["[]", r#"["refresh_token"]"#, r#"["password"]"#] {
        assert_eq!(
            grants(list).unwrap_err(),
            [
                "/grant_types invalid_client_metadata grant_types: must list authorization_code; grant types other than that and refresh_token are not supported"
            ]
        );
    }
    assert_eq!(
        grants("[null]").unwrap_err(),
        ["/grant_types/0 invalid_client_metadata grant_types[0]: is not a string"]
    );
    assert_eq!(
        grants("\"authorization_code\"").unwrap_err(),
        ["/grant_types invalid_client_metadata grant_types: is not an array of strings"]
    );
    let types = |list: &str| {
        outcome(&body(&format!("\"response_types\":{list}")), Datadog)
            .map(|it| it["response_types"].clone())
    };
    assert_eq!(types(r#"["code","token","code"]"#).unwrap(), json!(["code"]));
    for list in ["[]", r#"["token"]"#, r#"["code token"]"#] {
        assert_eq!(
            types(list).unwrap_err(),
            [
                "/response_types invalid_client_metadata response_types: must list code; other response types are not supported"
            ]
        );
    }
}

#[test]
fn lengths_are_the_profiles() {
    let uri = |length: usize| format!("https://a.example/{}", "a".repeat(length - 18));
    for (profile, max) in [(Datadog, 1_000), (Rfc7591, 2_048)] {
        for member in ["client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri"] {
            let at = |length| outcome(&body(&format!(r#""{member}":"{}""#, uri(length))), profile);
            assert!(at(max).is_ok());
            assert_eq!(
                at(max + 1).unwrap_err(),
                [format!(
                    "/{member} invalid_client_metadata {member}: is longer than {max} characters"
                )]
            );
        }
    }
    for (profile, max) in [(Datadog, 1_000), (Rfc7591, 4_096)] {
        let at = |length| outcome(&body(&format!(r#""scope":"{}""#, "s".repeat(length))), profile);
        assert!(at(max).is_ok());
        assert_eq!(
            at(max + 1).unwrap_err(),
            [format!("/scope invalid_client_metadata scope: is longer than {max} characters")]
        );
    }
}

#[test]
fn a_careless_page_is_left_out_where_the_profile_is_lenient_and_a_dangerous_one_never() {
    let careless = body(r#""client_uri":"example.com","logo_uri#fr":"logo.png""#);
    let kept = outcome(&careless, Rfc7591).unwrap();
    assert!(kept.get("client_uri").is_none() && kept.get("logo_uri#fr").is_none());
    assert_eq!(refused(&careless, Datadog).len(), 2);
    for more in [
        r#""logo_uri":"javascript:alert(1)""#,
        r#""tos_uri#fr":"javascript:alert(1)""#,
        r#""policy_uri":"https://10.0.0.1/""#,
        r#""jwks_uri":"example.com""#,
    ] {
        for profile in [Datadog, Rfc7591] {
            assert_eq!(refused(&body(more), profile).len(), 1, "{more}");
        }
    }
}

fn known(scope: &str) -> CatalogueScope {
    CatalogueScope::named(scope.to_owned())
}

#[test]
fn scopes_outside_the_catalogue_are_left_out_where_there_is_one() {
    let catalogue =
        RegistrationConfig { scopes: ["read", "write"].map(known).to_vec(), ..settings() };
    let asked = body(r#""scope":"read admin:* write read""#);
    assert_eq!(with(&catalogue, &asked, Rfc7591).unwrap()["scope"], "read write");
    assert_eq!(with(&catalogue, &asked, Datadog).unwrap()["scope"], "read admin:* write");
    assert_eq!(outcome(&asked, Rfc7591).unwrap()["scope"], "read admin:* write");
    assert!(with(&catalogue, &body(r#""scope":"nope""#), Rfc7591).unwrap().get("scope").is_none());
}

#[test]
fn keys_come_by_value_or_by_reference_and_never_private() {
    let uri = r#""jwks_uri":"https://a.example/jwks""#;
    let set = r#""jwks":{"keys":[{"kty":"EC","x":"1","y":"2"}]}"#;
    assert!(outcome(&body(set), Rfc7591).unwrap()["jwks"]["keys"][0]["kty"] == "EC");
    assert_eq!(
        refused(&body(&format!("{uri},{set}")), Rfc7591),
        ["/jwks invalid_client_metadata jwks: may not stand together with jwks_uri"]
    );
    for (set, reason) in [
        (r#"{"keys":[{"kty":"EC","d":"1"}]}"#, "contains a private or symmetric key"),
        (r#"{"keys":[{"kty":"oct","k":"1"}]}"#, "contains a private or symmetric key"),
        (r#"{"keys":[{"x":1}]}"#, "is not a JWK Set (RFC 7517 section 5)"),
        (r#"{"keys":{}}"#, "is not a JWK Set (RFC 7517 section 5)"),
        ("[]", "is not a JWK Set (RFC 7517 section 5)"),
    ] {
        assert_eq!(
            refused(&body(&format!("\"jwks\":{set}")), Rfc7591),
            [format!("/jwks invalid_client_metadata jwks: {reason}")]
        );
    }
}

#[test]
fn localized_members_follow_their_base_and_stand_once() {
    let kept = outcome(&body(r#""client_name#ja-Jpan-JP":"\u30c6","tos_uri#FR":"https://a.example/fr","redirect_uris#fr":1"#), Rfc7591).unwrap();
    assert_eq!(
        (&kept["client_name#ja-Jpan-JP"], &kept["tos_uri#FR"]),
        (&json!("\u{30c6}"), &json!("https://a.example/fr"))
    );
    assert!(kept.get("redirect_uris#fr").is_none());
    assert_eq!(
        refused(&body(r#""client_name#fr":"a","client_name#FR":"b""#), Rfc7591),
        ["/client_name#FR invalid_client_metadata client_name#FR: repeats a language tag"]
    );
    assert_eq!(
        refused(&body(r#""client_name#no tag":"a""#), Rfc7591),
        [
            "/client_name#no tag invalid_client_metadata client_name#no tag: has a malformed language tag"
        ]
    );
    assert_eq!(
        refused(&body(r#""client_name#fr":"a\u0000""#), Rfc7591),
        ["/client_name#fr invalid_client_metadata client_name#fr: contains a control character"]
    );
    assert_eq!(
        refused(&body(r#""client_name#fr":7"#), Rfc7591),
        ["/client_name#fr invalid_client_metadata client_name#fr: is not a string"]
    );
}

#[test]
fn server_owned_and_unknown_members_are_ignored() {
    let kept = outcome(&body(r#""client_id":"mine","client_secret":"s","client_id_issued_at":0,"software_statement":"x.y.z","trusted":true,"__proto__":{}"#), Rfc7591).unwrap();
    assert_eq!(kept.as_object().unwrap().len(), 5, "{kept}");
}

#[test]
fn texts_are_bounded() {
    let contacts = |count: usize| {
        body(&format!(r#""contacts":[{}]"#, vec!["\"a@a.example\""; count].join(",")))
    };
    assert!(outcome(&contacts(10), Rfc7591).is_ok());
    assert_eq!(refused(&contacts(11), Rfc7591).len(), 1);
    assert_eq!(
        refused(&body(&format!(r#""contacts":["{}"]"#, "a".repeat(321))), Rfc7591),
        ["/contacts/0 invalid_client_metadata contacts[0]: is longer than 320 characters"]
    );
    assert_eq!(
        refused(&body(r#""software_id":"a\u001b""#), Rfc7591),
        ["/software_id invalid_client_metadata software_id: contains a control character"]
    );
    assert_eq!(
        outcome(&body(r#""application_type":"web","software_version":"1.0""#), Datadog).unwrap()["application_type"],
        "web"
    );
    assert!(
        outcome(&body(r#""application_type":"toaster""#), Datadog)
            .unwrap()
            .get("application_type")
            .is_none()
    );
}

#[test]
fn a_localized_page_is_as_long_as_its_base_may_be() {
    let page = |length: usize| format!("https://a.example/{}", "a".repeat(length - 18));
    for (profile, max) in [(Datadog, 1_000), (Rfc7591, 2_048)] {
        let at = |length| body(&format!(r#""logo_uri#fr":"{}""#, page(length)));
        assert!(outcome(&at(max), profile).is_ok());
        assert_eq!(
            refused(&at(max + 1), profile),
            [format!(
                "/logo_uri#fr invalid_client_metadata logo_uri#fr: is longer than {max} characters"
            )]
        );
    }
}

#[test]
fn the_type_of_an_application_refuses_no_redirect_uri() {
    for (kind, uri) in [
        ("web", "http://localhost:1/cb"),
        ("web", "com.example.app:/cb"),
        ("native", "https://a.example/cb"),
    ] {
        let body = format!(
            r#"{{"client_name":"A","redirect_uris":["{uri}"],"application_type":"{kind}"}}"#
        );
        for profile in [Datadog, Rfc7591] {
            assert_eq!(outcome(&body, profile).unwrap()["application_type"], kind, "{uri}");
        }
    }
}

#[test]
fn no_answer_lists_more_than_64_violations() {
    let many = body(&format!("\"grant_types\":[{}]", vec!["0"; 1_000].join(",")));
    assert_eq!(refused(&many, Rfc7591).len(), 64);
}

#[test]
fn the_first_fault_in_document_order_comes_first_and_missing_members_last() {
    let body = r#"{"scope":7,"redirect_uris":["https://a.example/#","x"],"client_uri":5}"#;
    let pointers: Vec<String> = refused(body, Datadog)
        .iter()
        .map(|text| text.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        pointers,
        ["/scope", "/redirect_uris/0", "/redirect_uris/1", "/client_uri", "/client_name"]
    );
}

#[test]
fn a_lone_surrogate_is_the_fault_of_its_member() {
    assert_eq!(
        refused(r#"{"redirect_uris":["https://a.example/"],"client_name":"\ud800"}"#, Datadog),
        ["/client_name invalid_client_metadata client_name: contains a lone surrogate"]
    );
    assert_eq!(
        refused(r#"{"redirect_uris":["https://a.example/\udc00"]}"#, Rfc7591)[0],
        "/redirect_uris/0 invalid_redirect_uri redirect_uris[0]: contains white space or hidden characters"
    );
    assert_eq!(
        refused(
            r#"{"x":"\ud800","client_name":"A","redirect_uris":["https://a.example/"]}"#,
            Rfc7591
        ),
        ["/x invalid_client_metadata x: contains a lone surrogate"]
    );
    assert_eq!(
        refused(r#"{"x\ud800":1}"#, Rfc7591),
        [" invalid_request : an escape stands for half a character (a lone surrogate)"]
    );
}

#[test]
fn what_a_caller_wrote_comes_back_as_printable_ascii() {
    let long = "\u{e9}".repeat(5_000);
    let refused = refused(&format!(r#"{{"{long}":1,"{long}":2}}"#), Rfc7591);
    assert!(refused[0].is_ascii() && refused[0].len() < 400, "{}", refused[0]);
    assert_eq!(
        check(b"{\"a\\\"\\\\\":1,\"a\\\"\\\\\":1}", Rfc7591, &settings()).unwrap_err()[0].reason,
        "/a??: a member appears twice"
    );
}
