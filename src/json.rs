//! Reads one JSON object (RFC 8259) from bytes: once, strictly, and without copying a string that needs
//! no unescaping. A duplicated member at any depth, nesting beyond a bound, anything but one
//! object, and text after it are faults, each with its place as a JSON pointer (RFC 6901).
//!
//! Lexing and numbers are left to `serde_json`, which accepts duplicates and reads arrays into structs.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};

/// How many objects and arrays may be open at once, the outermost object counted.
pub(crate) const DEPTH_MAX: usize = 16;

/// Up to this many members, comparing each pair is cheaper than hashing.
const PAIRWISE_MAX: usize = 16;

/// A JSON value that borrows from the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'text> {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(Cow<'text, str>),
    Array(Vec<Self>),
    Object(Object<'text>),
}

/// A JSON object: its members in the order of the text, no name twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'text> {
    members: Vec<(Cow<'text, str>, Value<'text>)>,
}

impl Value<'_> {
    /// Whether a string or a name in the value contains a character.
    pub(crate) fn contains(&self, one: char) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
            Self::String(text) => text.contains(one),
            Self::Array(entries) => entries.iter().any(|entry| entry.contains(one)),
            Self::Object(object) => {
                object.iter().any(|(name, value)| name.contains(one) || value.contains(one))
            }
        }
    }

    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(value) => Value::Number(value),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Array(entries) => {
                Value::Array(entries.into_iter().map(Value::into_owned).collect())
            }
            Self::Object(object) => Value::Object(object.into_owned()),
        }
    }
}

impl<'text> Object<'text> {
    /// Name and value of each member, in the order of the text.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'text>)> {
        self.members.iter().map(|(name, value)| (&**name, value))
    }

    /// The value of the member `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'text>> {
        self.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    fn into_owned(self) -> Object<'static> {
        let owned = |(name, value): (Cow<'_, str>, Value<'_>)| {
            (Cow::Owned(name.into_owned()), value.into_owned())
        };
        Object { members: self.members.into_iter().map(owned).collect() }
    }

    fn first_duplicate(&self) -> Option<&Cow<'text, str>> {
        let names = || self.members.iter().map(|(name, _)| name);
        if self.members.len() > PAIRWISE_MAX {
            let mut seen = HashSet::with_capacity(self.members.len());
            return names().find(|name| !seen.insert(*name));
        }
        names().enumerate().find_map(|(at, name)| names().take(at).find(|other| *other == name))
    }
}

/// Why the text is not one JSON object, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {problem}")]
pub(crate) struct JsonError {
    /// The place as a JSON pointer; empty for the whole text.
    pub(crate) pointer: String,
    /// What is wrong there.
    pub(crate) problem: JsonProblem,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonProblem {
    #[error("the body is empty")]
    Empty,
    #[error("the body is not UTF-8")]
    NotUtf8,
    #[error("the body is not JSON: see line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body ends before its JSON does")]
    Truncated,
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("a member appears twice")]
    Duplicate,
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("an escape stands for half a character (a lone surrogate)")]
    LoneSurrogate,
}

/// Reads `bytes` as one JSON object.
pub(crate) fn read(bytes: &[u8]) -> Result<Object<'_>, JsonError> {
    read_within(bytes, DEPTH_MAX)
}

/// Reads `bytes` as one JSON object that nests at most `depth_max` levels; `serde_json` itself ends at 127.
pub(crate) fn read_within(bytes: &[u8], depth_max: usize) -> Result<Object<'_>, JsonError> {
    let whole = |problem| JsonError { pointer: String::new(), problem };
    let text = std::str::from_utf8(bytes).map_err(|_| whole(JsonProblem::NotUtf8))?;
    let mut faults = Unwinding::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reader { depth: 0, depth_max, faults: &mut faults }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    match read {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(whole(JsonProblem::NotAnObject)),
        Err(error) => {
            let problem = faults.problem.take().unwrap_or_else(|| syntax(text, &error));
            Err(JsonError { pointer: faults.pointer(), problem })
        }
    }
}

/// What kind of syntax error this is. Decided by the text, for `serde_json` says it in prose only.
fn syntax(text: &str, error: &serde_json::Error) -> JsonProblem {
    let (line, column) = (error.line(), error.column());
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let read = text.as_bytes().get(..before + column).unwrap_or(text.as_bytes());
    if text.trim_ascii().is_empty() {
        JsonProblem::Empty
    } else if lone_surrogate(read).is_some() {
        JsonProblem::LoneSurrogate
    } else if error.is_eof() {
        JsonProblem::Truncated
    } else {
        JsonProblem::NotJson { line, column }
    }
}

