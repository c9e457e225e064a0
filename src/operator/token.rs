//! The token of a program that acts for an operator.

use crate::{
    audit,
    credential::{Credential, Purpose},
    id::Id,
};

/// Identifies an operator token; not a secret.
pub type OperatorTokenId = Id<OperatorTokenKind>;

/// What an [`OperatorTokenId`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperatorTokenKind {}

impl Purpose for OperatorTokenKind {
    const PREFIX: &'static str = "dwo_";
}

/// An operator token, as it is shown once.
pub type OperatorToken = Credential<OperatorTokenKind>;

/// Reads the name of an operator token, which a table and an event can show. The error says what to write.
pub(crate) fn token_name(text: &str) -> Result<String, String> {
    audit::line(text, 100).map_err(|expected| format!("write {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, entropy::Entropy};

    #[test]
    fn an_operator_token_reads_back_as_itself_and_as_nothing_else() {
        let entropy = Entropy::seeded(1);
        let token = OperatorToken::generate(Timestamp::from_millis(1_800_000_000_000), &entropy);
        let text = token.to_string();
        assert!(text.starts_with("dwo_"));
        assert_eq!(text.parse(), Ok(token.clone()));
        let other_prefix = text.replacen("dwo_", "dwr_", 1);
        for bad in ["", "dwo_", "dwo_AAAA", &other_prefix, &format!("{text}A")] {
            assert_eq!(bad.parse::<OperatorToken>(), Err(()), "{bad:?}");
        }
        assert!(!format!("{token:?}").contains(text.trim_start_matches("dwo_")));
    }
}
