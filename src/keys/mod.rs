//! The keys that sign access tokens (RFC 9068), and the keys derived from the operator's secret: one encrypts the
//! stored signing keys, and the others have one purpose each.
//!
//! [`schedule`] has the rules, without side effects, for when a key is made, signs, and is deleted; [`signing`] has
//! the algorithms. Nodes share the keys through the store, and the secret through their settings.

mod schedule;
mod sealing;
mod secret_file;
mod signing;

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::json;

use self::{
    schedule::{Lifetimes, Phase},
    sealing::{Derived, Sealing},
    signing::SigningKey,
};
pub(crate) use self::{
    secret_file::{NAME as SECRET_FILE, SecretFileError, secret_there, with_secret},
    signing::jwk_schema,
};
use crate::{
    audit::Author,
    clock::Timestamp,
    config::{SigningAlgorithm, TokenConfig},
    entropy::Entropy,
    store::{KeyKept, KeyRecord, Store, StoreError},
};

/// The purpose of the key that encrypts signing keys.
const SIGNING_KEYS: &str = "sealing";

/// The signing and derived keys of the issuer.
pub(crate) struct Keys {
    algorithm: SigningAlgorithm,
    lifetimes: Lifetimes,
    derived: Derived,
    successors: hmac::Key,
    forms: hmac::Key,
    sessions: hmac::Key,
    registrations: hmac::Key,
    entropy: Entropy,
    ring: RwLock<Arc<Ring>>,
}

/// The signing keys as last read, oldest first, and their JWK Set.
#[derive(Default)]
struct Ring {
    keys: Vec<(Timestamp, SigningKey)>,
    jwks: Bytes,
}

/// The state of the stored keys, for the operator.
pub(crate) struct Standing {
    /// Why some keys cannot be used.
    pub(crate) faults: Vec<KeysError>,
    /// The signing key: its `kid` and its algorithm.
    pub(crate) signing: (String, String),
    /// When the next key starts to sign.
    pub(crate) next_signs_from: Timestamp,
    /// Whether the next key is overdue.
    pub(crate) is_due: bool,
    /// How many keys are published.
    pub(crate) published: usize,
}

/// The key that will replace the signing key.
pub(crate) struct Successor {
    pub(crate) key_id: String,
    pub(crate) algorithm: String,
    /// When the key starts to sign; it is published until then, so that caches learn of it.
    pub(crate) signs_from: Timestamp,
    /// Whether the key was made just now.
    pub(crate) is_new: bool,
}

/// Why no token can be signed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store failed.
    #[error("the signing keys cannot be read")]
    Store(#[from] StoreError),
    /// The key was encrypted with another secret, or the stored bytes were changed.
    #[error(
        "signing key {0} cannot be unsealed: token.keys_secret (or keys.secret in the data folder) is not the \
         secret that sealed it; bring that back, or run `doorward key discard` to have new keys made"
    )]
    Sealed(String),
    /// The library could not make or read a key.
    #[error("the signing key {0} cannot be used")]
    Unusable(String),
    /// The store has no key yet.
    #[error("there is no signing key")]
    None,
}

/// The current use of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// The key signs access tokens.
    Signs,
    /// The key is published, and will sign.
    SignsNext,
    /// The key is published until the tokens that it signed have expired.
    Verifies,
}

impl KeyUse {
    pub(crate) const ALL: [Self; 3] = [Self::Signs, Self::SignsNext, Self::Verifies];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Signs => "signs",
            Self::SignsNext => "signs next",
            Self::Verifies => "verifies",
        }
    }
}

/// The use of each stored key, oldest first, on a server with the algorithm of the newest key.
pub(crate) fn uses(kept: &[KeyRecord], now: Timestamp) -> Vec<KeyUse> {
    let made = kept.iter().map(|key| (key.made_at, key.algorithm.as_str()));
    let algorithm = kept.last().map_or("", |key| key.algorithm.as_str());
    let signing = schedule::signing(made, algorithm, now);
    let used = |place: usize| match signing {
        Some(signs) if place == signs => KeyUse::Signs,
        Some(signs) if place > signs => KeyUse::SignsNext,
        _ => KeyUse::Verifies,
    };
    (0..kept.len()).map(used).collect()
}

