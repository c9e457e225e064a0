//! `/oauth2/authorize` and `/oauth2/consent`: who asks, who decides, and what becomes of it.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER, request::Parts};
use hyper::body::Incoming;

use super::{
    consent::{self as decision, Question},
    error::{AuthorizationError, PageError},
    request::{self, AuthorizationRequest},
    response::{granted, refused},
};
use crate::{
    app::App,
    http::{
        answer::{Response, see_other},
        body_budget::Held,
        caller::Caller,
        client_address::Source,
        form::{self, Form},
        request_event::Outcome,
        same_origin::is_same_origin,
    },
    identified_client::{self, NamedBy},
    pages::{Back, ClientBox, ConsentPage, FormTarget, MessagePage, SignInPage, page},
    sign_in::{self, FORM_BYTES_MAX, REQUEST_BYTES_MAX, Session},
};

/// `GET` and `POST /oauth2/authorize` (RFC 6749 §3.1); a `body` has the parameters of a POST.
pub(crate) async fn authorize(
    app: &App,
    source: IpAddr,
    head: &Parts,
    body: Option<Incoming>,
) -> Response {
    let text = match body {
        None => Ok(Held::of_head(head.uri.query().unwrap_or_default().to_owned())),
        Some(body) => text_of(app, source, &head.headers, body, REQUEST_BYTES_MAX).await,
    };
    match text {
        Ok(text) => match counted(app, source, head, ask(app, source, head, &text)).await {
            Ok(response) => response,
            Err(error) => shown(app, error),
        },
        Err(error) => shown(app, error),
    }
}

/// The answer, whose failures count for the caller: one that failed too often learns of no more.
async fn counted<T>(
    app: &App,
    source: IpAddr,
    head: &Parts,
    answered: impl Future<Output = Result<T, PageError>>,
) -> Result<T, PageError> {
    let answered = answered.await;
    if answered.as_ref().is_err_and(PageError::may_be_a_guess) {
        let caller = Caller::of_navigation(source, &head.headers);
        let counted = app.failure_limits.authorization.count(caller, app.clock.now()).await;
        counted
            .map_err(|retry_after_seconds| PageError::TooManyFailures { retry_after_seconds })?;
    }
    answered
}

fn named_by(source: IpAddr, session: Option<&Session>) -> NamedBy<'_> {
    let subject = session.map(|session| session.owner.subject.as_str());
    NamedBy { source: Source::of(source), subject }
}

/// Shows whoever is there what is asked, and asks who it is, if that is not known.
async fn ask(app: &App, source: IpAddr, head: &Parts, text: &str) -> Result<Response, PageError> {
    let session = sign_in::session(app, head).await?;
    let request =
        AuthorizationRequest::resolve(app, text, named_by(source, session.as_ref())).await?;
    let text = &*form::repeated(text);
    if !sign_in::can_wait(text) {
        return Err(PageError::Request(REQUEST_BYTES_MAX));
    }
    let asked = match (&request.asked, &session) {
        (Ok(asked), _) => asked,
        (Err(error), Some(_)) => return Ok(refused(&request, error, &app.config.server.issuer)),
        // Nobody has shown that they know this server: they are not sent on to a stranger's (OAuth 2.1 §7.13.2).
        (Err(error), None) => return Ok(broken(app, &request, error, text)),
    };
    match session {
        None if asked.is_silent => {
            Ok(broken(app, &request, &AuthorizationError::LoginRequired, text))
        }
        None => {
            let client = decision::client_box(&request, &head.headers, app.clock.now());
            Ok(sign_in_page(app, Some(client), text))
        }
        Some(_) if asked.is_silent => {
            let error = AuthorizationError::ConsentRequired;
            Ok(refused(&request, &error, &app.config.server.issuer))
        }
        Some(session) => {
            let question = Question { request: &request, asked, session: &session, text };
            consent_page(app, &question, &head.headers).await
        }
    }
}

/// `POST /oauth2/sign-in`. The request that waits at a provider is resolved first: nothing a stranger makes up is
/// held, or sent anybody anywhere.
pub(crate) async fn sign_in(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let mut chosen = match sign_in::chosen(app, source, head, body).await {
        Ok(chosen) => chosen,
        Err(refused) => return refused,
    };
    if chosen.leaves() && !chosen.request.is_empty() {
        let resolved = AuthorizationRequest::resolve(app, &chosen.request, named_by(source, None));
        let request = match counted(app, source, head, resolved).await {
            Ok(request) => request,
            Err(error) => return shown(app, error),
        };
        if let Err(error) = &request.asked {
            return broken(app, &request, error, &chosen.request);
        }
        chosen.request = request::needed(&chosen.request);
    }
    sign_in::begin(app, head, chosen).await
}

/// Asks who it is, for a `client` whose authorization request waits, or for nobody.
pub(super) fn sign_in_page(app: &App, client: Option<ClientBox>, request: &str) -> Response {
    let providers = sign_in::choices(app);
    let target = if providers.is_empty() { FormTarget::Ourselves } else { FormTarget::AnyProvider };
    let shown = SignInPage {
        site: sign_in::site(app),
        client,
        request: request.to_owned(),
        providers,
        is_local: app.config.sign_in.local,
    };
    page(&shown, StatusCode::OK, target)
}

async fn consent_page(
    app: &App,
    question: &Question<'_>,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let Question { request, asked, session, text } = *question;
    let now = app.clock.now();
    let before = app.store.consent(&session.owner.subject, &request.client.identifier).await?;
    let before = decision::still_meant(before, question, now);
    let wanted = decision::wanted(app, asked.scope.as_ref(), before.as_ref());
    let shown = ConsentPage {
        site: sign_in::site(app),
        client: decision::client_box(request, headers, now),
        account: sign_in::account(&session.owner),
        request: text.to_owned(),
        form_token: form_token(app, question),
        resources: decision::wanted_resources(app, &asked.resources),
        is_known: before.is_some() && wanted.iter().all(|one| !one.is_added),
        wanted,
    };
    let target = FormTarget::RedirectUri(request.redirect_uri.as_str());
    Ok(page(&shown, StatusCode::OK, target))
}

