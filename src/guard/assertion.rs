//! `Doorward-Assertion`: who sent a request, for the upstream. A JWT (RFC 7519) signed by the keys of the issuer, for
//! one resource and one minute.
//!
//! Its `typ` is not that of an access token (RFC 8725 §3.11): an upstream that forwards one hands out no access.
//!
//! A signature costs more than the rest of a decision. Assertions therefore begin at every fifth second, and requests with
//! the same claims share one until the next, or until another key signs.

use std::hash::{BuildHasher, Hash, Hasher as _, RandomState};

use http::HeaderValue;
use serde::Serialize;
use serde_json::Value;

use super::{
    Authorized, Guarded,
    memory::{Held, Memory},
};
use crate::{
    clock::Timestamp,
    config::OWN_CLAIMS,
    grant::GrantId,
    keys::{Keys, KeysError},
};

/// How long an assertion is valid, in seconds.
const LIFETIME_SECONDS: u64 = 60;
/// How long requests share an assertion, in seconds.
const SHARED_SECONDS: u64 = 5;
/// How many bytes of assertions one generation remembers: some 9,000 of usual length.
const GENERATION_BYTES_MAX: usize = 8 << 20;

/// The assertions that were signed lately, by grant and by a keyed hash of all else that they say.
pub(crate) struct Assertions {
    known: Memory<(GrantId, u64), HeaderValue>,
    hasher: RandomState,
}

impl Held for HeaderValue {
    fn bytes_held(&self) -> usize {
        self.len()
    }
}

impl Default for Assertions {
    fn default() -> Self {
        Self { known: Memory::new(GENERATION_BYTES_MAX), hasher: RandomState::new() }
    }
}

impl Assertions {
    /// An assertion by `issuer` of who is authorized at a resource.
    pub(super) fn of(
        &self,
        keys: &Keys,
        issuer: &str,
        (authorized, guarded): (&Authorized, &Guarded),
        now: Timestamp,
    ) -> Result<HeaderValue, KeysError> {
        let began = began(now);
        let said = self.hash_of(&keys.signing_key_id(now)?, (authorized, guarded), began);
        let key = (authorized.grant, said);
        if let Some(assertion) = self.known.get(&key) {
            return Ok(assertion);
        }
        let identity = Identity::of(authorized, guarded);
        let claims = claims(issuer, &guarded.uri, &identity, began);
        let assertion = keys.sign_assertion(&claims, now)?;
        let assertion = HeaderValue::try_from(assertion).expect("base64url and dots are a header");
        self.known.put(key, assertion.clone());
        Ok(assertion)
    }

    fn hash_of(
        &self,
        signed_by: &str,
        (authorized, guarded): (&Authorized, &Guarded),
        began: u64,
    ) -> u64 {
        let Authorized { subject, client_id, scope, identity, .. } = authorized;
        let mut hash = self.hasher.build_hasher();
        (signed_by, &guarded.uri, began).hash(&mut hash);
        (subject, client_id, scope, &identity.email, &identity.client_name).hash(&mut hash);
        for claim in told(authorized, guarded) {
            claim.hash(&mut hash);
        }
        hash.finish()
    }
}

/// Who sent a request, and what allows it.
#[derive(Clone, Debug)]
struct Identity {
    /// The subject of the access token.
    subject: String,
    /// Their email address, if the provider has verified it.
    email: Option<String>,
    /// The claims of the provider that the operator lists, by name.
    claims: serde_json::Map<String, Value>,
    client_id: String,
    /// As the client registered it.
    client_name: Option<String>,
    /// The scopes of the access token, separated by spaces.
    scope: String,
    grant: GrantId,
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
    fn of(authorized: &Authorized, guarded: &Guarded) -> Self {
        let identity = &authorized.identity;
        let claims = told(authorized, guarded);
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

/// The claims of the provider that the server behind a guard is told.
fn told<'a>(
    authorized: &'a Authorized,
    guarded: &'a Guarded,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    authorized.identity.claims.iter().filter(|(name, _)| guarded.settings.claims.contains(name))
}

/// When the assertions of a moment begin.
fn began(now: Timestamp) -> u64 {
    let now = now.as_seconds();
    now - now % SHARED_SECONDS
}

/// The claims of an assertion, in JSON.
fn claims(issuer: &str, resource: &str, identity: &Identity, began: u64) -> Vec<u8> {
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
        json.extend_from_slice(format!(",{}:{value}}}", Value::from(&**name)).as_bytes());
    }
    json
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
    use serde_json::json;

    use super::*;
    use crate::{
        audit::{Actor, Author},
        config::{self, Config, Sources},
        entropy::Entropy,
        store::{self, Access, Store},
        stored_identity::StoredIdentity,
    };

