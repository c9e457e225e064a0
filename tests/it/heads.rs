//! Heads of requests that do not say once whom they are for, and headers that every answer has.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    flow::{self, Client},
    harness::{Answer, TestServer, config, read_answer, read_end},
};

/// A request as it is written here, and the end of the connection.
async fn exchange(server: &TestServer, request: &str) -> (Answer, String) {
    let mut connection = TcpStream::connect(server.public).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let answer = read_answer(&mut connection, false).await;
    let end = if answer.header("connection") == Some("close") {
        read_end(&mut connection).await
    } else {
        String::new()
    };
    (answer, end)
}

#[tokio::test]
async fn a_missing_or_repeated_host_is_400_and_ends_the_connection() {
    let server = TestServer::start().await;
    for (path, member) in [("/register", "error"), ("/api/v2/oauth2/register", "errors")] {
        for headers in ["", "host: a\r\nhost: a\r\n", "host: a\r\nhost: b\r\n", "host: a/b\r\n"] {
            let next = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";
            let request =
                format!("POST {path} HTTP/1.1\r\n{headers}content-length: 0\r\n\r\n{next}");
            let (answer, end) = exchange(&server, &request).await;
            assert_eq!(answer.status, 400, "{headers:?}");
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(answer.json().get(member).is_some(), "{answer:?}");
            assert_eq!(end, "", "nothing follows what two readers can read in two ways");
        }
    }
    let (answer, _) = exchange(&server, "GET /openapi.json HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_repeated_content_type_is_400_whatever_the_endpoint() {
    let server = TestServer::with(flow::config()).await;
    for path in ["/register", "/oauth2/token", "/oauth2/revoke", "/oauth2/authorize"] {
        let headers = "host: a\r\ncontent-type: application/json\r\n\
                       content-type: application/x-www-form-urlencoded\r\n";
        let request = format!("POST {path} HTTP/1.1\r\n{headers}content-length: 2\r\n\r\n{{}}");
        let (answer, _) = exchange(&server, &request).await;
        assert_eq!(answer.status, 400, "{path}");
        let text = answer.json()["error_description"].as_str().map(str::to_owned);
        assert_eq!(text.as_deref(), Some("Content-Type appears more than once"));
    }
}

#[tokio::test]
async fn every_answer_asks_for_https_where_callers_use_it_and_only_there() {
    const HSTS: &str = "strict-transport-security";
    let mut in_front = config();
    in_front.server.tls_terminated_in_front = true;
    for (config, expected) in [(config(), None), (in_front, Some("max-age=31536000"))] {
        let server = TestServer::with(config).await;
        for request in [
            "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /register HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /register HTTP/1.1\r\n\r\n",
            "POST /register HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(exchange(&server, request).await.0.header(HSTS), expected, "{request}");
        }
    }
}

#[tokio::test]
async fn a_page_does_not_repeat_empty_parameters_or_grow_by_escaping() {
    let server = TestServer::with(flow::config()).await;
    let asked = Client::register(&server).await.request().path();
    let page = async |more: &str| {
        let path = format!("{asked}{more}");
        let (answer, _) =
            exchange(&server, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.len()
    };
    let plain = page("").await;
    for more in ["&".repeat(7_000), "&a".repeat(50), "&=".repeat(50), "&a=".repeat(50)] {
        assert_eq!(page(&more).await, plain, "{more:.9}");
    }
    let quotes = page(&format!("&a={}", "'".repeat(1_000))).await;
    assert!(quotes - plain < 2 * 3_100, "three bytes each, once in either form: {quotes} {plain}");
}
