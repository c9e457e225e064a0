//! The secrets of a grant that leave the process: the authorization code (RFC 6749 §1.3.1) and the
//! refresh token (§1.5). Opaque to clients; here each names its grant, so that it is found without an
//! index, and says what it is, so that none can stand for another.

use std::{fmt, str::FromStr};

use aws_lc_rs::hmac;

use super::GrantId;
use crate::{
    entropy::Entropy,
    secret::{self, SECRET_BYTES, Secret},
};

/// How many bytes name the grant.
const GRANT_BYTES: usize = 16;

/// A text that is no token of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is nothing that this server issued")]
pub struct TokenFormatError;

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The grant it is the beginning of.
    pub grant: GrantId,
    /// What proves it.
    pub secret: Secret,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it prolongs.
    pub grant: GrantId,
    /// The same in all tokens of the family, and known to nobody who never had one of them: what tells an
    /// old token that is used again from one that is made up.
    pub family: Secret,
    /// What proves this one.
    pub secret: Secret,
}

impl AuthorizationCode {
    const PREFIX: &str = "dwc_";

    /// The code of a new grant.
    pub fn generate(grant: GrantId, entropy: &Entropy) -> Self {
        Self { grant, secret: Secret::generate(entropy) }
    }
}

impl RefreshToken {
    const PREFIX: &str = "dwr_";

    /// The first token of a family.
    pub fn generate(grant: GrantId, entropy: &Entropy) -> Self {
        Self { grant, family: Secret::generate(entropy), secret: Secret::generate(entropy) }
    }

    /// The token that follows this one. It is always the same, so that callers who present one token at
    /// the same time, or again because the answer was lost, are given one successor: the family cannot
    /// fork. Without `key`, which only the servers of the issuer have, nobody can tell it.
    #[must_use]
    pub fn successor(&self, key: &hmac::Key) -> Self {
        let mut secret = [0; SECRET_BYTES];
        secret.copy_from_slice(hmac::sign(key, self.secret.as_bytes()).as_ref());
        Self { grant: self.grant, family: self.family.clone(), secret: Secret::from_bytes(secret) }
    }
}

impl fmt::Display for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [&[u8]; 2] = [self.grant.as_bytes(), self.secret.as_bytes()];
        f.write_str(&secret::text(Self::PREFIX, &parts))
    }
}

impl FromStr for AuthorizationCode {
    type Err = TokenFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = secret::read::<{ GRANT_BYTES + SECRET_BYTES }>(text, Self::PREFIX);
        let bytes = bytes.ok_or(TokenFormatError)?;
        let (grant, secret) = bytes.split_at(GRANT_BYTES);
        Ok(Self { grant: grant_id(grant), secret: secret_of(secret) })
    }
}

impl fmt::Display for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [&[u8]; 3] =
            [self.grant.as_bytes(), self.family.as_bytes(), self.secret.as_bytes()];
        f.write_str(&secret::text(Self::PREFIX, &parts))
    }
}

impl FromStr for RefreshToken {
    type Err = TokenFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = secret::read::<{ GRANT_BYTES + 2 * SECRET_BYTES }>(text, Self::PREFIX);
        let bytes = bytes.ok_or(TokenFormatError)?;
        let (grant, secrets) = bytes.split_at(GRANT_BYTES);
        let (family, secret) = secrets.split_at(SECRET_BYTES);
        Ok(Self { grant: grant_id(grant), family: secret_of(family), secret: secret_of(secret) })
    }
}

fn grant_id(bytes: &[u8]) -> GrantId {
    GrantId::from_bytes(bytes.try_into().expect("split where the identifier ends"))
}

fn secret_of(bytes: &[u8]) -> Secret {
    Secret::from_bytes(bytes.try_into().expect("split where the secret ends"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn grant(entropy: &Entropy) -> GrantId {
        GrantId::generate(Timestamp::from_millis(1_700_000_000_000), entropy)
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_as_nothing_else() {
        let entropy = Entropy::seeded(1);
        let code = AuthorizationCode::generate(grant(&entropy), &entropy);
        let token = RefreshToken::generate(grant(&entropy), &entropy);
        assert_eq!(code.to_string().parse(), Ok(code.clone()));
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert!(code.to_string().parse::<RefreshToken>().is_err());
        assert!(token.to_string().parse::<AuthorizationCode>().is_err());
        for bad in [
            "",
            "dwc_",
            "dwc_AAAA",
            "dwc_\u{e9}",
            code.to_string().trim_start_matches("dwc_"),
            &format!("{code}A"),
        ] {
            assert!(bad.parse::<AuthorizationCode>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_has_one_successor_of_the_same_family() {
        let entropy = Entropy::seeded(1);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &entropy.bytes::<32>());
        let first = RefreshToken::generate(grant(&entropy), &entropy);
        let second = first.successor(&key);
        assert_eq!(second, first.successor(&key));
        assert_eq!((second.grant, &second.family), (first.grant, &first.family));
        assert_ne!(second.secret, first.secret);
        assert_ne!(second.successor(&key).secret, first.secret);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &entropy.bytes::<32>());
        assert_ne!(first.successor(&other).secret, second.secret);
    }
}
