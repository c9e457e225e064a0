//! `/oauth2/sign-in` and `/oauth2/sign-out`.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, request::Parts};
use hyper::body::Incoming;

use super::{
    FORM_BYTES_MAX, account, can_wait,
    error::SignInError,
    go_on, session,
    under_way::UnderWay,
    upstream::{self, Interrupted, UpstreamError},
};
use crate::{
    app::App,
    http::{
        answer::{Response, see_other},
        client_address::Source,
        form::{self, Form},
        rate_limit::Left,
        same_origin::is_same_origin,
    },
    local_password,
    messages::Message,
    metrics::SignInMetrics,
    pages::{Action, FormTarget, MessagePage, Reader, SignOutPage, Site, page},
    provider::Provider,
};

/// The content that the form token of a sign-out is bound to; it cannot be an authorization request.
const SIGN_OUT: &[u8] = b"sign out";

/// The values of a posted sign-in form.
pub(crate) struct Chosen {
    /// The waiting authorization request; empty if there is none.
    pub(crate) request: String,
    source: IpAddr,
    way: Way,
}

/// A way to sign in.
enum Way {
    /// At the provider of this `id`.
    Provider(String),
    /// With the local password, if one was entered.
    Password(Option<String>),
}

impl Chosen {
    /// Whether the browser goes to a provider and holds the request meanwhile.
    pub(crate) const fn leaves(&self) -> bool {
        matches!(self.way, Way::Provider(_))
    }
}

/// Reads the form of `POST /oauth2/sign-in`, and counts it. `Err` is an error response.
pub(crate) async fn chosen(
    app: &App,
    source: IpAddr,
    head: &Parts,
    body: Incoming,
) -> Result<Chosen, Response> {
    read(app, source, &head.headers, body).await.map_err(|error| error.shown(app, head))
}

