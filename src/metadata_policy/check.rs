//! The dry run: would this register, and if not, why not. Nothing is stored or asked of the network.

use super::{
    error::{MetadataError, Violation},
    policy,
    profile::Profile,
    request::RegistrationRequest,
};
use crate::{client::ProfileName, config::RegistrationConfig};

/// Tries `body` at the door of `profile`: the metadata document that would be registered, or every
/// violation in document order.
pub(crate) fn check(
    body: &[u8],
    profile: ProfileName,
    settings: &RegistrationConfig,
) -> Result<String, Vec<Violation>> {
    let profile = Profile::of(profile);
    let admitted = || -> Result<_, MetadataError> {
        let request = RegistrationRequest::parse(body)?;
        Ok(policy::admit(request, profile, settings)?)
    };
    match admitted() {
        Ok(admitted) => Ok(admitted.metadata().document()),
        Err(error) => Err(error.violations(profile)),
    }
}
