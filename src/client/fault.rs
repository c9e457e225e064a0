//! What is wrong with a client's metadata, and where. The OAuth error code of a fault is chosen by
//! `registration/error.rs`, from its type alone.

use std::collections::HashMap;

use super::{
    grant_type::GrantTypeError, jwks::JwkSetError, name::ClientNameError,
    redirect_uri::RedirectUriError, web_uri::WebUriError,
};
use crate::json::{Object, pointer_step};

/// One thing that is wrong with one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The member's name as it was sent, language tag and all.
    pub(crate) member: String,
    /// Which entry of the member's array, when it is one entry's fault.
    pub(crate) entry: Option<usize>,
    pub(crate) problem: Problem,
}

impl Fault {
    /// A fault of the whole member.
    pub(crate) fn of(member: &str, problem: Problem) -> Self {
        Self { member: member.to_owned(), entry: None, problem }
    }

    /// Its place as a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let member = pointer_step(&self.member);
        self.entry.map_or_else(|| format!("/{member}"), |entry| format!("/{member}/{entry}"))
    }

    /// Its place as people write it: `redirect_uris[1]`.
    pub(crate) fn place(&self) -> String {
        self.entry.map_or_else(|| self.member.clone(), |entry| format!("{}[{entry}]", self.member))
    }
}

/// Sorts faults by their place in `document`; a member that is missing comes last.
pub(crate) fn sort(faults: &mut [Fault], document: &Object<'_>) {
    let places: HashMap<&str, usize> =
        document.iter().enumerate().map(|(place, (member, _))| (member, place)).collect();
    faults.sort_by_key(|fault| {
        (places.get(fault.member.as_str()).copied().unwrap_or(usize::MAX), fault.entry)
    });
}

/// What is wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("is required")]
    Missing,
    /// A required member is missing, and an unknown one looks like it.
    #[error("is required: {sent} is not a member, did you mean {meant}?")]
    Misspelled { sent: String, meant: &'static str },
    #[error("is not {0}")]
    WrongType(&'static str),
    #[error("is longer than {0} characters")]
    TooLong(usize),
    #[error("has more than {0} entries")]
    TooMany(usize),
    #[error("contains a control character")]
    ControlCharacter,
    #[error("contains a lone surrogate")]
    LoneSurrogate,
    #[error("is not a space-separated list of scope tokens (RFC 6749 section 3.3)")]
    Scope,
    #[error("asks for a method that is not supported; only none is")]
    AuthMethod,
    #[error("may not stand together with jwks_uri")]
    TwoKeySets,
    /// Of a document's `client_id`.
    #[error("is not the URL of the document")]
    OtherUrl,
    #[error("is in a document that everybody can read")]
    PublishedSecret,
    /// Of an update's `client_id`.
    #[error("is not the client_id of this registration")]
    OtherClient,
    /// Of a member of an update.
    #[error("is set by the server and may not be sent")]
    ServerOwned,
    #[error("is not the secret of this client, which has none")]
    NoSecret,
    #[error("has a malformed language tag")]
    LanguageTag,
    #[error("repeats a language tag")]
    RepeatedLanguageTag,
    #[error(transparent)]
    GrantType(GrantTypeError),
    #[error(transparent)]
    ClientName(ClientNameError),
    #[error(transparent)]
    RedirectUri(RedirectUriError),
    /// Of a member that people look at.
    #[error(transparent)]
    WebUri(WebUriError),
    #[error(transparent)]
    JwksUri(WebUriError),
    #[error(transparent)]
    JwkSet(JwkSetError),
}

impl Problem {
    /// Whether a lenient profile leaves the value out and goes on: a redirect URI that is merely not
    /// allowed, a page's address that is no URL.
    pub(crate) const fn is_forgivable(&self) -> bool {
        match self {
            Self::RedirectUri(error) => !error.is_dangerous(),
            Self::WebUri(error) => matches!(error, WebUriError::NotAUrl),
            Self::Missing
            | Self::Misspelled { .. }
            | Self::WrongType(_)
            | Self::TooLong(_)
            | Self::TooMany(_)
            | Self::ControlCharacter
            | Self::LoneSurrogate
            | Self::Scope
            | Self::AuthMethod
            | Self::TwoKeySets
            | Self::OtherUrl
            | Self::PublishedSecret
            | Self::OtherClient
            | Self::ServerOwned
            | Self::NoSecret
            | Self::LanguageTag
            | Self::RepeatedLanguageTag
            | Self::GrantType(_)
            | Self::ClientName(_)
            | Self::JwksUri(_)
            | Self::JwkSet(_) => false,
        }
    }
}

/// Where the reader of one member reports to.
pub(crate) struct MemberFaults<'faults> {
    pub(crate) member: &'faults str,
    pub(crate) faults: &'faults mut Vec<Fault>,
}

impl MemberFaults<'_> {
    /// The member as a whole is refused.
    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.faults.push(Fault::of(self.member, problem));
    }

    /// One entry of its array is refused.
    pub(crate) fn refuse_entry(&mut self, entry: usize, problem: Problem) {
        self.faults.push(Fault { member: self.member.to_owned(), entry: Some(entry), problem });
    }
}
