//! Validates ID tokens (OpenID Connect Core 1.0 §3.1.3.7).

use aws_lc_rs::digest;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// The allowed difference between the clocks of the provider and of this machine, in seconds.
const LEEWAY_SECONDS: u64 = 60;

/// The values that an ID token must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'sign_in> {
    pub(super) issuer: &'sign_in str,
    pub(super) client_id: &'sign_in str,
    pub(super) nonce: &'sign_in str,
    /// The access token of the same response.
    pub(super) access_token: Option<&'sign_in str>,
    /// The accepted signature algorithms.
    pub(super) algorithms: &'sign_in [Algorithm],
    pub(super) now: Timestamp,
}

/// Why an ID token is rejected. The error holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenError {
    #[error("its ID token cannot be read")]
    Unreadable,
    #[error("its ID token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// The set has no key for this token; the provider may have published a newer one.
    #[error("its ID token is signed with a key that it does not publish")]
    UnknownKey,
    #[error("the signature of its ID token is wrong")]
    Signature,
    #[error("{0} of its ID token is not what it must be")]
    Claim(&'static str),
}

/// The readable keys of a JWK Set (RFC 7517 §5); `None` if the document is not a JWK Set.
pub(super) fn keys(document: &[u8]) -> Option<Vec<Jwk>> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let keys = document.get("keys")?.as_array()?;
    Some(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect())
}

/// The claims of `token`, if one of the keys signed it and it has the expected values.
pub(super) fn verify(
    token: &str,
    keys: &[Jwk],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, IdTokenError> {
    let (algorithm, claims) = verify_signature(token, keys, expected.algorithms)?;
    check_claims(&claims, expected)?;
    check_access_token(&claims, algorithm, expected.access_token)?;
    Ok(claims)
}

fn verify_signature(
    token: &str,
    keys: &[Jwk],
    algorithms: &[Algorithm],
) -> Result<(Algorithm, Map<String, Value>), IdTokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| IdTokenError::Unreadable)?;
    // No critical extension is supported (RFC 7515 §4.1.11).
    if header.crit.is_some() {
        return Err(IdTokenError::Unreadable);
    }
    if !algorithms.contains(&header.alg) {
        return Err(IdTokenError::Algorithm);
    }
    let mut fitting = keys.iter().filter(|key| fits(key, header.kid.as_deref(), header.alg));
    let key = fitting.next().ok_or(IdTokenError::UnknownKey)?;
    // With several keys, the token must name its key (§10.1).
    if header.kid.is_none() && fitting.next().is_some() {
        return Err(IdTokenError::UnknownKey);
    }
    let key = DecodingKey::from_jwk(key).map_err(|_| IdTokenError::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    // The claims are checked below, by our clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode(token, &key, &validation);
    let decoded = decoded.map_err(|_| IdTokenError::Signature)?;
    Ok((header.alg, decoded.claims))
}

/// Whether a key may have signed the token: its identifier matches, and it is not for another algorithm or use.
fn fits(key: &Jwk, id: Option<&str>, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_named = id.is_none() || common.key_id.as_deref() == id;
    let signs = common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature);
    let signs_so = common.key_algorithm.is_none_or(|named| named == algorithm.into());
    let is_of_kind = DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == algorithm.family());
    is_named && signs && signs_so && is_of_kind
}

/// Whether a key can verify tokens of one of these algorithms.
pub(super) fn is_usable(key: &Jwk, algorithms: &[Algorithm]) -> bool {
    algorithms.iter().any(|algorithm| fits(key, key.common.key_id.as_deref(), *algorithm))
}

