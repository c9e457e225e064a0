//! Why a registration is refused, and how that is said (RFC 7591 §3.2.2). The code comes from the type of
//! the fault, by matches without a wildcard: a new fault must choose its code.
#![warn(clippy::wildcard_enum_match_arm)]

use crate::{
    admission::Rejection,
    attempt::AttemptReason,
    client::fault::Problem,
    error_code::ErrorCode,
    http::{
        answer::{Response, Shape, refusal_with},
        bearer,
        body::BodyError,
        rate_limit::{Count, Limit},
    },
    metadata_policy::{Answers, MetadataError, Profile, Violation},
    metrics::RefusalReason,
    refusal::{Refusal, TRY_AGAIN, WAIT, fix_of_body, fix_of_store},
    store::{Standing, StoreError},
};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

/// Why a registration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    /// This limit is used up.
    #[error("{}", described(*.0))]
    TooManyRequests(Limit),
    /// The limits that nodes share cannot be asked, and the operator admits nobody without.
    #[error("the rate limit cannot be asked")]
    LimitUnknown,
    /// This server registers only clients with an initial access token.
    #[error(
        "registration needs an initial access token as a bearer token: ask the administrator of this server"
    )]
    NoToken,
    #[error("the initial access token is not valid, has expired, or is used up")]
    InvalidToken,
    #[error("too many requests from this address have failed")]
    TooManyFailures {
        /// When it may try again.
        retry_after_seconds: u32,
    },
    #[error("Content-Type: must be application/json")]
    MediaType,
    #[error("Content-Encoding: must be absent or identity")]
    ContentEncoding,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// An admission rule rejects the client, or the default does.
    #[error("{}", rejected(.0))]
    Rejected(Rejection),
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

/// The member that decided, and the operator's reason.
fn rejected(rejection: &Rejection) -> String {
    let member = if rejection.by_destination { "redirect_uris: " } else { "" };
    format!("{member}{}", rejection.reason)
}

