//! Sessions of resource owners, and the ways to begin one.
//!
//! `session.rs` has the session and its cookie. `upstream.rs` sends the browser to an OpenID Provider (`provider/`)
//! and back: `claims.rs` has the identity of the person, and `under_way.rs` the cookie that the browser holds
//! meanwhile.

mod claims;
mod endpoint;
mod error;
mod held;
mod session;
mod under_way;
mod upstream;

#[cfg(test)]
pub(crate) use self::error::refusals;
pub(crate) use self::{
    endpoint::{ask_to_sign_out, begin, chosen, finish, sign_out},
    session::{Session, newest_session, session},
};
use crate::{app::App, pages::ProviderChoice, paths, store::ResourceOwner};

/// The longest authorization request, in bytes: forms carry it until the person has signed in and decided.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 << 10;

/// The longest form of our pages: an authorization request with each byte percent-encoded, and a little more.
pub(crate) const FORM_BYTES_MAX: usize = 3 * REQUEST_BYTES_MAX + 1_024;

/// Whether a text can be an authorization request: short enough, and made of characters that a URL may have.
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

/// The name of a resource owner on pages.
pub(crate) fn account(owner: &ResourceOwner) -> String {
    match (&owner.name, &owner.email) {
        (Some(name), Some(email)) => format!("{name} ({email})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => owner.subject.clone(),
    }
}

/// Where a person continues after a sign-in: at the waiting authorization request, or at the page of their connected
/// apps.
pub(crate) fn go_on(app: &App, request: &str) -> String {
    let path = app.config.issuer_path();
    match request {
        "" => format!("{path}{}", paths::GRANTS),
        request => format!("{path}{}?{request}", paths::AUTHORIZE),
    }
}

/// Entry point of a fuzz target: the value of a cookie.
#[cfg(fuzzing)]
pub(crate) fn fuzz_session(value: &str) {
    session::fuzz(value);
}
