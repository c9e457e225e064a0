//! What the rest of the program names of the settings, beside their structures.

pub use super::{
    algorithm::SigningAlgorithm,
    branding::{Color, Logo},
    choices::{LogFormat, LookAlikes, RegistrationAccess, WhenUnreachable},
    fault::ConfigErrors,
    guard::{Ask, Guard, GuardRule, IdentityHeaders, ShownTools},
    load::load,
    location::{PostgresUrl, Secret, StoreLocation},
    print::{reference, sample},
    redis_url::RedisUrl,
    secret_files::{SecretFile, secret_files},
    source::{Sources, environment},
    tables::{
        AdmissionRule, CatalogueScope, Operators, ProtectedName, Provider, Resource, Webhook,
    },
    traces::{Ratio, TraceSampler},
};

/// Any bytes as a file and as the value of every variable: faults, but no panic.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    super::load::fuzz(bytes);
}