fn check_claims(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), IdTokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let now = expected.now.as_seconds();
    require(text("iss") == Some(expected.issuer), "iss")?;
    let is_ours = |audience: &Value| audience.as_str() == Some(expected.client_id);
    let (is_for_us, is_for_others) = match claims.get("aud") {
        Some(Value::Array(all)) => (all.iter().any(is_ours), !all.iter().all(is_ours)),
        Some(one) => (is_ours(one), false),
        None => (false, false),
    };
    require(is_for_us, "aud")?;
    let is_presented_by_us = text("azp") == Some(expected.client_id);
    require(is_presented_by_us || !is_for_others && !claims.contains_key("azp"), "azp")?;
    require(
        seconds(claims, "exp").is_some_and(|at| now < at.saturating_add(LEEWAY_SECONDS)),
        "exp",
    )?;
    require(seconds(claims, "iat").is_some_and(|at| at <= now + LEEWAY_SECONDS), "iat")?;
    let is_begun = !claims.contains_key("nbf")
        || seconds(claims, "nbf").is_some_and(|at| at <= now + LEEWAY_SECONDS);
    require(is_begun, "nbf")?;
    require(text("nonce") == Some(expected.nonce), "nonce")
}

/// Checks `at_hash` (§3.1.3.8). The access token itself is not used, but an exchanged one shows tampering.
fn check_access_token(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    access_token: Option<&str>,
) -> Result<(), IdTokenError> {
    let (Some(hash), Some(token)) = (claims.get("at_hash"), access_token) else { return Ok(()) };
    let by = match algorithm {
        Algorithm::ES384 => &digest::SHA384,
        // Ed25519 uses SHA-512 itself.
        Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let digest = digest::digest(by, token.as_bytes());
    let (half, _) = digest.as_ref().split_at(digest.as_ref().len() / 2);
    require(hash.as_str() == Some(&BASE64_URL_SAFE_NO_PAD.encode(half)), "at_hash")
}

/// A claim in seconds, which some providers write with a fraction (RFC 7519 §2, `NumericDate`).
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    let number = claims.get(name)?;
    let whole = || {
        let number = number.as_f64().filter(|number| (0.0..1e12).contains(number))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in these bounds"
        )]
        Some(number as u64)
    };
    number.as_u64().or_else(whole)
}

