//! Signing in at an OpenID Provider (OpenID Connect Core 1.0 §3.1): there, and back again.
//!
//! The way there begins with a form of ours. What is kept of it names the browser, the provider and the
//! request that waits; it is good once, for ten minutes, and for nobody else (OAuth 2.1 §7.13; RFC 9700 §4.4).

use std::{error::Error, fmt};

use http::HeaderMap;

use super::{
    claims::{self, ClaimsError},
    go_on,
    held::Held,
    provider::{Exchange, Provider, ProviderError},
    session::{self, cookies},
};
use crate::{
    app::App,
    grant::CodeVerifier,
    http::{
        answer::{Response, see_other},
        form::{Form, FormError},
    },
    secret::{self, Secret},
    store::{SignInRecord, StoreError},
};

/// The name of the cookie that tells the browser that began.
const COOKIE: &str = "doorward-sign-in";

/// What a `state` begins with, so that it is known where it was lost.
const STATE: &str = "dwu_";

/// How long somebody may take at the provider.
const SECONDS_MAX: u64 = 600;

/// Why nobody came back signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("The answer of the provider cannot be read: {0}.")]
    Query(#[from] FormError),
    /// Too late, twice, in another browser, or made up: nobody is told which.
    #[error("This sign-in is over, or was begun in another browser.")]
    Over,
    #[error("The answer does not come from the provider that was asked.")]
    OtherIssuer,
    #[error("The provider was not allowed to say who you are.")]
    Denied,
    #[error("The provider could not sign you in.")]
    Refused,
    #[error("The provider cannot be used at the moment: {0}.")]
    Provider(#[from] ProviderError),
    #[error("You cannot sign in with this account: {0}.")]
    Claims(#[from] ClaimsError),
    #[error("The sign-in could not be kept.")]
    Store(#[from] StoreError),
}

/// Nobody came back signed in, and this authorization request waits for it.
#[derive(Debug)]
pub(super) struct Interrupted {
    pub(super) error: UpstreamError,
    pub(super) request: String,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Interrupted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Sends the browser to the provider; `request` waits until it comes back.
pub(super) async fn begin(
    app: &App,
    headers: &HeaderMap,
    provider: &Provider,
    request: &str,
) -> Result<Response, UpstreamError> {
    let now = app.clock.now();
    let metadata = app.providers.metadata(provider, now).await?;
    // One for all that goes on in this browser: two sign-ins may be under way at once.
    let browser = browser(app, headers).unwrap_or_else(|| Secret::generate(&app.entropy));
    let held = Held::generate(now, &app.entropy);
    let nonce = secret::text("", &[Secret::generate(&app.entropy).as_bytes()]);
    let verifier = CodeVerifier::generate(&app.entropy);
    let mut location = metadata.authorization_endpoint.clone();
    location
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.settings.client_id)
        .append_pair("redirect_uri", &redirect_uri(app, provider))
        .append_pair("scope", &scope(provider))
        .append_pair("state", &held.text(STATE))
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", &verifier.challenge().text())
        .append_pair("code_challenge_method", "S256");
    app.store
        .keep_sign_in(SignInRecord {
            sign_in_id: held.id,
            hash: held.secret.hash(),
            browser: browser.hash(),
            provider: provider.settings.id.clone(),
            nonce,
            verifier,
            authorization_request: request.to_owned(),
            expires_at: now.after_seconds(SECONDS_MAX),
        })
        .await?;
    let mut response = see_other(location.as_str());
    let shown = secret::text("", &[browser.as_bytes()]);
    cookies(app).set(&mut response, COOKIE, &shown);
    Ok(response)
}

/// Takes up what the provider answers to the browser about the sign-in that has `begun`.
pub(super) async fn finish(
    app: &App,
    headers: &HeaderMap,
    provider: &Provider,
    answer: &Form<'_>,
    begun: &SignInRecord,
) -> Result<Response, UpstreamError> {
    let now = app.clock.now();
    // Each provider has a path of its own, so that none can answer for another (RFC 9700 §4.4.2.2).
    if begun.provider != provider.settings.id {
        return Err(UpstreamError::OtherIssuer);
    }
    let metadata = app.providers.metadata(provider, now).await?;
    match answer.one("iss")? {
        Some(issuer) if issuer == provider.settings.issuer => {}
        None if !metadata.names_itself => {}
        _ => return Err(UpstreamError::OtherIssuer),
    }
    let code = match (answer.one("error")?, answer.one("code")?) {
        (None, Some(code)) => code,
        (Some("access_denied"), _) => return Err(UpstreamError::Denied),
        _ => return Err(UpstreamError::Refused),
    };
    let exchange = Exchange {
        code,
        verifier: begun.verifier.as_str(),
        redirect_uri: &redirect_uri(app, provider),
        nonce: &begun.nonce,
        now,
    };
    let claims = app.providers.claims(provider, &exchange).await?;
    let owner = claims::owner(&provider.settings, &claims)?;
    let mut response = see_other(&go_on(app, &begun.authorization_request));
    session::begin(app, headers, owner, &mut response).await?;
    Ok(response)
}

/// The sign-in of the `state` of this answer, which this browser began. It is gone afterwards; one that another browser began
/// stays, so that whoever learns a `state` cannot end it.
pub(super) async fn take(
    app: &App,
    headers: &HeaderMap,
    answer: &Form<'_>,
) -> Result<SignInRecord, UpstreamError> {
    let state = answer.one("state")?;
    let held = state.and_then(|text| Held::read(text, STATE)).ok_or(UpstreamError::Over)?;
    let browser = browser(app, headers).ok_or(UpstreamError::Over)?;
    let begun = app.store.take_sign_in(held.id, browser.hash()).await?;
    let begun = begun.ok_or(UpstreamError::Over)?;
    let is_its = begun.hash.matches(&held.secret.hash());
    (is_its && app.clock.now() < begun.expires_at).then_some(begun).ok_or(UpstreamError::Over)
}

fn browser(app: &App, headers: &HeaderMap) -> Option<Secret> {
    secret::read(&cookies(app).read(headers, COOKIE)?, "").map(Secret::from_bytes)
}

fn redirect_uri(app: &App, provider: &Provider) -> String {
    format!("{}/oauth2/sign-in/{}", app.config.server.issuer, provider.settings.id)
}

/// What is asked for: `openid` makes it a sign-in (§3.1.2.1).
fn scope(provider: &Provider) -> String {
    let others = provider.settings.scopes.iter().map(String::as_str);
    let all: Vec<&str> =
        std::iter::once("openid").chain(others.filter(|scope| *scope != "openid")).collect();
    all.join(" ")
}