/// What the page shows, and what binds the form to it.
fn form_token(app: &App, question: &Question<'_>) -> String {
    let shown = decision::shown(question);
    let made = question.session.form_token(app, &decision::about(&shown, question.text));
    format!("{shown}.{made}")
}

/// `POST /oauth2/consent`: what the resource owner decided.
pub(crate) async fn consent(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let text = text_of(app, source, &head.headers, body, FORM_BYTES_MAX).await;
    let decided = async { decide(app, source, head, &text?).await };
    counted(app, source, head, decided).await.unwrap_or_else(|error| shown(app, error))
}

async fn decide(
    app: &App,
    source: IpAddr,
    head: &Parts,
    body: &str,
) -> Result<Response, PageError> {
    let issuer = &app.config.server.issuer;
    if !is_same_origin(&head.headers, app.config.issuer_origin()) {
        return Err(PageError::ForeignForm);
    }
    let form = Form::parse(body.as_bytes())?;
    let text = form.one("request")?.ok_or(PageError::Missing("request"))?;
    let session = sign_in::session(app, head).await?;
    let request =
        AuthorizationRequest::resolve(app, text, named_by(source, session.as_ref())).await?;
    let again = || see_other(&sign_in::go_on(app, text));
    if form.one("decision")? == Some("back") {
        // The page that offers it says where that is.
        return Ok(match &request.asked {
            Err(error) => refused(&request, error, issuer),
            Ok(asked) if asked.is_silent => {
                refused(&request, &AuthorizationError::LoginRequired, issuer)
            }
            Ok(_) => again(),
        });
    }
    let Some(session) = session else { return Ok(again()) };
    let sent = form.one("form_token")?;
    let asked = match &request.asked {
        Ok(asked) => asked,
        Err(error) => return Ok(refused(&request, error, issuer)),
    };
    let (shown, made) = sent.and_then(|sent| sent.split_once('.')).ok_or(PageError::OldForm)?;
    if !session.made_form(app, &decision::about(shown, text), Some(made)) {
        return Err(PageError::OldForm);
    }
    let question = Question { request: &request, asked, session: &session, text };
    if shown != decision::shown(&question) {
        // It was about something else: whatever the answer, it is asked anew.
        return Ok(again());
    }
    match form.one("decision")? {
        Some("allow") => Ok(allow(app, &question).await),
        _ => Ok(refused(&request, &AuthorizationError::Denied, issuer)),
    }
}

/// Keeps the grant, and remembers what was allowed.
async fn allow(app: &App, question: &Question<'_>) -> Response {
    let Question { request, session, .. } = *question;
    let (issuer, now) = (&app.config.server.issuer, app.clock.now());
    let subject = &session.owner.subject;
    let (grant, code) = decision::grant(app, question, now);
    let kept = async {
        let before = app.store.consent(subject, &request.client.identifier).await?;
        let before = decision::still_meant(before, question, now);
        let consent = decision::consent_record(app, question, before.as_ref(), now);
        app.store.keep_consent(consent).await?;
        app.store.keep_grant(grant).await
    };
    match kept.await {
        Ok(()) => {
            identified_client::note_use(app, &request.client.identifier);
            granted(request, &code, issuer)
        }
        Err(error) => {
            tracing::error!(%error, "a grant could not be kept");
            refused(request, &AuthorizationError::from(&error), issuer)
        }
    }
}

pub(super) async fn text_of<'app>(
    app: &'app App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
    bytes_max: usize,
) -> Result<Held<'app, String>, PageError> {
    let reader = app.body_reader(source);
    let body = form::posted::<PageError>(headers, reader, body, bytes_max).await?;
    body.try_map(|bytes| String::from_utf8(bytes.into()).map_err(|_| PageError::Request(bytes_max)))
}

/// A request that is broken, and whose client is told only by a click.
fn broken(
    app: &App,
    request: &AuthorizationRequest,
    error: &AuthorizationError,
    text: &str,
) -> Response {
    let (_, host) = request.redirect_uri.scheme_and_host();
    let shown = MessagePage {
        site: sign_in::site(app),
        title: "This request is broken",
        text: format!("The application has asked for something that cannot be answered: {error}."),
        next: "Whoever makes the application has to mend it. You can let it know what is wrong.",
        back: Some(Back {
            request: text.to_owned(),
            destination: if host.is_empty() {
                "the application".to_owned()
            } else {
                host.to_owned()
            },
        }),
    };
    let target = FormTarget::RedirectUri(request.redirect_uri.as_str());
    let mut response = page(&shown, StatusCode::BAD_REQUEST, target);
    let outcome = Outcome { error_code: Some(error.code().as_str()), ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}

/// What the person reads when nobody can be sent back.
pub(super) fn shown(app: &App, error: PageError) -> Response {
    let (status, code) = (error.status(), error.code());
    let shown = MessagePage {
        site: sign_in::site(app),
        title: if status.is_server_error() { "Not now" } else { "This does not work" },
        text: error.to_string(),
        next: error.next(),
        back: None,
    };
    let mut response = page(&shown, status, FormTarget::Ourselves);
    let soon = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
    if let Some(seconds) = error.retry_after_seconds().or(soon) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    let cause = status.is_server_error().then(|| Arc::new(error) as _);
    let outcome = Outcome { error_code: Some(code.as_str()), cause, ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}
