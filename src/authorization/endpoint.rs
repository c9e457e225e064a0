//! `/oauth2/authorize` and `/oauth2/consent`: the request, the sign-in, the decision, and the response.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, request::Parts};
use hyper::body::Incoming;

use super::{
    consent::{self as decision, Question},
    error::{AuthorizationError, PageError},
    page::{broken, shown},
    removal::Removal,
    request::{self, AuthorizationRequest},
    response::{granted, refused},
};
use crate::{
    app::App,
    attempt::{self, Attempt},
    audit::{self, Actor},
    client::ClientIdentifier,
    family::FamilyKey,
    http::{
        answer::{Response, see_other},
        body_budget::Held,
        caller::Caller,
        form::{self, Form},
        request_id::origin,
        same_origin::is_same_origin,
    },
    identified_client::{self, NamedBy},
    pages::{Administration, ClientBox, ConsentPage, FormTarget, Reader, SignInPage, Site, page},
    sign_in::{self, FORM_BYTES_MAX, REQUEST_BYTES_MAX, Session},
    store::{Allowed, EventRecord, EventsOf, Standing, Waiting, WaitingMax},
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
            Err(error) => failed(app, head, Some(&text), error),
        },
        Err(error) => failed(app, head, None, error),
    }
}

/// The error page of a failed request, which counts as an attempt of the app that its parameters name.
fn failed(app: &App, head: &Parts, text: Option<&str>, error: PageError) -> Response {
    let reader = Reader::of(head, text.unwrap_or_default());
    let Some(reason) = error.attempt() else { return shown(app, head, &reader, error) };
    let target = match &error {
        PageError::Document { host, .. } => Some(attempt::target(host.clone())),
        _ => text.and_then(asked_destination),
    };
    let mut response = shown(app, head, &reader, error);
    response.extensions_mut().insert(Attempt { reason, target });
    response
}

/// The destination that a request asks for, registered or not.
fn asked_destination(text: &str) -> Option<Box<str>> {
    let form = Form::parse(text.as_bytes()).ok()?;
    attempt::destination(form.one("redirect_uri").ok().flatten()?)
}

/// Counts an error response to a known client as an attempt.
pub(super) fn of_client(
    mut response: Response,
    request: &AuthorizationRequest,
    error: &AuthorizationError,
) -> Response {
    if let Some(reason) = error.attempt() {
        let family = FamilyKey::of(&request.client.metadata).to_string();
        let target = Some(attempt::target(family));
        response.extensions_mut().insert(Attempt { reason, target });
    }
    response
}

/// Counts a failed response against the caller. A caller over the limit gets no details of further failures.
async fn counted<T>(
    app: &App,
    source: IpAddr,
    head: &Parts,
    answered: impl Future<Output = Result<T, PageError>>,
) -> Result<T, PageError> {
    let answered = answered.await;
    if answered.as_ref().is_err_and(|error| error.refusal().may_be_a_guess) {
        let caller = Caller::of_navigation(source, &head.headers);
        let counted = app.failure_limits.authorization.count(caller, app.clock.now()).await;
        counted
            .map_err(|retry_after_seconds| PageError::TooManyFailures { retry_after_seconds })?;
    }
    match answered {
        Err(PageError::UnknownClient(Some(id))) => {
            let removal = removal(app, &id.into()).await?;
            Err(removal.map_or(PageError::UnknownClient(Some(id)), PageError::Removed))
        }
        answered => answered,
    }
}

/// How many of a client's newest events are searched for its removal.
const LAST_EVENTS_MAX: usize = 200;

/// Why the client was removed, if it was.
async fn removal(app: &App, client: &ClientIdentifier) -> Result<Option<Removal>, PageError> {
    let of = EventsOf::Client(client.clone());
    let events = app.store.newest_events(Some(&of), None, LAST_EVENTS_MAX).await;
    let now = app.clock.now();
    let events = events.map_err(PageError::Client)?;
    Ok(events.iter().find_map(|event| Removal::of(event, decision::ago(event.at, now))))
}

/// How many clients with a document may wait for an operator. Strangers can publish any number of documents, and can
/// lead people to any of them.
const WAITING_MAX: WaitingMax = WaitingMax { in_total: 1_000, of_one_person: 10 };

/// Records that a client with a document waits for an operator, because a signed-in person asked for it. A rejected
/// client does not wait again.
async fn hold(
    app: &App,
    head: &Parts,
    (request, text): (&AuthorizationRequest, &str),
    session: &Session,
) -> Result<Response, PageError> {
    let client = &request.client.identifier;
    let by = app.author(Actor::Person(session.owner.subject.clone()), origin(head));
    let record = decision::document_record(&request.client, &by);
    let (ClientIdentifier::Document(url), Some(record)) = (client, record) else {
        return Err(PageError::UnknownClient(None));
    };
    if let Some(removal) = removal(app, client).await? {
        return Err(PageError::Removed(removal));
    }
    let waiting = app.store.hold_document(url, record, WAITING_MAX, by).await;
    let standing = match waiting.map_err(PageError::Client)? {
        Waiting::Now => Standing::Pending,
        Waiting::Is(standing) => standing,
        Waiting::TooMany => return Err(PageError::TooManyWaiting),
    };
    // An operator approved the client at the same moment.
    let again = || see_other(&sign_in::go_on(app, text));
    PageError::of_standing(standing, client, text).map_or_else(|| Ok(again()), Err)
}

