//! What is secret for as long as somebody holds it: 256 bits of chance that leave the process once, and
//! the hash of them, which is all that is kept.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::entropy::Entropy;

/// How many bytes a secret and its hash have.
pub const SECRET_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// 256 bits that nobody can guess (OAuth 2.1 §7.1). It cannot be shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A new secret.
    pub fn generate(entropy: &Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// The secret of these bytes: one that was presented, or derived from another.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to hand them out or to derive from them.
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is handed out of a secret: `parts` in base64url, behind a prefix by which it is known where it was
/// lost, and which keeps one kind from standing for another.
pub(crate) fn text(prefix: &str, parts: &[&[u8]]) -> String {
    let mut text = prefix.to_owned();
    BASE64_URL_SAFE_NO_PAD.encode_string(parts.concat(), &mut text);
    text
}

/// The `N` bytes of what [`text`] wrote with this prefix; `None` for everything else.
pub(crate) fn read<const N: usize>(text: &str, prefix: &str) -> Option<[u8; N]> {
    let text = text.strip_prefix(prefix)?;
    let mut bytes = [0; N];
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

/// The SHA-256 of a secret. A slow hash would protect nothing more: what is hashed is all chance.
///
/// There is no `PartialEq` on purpose: comparing is [`Self::matches`].
#[derive(Clone, Copy, Debug)]
pub struct SecretHash([u8; SECRET_BYTES]);

impl SecretHash {
    /// The hash of bytes that are secret.
    pub fn of(secret: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, secret);
        let mut bytes = [0; SECRET_BYTES];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// A hash as it was kept.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to keep them.
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// Whether both are hashes of one secret, found out in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_hash_and_shown_nowhere() {
        let entropy = Entropy::seeded(1);
        let (one, other) = (Secret::generate(&entropy), Secret::generate(&entropy));
        assert!(one.hash().matches(&SecretHash::from_bytes(*one.hash().as_bytes())));
        assert!(!one.hash().matches(&other.hash()));
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }
}
