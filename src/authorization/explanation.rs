//! The texts of error pages: the heading, what happened, and what the person can do.
#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt;

use super::error::{AuthorizationError, PageError};
use crate::{
    messages::{Argument, Message},
    pages::duration,
};

/// The texts of one error page.
pub(super) struct Explanation {
    pub(super) title: Message,
    pub(super) text: Message,
    pub(super) next: Message,
}

impl Explanation {
    const fn new(title: &'static str, text: &'static str, next: &'static str) -> Self {
        Self { title: Message::new(title), text: Message::new(text), next: Message::new(next) }
    }

    /// Sets a placeholder of the text.
    fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.text = self.text.with(name, value);
        self
    }
}

/// The English text, for the log and the API description.
impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explained().text.fmt(f)
    }
}

impl PageError {
    pub(super) fn explained(&self) -> Explanation {
        let unreadable = |text| Explanation::new("error-unreadable", text, "error-developer-next");
        let wrong = |text| Explanation::new("error-wrong", text, "error-wrong-next");
        match self {
            Self::Request(_) => unreadable("error-unreadable-long"),
            Self::Form(_) => unreadable("error-unreadable-text"),
            Self::Body(_) => unreadable("error-unreadable-partly"),
            Self::Missing(_) => unreadable("error-unreadable-incomplete"),
            Self::Client(_) => wrong("error-wrong-app"),
            Self::Grants(_) => wrong("error-wrong-grants"),
            Self::Store(_) => wrong("error-wrong-decision"),
            Self::Removed(removal) => Explanation {
                title: Message::new("removed"),
                text: removal.text(),
                next: removal.next(),
            },
            Self::UnknownClient(_) => Explanation::new(
                "error-unknown-app",
                "error-unknown-app-text",
                "error-unknown-app-next",
            ),
            Self::UnknownRedirectUri => Explanation::new(
                "error-other-address",
                "error-other-address-text",
                "error-other-address-next",
            ),
            Self::Pending { code, .. } => {
                Explanation::new("error-pending", "error-pending-text", "error-pending-next")
                    .with("code", code)
            }
            Self::Suspended => {
                Explanation::new("error-blocked", "error-blocked-text", "error-needed-next")
            }
            Self::TooManyWaiting => Explanation::new(
                "error-many-waiting",
                "error-many-waiting-text",
                "error-many-waiting-next",
            ),
            Self::ForeignForm => {
                Explanation::new("error-foreign-form", "failed-foreign", "error-start-again")
            }
            Self::OldForm => {
                Explanation::new("error-old-form", "error-old-form-text", "error-start-again")
            }
            Self::Document { host, reason } => {
                let retry = reason.is_passing();
                let next = if retry { "error-document-retry" } else { "error-document-next" };
                Explanation::new("error-document", "error-document-text", next).with("host", host)
            }
            Self::Rejected { .. } => {
                Explanation::new("error-rejected", "error-rejected-text", "error-needed-next")
            }
            Self::TooManyDecisions { retry_after_seconds } => {
                Explanation::new("error-many-decisions", "error-many-decisions-text", "keep-seeing")
                    .with("wait", duration(*retry_after_seconds))
            }
            Self::TooManyFailures { retry_after_seconds } => Explanation::new(
                "error-failed-requests",
                "error-failed-requests-text",
                "keep-seeing",
            )
            .with("wait", duration(*retry_after_seconds)),
        }
    }

    /// The parameter and the rule that it breaks, for the developer of the client.
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

impl AuthorizationError {
    pub(super) fn explained(&self) -> Explanation {
        if *self == Self::NoRole {
            return Explanation::new("error-no-role", "error-no-role-text", "error-no-role-next");
        }
        Explanation::new("error-impossible", "error-impossible-text", "error-impossible-next")
    }
}

/// The technical detail on a page, for the developer of the client.
pub(super) fn for_developer(detail: impl Into<Argument>) -> Message {
    Message::new("detail-developer").with("detail", detail)
}
