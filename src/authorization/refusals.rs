//! What each endpoint refuses with, one of each kind, for the description of the interface.

use std::sync::Arc;

use super::{
    error::{AuthorizationError, PageError},
    request::STATE_BYTES_MAX,
};
use crate::{
    client_document::DocumentError,
    config::Config,
    error_code::Refusal,
    http::{body::BodyError, form::FormError},
    sign_in::{FORM_BYTES_MAX, REQUEST_BYTES_MAX},
    store::StoreError,
};

/// What the client is told by the redirect.
pub(crate) fn by_redirect() -> Vec<Refusal> {
    let errors = [
        AuthorizationError::Repeated("a parameter"),
        AuthorizationError::Missing("response_type"),
        AuthorizationError::ResponseType,
        AuthorizationError::ResponseMode,
        AuthorizationError::Elsewhere("request or request_uri"),
        AuthorizationError::NoChallenge,
        AuthorizationError::ChallengeMethod,
        AuthorizationError::Challenge,
        AuthorizationError::State(STATE_BYTES_MAX),
        AuthorizationError::Scope,
        AuthorizationError::UnknownResource,
        AuthorizationError::NoResource,
        AuthorizationError::LoginRequired,
        AuthorizationError::ConsentRequired,
        AuthorizationError::Denied,
        AuthorizationError::Unavailable,
        AuthorizationError::Failed,
    ];
    let told = |error: AuthorizationError| Refusal {
        status: 303,
        code: Some(error.code()),
        text: error.to_string(),
    };
    errors.into_iter().map(told).collect()
}

/// What the person is told at `GET /oauth2/authorize`.
pub(crate) fn of_query(config: &Config) -> Vec<Refusal> {
    let corrupt = StoreError::Corrupt { what: String::new(), source: "".into() };
    let mut errors = vec![
        PageError::Request(REQUEST_BYTES_MAX),
        PageError::Form(FormError::TooMany),
        PageError::Form(FormError::NotUtf8),
        PageError::Missing("client_id or redirect_uri"),
        PageError::UnknownClient,
        PageError::UnknownRedirectUri,
        PageError::TooManyFailures { retry_after_seconds: 0 },
        PageError::Client(StoreError::Busy),
        PageError::Client(corrupt),
    ];
    if config.client_documents.enabled {
        let of_document = |reason| PageError::Document {
            host: "the host of its document".to_owned(),
            reason: Arc::new(reason),
        };
        errors.extend(
            [DocumentError::Host, DocumentError::Gone, DocumentError::Busy].map(of_document),
        );
    }
    told(errors)
}

/// What the person is told at `POST /oauth2/authorize`.
pub(crate) fn of_form(config: &Config) -> Vec<Refusal> {
    [of_query(config), told(of_body(config, REQUEST_BYTES_MAX))].concat()
}

/// What the person is told at `POST /oauth2/consent`.
pub(crate) fn of_decision(config: &Config) -> Vec<Refusal> {
    let own = told([PageError::ForeignForm, PageError::OldForm]);
    [of_query(config), told(of_body(config, FORM_BYTES_MAX)), own].concat()
}

/// What the person is told at `GET /oauth2/grants`.
pub(crate) fn of_grants() -> Vec<Refusal> {
    told(of_lookup())
}

/// What the person is told at `POST /oauth2/grants`.
pub(crate) fn of_revocation(config: &Config) -> Vec<Refusal> {
    let own = told([PageError::ForeignForm, PageError::OldForm]);
    [told(of_lookup()), told(of_body(config, FORM_BYTES_MAX)), own].concat()
}

fn of_lookup() -> [PageError; 5] {
    let corrupt = StoreError::Corrupt { what: String::new(), source: "".into() };
    [
        PageError::Form(FormError::Repeated("a parameter")),
        PageError::Form(FormError::TooMany),
        PageError::Form(FormError::NotUtf8),
        PageError::Grants(StoreError::Busy),
        PageError::Grants(corrupt),
    ]
}

fn of_body(config: &Config, bytes_max: usize) -> [PageError; 4] {
    [
        PageError::Form(FormError::MediaType),
        PageError::Body(BodyError::TooLarge(bytes_max)),
        PageError::Body(BodyError::TooSlow(config.connections.body_timeout_seconds)),
        PageError::Body(BodyError::UsedUp),
    ]
}

fn told(errors: impl IntoIterator<Item = PageError>) -> Vec<Refusal> {
    let told = |error: PageError| Refusal {
        status: error.status().as_u16(),
        code: None,
        text: error.to_string(),
    };
    errors.into_iter().map(told).collect()
}
