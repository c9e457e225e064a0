//! `client_name` (RFC 7591 §2): what a client calls itself. Anybody can call itself anything; what a
//! person could not see or would misread is refused here; a borrowed name is flagged
//! (`registration/look_alike.rs`), never trusted.

use serde::Deserialize;
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

use super::{fault::Problem, member::TextMember, uri};

/// The longest name, in code points: the bound of the official SDKs.
const CHARACTERS_MAX: usize = 1_000;

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
}

impl ClientName {
    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a name looks like, letter case and spacing at its ends aside (UTS 39 §4).
pub fn skeleton_of(name: &str) -> String {
    let folded: String = name.trim().nfkc().flat_map(char::to_lowercase).collect();
    skeleton(&folded).collect()
}

impl TextMember for ClientName {
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        if text.chars().any(char::is_control) {
            return Err(Problem::ClientName(ClientNameError::Control));
        }
        if !text.is_ascii() && text.chars().any(uri::is_hidden) {
            return Err(Problem::ClientName(ClientNameError::Invisible));
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
    fn a_look_alike_is_seen_through() {
        let claude = skeleton_of("Claude");
        for text in [
            "Claude",
            "claude",
            " CLAUDE ",
            "\u{421}laude",
            "C\u{217c}aude",
            "\u{ff23}laude",
            "Cl\u{430}ude",
        ] {
            assert_eq!(skeleton_of(text), claude, "{text:?}");
        }
        for text in ["Claudette", "Cloud", "My Claude", &"Claude".repeat(100)] {
            assert_ne!(skeleton_of(text), claude, "{text:?}");
        }
    }
}
