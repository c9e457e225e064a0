//! Keys derived from the operator's secret (HKDF, RFC 5869): the key that encrypts signing keys, and keys with one
//! purpose each. None of them reveals another, or the secret.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};

use crate::entropy::Entropy;

/// The pseudorandom key from which all others are derived.
pub(super) struct Derived(hkdf::Prk);

impl Derived {
    /// Derives from the secret, which is random, so it needs no stretching.
    pub(super) fn from(secret: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, b"doorward").extract(secret))
    }

    /// An HMAC key for one purpose.
    pub(super) fn hmac(&self, purpose: &'static str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.bytes(purpose))
    }

    /// An AEAD key for one purpose.
    pub(super) fn sealing(&self, purpose: &str) -> Sealing {
        let key = UnboundKey::new(&AES_256_GCM, &self.bytes(purpose)).expect("32 bytes are a key");
        Sealing(LessSafeKey::new(key))
    }

    fn bytes(&self, purpose: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0
            .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut bytes))
            .expect("32 bytes can be derived");
        bytes
    }
}

/// Encrypts and decrypts with one key (AES-256-GCM).
pub(super) struct Sealing(LessSafeKey);

impl Sealing {
    /// Encrypts bytes to store under `name`; they decrypt under no other name.
    pub(super) fn seal(&self, name: &str, secret: &[u8], entropy: &Entropy) -> Vec<u8> {
        // A random nonce: one key must encrypt far fewer than 2^32 values, or two may share a nonce.
        let nonce: [u8; NONCE_LEN] = entropy.bytes();
        let mut sealed = secret.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut sealed,
            )
            .expect("what is sealed is short");
        [&nonce[..], &sealed].concat()
    }

    /// Decrypts bytes stored under `name`; `None` if the name or the key differs.
    pub(super) fn open(&self, name: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = *sealed.first_chunk::<NONCE_LEN>()?;
        let mut rest = sealed.split_off(NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(name.as_bytes()), &mut rest);
        opened.ok().map(|opened| opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_name_with_its_secret_alone() {
        let entropy = Entropy::seeded(1);
        let derived = Derived::from(b"a secret").sealing("x");
        let sealed = derived.seal("a", b"private", &entropy);
        assert_eq!(derived.open("a", sealed.clone()).unwrap(), b"private");
        assert!(derived.open("b", sealed.clone()).is_none());
        let other_secret = Derived::from(b"another secret").sealing("x");
        let other_purpose = Derived::from(b"a secret").sealing("y");
        for other in [other_secret, other_purpose] {
            assert!(other.open("a", sealed.clone()).is_none());
        }
        for damaged in [&sealed[1..], &sealed[..sealed.len() - 1], &[][..]] {
            assert!(derived.open("a", damaged.to_vec()).is_none());
        }
        assert_ne!(sealed, derived.seal("a", b"private", &entropy));
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let derived = Derived::from(b"a secret");
        let signed = |purpose| hmac::sign(&derived.hmac(purpose), b"x").as_ref().to_vec();
        assert_eq!(signed("a"), signed("a"));
        assert_ne!(signed("a"), signed("b"));
    }
}
