//! What signs access tokens (RFC 9068) and what seals the signing keys where they are kept. (Skeleton.)

use aws_lc_rs::hmac;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::{
    config::TokenConfig,
    entropy::Entropy,
    store::{Store, StoreError},
};

/// The keys of the issuer.
pub(crate) struct Keys {}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// The store could not be asked.
    #[error("the signing keys cannot be read")]
    Store(#[from] StoreError),
    /// Another secret sealed them.
    #[error("the signing keys were sealed with another secret (token.keys_secret)")]
    Sealed,
}

impl Keys {
    pub(crate) fn new(settings: &TokenConfig, entropy: &Entropy) -> Self {
        let _ = (settings, entropy);
        Self {}
    }

    /// Reads the keys that are kept, makes one when it is time to, and forgets those that nothing needs.
    pub(crate) async fn upkeep(&self, store: &dyn Store, now: Timestamp) -> Result<(), KeysError> {
        let _ = (store, now);
        Ok(())
    }

    /// The compact form of a JWT (RFC 7515 §3.1) of these claims, whose `typ` is `typ`.
    pub(crate) fn sign(
        &self,
        typ: &str,
        claims: &[u8],
        now: Timestamp,
    ) -> Result<String, KeysError> {
        let _ = (typ, claims, now);
        Err(KeysError::Sealed)
    }

    /// The claims of a JWT of ours of this `typ`, if its signature is good. When it expires is not looked at.
    pub(crate) fn verify(&self, typ: &str, jwt: &str) -> Option<Bytes> {
        let _ = (typ, jwt);
        None
    }

    /// The public keys as a JWK Set (RFC 7517 §5).
    pub(crate) fn jwks(&self, now: Timestamp) -> Bytes {
        let _ = now;
        Bytes::new()
    }

    /// A key for one purpose, the same on all nodes, derived from the secret of the operator.
    pub(crate) fn derived(&self, purpose: &'static str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, purpose.as_bytes())
    }
}
