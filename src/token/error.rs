//! Errors of the token endpoints, and their responses (RFC 6749 §5.2). Matches without a wildcard assign the codes,
//! so each new variant must choose one.
#![warn(clippy::wildcard_enum_match_arm)]

use http::StatusCode;

use crate::{
    attempt::AttemptReason,
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    keys::KeysError,
    refusal::{ASK_OPERATOR, Refusal, WAIT, fix_of_body, fix_of_store},
    store::StoreError,
};

/// Why a request at the token, revocation, or introspection endpoint is rejected. `Display` is for the caller:
/// printable ASCII without `"` and `\` (RFC 6749 §5.2).
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The `Authorization` header and the form name different clients.
    #[error("client_id and Authorization name two clients")]
    TwoClients,
    /// The client is unknown; this error makes clients register again.
    #[error("there is no such client: register it (again)")]
    UnknownClient,
    /// The credentials of the resource are wrong, at the introspection endpoint.
    #[error("client authentication failed")]
    UnknownResource,
    #[error("this client has made too many requests")]
    TooManyRequests {
        /// The seconds until requests are admitted again.
        retry_after_seconds: u32,
    },
    /// The source has failed too often, so its requests may be guesses.
    #[error("too many requests from this address have failed")]
    TooManyFailures {
        /// The seconds until the source may fail again.
        retry_after_seconds: u32,
    },
    #[error("this grant_type is not supported")]
    UnsupportedGrantType,
    #[error("the client is not registered for this grant_type")]
    UnauthorizedClient,
    /// The code or token is not valid. The response does not say which of its bindings failed, because only a thief
    /// would gain from that.
    #[error("{0} is invalid, expired, revoked, or was issued to another client or redirect_uri")]
    InvalidGrant(&'static str),
    #[error("code_verifier does not belong to the code_challenge")]
    Verifier,
    #[error("scope goes beyond what was allowed")]
    InvalidScope,
    #[error("resource goes beyond what was allowed")]
    InvalidTarget,
    #[error("the server cannot look it up or keep it now")]
    Store(#[from] StoreError),
    #[error("the token could not be signed")]
    Keys(#[from] KeysError),
}

impl TokenError {
    /// Why the request was rejected, for the operator.
    pub(crate) fn attempt(&self) -> AttemptReason {
        match self {
            Self::Body(BodyError::UsedUp) | Self::Store(_) | Self::Keys(_) => {
                AttemptReason::TokenUnavailable
            }
            Self::Body(BodyError::TooLarge(_) | BodyError::TooSlow(_) | BodyError::Broken(_))
            | Self::Form(_)
            | Self::Missing(_)
            | Self::TwoClients => AttemptReason::TokenRequest,
            Self::UnknownClient => AttemptReason::TokenUnknownClient,
            Self::UnknownResource => AttemptReason::TokenUnknownResource,
            Self::TooManyRequests { .. } => AttemptReason::TokenLimit,
            Self::TooManyFailures { .. } => AttemptReason::TokenFailures,
            Self::UnsupportedGrantType | Self::UnauthorizedClient => AttemptReason::TokenGrantType,
            Self::InvalidGrant(_) => AttemptReason::TokenInvalidGrant,
            Self::Verifier => AttemptReason::TokenVerifier,
            Self::InvalidScope => AttemptReason::TokenScope,
            Self::InvalidTarget => AttemptReason::TokenResource,
        }
    }

    /// How the developer of the client fixes the error.
    pub(crate) const fn fix(&self) -> &'static str {
        match self {
            Self::Body(error) => fix_of_body(error),
            Self::Form(_) => {
                "Send `application/x-www-form-urlencoded` in UTF-8, with each parameter once."
            }
            Self::Missing(_) => "Send the parameter.",
            Self::TwoClients => "Name one client, in `client_id` or in `Authorization`.",
            Self::UnknownClient => {
                "Drop the stored `client_id` with its tokens, and register again."
            }
            Self::UnknownResource => {
                "Authenticate with the `id` and the secret of the resource in `authorization.resources`."
            }
            Self::TooManyRequests { .. } => {
                "Wait as long as `Retry-After` says. Use each access token until it expires."
            }
            Self::TooManyFailures { .. } => WAIT,
            Self::UnsupportedGrantType => "Use `authorization_code` or `refresh_token`.",
            Self::UnauthorizedClient => "Register again, with this value among `grant_types`.",
            Self::InvalidGrant(_) => {
                "Send the person to the authorization endpoint again. Use each code once, and store the new refresh \
                 token of each answer."
            }
            Self::Verifier => {
                "Send the `code_verifier` whose SHA-256 was the `code_challenge` of this request: each request has \
                 its own."
            }
            Self::InvalidScope => {
                "Ask for no more than was allowed, or send the person to the authorization endpoint with the wider \
                 `scope`."
            }
            Self::InvalidTarget => {
                "Name a resource that was allowed, or send the person to the authorization endpoint with this \
                 `resource`."
            }
            Self::Store(error) => fix_of_store(error),
            Self::Keys(_) => ASK_OPERATOR,
        }
    }

    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Body(error) => error.into(),
            Self::Form(_) | Self::Missing(_) | Self::TwoClients => Refusal::INVALID_REQUEST,
            Self::UnknownClient | Self::UnknownResource => {
                Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient).guess()
            }
            Self::TooManyRequests { retry_after_seconds }
            | Self::TooManyFailures { retry_after_seconds } => {
                Refusal::too_many(*retry_after_seconds)
            }
            Self::UnsupportedGrantType => Refusal::bad_request(ErrorCode::UnsupportedGrantType),
            Self::UnauthorizedClient => Refusal::bad_request(ErrorCode::UnauthorizedClient),
            Self::InvalidGrant(_) | Self::Verifier => {
                Refusal::bad_request(ErrorCode::InvalidGrant).guess()
            }
            Self::InvalidScope => Refusal::bad_request(ErrorCode::InvalidScope),
            Self::InvalidTarget => Refusal::bad_request(ErrorCode::InvalidTarget),
            Self::Store(error) => error.into(),
            Self::Keys(_) => Refusal::FAILED,
        }
    }
}
