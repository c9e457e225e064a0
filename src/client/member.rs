//! How a member of client metadata is read from a JSON value. Each kind of member says so once, for the
//! request and for the description of the endpoint alike.

use serde_json::json;

use super::fault::{MemberFaults, Problem};
use crate::json::Value;

/// A kind of member.
pub(crate) trait Member: Default {
    /// Takes `value`, which is neither `null` nor `""`; what is wrong with it goes to `faults`.
    fn read(&mut self, value: &Value<'_>, faults: &mut MemberFaults<'_>);

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

/// Schema of an array of strings of the kind `entry`.
pub(super) fn array_schema(entry: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "array", "items": entry })
}
