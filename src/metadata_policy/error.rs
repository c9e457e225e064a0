//! Why a client is rejected (RFC 7591 §3.2.2). The code comes from the type of the fault, by matches without a
//! wildcard: a new fault must choose its code.
#![warn(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeSet;

use serde::Serialize;

use super::profile::Profile;
use crate::{
    client::fault::{Fault, Problem},
    error_code::ErrorCode,
    json::{JsonError, JsonProblem},
};

/// The most violations that one answer lists.
pub(crate) const VIOLATIONS_MAX: usize = 64;

/// The longest piece of a caller's own text in an answer, in characters.
const QUOTED_CHARACTERS_MAX: usize = 96;

/// Why a client is rejected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("the body is not one JSON object")]
    Json(#[from] JsonError),
    /// At least one fault, in document order.
    #[error("the client metadata is refused")]
    Metadata(Vec<Fault>),
}

impl From<Vec<Fault>> for MetadataError {
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
    pub code: ErrorCode,
    /// What is wrong there: the member and the rule.
    pub reason: String,
}

impl MetadataError {
    /// The violation that stands for all of them.
    pub(crate) fn first(&self, profile: &Profile) -> Violation {
        match self {
            Self::Metadata(faults) => {
                violation(faults.first().expect("metadata is rejected for a fault"), profile)
            }
            Self::Json(error) => unreadable(error),
        }
    }

    /// Everything that is wrong, at most [`VIOLATIONS_MAX`] items and at least one.
    pub(crate) fn violations(&self, profile: &Profile) -> Vec<Violation> {
        match self {
            Self::Metadata(faults) => {
                listed(faults).map(|fault| violation(fault, profile)).collect()
            }
            Self::Json(error) => vec![unreadable(error)],
        }
    }
}

/// The faults that an answer lists, in the order of the document. The first fault of every member has priority, so that
/// a long list of bad entries hides no other member.
fn listed(faults: &[Fault]) -> impl Iterator<Item = &Fault> {
    let mut members = BTreeSet::new();
    let (first, further): (Vec<_>, Vec<_>) =
        faults.iter().enumerate().partition(|(_, fault)| members.insert(fault.member.as_str()));
    let mut listed: Vec<_> = first.into_iter().chain(further).take(VIOLATIONS_MAX).collect();
    listed.sort_unstable_by_key(|(at, _)| *at);
    listed.into_iter().map(|(_, fault)| fault)
}

fn unreadable(error: &JsonError) -> Violation {
    Violation {
        pointer: printable(&error.pointer),
        code: ErrorCode::InvalidRequest,
        reason: json_description(error),
    }
}

fn violation(fault: &Fault, profile: &Profile) -> Violation {
    Violation {
        pointer: printable(&fault.pointer()),
        code: code(fault, profile),
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
        | Problem::OtherClient
        | Problem::ServerOwned
        | Problem::NoSecret
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
