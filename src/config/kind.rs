//! The kinds of values that settings have: what is expected, how it is read, how it is written.
//!
//! A kind reads one value that was given, wherever that was, and reports every fault in it. It knows
//! nothing of other settings (`load.rs`), nor which value holds (`values.rs`). The texts are in
//! `text.rs`, the tables in `tables.rs`.

use std::{fmt::Display, ops::RangeInclusive};

use toml::{Spanned, de::DeValue};

use super::{
    fault::{Faults, did_you_mean},
    setting::Setting,
    source::Origin,
    text::{REDACTED, without_credentials, without_password},
};

/// What a value may be.
pub(super) trait Kind {
    type Value;

    /// In words: `an integer from 1 to 3600`.
    fn expected(&self) -> String;

    fn shape(&self) -> Shape {
        Shape::Text
    }

    /// The value; `None` when it is refused, and then `faults` has every reason.
    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Self::Value>;

    /// The value in TOML, without what is secret in it.
    fn write(&self, value: &Self::Value) -> String;

    /// Whether no message may show what was given.
    fn is_secret(&self) -> bool {
        false
    }

    /// Whether its values are names of files that hold a secret.
    fn names_secret_file(&self) -> bool {
        false
    }

    /// The members of the tables that are its values, when they are tables.
    fn members(&self) -> &'static [Setting] {
        &[]
    }
}

/// How text from the environment or the command line becomes a TOML value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is the text itself.
    Text,
    /// It is an integer or a boolean, spelled as in TOML.
    Word,
    /// It is a TOML array, or texts between commas.
    List,
}

/// A value as it was given, and where.
pub(super) struct Given<'a> {
    /// The key, or a place below it: `registration.protected_names[2].hosts`.
    pub(super) path: String,
    pub(super) origin: Origin<'a>,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Given<'a> {
    pub(super) fn refuse(&self, faults: &mut Faults, reason: impl Display) {
        faults.add(self.origin, self.value.span().start, format_args!("{}: {reason}", self.path));
    }

    /// Says what `kind` expects, and what was found unless that is a secret.
    pub(super) fn refuse_kind<K: Kind>(&self, faults: &mut Faults, kind: &K) {
        let found = match self.value.get_ref() {
            DeValue::Array(_) => "a list".into(),
            DeValue::Table(_) => "a table".into(),
            _ if kind.is_secret() => REDACTED.into(),
            DeValue::String(text) => quoted(&without_credentials(text)),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.to_string(),
            DeValue::Boolean(boolean) => boolean.to_string(),
            DeValue::Datetime(_) => "a date or time".into(),
        };
        self.refuse(faults, format_args!("expected {}, found {found}", kind.expected()));
    }

    fn item(&self, index: usize, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { path: format!("{}[{index}]", self.path), origin: self.origin, value }
    }

    pub(super) fn member(&self, name: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { path: format!("{}.{name}", self.path), origin: self.origin, value }
    }
}

/// One line, at most 80 characters, in quotes.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Why a text is refused, where `expected` does not say it.
pub(super) type Refusal = Option<String>;

/// A text that is understood by `parse`.
pub(super) struct Text<T> {
    pub(super) expected: &'static str,
    pub(super) parse: fn(&str) -> Result<T, Refusal>,
    pub(super) print: fn(&T) -> String,
    pub(super) shown: Shown,
}

/// How much of a text is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it; in a message without the user name and password of a URL, which do not belong there.
    Whole,
    /// A URL that may hold a password: nothing in messages, all but the password in the dump.
    WithoutPassword,
    /// A secret: nothing, neither in messages nor in the dump.
    Nothing,
    /// Easily confused with a secret, such as the hash of one: nothing in messages, all in the dump.
    InDump,
}

impl<T> Kind for Text<T> {
    type Value = T;

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<T> {
        let DeValue::String(text) = given.value.get_ref() else {
            given.refuse_kind(faults, self);
            return None;
        };
        match (self.parse)(text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let expected = self.expected;
                let found = if self.is_secret() {
                    REDACTED.into()
                } else {
                    quoted(&without_credentials(text))
                };
                let reason = refusal.map(|reason| format!(": {reason}")).unwrap_or_default();
                given.refuse(faults, format_args!("expected {expected}, found {found}{reason}"));
                None
            }
        }
    }

    fn write(&self, value: &T) -> String {
        let text = (self.print)(value);
        let shown = match self.shown {
            Shown::Whole | Shown::InDump => text,
            Shown::WithoutPassword => without_password(&text),
            Shown::Nothing if text.is_empty() => text,
            Shown::Nothing => REDACTED.into(),
        };
        toml::Value::String(shown).to_string()
    }

    fn is_secret(&self) -> bool {
        self.shown != Shown::Whole
    }
}

/// The name of a file that holds a secret.
pub(super) struct SecretFile<T>(pub(super) Text<T>);

impl<T> Kind for SecretFile<T> {
    type Value = T;

