//! Reads the messages of MCP strictly enough that every server reads the same: which tool a request calls.
//!
//! Servers differ in what they forgive: repeated members, members in another case (a Go decoder reads `Method` and
//! `paramſ` as well), bytes behind the end, batches. Each of these would let a client show one tool to the guard and
//! call another, so a body that has any of them is refused and never forwarded.

use std::collections::HashSet;

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use crate::json::{self, JsonError, Object, Value};

/// How many objects and arrays the arguments of a tool may nest, the message counted.
const DEPTH_MAX: usize = 64;

/// Members of a request or notification (JSON-RPC 2.0 §4).
const OF_REQUEST: [&str; 4] = ["jsonrpc", "id", "method", "params"];
/// Members of a response (JSON-RPC 2.0 §5).
const OF_RESPONSE: [&str; 4] = ["jsonrpc", "id", "result", "error"];
/// The member of `params` that names the tool.
const NAME: &str = "name";

const CALL: &str = "tools/call";
const LIST: &str = "tools/list";

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The identifier as JSON; `None` for a notification.
    pub(crate) id: Option<String>,
    pub(crate) kind: MessageKind,
}

/// What the message is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// `tools/call`, with the name of the tool.
    Call(String),
    /// `tools/list`.
    List,
    /// Another method.
    Other,
    /// An answer to a request of the server.
    Response,
}

/// Why a body is no message that all servers read alike.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageFault {
    #[error("the content type must be application/json")]
    ContentType,
    #[error("the body must not have a content encoding")]
    Encoded,
    #[error("the body must be one JSON-RPC message: {0}")]
    Json(#[from] JsonError),
    #[error("the body must be one JSON-RPC message: unknown or misspelled member")]
    Member,
    #[error("two members differ in case alone")]
    CaseVariant,
    #[error("jsonrpc must be \"2.0\"")]
    Version,
    #[error("id must be a string or an integer")]
    Id,
    #[error("method must be a string in its exact spelling")]
    Method,
    #[error("params must be an object")]
    Params,
    #[error("params.name must be the name of a tool")]
    Tool,
}

/// Reads the body of a request with these headers.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Message, MessageFault> {
    if !is_json(headers.get(CONTENT_TYPE)) {
        return Err(MessageFault::ContentType);
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return Err(MessageFault::Encoded);
    }
    read_body(body)
}

/// Reads a body that is known to be plain JSON.
pub(crate) fn read_body(body: &[u8]) -> Result<Message, MessageFault> {
    read_message(&json::read_within(body, DEPTH_MAX)?)
}

/// Whether a request is of a revision of MCP that has no sessions: 2026-07-28 or later.
pub(crate) fn has_no_sessions(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").map(HeaderValue::as_bytes);
    version.is_some_and(|version| {
        let is_date = version.len() == 10
            && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        is_date && version >= b"2026-07-28".as_slice()
    })
}

/// `application/json`, whose only encoding is UTF-8 (RFC 8259 §8.1).
fn is_json(value: Option<&HeaderValue>) -> bool {
    let Some(Ok(text)) = value.map(HeaderValue::to_str) else { return false };
    let mut parts = text.split(';').map(str::trim);
    let is_essence = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let is_utf8 = |parameter: &str| {
        parameter.eq_ignore_ascii_case("charset=utf-8")
            || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
    };
    is_essence && parts.all(is_utf8)
}

fn read_message(object: &Object<'_>) -> Result<Message, MessageFault> {
    let is_request = object.get("method").is_some();
    let members = if is_request { OF_REQUEST } else { OF_RESPONSE };
    if object.iter().any(|(name, _)| !members.contains(&name)) {
        return Err(MessageFault::Member);
    }
    if !matches!(object.get("jsonrpc"), Some(Value::String(version)) if version == "2.0") {
        return Err(MessageFault::Version);
    }
    let id = object.get("id").map(read_id).transpose()?;
    let kind = if is_request {
        read_method(object)?
    } else {
        let is_answer = object.get("result").is_some() != object.get("error").is_some();
        if !is_answer {
            return Err(MessageFault::Member);
        }
        MessageKind::Response
    };
    Ok(Message { id, kind })
}

fn read_id(id: &Value<'_>) -> Result<String, MessageFault> {
    match id {
        Value::String(text) => Ok(serde_json::Value::from(&**text).to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        _ => Err(MessageFault::Id),
    }
}

fn read_method(object: &Object<'_>) -> Result<MessageKind, MessageFault> {
    let Some(Value::String(method)) = object.get("method") else {
        return Err(MessageFault::Method);
    };
    let params = match object.get("params") {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(MessageFault::Params),
    };
    if let Some(params) = params {
        check_case(params, &[NAME])?;
    }
    match &**method {
        CALL => {
            let name = params.and_then(|params| params.get(NAME));
            let Some(Value::String(name)) = name else { return Err(MessageFault::Tool) };
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(MessageFault::Tool);
            }
            Ok(MessageKind::Call(name.clone().into_owned()))
        }
        LIST => Ok(MessageKind::List),
        // A server that forgives spelling would read a method that the guard has not.
        other if [CALL, LIST].contains(&&*folded(other.trim())) => Err(MessageFault::Method),
        other if other.chars().any(char::is_control) => Err(MessageFault::Method),
        _ => Ok(MessageKind::Other),
    }
}

/// No two members that differ in case alone, and none of `names` in another case.
fn check_case(object: &Object<'_>, names: &[&str]) -> Result<(), MessageFault> {
    let mut seen = HashSet::new();
    for (name, _) in object.iter() {
        let folded = folded(name);
        if names.contains(&&*folded) && !names.contains(&name) || !seen.insert(folded) {
            return Err(MessageFault::CaseVariant);
        }
    }
    Ok(())
}

