//! Why no token is issued, and how that is said (RFC 6749 §5.2). The code comes from the variant, by matches
//! without a wildcard: a new one must choose.
#![warn(clippy::wildcard_enum_match_arm)]

use http::StatusCode;

use crate::{
    attempt::AttemptReason,
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    keys::KeysError,
    refusal::Refusal,
    store::StoreError,
};

/// Why a request at the token, revocation or introspection endpoint is refused. What `Display` says is for
/// the caller: printable ASCII without `"` and `\` (RFC 6749 §5.2).
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Both ways to say who one is name another client.
    #[error("client_id and Authorization name two clients")]
    TwoClients,
    /// What makes clients register anew.
    #[error("there is no such client: register it (again)")]
    UnknownClient,
    /// At the introspection endpoint.
    #[error("client authentication failed")]
    UnknownResource,
    #[error("this client has made too many requests")]
    TooManyRequests {
        /// When there is room again.
        retry_after_seconds: u32,
    },
    /// What a source has failed with may be guesses.
    #[error("too many requests from this address have failed")]
    TooManyFailures {
        /// When it may try again.
        retry_after_seconds: u32,
    },
    #[error("this grant_type is not supported")]
    UnsupportedGrantType,
    #[error("the client is not registered for this grant_type")]
    UnauthorizedClient,
    /// Which of its bindings a code or token fails is not told: it would help nobody but a thief.
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
    /// Why the request was refused, for the operator.
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
