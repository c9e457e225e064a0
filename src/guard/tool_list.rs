//! Removes tools from the answers to `tools/list`, in JSON and in event streams. Everything else passes as it came.
//!
//! This hides what a client could not call; what it calls is decided request by request.

use std::{borrow::Cow, collections::BTreeMap, mem};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Decides which tools are shown.
pub(crate) type Shows<'a> = dyn Fn(&str) -> bool + Send + Sync + 'a;

type Members<'json> = BTreeMap<Cow<'json, str>, &'json RawValue>;

/// `message` without the tools that are not shown; `None` when nothing changes.
pub(crate) fn filtered(message: &[u8], shows: &Shows<'_>) -> Option<Vec<u8>> {
    // Most messages list no tools, and pass without being parsed.
    let is_list = message.windows(TOOLS.len() + 2).any(|bytes| bytes == b"\"tools\"");
    let text = str::from_utf8(message).ok().filter(|_| is_list)?;
    if text.trim_start().starts_with('[') {
        let batch: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let each: Vec<Option<Box<RawValue>>> =
            batch.iter().map(|message| of_message(message.get(), shows)).collect();
        if each.iter().all(Option::is_none) {
            return None;
        }
        let all = batch.iter().zip(&each).map(|(before, after)| after.as_deref().unwrap_or(before));
        return serde_json::to_vec(&all.collect::<Vec<_>>()).ok();
    }
    of_message(text, shows).map(|message| message.get().as_bytes().to_vec())
}

const TOOLS: &str = "tools";

fn of_message(text: &str, shows: &Shows<'_>) -> Option<Box<RawValue>> {
    let mut message: Members<'_> = serde_json::from_str(text).ok()?;
    let mut result: Members<'_> = serde_json::from_str(message.get("result")?.get()).ok()?;
    let tools: Vec<&RawValue> = serde_json::from_str(result.get(TOOLS)?.get()).ok()?;
    let left: Vec<&RawValue> = tools.iter().copied().filter(|tool| is_shown(tool, shows)).collect();
    if left.len() == tools.len() {
        return None;
    }
    let left = serde_json::value::to_raw_value(&left).ok()?;
    result.insert(TOOLS.into(), &left);
    let result = serde_json::value::to_raw_value(&result).ok()?;
    message.insert("result".into(), &result);
    serde_json::value::to_raw_value(&message).ok()
}

/// Whether a tool is shown. One without a readable name cannot be called, and is not.
fn is_shown(tool: &RawValue, shows: &Shows<'_>) -> bool {
    #[derive(Deserialize)]
    struct Named<'json> {
        #[serde(borrow)]
        name: Cow<'json, str>,
    }
    serde_json::from_str::<Named<'_>>(tool.get()).is_ok_and(|named| shows(&named.name))
}

/// An event of a stream is larger than an answer may be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the upstream is larger than {0} bytes")]
pub(crate) struct EventTooLarge(usize);

/// Filters the events of a stream (WHATWG HTML §9.2) one by one, as each is complete.
pub(crate) struct Events {
    /// The beginning of an event whose end has not come.
    held: Vec<u8>,
    /// How much of that has been looked through, up to the start of a line.
    line: usize,
    bytes_max: usize,
}

impl Events {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { held: Vec::new(), line: 0, bytes_max }
    }

    /// Takes what came, and gives the events that are complete.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        shows: &Shows<'_>,
    ) -> Result<Vec<u8>, EventTooLarge> {
        self.held.extend_from_slice(bytes);
        let mut complete = Vec::new();
        while let Some(end) = self.end_of_line() {
            let is_blank = matches!(self.held.get(self.line..end), Some(b"\n" | b"\r\n" | b"\r"));
            self.line = end;
            if is_blank {
                let rest = self.held.split_off(end);
                let event = mem::replace(&mut self.held, rest);
                self.line = 0;
                complete.extend_from_slice(&filtered_event(event, shows));
            }
        }
        if self.held.len() > self.bytes_max {
            return Err(EventTooLarge(self.bytes_max));
        }
        Ok(complete)
    }

    /// How many bytes wait for the end of their event.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// What is left when the stream ends: clients ignore an event without its end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.line = 0;
        mem::take(&mut self.held)
    }

    /// The end of the line that begins at `line`. A line ends with LF, CRLF, or CR, which may still become CRLF.
    fn end_of_line(&self) -> Option<usize> {
        let line = self.held.get(self.line..)?;
        let at = line.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        let end = self.line + at + 1;
        match (line.get(at), line.get(at + 1)) {
            (Some(b'\r'), None) => None,
            (Some(b'\r'), Some(b'\n')) => Some(end + 1),
            _ => Some(end),
        }
    }
}

fn filtered_event(event: Vec<u8>, shows: &Shows<'_>) -> Vec<u8> {
    let lines = || lines(&event);
    let data: Vec<&[u8]> = lines().filter_map(data_of).collect();
    let Some(message) = filtered(&data.join(&b'\n'), shows) else { return event };
    let mut written = Vec::with_capacity(event.len());
    for line in lines().filter(|line| !line.is_empty() && data_of(line).is_none()) {
        written.extend_from_slice(line);
        written.push(b'\n');
    }
    written.extend_from_slice(b"data: ");
    written.extend_from_slice(&message);
    written.extend_from_slice(b"\n\n");
    written
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Between CR and LF of one line end is an empty line, which carries nothing.
    event.split(|byte| matches!(byte, b'\r' | b'\n'))
}