impl Keys {
    /// The keys of an issuer with these settings, before the store is read.
    ///
    /// Without a configured secret a random one is made, so no other process can decrypt the signing keys.
    pub(crate) fn new(settings: &TokenConfig, entropy: &Entropy) -> Self {
        let secret = settings.keys_secret.reveal();
        let derived = if secret.is_empty() {
            Derived::from(&entropy.bytes::<32>())
        } else {
            Derived::from(secret.as_bytes())
        };
        Self {
            algorithm: settings.algorithm,
            lifetimes: Lifetimes::of(settings),
            successors: derived.hmac("refresh token successors"),
            forms: derived.hmac("forms"),
            sessions: derived.hmac("MCP sessions"),
            registrations: derived.hmac("registration access tokens"),
            derived,
            entropy: entropy.clone(),
            ring: RwLock::default(),
        }
    }

    /// Reads the stored keys, makes a new one when it is due, and deletes those that are not needed any more.
    pub(crate) async fn upkeep(&self, store: &Store, by: &Author) -> Result<(), KeysError> {
        let now = by.at;
        let mut kept = store.keys().await?;
        let name = self.algorithm.name();
        if schedule::is_due(&kept, name, self.lifetimes, now) {
            match self.make(store, &kept, by).await? {
                KeyKept::Kept => tracing::info!(algorithm = name, "a signing key was made"),
                // Another node stored its key first, which serves as well.
                KeyKept::TooLate => {}
            }
            kept = store.keys().await?;
        }
        let phases = schedule::phases(&kept, name, self.lifetimes, now);
        let mut keys = Vec::with_capacity(kept.len());
        for (key, phase) in kept.into_iter().zip(phases) {
            if phase == Phase::Gone {
                store.forget_key(key.key_id, by.clone()).await?;
            } else {
                let made_at = key.made_at;
                keys.push((made_at, self.opened(key)?));
            }
        }
        self.hold(keys);
        Ok(())
    }

    /// Reads the stored keys for a command that verifies: makes none, and deletes none.
    pub(crate) async fn read(&self, store: &Store, now: Timestamp) -> Result<(), KeysError> {
        let kept = store.keys().await?;
        let phases = schedule::phases(&kept, self.algorithm.name(), self.lifetimes, now);
        let published = kept.into_iter().zip(phases).filter(|(_, phase)| *phase != Phase::Gone);
        let keys = published.map(|(key, _)| Ok((key.made_at, self.opened(key)?)));
        self.hold(keys.collect::<Result<_, KeysError>>()?);
        Ok(())
    }

