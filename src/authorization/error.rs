//! Errors of an authorization request. The person sees them on a page until the client and its redirect URI are
//! verified (RFC 6749 §4.1.2.1); after that, a redirect carries them to the client.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use http::StatusCode;

use super::removal::Removal;
use crate::{
    attempt::AttemptReason,
    client::{ClientId, ClientIdentifier},
    client_document::DocumentError,
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    identified_client::IdentifyError,
    refusal::Refusal,
    store::{Standing, StoreError},
};

/// An error for the person, because no client can be told. `explanation.rs` has the texts.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    Request(usize),
    Form(#[from] FormError),
    Body(#[from] BodyError),
    Missing(&'static str),
    UnknownClient(Option<ClientId>),
    Removed(Removal),
    UnknownRedirectUri,
    ForeignForm,
    OldForm,
    Document {
        /// The host of the document, in ASCII.
        host: String,
        reason: Arc<DocumentError>,
    },
    Rejected {
        /// The reason, for the developer of the app.
        reason: String,
    },
    TooManyFailures {
        retry_after_seconds: u32,
    },
    TooManyDecisions {
        retry_after_seconds: u32,
    },
    Client(#[source] StoreError),
    Grants(#[source] StoreError),
    Pending {
        /// The code by which an administrator finds the client.
        code: String,
        /// The authorization request, which continues once the client is approved.
        request: String,
    },
    Suspended,
    TooManyWaiting,
    Store(#[from] StoreError),
}

/// How many characters at the end of a client identifier are its code; they are random.
const CODE_CHARS: usize = 8;

impl PageError {
    /// The error for a client whose standing prevents authorization. Its `request` continues after an approval.
    pub(super) fn of_standing(
        standing: Standing,
        client: &ClientIdentifier,
        request: &str,
    ) -> Option<Self> {
        match standing {
            Standing::Active | Standing::Dormant => None,
            Standing::Suspended => Some(Self::Suspended),
            Standing::Pending => {
                let code = match client {
                    ClientIdentifier::Registered(id) => {
                        let id = id.to_string();
                        id.split_at(id.len().saturating_sub(CODE_CHARS)).1.to_owned()
                    }
                    ClientIdentifier::Document(url) => url.host().to_owned(),
                };
                Some(Self::Pending { code, request: request.to_owned() })
            }
        }
    }
}

impl From<IdentifyError> for PageError {
    fn from(error: IdentifyError) -> Self {
        match error {
            IdentifyError::Unknown(id) => Self::UnknownClient(Some(id)),
            IdentifyError::Store(error) => Self::Client(error),
            IdentifyError::Rejected(rejection) => Self::Rejected { reason: rejection.reason },
            IdentifyError::Document { url, reason } => {
                Self::Document { host: url.host().to_owned(), reason }
            }
        }
    }
}

impl PageError {
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Request(_) | Self::Form(_) | Self::Missing(_) => Refusal::INVALID_REQUEST,
            Self::Body(error) => error.into(),
            Self::UnknownClient(_) | Self::Removed(_) => {
                Refusal::bad_request(ErrorCode::InvalidClient).guess()
            }
            Self::UnknownRedirectUri => Refusal::INVALID_REQUEST.guess(),
            Self::ForeignForm
            | Self::OldForm
            | Self::Pending { .. }
            | Self::Suspended
            | Self::TooManyWaiting => {
                Refusal::new(StatusCode::FORBIDDEN, ErrorCode::InvalidRequest)
            }
            Self::Document { reason, .. } => match **reason {
                // The document was not looked up.
                DocumentError::Busy => Refusal::BUSY,
                DocumentError::TooMany { retry_after_seconds } => {
                    Refusal::too_many(retry_after_seconds)
                }
                DocumentError::Off
                | DocumentError::Host
                | DocumentError::Gone
                | DocumentError::Fetch(_)
                | DocumentError::Invalid(_) => {
                    Refusal::bad_request(ErrorCode::InvalidClient).guess()
                }
            },
            Self::Rejected { .. } => Refusal::new(StatusCode::FORBIDDEN, ErrorCode::AccessDenied),
            Self::TooManyFailures { retry_after_seconds }
            | Self::TooManyDecisions { retry_after_seconds } => {
                Refusal::too_many(*retry_after_seconds)
            }
            Self::Client(error) | Self::Grants(error) | Self::Store(error) => error.into(),
        }
    }

    /// Why the request was rejected, for the operator; `None` if the person only has to wait.
    pub(super) fn attempt(&self) -> Option<AttemptReason> {
        Some(match self {
            Self::Body(BodyError::UsedUp) | Self::Client(_) | Self::Grants(_) | Self::Store(_) => {
                AttemptReason::AuthorizationUnavailable
            }
            Self::Request(_)
            | Self::Form(_)
            | Self::Body(BodyError::TooLarge(_) | BodyError::TooSlow(_) | BodyError::Broken(_))
            | Self::Missing(_) => AttemptReason::AuthorizationRequest,
            Self::UnknownClient(_) => AttemptReason::AuthorizationUnknownClient,
            Self::Removed(_) => AttemptReason::AuthorizationRemovedClient,
            Self::UnknownRedirectUri => AttemptReason::AuthorizationRedirectUri,
            Self::ForeignForm | Self::OldForm => AttemptReason::AuthorizationForm,
            Self::Document { .. } => AttemptReason::AuthorizationDocument,
            Self::Rejected { .. } => AttemptReason::AuthorizationRule,
            Self::TooManyFailures { .. } | Self::TooManyDecisions { .. } => {
                AttemptReason::AuthorizationFailures
            }
            Self::Suspended => AttemptReason::AuthorizationSuspended,
            Self::TooManyWaiting => AttemptReason::AuthorizationTooManyWaiting,
            Self::Pending { .. } => return None,
        })
    }

    /// Whether the same request can succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Document { reason, .. } => reason.is_passing(),
            Self::Request(_)
            | Self::Form(_)
            | Self::Body(_)
            | Self::Missing(_)
            | Self::UnknownClient(_)
            | Self::Removed(_)
            | Self::UnknownRedirectUri
            | Self::ForeignForm
            | Self::OldForm
            | Self::Rejected { .. }
            | Self::TooManyFailures { .. }
            | Self::TooManyDecisions { .. }
            | Self::Pending { .. }
            | Self::Suspended
            | Self::TooManyWaiting
            | Self::Client(_)
            | Self::Grants(_)
            | Self::Store(_) => self.refusal().is_passing(),
        }
    }
}

/// An error for the client, by a redirect (RFC 6749 §4.1.2.1). `Display` is its `error_description`: printable ASCII
/// without `"` and `\`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AuthorizationError {
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("response_type must be code")]
    ResponseType,
    #[error("response_mode must be query")]
    ResponseMode,
    #[error("{0} is not supported: send the parameters themselves")]
    Elsewhere(&'static str),
    /// OAuth 2.1 §4.1.1 requires PKCE of every client.
    #[error("code_challenge is missing: every client must use PKCE with S256")]
    NoChallenge,
    #[error("code_challenge_method must be S256")]
    ChallengeMethod,
    #[error("code_challenge must be 43 characters of base64url")]
    Challenge,
    #[error("state is longer than {0} bytes")]
    State(usize),
    #[error("scope is not a list of scope tokens, or this server grants none of them")]
    Scope,
    #[error("an administrator restricted this app to other scopes: ask them to allow these")]
    Restricted,
    #[error("unknown resource: it is not configured on this server")]
    UnknownResource,
    #[error("resource is missing: this server has several, so a request must name one")]
    NoResource,
    #[error("the operator API must be the only resource of a request")]
    ApiBesideOthers,
    #[error("the user has no role at this server that includes any of the scopes")]
    NoRole,
    #[error("the user is not signed in and prompt=none was requested")]
    LoginRequired,
    #[error("the user has to decide and prompt=none was requested")]
    ConsentRequired,
    #[error("the user denied the request")]
    Denied,
    #[error("the server cannot store the grant now")]
    Unavailable,
    #[error("the server could not store the grant")]
    Failed,
}

