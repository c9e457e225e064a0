//! Every registration of the corpus, replayed against the running server at both doors.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    harness::{Answer, TestServer, read_answer},
    registration_management::Registered,
};

const CORPUS: &str = include_str!("../corpus/registrations.jsonl");

/// The documented members, which alone the `datadog` profile answers with.
const DOCUMENTED: [&str; 6] = [
    "client_id",
    "client_name",
    "grant_types",
    "redirect_uris",
    "response_types",
    "token_endpoint_auth_method",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Datadog,
    Rfc7591,
}

impl Door {
    fn path(self) -> &'static str {
        match self {
            Self::Datadog => "/api/v2/oauth2/register",
            Self::Rfc7591 => "/oauth2/register",
        }
    }
}

/// Lines that the recorded verdict accepts and a door refuses by contract: door, the words of its answer,
/// why, and which lines.
const REFUSED_BY_CONTRACT: &[(Door, &str, &str, &[&str])] = &[
    (
        Door::Datadog,
        "token_endpoint_auth_method: asks for a method that is not supported",
        "the documented endpoint supports none alone, and says so",
        &[
            "ts-sdk-v1-example",
            "ts-sdk-v1-with-scope",
            "ts-sdk-v2-example",
            "py-sdk-1.9-default",
            "py-sdk-1.x-trailing-slash",
            "csharp-sdk-sample",
            "csharp-sdk-older",
            "mcpjam-basic",
            "claude-hosted-post",
            "claude-hosted-2025",
            "chatgpt-legacy-post",
            "chatgpt-cimd-like",
            "lobehub-cloud",
            "kiro-ide",
            "librechat-default-basic",
            "open-webui-default",
            "novu",
            "inrupt-browser",
            "appauth-ios",
            "oidf-conformance-suite",
            "hermes-agent-figma-mode",
            "gravitee-apim",
        ],
    ),
    (
        Door::Datadog,
        "client_name: is required",
        "the documented endpoint requires a name",
        &[
            "solid-minimal",
            "appauth-android-minimal",
            "name-blank",
            "proto-pollution",
            "json-bearer-present",
            "json-origin-null",
        ],
    ),
    (
        Door::Datadog,
        "client_uri: is not an absolute https URL",
        "a bare host is left out at the other door alone",
        &["cf-agents-old"],
    ),
    (
        Door::Rfc7591,
        "token_endpoint_auth_method: asks for a method that is not supported",
        "a key-based method is never replaced: the client would go on signing for nobody",
        &["chatgpt-cimd-like"],
    ),
];

/// The bytes of a line's body.
fn body(line: &Value) -> Vec<u8> {
    let text = |value: &Value, name: &str, default: &str| {
        value[name].as_str().unwrap_or(default).to_owned()
    };
    if let Some(raw) = line["raw"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(bytes) = line["raw_base64"].as_str() {
        return BASE64_STANDARD.decode(bytes).unwrap();
    }
    let template = &line["template"];
    if template.is_null() {
        return serde_json::to_vec(&line["body"]).unwrap();
    }
    let count = usize::try_from(template["count"].as_u64().unwrap()).unwrap();
    let middle = if template["item"].is_string() {
        let item = text(template, "item", "");
        let items: Vec<String> = (0..count).map(|i| item.replace("{i}", &i.to_string())).collect();
        items.join(&text(template, "join", ","))
    } else {
        let repeat = |name| text(template, name, "").repeat(count);
        format!("{}{}{}", repeat("open"), text(template, "middle", ""), repeat("close"))
    };
    format!("{}{middle}{}", text(template, "prefix", ""), text(template, "suffix", "")).into_bytes()
}

/// Sends a line to a door.
async fn replay(server: &TestServer, line: &Value, door: Door) -> Answer {
    let mut headers = String::new();
    for (name, value) in line["headers"].as_object().unwrap() {
        if line["name"] != "json-no-content-type" || name != "content-type" {
            write!(headers, "{name}: {}\r\n", value.as_str().unwrap()).unwrap();
        }
    }
    send(server, door, &headers, &body(line)).await
}

/// Sends any bytes. A server that has read enough may answer before all is written.
async fn send(server: &TestServer, door: Door, headers: &str, body: &[u8]) -> Answer {
    let (path, length) = (door.path(), body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: door.example\r\n{headers}content-length: {length}\r\n\r\n"
    );
    let mut connection = TcpStream::connect(server.public).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    drop(connection.write_all(body).await);
    read_answer(&mut connection, false).await
}

/// What the answer to a line must say, when the line is refused by contract against its verdict.
fn exception(line: &Value, door: Door) -> Option<&'static str> {
    REFUSED_BY_CONTRACT.iter().find_map(|(at, words, _, names)| {
        let is_listed = *at == door && names.iter().any(|name| line["name"] == *name);
        is_listed.then_some(*words)
    })
}

