//! Signing in at an OpenID Provider (OpenID Connect Core 1.0 §3.1): there, and back again.
//!
//! The way there begins with a form of ours. The browser holds what is needed to come back (`under_way.rs`), for
//! ten minutes (OAuth 2.1 §7.10).

use std::{error::Error, fmt};

use http::{HeaderMap, request::Parts};

use super::{
    claims::{self, ClaimsError, Needed},
    go_on,
    session::{self, cookies},
    under_way::{UnderWay, WAITING_BYTES_MAX},
};
use crate::{
    app::App,
    http::{
        answer::{Response, see_other},
        form::{Form, FormError},
    },
    provider::{Exchange, Provider, ProviderError},
    store::StoreError,
};

/// The cookie of a browser whose user wants another account than the provider's current one.
const OTHER_ACCOUNT: &str = "doorward-other-account";

/// Why a sign-in at a provider failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error(
        "The request of the application is too long to wait for a sign-in: it has {0} bytes, and at most \
         {WAITING_BYTES_MAX} can wait."
    )]
    TooLong(usize),
    #[error("The answer of the provider cannot be read: {0}.")]
    Query(#[from] FormError),
    /// The sign-in is over, was made up, or belongs to another browser; the page does not say which.
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
    #[error("We couldn't sign you in.")]
    Store(#[from] StoreError),
}

/// A sign-in that failed while this authorization request waits for it.
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
    if request.len() > WAITING_BYTES_MAX {
        return Err(UpstreamError::TooLong(request.len()));
    }
    let now = app.clock.now();
    let metadata = app.providers.metadata(provider, now).await?;
    let under_way = UnderWay::begin(&provider.settings.id, request, now, &app.entropy);
    let mut location = metadata.authorization_endpoint.clone();
    location
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.settings.client_id)
        .append_pair("redirect_uri", &redirect_uri(app, provider))
        .append_pair("scope", &scope(provider))
        .append_pair("state", &under_way.state())
        .append_pair("nonce", &under_way.nonce)
        .append_pair("code_challenge", &under_way.verifier.challenge().text())
        .append_pair("code_challenge_method", "S256");
    if cookies(app).read(headers, OTHER_ACCOUNT).is_some()
        && let Some(prompt) = metadata.prompt_for_other_account
    {
        location.query_pairs_mut().append_pair("prompt", prompt);
    }
    let mut response = see_other(location.as_str());
    under_way.hold(app, headers, now, &mut response);
    Ok(response)
}

/// Makes the next sign-in with this browser begin with a choice of accounts: otherwise the provider signs in the same
/// person again without a question.
pub(super) fn want_other_account(app: &App, response: &mut Response) {
    cookies(app).set(response, OTHER_ACCOUNT, "1");
}

/// Lets the provider choose the account again at the next sign-in with this browser.
pub(super) fn want_any_account(app: &App, headers: &HeaderMap, response: &mut Response) {
    if cookies(app).read(headers, OTHER_ACCOUNT).is_some() {
        cookies(app).clear(response, OTHER_ACCOUNT);
    }
}

/// Processes the provider's response for the sign-in that has `begun`.
pub(super) async fn finish(
    app: &App,
    head: &Parts,
    provider: &Provider,
    answer: &Form<'_>,
    begun: &UnderWay,
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
    let needed = Needed { told: app.config.claims_of_guards(), operators: &app.config.operators };
    let owner = claims::owner(&provider.settings, &claims, &needed)?;
    let mut response = see_other(&go_on(app, &begun.authorization_request));
    session::begin(app, head, owner, &mut response).await?;
    want_any_account(app, &head.headers, &mut response);
    Ok(response)
}

/// The sign-in that this browser began with the `state` of this response.
pub(super) fn returned(
    app: &App,
    headers: &HeaderMap,
    answer: &Form<'_>,
) -> Result<UnderWay, UpstreamError> {
    let state = answer.one("state")?.unwrap_or_default();
    UnderWay::returned(app, headers, state).ok_or(UpstreamError::Over)
}

fn redirect_uri(app: &App, provider: &Provider) -> String {
    format!("{}/oauth2/sign-in/{}", app.config.server.issuer, provider.settings.id)
}

/// The requested scope: `openid` makes the request a sign-in (§3.1.2.1).
fn scope(provider: &Provider) -> String {
    let others = provider.settings.scopes.iter().map(String::as_str);
    let all: Vec<&str> =
        std::iter::once("openid").chain(others.filter(|scope| *scope != "openid")).collect();
    all.join(" ")
}