impl From<Rejection> for RegistrationError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl RegistrationError {
    pub(crate) fn refusal(&self, profile: &Profile) -> Refusal {
        match self {
            Self::TooManyRequests(_) => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TemporarilyUnavailable)
            }
            Self::LimitUnknown => Refusal::BUSY,
            Self::NoToken => Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken),
            Self::InvalidToken => {
                Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken).guess()
            }
            Self::TooManyFailures { retry_after_seconds } => {
                Refusal::too_many(*retry_after_seconds)
            }
            Self::MediaType | Self::ContentEncoding => Refusal::INVALID_REQUEST,
            Self::Body(error) => error.into(),
            Self::Metadata(error) => Refusal::bad_request(error.first(profile).code),
            Self::Rejected(Rejection { by_destination: true, .. }) => {
                Refusal::bad_request(ErrorCode::InvalidRedirectUri)
            }
            Self::Rejected(_) => Refusal::bad_request(ErrorCode::InvalidClientMetadata),
            Self::Store(error) => error.into(),
        }
    }

    /// What the developer of the client does about it.
    pub(crate) const fn fix(&self) -> &'static str {
        match self {
            Self::TooManyRequests(Limit::PerSource) => {
                "Wait until the period ends. Register once, and store the `client_id`."
            }
            Self::TooManyRequests(Limit::BytesPerSource) => {
                "Wait until the period ends. Send less metadata, such as `jwks_uri` in place of `jwks`."
            }
            Self::TooManyRequests(Limit::Total | Limit::BytesTotal) => {
                "Wait until the period ends."
            }
            Self::LimitUnknown => TRY_AGAIN,
            Self::NoToken => {
                "Ask the administrator for an initial access token, and send it as `Authorization: Bearer …`."
            }
            Self::InvalidToken => "Ask the administrator for another initial access token.",
            Self::TooManyFailures { .. } => WAIT,
            Self::MediaType => "Send `Content-Type: application/json`.",
            Self::ContentEncoding => "Send the body without compression.",
            Self::Body(error) => fix_of_body(error),
            Self::Metadata(_) => "Correct what the text names: see [Violations](#violations).",
            Self::Rejected(_) => "Ask the administrator, whose rules reject this client.",
            Self::Store(error) => fix_of_store(error),
        }
    }

    /// The label of the counter of refusals.
    pub(crate) fn reason(&self) -> RefusalReason {
        match self {
            Self::TooManyRequests(Limit::PerSource) => RefusalReason::SourceLimit,
            Self::TooManyRequests(Limit::BytesPerSource) => RefusalReason::SourceBytesLimit,
            Self::TooManyRequests(Limit::Total) => RefusalReason::TotalLimit,
            Self::TooManyRequests(Limit::BytesTotal) => RefusalReason::TotalBytesLimit,
            Self::LimitUnknown => RefusalReason::LimiterUnreachable,
            Self::NoToken => RefusalReason::NoToken,
            Self::InvalidToken => RefusalReason::InvalidToken,
            Self::TooManyFailures { .. } => RefusalReason::FailureLimit,
            Self::MediaType => RefusalReason::MediaType,
            Self::ContentEncoding => RefusalReason::ContentEncoding,
            Self::Body(BodyError::TooLarge(_)) => RefusalReason::BodyTooLarge,
            Self::Body(BodyError::TooSlow(_)) => RefusalReason::BodyTooSlow,
            Self::Body(BodyError::Broken(_)) => RefusalReason::BodyIncomplete,
            Self::Body(BodyError::UsedUp) => RefusalReason::BodyBudget,
            Self::Metadata(MetadataError::Json(_)) => RefusalReason::Json,
            Self::Metadata(MetadataError::Metadata(faults)) => {
                let problem = faults.first().map(|fault| &fault.problem);
                let is_redirect_uri = matches!(problem, Some(Problem::RedirectUri(_)));
                if is_redirect_uri { RefusalReason::RedirectUri } else { RefusalReason::Metadata }
            }
            Self::Rejected(_) => RefusalReason::AdmissionRule,
            Self::Store(StoreError::Busy) => RefusalReason::StoreBusy,
            Self::Store(StoreError::Unavailable(_)) => RefusalReason::StoreUnavailable,
            Self::Store(StoreError::Corrupt { .. }) => RefusalReason::StoreCorrupt,
        }
    }

    /// Why the request was refused, for the operator.
    pub(crate) fn attempt(&self) -> AttemptReason {
        match self {
            Self::TooManyRequests(_) => AttemptReason::RegistrationLimit,
            Self::NoToken => AttemptReason::RegistrationNoToken,
            Self::InvalidToken => AttemptReason::RegistrationInvalidToken,
            Self::TooManyFailures { .. } => AttemptReason::RegistrationFailures,
            Self::MediaType | Self::ContentEncoding => AttemptReason::RegistrationMediaType,
            Self::Body(BodyError::TooLarge(_) | BodyError::TooSlow(_) | BodyError::Broken(_)) => {
                AttemptReason::RegistrationBody
            }
            Self::Metadata(MetadataError::Json(_)) => AttemptReason::RegistrationJson,
            Self::Metadata(MetadataError::Metadata(_))
                if self.reason() == RefusalReason::RedirectUri =>
            {
                AttemptReason::RegistrationRedirectUri
            }
            Self::Metadata(MetadataError::Metadata(_)) => AttemptReason::RegistrationMetadata,
            Self::Rejected(_) => AttemptReason::RegistrationRule,
            Self::LimitUnknown | Self::Body(BodyError::UsedUp) | Self::Store(_) => {
                AttemptReason::RegistrationUnavailable
            }
        }
    }

    /// What the caller reads: printable ASCII, naming the member and the rule.
    pub(crate) fn description(&self, profile: &Profile) -> String {
        match self {
            Self::Metadata(error) => error.first(profile).reason,
            // The API of this profile says nothing else; its headers tell the limit.
            Self::TooManyRequests(_) | Self::TooManyFailures { .. }
                if profile.answers == Answers::Datadog =>
            {
                "Too many requests".to_owned()
            }
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::NoToken
            | Self::InvalidToken
            | Self::TooManyFailures { .. }
            | Self::MediaType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::Rejected(_)
            | Self::Store(_) => self.to_string(),
        }
    }

    /// Everything that is wrong with the request.
    pub(crate) fn violations(&self, profile: &Profile) -> Vec<Violation> {
        let pointer = match self {
            Self::Metadata(error) => return error.violations(profile),
            Self::Rejected(Rejection { by_destination: true, .. }) => "/redirect_uris",
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::NoToken
            | Self::InvalidToken
            | Self::TooManyFailures { .. }
            | Self::MediaType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::Rejected(_)
            | Self::Store(_) => "",
        };
        let code = self.refusal(profile).code.unwrap_or(ErrorCode::InvalidRequest);
        vec![Violation { pointer: pointer.to_owned(), code, reason: self.description(profile) }]
    }

    /// The answer, in the shape of `profile`.
    pub(crate) fn answer(self, profile: &Profile, count: Option<Count>) -> Response {
        let mut refusal = self.refusal(profile);
        let is_rejected = refusal.status == StatusCode::BAD_REQUEST;
        let (shape, violations) = match profile.answers {
            Answers::Datadog if !is_rejected => (Shape::Errors, Vec::new()),
            Answers::OAuth if is_rejected => (Shape::OAuth, self.violations(profile)),
            Answers::Datadog | Answers::OAuth => (Shape::OAuth, Vec::new()),
        };
        if let (Self::TooManyRequests(_), Answers::OAuth) = (&self, profile.answers) {
            refusal.retry_after_seconds = count.map(|count| count.reset_seconds);
        }
        let text = self.description(profile);
        let mut response = refusal_with(shape, refusal.status, refusal.code(), &text, &violations);
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        refusal.answered(response, self)
    }

    /// `WWW-Authenticate`, where a token is missing or not valid.
    const fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::NoToken => Some(bearer::CHALLENGE),
            Self::InvalidToken => Some(bearer::INVALID_TOKEN),
            Self::TooManyRequests(_)
            | Self::LimitUnknown
            | Self::TooManyFailures { .. }
            | Self::MediaType
            | Self::ContentEncoding
            | Self::Body(_)
            | Self::Metadata(_)
            | Self::Rejected(_)
            | Self::Store(_) => None,
        }
    }
}

