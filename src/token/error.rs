//! Why no token is issued, and how that is said (RFC 6749 §5.2). The code comes from the variant, by matches
//! without a wildcard: a new one must choose.
#![warn(clippy::wildcard_enum_match_arm)]

use http::StatusCode;

use crate::{
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    keys::KeysError,
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
    #[error("it is not known who asks")]
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
    /// Whether somebody who guesses would be told this: it counts against its source.
    pub(crate) fn may_be_a_guess(&self) -> bool {
        match self {
            Self::UnknownClient
            | Self::UnknownResource
            | Self::InvalidGrant(_)
            | Self::Verifier => true,
            Self::Body(_)
            | Self::Form(_)
            | Self::Missing(_)
            | Self::TwoClients
            | Self::TooManyRequests { .. }
            | Self::TooManyFailures { .. }
            | Self::UnsupportedGrantType
            | Self::UnauthorizedClient
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::Store(_)
            | Self::Keys(_) => false,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownClient | Self::UnknownResource => StatusCode::UNAUTHORIZED,
            Self::TooManyRequests { .. } | Self::TooManyFailures { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::UsedUp) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::Broken(_))
            | Self::Form(_)
            | Self::Missing(_)
            | Self::TwoClients
            | Self::UnsupportedGrantType
            | Self::UnauthorizedClient
            | Self::InvalidGrant(_)
            | Self::Verifier
            | Self::InvalidScope
            | Self::InvalidTarget => StatusCode::BAD_REQUEST,
            Self::Store(error) => of_store(error).0,
            Self::Keys(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Body(BodyError::UsedUp) => ErrorCode::TemporarilyUnavailable,
            Self::Body(_) | Self::Form(_) | Self::Missing(_) | Self::TwoClients => {
                ErrorCode::InvalidRequest
            }
            Self::UnknownClient | Self::UnknownResource => ErrorCode::InvalidClient,
            Self::TooManyRequests { .. } | Self::TooManyFailures { .. } => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::UnsupportedGrantType => ErrorCode::UnsupportedGrantType,
            Self::UnauthorizedClient => ErrorCode::UnauthorizedClient,
            Self::InvalidGrant(_) | Self::Verifier => ErrorCode::InvalidGrant,
            Self::InvalidScope => ErrorCode::InvalidScope,
            Self::InvalidTarget => ErrorCode::InvalidTarget,
            Self::Store(error) => of_store(error).1,
            Self::Keys(_) => ErrorCode::ServerError,
        }
    }
}

const fn of_store(error: &StoreError) -> (StatusCode, ErrorCode) {
    match error {
        StoreError::Busy | StoreError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable)
        }
        StoreError::Corrupt { .. } => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError),
    }
}
