//! The client registration endpoint (RFC 7591 §3): two doors, one story. What every route has
//! (cache headers, CORS, the request's event) is `server/exchange.rs`'s.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{
    admission::Admission,
    error::RegistrationError,
    initial_access,
    issue::{self, Requester},
    response::{self, Management},
};
use crate::{
    app::App,
    attempt::{self, Attempt},
    audit::Actor,
    client::ClientId,
    config::RegistrationAccess,
    http::{
        answer::{self, Response},
        body::{self, BodyReader},
        body_budget::Held,
        caller::Caller,
        rate_limit::{Cost, Count, Verdict},
        request_event::Outcome,
    },
    metadata_policy::{
        Answers, BODY_BYTES_MAX, MetadataError, Profile, RegistrationRequest, admit,
    },
    store::{
        ClientRecord, ClientRegistration, ClientTerms, FamilySaid, InitialAccessTokenRecord,
        StoreError,
    },
};

/// `POST` to a door: what is answered, whatever comes.
pub(crate) async fn register(
    profile: &'static Profile,
    app: &App,
    source: IpAddr,
    headers: HeaderMap,
    body: Incoming,
) -> Response {
    let caller = Caller::of_program(source, &headers);
    let token = presented(app, caller, &headers).await;
    // A caller that may not register uses up no registrations of others.
    let (requests, bytes) = if token.is_ok() { (1, announced(&body)) } else { (0, None) };
    let mut count = charge(app, caller, requests, bytes).await;
    let token = token.and_then(|token| {
        judge(count)?;
        check_head(&headers)?;
        Ok(token)
    });
    let reader = app.body_reader(source);
    let outcome = match token {
        Err(error) => {
            // Read all the same: an answer that overtakes the body costs the caller its connection.
            reader.discard(&headers, body).await;
            Err(error.into())
        }
        Ok(token) => {
            // A request that waits for the disk holds no more than it needs.
            drop(headers);
            let body = received(app, caller, reader, body, &mut count).await;
            match token {
                None => keep(profile, app, source, body).await,
                Some(token) => Box::pin(keep_with(token, profile, app, source, body)).await,
            }
        }
    };
    let mut response = match outcome {
        Ok(created) => created,
        Err(Refused { error, target }) => {
            let refused = &app.metrics.refused_registrations[profile.name as usize];
            refused[error.reason()].add_one();
            let attempt = Attempt { reason: error.attempt(), target };
            let mut response = error.answer(profile, count);
            response.extensions_mut().insert(attempt);
            response
        }
    };
    if let Some(count) = count {
        rate_limit_headers(profile, count, response.headers_mut());
    }
    response
}

/// Why a registration is refused, and where the client wanted people to be sent, if that is known.
#[derive(Debug)]
pub(crate) struct Refused {
    error: RegistrationError,
    target: Option<Box<str>>,
}

impl From<RegistrationError> for Refused {
    fn from(error: RegistrationError) -> Self {
        Self { error, target: None }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        RegistrationError::from(error).into()
    }
}

/// The initial access token, if the endpoint looks at one. Too many tokens that are not valid may be guesses.
async fn presented(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<Option<InitialAccessTokenRecord>, RegistrationError> {
    if app.config.registration.access == RegistrationAccess::Open {
        return Ok(None);
    }
    let error = match Box::pin(initial_access::presented(app, caller, headers)).await {
        Err(error @ RegistrationError::InvalidToken) => error,
        other => return other,
    };
    let counted = app.failure_limits.registration.count(caller, app.clock.now()).await;
    Err(match counted {
        Ok(()) => error,
        Err(retry_after_seconds) => RegistrationError::TooManyFailures { retry_after_seconds },
    })
}

/// The bytes that a body announces and that are read, if they are.
pub(super) fn announced(body: &Incoming) -> Option<u32> {
    let bytes = body.size_hint().exact()?;
    Some(u32::try_from(bytes).ok().filter(|&bytes| bytes as usize <= BODY_BYTES_MAX).unwrap_or(0))
}

/// Charges a request to its caller.
pub(super) async fn charge(
    app: &App,
    caller: Caller,
    requests: u32,
    bytes: Option<u32>,
) -> Option<Count> {
    let cost = Cost { requests, bytes: bytes.unwrap_or_default() };
    app.rate_limit.charge(caller, cost, app.clock.now()).await
}

pub(super) fn judge(count: Option<Count>) -> Result<(), RegistrationError> {
    match count.map(|count| count.verdict) {
        Some(Verdict::Refused(limit)) => Err(RegistrationError::TooManyRequests(limit)),
        Some(Verdict::Unknown) => Err(RegistrationError::LimitUnknown),
        Some(Verdict::Admitted) | None => Ok(()),
    }
}

/// The body. One that did not announce its length is charged for it now.
pub(super) async fn received<'app>(
    app: &App,
    caller: Caller,
    reader: BodyReader<'app>,
    body: Incoming,
    count: &mut Option<Count>,
) -> Result<Held<'app, Bytes>, RegistrationError> {
    let is_charged = announced(&body).is_some();
    let body = reader.read(body, BODY_BYTES_MAX).await?;
    if !is_charged {
        let with_bytes = charge(app, caller, 0, u32::try_from(body.len()).ok()).await;
        *count = with_bytes.or(*count);
        judge(with_bytes)?;
    }
    Ok(body)
}