/// Why a client may not read, change, or remove a registration (RFC 7592 §2).
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManagementError {
    #[error("the request needs the registration access token of the client as a bearer token")]
    NoToken,
    /// Also of a client that does not exist (RFC 7592 §2.1).
    #[error("the registration access token is not valid for this client")]
    InvalidToken,
    #[error("{}", blocked(*.0))]
    Forbidden(Standing),
    #[error("too many requests from this address have failed")]
    TooManyFailures {
        /// When it may try again.
        retry_after_seconds: u32,
    },
    #[error(transparent)]
    Registration(#[from] RegistrationError),
}

const fn blocked(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "an administrator has not approved this client yet",
        Standing::Suspended => "an administrator has suspended this client",
        Standing::Active | Standing::Dormant => "this client may not do this",
    }
}

impl From<StoreError> for ManagementError {
    fn from(error: StoreError) -> Self {
        Self::Registration(error.into())
    }
}

impl ManagementError {
    pub(crate) fn refusal(&self, profile: &Profile) -> Refusal {
        match self {
            Self::NoToken => Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken),
            Self::InvalidToken => {
                Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken).guess()
            }
            Self::Forbidden(_) => Refusal::new(StatusCode::FORBIDDEN, ErrorCode::AccessDenied),
            Self::TooManyFailures { retry_after_seconds } => {
                Refusal::too_many(*retry_after_seconds)
            }
            Self::Registration(error) => error.refusal(profile),
        }
    }

    /// What the developer of the client does about it.
    pub(crate) const fn fix(&self) -> &'static str {
        match self {
            Self::NoToken => "Send the `registration_access_token` as `Authorization: Bearer …`.",
            Self::InvalidToken => {
                "Use the token of the latest answer, because an update replaces it. Without it, register again."
            }
            Self::Forbidden(Standing::Pending) => {
                "Wait until an administrator approves the client."
            }
            Self::Forbidden(_) => "Ask the administrator.",
            Self::TooManyFailures { .. } => WAIT,
            Self::Registration(error) => error.fix(),
        }
    }

    pub(crate) fn description(&self, profile: &Profile) -> String {
        match self {
            Self::NoToken
            | Self::InvalidToken
            | Self::Forbidden(_)
            | Self::TooManyFailures { .. } => self.to_string(),
            Self::Registration(error) => error.description(profile),
        }
    }

    pub(crate) fn answer(self, profile: &Profile, count: Option<Count>) -> Response {
        match self {
            Self::NoToken
            | Self::InvalidToken
            | Self::Forbidden(_)
            | Self::TooManyFailures { .. } => {
                let text = self.to_string();
                self.refusal(profile).json(Shape::OAuth, &text, self)
            }
            Self::Registration(error) => error.answer(profile, count),
        }
    }
}
