//! A provider with known keys, for a fuzz target: it signs any header and claims.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, jwk::Jwk};
use serde_json::{Value, json};

use super::id_token::{self, Expected};
use crate::clock::Timestamp;

const NOW: u64 = 1_800_000_000;
const EXPECTED: Expected<'static> = Expected {
    issuer: "https://login.example",
    client_id: "doorward",
    nonce: "n",
    access_token: Some("access"),
    algorithms: &[
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ],
    now: Timestamp::from_millis(NOW * 1_000),
};

struct Provider {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    published: Vec<Jwk>,
}

static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key is made");
    let ed = Ed25519KeyPair::generate().expect("a key is made");
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = ec.public_key().as_ref()[1..].split_at(32);
    let published = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "ec", "x": text(x), "y": text(y) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": text(ed.public_key().as_ref()) },
    ] });
    let published = id_token::keys(published.to_string().as_bytes()).expect("it is a key set");
    Provider { ec, ed, published }
});

fn is_accepted(token: &str) -> bool {
    id_token::verify(token, &PROVIDER.published, &EXPECTED).is_ok()
}

/// Checks that a token the provider did not sign is rejected.
pub(super) fn token(token: &str) {
    assert!(!is_accepted(token), "a token was forged");
}

/// Checks that an unsigned token is rejected, that a signed one is accepted only if its claims are valid, and that
/// the accepted token is rejected once `altered`.
pub(super) fn id_token(header: &[u8], claims: &[u8], altered: impl Fn(&str) -> Option<String>) {
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", text(header), text(claims));
    for signature in ["", &text(header), &text(&[0; 64])] {
        token(&format!("{signed}.{signature}"));
    }
    let by_ec = PROVIDER.ec.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
    let by_ed = PROVIDER.ed.sign(signed.as_bytes());
    for (algorithm, id, signature) in
        [("ES256", "ec", by_ec.as_ref()), ("EdDSA", "ed", by_ed.as_ref())]
    {
        let by_provider = format!("{signed}.{}", text(signature));
        if is_accepted(&by_provider) {
            check(header, claims, algorithm, id);
            if let Some(altered) = altered(&by_provider) {
                assert!(!is_accepted(&altered), "a token was altered: {altered}");
            }
        }
    }
    // Each input tries at least this valid token.
    let good = good(claims);
    assert!(is_accepted(&good), "a good token is refused");
    if let Some(altered) = altered(&good) {
        assert!(!is_accepted(&altered), "a good token was altered: {altered}");
    }
}

/// A valid token with this subject.
fn good(subject: &[u8]) -> String {
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let claims = json!({
        "iss": EXPECTED.issuer, "aud": EXPECTED.client_id, "nonce": EXPECTED.nonce,
        "iat": NOW, "exp": NOW + 300, "sub": String::from_utf8_lossy(subject),
    });
    let header = text(br#"{"alg":"EdDSA","kid":"ed"}"#);
    let signed = format!("{header}.{}", text(claims.to_string().as_bytes()));
    let signature = PROVIDER.ed.sign(signed.as_bytes());
    format!("{signed}.{}", text(signature.as_ref()))
}

/// Checks the claims of an accepted token again, by independent code.
fn check(header: &[u8], claims: &[u8], algorithm: &str, id: &str) {
    let header: Value = serde_json::from_slice(header).expect("an accepted header is JSON");
    assert_eq!(header["alg"], algorithm);
    assert!(header["kid"].is_null() || header["kid"] == id, "another key is named: {header}");
    assert!(header["crit"].is_null(), "an extension that is not understood: {header}");
    let claims: Value = serde_json::from_slice(claims).expect("accepted claims are JSON");
    assert_eq!(claims["iss"], EXPECTED.issuer);
    assert_eq!(claims["nonce"], EXPECTED.nonce);
    let is_for_us = claims["aud"] == EXPECTED.client_id
        || claims["aud"].as_array().is_some_and(|all| all.contains(&json!(EXPECTED.client_id)));
    assert!(is_for_us, "it is another's: {claims}");
    let seconds = |name: &str| claims[name].as_f64().expect("a moment is a number");
    #[expect(clippy::cast_precision_loss, reason = "a moment of this century")]
    let now = NOW as f64;
    assert!(seconds("exp") > now - 61.0 && seconds("iat") < now + 61.0, "not now: {claims}");
}
