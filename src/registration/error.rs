//! Why a registration is refused, and how that is said (RFC 7591 §3.2.2). The code comes from the type of
//! the fault, by matches without a wildcard: a new fault must choose its code.
#![warn(clippy::wildcard_enum_match_arm)]

use http::StatusCode;
use serde::Serialize;

use super::profile::{Answers, Profile};
use crate::{
    client::fault::{Fault, Problem},
    error_code::ErrorCode,
    http::{body::BodyError, rate_limit::Limit},
    json::{JsonError, JsonProblem},
    store::StoreError,
};

/// The most violations that one answer lists.
const VIOLATIONS_MAX: usize = 64;
/// The longest piece of a caller's own text in an answer, in characters.
const QUOTED_CHARACTERS_MAX: usize = 96;

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
    #[error("the body is not one JSON object")]
    Json(#[from] JsonError),
    /// At least one fault, in document order.
    #[error("the client metadata is refused")]
    Metadata(Vec<Fault>),
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

impl From<Vec<Fault>> for RegistrationError {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Metadata(faults)
    }
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The OAuth error code that this violation alone would be answered with.
    pub code: &'static str,
    /// What is wrong there: the member and the rule.
    pub reason: String,
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
            | Self::Json(_)
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
            Self::MediaType | Self::ContentEncoding | Self::Body(_) | Self::Json(_) => {
                ErrorCode::InvalidRequest
            }
            Self::Metadata(faults) => faults
                .first()
                .map_or(ErrorCode::InvalidClientMetadata, |fault| code(fault, profile)),
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
            Self::Metadata(faults) => {
                faults.first().map_or_else(|| self.to_string(), |fault| description(fault, profile))
            }
            Self::Json(error) => json_description(error),
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

    /// Everything that is wrong with the request, at most [`VIOLATIONS_MAX`] items.
    pub(crate) fn violations(&self, profile: &Profile) -> Vec<Violation> {
        match self {
            Self::Metadata(faults) => {
                faults.iter().take(VIOLATIONS_MAX).map(|fault| violation(fault, profile)).collect()
            }
            Self::Json(error) => vec![Violation {
                pointer: printable(&error.pointer),
                code: ErrorCode::InvalidRequest.as_str(),
                reason: json_description(error),
            }],
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::MediaType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::Store(_) => vec![Violation {
                pointer: String::new(),
                code: self.code(profile).as_str(),
                reason: self.description(profile),
            }],
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
        let body = if profile.answers == Answers::Datadog && !is_refusal {
            serde_json::to_vec(&Errors { errors: [&description] })
        } else {
            let has_violations = is_refusal && profile.answers == Answers::OAuth;
            serde_json::to_vec(&OAuthError {
                error: self.code(profile).as_str(),
                error_description: &description,
                violations: if has_violations { self.violations(profile) } else { Vec::new() },
            })
        };
        body.expect("an error is strings under string keys")
    }
}

fn violation(fault: &Fault, profile: &Profile) -> Violation {
    Violation {
        pointer: printable(&fault.pointer()),
        code: code(fault, profile).as_str(),
        reason: description(fault, profile),
    }
}

fn code(fault: &Fault, profile: &Profile) -> ErrorCode {
    match &fault.problem {
        Problem::RedirectUri(error)
            if error.is_malformed() && profile.malformed_redirect_uri.is_some() =>
        {
            ErrorCode::InvalidClientMetadata
        }
        Problem::RedirectUri(_) => ErrorCode::InvalidRedirectUri,
        Problem::Missing
        | Problem::Misspelled { .. }
        | Problem::WrongType(_)
        | Problem::TooLong(_)
        | Problem::TooMany(_)
        | Problem::ControlCharacter
        | Problem::LoneSurrogate
        | Problem::Scope
        | Problem::AuthMethod
        | Problem::TwoKeySets
        | Problem::OtherUrl
        | Problem::PublishedSecret
        | Problem::LanguageTag
        | Problem::RepeatedLanguageTag
        | Problem::GrantType(_)
        | Problem::ClientName(_)
        | Problem::WebUri(_)
        | Problem::JwksUri(_)
        | Problem::JwkSet(_) => ErrorCode::InvalidClientMetadata,
    }
}

fn description(fault: &Fault, profile: &Profile) -> String {
    match (&fault.problem, profile.malformed_redirect_uri) {
        (Problem::RedirectUri(error), Some(documented)) if error.is_malformed() => {
            documented.to_owned()
        }
        (problem, _) => format!("{}: {problem}", printable(&fault.place())),
    }
}

fn json_description(error: &JsonError) -> String {
    match error.problem {
        JsonProblem::Duplicate | JsonProblem::TooDeep(_) | JsonProblem::LoneSurrogate => {
            format!("{}: {}", printable(&error.pointer), error.problem)
        }
        JsonProblem::Empty
        | JsonProblem::NotUtf8
        | JsonProblem::NotJson { .. }
        | JsonProblem::Truncated
        | JsonProblem::NotAnObject => error.problem.to_string(),
    }
}

/// A caller's text as RFC 6749 §5.2 allows it in an answer: printable ASCII without `"` and `\`.
fn printable(text: &str) -> String {
    let is_allowed =
        |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
    let mut printable: String = text
        .chars()
        .take(QUOTED_CHARACTERS_MAX)
        .map(|character| if is_allowed(character) { character } else { '?' })
        .collect();
    if text.chars().nth(QUOTED_CHARACTERS_MAX).is_some() {
        printable.push_str("...");
    }
    printable
}
