//! Error pages: what went wrong, and what the person can do.

use http::{HeaderValue, Method, StatusCode, header::REFRESH, request::Parts};

use super::{
    consent as decision,
    endpoint::of_client,
    error::{AuthorizationError, PageError},
    explanation::{Explanation, for_developer},
    request::AuthorizationRequest,
};
use crate::{
    app::App,
    http::{answer::Response, request_id::reference},
    messages::Message,
    pages::{Action, FormTarget, MessagePage, Reader, Site},
    paths,
    refusal::Refusal,
    sign_in,
};

/// How often the page of a client that waits for approval reloads, in seconds.
const REFRESH_SECONDS: u32 = 10;

/// The page of an invalid request, from which only a click leads back to the client.
pub(super) fn broken(
    app: &App,
    head: &Parts,
    request: &AuthorizationRequest,
    error: &AuthorizationError,
    text: &str,
) -> Response {
    let refusal = Refusal { status: StatusCode::BAD_REQUEST, ..error.refusal() };
    let destination = decision::destination(&request.redirect_uri, request.reach);
    let Explanation { title, text: happened, next } = error.explained();
    let message = MessagePage {
        site: Site::of(&app.config, &Reader::of(head, text)),
        title,
        text: happened,
        next,
        detail: Some(for_developer(format!("{}: {error}", refusal.code()))),
        reference: reference(head),
        action: Action::Back { request: text.to_owned(), text: destination.way_back() },
    };
    let target = FormTarget::RedirectUri(request.redirect_uri.as_str());
    of_client(refusal.page(&message, target, error.clone()), request, error)
}

/// A link to the same page, after a failure that may pass. A posted form is not repeated.
fn retry(head: &Parts, error: &PageError) -> Action {
    if head.method == Method::POST || !error.is_passing() {
        return Action::None;
    }
    let path = if matches!(error, PageError::Grants(_)) { paths::GRANTS } else { paths::AUTHORIZE };
    let path = match head.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Action::Link { text: Message::new("try-again"), path }
}

/// The page of an error that cannot be sent to the client.
pub(super) fn shown(app: &App, head: &Parts, reader: &Reader, error: PageError) -> Response {
    let Explanation { title, text, next } = error.explained();
    let message = MessagePage {
        site: Site::of(&app.config, reader),
        title,
        text,
        next,
        detail: error.detail().map(for_developer),
        reference: reference(head),
        action: retry(head, &error),
    };
    let refresh = refresh(app, head, &error);
    let mut response = error.refusal().page(&message, FormTarget::Ourselves, error);
    if let Some(refresh) = refresh {
        response.headers_mut().insert(REFRESH, refresh);
    }
    response
}

/// Reloads the page without a script, until the client is approved. A posted request continues at the address that a
/// GET would have had.
fn refresh(app: &App, head: &Parts, error: &PageError) -> Option<HeaderValue> {
    let PageError::Pending { request, .. } = error else { return None };
    let again = match head.method {
        Method::POST => format!("{REFRESH_SECONDS}; url={}", sign_in::go_on(app, request)),
        _ => REFRESH_SECONDS.to_string(),
    };
    HeaderValue::try_from(again).ok()
}