fn check_created(name: &str, line: &Value, door: Door, answer: &Answer) {
    let created = answer.json();
    let members = created.as_object().unwrap();
    let sent = serde_json::from_slice::<Value>(&body(line)).unwrap();
    assert!(!holds_placeholder(&created), "{name}: {created}");
    assert_eq!(created["token_endpoint_auth_method"], "none", "{name}");
    assert_eq!(created["response_types"], json!(["code"]), "{name}");
    for secret in ["client_secret", "client_secret_expires_at"] {
        assert!(!members.contains_key(secret), "{name}");
    }
    let mut uris = sent["redirect_uris"].as_array().unwrap().clone();
    uris.dedup();
    let kept = created["redirect_uris"].as_array().unwrap();
    assert!(!kept.is_empty() && kept.iter().all(|uri| uris.contains(uri)), "{name}");
    if door == Door::Datadog {
        assert_eq!(members.keys().collect::<Vec<_>>(), DOCUMENTED, "{name}");
    } else {
        assert!(created["client_id_issued_at"].is_u64(), "{name}");
    }
    if line["expect"] == "accept" && door == Door::Rfc7591 {
        assert_eq!(kept, &uris, "{name}");
        check_echoed(name, &sent, &created);
    }
}

/// What was answered is what is kept.
async fn check_kept(name: &str, server: &TestServer, answer: &Answer) {
    let created = answer.json();
    let record = server.record(created["client_id"].as_str().unwrap()).await;
    let kept: Value = serde_json::from_str(&record.metadata).unwrap();
    for member in ["redirect_uris", "client_name", "grant_types"] {
        assert_eq!(kept[member], created[member], "{name}: {member}");
    }
}

/// Every member that was sent and is known comes back as it was sent.
fn check_echoed(name: &str, sent: &Value, created: &Value) {
    for member in ["client_name", "scope", "client_uri", "logo_uri", "tos_uri", "application_type"]
    {
        let is_omitted = sent[member].as_str().is_none_or(|text| text.trim().is_empty());
        let expected = if is_omitted { &Value::Null } else { &sent[member] };
        assert_eq!(&created[member], expected, "{name}: {member}");
    }
}

