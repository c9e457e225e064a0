//! Issues a client: admitted metadata → the record that is kept.

use std::net::IpAddr;

use crate::{
    client::ClientId,
    clock::Timestamp,
    entropy::Entropy,
    look_alike::ProtectedNames,
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
    /// Who vouches for it.
    pub(crate) registration: ClientRegistration,
}

/// The record of a new client.
pub(crate) fn client(
    admitted: &Admitted,
    requester: Requester,
    protected_names: &ProtectedNames,
    entropy: &Entropy,
    now: Timestamp,
) -> ClientRecord {
    let standing = if requester.is_held { Standing::Pending } else { Standing::Active };
    ClientRecord {
        client_id: ClientId::generate(now, entropy),
        issued_at: now,
        profile: requester.profile.name,
        source: requester.source,
        flags: flags(admitted, protected_names),
        metadata: admitted.metadata().document(),
        state: ClientState { standing, terms: requester.terms, ..ClientState::default() },
        registration: requester.registration,
    }
}

/// What an operator should look at.
pub(super) fn flags(admitted: &Admitted, protected_names: &ProtectedNames) -> ClientFlags {
    let mut flags = ClientFlags::default();
    if protected_names.borrowed_by(admitted.metadata()).is_some() {
        flags.insert(ClientFlags::LOOK_ALIKE);
    }
    flags
}
