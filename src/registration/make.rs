//! A client that an operator makes: admitted like one that registers, but by no admission rule, which are for strangers.

use super::{
    error::RegistrationError,
    issue::{self, Requester},
};
use crate::{
    audit::Author,
    config::RegistrationConfig,
    entropy::Entropy,
    look_alike::ProtectedNames,
    metadata_policy::{MetadataError, Profile, RegistrationRequest, Violation, admit},
    store::{ClientRecord, ClientRegistration, ClientTerms},
};

/// The client of this metadata, made by the operator who is the author, or every violation. Nothing of it is left out: who types it in would
/// not see that.
pub(crate) fn make(
    body: &[u8],
    settings: &RegistrationConfig,
    by: &Author,
    entropy: &Entropy,
) -> Result<ClientRecord, Vec<Violation>> {
    let profile = &Profile { is_lenient: false, drops_unknown_scopes: false, ..Profile::RFC7591 };
    let admitted = || -> Result<_, RegistrationError> {
        let request = RegistrationRequest::parse(body)?;
        Ok(admit(request, profile, settings).map_err(MetadataError::from)?)
    };
    let admitted = admitted().map_err(|error| error.violations(profile))?;
    let operator = by.actor.id().unwrap_or_default();
    let protected_names = ProtectedNames::new(&settings.protected_names);
    let is_imitation = protected_names.borrowed_by(admitted.metadata()).is_some();
    let requester = Requester {
        profile: &Profile::RFC7591,
        source: None,
        is_held: false,
        terms: ClientTerms::default(),
        flags: issue::flags(is_imitation, settings),
        registration: ClientRegistration::by_operator(&operator),
    };
    Ok(issue::client(&admitted, requester, entropy, by.at))
}
