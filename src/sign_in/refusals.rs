//! What each page refuses with, one of each kind, for the description of the interface.

use super::{
    FORM_BYTES_MAX, REQUEST_BYTES_MAX, claims::ClaimsError, endpoint::SignInError,
    upstream::UpstreamError,
};
use crate::{
    config::Config,
    error_code::Refusal,
    http::{body::BodyError, form::FormError},
    provider::{IdTokenError, ProviderError},
    store::StoreError,
};

/// At `POST /oauth2/sign-in`.
pub(crate) fn of_begin(config: &Config) -> Vec<Refusal> {
    let mut errors = of_any_form(config);
    errors.extend([
        SignInError::TooMany { retry_after_seconds: 60 },
        SignInError::UnknownWay,
        SignInError::Request,
    ]);
    if config.sign_in.local {
        errors.push(SignInError::WrongPassword { left: None, request: String::new() });
    }
    if !config.sign_in.providers.is_empty() {
        errors.push(UpstreamError::from(ProviderError::KeysContent).into());
        errors.push(UpstreamError::TooLong(REQUEST_BYTES_MAX).into());
    }
    errors.extend(of_store());
    told(errors)
}

/// At `GET /oauth2/sign-in/{provider}`.
pub(crate) fn of_return() -> Vec<Refusal> {
    let mut errors =
        vec![SignInError::UnknownWay, SignInError::TooMany { retry_after_seconds: 60 }];
    let upstream = [
        UpstreamError::Query(FormError::Repeated("a parameter")),
        UpstreamError::Over,
        UpstreamError::OtherIssuer,
        UpstreamError::Denied,
        UpstreamError::Refused,
        UpstreamError::Claims(ClaimsError::NoSubject),
        UpstreamError::Claims(ClaimsError::NotAllowed),
        UpstreamError::Claims(ClaimsError::Address),
        UpstreamError::Provider(ProviderError::KeysContent),
        UpstreamError::Provider(ProviderError::IdToken(IdTokenError::Signature)),
    ];
    errors.extend(upstream.map(Into::into));
    errors.extend(of_store());
    told(errors)
}

/// At `GET /oauth2/sign-out`.
pub(crate) fn of_question() -> Vec<Refusal> {
    told(of_store().into())
}

/// At `POST /oauth2/sign-out`.
pub(crate) fn of_sign_out(config: &Config) -> Vec<Refusal> {
    let mut errors = of_any_form(config);
    errors.extend(of_store());
    told(errors)
}

fn of_any_form(config: &Config) -> Vec<SignInError> {
    vec![
        SignInError::Form(FormError::Repeated("a parameter")),
        SignInError::Form(FormError::TooMany),
        SignInError::Form(FormError::NotUtf8),
        SignInError::Form(FormError::MediaType),
        SignInError::Foreign,
        SignInError::Body(BodyError::TooLarge(FORM_BYTES_MAX)),
        SignInError::Body(BodyError::TooSlow(config.connections.body_timeout_seconds)),
        SignInError::Body(BodyError::UsedUp),
    ]
}

fn of_store() -> [SignInError; 2] {
    let corrupt = StoreError::Corrupt { what: String::new(), source: "".into() };
    [SignInError::Store(StoreError::Busy), SignInError::Store(corrupt)]
}

fn told(errors: Vec<SignInError>) -> Vec<Refusal> {
    let told = |error: SignInError| Refusal {
        status: error.status().as_u16(),
        code: None,
        text: error.to_string(),
    };
    errors.into_iter().map(told).collect()
}