/// Reads a JSON object whose strings may hold lone surrogates: a character that is nowhere else in the text replaces each,
/// and is returned. `None` if the text holds all characters that could.
pub(crate) fn read_around_surrogates(
    text: &str,
) -> Option<Result<(Object<'static>, char), JsonError>> {
    let lower = text.to_ascii_lowercase();
    // No text has a use for noncharacters (Unicode §23.7).
    let mark = ('\u{fdd0}'..='\u{fdef}').find(|mark| {
        !text.contains(*mark) && !lower.contains(&format!("\\u{:04x}", u32::from(*mark)))
    })?;
    let mut replaced = text.to_owned();
    let escape = format!("\\u{:04x}", u32::from(mark));
    let mut from = 0;
    while let Some(at) = lone_surrogate(text.as_bytes().get(from..).unwrap_or_default()) {
        let place = from + at;
        replaced.replace_range(place..place + escape.len(), &escape);
        from = place + escape.len();
    }
    Some(read(replaced.as_bytes()).map(|object| (object.into_owned(), mark)))
}

/// Where the first escape in `json` is that stands for half of a surrogate pair.
fn lone_surrogate(json: &[u8]) -> Option<usize> {
    let unit = |bytes: &[u8]| -> Option<u16> {
        let hex = std::str::from_utf8(bytes.strip_prefix(b"\\u")?.get(..4)?).ok()?;
        u16::from_str_radix(hex, 16).ok()
    };
    let mut from = 0;
    while let Some(at) = json.get(from..)?.iter().position(|byte| *byte == b'\\') {
        from += at;
        let escape = json.get(from..)?;
        from += match unit(escape) {
            Some(0xD800..=0xDBFF) => {
                let low = escape.get(6..).and_then(unit);
                if !low.is_some_and(|low| (0xDC00..=0xDFFF).contains(&low)) {
                    return Some(from);
                }
                12
            }
            Some(0xDC00..=0xDFFF) => return Some(from),
            Some(_) => 6,
            None => 2,
        };
    }
    None
}

/// The way back from a fault: each level adds its step, so that reading itself pays nothing for it.
#[derive(Default)]
struct Unwinding {
    problem: Option<JsonProblem>,
    steps: Vec<String>,
}

impl Unwinding {
    fn pointer(&self) -> String {
        self.steps.iter().rev().flat_map(|step| ["/", step]).collect()
    }
}

/// `name` as a step of a JSON pointer (RFC 6901 §3).
pub(crate) fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Reader<'faults> {
    /// How many objects and arrays are open around this value.
    depth: usize,
    depth_max: usize,
    faults: &'faults mut Unwinding,
}

