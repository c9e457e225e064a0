//! What a request is refused with: status, code, and when to try again. Each endpoint has an enum of reasons, whose
//! `refusal()` has one row a reason; a refusal is answered here, whatever its shape.
#![warn(clippy::wildcard_enum_match_arm)]

use std::{borrow::Cow, error::Error, sync::Arc};

use http::{StatusCode, header::RETRY_AFTER};

use crate::{
    error_code::ErrorCode,
    http::{
        answer::{self, Response, Shape},
        body::BodyError,
        request_event::Outcome,
    },
    pages::{FormTarget, MessagePage, page},
    store::StoreError,
};

/// When a busy server is worth another try, in seconds.
const BUSY_SECONDS: u32 = 1;

/// A refusal, all but its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// `None` where no program reads it.
    pub(crate) code: Option<ErrorCode>,
    pub(crate) retry_after_seconds: Option<u32>,
    /// Whether a caller that guesses would get it: it counts against the failure limits of its source.
    pub(crate) may_be_a_guess: bool,
}

/// A refusal with what is said of it, for the descriptions of the interface.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) refusal: Refusal,
    pub(crate) text: String,
    /// What the developer of the client, or the person, does about it.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/connect/errors.md is made by a test"))]
    pub(crate) fix: Cow<'static, str>,
}

impl Told {
    pub(crate) fn new(refusal: Refusal, text: String, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { refusal, text, fix: fix.into() }
    }
}

impl Refusal {
    /// The request cannot be read.
    pub(crate) const INVALID_REQUEST: Self = Self::bad_request(ErrorCode::InvalidRequest);
    /// The same request can succeed in a moment.
    pub(crate) const BUSY: Self = Self {
        retry_after_seconds: Some(BUSY_SECONDS),
        ..Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable)
    };
    /// The server failed.
    pub(crate) const FAILED: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError);

    pub(crate) const fn new(status: StatusCode, code: ErrorCode) -> Self {
        Self { status, code: Some(code), retry_after_seconds: None, may_be_a_guess: false }
    }

    pub(crate) const fn bad_request(code: ErrorCode) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code)
    }

    pub(crate) const fn too_many(retry_after_seconds: u32) -> Self {
        Self {
            retry_after_seconds: Some(retry_after_seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TemporarilyUnavailable)
        }
    }

    pub(crate) const fn guess(self) -> Self {
        Self { may_be_a_guess: true, ..self }
    }

    /// For people alone.
    pub(crate) const fn without_code(self) -> Self {
        Self { code: None, ..self }
    }

    /// Whether the same request can succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The code as an answer has it.
    pub(crate) fn code(&self) -> &'static str {
        self.code.map_or("", ErrorCode::as_str)
    }

    /// Answers in JSON, in the shape of the endpoint.
    pub(crate) fn json(self, shape: Shape, text: &str, error: impl Reason) -> Response {
        self.answered(answer::refusal(shape, self.status, self.code(), text), error)
    }

    /// Answers with a page.
    pub(crate) fn page(
        self,
        message: &MessagePage,
        target: FormTarget<'_>,
        error: impl Reason,
    ) -> Response {
        self.answered(page(message, self.status, target), error)
    }

    /// Adds to a response what every refusal has: `Retry-After`, and what the log says of it.
    pub(crate) fn answered(self, mut response: Response, error: impl Reason) -> Response {
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        let cause = self.status.is_server_error().then(|| Arc::new(error) as _);
        let error_code = self.code.map(ErrorCode::as_str);
        response.extensions_mut().insert(Outcome { error_code, cause, ..Outcome::default() });
        response
    }
}

/// What the log says of a refusal that is the server's fault.
pub(crate) trait Reason: Error + Send + Sync + 'static {}

impl<E: Error + Send + Sync + 'static> Reason for E {}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::Unavailable(_) => Self::BUSY,
            StoreError::Corrupt { .. } => Self::FAILED,
        }
    }
}

impl From<&BodyError> for Refusal {
    fn from(error: &BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
            BodyError::UsedUp => return Self::BUSY,
        };
        Self::new(status, ErrorCode::InvalidRequest)
    }
}

/// What the developer of a client does about a failure of the server.
pub(crate) const ASK_OPERATOR: &str =
    "Ask the operator to look for the request id in the log. Trying again does not help.";
/// What the developer of a client does about a limit.
pub(crate) const WAIT: &str =
    "Wait as long as `Retry-After` says. Do not repeat a request that fails every time.";
/// What the developer of a client does while the server is busy.
pub(crate) const TRY_AGAIN: &str = "Try again after `Retry-After`, with growing pauses.";

/// What the developer of a client does about a body that is refused.
pub(crate) const fn fix_of_body(error: &BodyError) -> &'static str {
    match error {
        BodyError::TooLarge(_) => "Send less.",
        BodyError::TooSlow(_) => "Send the whole body at once.",
        BodyError::UsedUp => TRY_AGAIN,
        BodyError::Broken(_) => "Send the whole body, framed as HTTP requires.",
    }
}

/// What the developer of a client does about an error of the store.
pub(crate) const fn fix_of_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy | StoreError::Unavailable(_) => TRY_AGAIN,
        StoreError::Corrupt { .. } => ASK_OPERATOR,
    }
}

/// A store error of each kind, for the description of the interface.
pub(crate) fn store_errors() -> [StoreError; 2] {
    [StoreError::Busy, StoreError::Corrupt { what: String::new(), source: "".into() }]
}

/// A body error of each kind that has an answer, for the description of the interface.
pub(crate) fn body_errors(bytes_max: usize, timeout_seconds: u64) -> [BodyError; 3] {
    [BodyError::TooLarge(bytes_max), BodyError::TooSlow(timeout_seconds), BodyError::UsedUp]
}
