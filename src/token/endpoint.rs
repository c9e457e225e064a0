//! The endpoints `POST /oauth2/token`, `/oauth2/revoke`, and `/oauth2/introspect`: each reads a form, identifies the
//! caller, and calls one function.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
    request::Parts,
};
use hyper::body::Incoming;
use uuid::Uuid;

use super::{
    authorization_code,
    client::{self, Client},
    error::TokenError,
    introspection::{self, Introspection},
    refresh_token,
    request::{self, required},
    revocation::{self, Revoked},
};
use crate::{
    app::App,
    attempt::Attempt,
    audit::Actor,
    client::{ClientIdentifier, GrantType},
    grant::{AuthorizationCode, RefreshToken},
    http::{
        answer::{self, Response, Shape},
        caller::Caller,
        form::Form,
        rate_limit::FailureLimit,
        request_event::Outcome,
        request_id::origin,
    },
    identified_client,
    store::{GrantRecord, StoreError},
};

/// `POST /oauth2/token` (RFC 6749 §3.2).
pub(crate) async fn token(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let headers = &head.headers;
    match exchange(app, source, head, body).await {
        Ok((client, tokens)) => {
            let mut response = answer::json(StatusCode::OK, tokens);
            let outcome = Outcome { client_id: uuid_of(&client), ..Outcome::default() };
            response.extensions_mut().insert(outcome);
            response
        }
        Err(Refused { error, target }) => {
            let caller = Caller::of_program(source, headers);
            let limit = &app.failure_limits.token;
            let mut response = failed(app, limit, caller, headers, error).await;
            if let Some(attempt) = response.extensions_mut().get_mut::<Attempt>() {
                attempt.target = target;
            }
            response
        }
    }
}

/// Why no token was issued, and the app that asked for one, if it is known.
struct Refused {
    error: TokenError,
    target: Option<Box<str>>,
}

impl<E: Into<TokenError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { error: error.into(), target: None }
    }
}

/// The client, and the body of the response.
async fn exchange(
    app: &App,
    source: IpAddr,
    head: &Parts,
    body: Incoming,
) -> Result<(Client, String), Refused> {
    let headers = &head.headers;
    let body = request::body(app, source, headers, body).await?;
    let form = Form::parse(&body)?;
    let (caller, now) = (Caller::of_program(source, headers), app.clock.now());
    let _turn = app.failure_limits.token.turn(caller, now).await;
    // These two lookups run concurrently.
    let (client, grant) =
        tokio::join!(client::identified(app, headers, &form), presented(app, &form));
    let client = client?;
    let of_client = |error| Refused { target: client.target(), error };
    let tokens = issue(app, head, &form, (&client, caller), grant).await.map_err(of_client)?;
    identified_client::note_use(app, &client.identifier);
    Ok((client, tokens))
}

/// Exchanges the code or refresh token of a known client.
async fn issue(
    app: &App,
    head: &Parts,
    form: &Form<'_>,
    (client, caller): (&Client, Caller),
    grant: Result<Option<GrantRecord>, StoreError>,
) -> Result<String, TokenError> {
    let now = app.clock.now();
    // Only a request with a grant of this client counts against the client's limit: strangers cannot use it up.
    if grant.as_ref().is_ok_and(|it| it.as_ref().is_some_and(|it| it.client == client.identifier)) {
        app.client_limit
            .count((client.identifier.clone(), caller), now)
            .map_err(|retry_after_seconds| TokenError::TooManyRequests { retry_after_seconds })?;
    }
    let grant_type = match required(form, "grant_type")? {
        "authorization_code" => GrantType::AuthorizationCode,
        "refresh_token" => GrantType::RefreshToken,
        _ => return Err(TokenError::UnsupportedGrantType),
    };
    if !client.grant_types.as_slice().contains(&grant_type) {
        return Err(TokenError::UnauthorizedClient);
    }
    let grant = grant?.filter(|grant| identified_client::gives_tokens(&client.state, grant));
    let by = app.author(Actor::Client(client.identifier.clone()), origin(head));
    let tokens = match grant_type {
        GrantType::AuthorizationCode => {
            authorization_code::redeem(app, client, grant, form, &by).await?
        }
        GrantType::RefreshToken => refresh_token::rotate(app, client, grant, form, &by).await?,
    };
    match grant_type {
        GrantType::AuthorizationCode => app.metrics.tokens.by_code.add_one(),
        GrantType::RefreshToken => app.metrics.tokens.by_refresh_token.add_one(),
    }
    Ok(tokens)
}

