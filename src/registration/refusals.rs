//! What a door refuses with, one of each kind, for the description of the interface.

use super::error::{ManagementError, RegistrationError};
use crate::{
    admission::{EffectName, Rejection},
    client::{
        RedirectUri,
        fault::{Fault, Problem},
    },
    config::{Config, LookAlikes, RegistrationAccess},
    http::rate_limit::Limit,
    json::{JsonError, JsonProblem},
    metadata_policy::{BODY_BYTES_MAX, MetadataError, Profile},
    refusal::{Told, body_errors, store_errors},
    store::Standing,
};

/// At the endpoint of this profile.
pub(crate) fn of_door(profile: &Profile, config: &Config) -> Vec<Told> {
    let mut told = of_metadata(profile, config);
    if config.registration.access != RegistrationAccess::Open {
        let errors = [
            RegistrationError::NoToken,
            RegistrationError::InvalidToken,
            RegistrationError::TooManyFailures { retry_after_seconds: 0 },
        ];
        told.extend(errors.map(|error| error.told(profile)));
    }
    told
}

/// Wherever client metadata is sent.
fn of_metadata(profile: &Profile, config: &Config) -> Vec<Told> {
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
    if registration.default != EffectName::Allow
        || registration.look_alikes == LookAlikes::Reject
        || !registration.rules.is_empty()
    {
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
    errors.into_iter().map(|error| error.told(profile)).collect()
}

/// Where a client reads its registration.
pub(crate) fn of_reading() -> Vec<Told> {
    let profile = &Profile::RFC7591;
    let own = [
        ManagementError::NoToken,
        ManagementError::InvalidToken,
        ManagementError::TooManyFailures { retry_after_seconds: 0 },
    ];
    let errors = own.into_iter().chain(store_errors().map(ManagementError::from));
    errors.map(|error| error.told(profile)).collect()
}

/// Where a client removes its registration.
pub(crate) fn of_removing() -> Vec<Told> {
    let profile = &Profile::RFC7591;
    let own = ManagementError::Forbidden(Standing::Suspended).told(profile);
    of_reading().into_iter().chain([own]).collect()
}

/// Where a client changes its registration.
pub(crate) fn of_updating(config: &Config) -> Vec<Told> {
    let profile = &Profile::RFC7591;
    let own = [("client_id", Problem::OtherClient), ("client_id_issued_at", Problem::ServerOwned)];
    let own = own.map(|(member, problem)| {
        let error = MetadataError::Metadata(vec![Fault::of(member, problem)]);
        RegistrationError::from(error).told(profile)
    });
    let pending = ManagementError::Forbidden(Standing::Pending).told(profile);
    let shared = of_removing().into_iter().chain(of_metadata(profile, config));
    shared.chain(own).chain([pending]).collect()
}

impl RegistrationError {
    fn told(&self, profile: &Profile) -> Told {
        Told::new(self.refusal(profile), self.description(profile), self.fix())
    }
}

impl ManagementError {
    fn told(&self, profile: &Profile) -> Told {
        Told::new(self.refusal(profile), self.description(profile), self.fix())
    }
}
