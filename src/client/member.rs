//! How a member of client metadata is read from a JSON value. Each kind of member says so once, for the
//! request and for the description of the endpoint alike.

use serde_json::json;

use super::fault::{MemberFaults, Problem};
use crate::json::{self, Value};

/// A kind of member.
pub(crate) trait Member: Default {
    /// Takes `value`, which is neither `null` nor `""`; what is wrong with it goes to `faults`.
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>);

    /// Adds the member to a JSON text.
    fn write(&self, json: &mut String);

    /// Whether there is nothing to keep or to echo.
    fn is_absent(&self) -> bool {
        false
    }

    /// The member as a JSON Schema (OpenAPI 3.1).
    fn schema() -> serde_json::Value;
}

/// A kind of member that is one string, and may be absent.
pub(crate) trait TextMember: Sized {
    /// Reads the string; `None` when it counts as omitted.
    fn parse(text: &str) -> Result<Option<Self>, Problem>;

    /// The string to keep and to echo.
    fn as_text(&self) -> &str;

    /// As [`Member::schema`].
    fn schema() -> serde_json::Value;
}

impl<T: TextMember> Member for Option<T> {
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>) {
        match text(value).and_then(T::parse) {
            Ok(member) => *self = member,
            Err(problem) => faults.refuse(problem),
        }
    }

    fn write(&self, json: &mut String) {
        json::write_text(json, self.as_ref().map_or("", T::as_text));
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }
}

/// The string that `value` is.
pub(super) fn text<'value>(value: &'value Value<'_>) -> Result<&'value str, Problem> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Problem::WrongType("a string")),
    }
}

/// Hands the entries of the array that `value` is to `read`, in their order; what is wrong with those that
/// are no strings, or that `read` refuses, goes to `faults`.
pub(super) fn read_texts<'value>(
    value: &'value Value<'_>,
    faults: &mut MemberFaults<'_>,
    mut read: impl FnMut(&'value str) -> Result<(), Problem>,
) {
    let Value::Array(entries) = value else {
        return faults.refuse(Problem::WrongType("an array of strings"));
    };
    for (entry, value) in entries.iter().enumerate() {
        if let Err(problem) = text(value).and_then(&mut read) {
            faults.refuse_entry(entry, problem);
        }
    }
}

/// Adds an array of strings to a JSON text.
pub(super) fn write_texts<'text>(json: &mut String, texts: impl Iterator<Item = &'text str>) {
    json.push('[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            json.push(',');
        }
        json::write_text(json, text);
    }
    json.push(']');
}

/// Schema of an array of strings of the kind `entry`.
pub(super) fn array_schema(entry: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "array", "items": entry })
}
