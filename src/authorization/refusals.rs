//! Every error of the authorization endpoint, one of each kind, for the API description.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use super::{
    error::{AuthorizationError, PageError},
    request::STATE_BYTES_MAX,
};
use crate::{
    client_document::DocumentError,
    config::Config,
    http::form::FormError,
    refusal::{ASK_OPERATOR, Told, body_errors, store_errors},
    sign_in::REQUEST_BYTES_MAX,
};

/// The errors that a redirect carries to the client.
pub(crate) fn by_redirect() -> Vec<Told> {
    let errors = [
        AuthorizationError::Repeated("a parameter"),
        AuthorizationError::Missing("response_type"),
        AuthorizationError::ResponseType,
        AuthorizationError::ResponseMode,
        AuthorizationError::Elsewhere("request or request_uri"),
        AuthorizationError::NoChallenge,
        AuthorizationError::ChallengeMethod,
        AuthorizationError::Challenge,
        AuthorizationError::State(STATE_BYTES_MAX),
        AuthorizationError::Scope,
        AuthorizationError::Restricted,
        AuthorizationError::UnknownResource,
        AuthorizationError::NoResource,
        AuthorizationError::ApiBesideOthers,
        AuthorizationError::NoRole,
        AuthorizationError::LoginRequired,
        AuthorizationError::ConsentRequired,
        AuthorizationError::Denied,
        AuthorizationError::Unavailable,
        AuthorizationError::Failed,
    ];
    let told =
        |error: AuthorizationError| Told::new(error.refusal(), error.to_string(), error.fix());
    errors.into_iter().map(told).collect()
}

/// The errors that a person sees at `GET /oauth2/authorize`.
pub(crate) fn of_query(config: &Config) -> Vec<Told> {
    let mut errors = vec![
        PageError::Request(REQUEST_BYTES_MAX),
        PageError::Form(FormError::TooMany),
        PageError::Form(FormError::NotUtf8),
        PageError::Missing("client_id or redirect_uri"),
        PageError::UnknownClient(None),
        PageError::UnknownRedirectUri,
        PageError::Suspended,
        PageError::Pending { code: "of the app".to_owned(), request: String::new() },
        PageError::TooManyFailures { retry_after_seconds: 0 },
    ];
    errors.extend(store_errors().map(PageError::Client));
    if config.client_documents.enabled {
        let of_document = |reason| PageError::Document {
            host: "the host of its document".to_owned(),
            reason: Arc::new(reason),
        };
        errors.extend(
            [DocumentError::Host, DocumentError::Gone, DocumentError::Busy].map(of_document),
        );
        errors.push(PageError::Rejected { reason: String::new() });
        errors.push(PageError::TooManyWaiting);
    }
    told(errors)
}

/// The errors that a person sees at `POST /oauth2/authorize`.
pub(crate) fn of_form(config: &Config) -> Vec<Told> {
    let timeout_seconds = config.connections.body_timeout_seconds;
    let body = body_errors(REQUEST_BYTES_MAX, timeout_seconds).map(PageError::Body);
    [of_query(config), told([PageError::Form(FormError::MediaType)]), told(body)].concat()
}

fn told(errors: impl IntoIterator<Item = PageError>) -> Vec<Told> {
    let told = |error: PageError| {
        let fix = error.explained().next.to_string();
        Told::new(error.refusal().without_code(), error.to_string(), fix)
    };
    errors.into_iter().map(told).collect()
}

impl AuthorizationError {
    /// How the developer of the client fixes the error.
    const fn fix(&self) -> &'static str {
        match self {
            Self::Repeated(_) => "Send each parameter once.",
            Self::Missing(_) => "Send the parameter.",
            Self::ResponseType => "Send `response_type=code`.",
            Self::ResponseMode => "Leave `response_mode` out, or send `query`.",
            Self::Elsewhere(_) => "Send the parameters in the query, not in a request object.",
            Self::NoChallenge | Self::ChallengeMethod => {
                "Use PKCE: `code_challenge` with `code_challenge_method=S256` (RFC 7636)."
            }
            Self::Challenge => "Send the SHA-256 of `code_verifier` in base64url without padding.",
            Self::State(_) => "Send a short random `state`, and keep what belongs to it yourself.",
            Self::Scope => {
                "Ask for scopes of `scopes_supported` in the metadata, separated by spaces."
            }
            Self::Restricted => "Ask for fewer scopes, or have an administrator allow these.",
            Self::UnknownResource => {
                "Send the `resource` of the protected resource metadata (RFC 9728), character by character."
            }
            Self::NoResource => "Send `resource` (RFC 8707), the address of the protected server.",
            Self::ApiBesideOthers => {
                "Send one authorization request for the operator API, and another for other resources."
            }
            Self::NoRole => "Ask for other scopes, or have the person ask for a role.",
            Self::LoginRequired | Self::ConsentRequired => {
                "Send the request without `prompt=none`, so that the person sees a page."
            }
            Self::Denied => "Tell the person, and ask again only when they begin anew.",
            Self::Unavailable => "Send the same request again in a moment.",
            Self::Failed => ASK_OPERATOR,
        }
    }
}