async fn read(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Chosen, SignInError> {
    let reader = app.body_reader(source);
    let body = form::posted::<SignInError>(headers, reader, body, FORM_BYTES_MAX).await?;
    if !is_same_origin(headers, app.config.issuer_origin()) {
        return Err(SignInError::Foreign);
    }
    app.sign_in_limit
        .count(Source::of(source), app.clock.now())
        .map_err(|retry_after_seconds| SignInError::TooMany { retry_after_seconds })?;
    let form = Form::parse(&body)?;
    let request = form.one("request")?.unwrap_or_default();
    if !can_wait(request) {
        return Err(SignInError::Request);
    }
    let way = match form.one("provider")? {
        Some(id) => Way::Provider(id.to_owned()),
        None => Way::Password(form.one("password")?.map(str::to_owned)),
    };
    Ok(Chosen { request: request.to_owned(), source, way })
}

/// `POST /oauth2/sign-in`, once the waiting request is known to belong to a client.
pub(crate) async fn begin(app: &App, head: &Parts, chosen: Chosen) -> Response {
    try_to_begin(app, head, chosen).await.unwrap_or_else(|error| error.shown(app, head))
}

async fn try_to_begin(app: &App, head: &Parts, chosen: Chosen) -> Result<Response, SignInError> {
    let Chosen { request, source, way } = chosen;
    let presented = match way {
        Way::Provider(id) => {
            let provider = app.providers.named(&id).ok_or(SignInError::UnknownWay)?;
            let begun = upstream::begin(app, &head.headers, provider, &request).await;
            let begun = begun.map_err(|error| Interrupted { error, request }.into());
            // The sign-in has only begun, so only a failure is counted here.
            return begun.or_else(|error| ended(app.metrics.sign_ins_at(&id), Err(error)));
        }
        Way::Password(presented) => presented,
    };
    let password = app.local_password.as_ref().ok_or(SignInError::UnknownWay)?;
    if !presented.is_some_and(|presented| password.is(&presented)) {
        let left = app.sign_in_limit.left(&Source::of(source), app.clock.now());
        return ended(
            Some(&app.metrics.local_sign_ins),
            Err(SignInError::WrongPassword { left, request }),
        );
    }
    let mut response = see_other(&go_on(app, &request));
    let begun = session::begin(app, head, local_password::owner(), &mut response).await;
    ended(Some(&app.metrics.local_sign_ins), begun.map(|()| response).map_err(Into::into))
}

/// `GET /oauth2/sign-in/{provider}`: the browser returns from a provider.
pub(crate) async fn finish(app: &App, source: IpAddr, head: &Parts) -> Response {
    let metrics = app.metrics.sign_ins_at(provider_in(head));
    let answer = match back(app, head) {
        Ok((provider, answer, begun)) => {
            let finished = try_to_finish(app, source, head, (provider, &answer, &begun));
            let finished = ended(metrics, finished.await);
            let mut response = finished.unwrap_or_else(|error| error.shown(app, head));
            begun.end(app, &mut response);
            return response;
        }
        Err(error) => ended(metrics, Err(error)),
    };
    answer.unwrap_or_else(|error| error.shown(app, head))
}

/// The provider's `id` in the path.
fn provider_in(head: &Parts) -> &str {
    head.uri.path().rsplit('/').next().unwrap_or_default()
}

/// The provider, its response, and the sign-in that this browser began.
fn back<'app, 'head>(
    app: &'app App,
    head: &'head Parts,
) -> Result<(&'app Provider, Form<'head>, UnderWay), SignInError> {
    let provider = app.providers.named(provider_in(head)).ok_or(SignInError::UnknownWay)?;
    let query = head.uri.query().unwrap_or_default();
    let answer = Form::parse(query.as_bytes()).map_err(UpstreamError::from)?;
    let begun = upstream::returned(app, &head.headers, &answer)?;
    Ok((provider, answer, begun))
}

/// Failures count against the source, and too many are rejected before the provider gets another request. A request
/// without our cookie is not counted: it costs nothing, and any site can make a browser send it.
async fn try_to_finish(
    app: &App,
    source: IpAddr,
    head: &Parts,
    (provider, answer, begun): (&Provider, &Form<'_>, &UnderWay),
) -> Result<Response, SignInError> {
    let source = Source::of(source);
    if let Some(Left { requests: 0, reset_seconds }) =
        app.sign_in_limit.left(&source, app.clock.now())
    {
        return Err(SignInError::TooMany { retry_after_seconds: reset_seconds });
    }
    let finished = upstream::finish(app, head, provider, answer, begun).await;
    finished.map_err(|error| {
        // A source that is over its limit now is rejected from its next request on.
        let _one_too_many = app.sign_in_limit.count(source, app.clock.now());
        Interrupted { error, request: begun.authorization_request.clone() }.into()
    })
}

/// Counts the outcome of a sign-in. A way to sign in without metrics does not exist.
fn ended(
    metrics: Option<&SignInMetrics>,
    answer: Result<Response, SignInError>,
) -> Result<Response, SignInError> {
    let Some(metrics) = metrics else { return answer };
    match &answer {
        Ok(_) => metrics.succeeded.add_one(),
        Err(error) if error.refusal().status.is_server_error() => metrics.failed.add_one(),
        Err(_) => metrics.refused.add_one(),
    }
    answer
}

/// `GET /oauth2/sign-out`: the page with the sign-out button.
pub(crate) async fn ask_to_sign_out(app: &App, head: &Parts) -> Response {
    match session(app, head).await {
        Ok(Some(session)) => {
            let shown = SignOutPage {
                site: Site::of(&app.config, &Reader::of_query(head)),
                account: account(&session.owner),
                form_token: session.form_token(app, SIGN_OUT),
                request: head.uri.query().map(form::repeated).filter(|query| !query.is_empty()),
            };
            page(&shown, StatusCode::OK, FormTarget::Ourselves)
        }
        Ok(None) => signed_out(app, &Reader::of_query(head)),
        Err(error) => SignInError::from(error).shown(app, head),
    }
}

/// `POST /oauth2/sign-out`.
pub(crate) async fn sign_out(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    try_to_sign_out(app, source, head, body).await.unwrap_or_else(|error| error.shown(app, head))
}

async fn try_to_sign_out(
    app: &App,
    source: IpAddr,
    head: &Parts,
    body: Incoming,
) -> Result<Response, SignInError> {
    let headers = &head.headers;
    let reader = app.body_reader(source);
    let body = form::posted::<SignInError>(headers, reader, body, FORM_BYTES_MAX).await?;
    if !is_same_origin(headers, app.config.issuer_origin()) {
        return Err(SignInError::Foreign);
    }
    let form = Form::parse(&body)?;
    let session = session(app, head).await?;
    if let Some(session) = &session {
        if !session.made_form(app, SIGN_OUT, form.one("form_token")?) {
            return Err(SignInError::Foreign);
        }
        session::end(app, head).await?;
    }
    // Another person will decide about the waiting request.
    let waiting = form.one("request")?.filter(|text| text.bytes().all(|it| it.is_ascii_graphic()));
    let mut response = match waiting {
        Some(request) => see_other(&go_on(app, request)),
        None => signed_out(app, &Reader::of_query(head)),
    };
    session::forget(app, &mut response);
    if (session.is_some() || waiting.is_some()) && !app.config.sign_in.providers.is_empty() {
        upstream::want_other_account(app, &mut response);
    }
    Ok(response)
}

fn signed_out(app: &App, reader: &Reader) -> Response {
    let message = MessagePage {
        site: Site::of(&app.config, reader),
        title: Message::new("signed-out"),
        text: Message::new("signed-out-text"),
        next: Message::new("signed-out-next"),
        detail: None,
        reference: None,
        action: Action::None,
    };
    page(&message, StatusCode::OK, FormTarget::Ourselves)
}
