//! What is wrong with an authorization request, and who is told: the person by a page, while it is not certain
//! whose request it is (RFC 6749 §4.1.2.1), and else the client by a redirect.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use http::StatusCode;

use crate::{
    client_document::DocumentError,
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    identified_client::IdentifyError,
    store::StoreError,
};

/// Nobody can be sent back: the person reads it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error("The request is longer than {0} bytes, or holds characters that no address has.")]
    Request(usize),
    #[error("The request cannot be read: {0}.")]
    Form(#[from] FormError),
    #[error("The request did not arrive: {0}.")]
    Body(#[from] BodyError),
    #[error("The request does not say which application it comes from ({0} is missing).")]
    Missing(&'static str),
    #[error(
        "The application that sent you here is not, or no longer, registered with this server."
    )]
    UnknownClient,
    #[error("The application wants the answer to go to a place that it has not registered.")]
    UnknownRedirectUri,
    #[error("This form was not sent from a page of this server.")]
    ForeignForm,
    #[error("This page is too old, or belongs to another sign-in.")]
    OldForm,
    #[error("The application describes itself at {host}, and there it is amiss: {reason}.")]
    Document {
        /// Of the document, in ASCII.
        host: String,
        reason: Arc<DocumentError>,
    },
    #[error("Too many requests from your network have failed.")]
    TooManyFailures { retry_after_seconds: u32 },
    #[error("It cannot be found out which application this is.")]
    Client(#[source] StoreError),
    #[error("It cannot be looked up what you have allowed.")]
    Grants(#[source] StoreError),
    #[error("What you decided could not be kept.")]
    Store(#[from] StoreError),
}

impl From<IdentifyError> for PageError {
    fn from(error: IdentifyError) -> Self {
        match error {
            IdentifyError::Unknown => Self::UnknownClient,
            IdentifyError::Store(error) => Self::Client(error),
            IdentifyError::Document { url, reason } => {
                Self::Document { host: url.host().to_owned(), reason }
            }
        }
    }
}

impl PageError {
    /// Whether something was named that is not there, which cost a look: it counts against its source.
    pub(super) fn may_be_a_guess(&self) -> bool {
        match self {
            Self::UnknownClient | Self::UnknownRedirectUri => true,
            // Nothing was looked up.
            Self::Document { reason, .. } => {
                !matches!(**reason, DocumentError::Busy | DocumentError::TooMany { .. })
            }
            Self::Request(_)
            | Self::Form(_)
            | Self::Body(_)
            | Self::Missing(_)
            | Self::ForeignForm
            | Self::OldForm
            | Self::TooManyFailures { .. }
            | Self::Client(_)
            | Self::Grants(_)
            | Self::Store(_) => false,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Request(_)
            | Self::Form(_)
            | Self::Missing(_)
            | Self::UnknownClient
            | Self::UnknownRedirectUri
            | Self::Body(BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::ForeignForm | Self::OldForm => StatusCode::FORBIDDEN,
            Self::Body(BodyError::UsedUp) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Document { reason, .. } => match **reason {
                DocumentError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                DocumentError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
                DocumentError::Off
                | DocumentError::Host
                | DocumentError::Gone
                | DocumentError::Fetch(_)
                | DocumentError::Invalid(_) => StatusCode::BAD_REQUEST,
            },
            Self::Client(error) | Self::Grants(error) | Self::Store(error) => match error {
                StoreError::Busy | StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                StoreError::Corrupt { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// When a source that has asked too often may ask again.
    pub(super) fn retry_after_seconds(&self) -> Option<u32> {
        if let Self::TooManyFailures { retry_after_seconds } = self {
            return Some(*retry_after_seconds);
        }
        let Self::Document { reason, .. } = self else { return None };
        let DocumentError::TooMany { retry_after_seconds } = **reason else { return None };
        Some(retry_after_seconds)
    }

    /// For the log, and for whoever knows OAuth.
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Document { reason, .. }
                if matches!(**reason, DocumentError::Busy | DocumentError::TooMany { .. }) =>
            {
                ErrorCode::TemporarilyUnavailable
            }
            Self::UnknownClient | Self::Document { .. } => ErrorCode::InvalidClient,
            Self::Body(BodyError::UsedUp) | Self::TooManyFailures { .. } => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Client(error) | Self::Grants(error) | Self::Store(error) => match error {
                StoreError::Busy | StoreError::Unavailable(_) => ErrorCode::TemporarilyUnavailable,
                StoreError::Corrupt { .. } => ErrorCode::ServerError,
            },
            Self::Request(_)
            | Self::Form(_)
            | Self::Body(_)
            | Self::Missing(_)
            | Self::UnknownRedirectUri
            | Self::ForeignForm
            | Self::OldForm => ErrorCode::InvalidRequest,
        }
    }

    /// What the person can do.
    pub(super) fn next(&self) -> &'static str {
        match self {
            Self::UnknownClient => {
                "Go back to the application and connect it anew. If it keeps what it registered, remove \
                 this connection there first."
            }
            Self::UnknownRedirectUri => {
                "Nothing was sent there. Whoever makes the application has to register this place; if a \
                 link in a message led you here, do not follow it again."
            }
            Self::ForeignForm | Self::OldForm => "Go back to the application and begin again.",
            Self::Document { reason, .. } if !reason.is_passing() => {
                "Nothing was sent anywhere. Whoever makes the application, or runs this server, can mend it."
            }
            Self::Document { .. } => {
                "Try again in a moment. If it stays so, whoever makes the application has to mend it."
            }
            Self::TooManyFailures { .. } => "Go back to the application and try again in a while.",
            Self::Client(_) | Self::Grants(_) | Self::Store(_) => "Try again in a moment.",
            Self::Request(_) | Self::Form(_) | Self::Body(_) | Self::Missing(_) => {
                "Go back to the application. If it happens again, whoever makes it has to mend it."
            }
        }
    }
}

/// The client can be told, by a redirect (RFC 6749 §4.1.2.1). `Display` is its `error_description`: printable
/// ASCII without `"` and `\`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AuthorizationError {
    #[error("{0} is there more than once")]
    Repeated(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("response_type is not code")]
    ResponseType,
    #[error("response_mode is not query")]
    ResponseMode,
    #[error("the request is to be found elsewhere, which is not supported here: {0}")]
    Elsewhere(&'static str),
    /// OAuth 2.1 §4.1.1: no client is let in without.
    #[error("code_challenge is missing: every client has to use PKCE with S256")]
    NoChallenge,
    #[error("code_challenge_method is not S256")]
    ChallengeMethod,
    #[error("code_challenge is not 43 characters of base64url")]
    Challenge,
    #[error("state is longer than {0} bytes")]
    State(usize),
    #[error("scope is not a list of scope tokens, or nothing in it can be allowed")]
    Scope,
    #[error("resource is none that tokens are issued for here")]
    UnknownResource,
    #[error("resource is missing, and there are several")]
    NoResource,
    #[error("nobody is signed in, and nobody may be asked")]
    LoginRequired,
    #[error("somebody has to decide, and nobody may be asked")]
    ConsentRequired,
    #[error("the resource owner denied it")]
    Denied,
    #[error("the server cannot keep it now")]
    Unavailable,
    #[error("the server cannot keep it")]
    Failed,
}

impl From<&StoreError> for AuthorizationError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Corrupt { .. } => Self::Failed,
        }
    }
}

impl AuthorizationError {
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Repeated(_)
            | Self::Missing(_)
            | Self::ResponseMode
            | Self::Elsewhere(_)
            | Self::NoChallenge
            | Self::ChallengeMethod
            | Self::Challenge
            | Self::State(_) => ErrorCode::InvalidRequest,
            Self::ResponseType => ErrorCode::UnsupportedResponseType,
            Self::Scope => ErrorCode::InvalidScope,
            Self::UnknownResource | Self::NoResource => ErrorCode::InvalidTarget,
            Self::LoginRequired => ErrorCode::LoginRequired,
            Self::ConsentRequired => ErrorCode::ConsentRequired,
            Self::Denied => ErrorCode::AccessDenied,
            Self::Unavailable => ErrorCode::TemporarilyUnavailable,
            Self::Failed => ErrorCode::ServerError,
        }
    }
}
