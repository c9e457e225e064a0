//! The token of a program that acts for an operator. It contains the identifier of its record, so that the record is
//! found by its key; the store has only the hash of the rest.

use std::{fmt, str::FromStr};

use crate::{
    clock::Timestamp,
    entropy::Entropy,
    id::Id,
    secret::{self, SECRET_BYTES, Secret},
};

/// Identifies an operator token; not a secret.
pub type OperatorTokenId = Id<OperatorTokenKind>;

/// What an [`OperatorTokenId`] names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperatorTokenKind {}

/// An operator token, as it is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorToken {
    /// Its record.
    pub id: OperatorTokenId,
    /// What proves it.
    pub secret: Secret,
}

/// How many bytes the identifier has.
const ID_BYTES: usize = 16;

impl OperatorToken {
    const PREFIX: &str = "dwo_";

    /// A new token.
    pub fn generate(now: Timestamp, entropy: &Entropy) -> Self {
        Self { id: OperatorTokenId::generate(now, entropy), secret: Secret::generate(entropy) }
    }
}

impl fmt::Display for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [&[u8]; 2] = [self.id.as_bytes(), self.secret.as_bytes()];
        f.write_str(&secret::text(Self::PREFIX, &parts))
    }
}

impl FromStr for OperatorToken {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = secret::read::<{ ID_BYTES + SECRET_BYTES }>(text, Self::PREFIX).ok_or(())?;
        let (id, secret) = bytes.split_first_chunk::<ID_BYTES>().ok_or(())?;
        let secret = secret.try_into().map_err(|_| ())?;
        Ok(Self { id: OperatorTokenId::from_bytes(*id), secret: Secret::from_bytes(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
