//! What each endpoint refuses with, one of each kind, for the description of the interface.

use super::{error::TokenError, request::BODY_BYTES_MAX};
use crate::{
    config::Config,
    error_code::Refusal,
    http::{body::BodyError, form::FormError},
    keys::KeysError,
    store::StoreError,
};

/// At `POST /oauth2/token`.
pub(crate) fn of_token_endpoint(config: &Config) -> Vec<Refusal> {
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

/// At `POST /oauth2/revoke`.
pub(crate) fn of_revocation(config: &Config) -> Vec<Refusal> {
    told(of_any_form(config).into_iter().chain(of_clients()))
}

/// At `POST /oauth2/introspect`.
pub(crate) fn of_introspection(config: &Config) -> Vec<Refusal> {
    told(of_any_form(config).into_iter().chain([TokenError::UnknownResource]))
}

fn of_any_form(config: &Config) -> [TokenError; 11] {
    let corrupt = StoreError::Corrupt { what: String::new(), source: "".into() };
    [
        TokenError::Form(FormError::MediaType),
        TokenError::Form(FormError::Repeated("a parameter")),
        TokenError::Form(FormError::TooMany),
        TokenError::Form(FormError::NotUtf8),
        TokenError::Missing("a parameter that has to be there"),
        TokenError::Body(BodyError::TooLarge(BODY_BYTES_MAX)),
        TokenError::Body(BodyError::TooSlow(config.connections.body_timeout_seconds)),
        TokenError::Body(BodyError::UsedUp),
        TokenError::TooManyFailures { retry_after_seconds: 0 },
        TokenError::Store(StoreError::Busy),
        TokenError::Store(corrupt),
    ]
}

fn of_clients() -> [TokenError; 2] {
    [TokenError::TwoClients, TokenError::UnknownClient]
}

fn told(errors: impl Iterator<Item = TokenError>) -> Vec<Refusal> {
    let told = |error: TokenError| Refusal {
        status: error.status().as_u16(),
        code: Some(error.code()),
        text: error.to_string(),
    };
    errors.map(told).collect()
}
