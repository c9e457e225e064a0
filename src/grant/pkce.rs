//! Proof Key for Code Exchange (RFC 7636), with `S256` alone: `plain` proves nothing to whoever has seen
//! the request.

use aws_lc_rs::constant_time;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    entropy::Entropy,
    secret::{SECRET_BYTES, SecretHash},
};

/// What the client commits itself to: BASE64URL(SHA256(verifier)) (RFC 7636 §4.2), as its 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeChallenge([u8; SECRET_BYTES]);

/// What the client then shows: 43 to 128 unreserved characters (RFC 7636 §4.1).
#[derive(Clone, PartialEq, Eq)]
pub struct CodeVerifier(String);

/// A text that is no challenge or verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// RFC 7636 §4.2.
    #[error("is not the base64url form of a SHA-256 hash: 43 characters without padding")]
    Challenge,
    /// RFC 7636 §4.1.
    #[error("is not 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_' and '~'")]
    Verifier,
}

impl CodeChallenge {
    /// Reads the value of `code_challenge`.
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PkceError::Challenge)?;
        bytes.try_into().map(Self).map_err(|_| PkceError::Challenge)
    }

    /// A challenge as it was kept.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to keep them.
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// The value of `code_challenge`, where this server is the client.
    pub fn text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether the verifier is the one that was committed to (RFC 7636 §4.6), in constant time.
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &verifier.challenge().0).is_ok()
    }
}

impl CodeVerifier {
    /// Reads the value of `code_verifier`.
    pub fn parse(text: &str) -> Result<Self, PkceError> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_verifier = (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved);
        is_verifier.then(|| Self(text.to_owned())).ok_or(PkceError::Verifier)
    }

    /// A new verifier, where this server is the client.
    pub fn generate(entropy: &Entropy) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
    }

    /// What it commits to.
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(*SecretHash::of(self.0.as_bytes()).as_bytes())
    }

    /// The value of `code_verifier`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeVerifier(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_is_met() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge =
            CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by(&verifier));
        assert_eq!(challenge.text(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(!challenge.is_met_by(&CodeVerifier::parse(&"a".repeat(43)).unwrap()));
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for length in [43, 128] {
            assert!(CodeVerifier::parse(&"~".repeat(length)).is_ok(), "{length}");
        }
        for length in [0, 42, 129] {
            assert_eq!(CodeVerifier::parse(&"a".repeat(length)), Err(PkceError::Verifier));
        }
        for odd in ["+", "/", "=", " ", "\u{e9}", "\n"] {
            let text = format!("{}{odd}", "a".repeat(43));
            assert_eq!(CodeVerifier::parse(&text), Err(PkceError::Verifier), "{odd:?}");
        }
    }

    #[test]
    fn a_challenge_is_43_characters_of_base64url() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(CodeChallenge::parse(good).is_ok());
        for bad in [
            &good.replace('-', "+"),
            good.trim_start_matches('E'),
            &format!("{good}="),
            &format!("{good}A"),
            "",
        ] {
            assert_eq!(CodeChallenge::parse(bad), Err(PkceError::Challenge), "{bad:?}");
        }
    }
}
