//! An OpenID Provider: fetches its metadata and keys, and redeems codes. Its metadata and keys are cached for an
//! hour; its tokens are dropped once the person's identity is known.

#[cfg(fuzzing)]
mod fuzz;
mod id_token;
mod metadata;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode};
use jsonwebtoken::jwk::Jwk;
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, task, time::timeout};
use url::{Url, form_urlencoded};

pub(crate) use self::id_token::IdTokenError;
use self::{
    id_token::Expected,
    metadata::{ProviderMetadata, ProviderMetadataError},
};
use crate::{
    clock::Timestamp,
    config,
    http::{
        fetch::{FetchError, Fetched, Fetcher, Reach},
        single_flight::SingleFlight,
    },
    internet::{Internet, Place},
    traces::{StepSpan, around},
};

/// The most bytes of a response: a key set with many certificates, or an ID token with many groups.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// How long a provider may take for one response.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long metadata and keys are cached.
const KEPT_SECONDS: u64 = 3_600;

/// The least time between two fetches of keys that a token with an unknown key causes.
const UNKNOWN_KEY_EVERY_SECONDS: u64 = 60;

/// How many requests to all providers run at once; more of them wait.
const REQUESTS_MAX: usize = 64;

type Flights<T> = SingleFlight<String, Result<Arc<T>, Arc<ProviderError>>>;

/// All configured providers.
pub(crate) struct Providers {
    all: Vec<Provider>,
    fetcher: Fetcher,
    /// Fetches of metadata and of the first keys, by the provider's `id`.
    metadata_flights: Flights<ProviderMetadata>,
    keys_flights: Flights<[Jwk]>,
    places: Arc<Semaphore>,
}

/// One provider.
pub(crate) struct Provider {
    pub(crate) settings: config::Provider,
    published: Mutex<Published>,
    /// Locked during a fetch of keys that a token with an unknown key causes.
    asked_again: tokio::sync::Mutex<AskedAgain>,
}

/// The cached metadata and keys of a provider.
#[derive(Default)]
struct Published {
    metadata: Option<(Timestamp, Arc<ProviderMetadata>)>,
    keys: Option<(Timestamp, Arc<[Jwk]>)>,
}

/// When a token with an unknown key last caused a fetch.
#[derive(Default)]
struct AskedAgain(Option<Timestamp>);

impl AskedAgain {
    /// Whether the keys may be fetched again: tokens with made-up keys must not cause fetches without end.
    fn may_ask_again(&mut self, now: Timestamp) -> bool {
        let is_soon = |at: Timestamp| now < at.after_seconds(UNKNOWN_KEY_EVERY_SECONDS);
        if self.0.is_some_and(is_soon) {
            return false;
        }
        self.0 = Some(now);
        true
    }
}

