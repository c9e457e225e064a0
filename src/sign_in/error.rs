//! Why a sign-in or a sign-out failed: the status of the answer, and what the page says.

use http::{Method, StatusCode, request::Parts};

use super::{
    claims::ClaimsError,
    upstream::{self, Interrupted, UpstreamError},
};
use crate::{
    app::App,
    error_code::ErrorCode,
    http::{
        answer::Response, body::BodyError, form::FormError, rate_limit::Left, request_id::reference,
    },
    messages::Message,
    pages::{Action, FormTarget, MessagePage, Reader, Site, duration},
    paths,
    refusal::Refusal,
    store::StoreError,
};
#[cfg(test)]
use crate::{
    provider::ProviderError,
    refusal::{Told, body_errors, store_errors},
    sign_in::FORM_BYTES_MAX,
};

/// Why a sign-in or a sign-out failed. `Display` is for the log; [`Self::text`] is for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("the form cannot be read: {0}")]
    Form(#[from] FormError),
    #[error("the form did not arrive: {0}")]
    Body(#[from] BodyError),
    #[error("the form comes from another site")]
    Foreign,
    #[error("too many attempts")]
    TooMany { retry_after_seconds: u32 },
    #[error("wrong password")]
    WrongPassword {
        left: Option<Left>,
        /// The waiting authorization request; empty if there is none.
        request: String,
    },
    #[error("unknown way to sign in")]
    UnknownWay,
    #[error("the authorization request that waits cannot be one")]
    Request,
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A failure at a provider while this authorization request waits.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("the session could not be read or changed")]
    Store(#[from] StoreError),
}

impl SignInError {
    pub(super) fn refusal(&self) -> Refusal {
        let refusal = match self {
            Self::Form(_) | Self::UnknownWay | Self::Request => Refusal::INVALID_REQUEST,
            Self::Body(error) => error.into(),
            Self::Foreign => Refusal::new(StatusCode::FORBIDDEN, ErrorCode::AccessDenied),
            Self::WrongPassword { left, .. } => Refusal {
                retry_after_seconds: left
                    .filter(|left| left.requests == 0)
                    .map(|left| left.reset_seconds),
                ..Refusal::new(StatusCode::FORBIDDEN, ErrorCode::AccessDenied)
            },
            Self::TooMany { retry_after_seconds } => Refusal::too_many(*retry_after_seconds),
            Self::Upstream(error) | Self::Interrupted(Interrupted { error, .. }) => {
                of_upstream(error)
            }
            Self::Store(error) => error.into(),
        };
        refusal.without_code()
    }

    /// What happened.
    fn text(&self) -> Message {
        Message::new(match self {
            Self::Form(_) => "failed-form",
            Self::Body(_) => "failed-form-late",
            Self::Foreign => "failed-foreign",
            Self::TooMany { retry_after_seconds } => {
                let wait = duration(*retry_after_seconds);
                return Message::new("failed-attempts").with("wait", wait);
            }
            Self::WrongPassword { left, .. } => {
                let wrong = Message::new("failed-password");
                return match left {
                    Some(left) => wrong.then(tries_left(*left)),
                    None => wrong,
                };
            }
            Self::UnknownWay => "failed-way",
            Self::Request => "failed-request",
            Self::Upstream(error) | Self::Interrupted(Interrupted { error, .. }) => {
                return text_of_upstream(error);
            }
            Self::Store(_) => "failed-store-either",
        })
    }

    /// The technical cause, for the administrator.
    fn detail(&self) -> Option<Message> {
        let detail = match self {
            Self::Form(error)
            | Self::Upstream(UpstreamError::Query(error))
            | Self::Interrupted(Interrupted { error: UpstreamError::Query(error), .. }) => {
                error.to_string()
            }
            Self::Body(error) => error.to_string(),
            Self::Upstream(UpstreamError::Provider(error))
            | Self::Interrupted(Interrupted { error: UpstreamError::Provider(error), .. }) => {
                error.to_string()
            }
            Self::Interrupted(Interrupted { error: error @ UpstreamError::TooLong(_), .. }) => {
                error.to_string()
            }
            _ => return None,
        };
        Some(Message::new("detail-administrator").with("detail", detail))
    }

    /// What the person can do about it.
    fn next(&self) -> Message {
        Message::new(match self {
            Self::Interrupted(Interrupted { error, .. }) => match error {
                UpstreamError::Claims(_) => "failed-account-next",
                UpstreamError::Provider(_) => "failed-provider-next",
                UpstreamError::TooLong(_) => "failed-too-long-next",
                _ => "failed-try-again",
            },
            Self::Upstream(_) => "failed-begin-again",
            Self::TooMany { .. }
            | Self::WrongPassword { left: Some(Left { requests: 0, .. }), .. } => "keep-seeing",
            _ => "failed-back",
        })
    }

    /// The waiting authorization request, if it is known.
    fn request(&self) -> Option<&str> {
        match self {
            Self::Interrupted(Interrupted { request, .. })
            | Self::WrongPassword { request, .. } => Some(request),
            _ => None,
        }
    }

    /// A link back to sign-in, or to the sign-out page after a failure that may pass.
    fn action(&self, head: &Parts) -> Action {
        let sign_in = |path: String| Action::Link { text: Message::new("sign-in-back"), path };
        match self {
            Self::Interrupted(Interrupted { request, .. }) if !request.is_empty() => {
                Action::Back { request: request.clone(), text: Message::new("back-to-sign-in") }
            }
            Self::WrongPassword { request, .. } if !request.is_empty() => {
                sign_in(format!("{}?{request}", paths::AUTHORIZE))
            }
            Self::Interrupted(_) | Self::WrongPassword { .. } => sign_in(paths::GRANTS.to_owned()),
            // Outside a sign-in, only the sign-out page reads the store for a GET.
            Self::Store(_) if head.method != Method::POST && self.refusal().is_passing() => {
                let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
                let path = format!("{}{query}", paths::SIGN_OUT);
                Action::Link { text: Message::new("try-again"), path }
            }
            _ => Action::None,
        }
    }

    pub(super) fn shown(self, app: &App, head: &Parts) -> Response {
        let reader = match self.request() {
            Some(request) => Reader::of(head, request),
            None => Reader::of_query(head),
        };
        let message = MessagePage {
            site: Site::of(&app.config, &reader),
            title: Message::new("failed-sign-in"),
            text: self.text(),
            next: self.next(),
            detail: self.detail(),
            reference: reference(head),
            action: self.action(head),
        };
        let wants_other_account =
            matches!(self, Self::Interrupted(Interrupted { error: UpstreamError::Claims(_), .. }));
        let mut response = self.refusal().page(&message, FormTarget::Ourselves, self);
        if wants_other_account {
            upstream::want_other_account(app, &mut response);
        }
        response
    }
}

fn of_upstream(error: &UpstreamError) -> Refusal {
    match error {
        UpstreamError::TooLong(_)
        | UpstreamError::Query(_)
        | UpstreamError::Over
        | UpstreamError::OtherIssuer => Refusal::INVALID_REQUEST,
        UpstreamError::Denied | UpstreamError::Refused | UpstreamError::Claims(_) => {
            Refusal::new(StatusCode::FORBIDDEN, ErrorCode::AccessDenied)
        }
        UpstreamError::Provider(_) => Refusal::new(StatusCode::BAD_GATEWAY, ErrorCode::ServerError),
        UpstreamError::Store(error) => error.into(),
    }
}

fn text_of_upstream(error: &UpstreamError) -> Message {
    Message::new(match error {
        UpstreamError::TooLong(_) => "failed-too-long",
        UpstreamError::Query(_) => "failed-provider-answer",
        UpstreamError::Over => "failed-over",
        UpstreamError::OtherIssuer => "failed-other-issuer",
        UpstreamError::Denied => "failed-denied",
        UpstreamError::Refused => "failed-refused",
        UpstreamError::Provider(_) => "failed-provider",
        UpstreamError::Claims(ClaimsError::NotAllowed) => "failed-account",
        UpstreamError::Claims(ClaimsError::NoSubject) => "failed-account-nameless",
        UpstreamError::Claims(ClaimsError::Address) => "failed-account-address",
        UpstreamError::Store(_) => "failed-store",
    })
}

/// How many tries are left, and when there are more.
fn tries_left(left: Left) -> Message {
    let text = match left.requests {
        0 => Message::new("failed-password-last"),
        more => Message::new("failed-password-left").with("count", u64::from(more)),
    };
    text.with("wait", duration(left.reset_seconds))
}

/// One error of each kind that sign-in and sign-out show, for the page of errors.
#[cfg(test)]
pub(crate) fn refusals() -> Vec<Told> {
    let left = |requests| Left { requests, reset_seconds: 60 };
    let wrong = |left| SignInError::WrongPassword { left, request: String::new() };
    let interrupted =
        |error| SignInError::Interrupted(Interrupted { error, request: String::new() });
    let own = [
        SignInError::Form(FormError::MediaType),
        SignInError::UnknownWay,
        SignInError::Request,
        SignInError::Foreign,
        wrong(None),
        wrong(Some(left(3))),
        wrong(Some(left(0))),
        SignInError::TooMany { retry_after_seconds: 60 },
    ];
    let of_provider = [
        UpstreamError::TooLong(0),
        UpstreamError::Query(FormError::NotUtf8),
        UpstreamError::Over,
        UpstreamError::OtherIssuer,
        UpstreamError::Denied,
        UpstreamError::Refused,
        UpstreamError::Provider(ProviderError::NoIdToken),
        UpstreamError::Claims(ClaimsError::NotAllowed),
        UpstreamError::Claims(ClaimsError::NoSubject),
        UpstreamError::Claims(ClaimsError::Address),
    ];
    let from_store = store_errors().map(UpstreamError::Store);
    let bodies = body_errors(FORM_BYTES_MAX, 10).map(SignInError::Body);
    let all = own.into_iter().chain(of_provider.into_iter().chain(from_store).map(interrupted));
    let all = all.chain(bodies).chain(store_errors().map(SignInError::Store));
    all.map(|error| Told::new(error.refusal(), error.text().to_string(), error.next().to_string()))
        .collect()
}
