//! Who the resource owner is: sessions of browsers, and the ways to begin one.
//!
//! `session.rs` is what a browser holds, `upstream.rs`
//! leads to an OpenID Provider (`provider/`) and back: `claims.rs` says who signed in there, `under_way.rs` is what the
//! browser holds meanwhile.

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