/// Why a sign-in at a provider failed. `Display` holds nothing of the provider's responses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("its metadata could not be fetched")]
    Metadata(#[source] FetchError),
    #[error(transparent)]
    MetadataContent(#[from] ProviderMetadataError),
    #[error("its keys could not be fetched")]
    Keys(#[source] FetchError),
    #[error("its keys cannot be read")]
    KeysContent,
    /// No published key fits the accepted algorithms. Only `doctor` reports this; a sign-in fails on its token
    /// instead.
    #[error("none of its keys fits an algorithm that it signs with and that is accepted here")]
    NoUsableKey,
    #[error("its token endpoint could not be asked")]
    Token(#[source] FetchError),
    #[error("its token endpoint refused the code with status {}", .0.as_u16())]
    CodeRefused(StatusCode),
    #[error("its token endpoint answered with no ID token")]
    NoIdToken,
    #[error("the file with our secret cannot be read")]
    Secret(#[source] std::io::Error),
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
    /// The shared outcome of a fetch that several sign-ins waited for.
    #[error(transparent)]
    Shared(Arc<Self>),
}

/// The result of a trial of a provider.
pub(crate) struct Tried {
    /// Whether the client secret's file can be read, if one is configured.
    pub(crate) secret: Result<(), ProviderError>,
    pub(crate) metadata: Result<(), ProviderError>,
    /// The number of usable keys; `None` if the metadata could not be fetched.
    pub(crate) keys: Option<Result<usize, ProviderError>>,
}

/// A code, and the values that its ID token must have.
pub(crate) struct Exchange<'sign_in> {
    pub(crate) code: &'sign_in str,
    pub(crate) verifier: &'sign_in str,
    pub(crate) redirect_uri: &'sign_in str,
    pub(crate) nonce: &'sign_in str,
    pub(crate) now: Timestamp,
}

impl Providers {
    pub(crate) fn new(settings: &[config::Provider], internet: Internet) -> Self {
        let provider = |settings: &config::Provider| Provider {
            settings: settings.clone(),
            published: Mutex::default(),
            asked_again: tokio::sync::Mutex::default(),
        };
        Self {
            all: settings.iter().map(provider).collect(),
            fetcher: Fetcher::new(internet, Reach::Configured, ANSWER_BYTES_MAX, ANSWER_WITHIN),
            metadata_flights: SingleFlight::default(),
            keys_flights: SingleFlight::default(),
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    /// The provider with this `id` in the settings.
    pub(crate) fn named(&self, id: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.settings.id == id)
    }

    /// The provider's metadata. Concurrent sign-ins share one fetch.
    pub(crate) async fn metadata(
        &self,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Arc<ProviderMetadata>, ProviderError> {
        if let Some(kept) = provider.kept(|published| &published.metadata, now) {
            return Ok(kept);
        }
        let fetched = async { self.fetch_metadata(provider, now).await.map_err(Arc::new) };
        let shared = self.metadata_flights.join(&provider.settings.id, fetched).await;
        shared.map_err(ProviderError::Shared)
    }

    async fn fetch_metadata(
        &self,
        provider: &Provider,
        now: Timestamp,
    ) -> Result<Arc<ProviderMetadata>, ProviderError> {
        // Another sign-in may have stored the metadata since the first look.
        if let Some(kept) = provider.kept(|published| &published.metadata, now) {
            return Ok(kept);
        }
        let issuer = &provider.settings.issuer;
        // OpenID Connect Discovery 1.0 §4.1: the slash at the issuer's end is dropped from the address only.
        let below = issuer.strip_suffix('/').unwrap_or(issuer);
        let document = match Url::parse(&format!("{below}/.well-known/openid-configuration")) {
            Ok(url) => {
                let step = StepSpan::provider("provider metadata", &provider.settings.id);
                around(step.as_ref(), self.get(&url)).await
            }
            Err(_) => Err(FetchError::Url),
        };
        let document = document.map_err(ProviderError::Metadata)?;
        let metadata = Arc::new(ProviderMetadata::read(&document.body, issuer)?);
        provider.publish(|published| published.metadata = Some((now, Arc::clone(&metadata))));
        Ok(metadata)
    }

    /// Redeems the code and returns the claims of the ID token. The tokens are not passed on.
    pub(crate) async fn claims(
        &self,
        provider: &Provider,
        exchange: &Exchange<'_>,
    ) -> Result<Map<String, Value>, ProviderError> {
        let metadata = self.metadata(provider, exchange.now).await?;
        let answer = self.exchange(provider, &metadata, exchange).await?;
        if answer.status != StatusCode::OK {
            return Err(ProviderError::CodeRefused(answer.status));
        }
        let answer: Value =
            serde_json::from_slice(&answer.body).map_err(|_| ProviderError::NoIdToken)?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let token = text("id_token").ok_or(ProviderError::NoIdToken)?;
        let expected = Expected {
            issuer: &provider.settings.issuer,
            client_id: &provider.settings.client_id,
            nonce: exchange.nonce,
            access_token: text("access_token"),
            algorithms: &metadata.algorithms,
            now: exchange.now,
        };
        let keys = match provider.kept(|published| &published.keys, exchange.now) {
            Some(kept) => kept,
            None => self.first_keys(provider, &metadata, exchange.now).await?,
        };
        let verified = id_token::verify(token, &keys, &expected);
        // A new key may have a new identifier, none, or that of the old key.
        if let Err(IdTokenError::UnknownKey | IdTokenError::Signature) = verified
            && let Some(newer) = self.newer_keys(provider, &metadata, &keys, exchange.now).await?
        {
            return Ok(id_token::verify(token, &newer, &expected)?);
        }
        Ok(verified?)
    }

    /// The provider's keys, if none are cached. Concurrent sign-ins share one fetch.
    async fn first_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        now: Timestamp,
    ) -> Result<Arc<[Jwk]>, ProviderError> {
        let fetched = async {
            match provider.kept(|published| &published.keys, now) {
                Some(kept) => Ok(kept),
                None => self.fetch_keys(provider, metadata, now).await.map_err(Arc::new),
            }
        };
        let shared = self.keys_flights.join(&provider.settings.id, fetched).await;
        shared.map_err(ProviderError::Shared)
    }

    /// Keys that are newer than `keys`, unless it is too early to fetch again. One sign-in fetches; the others wait
    /// for its result.
    async fn newer_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        keys: &Arc<[Jwk]>,
        now: Timestamp,
    ) -> Result<Option<Arc<[Jwk]>>, ProviderError> {
        let mut asked_again = provider.asked_again.lock().await;
        let kept = provider.kept(|published| &published.keys, now);
        if let Some(newer) = kept.filter(|kept| !Arc::ptr_eq(kept, keys)) {
            return Ok(Some(newer));
        }
        if !asked_again.may_ask_again(now) {
            return Ok(None);
        }
        self.fetch_keys(provider, metadata, now).await.map(Some)
    }

    /// Fetches from each provider, in the order of the settings, what a sign-in needs, and signs no one in.
    pub(crate) async fn try_all(&self, now: Timestamp) -> Vec<Tried> {
        let mut all = Vec::new();
        for provider in &self.all {
            let metadata = self.metadata(provider, now).await;
            let keys = match &metadata {
                Ok(metadata) => Some(self.usable_keys(provider, metadata, now).await),
                Err(_) => None,
            };
            let secret = provider.secret().await.map(drop);
            all.push(Tried { secret, metadata: metadata.map(drop), keys });
        }
        all
    }

    async fn usable_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        now: Timestamp,
    ) -> Result<usize, ProviderError> {
        let keys = self.fetch_keys(provider, metadata, now).await?;
        let usable = keys.iter().filter(|key| id_token::is_usable(key, &metadata.algorithms));
        Some(usable.count()).filter(|count| *count > 0).ok_or(ProviderError::NoUsableKey)
    }

    async fn exchange(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        exchange: &Exchange<'_>,
    ) -> Result<Fetched, ProviderError> {
        let client_id = provider.settings.client_id.as_str();
        let secret = provider.secret().await?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", exchange.code),
            ("redirect_uri", exchange.redirect_uri),
            ("code_verifier", exchange.verifier),
        ];
        let authorization = match &secret {
            Some(secret) if !metadata.takes_secret_in_form => Some(basic(client_id, secret)),
            Some(secret) => {
                form.extend([("client_id", client_id), ("client_secret", secret.as_str())]);
                None
            }
            None => {
                form.push(("client_id", client_id));
                None
            }
        };
        let place = self.place().await.map_err(ProviderError::Token)?;
        let endpoint = &metadata.token_endpoint;
        let step = StepSpan::provider("provider token", &provider.settings.id);
        let answer = self.fetcher.post_form(endpoint, &form, authorization, place);
        around(step.as_ref(), answer).await.map_err(ProviderError::Token)
    }

    async fn get(&self, url: &Url) -> Result<Fetched, FetchError> {
        self.fetcher.get(url, self.place().await?).await
    }

    /// A place among the requests to providers. Waiting for one is limited to the time of one response.
    async fn place(&self) -> Result<Place, FetchError> {
        let late = |_| FetchError::Late(ANSWER_WITHIN.as_secs());
        let permit = timeout(ANSWER_WITHIN, Arc::clone(&self.places).acquire_owned()).await;
        let permit = permit.map_err(late)?.map_err(|error| FetchError::Setup(error.into()))?;
        Ok(Arc::new(permit))
    }

    async fn fetch_keys(
        &self,
        provider: &Provider,
        metadata: &ProviderMetadata,
        now: Timestamp,
    ) -> Result<Arc<[Jwk]>, ProviderError> {
        let step = StepSpan::provider("provider keys", &provider.settings.id);
        let document = around(step.as_ref(), self.get(&metadata.jwks_uri)).await;
        let document = document.map_err(ProviderError::Keys)?;
        let keys: Arc<[Jwk]> =
            id_token::keys(&document.body).ok_or(ProviderError::KeysContent)?.into();
        provider.publish(|published| published.keys = Some((now, Arc::clone(&keys))));
        Ok(keys)
    }
}

impl Provider {
    /// The cached value, if it is less than an hour old.
    fn kept<T: ?Sized>(
        &self,
        which: impl FnOnce(&Published) -> &Option<(Timestamp, Arc<T>)>,
        now: Timestamp,
    ) -> Option<Arc<T>> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, kept) = which(&published).as_ref()?;
        (now < at.after_seconds(KEPT_SECONDS)).then(|| Arc::clone(kept))
    }

    fn publish(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.published.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The client secret, read each time: it can be changed while the server runs.
    async fn secret(&self) -> Result<Option<String>, ProviderError> {
        let Some(file) = self.settings.client_secret_file.clone() else { return Ok(None) };
        let read = task::spawn_blocking(|| std::fs::read_to_string(file)).await;
        let text = read.map_err(std::io::Error::from).flatten().map_err(ProviderError::Secret)?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// `client_secret_basic` (RFC 6749 §2.3.1): identifier and secret are form-encoded first.
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = BASE64_STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)));
    let mut value =
        HeaderValue::try_from(format!("Basic {pair}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

/// Entry point of a fuzz target: metadata, keys, and an ID token, each on a line.
#[cfg(fuzzing)]
pub(crate) fn fuzz_provider(answers: &[u8]) {
    let mut lines = answers.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let _read = ProviderMetadata::read(line(), "https://login.example");
    let _read = id_token::keys(line());
    fuzz::token(&String::from_utf8_lossy(line()));
}

/// Entry point of a fuzz target: the header and claims of an ID token, and how to alter a valid one.
#[cfg(fuzzing)]
pub(crate) fn fuzz_id_token(
    header: &[u8],
    claims: &[u8],
    altered: impl Fn(&str) -> Option<String>,
) {
    fuzz::id_token(header, claims, altered);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_form_encoded_before_it_becomes_a_header() {
        // RFC 6749 §2.3.1; "a b+c" and "p:ss%".
        assert_eq!(
            basic("a b+c", "p:ss%"),
            format!("Basic {}", BASE64_STANDARD.encode("a+b%2Bc:p%3Ass%25"))
        );
    }

    #[test]
    fn unknown_keys_are_asked_for_once_a_minute() {
        let mut asked_again = AskedAgain::default();
        let at = Timestamp::from_millis(1_800_000_000_000);
        assert!(asked_again.may_ask_again(at));
        assert!(!asked_again.may_ask_again(at.after_seconds(59)));
        assert!(asked_again.may_ask_again(at.after_seconds(60)));
    }
}
