//! Why a call is refused, and the two documented shapes of a refusal: texts (`{"errors":["Unauthorized"]}`) for what every
//! operation of the family answers alike, and JSON:API errors for what is wrong with this call.
#![warn(clippy::wildcard_enum_match_arm)]

use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::{
    config::Config,
    error_code::ErrorCode,
    http::{
        answer::{self, Response, Shape},
        body::BodyError,
        form::FormError,
    },
    json::JsonError,
    operator::OperatorScope,
    refusal::Refusal,
    store::StoreError,
};
#[cfg(test)]
use crate::{
    json::JsonProblem,
    refusal::{ASK_OPERATOR, Told, body_errors, store_errors},
};

/// Why a call is refused. `Display` is the detail, for the developer of the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("Unauthorized")]
    Unauthorized {
        /// Whether a credential came, and is not valid.
        has_credential: bool,
    },
    #[error("Too many requests")]
    TooMany {
        /// When the caller may call, or fail, again.
        retry_after_seconds: u32,
    },
    /// An access token of a person has other scopes.
    #[error("This operation needs the scope {needed}, which the access token does not have.")]
    InsufficientScope {
        /// Those that it has.
        held: Vec<OperatorScope>,
        /// The one that is missing.
        needed: OperatorScope,
    },
    #[error("{0}")]
    Forbidden(String),
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// A parameter of the path or the query.
    #[error("{detail}")]
    Parameter {
        /// Its name.
        name: String,
        /// The rule that it breaks.
        detail: String,
    },
    #[error("The query cannot be read: {0}.")]
    Query(#[from] FormError),
    /// A member of the body.
    #[error("{detail}")]
    Member {
        /// Where it is, as a JSON pointer.
        pointer: String,
        /// The rule that it breaks.
        detail: String,
    },
    /// Several members of the body: where each is, as a JSON pointer, and the rule that it breaks.
    #[error("{}", details(.0))]
    Members(Vec<(String, String)>),
    #[error("The body is not one JSON object: {}.", .0.problem)]
    Json(#[from] JsonError),
    #[error("Content-Type is not application/json.")]
    MediaType,
    /// The call is well-formed, and the state of the resource forbids it.
    #[error("{detail}")]
    Unprocessable {
        /// Where it is, as a JSON pointer; empty for no place.
        pointer: &'static str,
        /// Why not.
        detail: String,
    },
    /// There is such a resource already.
    #[error("{detail}")]
    Conflict {
        /// What names it, as a JSON pointer.
        pointer: &'static str,
        /// Which one.
        detail: String,
    },
    #[error("The resource was changed since it was read: read it again.")]
    Superseded,
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("The server cannot look it up or store it now.")]
    Store(#[from] StoreError),
}

impl ApiError {
    /// No credential came.
    pub(super) const NO_CREDENTIAL: Self = Self::Unauthorized { has_credential: false };
    /// The credential is unknown, expired, revoked, or for another server; the caller is not told which.
    pub(super) const INVALID_TOKEN: Self = Self::Unauthorized { has_credential: true };

    /// A parameter that breaks a rule.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::Parameter { name: name.to_owned(), detail: detail.into() }
    }

    /// A member that breaks a rule.
    pub(super) fn member(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Member { pointer: pointer.to_owned(), detail: detail.into() }
    }

    fn refusal(&self) -> Refusal {
        let of = |status| Refusal::new(status, ErrorCode::InvalidRequest).without_code();
        match self {
            Self::Unauthorized { .. } => of(StatusCode::UNAUTHORIZED).guess(),
            Self::TooMany { retry_after_seconds } => {
                Refusal::too_many(*retry_after_seconds).without_code()
            }
            Self::InsufficientScope { .. } | Self::Forbidden(_) => of(StatusCode::FORBIDDEN),
            Self::NotFound(_) => of(StatusCode::NOT_FOUND),
            Self::Parameter { .. }
            | Self::Query(_)
            | Self::Member { .. }
            | Self::Members(_)
            | Self::Json(_)
            | Self::MediaType => of(StatusCode::BAD_REQUEST),
            Self::Unprocessable { .. } => of(StatusCode::UNPROCESSABLE_ENTITY),
            Self::Conflict { .. } => of(StatusCode::CONFLICT),
            Self::Superseded => of(StatusCode::PRECONDITION_FAILED),
            Self::Body(error) => Refusal::from(error).without_code(),
            Self::Store(error) => Refusal::from(error).without_code(),
        }
    }

    /// Whether the refusal counts against the failure limit of the caller's source.
    pub(super) fn may_be_a_guess(&self) -> bool {
        self.refusal().may_be_a_guess
    }

    /// The answer.
    pub(super) fn answer(self, config: &Config) -> Response {
        let refusal = self.refusal();
        let mut response = match &self {
            Self::Members(members) => {
                let error = |(pointer, detail): &(String, String)| {
                    document(refusal.status, detail, Some(json!({ "pointer": pointer })))
                };
                let errors: Vec<Value> = members.iter().map(error).collect();
                answer::json(refusal.status, json!({ "errors": errors }).to_string())
            }
            Self::Unauthorized { .. } | Self::TooMany { .. } | Self::Body(_) | Self::Store(_) => {
                answer::refusal(Shape::Errors, refusal.status, "", &self.to_string())
            }
            Self::InsufficientScope { .. }
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Parameter { .. }
            | Self::Query(_)
            | Self::Member { .. }
            | Self::Json(_)
            | Self::MediaType
            | Self::Unprocessable { .. }
            | Self::Conflict { .. }
            | Self::Superseded => {
                let error = document(refusal.status, &self.to_string(), self.source());
                answer::json(refusal.status, json!({ "errors": [error] }).to_string())
            }
        };
        if let Some(challenge) = self.challenge(config) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        refusal.answered(response, self)
    }

    /// How a client gets a token that would do (RFC 6750 §3, RFC 9728 §5.1).
    fn challenge(&self, config: &Config) -> Option<HeaderValue> {
        let metadata = config.api_metadata();
        let challenge = match self {
            // Only operator tokens open it.
            Self::Unauthorized { .. } if !config.authorizes() => {
                "Bearer realm=\"doorward\"".to_owned()
            }
            Self::Unauthorized { has_credential: false } => {
                format!("Bearer resource_metadata=\"{metadata}\"")
            }
            Self::Unauthorized { has_credential: true } => {
                format!("Bearer resource_metadata=\"{metadata}\", error=\"invalid_token\"")
            }
            Self::InsufficientScope { held, needed } => {
                // A token with this one alone would lack the others at the next call.
                let scopes = held.iter().chain([needed]).map(|scope| scope.as_str());
                let scope = scopes.collect::<Vec<_>>().join(" ");
                format!(
                    "Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{metadata}\""
                )
            }
            Self::TooMany { .. }
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Parameter { .. }
            | Self::Query(_)
            | Self::Members(_)
            | Self::Member { .. }
            | Self::Json(_)
            | Self::MediaType
            | Self::Unprocessable { .. }
            | Self::Conflict { .. }
            | Self::Superseded
            | Self::Body(_)
            | Self::Store(_) => return None,
        };
        HeaderValue::try_from(challenge).ok()
    }

    /// What the error is about (JSON:API 1.1, error objects).
    fn source(&self) -> Option<Value> {
        match self {
            Self::Parameter { name, .. } => Some(json!({ "parameter": name })),
            Self::Member { pointer, .. } => Some(json!({ "pointer": pointer })),
            Self::Json(error) => Some(json!({ "pointer": error.pointer })),
            Self::Unprocessable { pointer, .. } if !pointer.is_empty() => {
                Some(json!({ "pointer": pointer }))
            }
            Self::Conflict { pointer, .. } => Some(json!({ "pointer": pointer })),
            Self::MediaType => Some(json!({ "header": "Content-Type" })),
            Self::Superseded => Some(json!({ "header": "If-Match" })),
            Self::Unauthorized { .. }
            | Self::InsufficientScope { .. }
            | Self::TooMany { .. }
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Query(_)
            | Self::Members(_)
            | Self::Unprocessable { .. }
            | Self::Body(_)
            | Self::Store(_) => None,
        }
    }
}