/// The value of a line of the field `data`.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let rest = line.strip_prefix(b"data")?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

/// The door of a fuzz target: a stream is filtered alike whole and byte by byte, and lists nothing hidden.
#[cfg(fuzzing)]
pub(crate) fn fuzz(stream: &[u8]) {
    let shows = |name: &str| name.len() % 2 == 0;
    let mut whole = Events::new(usize::MAX);
    let mut at_once = whole.push(stream, &shows).expect("nothing is too large");
    at_once.extend(whole.rest());
    let mut pieces = Events::new(usize::MAX);
    let mut one_by_one = Vec::new();
    for byte in stream {
        one_by_one.extend(pieces.push(&[*byte], &shows).expect("nothing is too large"));
    }
    one_by_one.extend(pieces.rest());
    assert_eq!(at_once, one_by_one, "a stream depends on how it arrives");
    if let Some(filtered) = filtered(stream, &shows) {
        assert_eq!(self::filtered(&filtered, &shows), None, "a tool is listed that is not shown");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","x":1.0},{"name":"delete_repo"}],"nextCursor":"c"}}"#;
    const SHOWN: &str =
        r#"{"id":1,"jsonrpc":"2.0","result":{"nextCursor":"c","tools":[{"name":"echo","x":1.0}]}}"#;

    fn shows(name: &str) -> bool {
        !name.starts_with("delete")
    }

    fn filter(message: &str) -> Option<String> {
        filtered(message.as_bytes(), &shows).map(|text| String::from_utf8(text).unwrap())
    }

    /// What comes of a stream that arrives in pieces of `size` bytes.
    fn stream(text: &str, size: usize) -> String {
        let mut events = Events::new(1_000);
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            out.extend(events.push(piece, &shows).unwrap());
        }
        out.extend(events.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tools_that_are_not_allowed_are_not_listed() {
        assert_eq!(filter(LIST).as_deref(), Some(SHOWN));
        let batch = format!(r#"[{LIST},{{"jsonrpc":"2.0","method":"x"}}]"#);
        let filtered = format!(r#"[{SHOWN},{{"jsonrpc":"2.0","method":"x"}}]"#);
        assert_eq!(filter(&batch), Some(filtered));
        let escaped = r#"{"result":{"tools":[{"name":"delete\u005frepo"},{"noname":1},7]}}"#;
        assert_eq!(filter(escaped).as_deref(), Some(r#"{"result":{"tools":[]}}"#));
    }

    #[test]
    fn everything_else_passes_as_it_came() {
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"tools":[{"name":"delete_repo"}]}}"#,
            r#"{"result":{"content":"\"tools\""}}"#,
            r#"["tools"]"#,
            "not \"tools\"",
            "",
        ] {
            assert_eq!(filter(message), None, "{message}");
        }
    }

    #[test]
    fn lists_in_events_are_filtered_however_they_arrive() {
        let (first, second) = LIST.split_at(LIST.find(r#"{"name":"delete"#).unwrap());
        for (sent, expected) in [
            (
                format!(": ping\n\nevent: message\nid: 7\ndata: {LIST}\n\ndata: x\n\n"),
                format!(": ping\n\nevent: message\nid: 7\ndata: {SHOWN}\n\ndata: x\n\n"),
            ),
            (format!("data:{LIST}\r\n\r\n"), format!("data: {SHOWN}\n\n")),
            (format!("data: {LIST}\r\rdata: x\r\r"), format!("data: {SHOWN}\n\ndata: x\r\r")),
            (
                format!("data: {first}\nid: 1\ndata: {second}\n\n"),
                format!("id: 1\ndata: {SHOWN}\n\n"),
            ),
            (
                "event: endpoint\ndata: /messages\n\n".to_owned(),
                "event: endpoint\ndata: /messages\n\n".to_owned(),
            ),
        ] {
            for size in [1, 2, 3, 7, 50, 1_000] {
                assert_eq!(stream(&sent, size), expected, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_event_passes_as_soon_as_it_is_complete() {
        let mut events = Events::new(1_000);
        assert_eq!(events.push(b"data: a\n\ndata: b", &shows).unwrap(), b"data: a\n\n");
        assert_eq!(events.push(b"\n\n", &shows).unwrap(), b"data: b\n\n");
    }

    #[test]
    fn an_event_without_an_end_is_not_gathered_for_ever() {
        let mut events = Events::new(100);
        assert!(events.push(&[b'x'; 100], &shows).unwrap().is_empty());
        assert_eq!(events.push(b"x", &shows), Err(EventTooLarge(100)));
        let mut events = Events::new(100);
        let many = b"data: x\n\n".repeat(100);
        assert_eq!(events.push(&many, &shows).unwrap(), many, "each event is small");
    }
}
