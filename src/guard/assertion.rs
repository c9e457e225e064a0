//! `Doorward-Assertion`: who sent a request, for the upstream. A JWT (RFC 7519) signed by the keys of the issuer, for
//! one resource and one minute.
//!
//! Its `typ` is not that of an access token (RFC 8725 §3.11): an upstream that forwards one hands out no access.
//!
//! A signature costs more than the rest of a decision. Assertions therefore begin at every fifth second, and requests with
//! the same claims share one until the next.

use http::HeaderValue;
use serde::Serialize;

use super::{Authorized, Guarded, memory::Memory};
use crate::{
    clock::Timestamp,
    config::OWN_CLAIMS,
    grant::GrantId,
    keys::{Keys, KeysError},
    secret::SecretHash,
};

/// How long an assertion is valid, in seconds.
const LIFETIME_SECONDS: u64 = 60;
/// How long requests share an assertion, in seconds.
const SHARED_SECONDS: u64 = 5;
/// How many assertions one generation remembers: less than 10 MB.
const GENERATION_MAX: usize = 8_192;

/// The assertions that were signed lately, by the hash of their claims.
pub(crate) struct Assertions(Memory<[u8; 32], HeaderValue>);

impl Default for Assertions {
    fn default() -> Self {
        Self(Memory::new(GENERATION_MAX))
    }
}

impl Assertions {
    /// An assertion of `identity` for `resource`.
    pub(crate) fn of(
        &self,
        keys: &Keys,
        (issuer, resource): (&str, &str),
        identity: &Identity,
        now: Timestamp,
    ) -> Result<HeaderValue, KeysError> {
        let claims = claims(issuer, resource, identity, now);
        let hash = *SecretHash::of(&claims).as_bytes();
        if let Some(assertion) = self.0.get(&hash) {
            return Ok(assertion);
        }
        let assertion = keys.sign_assertion(&claims, now)?;
        let assertion = HeaderValue::try_from(assertion).expect("base64url and dots are a header");
        self.0.put(hash, assertion.clone());
        Ok(assertion)
    }
}

/// Who sent a request, and what allows it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The subject of the access token.
    pub(crate) subject: String,
    /// Their email address, if the provider has verified it.
    pub(crate) email: Option<String>,
    /// The claims of the provider that the operator lists, by name.
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
    pub(crate) client_id: String,
    /// As the client registered it.
    pub(crate) client_name: Option<String>,
    /// The scopes of the access token, separated by spaces.
    pub(crate) scope: String,
    pub(crate) grant: GrantId,
}

/// The claims of an assertion. Those of Doorward come last, so that no listed claim replaces one.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<&'a str>,
    scope: &'a str,
    grant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

impl Identity {
    /// Who is authorized, as the server behind a guard is told.
    pub(super) fn of(authorized: &Authorized, guarded: &Guarded) -> Self {
        let identity = &authorized.identity;
        let is_told = |name: &String| guarded.settings.claims.contains(name);
        let claims = identity.claims.iter().filter(|(name, _)| is_told(name));
        Self {
            subject: authorized.subject.clone(),
            email: identity.email.clone(),
            claims: claims.map(|(name, value)| (name.clone(), value.clone())).collect(),
            client_id: authorized.client_id.clone(),
            client_name: identity.client_name.clone(),
            scope: authorized.scope.clone(),
            grant: authorized.grant,
        }
    }
}

