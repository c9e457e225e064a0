//! Who the resource owner is: sessions of browsers, and the ways to begin one.
//!
//! `session.rs` is what a browser holds, `local.rs` the password of a server for development. `upstream.rs`
//! leads to an OpenID Provider and back: `provider.rs` asks it, `provider_metadata.rs` and `id_token.rs` read
//! what it answers, `claims.rs` says who that is; `under_way.rs` is what the browser holds meanwhile.

mod claims;
mod endpoint;
#[cfg(fuzzing)]
mod fuzz;
mod held;
mod id_token;
mod local;
mod provider;
mod provider_metadata;
pub(crate) mod refusals;
mod session;
mod under_way;
mod upstream;

pub(crate) use self::{
    endpoint::{ask_to_sign_out, begin, chosen, finish, sign_out},
    local::LocalPassword,
    provider::{ProviderError, Providers, Tried},
    session::{Session, session},
};
use crate::{app::App, pages::ProviderChoice, paths, store::ResourceOwner};

/// The longest authorization request, in bytes: it waits in forms until somebody has signed in and decided.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 << 10;

/// The longest form of a page of ours: an authorization request, each of its bytes encoded, and a little more.
pub(crate) const FORM_BYTES_MAX: usize = 3 * REQUEST_BYTES_MAX + 1_024;

/// Whether a text can be an authorization request: no longer than one, and nothing in it that no address has.
pub(crate) fn can_wait(request: &str) -> bool {
    request.len() <= REQUEST_BYTES_MAX && request.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The providers at which one can sign in.
pub(crate) fn choices(app: &App) -> Vec<ProviderChoice> {
    let providers = app.config.sign_in.providers.iter();
    providers
        .map(|provider| ProviderChoice { id: provider.id.clone(), name: provider.name.clone() })
        .collect()
}

/// What a resource owner is called on pages.
pub(crate) fn account(owner: &ResourceOwner) -> String {
    match (&owner.name, &owner.email) {
        (Some(name), Some(email)) => format!("{name} ({email})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => owner.subject.clone(),
    }
}

/// Where whoever has signed in goes on: to the authorization request that waits, or, if none does, to what they
/// have allowed.
pub(crate) fn go_on(app: &App, request: &str) -> String {
    let path = app.config.issuer_path();
    match request {
        "" => format!("{path}{}", paths::GRANTS),
        request => format!("{path}{}?{request}", paths::AUTHORIZE),
    }
}

/// The door of a fuzz target: the value of a cookie.
#[cfg(fuzzing)]
pub(crate) fn fuzz_session(value: &str) {
    session::fuzz(value);
}

/// The door of a fuzz target: metadata, keys and an ID token, each on a line.
#[cfg(fuzzing)]
pub(crate) fn fuzz_provider(answers: &[u8]) {
    let mut lines = answers.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let _read = provider_metadata::ProviderMetadata::read(line(), "https://login.example");
    let _read = id_token::keys(line());
    fuzz::token(&String::from_utf8_lossy(line()));
}

/// The door of a fuzz target: the header and the claims of an ID token, and how a good one is altered.
#[cfg(fuzzing)]
pub(crate) fn fuzz_id_token(
    header: &[u8],
    claims: &[u8],
    altered: impl Fn(&str) -> Option<String>,
) {
    fuzz::id_token(header, claims, altered);
}