/// The text without regard to case: both ways, since `ſ` is a lower case letter whose upper case is `S`.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The door of a fuzz target: a body that is read says the same to a parser that forgives more.
#[cfg(fuzzing)]
pub(crate) fn fuzz(body: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let Ok(message) = read(&headers, body) else { return };
    let value: serde_json::Value = serde_json::from_slice(body).expect("what is read is JSON");
    let object = value.as_object().expect("what is read is one object");
    assert_eq!(object.get("id").map(ToString::to_string), message.id);
    for (name, _) in object {
        assert_eq!(*name, folded(name), "a member has another case");
    }
    let method = object.get("method").and_then(|method| method.as_str());
    match message.kind {
        MessageKind::Call(tool) => {
            assert_eq!(method, Some(CALL));
            let params = object["params"].as_object().expect("a call has parameters");
            let named: Vec<_> = params.iter().filter(|(name, _)| folded(name) == NAME).collect();
            assert_eq!(named.len(), 1, "two members could name the tool");
            assert_eq!(named[0].1.as_str(), Some(&*tool));
        }
        MessageKind::List => assert_eq!(method, Some(LIST)),
        MessageKind::Other => {
            let method = method.expect("a request has a method");
            assert!(![CALL, LIST].contains(&&*folded(method.trim())));
        }
        MessageKind::Response => assert!(method.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonProblem;

    fn read_json(body: &str) -> Result<Message, MessageFault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        read(&headers, body.as_bytes())
    }

    fn kind(body: &str) -> MessageKind {
        read_json(body).unwrap().kind
    }

    #[test]
    fn a_call_names_its_tool() {
        for (body, tool) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#, "echo"),
            (
                r#" {"params":{"arguments":{"name":"x","Name":"y"},"name":"delete\u005frepo"},
                "method":"tools\/call","id":"a","jsonrpc":"2.0"} "#,
                "delete_repo",
            ),
            (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"Echo"}}"#, "Echo"),
        ] {
            assert_eq!(kind(body), MessageKind::Call(tool.to_owned()), "{body}");
        }
    }

    #[test]
    fn other_messages_name_none() {
        for (body, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, MessageKind::List),
            (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, MessageKind::Other),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, MessageKind::Other),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, MessageKind::Response),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#, MessageKind::Response),
        ] {
            assert_eq!(kind(body), expected, "{body}");
        }
    }

    #[test]
    fn the_identifier_is_kept_as_json() {
        for id in ["1", "-7", "18446744073709551615", r#""a\"b""#] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert_eq!(read_json(&body).unwrap().id.as_deref(), Some(id));
        }
        for id in ["null", "1.5", "[]", "{}", "true"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert_eq!(read_json(&body), Err(MessageFault::Id), "{id}");
        }
    }

    #[test]
    fn only_one_message_is_read() {
        for (body, problem) in [
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, JsonProblem::NotAnObject),
            ("", JsonProblem::Empty),
            ("null", JsonProblem::NotAnObject),
        ] {
            let fault = MessageFault::Json(JsonError { pointer: String::new(), problem });
            assert_eq!(read_json(body), Err(fault), "{body}");
        }
        for behind in ["{}", "\0", "x", "]", ",", "\u{feff}"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}{behind}"#);
            assert!(matches!(read_json(&body), Err(MessageFault::Json(_))), "{behind:?}");
        }
        assert!(read_json("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}").is_err());
    }

    #[test]
    fn members_are_neither_repeated_nor_spelled_otherwise() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"METHOD":"tools/call","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{"name":"x"},"params":{"name":"y"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","name":"y"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","Name":"y"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","A":1,"a":2}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","\u006eame":"y"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
        ] {
            assert!(read_json(body).is_err(), "{body}");
        }
    }

    #[test]
    fn values_have_their_types() {
        for (body, fault) in [
            (r#"{"id":1,"method":"ping"}"#, MessageFault::Version),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, MessageFault::Version),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, MessageFault::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{}}"#, MessageFault::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call "}"#, MessageFault::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tool\u017f/list"}"#, MessageFault::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping\u0000"}"#, MessageFault::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":["x"]}"#, MessageFault::Params),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, MessageFault::Tool),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, MessageFault::Tool),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}"#,
                MessageFault::Tool,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["x"]}}"#,
                MessageFault::Tool,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x\u0000"}}"#,
                MessageFault::Tool,
            ),
        ] {
            assert_eq!(read_json(body), Err(fault), "{body}");
        }
    }

    #[test]
    fn only_plain_json_is_read() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let with = |content_type: Option<&'static str>, encoding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            read(&headers, body).err()
        };
        for fine in ["application/json", "Application/JSON; charset=UTF-8"] {
            assert_eq!(with(Some(fine), None), None, "{fine}");
        }
        for other in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "application/json+x",
            "",
        ] {
            assert_eq!(with(Some(other), None), Some(MessageFault::ContentType), "{other}");
        }
        assert_eq!(with(None, None), Some(MessageFault::ContentType));
        assert_eq!(with(Some("application/json"), Some("identity")), None);
        for encoding in ["gzip", "", "identity, gzip"] {
            let refused = with(Some("application/json"), Some(encoding));
            assert_eq!(refused, Some(MessageFault::Encoded), "{encoding}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{open}{close}}}}}"#)
        };
        assert!(read_json(&nested(DEPTH_MAX - 2)).is_ok());
        for levels in [DEPTH_MAX - 1, 100_000] {
            assert!(matches!(read_json(&nested(levels)), Err(MessageFault::Json(_))), "{levels}");
        }
    }
}
