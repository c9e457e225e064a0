//! The OpenID Providers at which people sign in: would a sign-in find there what it needs?

use super::{Examined, Finding, Look};
use crate::{
    http::request_event::chain,
    internet::Internet,
    provider::{ProviderError, Providers, Tried},
};

/// Can each of them be reached, is it who the settings say, and can what it signs be verified?
pub(super) fn reachable(examined: &Examined<'_>) -> Vec<Finding> {
    let settings = &examined.config.sign_in.providers;
    if settings.is_empty() {
        let look = Look::at("sign-in", &"sign_in.providers");
        return vec![if examined.config.authorizes() {
            look.ok("people sign in with the password that the server prints")
        } else {
            let what = "there is no way to sign in: clients register, but get no tokens";
            look.warning(what, "set sign_in.providers")
        }];
    }
    if examined.is_offline {
        return vec![
            Look::at("provider", &"sign_in.providers").ok("they are not asked (--offline)"),
        ];
    }
    let providers = Providers::new(settings, Internet::System);
    let tried = examined.wait(providers.try_all(examined.clock.now()));
    settings.iter().zip(tried).flat_map(|(one, tried)| judged(&one.issuer, &tried)).collect()
}

fn judged(issuer: &str, tried: &Tried) -> Vec<Finding> {
    let look = || Look::at("provider", &issuer);
    let problem = |error: &ProviderError| look().problem(chain(error), advice(error));
    let mut findings = vec![match &tried.metadata {
        Ok(()) => look().ok("it publishes what it has to, and names itself as the settings do"),
        Err(error) => problem(error),
    }];
    match &tried.keys {
        Some(Ok(keys)) => findings.push(look().ok(format!("{keys} of its keys can be used"))),
        Some(Err(error)) => findings.push(problem(error)),
        // Where they are, nobody has said.
        None => {}
    }
    if let Err(error) = &tried.secret {
        findings.push(problem(error));
    }
    findings
}

fn advice(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Metadata(_) => {
            "see to `issuer` in sign_in.providers, to names and networks, and to whom this machine trusts; \
             meanwhile nobody can sign in there"
        }
        ProviderError::MetadataContent(_) => {
            "set `issuer` in sign_in.providers to the member `issuer` of its metadata, byte for byte, and see that \
             the provider has https endpoints and signs with RS256, PS256, ES256, ES384 or EdDSA"
        }
        ProviderError::Keys(_) | ProviderError::KeysContent | ProviderError::NoUsableKey => {
            "see to the provider: nobody can sign in there until its `jwks_uri` answers with a key that signs with \
             one of the algorithms it names"
        }
        ProviderError::Secret(_) => {
            "see to `client_secret_file` in sign_in.providers, and let the user of the server read it"
        }
        ProviderError::Shared(error) => advice(error),
        // Nobody signs in here, so no code is exchanged.
        ProviderError::Token(_)
        | ProviderError::CodeRefused(_)
        | ProviderError::NoIdToken
        | ProviderError::IdToken(_) => "see to the provider",
    }
}
