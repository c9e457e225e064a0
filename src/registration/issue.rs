//! Issues a client: admitted metadata → the record that is kept.

use std::net::IpAddr;

use crate::{
    client::ClientId,
    clock::Timestamp,
    config::RegistrationConfig,
    entropy::Entropy,
    metadata_policy::{Admitted, Profile},
    store::{ClientFlags, ClientRecord, ClientRegistration, ClientState, ClientTerms, Standing},
};

/// Who asked, and by which door.
pub(crate) struct Requester {
    pub(crate) profile: &'static Profile,
    /// The caller's address; `None` when it is not to be kept.
    pub(crate) source: Option<IpAddr>,
    /// Whether an operator has to approve the client first.
    pub(crate) is_held: bool,
    /// What the rule that let it in says of it.
    pub(crate) terms: ClientTerms,
    /// What an operator should look at.
    pub(crate) flags: ClientFlags,
    /// Who vouches for it.
    pub(crate) registration: ClientRegistration,
}

/// The record of a new client.
pub(crate) fn client(
    admitted: &Admitted,
    requester: Requester,
    entropy: &Entropy,
    now: Timestamp,
) -> ClientRecord {
    let standing = if requester.is_held { Standing::Pending } else { Standing::Active };
    ClientRecord {
        client_id: ClientId::generate(now, entropy),
        issued_at: now,
        profile: requester.profile.name,
        source: requester.source,
        flags: requester.flags,
        metadata: admitted.metadata().document(),
        state: ClientState { standing, terms: requester.terms, ..ClientState::default() },
        registration: requester.registration,
    }
}

/// The flags of a client, which may go by a protected name that is not its own.
pub(super) fn flags(is_imitation: bool, settings: &RegistrationConfig) -> ClientFlags {
    if is_imitation && settings.marks_look_alikes() {
        ClientFlags::LOOK_ALIKE
    } else {
        ClientFlags::default()
    }
}
