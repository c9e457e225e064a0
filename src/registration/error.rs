//! Why a registration is refused, and how that is said (RFC 7591 §3.2.2). The code comes from the type of
//! the fault, by matches without a wildcard: a new fault must choose its code.
#![warn(clippy::wildcard_enum_match_arm)]

use http::StatusCode;
use serde::Serialize;

use crate::{
    error_code::ErrorCode,
    http::{body::BodyError, rate_limit::Limit},
    metadata_policy::{Answers, MetadataError, Profile, Violation},
    store::StoreError,
};

/// Why a registration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    /// This limit is used up.
    #[error("{}", described(*.0))]
    TooManyRequests(Limit),
    /// The limits that nodes share cannot be asked, and the operator admits nobody without.
    #[error("the rate limit cannot be asked")]
    LimitUnknown,
    #[error("Content-Type: must be application/json")]
    MediaType,
    #[error("Content-Encoding: must be absent or identity")]
    ContentEncoding,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("the registration could not be kept")]
    Store(#[from] StoreError),
}

fn described(limit: Limit) -> &'static str {
    match limit {
        Limit::PerSource => "too many registrations from this address in this period",
        Limit::BytesPerSource => "too many bytes of registrations from this address in this period",
        Limit::Total => "too many registrations from all addresses in this period",
        Limit::BytesTotal => "too many bytes of registrations from all addresses in this period",
    }
}

impl RegistrationError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType
            | Self::ContentEncoding
            | Self::Body(BodyError::Broken(_))
            | Self::Metadata(_) => StatusCode::BAD_REQUEST,
            Self::LimitUnknown
            | Self::Body(BodyError::UsedUp)
            | Self::Store(StoreError::Busy | StoreError::Unavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(StoreError::Corrupt { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn code(&self, profile: &Profile) -> ErrorCode {
        match self {
            Self::Body(BodyError::UsedUp) => ErrorCode::TemporarilyUnavailable,
            Self::MediaType | Self::ContentEncoding | Self::Body(_) => ErrorCode::InvalidRequest,
            Self::Metadata(error) => error.first(profile).code,
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::Store(StoreError::Busy | StoreError::Unavailable(_)) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Store(StoreError::Corrupt { .. }) => ErrorCode::ServerError,
        }
    }

    /// What the caller reads: printable ASCII, naming the member and the rule.
    pub(crate) fn description(&self, profile: &Profile) -> String {
        match self {
            Self::Metadata(error) => error.first(profile).reason,
            // The API of this profile says nothing else; its headers tell the limit.
            Self::TooManyRequests(_) if profile.answers == Answers::Datadog => {
                "Too many requests".to_owned()
            }
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::MediaType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::Store(_) => self.to_string(),
        }
    }

    /// The body of the answer, in the shape of `profile`.
    pub(crate) fn body(&self, profile: &Profile) -> Vec<u8> {
        #[derive(Serialize)]
        struct Errors<'a> {
            errors: [&'a str; 1],
        }
        #[derive(Serialize)]
        struct OAuthError<'a> {
            error: &'a str,
            error_description: &'a str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            violations: Vec<Violation>,
        }
        let status = self.status();
        let description = self.description(profile);
        let is_refusal = status == StatusCode::BAD_REQUEST;
        let whole = || Violation {
            pointer: String::new(),
            code: self.code(profile),
            reason: description.clone(),
        };
        let body = if profile.answers == Answers::Datadog && !is_refusal {
            serde_json::to_vec(&Errors { errors: [&description] })
        } else {
            let violations = if !is_refusal || profile.answers != Answers::OAuth {
                Vec::new()
            } else if let Self::Metadata(error) = self {
                error.violations(profile)
            } else {
                vec![whole()]
            };
            serde_json::to_vec(&OAuthError {
                error: self.code(profile).as_str(),
                error_description: &description,
                violations,
            })
        };
        body.expect("an error is strings under string keys")
    }
}
