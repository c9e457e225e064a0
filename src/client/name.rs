//! `client_name` (RFC 7591 §2): what a client calls itself. Anybody can call itself anything; what a
//! person could not see or would misread is refused here; a borrowed name is flagged
//! (`look_alike.rs`), never trusted.

use std::borrow::Cow;

use icu_properties::{CodePointMapData, props::GeneralCategory};
use serde::Deserialize;
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::{fault::Problem, member::TextMember, uri};

/// The longest name, in code points: the bound of the official SDKs.
const CHARACTERS_MAX: usize = 1_000;

/// How much of a name pages show, in code points.
const SHOWN_CHARACTERS_MAX: usize = 80;
/// The most combining marks on one character.
const MARKS_MAX: usize = 3;

/// A name as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ClientName(String);

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientNameError {
    /// Unicode category Cc.
    #[error("contains a control character")]
    Control,
    /// Bidirectional controls, zero-width and other default-ignorable characters.
    #[error("contains an invisible character")]
    Invisible,
    /// More than [`MARKS_MAX`] of them.
    #[error("has more than {MARKS_MAX} combining marks on one character")]
    PiledMarks,
}

impl ClientName {
    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name as pages show it: what is beyond [`SHOWN_CHARACTERS_MAX`] is cut off.
pub fn shown_name(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_CHARACTERS_MAX {
        return Cow::Borrowed(name);
    }
    match name.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", name.split_at(end).0.trim_end())),
        None => Cow::Borrowed(name),
    }
}

/// Whether more marks than [`MARKS_MAX`] pile up on one character, so that they paint over what is around it.
fn has_piled_marks(text: &str) -> bool {
    let is_mark = |character| {
        matches!(
            CodePointMapData::<GeneralCategory>::new().get(character),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        )
    };
    let mut marks = 0;
    text.nfd().any(|character| {
        marks = if is_mark(character) { marks + 1 } else { 0 };
        marks > MARKS_MAX
    })
}

impl TextMember for ClientName {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        if text.chars().any(char::is_control) {
            return Err(Problem::ClientName(ClientNameError::Control));
        }
        if !text.is_ascii() && text.chars().any(uri::is_hidden) {
            return Err(Problem::ClientName(ClientNameError::Invisible));
        }
        if !text.is_ascii() && has_piled_marks(text) {
            return Err(Problem::ClientName(ClientNameError::PiledMarks));
        }
        if text.chars().count() > CHARACTERS_MAX {
            return Err(Problem::TooLong(CHARACTERS_MAX));
        }
        Ok((!text.trim().is_empty()).then(|| Self(text.to_owned())))
    }

    fn as_text(&self) -> &str {
        &self.0
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "maxLength": CHARACTERS_MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<ClientName>, Problem> {
        ClientName::parse(text)
    }

    #[test]
    fn what_a_person_cannot_see_is_refused() {
        for text in ["a\0", "a\tb", "a\nb", "a\u{7f}", "a\u{85}b"] {
            assert_eq!(parse(text), Err(Problem::ClientName(ClientNameError::Control)), "{text:?}");
        }
        for text in [
            "a\u{200b}b",
            "a\u{202e}b",
            "\u{2066}a",
            "a\u{ad}b",
            "a\u{feff}",
            "a\u{3164}",
            "a\u{e0041}",
        ] {
            assert_eq!(
                parse(text),
                Err(Problem::ClientName(ClientNameError::Invisible)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_blank_name_counts_as_omitted() {
        for text in [" ", "   ", "\u{3000}"] {
            assert_eq!(parse(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_bounded_in_code_points_and_kept_as_sent() {
        let longest = "\u{1f680}".repeat(CHARACTERS_MAX);
        assert_eq!(parse(&longest).unwrap().unwrap().as_str(), longest);
        assert_eq!(parse(&format!("{longest}x")), Err(Problem::TooLong(CHARACTERS_MAX)));
        assert_eq!(
            parse(" \u{30c6}\u{30b9}\u{30c8} ").unwrap().unwrap().as_str(),
            " \u{30c6}\u{30b9}\u{30c8} "
        );
    }

    #[test]
    fn rejects_more_than_three_combining_marks_on_one_character() {
        let marked = |marks: &str| parse(&format!("Ann{marks} B"));
        let piled = Err(Problem::ClientName(ClientNameError::PiledMarks));
        assert!(marked(&"\u{301}".repeat(3)).is_ok());
        assert!(parse(&"n\u{301}\u{302}\u{303}".repeat(9)).is_ok());
        for marks in ["\u{301}".repeat(4), "\u{20dd}\u{301}\u{489}\u{302}".to_owned()] {
            assert_eq!(marked(&marks), piled, "{marks}");
        }
        // A letter with marks of its own counts with them.
        assert_eq!(parse("\u{1ebf}\u{301}\u{301}"), piled);
        for name in [
            "Ti\u{1ebf}ng Vi\u{1ec7}t",
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            "\u{e17}\u{e35}\u{e48}",
        ] {
            assert!(parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut_where_pages_show_it() {
        assert_eq!(shown_name(&"\u{e9}".repeat(80)), "\u{e9}".repeat(80));
        assert_eq!(shown_name(&"a".repeat(81)), format!("{}…", "a".repeat(80)));
        assert_eq!(shown_name(&format!("a{}b", " ".repeat(80))), "a…");
    }
}
