//! `/oauth2/sign-in` and `/oauth2/sign-out`.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER, request::Parts};
use hyper::body::Incoming;

use super::{
    FORM_BYTES_MAX, account, can_wait, go_on, local, session, site,
    upstream::{self, Interrupted, UpstreamError},
};
use crate::{
    app::App,
    http::{
        answer::{Response, see_other},
        body::BodyError,
        client_address::Source,
        form::{self, Form, FormError},
        request_event::Outcome,
        same_origin::is_same_origin,
    },
    metrics::SignInMetrics,
    pages::{Back, FormTarget, MessagePage, SignOutPage, page},
    store::StoreError,
};

/// What the form that signs out is about, which is no authorization request.
const SIGN_OUT: &[u8] = b"sign out";

/// Why nobody was signed in or out: the person reads it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("The form cannot be read: {0}.")]
    Form(#[from] FormError),
    #[error("The form did not arrive: {0}.")]
    Body(#[from] BodyError),
    #[error("This form was not sent from a page of this server.")]
    Foreign,
    #[error("There were too many tries from your network.")]
    TooMany { retry_after_seconds: u32 },
    #[error("That is not the password which the server printed at its start.")]
    WrongPassword,
    #[error("There is no such way to sign in.")]
    UnknownWay,
    #[error("The request that waits for the sign-in is none that a client sent.")]
    Request,
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The same, while this authorization request waits for the sign-in.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("The server cannot look up or keep now who is signed in.")]
    Store(#[from] StoreError),
}

impl SignInError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Form(_) | Self::Body(BodyError::Broken(_)) | Self::UnknownWay | Self::Request => {
                StatusCode::BAD_REQUEST
            }
            Self::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Self::Foreign | Self::WrongPassword => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Upstream(error) | Self::Interrupted(Interrupted { error, .. }) => {
                upstream_status(error)
            }
            Self::Store(error) => store_status(error),
            Self::Body(BodyError::UsedUp) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What somebody can do about it.
    fn next(&self) -> &'static str {
        match self {
            Self::Interrupted(Interrupted { error, .. }) => match error {
                UpstreamError::Claims(_) => {
                    "Sign in with another account, or ask whoever runs this server."
                }
                UpstreamError::Provider(_) => {
                    "Try again in a while. If it stays so, tell whoever runs this server."
                }
                _ => "You can try again.",
            },
            Self::Upstream(_) => "Begin again from the program that sent you here.",
            _ => "Go back and try again.",
        }
    }

    fn shown(self, app: &App) -> Response {
        let status = self.status();
        let message = MessagePage {
            site: site(app),
            title: "Not signed in",
            text: self.to_string(),
            next: self.next(),
            back: match &self {
                Self::Interrupted(Interrupted { request, .. }) if !request.is_empty() => {
                    Some(Back { request: request.clone(), destination: "the sign-in".to_owned() })
                }
                _ => None,
            },
        };
        let mut response = page(&message, status, FormTarget::Ourselves);
        let retry_after = match self {
            Self::TooMany { retry_after_seconds } => Some(retry_after_seconds),
            _ => (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        };
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        let cause = status.is_server_error().then(|| Arc::new(self) as _);
        response.extensions_mut().insert(Outcome { cause, ..Outcome::default() });
        response
    }
}