fn require(is_so: bool, claim: &'static str) -> Result<(), IdTokenError> {
    is_so.then_some(()).ok_or(IdTokenError::Claim(claim))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
        },
    };
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const EXPECTED: Expected<'static> = Expected {
        issuer: "https://login.example",
        client_id: "doorward",
        nonce: "n",
        access_token: Some("access"),
        algorithms: &[Algorithm::RS256, Algorithm::ES256],
        now: Timestamp::from_millis(NOW * 1_000),
    };

    /// A provider's key pair: the private key, and the published JWK.
    struct ProviderKey {
        private: EncodingKey,
        published: Value,
    }

    fn key(id: &str) -> ProviderKey {
        let algorithm: &'static EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let published =
            json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "kid": id });
        ProviderKey { private: EncodingKey::from_ec_der(document.as_ref()), published }
    }

    fn set(published: &[&Value]) -> Vec<Jwk> {
        keys(json!({ "keys": published }).to_string().as_bytes()).unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://login.example", "aud": "doorward", "sub": "7", "nonce": "n",
            "iat": NOW, "exp": NOW + 300,
        })
    }

    fn header(id: Option<&str>) -> Header {
        Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::ES256) }
    }

    fn signed(key: &ProviderKey, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &key.private).unwrap()
    }

    /// The result for valid claims with one value changed.
    fn with(name: &str, value: Value) -> Result<(), IdTokenError> {
        let key = key("a");
        let mut claims = claims();
        claims[name] = value;
        let token = signed(&key, &header(Some("a")), &claims);
        verify(&token, &set(&[&key.published]), &EXPECTED).map(|_| ())
    }

    #[test]
    fn every_claim_of_an_id_token_is_checked() {
        let half = |token: &str| {
            let digest = digest::digest(&digest::SHA256, token.as_bytes());
            json!(BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]))
        };
        for (name, good, bad) in [
            ("iss", json!("https://login.example"), json!("https://login.example/")),
            ("aud", json!(["doorward"]), json!("other")),
            ("aud", json!("doorward"), json!(["doorward", "other"])),
            ("aud", json!("doorward"), Value::Null),
            ("azp", json!("doorward"), json!("other")),
            ("exp", json!(NOW - 59), json!(NOW - 60)),
            ("exp", json!(f64::from(u32::try_from(NOW).unwrap()) + 0.5), json!("soon")),
            ("iat", json!(NOW + 60), json!(NOW + 61)),
            ("iat", json!(NOW - 9), Value::Null),
            ("nbf", json!(NOW + 60), json!(NOW + 61)),
            ("nonce", json!("n"), json!("m")),
            ("nonce", json!("n"), Value::Null),
            ("at_hash", half("access"), half("another")),
        ] {
            assert_eq!(with(name, good.clone()), Ok(()), "{name}: {good}");
            let claim = if bad == json!(["doorward", "other"]) { "azp" } else { name };
            assert_eq!(with(name, bad.clone()), Err(IdTokenError::Claim(claim)), "{name}: {bad}");
        }
    }

    #[test]
    fn an_id_token_is_verified_with_the_key_it_names() {
        let (one, other) = (key("a"), key("b"));
        let both = set(&[&one.published, &other.published]);
        let verdict = |token: &str, keys: &[Jwk]| verify(token, keys, &EXPECTED).map(|_| ());
        let token = signed(&one, &header(Some("a")), &claims());
        assert_eq!(verdict(&token, &both), Ok(()));
        assert_eq!(verdict(&token, &set(&[&other.published])), Err(IdTokenError::UnknownKey));
        let lying = signed(&other, &header(Some("a")), &claims());
        assert_eq!(verdict(&lying, &both), Err(IdTokenError::Signature));
        let nameless = signed(&one, &header(None), &claims());
        assert_eq!(verdict(&nameless, &set(&[&one.published])), Ok(()));
        assert_eq!(verdict(&nameless, &both), Err(IdTokenError::UnknownKey));
        for (member, value) in [("use", json!("enc")), ("alg", json!("RS256"))] {
            let mut published = one.published.clone();
            published[member] = value;
            assert_eq!(
                verdict(&token, &set(&[&published])),
                Err(IdTokenError::UnknownKey),
                "{member}"
            );
        }
    }

    #[test]
    fn an_algorithm_that_is_not_on_the_list_is_refused() {
        let key = key("a");
        let keys = set(&[&key.published]);
        let token = signed(&key, &header(Some("a")), &claims());
        let only_rsa = Expected { algorithms: &[Algorithm::RS256], ..EXPECTED };
        assert_eq!(verify(&token, &keys, &only_rsa), Err(IdTokenError::Algorithm));
        // Signed with the public key as if it were an HMAC secret.
        let x = key.published["x"].as_str().unwrap();
        let confused = Header { kid: Some("a".into()), ..Header::new(Algorithm::HS256) };
        let secret = EncodingKey::from_secret(x.as_bytes());
        let token = jsonwebtoken::encode(&confused, &claims(), &secret).unwrap();
        assert_eq!(verify(&token, &keys, &EXPECTED), Err(IdTokenError::Algorithm));
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let none = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims().to_string()));
        assert_eq!(verify(&none, &keys, &EXPECTED), Err(IdTokenError::Unreadable));
        let header = Header { crit: Some(vec!["x".into()]), ..header(Some("a")) };
        let critical = signed(&key, &header, &claims());
        assert_eq!(verify(&critical, &keys, &EXPECTED), Err(IdTokenError::Unreadable));
        for nonsense in ["", "a.b", "a.b.c", "\u{e9}.\u{e9}.\u{e9}"] {
            assert_eq!(verify(nonsense, &keys, &EXPECTED), Err(IdTokenError::Unreadable));
        }
    }

    #[test]
    fn keys_that_cannot_be_read_do_not_spoil_the_others() {
        let key = key("a");
        let strange = json!({ "kty": "new", "kid": "z" });
        assert_eq!(
            set(&[&strange, &json!(1), &key.published])
                .iter()
                .filter(|key| fits(key, None, Algorithm::ES256))
                .count(),
            1
        );
        assert!(keys(b"[]").is_none());
        assert!(keys(b"{\"keys\":1}").is_none());
    }
}
