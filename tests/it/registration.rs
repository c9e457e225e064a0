//! What a caller of the registration endpoint sees.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, TestServer, config};

const DATADOG: &str = "/api/v2/oauth2/register";
const RFC7591: &str = "/oauth2/register";

/// The example of the documentation.
fn documented_request() -> Value {
    json!({
        "client_name": "Example MCP Client",
        "client_uri": "https://example.com",
        "grant_types": ["authorization_code", "refresh_token"],
        "jwks_uri": "https://example.com/.well-known/jwks.json",
        "logo_uri": "https://example.com/logo.png",
        "policy_uri": "https://example.com/policy",
        "redirect_uris": ["https://example.com/oauth/callback"],
        "response_types": ["code"],
        "scope": "openid profile",
        "token_endpoint_auth_method": "none",
        "tos_uri": "https://example.com/tos",
    })
}

/// The answer without its `client_id`, which is checked to be a new UUID in its usual form.
fn without_id(answer: &Answer) -> Value {
    let mut body = answer.json();
    let id = body["client_id"].take();
    let id = id.as_str().unwrap();
    let hyphens: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!((id.len(), hyphens), (36, vec![8, 13, 18, 23]), "{id}");
    assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')), "{id}");
    let members = body.as_object_mut().unwrap();
    members.remove("client_id");
    // Another in every response (`registration_management.rs`).
    members.remove("registration_access_token");
    members.remove("registration_client_uri");
    body
}

