//! What is admitted: the rules, one function each, in one list. A rule sees metadata, the profile and the
//! operator's settings, never the store; it refuses by adding a fault, or replaces a value (RFC 7591
//! §3.2.1). Rules are tried when a client registers and never when a stored one is read.

use super::{profile::Profile, request::RegistrationRequest};
use crate::{
    client::{
        ClientMetadata, RedirectUriError, Scope, TokenEndpointAuthMethod,
        fault::{self, Fault, Problem},
    },
    config::RegistrationConfig,
    json::{Object, Value},
};

/// Metadata that has passed every rule. Only [`admit`] makes it, and only it can be issued.
#[derive(Debug)]
pub(crate) struct Admitted {
    metadata: ClientMetadata,
}

impl Admitted {
    /// The metadata as it will be registered.
    pub(crate) fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }
}

/// What a rule may look at.
struct Case<'a> {
    document: &'a Object<'a>,
    profile: &'a Profile,
    settings: &'a RegistrationConfig,
}

type Rule = fn(&mut ClientMetadata, &Case<'_>, &mut Vec<Fault>);

/// Every rule. They do not depend on one another's order.
const RULES: &[Rule] = &[
    lan_redirects,
    client_name_present,
    auth_method_supported,
    uris_within_length,
    scope_within_length,
    scopes_known,
    one_key_set,
];

/// Tries every rule; the faults come in document order.
pub(crate) fn admit(
    request: RegistrationRequest<'_>,
    profile: &Profile,
    settings: &RegistrationConfig,
) -> Result<Admitted, Vec<Fault>> {
    let RegistrationRequest { document, mut metadata, mut faults } = request;
    let case = Case { document: &document, profile, settings };
    for rule in RULES {
        rule(&mut metadata, &case, &mut faults);
    }
    redirect_uris_present(&metadata, &document, &mut faults);
    if profile.is_lenient {
        forgive(&metadata, &mut faults);
    }
    if faults.is_empty() {
        return Ok(Admitted { metadata });
    }
    fault::sort(&mut faults, &document);
    Err(faults)
}

/// Forgets faults whose value was left out without harm. A list of redirect URIs of which nothing is left
/// keeps its faults.
fn forgive(metadata: &ClientMetadata, faults: &mut Vec<Fault>) {
    let has_redirect_uri = !metadata.redirect_uris.as_slice().is_empty();
    faults.retain(|fault| {
        let is_needed = matches!(fault.problem, Problem::RedirectUri(_)) && !has_redirect_uri;
        is_needed || !fault.problem.is_forgivable()
    });
}

/// RFC 7591 §2: redirect-based grants need redirect URIs.
fn redirect_uris_present(
    metadata: &ClientMetadata,
    document: &Object<'_>,
    faults: &mut Vec<Fault>,
) {
    let is_empty = metadata.redirect_uris.as_slice().is_empty();
    if is_empty && !faults.iter().any(|fault| fault.member == "redirect_uris") {
        faults.push(missing("redirect_uris", document));
    }
}

/// How alike two names are, from 0 to 1, for one to be a misspelling of the other.
const ALIKE_MIN: f64 = 0.75;

/// A required member is missing; an unknown member of nearly that name may be what the client meant.
fn missing(member: &'static str, document: &Object<'_>) -> Fault {
    let is_alike = |sent: &str| {
        strsim::normalized_damerau_levenshtein(&sent.to_ascii_lowercase(), member) >= ALIKE_MIN
    };
    let is_shown =
        |sent: &str| sent.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
    let unknown =
        document.iter().map(|(sent, _)| sent).filter(|sent| !ClientMetadata::is_member(sent));
    let problem = match { unknown }.find(|sent| is_shown(sent) && is_alike(sent)) {
        Some(sent) => Problem::Misspelled { sent: sent.to_owned(), meant: member },
        None => Problem::Missing,
    };
    Fault::of(member, problem)
}

/// Private networks are redirected to only where the operator allows it.
fn lan_redirects(metadata: &mut ClientMetadata, case: &Case<'_>, faults: &mut Vec<Fault>) {
    let is_lan = |fault: &Fault| fault.problem == Problem::RedirectUri(RedirectUriError::Lan);
    if case.settings.allow_lan_redirects {
        return faults.retain(|fault| !is_lan(fault));
    }
    let Some(Value::Array(sent)) = case.document.get("redirect_uris") else { return };
    for entry in faults.iter().filter(|fault| is_lan(fault)).filter_map(|fault| fault.entry) {
        if let Some(Value::String(text)) = sent.get(entry) {
            metadata.redirect_uris.retain(|uri| uri.as_str() != text);
        }
    }
}

fn client_name_present(metadata: &mut ClientMetadata, case: &Case<'_>, faults: &mut Vec<Fault>) {
    if case.profile.requires_client_name
        && metadata.client_name.is_none()
        && !faults.iter().any(|fault| fault.member == "client_name")
    {
        faults.push(missing("client_name", case.document));
    }
}

/// Clients are public. A client that asks for a secret is refused, or registered without.
fn auth_method_supported(metadata: &mut ClientMetadata, case: &Case<'_>, faults: &mut Vec<Fault>) {
    match metadata.token_endpoint_auth_method {
        TokenEndpointAuthMethod::None => {}
        TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost
            if case.profile.replaces_auth_method =>
        {
            metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
        }
        TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost => {
            faults.push(Fault::of("token_endpoint_auth_method", Problem::AuthMethod));
        }
    }
}

fn uris_within_length(metadata: &mut ClientMetadata, case: &Case<'_>, faults: &mut Vec<Fault>) {
    let max = case.profile.uri_characters_max;
    let pages = [
        ("client_uri", &metadata.client_uri),
        ("logo_uri", &metadata.logo_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
    ];
    let pages = pages.into_iter().filter_map(|(name, uri)| Some((name, uri.as_ref()?.as_str())));
    let keys = metadata.jwks_uri.iter().map(|uri| ("jwks_uri", uri.as_str()));
    let localized = metadata
        .localized
        .iter()
        .filter(|(name, _)| !name.starts_with("client_name"))
        .map(|(name, uri)| (name.as_str(), uri.as_str()));
    for (name, uri) in pages.chain(keys).chain(localized) {
        // Only ASCII is left of a URI, so that bytes are characters.
        if uri.len() > max {
            faults.push(Fault::of(name, Problem::TooLong(max)));
        }
    }
}

fn scope_within_length(metadata: &mut ClientMetadata, case: &Case<'_>, faults: &mut Vec<Fault>) {
    let max = case.profile.scope_characters_max;
    // Measured as it was sent: repeated values count.
    if let Some(Value::String(scope)) = case.document.get("scope")
        && metadata.scope.is_some()
        && scope.len() > max
    {
        faults.push(Fault::of("scope", Problem::TooLong(max)));
    }
}

/// Scopes outside the catalogue are left out; a client that names none may ask for any later.
fn scopes_known(metadata: &mut ClientMetadata, case: &Case<'_>, _: &mut Vec<Fault>) {
    let catalogue = &case.settings.scopes;
    if case.profile.drops_unknown_scopes && !catalogue.is_empty() {
        let known = |scope: &Scope| {
            scope.retain(|token| catalogue.iter().any(|known| known.scope == token))
        };
        metadata.scope = metadata.scope.as_ref().and_then(known);
    }
}

/// RFC 7591 §2: `jwks` and `jwks_uri` never stand together. A value that is itself rejected counts, so that one response
/// lists both faults.
fn one_key_set(metadata: &mut ClientMetadata, _: &Case<'_>, faults: &mut Vec<Fault>) {
    let is_rejected = |member: &str| faults.iter().any(|fault| fault.member == member);
    let has_set = metadata.jwks.is_some() || is_rejected("jwks");
    let has_uri = metadata.jwks_uri.is_some() || is_rejected("jwks_uri");
    if has_set && has_uri {
        faults.push(Fault::of("jwks", Problem::TwoKeySets));
    }
}

#[cfg(test)]
mod tests;