    fn hold(&self, keys: Vec<(Timestamp, SigningKey)>) {
        let public: Vec<_> = keys.iter().map(|(_, key)| key.jwk()).collect();
        let jwks = json!({ "keys": public }).to_string().into();
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Ring { keys, jwks });
    }

    /// Starts an early rotation: makes the next key, unless one is waiting already. The key is published for the
    /// usual time before it signs; nodes read it in their regular upkeep.
    pub(crate) async fn rotate(&self, store: &Store, by: &Author) -> Result<Successor, KeysError> {
        let now = by.at;
        let kept = store.keys().await?;
        if kept.is_empty() {
            return Err(KeysError::None);
        }
        let name = self.algorithm.name();
        let is_new = schedule::waiting(&kept, name, now).is_none()
            && self.make(store, &kept, by).await? == KeyKept::Kept;
        let kept = store.keys().await?;
        let key = schedule::waiting(&kept, name, now).ok_or(KeysError::None)?;
        let signs_from = schedule::next_signs_from(&kept, name, self.lifetimes, now);
        let (key_id, algorithm) = (key.key_id.clone(), key.algorithm.clone());
        Ok(Successor { key_id, algorithm, signs_from, is_new })
    }

    /// Makes a key, unless another node makes one at the same time.
    async fn make(
        &self,
        store: &Store,
        kept: &[KeyRecord],
        by: &Author,
    ) -> Result<KeyKept, KeysError> {
        // A node with the wrong secret makes no key, because no other node could decrypt it.
        for key in kept {
            self.opened(key.clone())?;
        }
        let newest = kept.last().map(|key| key.key_id.clone());
        let name = self.algorithm.name();
        let (key_id, private) = signing::generate(self.algorithm)
            .ok_or_else(|| KeysError::Unusable(name.to_owned()))?;
        let sealed = self.derived.sealing(SIGNING_KEYS).seal(&key_id, &private, &self.entropy);
        let key = KeyRecord { key_id, algorithm: name.to_owned(), made_at: by.at, sealed };
        Ok(store.keep_key(key, newest, by.clone()).await?)
    }

    /// The state of the stored keys; `None` if there are none. Changes nothing.
    pub(crate) fn standing(&self, kept: &[KeyRecord], now: Timestamp) -> Option<Standing> {
        let name = self.algorithm.name();
        let made = kept.iter().map(|key| (key.made_at, key.algorithm.as_str()));
        let signing = &kept[schedule::signing(made, name, now)?];
        let phases = schedule::phases(kept, name, self.lifetimes, now);
        Some(Standing {
            faults: kept.iter().filter_map(|key| self.opened(key.clone()).err()).collect(),
            signing: (signing.key_id.clone(), signing.algorithm.clone()),
            next_signs_from: schedule::next_signs_from(kept, name, self.lifetimes, now),
            is_due: schedule::is_due(kept, name, self.lifetimes, now),
            published: phases.into_iter().filter(|phase| *phase == Phase::Published).count(),
        })
    }

    fn opened(&self, key: KeyRecord) -> Result<SigningKey, KeysError> {
        let private = self
            .derived
            .sealing(SIGNING_KEYS)
            .open(&key.key_id, key.sealed)
            .ok_or_else(|| KeysError::Sealed(key.key_id.clone()))?;
        SigningKey::read(&key.algorithm, &key.key_id, &private)
            .ok_or(KeysError::Unusable(key.key_id))
    }

    /// Signs an access token (RFC 9068 §2) with these claims, one JSON object: a JWT in compact form (RFC 7515 §3.1).
    pub(crate) fn sign(&self, claims: &[u8], now: Timestamp) -> Result<String, KeysError> {
        self.signed(SigningKey::header, claims, now)
    }

    /// Signs an assertion with these claims, one JSON object, for the upstream of a guarded resource.
    pub(crate) fn sign_assertion(
        &self,
        claims: &[u8],
        now: Timestamp,
    ) -> Result<String, KeysError> {
        self.signed(SigningKey::assertion_header, claims, now)
    }

    fn signed(
        &self,
        header: fn(&SigningKey) -> &str,
        claims: &[u8],
        now: Timestamp,
    ) -> Result<String, KeysError> {
        let ring = self.ring();
        let key = self.signing_key(&ring, now)?;
        let header = header(key);
        let mut token = String::with_capacity(header.len() + claims.len() * 2 + 512);
        token.push_str(header);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature =
            key.sign(token.as_bytes()).ok_or_else(|| KeysError::Unusable(key.id().to_string()))?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The identifier of the current signing key.
    pub(crate) fn signing_key_id(&self, now: Timestamp) -> Result<Arc<str>, KeysError> {
        let ring = self.ring();
        self.signing_key(&ring, now).map(SigningKey::id)
    }

    fn signing_key<'r>(&self, ring: &'r Ring, now: Timestamp) -> Result<&'r SigningKey, KeysError> {
        let made = ring.keys.iter().map(|(made_at, key)| (*made_at, key.algorithm()));
        let nth = schedule::signing(made, self.algorithm.name(), now).ok_or(KeysError::None)?;
        ring.keys.get(nth).map(|(_, key)| key).ok_or(KeysError::None)
    }

    /// The claims of an access token with a valid signature; the caller checks its expiry.
    ///
    /// The header is compared byte for byte with the headers that this server writes, and never parsed, so nothing in
    /// it can choose how the signature is checked.
    pub(crate) fn verify(&self, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let ring = self.ring();
        let (_, key) = ring.keys.iter().find(|(_, key)| key.header() == header)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        key.verifies(signed.as_bytes(), &signature)
            .then(|| BASE64_URL_SAFE_NO_PAD.decode(claims).ok())
            .flatten()
    }

    /// The public keys as a JWK Set (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Bytes {
        self.ring().jwks.clone()
    }

    /// The key that derives each refresh token from the last one: the same on all nodes, and secret.
    pub(crate) fn successors(&self) -> &hmac::Key {
        &self.successors
    }

    /// The key that authenticates the forms of pages.
    pub(crate) fn forms(&self) -> &hmac::Key {
        &self.forms
    }

    /// The key that binds an MCP session to the client and the person who began it.
    pub(crate) fn sessions(&self) -> &hmac::Key {
        &self.sessions
    }

    /// The key that makes and verifies registration access tokens.
    pub(crate) fn registrations(&self) -> &hmac::Key {
        &self.registrations
    }

    /// Encrypts a sign-in under way at a provider, for a cookie. Each `state` has a key of its own: strangers can
    /// begin any number of sign-ins, and no key may encrypt that many.
    pub(crate) fn seal_sign_in(&self, state: &str, issuer: &str, sign_in: &[u8]) -> Vec<u8> {
        self.sign_ins(state).seal(issuer, sign_in, &self.entropy)
    }

    /// Decrypts a sign-in that [`Self::seal_sign_in`] encrypted for this `state`, on any node with the operator's
    /// secret.
    pub(crate) fn open_sign_in(
        &self,
        state: &str,
        issuer: &str,
        sealed: Vec<u8>,
    ) -> Option<Vec<u8>> {
        self.sign_ins(state).open(issuer, sealed)
    }

    fn sign_ins(&self, state: &str) -> Sealing {
        self.derived.sealing(&format!("sign-in {state}"))
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Entry point of a fuzz target: signed claims verify; a token that is `altered`, or that lacks our signature, does
/// not.
#[cfg(fuzzing)]
pub(crate) fn fuzz(header: &[u8], claims: &[u8], altered: impl Fn(&str) -> Option<String>) {
    use std::sync::LazyLock;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    static KEYS: LazyLock<Vec<Keys>> = LazyLock::new(|| {
        let of = |algorithm| {
            let settings = TokenConfig { algorithm, ..crate::config::Config::default().token };
            let keys = Keys::new(&settings, &Entropy::seeded(1));
            let (id, private) = signing::generate(algorithm).expect("a key is made");
            let key = SigningKey::read(algorithm.name(), &id, &private);
            let key = key.expect("what was made is read");
            let ring = Ring { keys: vec![(NOW, key)], jwks: Bytes::new() };
            *keys.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
            keys
        };
        [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256].map(of).into()
    });
    // One key an input, because RSA takes as long as all the others together.
    let keys = &KEYS[claims.len() % KEYS.len()];
    let token = keys.sign(claims, NOW).expect("there is a key");
    assert_eq!(keys.verify(&token).as_deref(), Some(claims));
    if let Some(altered) = altered(&token) {
        assert_eq!(keys.verify(&altered), None, "a token was altered: {altered}");
    }
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (ours, signature) = (keys.ring().keys[0].1.header().to_owned(), text(&[0; 64]));
    for header in [&text(header), &ours] {
        for signature in ["", &text(claims), &signature] {
            let forged = format!("{header}.{}.{signature}", text(claims));
            assert_eq!(keys.verify(&forged), None, "a token was forged: {forged}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::store::{self, Access};

    async fn keys_of(algorithm: SigningAlgorithm) -> (tempfile::TempDir, Arc<Store>, Keys) {
        let folder = tempfile::TempDir::new().unwrap();
        let config = Config::default();
        let store = store::open_folder(folder.path(), &config.embedded, Access::Serve).unwrap();
        let settings = TokenConfig { algorithm, ..config.token };
        let keys = Keys::new(&settings, &Entropy::seeded(1));
        keys.upkeep(&store, &by(NOW)).await.unwrap();
        (folder, store, keys)
    }

    fn by(at: Timestamp) -> Author {
        Author::new(crate::audit::Actor::System, at, Entropy::System)
    }

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[tokio::test]
    async fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa]
        {
            let (_folder, _store, keys) = keys_of(algorithm).await;
            let token = keys.sign(b"{\"sub\":\"x\"}", NOW).unwrap();
            assert_eq!(keys.verify(&token).as_deref(), Some(&b"{\"sub\":\"x\"}"[..]));

            let (signed, signature) = token.rsplit_once('.').unwrap();
            let (header, claims) = signed.split_once('.').unwrap();
            let other = BASE64_URL_SAFE_NO_PAD.encode(b"{\"sub\":\"y\"}");
            let none = BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"at+jwt"}"#);
            for forged in [
                format!("{header}.{other}.{signature}"),
                format!("{none}.{claims}."),
                format!("{none}.{claims}.{signature}"),
                format!("{header}.{claims}."),
                format!("{header}.{claims}"),
                format!("{header}.{claims}.{signature}A"),
                String::new(),
                "..".to_owned(),
            ] {
                assert_eq!(keys.verify(&forged), None, "{forged}");
            }
        }
    }

    #[tokio::test]
    async fn a_token_with_any_bit_flipped_is_refused() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa]
        {
            let (_folder, _store, keys) = keys_of(algorithm).await;
            let token = keys.sign(b"{\"sub\":\"x\"}", NOW).unwrap();
            for place in 0..token.len() {
                // The eighth bit would make the text invalid UTF-8.
                for bit in 0..7 {
                    let mut flipped = token.clone().into_bytes();
                    flipped[place] ^= 1 << bit;
                    let flipped = String::from_utf8(flipped).unwrap();
                    assert_eq!(keys.verify(&flipped), None, "{flipped}");
                }
            }
        }
    }

    #[tokio::test]
    async fn another_library_verifies_by_what_is_published() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa]
        {
            let (_folder, _store, keys) = keys_of(algorithm).await;
            let token = keys.sign(b"{\"sub\":\"x\",\"exp\":1900000000}", NOW).unwrap();
            let header = jsonwebtoken::decode_header(&token).unwrap();
            assert_eq!(header.typ.as_deref(), Some("at+jwt"));
            let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&keys.jwks()).unwrap();
            let jwk = jwks.find(header.kid.as_ref().unwrap()).unwrap();
            let mut validation = jsonwebtoken::Validation::new(header.alg);
            validation.validate_exp = false;
            let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
            let read =
                jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation).unwrap();
            assert_eq!(read.claims["sub"], "x");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_rotated_in_is_published_by_whoever_runs_and_signs_a_day_later() {
        let (_folder, store, running) = keys_of(SigningAlgorithm::Es256).await;
        let command = Keys::new(&Config::default().token, &Entropy::seeded(1));
        let later = NOW.after_days(10);
        let old = running.sign(b"{}", later).unwrap();

        let made = command.rotate(&store, &by(later)).await.unwrap();
        assert!(made.is_new);
        assert_eq!(made.signs_from, later.after_days(1));
        let again = command.rotate(&store, &by(later.after_seconds(60))).await.unwrap();
        assert_eq!((again.key_id, again.is_new), (made.key_id.clone(), false));

        running.upkeep(&store, &by(later.after_seconds(60))).await.unwrap();
        let jwks: serde_json::Value = serde_json::from_slice(&running.jwks()).unwrap();
        assert_eq!(jwks["keys"][1]["kid"], made.key_id.as_str());
        let header = |token: &str| token.split('.').next().unwrap().to_owned();
        let before = running.sign(b"{}", later.after_seconds(60)).unwrap();
        assert_eq!(header(&before), header(&old), "not before others can know the new one");
        running.upkeep(&store, &by(made.signs_from)).await.unwrap();
        assert_ne!(header(&running.sign(b"{}", made.signs_from).unwrap()), header(&old));
        assert!(running.verify(&old).is_some(), "until its last token has expired");
        let gone = made.signs_from.after_seconds(900 + 3_600);
        running.upkeep(&store, &by(gone)).await.unwrap();
        assert!(running.verify(&old).is_none());
    }

    #[tokio::test]
    async fn nothing_is_rotated_where_no_key_is_or_with_another_secret() {
        let (_folder, store, _keys) = keys_of(SigningAlgorithm::Es256).await;
        let other = Keys::new(&Config::default().token, &Entropy::seeded(2));
        let later = NOW.after_days(10);
        assert!(matches!(other.rotate(&store, &by(later)).await, Err(KeysError::Sealed(_))));
        let kept = store.keys().await.unwrap();
        assert_eq!(kept.len(), 1);
        store.forget_key(kept[0].key_id.clone(), by(NOW)).await.unwrap();
        assert!(matches!(other.rotate(&store, &by(later)).await, Err(KeysError::None)));
    }

    #[tokio::test]
    async fn keys_live_on_in_the_store_and_open_with_their_secret_alone() {
        let (_folder, store, keys) = keys_of(SigningAlgorithm::Es256).await;
        let token = keys.sign(b"{}", NOW).unwrap();

        let again = Keys::new(&Config::default().token, &Entropy::seeded(1));
        again.upkeep(&store, &by(NOW)).await.unwrap();
        assert_eq!(again.verify(&token).as_deref(), Some(&b"{}"[..]));

        let other = Keys::new(&Config::default().token, &Entropy::seeded(2));
        for now in [NOW, NOW.after_days(90)] {
            let refused = other.upkeep(&store, &by(now)).await.unwrap_err();
            assert!(refused.to_string().contains("token.keys_secret"), "{refused}");
        }
        assert_eq!(store.keys().await.unwrap().len(), 1, "nothing is kept that others cannot open");
        let kept = &store.keys().await.unwrap()[0];
        assert!(!kept.sealed.windows(4).any(|bytes| bytes == b"\x30\x81\x87\x02"), "it is sealed");
    }
}
