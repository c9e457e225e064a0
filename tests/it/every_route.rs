//! Every route, every method, every kind of caller: what is answered.

use crate::harness::TestServer;

const REGISTRATION: [&str; 3] = ["/api/v2/oauth2/register", "/oauth2/register", "/register"];

#[tokio::test]
async fn what_is_not_there_is_answered_in_the_shape_of_its_place() {
    let server = TestServer::start().await;
    for path in ["/", "/nothing", "/register/", "/oauth2/register/", "/oauth2", "//register", "*"] {
        let answer = server.exchange(&format!("OPTIONS {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{path}");
        assert!(answer.json()["error_description"].is_string(), "{path}");
    }
    for path in ["/api/v2", "/api/v2/", "/api/v2/oauth2/register/", "/api/v2/users"] {
        let answer = server.post(path, "{}").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, r#"{"errors":["Not found"]}"#, "{path}");
    }
}

#[tokio::test]
async fn another_method_is_refused_and_told_which_there_are() {
    let server = TestServer::start().await;
    for path in REGISTRATION {
        for method in ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let answer =
                server.exchange(&format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{method} {path}");
            let member = if path.starts_with("/api/v2") { "errors" } else { "error" };
            assert!(!answer.json()[member].is_null(), "{method} {path}: {answer:?}");
        }
    }
    let answer = server.post("/openapi.json", "{}").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
}

#[tokio::test]
async fn every_answer_forbids_to_keep_it_and_names_its_request() {
    let server = TestServer::start().await;
    for request in [
        "POST /register HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
        "OPTIONS /register HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /register HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
        "HEAD /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let answer = server.exchange(request).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{request}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{request}");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16), "{request}");
        assert_eq!(answer.header("location"), None, "{request}");
    }
}