impl From<&StoreError> for AuthorizationError {
    fn from(error: &StoreError) -> Self {
        if Refusal::from(error).is_passing() { Self::Unavailable } else { Self::Failed }
    }
}

impl AuthorizationError {
    /// Why the request was rejected, for the operator; `None` if a person denied it, or has to decide first.
    pub(super) const fn attempt(&self) -> Option<AttemptReason> {
        Some(match self {
            Self::Repeated(_) | Self::Missing(_) | Self::Elsewhere(_) | Self::State(_) => {
                AttemptReason::AuthorizationRequest
            }
            Self::ResponseType | Self::ResponseMode => AttemptReason::AuthorizationResponseType,
            Self::NoChallenge | Self::ChallengeMethod | Self::Challenge => {
                AttemptReason::AuthorizationPkce
            }
            Self::Scope | Self::Restricted | Self::NoRole => AttemptReason::AuthorizationScope,
            Self::UnknownResource | Self::NoResource | Self::ApiBesideOthers => {
                AttemptReason::AuthorizationResource
            }
            Self::Unavailable | Self::Failed => AttemptReason::AuthorizationUnavailable,
            Self::LoginRequired | Self::ConsentRequired | Self::Denied => return None,
        })
    }

    pub(super) fn refusal(&self) -> Refusal {
        let code = match self {
            Self::Repeated(_)
            | Self::Missing(_)
            | Self::ResponseMode
            | Self::Elsewhere(_)
            | Self::NoChallenge
            | Self::ChallengeMethod
            | Self::Challenge
            | Self::State(_) => ErrorCode::InvalidRequest,
            Self::ResponseType => ErrorCode::UnsupportedResponseType,
            Self::Scope | Self::Restricted => ErrorCode::InvalidScope,
            Self::UnknownResource | Self::NoResource | Self::ApiBesideOthers => {
                ErrorCode::InvalidTarget
            }
            Self::LoginRequired => ErrorCode::LoginRequired,
            Self::ConsentRequired => ErrorCode::ConsentRequired,
            Self::Denied | Self::NoRole => ErrorCode::AccessDenied,
            Self::Unavailable => ErrorCode::TemporarilyUnavailable,
            Self::Failed => ErrorCode::ServerError,
        };
        Refusal::new(StatusCode::SEE_OTHER, code)
    }
}