fn named_by<'a>(source: IpAddr, head: &Parts, session: Option<&'a Session>) -> NamedBy<'a> {
    let subject = session.map(|session| session.owner.subject.as_str());
    let caller = Caller::of_navigation(source, &head.headers);
    NamedBy { address: source, caller, subject }
}

/// Shows the sign-in or consent page, or says why neither is possible.
async fn ask(app: &App, source: IpAddr, head: &Parts, text: &str) -> Result<Response, PageError> {
    let session = sign_in::session(app, head).await?;
    let request = resolved(app, (source, head), text, session.as_ref()).await?;
    let text = &*form::repeated(text);
    if !sign_in::can_wait(text) {
        return Err(PageError::Request(REQUEST_BYTES_MAX));
    }
    if request.client.is_held
        && let Some(session) = &session
    {
        return hold(app, head, (&request, text), session).await;
    }
    let asked = match &request.asked {
        Ok(asked) if !asked.is_silent => asked,
        // The person sees this error first, even if the client could be told at once.
        Err(error @ AuthorizationError::NoRole) => {
            return Ok(broken(app, head, &request, error, text));
        }
        asked => {
            let error =
                asked.as_ref().err().cloned().unwrap_or_else(|| silent_error(session.as_ref()));
            return declined(app, head, (&request, text), session.as_ref(), &error).await;
        }
    };
    match session {
        None => {
            let reader = Reader::of(head, text);
            let client = decision::client_box(app, &request, &reader);
            Ok(sign_in_page(app, &reader, Some(client), text))
        }
        Some(session) => {
            let question = Question { request: &request, asked, session: &session, text };
            consent_page(app, &question, &Reader::of(head, text)).await
        }
    }
}

/// The request, cut down to what the signed-in person could allow.
async fn resolved(
    app: &App,
    (source, head): (IpAddr, &Parts),
    text: &str,
    session: Option<&Session>,
) -> Result<AuthorizationRequest, PageError> {
    let named_by = named_by(source, head, session);
    let mut request = AuthorizationRequest::resolve(app, text, named_by).await?;
    if let Some(session) = session {
        request.cut_down(&app.config, &session.owner);
    }
    Ok(request)
}

/// `POST /oauth2/sign-in`. Resolves the waiting request first, so that a request made up by a stranger is neither
/// held nor leads a person away.
pub(crate) async fn sign_in(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let mut chosen = match sign_in::chosen(app, source, head, body).await {
        Ok(chosen) => chosen,
        Err(refused) => return refused,
    };
    if chosen.leaves() && !chosen.request.is_empty() {
        let resolved =
            AuthorizationRequest::resolve(app, &chosen.request, named_by(source, head, None));
        let request = match counted(app, source, head, resolved).await {
            Ok(request) => request,
            Err(error) => return failed(app, head, Some(&chosen.request), error),
        };
        if let Err(error) = &request.asked {
            return broken(app, head, &request, error, &chosen.request);
        }
        chosen.request = request::needed(&chosen.request);
    }
    sign_in::begin(app, head, chosen).await
}

/// Why `prompt=none` gets no code (OpenID Connect Core §3.1.2.6).
const fn silent_error(session: Option<&Session>) -> AuthorizationError {
    match session {
        None => AuthorizationError::LoginRequired,
        Some(_) => AuthorizationError::ConsentRequired,
    }
}

/// Redirects to the client with an error: at once if the person has allowed it before, otherwise after a click. So a
/// link alone takes no person to a stranger's site (OAuth 2.1 §7.13.2).
async fn declined(
    app: &App,
    head: &Parts,
    (request, text): (&AuthorizationRequest, &str),
    session: Option<&Session>,
    error: &AuthorizationError,
) -> Result<Response, PageError> {
    let before = match session {
        Some(Session { owner, .. }) => {
            let consent = app.store.consent(&owner.subject, &request.client.identifier).await;
            consent.map_err(PageError::Client)?
        }
        None => None,
    };
    let is_known =
        before.is_some_and(|consent| decision::counts(&consent, request, app.clock.now()));
    Ok(if is_known {
        of_client(refused(request, error, &app.config.server.issuer), request, error)
    } else {
        broken(app, head, request, error, text)
    })
}

