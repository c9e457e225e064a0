//! `scope` (RFC 7591 §2, RFC 6749 §3.3): what a client may ask for. Its length and its values are the
//! operator's and the profile's; here stands only its syntax.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::json;

use super::{fault::Problem, member::TextMember};

/// Up to this many tokens, comparing each pair is cheaper than hashing.
const PAIRWISE_MAX: usize = 16;

/// Scope tokens with one space between them, none twice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

/// A text that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of scope tokens")]
pub struct ScopeError;

impl Scope {
    /// Reads the value of `scope` (RFC 6749 §3.3); `None` when there is no token in it.
    pub fn parse(text: &str) -> Result<Option<Self>, ScopeError> {
        <Self as TextMember>::parse(text).map_err(|_| ScopeError)
    }

    /// The tokens, in the order in which the client listed them.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ')
    }

    /// The tokens as one string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Keeps the tokens that `is_kept`; `None` when none is left.
    pub fn retain(&self, is_kept: impl Fn(&str) -> bool) -> Option<Self> {
        Self::join(self.tokens().filter(|token| is_kept(token)), self.0.len())
    }

    /// Of tokens that take `room` bytes at most.
    fn join<'token>(tokens: impl Iterator<Item = &'token str>, room: usize) -> Option<Self> {
        let mut scope = String::with_capacity(room);
        for token in tokens {
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(token);
        }
        (!scope.is_empty()).then_some(Self(scope))
    }
}

impl TextMember for Scope {
    /// Spaces beyond the one that parts two tokens are passed over.
    fn parse(text: &str) -> Result<Option<Self>, Problem> {
        let is_token_byte = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.bytes().all(|byte| byte == b' ' || is_token_byte(byte)) {
            return Err(Problem::Scope);
        }
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if tokens.len() > PAIRWISE_MAX {
            let mut seen = HashSet::with_capacity(tokens.len());
            let tokens = tokens.into_iter().filter(|token| seen.insert(*token));
            return Ok(Self::join(tokens, text.len()));
        }
        let is_first = |at: usize| !tokens.iter().take(at).any(|other| *other == tokens[at]);
        let tokens = (0..tokens.len()).filter(|at| is_first(*at)).map(|at| tokens[at]);
        Ok(Self::join(tokens, text.len()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "description": "Scope tokens, separated by spaces (RFC 6749 section 3.3)." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_empty_tokens_are_dropped() {
        let scope = |text: &str| Scope::parse(text).unwrap().map(|scope| scope.as_str().to_owned());
        assert_eq!(scope("read write read"), Some("read write".to_owned()));
        assert_eq!(scope("  read   write "), Some("read write".to_owned()));
        assert_eq!(scope("   "), None);
        let many: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
        assert_eq!(scope(&format!("{0} {0}", many.join(" "))), Some(many.join(" ")));
    }

    #[test]
    fn only_scope_tokens_are_a_scope() {
        for text in ["a\"b", "a\\b", "a\tb", "caf\u{e9}", "a\u{7f}", "a\nb"] {
            assert_eq!(Scope::parse(text), Err(ScopeError), "{text:?}");
        }
        assert!(Scope::parse("mcp:tools read,write https://a.example/x !#[]~").is_ok());
    }
}
