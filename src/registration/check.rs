//! The dry run: would this register, and if not, why not. Nothing is stored or asked of the network.

use super::{admission::Admission, error::RegistrationError};
use crate::{
    client::ProfileName,
    config::RegistrationConfig,
    look_alike::ProtectedNames,
    metadata_policy::{MetadataError, Profile, RegistrationRequest, Violation, admit},
};

/// Tries `body` at the door of `profile`: the metadata document that would be registered, or every
/// violation in document order. Admission rules decide as if the address of the client were unknown, and as if it had no
/// initial access token.
pub(crate) fn check(
    body: &[u8],
    profile: ProfileName,
    settings: &RegistrationConfig,
) -> Result<String, Vec<Violation>> {
    let profile = Profile::of(profile);
    let admitted = || -> Result<_, RegistrationError> {
        let request = RegistrationRequest::parse(body)?;
        let admitted = admit(request, profile, settings).map_err(MetadataError::from)?;
        let rules = settings.admission_rules();
        let protected_names = ProtectedNames::new(&settings.protected_names);
        let admission = Admission {
            rules: &rules,
            is_imitation: protected_names.borrowed_by(admitted.metadata()).is_some(),
            initial_access_token: None,
        };
        admission.decide(profile.name, admitted.metadata(), None)?;
        Ok(admitted)
    };
    match admitted() {
        Ok(admitted) => Ok(admitted.metadata().document()),
        Err(error) => Err(error.violations(profile)),
    }
}
