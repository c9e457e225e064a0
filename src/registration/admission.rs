//! Asks the operator's admission rules about a client that registers (`admission/`). They see what every other check
//! has let through, so that no rule has to be robust against malformed metadata.

use std::net::IpAddr;

use crate::{
    admission::{Admitted, Candidate, Door, Rejection, Rules},
    client::{ClientMetadata, ProfileName},
    look_alike::ProtectedNames,
};

/// What the rules say of a client, and its names.
pub(super) struct Admission<'a> {
    pub(super) rules: &'a Rules,
    pub(super) protected_names: &'a ProtectedNames,
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
        self.rules.admit(&Candidate {
            door: match profile {
                ProfileName::Datadog => Door::Datadog,
                ProfileName::Rfc7591 => Door::Rfc7591,
            },
            metadata,
            document_host: None,
            source,
            initial_access_token: self.initial_access_token,
            is_imitation: &|| self.protected_names.borrowed_by(metadata).is_some(),
        })
    }
}