    fn expected(&self) -> String {
        self.0.expected()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<T> {
        self.0.read(given, faults)
    }

    fn write(&self, value: &T) -> String {
        self.0.write(value)
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }

    fn names_secret_file(&self) -> bool {
        true
    }
}

/// An integer within bounds.
pub(super) struct Integer<T>(pub(super) RangeInclusive<T>);

impl<T: TryFrom<i128> + PartialOrd + Display> Kind for Integer<T> {
    type Value = T;

    fn expected(&self) -> String {
        format!("an integer from {} to {}", self.0.start(), self.0.end())
    }

    fn shape(&self) -> Shape {
        Shape::Word
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<T> {
        let value = match given.value.get_ref() {
            DeValue::Integer(integer) => {
                i128::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            _ => None,
        };
        let value = value.and_then(|value| T::try_from(value).ok());
        let value = value.filter(|value| self.0.contains(value));
        if value.is_none() {
            given.refuse_kind(faults, self);
        }
        value
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// `true` or `false`.
pub(super) struct Boolean;

impl Kind for Boolean {
    type Value = bool;

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn shape(&self) -> Shape {
        Shape::Word
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<bool> {
        let value = given.value.get_ref().as_bool();
        if value.is_none() {
            given.refuse_kind(faults, self);
        }
        value
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A list of values of one kind.
pub(super) struct List<K>(pub(super) K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn expected(&self) -> String {
        format!("a list, each entry {}", self.0.expected())
    }

    fn shape(&self) -> Shape {
        Shape::List
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Self::Value> {
        let DeValue::Array(items) = given.value.get_ref() else {
            given.refuse_kind(faults, self);
            return None;
        };
        // Every entry is read before the first refused one ends it, so that every fault is found.
        let read: Vec<Option<K::Value>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.0.read(&given.item(index, item), faults))
            .collect();
        read.into_iter().collect()
    }

    fn write(&self, value: &Self::Value) -> String {
        let items: Vec<String> = value.iter().map(|item| self.0.write(item)).collect();
        let line = format!("[{}]", items.join(", "));
        if line.len() <= 80 { line } else { format!("[\n  {},\n]", items.join(",\n  ")) }
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }

    fn members(&self) -> &'static [Setting] {
        self.0.members()
    }
}

/// One value or several of one kind, and never none: a list that came out empty by mistake must not change what its
/// setting means.
pub(super) struct OneOrMore<K>(pub(super) K);

impl<K: Kind> Kind for OneOrMore<K> {
    type Value = Vec<K::Value>;

    fn expected(&self) -> String {
        format!("{}; or a list of such values", self.0.expected())
    }

    fn shape(&self) -> Shape {
        Shape::List
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<Self::Value> {
        match given.value.get_ref() {
            DeValue::Array(items) if items.is_empty() => {
                given.refuse(faults, "is empty: leave it out, or give it a value");
                None
            }
            DeValue::Array(_) => {
                let kind = List(ByRef(&self.0));
                kind.read(given, faults)
            }
            _ => self.0.read(given, faults).map(|value| vec![value]),
        }
    }

    fn write(&self, values: &Self::Value) -> String {
        match values.as_slice() {
            [only] => self.0.write(only),
            _ => List(ByRef(&self.0)).write(values),
        }
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// A kind that belongs to another.
struct ByRef<'kind, K>(&'kind K);

impl<K: Kind> Kind for ByRef<'_, K> {
    type Value = K::Value;

    fn expected(&self) -> String {
        self.0.expected()
    }

    fn read(&self, given: &Given<'_>, faults: &mut Faults) -> Option<K::Value> {
        self.0.read(given, faults)
    }

    fn write(&self, value: &K::Value) -> String {
        self.0.write(value)
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// Says that nothing in `parent` goes by `name`, and what was probably meant: `rate_limit.per_sorce: unknown
/// setting; did you mean rate_limit.per_source?`. Shows a name only when it resembles a known one that is no
/// secret's: any other may be a secret in the wrong place.
pub(super) fn unknown(parent: &str, name: &str, what: &str, meant: Option<(&str, bool)>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_shown = meant.is_some_and(|(_, is_secret)| !is_secret) && name.bytes().all(plain);
    let place = match (parent, if is_shown { name } else { "" }) {
        ("", "") => String::new(),
        ("", name) => format!("{name}: "),
        (parent, "") => format!("{parent}: "),
        (parent, name) => format!("{parent}.{name}: "),
    };
    format!("{place}unknown {what}{}", did_you_mean(meant.map(|(meant, _)| meant)))
}

/// Whether a value holds a secret: a dump hides something of it.
pub(super) fn holds_secret<K: Kind>(kind: &K, given: &Given<'_>) -> bool {
    let value = kind.read(given, &mut Faults::default());
    kind.is_secret() && value.is_some_and(|value| kind.write(&value).contains(REDACTED))
}

/// A TOML value of this kind, spelled our way. It comes from the table, so it is valid.
pub(super) fn spell<K: Kind>(kind: &K, toml: &'static str) -> String {
    let value = DeValue::parse(toml).expect("what stands in the table is TOML");
    let given = Given { path: String::new(), origin: Origin::Default, value: &value };
    let value = kind.read(&given, &mut Faults::default());
    kind.write(&value.expect("what stands in the table is valid"))
}