/// The sign-in page, for the `client` of the waiting authorization request, if there is one.
pub(super) fn sign_in_page(
    app: &App,
    reader: &Reader,
    client: Option<ClientBox>,
    request: &str,
) -> Response {
    let providers = sign_in::choices(app);
    let target = if providers.is_empty() { FormTarget::Ourselves } else { FormTarget::AnyProvider };
    let shown = SignInPage {
        site: Site::of(&app.config, reader),
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
    reader: &Reader,
) -> Result<Response, PageError> {
    let Question { request, asked, session, text } = *question;
    let now = app.clock.now();
    let before = app.store.consent(&session.owner.subject, &request.client.identifier).await?;
    let before = decision::still_meant(before, question, now);
    let wanted = decision::wanted(app, (asked.scope.as_ref(), asked.is_for_api), before.as_ref());
    let is_known = before.is_some() && wanted.iter().all(|one| !one.is_added);
    let (sensitive, wanted) = wanted.into_iter().partition(|one| one.is_sensitive);
    let shown = ConsentPage {
        site: Site::of(&app.config, reader),
        client: decision::client_box(app, request, reader),
        account: sign_in::account(&session.owner),
        request: text.to_owned(),
        form_token: form_token(app, question),
        resources: decision::wanted_resources(app, &asked.resources),
        wanted,
        administration: asked.is_for_api.then_some(if asked.scope.is_none() {
            Administration::OwnApps
        } else if sensitive.is_empty() {
            Administration::Reads
        } else {
            Administration::Changes
        }),
        sensitive,
        is_known,
    };
    let target = FormTarget::RedirectUri(request.redirect_uri.as_str());
    Ok(page(&shown, StatusCode::OK, target))
}

/// The token that binds the consent form to the content of its page.
fn form_token(app: &App, question: &Question<'_>) -> String {
    let shown = decision::shown(question);
    let made = question.session.form_token(app, &decision::about(&shown, question.text));
    format!("{shown}.{made}")
}

/// `POST /oauth2/consent`: the resource owner's decision.
pub(crate) async fn consent(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let body = match text_of(app, source, &head.headers, body, FORM_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return failed(app, head, None, error),
    };
    let decided = Box::pin(decide(app, source, head, &body));
    let decided = counted(app, source, head, decided).await;
    decided.unwrap_or_else(|error| {
        let form = Form::parse(body.as_bytes()).unwrap_or_default();
        failed(app, head, form.one("request").ok().flatten(), error)
    })
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
    let request = resolved(app, (source, head), text, session.as_ref()).await?;
    let again = || see_other(&sign_in::go_on(app, text));
    if form.one("decision")? == Some("back") {
        // Only an error page offers this button, and it names the destination.
        return Ok(match &request.asked {
            Err(error) => refused(&request, error, issuer),
            Ok(asked) if asked.is_silent => {
                refused(&request, &silent_error(session.as_ref()), issuer)
            }
            Ok(_) => again(),
        });
    }
    let Some(session) = session.filter(|_| !request.client.is_held) else { return Ok(again()) };
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
        // The page showed something else than the request means now, so the person decides again.
        return Ok(again());
    }
    // Each decision leaves events, so the decisions of one person are limited.
    app.decision_limit
        .count(session.owner.subject.clone(), app.clock.now())
        .map_err(|retry_after_seconds| PageError::TooManyDecisions { retry_after_seconds })?;
    if form.one("decision")? == Some("allow") {
        return allow(app, &question, head).await;
    }
    deny(app, &question, head).await;
    Ok(refused(&request, &AuthorizationError::Denied, issuer))
}

/// Stores the grant and the consent.
async fn allow(app: &App, question: &Question<'_>, head: &Parts) -> Result<Response, PageError> {
    let Question { request, session, .. } = *question;
    let (issuer, client) = (&app.config.server.issuer, &request.client.identifier);
    let subject = &session.owner.subject;
    let by = app.author(Actor::Person(subject.clone()), origin(head));
    let (grant, code) = decision::grant(app, question, by.at);
    let stored = async {
        let before = app.store.consent(subject, client).await?;
        let before = decision::still_meant(before, question, by.at);
        let consent = decision::consent_record(app, question, before.as_ref(), by.at);
        let document = decision::document_record(&request.client, &by);
        let session = Some(session.id);
        app.store.allow(Allowed { consent, grant, document, session }, by).await
    };
    match stored.await {
        Ok(Ok(())) => {
            identified_client::note_use(app, client);
            app.families.note_allowed(&request.client.metadata);
            Ok(granted(request, &code, issuer))
        }
        // An operator decided at the same moment, or the session has ended: resolve the request again.
        Ok(Err(_)) => {
            if let Err(error) = app.families.refresh(&app.store).await {
                tracing::warn!(%error, "decisions about families stay as they were");
            }
            Ok(see_other(&sign_in::go_on(app, question.text)))
        }
        Err(error) => {
            tracing::error!(%error, "a grant could not be kept");
            Ok(refused(request, &AuthorizationError::from(&error), issuer))
        }
    }
}

/// Records that the person denied the client. The response does not depend on the record.
async fn deny(app: &App, question: &Question<'_>, head: &Parts) {
    let subject = &question.session.owner.subject;
    let by = app.author(Actor::Person(subject.clone()), origin(head));
    let event = by.event(audit::Action::ConsentDenied).about(&question.request.client.identifier);
    let event = EventRecord { subject: Some(subject.clone()), ..event };
    if let Err(error) = app.store.record_events(vec![event]).await {
        tracing::error!(%error, "an event could not be stored");
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