fn upstream_status(error: &UpstreamError) -> StatusCode {
    match error {
        UpstreamError::Query(_) | UpstreamError::Over | UpstreamError::OtherIssuer => {
            StatusCode::BAD_REQUEST
        }
        UpstreamError::Denied | UpstreamError::Refused | UpstreamError::Claims(_) => {
            StatusCode::FORBIDDEN
        }
        UpstreamError::Provider(_) => StatusCode::BAD_GATEWAY,
        UpstreamError::Store(error) => store_status(error),
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Corrupt { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        StoreError::Busy | StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `POST /oauth2/sign-in`: by the local password, or at the provider that was chosen.
pub(crate) async fn begin(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    try_to_begin(app, source, &head.headers, body).await.unwrap_or_else(|error| error.shown(app))
}

async fn try_to_begin(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response, SignInError> {
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
    if let Some(id) = form.one("provider")? {
        let provider = app.providers.named(id).ok_or(SignInError::UnknownWay)?;
        let begun = upstream::begin(app, headers, provider, request).await;
        let begun =
            begun.map_err(|error| Interrupted { error, request: request.to_owned() }.into());
        // Nobody is signed in yet, but that somebody will not be is certain.
        return begun.or_else(|error| ended(&app.metrics.provider_sign_ins, Err(error)));
    }
    let local = app.local_password.as_ref();
    match (form.one("password")?, local) {
        (Some(presented), Some(password)) if password.is(presented) => {
            let mut response = see_other(&go_on(app, request));
            let begun = session::begin(app, headers, local::owner(), &mut response).await;
            ended(&app.metrics.local_sign_ins, begun.map(|()| response).map_err(Into::into))
        }
        (_, Some(_)) => ended(&app.metrics.local_sign_ins, Err(SignInError::WrongPassword)),
        (_, None) => Err(SignInError::UnknownWay),
    }
}

/// `GET /oauth2/sign-in/{provider}`: back from a provider.
pub(crate) async fn finish(app: &App, head: &Parts) -> Response {
    try_to_finish(app, head).await.unwrap_or_else(|error| error.shown(app))
}

async fn try_to_finish(app: &App, head: &Parts) -> Result<Response, SignInError> {
    let id = head.uri.path().rsplit('/').next().unwrap_or_default();
    let provider = app.providers.named(id).ok_or(SignInError::UnknownWay)?;
    let query = head.uri.query().unwrap_or_default();
    let back = async {
        let answer = Form::parse(query.as_bytes()).map_err(UpstreamError::from)?;
        let begun = upstream::take(app, &head.headers, &answer).await?;
        let finished = upstream::finish(app, &head.headers, provider, &answer, &begun).await;
        finished.map_err(|error| Interrupted { error, request: begun.authorization_request }.into())
    };
    ended(&app.metrics.provider_sign_ins, back.await)
}

/// Counts how a sign-in has ended.
fn ended(
    metrics: &SignInMetrics,
    answer: Result<Response, SignInError>,
) -> Result<Response, SignInError> {
    match &answer {
        Ok(_) => metrics.succeeded.add_one(),
        Err(error) if error.status().is_server_error() => metrics.failed.add_one(),
        Err(_) => metrics.refused.add_one(),
    }
    answer
}

/// `GET /oauth2/sign-out`: a page that asks.
pub(crate) async fn ask_to_sign_out(app: &App, head: &Parts) -> Response {
    match session(app, head).await {
        Ok(Some(session)) => {
            let shown = SignOutPage {
                site: site(app),
                account: account(&session.owner),
                form_token: session.form_token(app, SIGN_OUT),
                request: head.uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
            };
            page(&shown, StatusCode::OK, FormTarget::Ourselves)
        }
        Ok(None) => signed_out(app),
        Err(error) => SignInError::from(error).shown(app),
    }
}

/// `POST /oauth2/sign-out`.
pub(crate) async fn sign_out(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    try_to_sign_out(app, source, head, body).await.unwrap_or_else(|error| error.shown(app))
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
    if let Some(session) = session(app, head).await? {
        if !session.made_form(app, SIGN_OUT, form.one("form_token")?) {
            return Err(SignInError::Foreign);
        }
        session::end(app, headers).await?;
    }
    // Somebody else is to decide about what was asked.
    let waiting = form.one("request")?.filter(|text| text.bytes().all(|it| it.is_ascii_graphic()));
    let mut response = match waiting {
        Some(request) => see_other(&go_on(app, request)),
        None => signed_out(app),
    };
    session::forget(app, &mut response);
    Ok(response)
}

fn signed_out(app: &App) -> Response {
    let message = MessagePage {
        site: site(app),
        title: "Signed out",
        text: "Nobody is signed in with this browser.".to_owned(),
        next: "You can close this page.",
        back: None,
    };
    page(&message, StatusCode::OK, FormTarget::Ourselves)
}