#[tokio::test]
async fn the_documented_request_gets_the_six_documented_members() {
    let server = TestServer::start().await;
    let answer = server.post(DATADOG, &documented_request().to_string()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        without_id(&answer),
        json!({
            "client_name": "Example MCP Client",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": ["https://example.com/oauth/callback"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
    );
}

#[tokio::test]
async fn everything_that_was_registered_is_answered_at_the_other_door() {
    let server = TestServer::start().await;
    for path in [RFC7591, "/register"] {
        let answer = server.post(path, &documented_request().to_string()).await;
        assert_eq!(answer.status, 201);
        let mut expected = documented_request();
        expected["client_id_issued_at"] = 1_800_000_000.into();
        assert_eq!(without_id(&answer), expected);
    }
}

#[tokio::test]
async fn every_registration_is_a_new_client_and_is_kept_with_its_trail() {
    let server = TestServer::start().await;
    let first = server.post(DATADOG, &documented_request().to_string()).await.json();
    let second = server.post(RFC7591, &documented_request().to_string()).await.json();
    assert_ne!(first["client_id"], second["client_id"]);
    for (created, profile) in [(&first, "datadog"), (&second, "rfc7591")] {
        let record = server.record(created["client_id"].as_str().unwrap()).await;
        assert_eq!(record.profile.as_str(), profile);
        assert_eq!(record.issued_at.as_millis(), 1_800_000_000_000);
        assert_eq!(record.source, Some([127, 0, 0, 1].into()));
        let metadata: Value = serde_json::from_str(&record.metadata).unwrap();
        assert_eq!(metadata, documented_request());
    }
}

#[tokio::test]
async fn the_address_is_not_kept_where_the_operator_does_not_want_it() {
    let mut config = config();
    config.registration.keep_source_address = false;
    let server = TestServer::with(config).await;
    let created = server.post(RFC7591, &documented_request().to_string()).await.json();
    assert_eq!(server.record(created["client_id"].as_str().unwrap()).await.source, None);
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_its_door() {
    let server = TestServer::start().await;
    let body = r#"{"client_name":"A","redirect_uris":["not-a-uri"],"scope":7}"#;
    let answer = server.post(DATADOG, body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body,
        r#"{"error":"invalid_client_metadata","error_description":"redirect URI is not well-formed"}"#,
    );
    let answer = server.post(RFC7591, body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "error": "invalid_redirect_uri",
            "error_description": "redirect_uris[0]: is not an absolute URI",
            "violations": [
                {
                    "pointer": "/redirect_uris/0",
                    "code": "invalid_redirect_uri",
                    "reason": "redirect_uris[0]: is not an absolute URI",
                },
                {
                    "pointer": "/scope",
                    "code": "invalid_client_metadata",
                    "reason": "scope: is not a string",
                },
            ],
        }),
    );
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let server = TestServer::start().await;
    let body = documented_request().to_string();
    let post = async |headers: &str| {
        let length = body.len();
        server
            .exchange(&format!(
                "POST {RFC7591} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}"
            ))
            .await
    };
    for headers in [
        "content-type: application/json\r\n",
        "content-type: Application/JSON; charset=utf-8\r\n",
        "content-type: application/json ;x=y\r\ncontent-encoding: identity\r\n",
        "content-type: application/json\r\nauthorization: Bearer nonsense\r\n",
    ] {
        assert_eq!(post(headers).await.status, 201, "{headers}");
    }
    for (headers, description) in [
        ("", "Content-Type: must be application/json"),
        ("content-type: text/plain\r\n", "Content-Type: must be application/json"),
        ("content-type: application/jsonx\r\n", "Content-Type: must be application/json"),
        (
            "content-type: application/x-www-form-urlencoded\r\n",
            "Content-Type: must be application/json",
        ),
        (
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            "Content-Encoding: must be absent or identity",
        ),
    ] {
        let answer = post(headers).await;
        assert_eq!(answer.status, 400, "{headers}");
        assert_eq!(answer.json()["error"], "invalid_request", "{headers}");
        assert_eq!(answer.json()["error_description"], description, "{headers}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_in_the_shape_of_its_door() {
    let server = TestServer::start().await;
    let filler = "x".repeat(64 * 1024);
    let body = format!(r#"{{"redirect_uris":["https://a.example/"],"x":"{filler}"}}"#);
    let answer = server.post(DATADOG, &body).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json(), json!({ "errors": ["the body is larger than 65536 bytes"] }));
    let answer = server.post(RFC7591, &body).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn the_limit_is_told_on_every_answer_in_the_words_of_its_door() {
    let mut config = config();
    config.rate_limit.per_source = 3;
    let server = TestServer::with(config).await;
    server.clock.advance(Duration::from_millis(17_500));
    let limit = |answer: &Answer| {
        let header = |name: &str| answer.header(name).map(str::to_owned).unwrap_or_default();
        ["limit", "period", "remaining", "reset", "name"]
            .map(|name| header(&format!("x-ratelimit-{name}")))
    };

    let created = server.post(DATADOG, &documented_request().to_string()).await;
    assert_eq!(created.status, 201);
    assert_eq!(limit(&created), ["3", "60", "2", "43", "oauth2_register"]);
    let refused = server.post(DATADOG, "{}").await;
    assert_eq!(refused.status, 400);
    assert_eq!(limit(&refused), ["3", "60", "1", "43", "oauth2_register"]);

    let last = server.post(RFC7591, "{}").await;
    let header = |name| last.header(name);
    assert_eq!(header("ratelimit-limit"), Some("3"));
    assert_eq!(header("ratelimit-remaining"), Some("0"));
    assert_eq!(header("ratelimit-reset"), Some("43"));
    assert_eq!(header("x-ratelimit-limit"), None);

    let too_many = server.post(DATADOG, &documented_request().to_string()).await;
    assert_eq!(too_many.status, 429);
    assert_eq!(too_many.body, r#"{"errors":["Too many requests"]}"#);
    assert_eq!(limit(&too_many), ["3", "60", "0", "43", "oauth2_register"]);
    let too_many = server.post(RFC7591, &documented_request().to_string()).await;
    assert_eq!(too_many.status, 429);
    assert_eq!(
        too_many.json(),
        json!({ "error": "temporarily_unavailable", "error_description": "too many registrations from this address in this period" }),
    );
    assert_eq!(too_many.header("retry-after"), Some("43"));

    server.clock.advance(Duration::from_secs(43));
    assert_eq!(server.post(DATADOG, &documented_request().to_string()).await.status, 201);
}

/// The pointers of the violations, in their order.
fn pointers(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let violations = body["violations"].as_array().unwrap();
    violations.iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_member_with_a_fault_is_in_one_answer() {
    let server = TestServer::start().await;
    let faulty = [
        ("client_name", "7"),
        ("client_name#de", "7"),
        ("grant_types", "7"),
        ("redirect_uris", "7"),
        ("response_types", "7"),
        ("token_endpoint_auth_method", "7"),
        ("scope", "7"),
        ("client_uri", "7"),
        ("logo_uri", "7"),
        ("policy_uri", "7"),
        ("tos_uri", "7"),
        ("tos_uri#not_a_tag", "\"https://a.example/\""),
        ("jwks_uri", "7"),
        ("contacts", "7"),
        ("software_id", "7"),
        ("software_version", "7"),
        ("application_type", "7"),
    ];
    let members = faulty.map(|(name, value)| format!("\"{name}\":{value}"));
    let all = server.post(RFC7591, &format!("{{{}}}", members.join(","))).await;
    assert_eq!(all.status, 400);
    assert_eq!(pointers(&all), faulty.map(|(name, _)| format!("/{name}")));

    let uris = r#""redirect_uris":["https://a.example/cb"]"#;
    for (body, expected) in [
        // A long list of bad entries hides no other member.
        (
            format!(r#"{{"grant_types":[{}],"scope":7}}"#, vec!["0"; 1_000].join(",")),
            vec!["/scope", "/redirect_uris"],
        ),
        // Neither key set hides that there are two.
        (
            format!(r#"{{{uris},"jwks_uri":"http://a.example/","jwks":{{"keys":[]}}}}"#),
            vec!["/jwks_uri", "/jwks"],
        ),
        (format!(r#"{{{uris},"jwks_uri":"https://a.example/","jwks":7}}"#), vec!["/jwks", "/jwks"]),
        // A misspelled member hides none, and neither does a missing one.
        (
            r#"{"redirect_url":["https://a.example/"],"scope":7}"#.into(),
            vec!["/scope", "/redirect_uris"],
        ),
    ] {
        let answer = server.post(RFC7591, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        let listed = pointers(&answer);
        assert!(listed.len() <= 64, "{}", listed.len());
        let last = listed.split_at(listed.len() - expected.len()).1;
        assert_eq!(last, expected, "{body}");
    }
}

#[tokio::test]
async fn a_response_shows_what_was_left_out_and_what_was_filled_in() {
    let server = TestServer::start().await;
    let defaults = json!({
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://a.example/cb"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    for (sent, shown) in [
        (json!({}), json!({})),
        (
            json!({ "grant_types": ["implicit", "authorization_code"] }),
            json!({ "grant_types": ["authorization_code"] }),
        ),
        (json!({ "response_types": ["token", "code"] }), json!({})),
        (json!({ "token_endpoint_auth_method": "client_secret_post" }), json!({})),
        (
            json!({ "redirect_uris": ["https://a.example/cb", "http://b.example/cb", "https://a.example/cb"] }),
            json!({}),
        ),
        (json!({ "client_uri": "a.example", "application_type": "robot" }), json!({})),
        (json!({ "scope": "read read write" }), json!({ "scope": "read write" })),
        (json!({ "client_id": "mine", "software_statement": "x", "unknown": [1] }), json!({})),
        (json!({ "client_name": null, "scope": "", "contacts": null }), json!({})),
    ] {
        let with = |changes: &Value| {
            let mut body = defaults.clone();
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        let mut request = sent.clone();
        if request.get("redirect_uris").is_none() {
            request["redirect_uris"] = json!(["https://a.example/cb"]);
        }
        let answer = server.post(RFC7591, &request.to_string()).await;
        assert_eq!(answer.status, 201, "{sent}");
        let mut expected = with(&shown);
        expected["client_id_issued_at"] = 1_800_000_000.into();
        assert_eq!(without_id(&answer), expected, "{sent}");
    }
}
