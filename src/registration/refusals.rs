//! What a door refuses with, one of each kind, for the description of the interface.

use super::error::RegistrationError;
use crate::{
    client::{
        RedirectUri,
        fault::{Fault, Problem},
    },
    config::Config,
    error_code::Refusal,
    http::{body::BodyError, rate_limit::Limit},
    json::{JsonError, JsonProblem},
    metadata_policy::{BODY_BYTES_MAX, MetadataError, Profile},
    store::StoreError,
};

/// At the endpoint of this profile.
pub(crate) fn of_door(profile: &Profile, config: &Config) -> Vec<Refusal> {
    let corrupt = StoreError::Corrupt { what: String::new(), source: "".into() };
    let json = |problem| JsonError { pointer: String::new(), problem };
    let mut errors = vec![
        RegistrationError::MediaType,
        RegistrationError::ContentEncoding,
        MetadataError::Json(json(JsonProblem::NotAnObject)).into(),
        MetadataError::Metadata(vec![Fault::of("redirect_uris", Problem::Missing)]).into(),
        RegistrationError::Body(BodyError::TooLarge(BODY_BYTES_MAX)),
        RegistrationError::Body(BodyError::TooSlow(config.connections.body_timeout_seconds)),
        RegistrationError::Body(BodyError::UsedUp),
        RegistrationError::TooManyRequests(Limit::PerSource),
        RegistrationError::TooManyRequests(Limit::BytesPerSource),
        RegistrationError::TooManyRequests(Limit::Total),
        RegistrationError::TooManyRequests(Limit::BytesTotal),
        RegistrationError::LimitUnknown,
        RegistrationError::Store(StoreError::Busy),
        RegistrationError::Store(corrupt),
    ];
    for uri in ["https://app.example/cb#fragment", "not a URI"] {
        let fault = RedirectUri::parse(uri).err().map(Problem::RedirectUri);
        errors.extend(fault.map(|problem| {
            let member = "redirect_uris".to_owned();
            MetadataError::Metadata(vec![Fault { member, entry: Some(0), problem }]).into()
        }));
    }
    let told = |error: RegistrationError| Refusal {
        status: error.status().as_u16(),
        code: Some(error.code(profile)),
        text: error.description(profile),
    };
    errors.into_iter().map(told).collect()
}
