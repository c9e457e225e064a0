//! What is wrong with an authorization request, and who is told: the person by a page, while it is not certain
//! whose request it is (RFC 6749 §4.1.2.1), and else the client by a redirect.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use http::StatusCode;

use crate::{
    attempt::AttemptReason,
    audit::{Action, ActorKind},
    client::{ClientId, ClientIdentifier, shown_name},
    client_document::DocumentError,
    error_code::ErrorCode,
    http::{body::BodyError, form::FormError},
    identified_client::IdentifyError,
    pages::in_words,
    refusal::Refusal,
    store::{EventRecord, Standing, StoreError},
};

/// The person reads it, because no client can be told. `Display` is for the person.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error("The app sent a request that is too long, or has characters no web address may have.")]
    Request(usize),
    #[error("The app sent a request we couldn't read.")]
    Form(#[from] FormError),
    #[error("The request didn't arrive completely.")]
    Body(#[from] BodyError),
    #[error("The app sent an incomplete request.")]
    Missing(&'static str),
    #[error(
        "The app that sent you here isn't registered with this server, or its registration was removed."
    )]
    UnknownClient(Option<ClientId>),
    #[error("{}", .0.text())]
    Removed(Removal),
    #[error("The app wants the answer to go to an address it hasn't registered. Nothing was sent.")]
    UnknownRedirectUri,
    #[error("For your safety, this server accepts forms only from its own pages.")]
    ForeignForm,
    #[error("This page is too old, or you have signed in again since.")]
    OldForm,
    #[error("We couldn't load this app's details from {host}.")]
    Document {
        /// Of the document, in ASCII.
        host: String,
        reason: Arc<DocumentError>,
    },
    #[error(
        "The administrator of this server doesn't let this app connect. Nothing was sent to it."
    )]
    Rejected {
        /// For the developer of the app.
        reason: String,
    },
    #[error(
        "Too many requests from your network have failed. Wait {}, then try again.",
        in_words(*.retry_after_seconds)
    )]
    TooManyFailures { retry_after_seconds: u32 },
    #[error(
        "You allowed or denied too many requests. Wait {}, then try again.",
        in_words(*.retry_after_seconds)
    )]
    TooManyDecisions { retry_after_seconds: u32 },
    #[error("We couldn't identify this app.")]
    Client(#[source] StoreError),
    #[error("We couldn't load your connected apps.")]
    Grants(#[source] StoreError),
    #[error(
        "An administrator has to approve this app before you can use it. Tell them the code {code}."
    )]
    Pending {
        /// By which an administrator finds the client.
        code: String,
        /// The authorization request, which goes on once the client is approved.
        request: String,
    },
    #[error("Nothing was sent to the app, and it has no access to your account.")]
    Suspended,
    #[error("An administrator has to approve this app, and too many apps wait for that already.")]
    TooManyWaiting,
    #[error("We couldn't save your decision.")]
    Store(#[from] StoreError),
}

/// How many characters of a client identifier are its code: the last ones, which are random.
const CODE_CHARS: usize = 8;

impl PageError {
    /// Why people cannot allow a client with this standing, and how its `request` goes on.
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

/// What the event about the removal of a client says to people.
#[derive(Debug)]
pub(super) struct Removal {
    /// What the client called itself.
    name: Option<String>,
    /// How long ago it was removed, in words.
    when: String,
    why: Why,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    Rejected,
    ByOperator,
    ByItself,
    /// The time was over that an admission rule gave it.
    Over,
    /// It was not used for so many days, if that is known.
    Expired(Option<u64>),
}

impl Removal {
    /// Reads an event, if it is about a removal.
    pub(super) fn of(event: &EventRecord, when: String) -> Option<Self> {
        let detail = event.detail.as_deref().unwrap_or_default();
        let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
        let member = |name: &str| detail[name].as_str();
        let why = match (event.action, event.actor_kind) {
            (Action::ClientRejected, _) => Why::Rejected,
            (Action::ClientRemoved, _) if member("reason") == Some("by_operator") => {
                Why::ByOperator
            }
            (Action::ClientRemoved, _) if member("reason") == Some("expired") => Why::Over,
            (Action::ClientRemoved, ActorKind::Operator) => Why::ByOperator,
            (Action::ClientRemoved, ActorKind::Client) => Why::ByItself,
            (Action::ClientRemoved, _) => Why::Expired(detail["unused_days"].as_u64()),
            _ => return None,
        };
        let name = member("name").map(|name| shown_name(name).into_owned());
        Some(Self { name, when, why })
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or("This app");
        let when = &self.when;
        let why = match self.why {
            Why::Rejected => {
                format!("An administrator rejected its request to be approved {when}.")
            }
            Why::ByOperator => format!("An administrator removed its registration {when}."),
            Why::ByItself => format!("It removed its own registration {when}."),
            Why::Over => format!("It was allowed for a limited time, which ended {when}."),
            Why::Expired(None) => format!("It was removed {when} because it was not used."),
            Why::Expired(Some(days)) => {
                format!("It was removed {when} because it was not used for {days} days.")
            }
        };
        format!("{name} isn't registered here any more. {why}")
    }

