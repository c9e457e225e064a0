//! Asks the operator's admission rules about a client that registers (`admission/`). They see what every other check
//! has let through, so that no rule has to be robust against malformed metadata.

use std::net::IpAddr;

use crate::{
    admission::{Admitted, Candidate, Door, Rejection, Rules, Word},
    client::{ClientMetadata, ProfileName},
};

/// What the rules are asked about a client, beside its metadata.
pub(super) struct Admission<'a> {
    pub(super) rules: &'a Rules,
    /// Whether it goes by a protected name that is not its own.
    pub(super) is_imitation: bool,
    /// The policy of the initial access token, if there is one.
    pub(super) initial_access_token: Option<&'a str>,
}

impl<'a> Admission<'a> {
    /// What the client gets, or why it is turned away. Without a source no network matches.
    pub(super) fn decide(
        &self,
        profile: ProfileName,
        metadata: &ClientMetadata,
        source: Option<IpAddr>,
    ) -> Result<Admitted<'a>, Rejection> {
        self.rules.admit(&self.candidate(profile, metadata, source))
    }

    /// The label that the client gets; counts nothing.
    pub(super) fn label(
        &self,
        profile: ProfileName,
        metadata: &ClientMetadata,
        source: Option<IpAddr>,
    ) -> Option<String> {
        let outcome = self.rules.evaluate(&self.candidate(profile, metadata, source));
        outcome.terms.label.as_ref().map(Word::text)
    }

    fn candidate<'b>(
        &'b self,
        profile: ProfileName,
        metadata: &'b ClientMetadata,
        source: Option<IpAddr>,
    ) -> Candidate<'b> {
        Candidate {
            door: match profile {
                ProfileName::Datadog => Door::Datadog,
                ProfileName::Rfc7591 => Door::Rfc7591,
            },
            metadata,
            document_host: None,
            source,
            initial_access_token: self.initial_access_token,
            is_imitation: self.is_imitation,
        }
    }
}