fn details(members: &[(String, String)]) -> String {
    members.iter().map(|(_, detail)| &**detail).collect::<Vec<_>>().join(" ")
}

fn document(status: StatusCode, detail: &str, source: Option<Value>) -> Value {
    let mut error = json!({
        "status": status.as_str(),
        "title": status.canonical_reason().unwrap_or_default(),
        "detail": detail,
    });
    if let Some(source) = source {
        error["source"] = source;
    }
    error
}

/// One error of each kind that the operator API returns, for the page of errors.
#[cfg(test)]
pub(crate) fn refusals() -> Vec<Told> {
    let text = || "the text says which rule".to_owned();
    let (name, pointer) = ("page[limit]".to_owned(), "/data/attributes/standing".to_owned());
    let needed = OperatorScope::ClientsWrite;
    let errors = [
        ApiError::NO_CREDENTIAL,
        ApiError::INVALID_TOKEN,
        ApiError::TooMany { retry_after_seconds: 60 },
        ApiError::InsufficientScope { held: Vec::new(), needed },
        ApiError::Forbidden(text()),
        ApiError::NotFound("client"),
        ApiError::Parameter { name, detail: text() },
        ApiError::Query(FormError::NotUtf8),
        ApiError::Members(vec![(pointer.clone(), text())]),
        ApiError::Member { pointer, detail: text() },
        ApiError::Json(JsonError { pointer: String::new(), problem: JsonProblem::NotAnObject }),
        ApiError::MediaType,
        ApiError::Unprocessable { pointer: "", detail: text() },
        ApiError::Conflict { pointer: "", detail: text() },
        ApiError::Superseded,
    ];
    let bodies = body_errors(64 << 10, 10).map(ApiError::Body);
    let all = errors.into_iter().chain(bodies).chain(store_errors().map(ApiError::Store));
    all.map(|error| Told::new(error.refusal(), error.to_string(), error.fix())).collect()
}

