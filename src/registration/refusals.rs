//! What a door refuses with, one of each kind, for the description of the interface.

use super::error::RegistrationError;
use crate::{
    admission::{EffectName, Rejection},
    client::{
        RedirectUri,
        fault::{Fault, Problem},
    },
    config::Config,
    http::rate_limit::Limit,
    json::{JsonError, JsonProblem},
    metadata_policy::{BODY_BYTES_MAX, MetadataError, Profile},
    refusal::{Refusal, body_errors, store_errors},
};

/// At the endpoint of this profile.
pub(crate) fn of_door(profile: &Profile, config: &Config) -> Vec<(Refusal, String)> {
    let json = |problem| JsonError { pointer: String::new(), problem };
    let mut errors = vec![
        RegistrationError::MediaType,
        RegistrationError::ContentEncoding,
        MetadataError::Json(json(JsonProblem::NotAnObject)).into(),
        MetadataError::Metadata(vec![Fault::of("redirect_uris", Problem::Missing)]).into(),
        RegistrationError::TooManyRequests(Limit::PerSource),
        RegistrationError::TooManyRequests(Limit::BytesPerSource),
        RegistrationError::TooManyRequests(Limit::Total),
        RegistrationError::TooManyRequests(Limit::BytesTotal),
        RegistrationError::LimitUnknown,
    ];
    let timeout_seconds = config.connections.body_timeout_seconds;
    errors.extend(body_errors(BODY_BYTES_MAX, timeout_seconds).map(RegistrationError::Body));
    errors.extend(store_errors().map(RegistrationError::Store));
    let registration = &config.registration;
    if registration.default != EffectName::Allow || !registration.rules.is_empty() {
        let rejections = [true, false].map(|by_destination| Rejection {
            reason: "the reason that the administrator gives".to_owned(),
            by_destination,
        });
        errors.extend(rejections.map(RegistrationError::Rejected));
    }
    for uri in ["https://app.example/cb#fragment", "not a URI"] {
        let fault = RedirectUri::parse(uri).err().map(Problem::RedirectUri);
        errors.extend(fault.map(|problem| {
            let member = "redirect_uris".to_owned();
            MetadataError::Metadata(vec![Fault { member, entry: Some(0), problem }]).into()
        }));
    }
    let told = |error: RegistrationError| (error.refusal(profile), error.description(profile));
    errors.into_iter().map(told).collect()
}
