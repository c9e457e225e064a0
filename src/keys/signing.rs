//! One key: how it signs and verifies (RFC 7515, RFC 7518 §3.1, RFC 8037), and its JWK (RFC 7517). A key is parsed
//! once and then cached, because parsing takes longer than signing.

use std::sync::Arc;

use aws_lc_rs::{
    digest,
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::config::SigningAlgorithm;

/// A key, with the parts that all its tokens share.
pub(super) struct SigningKey {
    id: Arc<str>,
    pair: Pair,
    jwk: Value,
    /// The header of every access token it signs, in base64url.
    header: String,
    /// The header of every assertion it signs, in base64url.
    assertion_header: String,
    random: SystemRandom,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// The JSON Schema of a public key (RFC 7518 §6, RFC 8037 §2).
pub(crate) fn jwk_schema() -> Value {
    let text = json!({ "type": "string" });
    let of = |algorithm: SigningAlgorithm, kty: &str, members: &[&str]| {
        let mut properties = json!({
            "alg": { "const": algorithm.name() },
            "kid": text,
            "kty": { "const": kty },
            "use": { "const": "sig" },
        });
        for member in members {
            properties[*member] = text.clone();
        }
        let required: Vec<String> =
            properties.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect();
        json!({
            "type": "object",
            "required": required,
            "additionalProperties": false,
            "properties": properties,
        })
    };
    json!({ "oneOf": [
        of(SigningAlgorithm::Es256, "EC", &["crv", "x", "y"]),
        of(SigningAlgorithm::Rs256, "RSA", &["n", "e"]),
        of(SigningAlgorithm::EdDsa, "OKP", &["crv", "x"]),
    ] })
}

/// A new key: its `kid`, and its private part in PKCS#8. The library takes randomness from the system, even in tests.
pub(super) fn generate(algorithm: SigningAlgorithm) -> Option<(String, Vec<u8>)> {
    let random = SystemRandom::new();
    let private = match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .ok()?
                .as_ref()
                .to_vec()
        }
        SigningAlgorithm::Rs256 => {
            RsaKeyPair::generate(KeySize::Rsa2048).ok()?.as_der().ok()?.as_ref().to_vec()
        }
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random).ok()?.as_ref().to_vec(),
    };
    let pair = Pair::read(algorithm.name(), &private)?;
    Some((thumbprint(&pair.jwk()), private))
}

impl SigningKey {
    /// Reads a private key in PKCS#8.
    pub(super) fn read(algorithm: &str, id: &str, private: &[u8]) -> Option<Self> {
        let pair = Pair::read(algorithm, private)?;
        let mut jwk = pair.jwk();
        jwk["kid"] = id.into();
        jwk["alg"] = algorithm.into();
        jwk["use"] = "sig".into();
        let header = |typ: &str| {
            let header = json!({ "alg": algorithm, "kid": id, "typ": typ }).to_string();
            BASE64_URL_SAFE_NO_PAD.encode(header)
        };
        Some(Self {
            id: id.into(),
            pair,
            jwk,
            header: header("at+jwt"),
            assertion_header: header("doorward-assertion+jwt"),
            random: SystemRandom::new(),
        })
    }

    pub(super) fn id(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }

    pub(super) const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
            Pair::EdDsa(_) => "EdDSA",
        }
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub(super) fn jwk(&self) -> &Value {
        &self.jwk
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn assertion_header(&self) -> &str {
        &self.assertion_header
    }

    /// Signs `text` (RFC 7515 §5.1); `None` if the library fails.
    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Es256(pair) => Some(pair.sign(&self.random, text).ok()?.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &self.random, text, &mut signature).ok()?;
                Some(signature)
            }
            Pair::EdDsa(pair) => Some(pair.sign(text).as_ref().to_vec()),
        }
    }

    /// Whether `signature` is this key's signature of `text`.
    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.pair {
            Pair::Es256(pair) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
                    .verify(text, signature)
            }
            Pair::Rs256(pair) => {
                UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key())
                    .verify(text, signature)
            }
            Pair::EdDsa(pair) => UnparsedPublicKey::new(&signature::ED25519, pair.public_key())
                .verify(text, signature),
        };
        verified.is_ok()
    }
}

impl Pair {
    fn read(algorithm: &str, private: &[u8]) -> Option<Self> {
        Some(match algorithm {
            "ES256" => Self::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).ok()?,
            ),
            "RS256" => Self::Rs256(RsaKeyPair::from_pkcs8(private).ok()?),
            "EdDSA" => Self::EdDsa(Ed25519KeyPair::from_pkcs8(private).ok()?),
            _ => return None,
        })
    }

    /// The members of a thumbprint, in the order of their names (RFC 7638 §3.2).
    fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(pair) => {
                // An uncompressed point (SEC 1 §2.3.3): one marker byte and two coordinates.
                let (x, y) = pair.public_key().as_ref().split_at(1).1.split_at(32);
                json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) })
            }
            Self::Rs256(pair) => {
                let (modulus, exponent) =
                    (pair.public_key().modulus(), pair.public_key().exponent());
                json!({
                    "e": text(exponent.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": text(modulus.big_endian_without_leading_zero()),
                })
            }
            Self::EdDsa(pair) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": text(pair.public_key().as_ref()) })
            }
        }
    }
}

/// The thumbprint of a public key (RFC 7638 §3), which is its `kid`.
fn thumbprint(jwk: &Value) -> String {
    // RFC 7638 requires no spaces, and the order of the names.
    let hash = digest::digest(&digest::SHA256, jwk.to_string().as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_example_in_rfc_7638() {
        let jwk = json!({
            "e": "AQAB",
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_\
                BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F\
                DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v\
                MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        assert_eq!(thumbprint(&jwk), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