    const fn next(&self) -> &'static str {
        match self.why {
            Why::Rejected => {
                "If you need this app, contact your administrator and name the reference below."
            }
            Why::ByOperator | Why::ByItself | Why::Over | Why::Expired(_) => {
                "To reconnect, remove this server's connection in the app and add it again. The app \
                 then registers anew."
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
                // Nothing was looked up.
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

    /// Why the request was refused, for the operator; `None` where the person has only to wait.
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

    /// The heading of the page, and what the person can do.
    pub(super) fn title_and_next(&self) -> (&'static str, &'static str) {
        match self {
            Self::Removed(removal) => ("This app was removed", removal.next()),
            Self::UnknownClient(_) => (
                "We don't know this app",
                "Go back to the app and connect again. If it still uses its old registration, remove \
                 the connection there first.",
            ),
            Self::UnknownRedirectUri => (
                "This request doesn't match the app",
                "If a link in a message brought you here, don't open it again. Otherwise contact the \
                 developer of the app.",
            ),
            Self::Pending { .. } => (
                "This app is waiting for approval",
                "Keep this page open: it checks again every few seconds, and goes on once the app is \
                 approved.",
            ),
            Self::Suspended => (
                "An administrator blocked this app",
                "If you need it, contact your administrator and name the reference below.",
            ),
            Self::TooManyWaiting => (
                "This app can't wait for approval now",
                "Ask your administrator to decide about the apps that wait, then go back to the app and try \
                 again.",
            ),
            Self::ForeignForm => {
                ("This form came from another site", "Go back to the app and start again.")
            }
            Self::OldForm => ("This page has expired", "Go back to the app and start again."),
            Self::Document { reason, .. } => (
                "We couldn't load this app's details",
                if reason.is_passing() {
                    "Try again in a minute. If it keeps failing, contact the developer of the app."
                } else {
                    "Nothing was sent anywhere. Contact the developer of the app."
                },
            ),
            Self::Rejected { .. } => (
                "This app isn't allowed here",
                "If you need this app, contact your administrator and name the reference below.",
            ),
            Self::TooManyDecisions { .. } => {
                ("Too many requests", "If you keep seeing this, contact your administrator.")
            }
            Self::TooManyFailures { .. } => {
                ("Too many failed requests", "If you keep seeing this, contact your administrator.")
            }
            Self::Client(_) | Self::Grants(_) | Self::Store(_) => (
                "Something went wrong",
                "Try again in a minute. If it keeps failing, contact your administrator and name the \
                 reference below.",
            ),
            Self::Request(_) | Self::Form(_) | Self::Body(_) | Self::Missing(_) => (
                "This request can't be read",
                "Go back to the app and try again. If it happens again, contact its developer.",
            ),
        }
    }

    /// The parameter and the rule, for the developer of the client.
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::Request(bytes_max) => Some(format!(
                "an authorization request has at most {bytes_max} bytes, all of them visible ASCII"
            )),
            Self::Form(error) => Some(error.to_string()),
            Self::Body(error) => Some(error.to_string()),
            Self::Missing(parameter) => Some(format!("{parameter} is missing")),
            Self::UnknownClient(_) | Self::Removed(_) => Some("client_id names no client".to_owned()),
            Self::UnknownRedirectUri => Some(
                "redirect_uri must equal a registered one, character by character, but for the port of \
                 a loopback address"
                    .to_owned(),
            ),
            Self::Document { reason, .. } => Some(reason.to_string()),
            Self::Rejected { reason } => Some(reason.clone()),
            Self::ForeignForm
            | Self::OldForm
            | Self::TooManyDecisions { .. }
            | Self::Pending { .. }
            | Self::Suspended
            | Self::TooManyWaiting
            | Self::TooManyFailures { .. }
            | Self::Client(_)
            | Self::Grants(_)
            | Self::Store(_) => None,
        }
    }
}

/// The client can be told, by a redirect (RFC 6749 §4.1.2.1). `Display` is its `error_description`: printable
/// ASCII without `"` and `\`.
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
    /// Why the request was refused, for the operator; `None` where a person decided, or has to be asked.
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

    /// The heading of its page, what happened, and what the person can do.
    pub(super) fn on_a_page(&self) -> (&'static str, &'static str, &'static str) {
        if *self == Self::NoRole {
            return (
                "You can't give this app administration rights",
                "The app asks for administration rights on this server, and your account has none of them. \
                 Nothing was sent to it.",
                "If you need them, ask your administrator for a role and sign in again. Otherwise close this \
                 page, or go back and let the app know.",
            );
        }
        (
            "The app's request can't be completed",
            "The app asked for something this server can't answer. Nothing was sent to it.",
            "You can close this page, or go back and let the app know.",
        )
    }
}