impl Reader<'_> {
    fn inner(&mut self) -> Reader<'_> {
        Reader { depth: self.depth + 1, depth_max: self.depth_max, faults: self.faults }
    }

    fn open<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth == self.depth_max {
            self.faults.problem = Some(JsonProblem::TooDeep(self.depth_max));
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

impl<'text> DeserializeSeed<'text> for Reader<'_> {
    type Value = Value<'text>;

    fn deserialize<D: serde::Deserializer<'text>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'text> Visitor<'text> for Reader<'_> {
    type Value = Value<'text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        serde_json::Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_borrowed_str<E>(self, value: &'text str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'text>>(mut self, mut array: A) -> Result<Self::Value, A::Error> {
        self.open()?;
        let mut entries = Vec::new();
        loop {
            match array.next_element_seed(self.inner()) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => return Ok(Value::Array(entries)),
                Err(error) => {
                    self.faults.steps.push(entries.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'text>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        self.open()?;
        // Room for a registration at once, but not for each of the thousands of objects that may be in it.
        let room = if self.depth == 0 { PAIRWISE_MAX } else { 0 };
        let mut object = Object { members: Vec::with_capacity(room) };
        while let Some(name) = map.next_key_seed(Name)? {
            match map.next_value_seed(self.inner()) {
                Ok(value) => object.members.push((name, value)),
                Err(error) => {
                    self.faults.steps.push(pointer_step(&name));
                    return Err(error);
                }
            }
        }
        if let Some(name) = object.first_duplicate() {
            self.faults.problem = Some(JsonProblem::Duplicate);
            self.faults.steps.push(pointer_step(name));
            return Err(A::Error::custom("duplicate"));
        }
        Ok(Value::Object(object))
    }
}

struct Name;

impl<'text> DeserializeSeed<'text> for Name {
    type Value = Cow<'text, str>;

    fn deserialize<D: serde::Deserializer<'text>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'text> Visitor<'text> for Name {
    type Value = Cow<'text, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'text str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Number(value) => value.serialize(to),
            Self::String(value) => to.serialize_str(value),
            Self::Array(entries) => to.collect_seq(entries),
            Self::Object(object) => {
                let mut map = to.serialize_map(Some(object.members.len()))?;
                for (name, value) in object.iter() {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Whether all bytes of `text` are alike in this. Looks at every one of them, which is quicker than to end at
/// the first that is not: the compiler then takes many at once.
pub(crate) fn all(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & is(byte))
}

/// Adds `text` to a JSON text as a string (RFC 8259 §7).
pub(crate) fn write_text(json: &mut String, text: &str) {
    // Hardly a text holds anything else.
    if all(text, |byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
        json.extend(["\"", text, "\""]);
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> (String, JsonProblem) {
        let error = read(text.as_bytes()).unwrap_err();
        (error.pointer, error.problem)
    }

    #[test]
    fn a_duplicated_member_is_refused_at_any_depth() {
        let cases = [
            (r#"{"a":1,"a":2}"#, "/a"),
            (r#"{"x":{"b":[{"c/d":1,"c/d":2}]}}"#, "/x/b/0/c~1d"),
            (r#"{"a":1,"\u0061":2}"#, "/a"),
        ];
        for (text, pointer) in cases {
            assert_eq!(fault(text), (pointer.to_owned(), JsonProblem::Duplicate), "{text}");
        }
    }

    #[test]
    fn a_duplicate_among_many_members_is_refused() {
        let members: Vec<String> = (0..2_000).map(|n| format!(r#""m{n}":1"#)).collect();
        assert!(read(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
        let text = format!(r#"{{{},"m7":1}}"#, members.join(","));
        assert_eq!(fault(&text), ("/m7".to_owned(), JsonProblem::Duplicate));
    }

    #[test]
    fn nesting_ends_at_the_bound() {
        let nested = |levels: usize| {
            format!(r#"{{"x":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(read(nested(DEPTH_MAX).as_bytes()).is_ok());
        let (pointer, problem) = fault(&nested(DEPTH_MAX + 1));
        assert_eq!(problem, JsonProblem::TooDeep(DEPTH_MAX));
        assert!(pointer.starts_with("/x/0/0"), "{pointer}");
        assert_eq!(fault(&nested(40_000)).1, JsonProblem::TooDeep(DEPTH_MAX));
    }

    #[test]
    fn only_one_object_is_read() {
        for text in ["null", "true", "1", r#""x""#, "[]", r#"[{"a":1}]"#] {
            assert_eq!(fault(text).1, JsonProblem::NotAnObject, "{text}");
        }
        for text in
            [r#"{"a":1}{}"#, r#"{"a":1,}"#, "{/**/}", "{'a':1}", r#"{"a":01}"#, "{\"a\":\"\t\"}"]
        {
            assert!(matches!(fault(text).1, JsonProblem::NotJson { .. }), "{text}");
        }
        for text in ["", "  \n "] {
            assert_eq!(fault(text).1, JsonProblem::Empty);
        }
        assert_eq!(fault(r#"{"a":"#).1, JsonProblem::Truncated);
        assert_eq!(read(b"{\"a\":\"\xff\"}").unwrap_err().problem, JsonProblem::NotUtf8);
        assert!(matches!(fault("\u{feff}{}").1, JsonProblem::NotJson { line: 1, .. }));
    }

    #[test]
    fn a_lone_surrogate_is_told_from_other_faults_and_has_its_place() {
        for text in [
            r#"{"n":"\ud800"}"#,
            r#"{"n":"\uDC00x"}"#,
            r#"{"n":"\ud83d\u0041"}"#,
            r#"{"n":"\ud83dx"}"#,
        ] {
            assert_eq!(fault(text), ("/n".to_owned(), JsonProblem::LoneSurrogate), "{text}");
        }
        assert!(read(br#"{"n":"\ud83d\ude80"}"#).is_ok());
        assert!(matches!(fault(r#"{"n":"\ud83d\ude80\x"}"#).1, JsonProblem::NotJson { .. }));
        assert!(matches!(fault(r#"{"n":"\\ud800\x"}"#).1, JsonProblem::NotJson { .. }));
    }

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        let object = read(br#"{"a":"plain","b":"\n"}"#).unwrap();
        assert!(matches!(object.get("a"), Some(Value::String(Cow::Borrowed("plain")))));
        assert!(matches!(object.get("b"), Some(Value::String(Cow::Owned(_)))));
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_the_library_would_write_it(text in "[\\x00-\u{ff}]{0,4}") {
            let mut json = String::new();
            write_text(&mut json, &text);
            prop_assert_eq!(json, serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            drop(read(&bytes));
        }

        #[test]
        fn what_is_written_is_read_again(names in proptest::collection::hash_set(".{0,8}", 0..24), text: String) {
            let members = names.iter().map(|name| (Cow::Borrowed(&**name), Value::String(Cow::Borrowed(&*text))));
            let object = Value::Object(Object { members: members.collect() });
            let written = serde_json::to_string(&object).unwrap();
            prop_assert_eq!(Value::Object(read(written.as_bytes()).unwrap()), object);
        }
    }
}