/// The grant that the code or refresh token of a request names, if that grant exists.
async fn presented(app: &App, form: &Form<'_>) -> Result<Option<GrantRecord>, StoreError> {
    let text = |name| form.one(name).ok().flatten();
    let code = || text("code")?.parse::<AuthorizationCode>().ok().map(|code| code.grant);
    let token = || text("refresh_token")?.parse::<RefreshToken>().ok().map(|token| token.grant);
    match code().or_else(token) {
        Some(id) => app.store.grant(id).await,
        None => Ok(None),
    }
}

/// `POST /oauth2/revoke` (RFC 7009 §2).
pub(crate) async fn revoke(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let headers = &head.headers;
    let (limit, caller) = (&app.failure_limits.token, Caller::of_program(source, headers));
    let revoked = async {
        let body = request::body(app, source, headers, body).await?;
        let form = Form::parse(&body)?;
        let now = app.clock.now();
        let _turn = limit.turn(caller, now).await;
        let client = client::identified(app, headers, &form).await?;
        let by = app.author(Actor::Client(client.identifier.clone()), origin(head));
        match revocation::revoke(app, &client, &form, by).await? {
            Revoked::Ended => Ok(()),
            // The token may have been a guess. The response does not say (RFC 7009 §2.2).
            Revoked::Nothing => counted(app, limit, caller).await,
        }
    };
    match revoked.await {
        Ok(()) => answer::json(StatusCode::OK, "{}"),
        Err(error) => failed(app, limit, caller, headers, error).await,
    }
}

/// `POST /oauth2/introspect` (RFC 7662 §2).
pub(crate) async fn introspect(
    app: &App,
    source: IpAddr,
    headers: &HeaderMap,
    body: Incoming,
) -> Response {
    let (limit, caller) = (&app.failure_limits.introspection, Caller::of_program(source, headers));
    let answered = async {
        let body = request::body(app, source, headers, body).await?;
        let form = Form::parse(&body)?;
        let now = app.clock.now();
        let _turn = limit.turn(caller, now).await;
        introspection::introspect(app, headers, &form, now).await
    };
    match answered.await {
        Ok(introspection) => answer::json(StatusCode::OK, body_of(&introspection)),
        Err(error) => {
            let mut response = failed(app, limit, caller, headers, error).await;
            if response.status() == StatusCode::UNAUTHORIZED {
                challenge(&mut response);
            }
            response
        }
    }
}

fn body_of(introspection: &Introspection) -> Vec<u8> {
    serde_json::to_vec(introspection).expect("an introspection is strings and numbers")
}

/// Counts a failure against the caller.
async fn counted(app: &App, limit: &FailureLimit, caller: Caller) -> Result<(), TokenError> {
    let counted = limit.count(caller, app.clock.now()).await;
    counted.map_err(|retry_after_seconds| TokenError::TooManyFailures { retry_after_seconds })
}

/// The error response, or 429 if the caller has failed too often.
async fn failed(
    app: &App,
    limit: &FailureLimit,
    caller: Caller,
    headers: &HeaderMap,
    error: TokenError,
) -> Response {
    let counted =
        if error.refusal().may_be_a_guess { counted(app, limit, caller).await } else { Ok(()) };
    refused(headers, counted.err().unwrap_or(error))
}

fn refused(headers: &HeaderMap, error: TokenError) -> Response {
    let refusal = error.refusal();
    let attempt = Attempt { reason: error.attempt(), target: None };
    let mut response = refusal.json(Shape::OAuth, &error.to_string(), error);
    response.extensions_mut().insert(attempt);
    // RFC 6749 §5.2: the challenge has the scheme that the client used.
    if refusal.status == StatusCode::UNAUTHORIZED && headers.contains_key(AUTHORIZATION) {
        challenge(&mut response);
    }
    response
}

fn challenge(response: &mut Response) {
    let challenge = HeaderValue::from_static("Basic realm=\"doorward\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
}

fn uuid_of(client: &Client) -> Option<Uuid> {
    match client.identifier {
        ClientIdentifier::Registered(id) => Some(id.into()),
        ClientIdentifier::Document(_) => None,
    }
}