/// Whether there is a `null` or an empty string anywhere.
fn holds_placeholder(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.iter().any(holds_placeholder),
        Value::Object(members) => members.values().any(holds_placeholder),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn check_refused(name: &str, door: Door, answer: &Answer) {
    assert!(answer.body.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {answer:?}");
    let refused = answer.json();
    if answer.status == 413 {
        let member = if door == Door::Datadog { "errors" } else { "error_description" };
        assert!(refused.get(member).is_some(), "{name}: {answer:?}");
        return;
    }
    assert_eq!(answer.status, 400, "{name}: {answer:?}");
    let members: Vec<&String> = refused.as_object().unwrap().keys().collect();
    match door {
        Door::Datadog => assert_eq!(members, ["error", "error_description"], "{name}"),
        Door::Rfc7591 => {
            assert_eq!(members, ["error", "error_description", "violations"], "{name}");
            assert_eq!(refused["violations"][0]["code"], refused["error"], "{name}");
        }
    }
}

#[tokio::test]
async fn every_line_of_the_corpus_has_its_verdict_at_both_doors() {
    let server = TestServer::start().await;
    let mut differing = Vec::new();
    for line in CORPUS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["name"].as_str().unwrap();
        for door in [Door::Datadog, Door::Rfc7591] {
            let answer = replay(&server, &line, door).await;
            assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
            let exception = exception(&line, door);
            let is_accepted = line["expect"] != "reject" && exception.is_none();
            if (answer.status == 201) != is_accepted {
                differing.push(format!("{door:?} {name}: {} {}", answer.status, answer.body));
            } else if answer.status == 201 {
                check_created(name, &line, door, &answer);
                check_kept(name, &server, &answer).await;
            } else {
                check_refused(name, door, &answer);
                assert!(answer.body.contains(exception.unwrap_or_default()), "{name}: {answer:?}");
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(CORPUS.lines().count(), 242);
}

/// The members that an update may not have, or only with one value.
const NOT_IN_UPDATES: [&str; 6] = [
    "client_id",
    "client_id_issued_at",
    "client_secret",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

/// A body that names the client, byte for byte as it was otherwise.
fn naming(client_id: &str, body: &[u8]) -> Vec<u8> {
    let Some(begin) = body.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        return body.to_vec();
    };
    if body[begin] != b'{' {
        return body.to_vec();
    }
    let rest = &body[begin + 1..];
    let is_empty = rest.trim_ascii_start().first() == Some(&b'}');
    let comma = if is_empty { "" } else { "," };
    [&body[..=begin], format!(r#""client_id":"{client_id}"{comma}"#).as_bytes(), rest].concat()
}

/// Sends the body of a line as an update. A server that has read enough may answer before all is written.
async fn put(server: &TestServer, line: &Value, client: &Registered) -> Answer {
    let body = naming(&client.id.to_string(), &body(line));
    let mut headers = String::new();
    for (name, value) in line["headers"].as_object().unwrap() {
        let is_own = name == "authorization"
            || (line["name"] == "json-no-content-type" && name == "content-type");
        if !is_own {
            write!(headers, "{name}: {}\r\n", value.as_str().unwrap()).unwrap();
        }
    }
    let head = format!(
        "PUT /oauth2/register/{} HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {}\r\n\
         {headers}content-length: {}\r\n\r\n",
        client.id,
        client.token,
        body.len()
    );
    let mut connection = TcpStream::connect(server.public).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    drop(connection.write_all(&body).await);
    read_answer(&mut connection, false).await
}

#[tokio::test]
async fn every_line_of_the_corpus_has_the_same_verdict_as_an_update() {
    let server = TestServer::start().await;
    let first = json!({ "client_name": "First", "redirect_uris": ["https://first.example/cb"] });
    let mut differing = Vec::new();
    for line in CORPUS.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["name"].as_str().unwrap();
        let client = Registered::new(&server, &first).await;
        let before = server.record(&client.id.to_string()).await;

        let answer = put(&server, &line, &client).await;

        let names_owned = NOT_IN_UPDATES.iter().any(|member| !line["body"][member].is_null());
        let is_accepted =
            line["expect"] != "reject" && exception(&line, Door::Rfc7591).is_none() && !names_owned;
        let record = server.record(&client.id.to_string()).await;
        if (answer.status == 200) != is_accepted {
            differing.push(format!("{name}: {} {}", answer.status, answer.body));
        } else if answer.status == 200 {
            assert_ne!(record, before, "{name}");
            check_kept(name, &server, &answer).await;
        } else {
            check_refused(name, Door::Rfc7591, &answer);
            assert_eq!(record, before, "{name}");
            assert_eq!(client.read(&server).await.status, 200, "{name}");
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Bodies of the corpus with some of their bytes changed, taken away or added, and bytes of no kind.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let changed = |line: String, (at, taken, added): (Index, usize, Vec<u8>)| {
        let mut body = body(&serde_json::from_str(&line).unwrap());
        let at = at.index(body.len() + 1);
        let end = (at + taken).min(body.len());
        body.splice(at..end, added);
        body
    };
    let lines: Vec<String> =
        CORPUS.lines().filter(|line| line.contains("\"body\"")).map(str::to_owned).collect();
    let change = (any::<Index>(), 0..9_usize, vec(any::<u8>(), 0..9));
    prop_oneof![
        9 => (select(lines), change).prop_map(move |(line, change)| changed(line, change)),
        1 => vec(any::<u8>(), 0..200),
    ]
}

#[test]
fn no_bytes_are_answered_but_with_json_and_never_with_a_5xx() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start());
    let headers = "content-type: application/json\r\n";
    proptest!(|(body in bodies(), is_datadog: bool)| {
        let door = if is_datadog { Door::Datadog } else { Door::Rfc7591 };
        let answer = runtime.block_on(send(&server, door, headers, &body));
        prop_assert!(matches!(answer.status, 201 | 400), "{answer:?}");
        prop_assert_eq!(answer.header("content-type"), Some("application/json"));
        if answer.status == 201 {
            let (sent, created) = (serde_json::from_slice::<Value>(&body).unwrap(), answer.json());
            let sent = sent["redirect_uris"].as_array().unwrap();
            let kept = created["redirect_uris"].as_array().unwrap();
            prop_assert!(kept.iter().all(|uri| sent.contains(uri)), "{kept:?} of {sent:?}");
        } else {
            check_refused("any bytes", door, &answer);
        }
    });
}