/// The claims of an assertion, in JSON: the same for as long as requests share one.
fn claims(issuer: &str, resource: &str, identity: &Identity, now: Timestamp) -> Vec<u8> {
    let now = now.as_seconds();
    let began = now - now % SHARED_SECONDS;
    let claims = Claims {
        iss: issuer,
        aud: resource,
        sub: &identity.subject,
        iat: began,
        exp: began + LIFETIME_SECONDS,
        client_id: &identity.client_id,
        client_name: identity.client_name.as_deref(),
        scope: &identity.scope,
        grant: identity.grant.to_string(),
        email: identity.email.as_deref(),
        email_verified: identity.email.as_ref().map(|_| true),
    };
    let mut json = serde_json::to_vec(&claims).expect("claims are strings and numbers");
    let listed = identity.claims.iter().filter(|(name, _)| !OWN_CLAIMS.contains(&name.as_str()));
    for (name, value) in listed {
        json.pop();
        json.extend_from_slice(
            format!(",{}:{value}}}", serde_json::Value::from(&**name)).as_bytes(),
        );
    }
    json
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        config::Config,
        entropy::Entropy,
        store::{self, Access},
    };

    fn by(at: Timestamp) -> crate::audit::Author {
        crate::audit::Author::new(crate::audit::Actor::System, at, Entropy::System)
    }

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const ISSUER: &str = "https://door.example";
    const RESOURCE: &str = "https://mcp.example.com/mcp";

    fn alice() -> Identity {
        let claims =
            json!({ "groups": ["eng"], "sub": "root", "exp": 9_999_999_999_u64, "a\"b": 1 });
        Identity {
            subject: "acme|alice".into(),
            email: Some("alice@acme.example".into()),
            claims: claims.as_object().unwrap().clone(),
            client_id: "c1".into(),
            client_name: Some("Tools \"x\"".into()),
            scope: "tools:read".into(),
            grant: GrantId::from_bytes([7; 16]),
        }
    }

    fn assertion(keys: &Keys, identity: &Identity, now: Timestamp) -> HeaderValue {
        Assertions::default().of(keys, (ISSUER, RESOURCE), identity, now).unwrap()
    }

    async fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let keys = Keys::new(&config.token, &Entropy::seeded(1));
        keys.upkeep(&store, &by(NOW)).await.unwrap();
        (folder, keys)
    }

    #[tokio::test]
    async fn an_upstream_verifies_an_assertion_by_the_published_keys() {
        let (_folder, keys) = keys().await;
        let text = assertion(&keys, &alice(), NOW);
        let text = text.to_str().unwrap();
        let jwks: JwkSet = serde_json::from_slice(&keys.jwks()).unwrap();
        let header = jsonwebtoken::decode_header(text).unwrap();
        assert_eq!(header.typ.as_deref(), Some("doorward-assertion+jwt"));
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[RESOURCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        let key = jwks.find(header.kid.as_ref().unwrap()).unwrap();
        let key = DecodingKey::from_jwk(key).unwrap();
        let read = jsonwebtoken::decode::<Value>(text, &key, &validation).unwrap();
        let expected = json!({
            "iss": ISSUER,
            "aud": RESOURCE,
            "sub": "acme|alice",
            "iat": 1_800_000_000,
            "exp": 1_800_000_060,
            "client_id": "c1",
            "client_name": "Tools \"x\"",
            "scope": "tools:read",
            "grant": GrantId::from_bytes([7; 16]).to_string(),
            "email": "alice@acme.example",
            "email_verified": true,
            "groups": ["eng"],
            "a\"b": 1,
        });
        assert_eq!(read.claims, expected);
    }

    #[tokio::test]
    async fn an_assertion_is_no_access_token_and_an_access_token_is_no_assertion() {
        let (_folder, keys) = keys().await;
        let text = assertion(&keys, &alice(), NOW);
        assert_eq!(keys.verify(text.to_str().unwrap()), None);
        let token = keys.sign(b"{}", NOW).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    }

    #[tokio::test]
    async fn requests_with_the_same_claims_share_an_assertion_for_a_moment() {
        let (_folder, keys) = keys().await;
        let assertions = Assertions::default();
        let of = |identity: &Identity, resource: &str, now: Timestamp| {
            assertions.of(&keys, (ISSUER, resource), identity, now).unwrap()
        };
        let first = of(&alice(), RESOURCE, NOW);
        assert_eq!(of(&alice(), RESOURCE, NOW.after_seconds(4)), first);
        assert_ne!(of(&alice(), RESOURCE, NOW.after_seconds(5)), first);
        assert_ne!(of(&alice(), "https://other.example", NOW), first);
        let narrowed = Identity { scope: String::new(), ..alice() };
        assert_ne!(of(&narrowed, RESOURCE, NOW), first);
        let bob = Identity { subject: "acme|bob".into(), ..alice() };
        assert_ne!(of(&bob, RESOURCE, NOW), first);
    }
}
