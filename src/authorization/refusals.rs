//! What the authorization endpoint refuses with, one of each kind, for the description of the interface.

use std::sync::Arc;

use super::{
    error::{AuthorizationError, PageError},
    request::STATE_BYTES_MAX,
};
use crate::{
    client_document::DocumentError,
    config::Config,
    http::form::FormError,
    refusal::{Refusal, body_errors, store_errors},
    sign_in::REQUEST_BYTES_MAX,
};

/// What the client is told by the redirect.
pub(crate) fn by_redirect() -> Vec<(Refusal, String)> {
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
        AuthorizationError::ApiBesideOthers,
        AuthorizationError::NoRole,
        AuthorizationError::LoginRequired,
        AuthorizationError::ConsentRequired,
        AuthorizationError::Denied,
        AuthorizationError::Unavailable,
        AuthorizationError::Failed,
    ];
    errors.into_iter().map(|error| (error.refusal(), error.to_string())).collect()
}

/// What the person is told at `GET /oauth2/authorize`.
pub(crate) fn of_query(config: &Config) -> Vec<(Refusal, String)> {
    let mut errors = vec![
        PageError::Request(REQUEST_BYTES_MAX),
        PageError::Form(FormError::TooMany),
        PageError::Form(FormError::NotUtf8),
        PageError::Missing("client_id or redirect_uri"),
        PageError::UnknownClient(None),
        PageError::UnknownRedirectUri,
        PageError::Suspended,
        PageError::Pending { code: "of the app".to_owned(), request: String::new() },
        PageError::TooManyFailures { retry_after_seconds: 0 },
    ];
    errors.extend(store_errors().map(PageError::Client));
    if config.client_documents.enabled {
        let of_document = |reason| PageError::Document {
            host: "the host of its document".to_owned(),
            reason: Arc::new(reason),
        };
        errors.extend(
            [DocumentError::Host, DocumentError::Gone, DocumentError::Busy].map(of_document),
        );
        errors.push(PageError::Rejected { reason: String::new() });
        errors.push(PageError::TooManyWaiting);
    }
    told(errors)
}

/// What the person is told at `POST /oauth2/authorize`.
pub(crate) fn of_form(config: &Config) -> Vec<(Refusal, String)> {
    let timeout_seconds = config.connections.body_timeout_seconds;
    let body = body_errors(REQUEST_BYTES_MAX, timeout_seconds).map(PageError::Body);
    [of_query(config), told([PageError::Form(FormError::MediaType)]), told(body)].concat()
}

fn told(errors: impl IntoIterator<Item = PageError>) -> Vec<(Refusal, String)> {
    let told = |error: PageError| (error.refusal().without_code(), error.to_string());
    errors.into_iter().map(told).collect()
}
