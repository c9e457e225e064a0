//! The texts of the pages that people see: one catalog in Fluent, with one file per language and one entry per message.
//! `pages/reader.rs` chooses the language. The catalog is ours, so a message may have markup; its arguments are escaped.

mod language;

use std::{borrow::Cow, fmt};

use askama::filters::{Html, HtmlSafe, escape};
use fluent_bundle::{FluentArgs, FluentValue};

pub(crate) use self::language::Language;

/// A message of the catalog with its arguments, in no language yet.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    id: &'static str,
    arguments: Vec<(&'static str, Argument)>,
}

/// Templates pass messages by references of any depth.
impl AsRef<Self> for Message {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A value for a placeholder of a message.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    Text(String),
    /// Chooses the plural form.
    Count(u64),
    /// Written in the same language.
    Message(Message),
    /// HTML, already escaped.
    Markup(String),
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: AsRef<str> + ?Sized> From<&T> for Argument {
    fn from(text: &T) -> Self {
        Self::Text(text.as_ref().to_owned())
    }
}

impl From<u64> for Argument {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Message> for Argument {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<&Message> for Argument {
    fn from(message: &Message) -> Self {
        Self::Message(message.clone())
    }
}

/// How texts are escaped.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Html,
}

impl Message {
    pub(crate) const fn new(id: &'static str) -> Self {
        Self { id, arguments: Vec::new() }
    }

    /// Sets the placeholder `$name`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }

    /// This sentence and the next one.
    pub(crate) fn then(self, next: Self) -> Self {
        Self::new("sentences").with("first", self).with("second", next)
    }

    /// The message in a language, as HTML.
    pub(crate) const fn in_html(self, language: Language) -> Localized {
        Localized { message: self, language }
    }

    fn text(&self, language: Language, form: Form) -> String {
        let values =
            self.arguments.iter().map(|(name, value)| (*name, value.value(language, form)));
        let values: FluentArgs<'_> = values.collect();
        let bundle = language.bundle();
        let pattern = bundle.get_message(self.id).and_then(|message| message.value());
        debug_assert!(pattern.is_some(), "{language:?} has no message {}", self.id);
        let mut faults = Vec::new();
        let text = pattern.map_or(Cow::Borrowed(self.id), |pattern| {
            bundle.format_pattern(pattern, Some(&values), &mut faults)
        });
        debug_assert!(faults.is_empty(), "{}: {faults:?}", self.id);
        text.into_owned()
    }
}

impl Argument {
    fn value(&self, language: Language, form: Form) -> FluentValue<'static> {
        match (self, form) {
            (Self::Text(text), Form::Plain) => text.clone().into(),
            (Self::Text(text), Form::Html) => {
                let escaped = escape(text, Html).map(|safe| safe.to_string());
                escaped.unwrap_or_default().into()
            }
            (Self::Count(count), _) => (*count).into(),
            (Self::Message(message), form) => message.text(language, form).into(),
            (Self::Markup(html), _) => html.clone().into(),
        }
    }
}

/// In English without escapes: logs and the description of the API have it.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::English, Form::Plain))
    }
}

/// A message in the language of a page; `Display` writes HTML.
#[derive(Clone, Debug)]
pub(crate) struct Localized {
    message: Message,
    language: Language,
}

impl Localized {
    /// Sets the placeholder `$name`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.message = self.message.with(name, value);
        self
    }
}

impl fmt::Display for Localized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.text(self.language, Form::Html))
    }
}

impl HtmlSafe for Localized {}