#[cfg(test)]
impl ApiError {
    const fn fix(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => {
                "Send a valid operator token or access token as `Authorization: Bearer …`, or an operator token as \
                 `DD-APPLICATION-KEY`."
            }
            Self::TooMany { .. } => "Wait for as long as `Retry-After` says.",
            Self::InsufficientScope { .. } => {
                "Request the scopes of the challenge. The person needs a role that has them."
            }
            Self::Forbidden(_) => "Use a token of a role that has the scope.",
            Self::NotFound(_) => "Read the list: what was there may have been removed.",
            Self::Parameter { .. } => "Correct the parameter that `source.parameter` names.",
            Self::Query(_) => "Correct the query.",
            Self::Member { .. } | Self::Members(_) => {
                "Correct the member that `source.pointer` names."
            }
            Self::Json(_) => "Send one JSON object.",
            Self::MediaType => "Send `Content-Type: application/json`.",
            Self::Unprocessable { .. } | Self::Conflict { .. } => {
                "Read the resource: its state does not allow the change."
            }
            Self::Superseded => "Read the resource again, and send its new `ETag` as `If-Match`.",
            Self::Body(BodyError::TooLarge(_)) => "Send less.",
            Self::Body(BodyError::TooSlow(_)) => "Send the whole body at once.",
            Self::Store(StoreError::Corrupt { .. }) => ASK_OPERATOR,
            Self::Body(_) | Self::Store(_) => "Send the same request again in a moment.",
        }
    }
}