/// Parse, admit, issue, answer, store. What will be answered is made before the store is asked: nothing
/// can fail after it.
async fn keep(
    profile: &'static Profile,
    app: &App,
    source: IpAddr,
    body: Result<Held<'_, Bytes>, RegistrationError>,
) -> Result<Response, Refused> {
    let body = body?;
    let Prepared { record, family, information } = prepare(profile, app, source, &body, None)?;
    drop(body);
    let record = Arc::new(record);
    // The store gives its own hold of the record up first: memory is cheapest to free where it was taken.
    app.store.register_client(Arc::clone(&record), Some(family)).await?;
    Ok(created(information, record.client_id))
}

/// The same with an initial access token, one use of which is stored in the same change.
async fn keep_with(
    token: InitialAccessTokenRecord,
    profile: &'static Profile,
    app: &App,
    source: IpAddr,
    body: Result<Held<'_, Bytes>, RegistrationError>,
) -> Result<Response, Refused> {
    let body = body?;
    let policy = Some(token.policy.as_str());
    let Prepared { record, information, .. } = prepare(profile, app, source, &body, policy)?;
    drop(body);
    let (record, id) = (Arc::new(record), token.initial_access_token_id);
    let by = app.author(Actor::Client(record.client_id.into()), (Some(source), None));
    if app.store.register_with_token(&record, id, &by).await? {
        Ok(created(information, record.client_id))
    } else {
        Err(RegistrationError::InvalidToken.into())
    }
}

/// What a registration comes to before the store is asked.
pub(crate) struct Prepared {
    /// What is to be kept.
    pub(crate) record: ClientRecord,
    /// What its family is told.
    pub(crate) family: Arc<FamilySaid>,
    /// The body of the 201.
    pub(crate) information: Vec<u8>,
}

/// The pure steps.
pub(crate) fn prepare(
    profile: &'static Profile,
    app: &App,
    source: IpAddr,
    body: &[u8],
    policy: Option<&str>,
) -> Result<Prepared, Refused> {
    let settings = &app.config.registration;
    let request = RegistrationRequest::parse(body).map_err(RegistrationError::from)?;
    let redirect_uri = request.first_redirect_uri();
    let refused = |error| {
        let target = redirect_uri.as_deref().and_then(attempt::destination);
        Refused { error, target }
    };
    let admitted = admit(request, profile, settings);
    let admitted = admitted.map_err(|error| refused(MetadataError::from(error).into()))?;
    let rules = app.rules.current();
    let is_imitation = app.protected_names.borrowed_by(admitted.metadata()).is_some();
    let admission = Admission { rules: &rules, is_imitation, initial_access_token: policy };
    let let_in = admission.decide(profile.name, admitted.metadata(), Some(source));
    let let_in = let_in.map_err(|error| refused(error.into()))?;
    let source = settings.keep_source_address.then_some(source);
    let registration = policy.map(ClientRegistration::by_token).unwrap_or_default();
    let now = app.clock.now();
    let terms = ClientTerms::of(let_in.terms, now);
    let flags = issue::flags(is_imitation, settings);
    let is_held = let_in.is_held;
    let requester = Requester { profile, source, is_held, terms, flags, registration };
    let record = issue::client(&admitted, requester, &app.entropy, now);
    let information = response::client_information(
        profile,
        &record,
        admitted.metadata(),
        Management::of(app).as_ref(),
    );
    let family = app.families.said(admitted.metadata());
    Ok(Prepared { record, family, information })
}

/// The media type and coding of the body (RFC 7591 §3.1).
pub(super) fn check_head(headers: &HeaderMap) -> Result<(), RegistrationError> {
    if !body::media_type(headers).eq_ignore_ascii_case(b"application/json") {
        return Err(RegistrationError::MediaType);
    }
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        Some(coding) if !coding.trim_ascii().eq_ignore_ascii_case(b"identity") => {
            Err(RegistrationError::ContentEncoding)
        }
        _ => Ok(()),
    }
}

fn created(information: Vec<u8>, client_id: ClientId) -> Response {
    let mut response = answer::json(StatusCode::CREATED, information);
    let outcome = Outcome { client_id: Some(client_id.into()), ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}

/// The state of the limit nearest to its end, on every answer of the endpoint.
pub(super) fn rate_limit_headers(profile: &Profile, count: Count, headers: &mut HeaderMap) {
    let mut insert = |name, value: u32| headers.insert(HeaderName::from_static(name), value.into());
    match profile.answers {
        Answers::Datadog => {
            insert("x-ratelimit-limit", count.limit);
            insert("x-ratelimit-period", count.period_seconds);
            insert("x-ratelimit-remaining", count.remaining);
            insert("x-ratelimit-reset", count.reset_seconds);
            let name = HeaderValue::from_static("oauth2_register");
            headers.insert(HeaderName::from_static("x-ratelimit-name"), name);
        }
        Answers::OAuth => {
            insert("ratelimit-limit", count.limit);
            insert("ratelimit-remaining", count.remaining);
            insert("ratelimit-reset", count.reset_seconds);
        }
    }
}
