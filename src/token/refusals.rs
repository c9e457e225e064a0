//! Every error of each token endpoint, one of each kind, for the API description.

use super::{error::TokenError, request::BODY_BYTES_MAX};
use crate::{
    config::Config,
    http::form::FormError,
    keys::KeysError,
    refusal::{Told, body_errors, store_errors},
};

/// The errors of `POST /oauth2/token`.
pub(crate) fn of_token_endpoint(config: &Config) -> Vec<Told> {
    let own = [
        TokenError::TooManyRequests { retry_after_seconds: 0 },
        TokenError::UnsupportedGrantType,
        TokenError::UnauthorizedClient,
        TokenError::InvalidGrant("the code or refresh token"),
        TokenError::Verifier,
        TokenError::InvalidScope,
        TokenError::InvalidTarget,
        TokenError::Keys(KeysError::None),
    ];
    told(of_any_form(config).into_iter().chain(of_clients()).chain(own))
}

/// The errors of `POST /oauth2/revoke`.
pub(crate) fn of_revocation(config: &Config) -> Vec<Told> {
    told(of_any_form(config).into_iter().chain(of_clients()))
}

/// The errors of `POST /oauth2/introspect`.
pub(crate) fn of_introspection(config: &Config) -> Vec<Told> {
    told(of_any_form(config).into_iter().chain([TokenError::UnknownResource]))
}

fn of_any_form(config: &Config) -> Vec<TokenError> {
    let timeout_seconds = config.connections.body_timeout_seconds;
    let own = [
        TokenError::Form(FormError::MediaType),
        TokenError::Form(FormError::Repeated("a parameter")),
        TokenError::Form(FormError::TooMany),
        TokenError::Form(FormError::NotUtf8),
        TokenError::Missing("a parameter that has to be there"),
        TokenError::TooManyFailures { retry_after_seconds: 0 },
    ];
    let body = body_errors(BODY_BYTES_MAX, timeout_seconds).map(TokenError::Body);
    own.into_iter().chain(body).chain(store_errors().map(TokenError::Store)).collect()
}

fn of_clients() -> [TokenError; 2] {
    [TokenError::TwoClients, TokenError::UnknownClient]
}

fn told(errors: impl Iterator<Item = TokenError>) -> Vec<Told> {
    errors.map(|error| Told::new(error.refusal(), error.to_string(), error.fix())).collect()
}
