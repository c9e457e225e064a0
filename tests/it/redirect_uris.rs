//! Redirect URIs through a whole registration: what is accepted is answered byte for byte.

use serde_json::json;

use crate::harness::TestServer;

const HIDDEN: &str = "contains white space or hidden characters";
const MALFORMED: &str = "is not a well-formed URI";
const DOT_SEGMENT: &str = "has a dot segment in its path";
const ENCODED_HOST: &str = "has a percent-encoded host";

/// Each class of percent-encoded characters, and why it is rejected.
const ENCODED: &[(&str, Option<&str>)] = &[
    // ASCII control characters, wherever they are.
    ("https://a.example/cb%00", Some(HIDDEN)),
    ("https://a.example/cb%00.png", Some(HIDDEN)),
    ("https://a.example/cb?x=%00", Some(HIDDEN)),
    ("https://a.example/%01cb", Some(HIDDEN)),
    ("https://a.example/cb%09", Some(HIDDEN)),
    ("https://a.example/cb%0a", Some(HIDDEN)),
    ("https://a.example/cb%0D%0A", Some(HIDDEN)),
    ("https://a.example/cb?x=%0d%0aset-cookie:a", Some(HIDDEN)),
    ("https://a.example/cb%1F", Some(HIDDEN)),
    ("https://a.example/cb%7f", Some(HIDDEN)),
    ("http://127.0.0.1:7001/cb%7F", Some(HIDDEN)),
    ("com.example.app:/cb%0a", Some(HIDDEN)),
    // Delimiters.
    ("https://a.example/a%2fcb", None),
    ("https://a.example/a%2Fcb?x=%2f", None),
    ("https://a.example/a%5ccb", None),
    ("https://a.example/%5C%5Cevil.example", None),
    ("https://a.example/cb%23fragment", None),
    ("https://a.example/cb%3fx=1", None),
    ("https://a.example/%40evil.example", None),
    ("https://a.example/%2a", None),
    ("https://a.example/%20cb%22%3cscript%3E", None),
    ("workbuddy://workbuddy/mcp/connector%3Aatlas/cb", None),
    // Dots: a segment of one or two is rejected, others stay.
    ("https://a.example/a/%2e%2e/cb", Some(DOT_SEGMENT)),
    ("https://a.example/a/%2E./cb", Some(DOT_SEGMENT)),
    ("https://a.example/%2e", Some(DOT_SEGMENT)),
    ("cursor://a/%2e%2e", Some(DOT_SEGMENT)),
    ("https://a.example/%2e%2e%2e/cb", None),
    ("https://a.example/cb%2e%2e", None),
    ("https://a.example/%2e%2e%2fcb", None),
    ("https://a.example/%252e%252e/cb", None),
    ("https://a.example/cb?x=/%2e%2e/", None),
    // The percent sign itself, so that nothing is decoded twice.
    ("https://a.example/cb%25", None),
    ("https://a.example/cb%2500", None),
    ("https://a.example/cb%250a", None),
    // UTF-8, in either case, visible or not.
    ("https://a.example/caf%C3%A9", None),
    ("https://a.example/caf%c3%a9", None),
    ("https://a.example/%E2%80%8B", None),
    ("https://a.example/%e2%80%ae", None),
    ("https://a.example/%C2%85", None),
    ("https://a.example/%F0%9F%9A%80?x=%E3%83%86", None),
    // No UTF-8: overlong, surrogates, cut short, stray.
    ("https://a.example/%C0%AF", None),
    ("https://a.example/%c0%80", None),
    ("https://a.example/%E0%80%AE", None),
    ("https://a.example/%ED%A0%80", None),
    ("https://a.example/%E2%80", None),
    ("https://a.example/%80%FF", None),
    // Letters that need no encoding.
    ("https://a.example/%63%62", None),
    ("com.example.app:/%7e", None),
    // No percent-encoding.
    ("https://a.example/cb%", Some(MALFORMED)),
    ("https://a.example/cb%2", Some(MALFORMED)),
    ("https://a.example/cb%zz", Some(MALFORMED)),
    ("https://a.example/cb%2g", Some(MALFORMED)),
    ("https://a.example/cb%u0041", Some(MALFORMED)),
    ("https://a.example/cb%%41", Some(MALFORMED)),
    ("https://a.example/cb?x=%", Some(MALFORMED)),
    ("com.example.app:/cb%x0", Some(MALFORMED)),
    // A host is never encoded.
    ("https://%61.example/cb", Some(ENCODED_HOST)),
    ("https://a%2eexample/cb", Some(ENCODED_HOST)),
    ("https://a.example%2f@evil.example/cb", Some("has user information before its host")),
    ("https://a.example%5c.evil.example/cb", Some(ENCODED_HOST)),
    ("cursor://%C3%A9/cb", Some(ENCODED_HOST)),
];

#[tokio::test]
async fn an_encoded_control_character_is_rejected_and_every_other_one_is_answered_as_it_was_sent() {
    let server = TestServer::start().await;
    for (uri, rejected) in ENCODED {
        let request = json!({ "client_name": "A", "redirect_uris": [uri] }).to_string();
        let written = format!("\"redirect_uris\":[\"{uri}\"]");
        assert!(request.contains(&written), "{request}");
        let answer = server.post("/oauth2/register", &request).await;
        let documented = server.post("/api/v2/oauth2/register", &request).await;
        if let Some(reason) = rejected {
            assert_eq!((answer.status, documented.status), (400, 400), "{uri}: {}", answer.body);
            assert_eq!(answer.json()["error"], "invalid_redirect_uri", "{uri}");
            let description = format!("redirect_uris[0]: {reason}");
            assert_eq!(answer.json()["error_description"], *description, "{uri}");
        } else {
            for answer in [answer, documented] {
                assert_eq!(answer.status, 201, "{uri}: {}", answer.body);
                assert!(answer.body.contains(&written), "{uri}: {}", answer.body);
            }
        }
    }
}