    fn by(at: Timestamp) -> Author {
        Author::new(Actor::System, at, Entropy::System)
    }

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const ISSUER: &str = "https://door.example";
    const RESOURCE: &str = "https://mcp.example.com/mcp";

    fn guarded(uri: &str) -> Guarded {
        let resources = format!(r#"[{{ uri = "{uri}", guard = {{ id = "tools" }} }}]"#);
        let flags = vec![("authorization.resources", resources)];
        let config = config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap();
        let mut guarded = Guarded::of(&config.authorization.resources[0], &config).unwrap();
        // Settings refuse the claims of Doorward; here, they lose against them.
        guarded.settings.claims = ["groups", "sub", "exp", "a\"b"].map(Into::into).to_vec();
        guarded
    }

    fn alice() -> Authorized {
        let claims = json!({
            "groups": ["eng"], "sub": "root", "exp": 9_999_999_999_u64, "a\"b": 1, "phone": "1",
        });
        let identity = StoredIdentity {
            email: Some("alice@acme.example".into()),
            claims: claims.as_object().unwrap().clone(),
            client_name: Some("Tools \"x\"".into()),
            ..StoredIdentity::default()
        };
        Authorized {
            subject: "acme|alice".into(),
            client_id: "c1".into(),
            grant: GrantId::from_bytes([7; 16]),
            scope: "tools:read".into(),
            granted: "tools:read".into(),
            expires_at: NOW,
            identity: Arc::new(identity),
        }
    }

    fn assertion(keys: &Keys, authorized: &Authorized, now: Timestamp) -> HeaderValue {
        let of = (authorized, &guarded(RESOURCE));
        Assertions::default().of(keys, ISSUER, of, now).unwrap()
    }

    async fn keys() -> (tempfile::TempDir, Arc<Store>, Keys) {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let keys = Keys::new(&config.token, &Entropy::seeded(1));
        keys.upkeep(&store, &by(NOW)).await.unwrap();
        (folder, store, keys)
    }

    #[tokio::test]
    async fn an_upstream_verifies_an_assertion_by_the_published_keys() {
        let (_folder, _store, keys) = keys().await;
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
        let (_folder, _store, keys) = keys().await;
        let text = assertion(&keys, &alice(), NOW);
        assert_eq!(keys.verify(text.to_str().unwrap()), None);
        let token = keys.sign(b"{}", NOW).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    }

    #[tokio::test]
    async fn requests_with_the_same_claims_share_an_assertion_for_a_moment() {
        let (_folder, _store, keys) = keys().await;
        let assertions = Assertions::default();
        let of = |authorized: &Authorized, resource: &str, now: Timestamp| {
            assertions.of(&keys, ISSUER, (authorized, &guarded(resource)), now).unwrap()
        };
        let first = of(&alice(), RESOURCE, NOW);
        assert_eq!(of(&alice(), RESOURCE, NOW.after_seconds(4)), first);
        assert_ne!(of(&alice(), RESOURCE, NOW.after_seconds(5)), first);
        assert_ne!(of(&alice(), "https://other.example/", NOW), first);
        let with = |change: fn(&mut StoredIdentity)| {
            let mut identity = (*alice().identity).clone();
            change(&mut identity);
            Authorized { identity: Arc::new(identity), ..alice() }
        };
        for other in [
            Authorized { scope: String::new(), ..alice() },
            Authorized { subject: "acme|bob".into(), ..alice() },
            Authorized { client_id: "c2".into(), ..alice() },
            Authorized { grant: GrantId::from_bytes([8; 16]), ..alice() },
            with(|identity| identity.email = None),
            with(|identity| identity.client_name = None),
            with(|identity| identity.add("groups", &json!(["ops"]))),
        ] {
            assert_ne!(of(&other, RESOURCE, NOW), first, "{other:?}");
        }
        // A claim that the server is not told of makes no difference.
        assert_eq!(of(&with(|identity| identity.add("phone", &json!("2"))), RESOURCE, NOW), first);
    }

    #[tokio::test]
    async fn no_request_gets_an_assertion_of_a_discarded_key() {
        let (_folder, store, keys) = keys().await;
        let assertions = Assertions::default();
        let of_alice = |keys: &Keys| {
            let assertion = assertions.of(keys, ISSUER, (&alice(), &guarded(RESOURCE)), NOW);
            assertion.unwrap().to_str().unwrap().to_owned()
        };
        let kid = |text: &str| jsonwebtoken::decode_header(text).unwrap().kid.unwrap();
        let discarded = kid(&of_alice(&keys));
        store.forget_key(discarded.clone(), by(NOW)).await.unwrap();
        keys.upkeep(&store, &by(NOW)).await.unwrap();
        assert_ne!(kid(&of_alice(&keys)), discarded);
    }
}
