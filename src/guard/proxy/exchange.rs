//! One request through the proxy, step by step.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response as HttpResponse, StatusCode, Uri,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        HOST,
    },
    request::Parts,
};
use http_body::Body as _;
use http_body_util::{Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use uuid::Uuid;

use super::{
    Place, Proxied,
    answer_body::{AnswerOf, Filter},
    cors,
    errors::{Asking, Unfit},
    request_body::RequestBody,
    streams::{Opener, Stream},
    upstream::{Failure, UpstreamBody},
};
use crate::{
    app::App,
    config::ShownTools,
    guard::{
        Asked, Authorized, Decided, Decision, Guarded, Guards, Presented, Tool, decide, headers,
        liveness::{self, Found},
        mcp::{self, MessageKind},
        sampled,
        session_id::{self, Holder},
        tool::{Named, tool_of},
        tool_list::{self, Events, Shows},
    },
    http::{
        answer::{AnswerBody, Response},
        bearer::bearer,
        body::{BodyError, BodyReader},
        body_budget::Holding,
        client_address::Source,
        request_id::X_REQUEST_ID,
    },
    traces::{around, propagate},
};

const DOORWARD_ASSERTION: HeaderName = HeaderName::from_static("doorward-assertion");
const MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// A guarded resource on the host of the issuer could serve pages that run there. They run without an origin.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");

/// Who sent a request, and from where.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) address: IpAddr,
    pub(crate) request_id: &'a HeaderValue,
}

/// A request on its way.
struct Exchange<'a> {
    app: &'a App,
    guards: &'a Guards,
    proxied: &'a Proxied,
    sender: Sender<'a>,
    head: Parts,
    asking: Asking,
}

/// Answers a request that belongs to a guarded resource.
pub(crate) async fn answer(
    app: &App,
    guards: &Guards,
    place: Place<'_>,
    sender: Sender<'_>,
    request: Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    let asking = Asking::new(&head.method, &head.headers, sender.request_id);
    let Place::Resource(proxied) = place else {
        let text = "this host is not served here";
        return asking.refused(StatusCode::MISDIRECTED_REQUEST, "invalid_request", text);
    };
    let origin = cors::origin(&head.headers);
    let exchange = Exchange { app, guards, proxied, sender, head, asking };
    let (mut response, is_admitted) = match exchange.answered(body).await {
        Ok(response) => (response, true),
        Err(refused) => (refused, false),
    };
    // No script may read the rejection of its origin.
    let origin = origin.filter(|_| is_admitted || response.status() != StatusCode::FORBIDDEN);
    cors::allow(response.headers_mut(), origin.as_ref());
    if proxied.is_at(&guards.proxies.issuer) {
        response.headers_mut().append(CONTENT_SECURITY_POLICY, SANDBOX);
    }
    response
}

impl<'a> Exchange<'a> {
    /// The answer; `Err` if no script may read it.
    async fn answered(mut self, body: Incoming) -> Result<Response, Response> {
        if matches!(self.head.method, Method::CONNECT | Method::TRACE) {
            let text = "the method is not supported";
            return Err(self.asking.refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                text,
            ));
        }
        let guarded = &*self.proxied.guarded;
        let token = self.token().await;
        let first = self.decide(Tool::None, token.presented());
        let Decided { decision, .. } = &first;
        if matches!(decision, Decision::Rejected(_) | Decision::SignIn { .. } | Decision::Preflight)
        {
            return self.refused(&token, &first, Tool::None, Some(body)).await;
        }
        if !guarded.has_tool_rules() || body.is_end_stream() {
            return match decision {
                Decision::Allow(_) | Decision::Public => {
                    let max = guarded.settings.body_max;
                    Ok(match RequestBody::passing(body, max) {
                        Ok(body) => self.forward(&first, None, body).await,
                        Err(too_large) => self.asking.too_large(&too_large.to_string()),
                    })
                }
                _ => self.refused(&token, &first, Tool::None, Some(body)).await,
            };
        }
        self.answered_by_tool(&token, body).await
    }

    async fn token(&self) -> Found {
        match bearer(&self.head.headers) {
            None => Found::Nothing,
            Some(Err(())) => Found::Invalid("the Authorization header is no bearer token"),
            Some(Ok(token)) => {
                let now = self.app.clock.now();
                liveness::find(self.app, self.guards, token, &self.proxied.guarded.uri, now).await
            }
        }
    }

    /// The same where the body says which rule matches.
    async fn answered_by_tool(
        &mut self,
        token: &Found,
        body: Incoming,
    ) -> Result<Response, Response> {
        let max = self.proxied.guarded.settings.body_max;
        let deadline = Duration::from_secs(self.app.config.connections.body_timeout_seconds);
        let body = match self.reader(deadline).read(body, max).await {
            Ok(body) => body,
            Err(error) => return Ok(self.unread(&error)),
        };
        let message = match mcp::read(&self.head.headers, &body) {
            Ok(message) => message,
            Err(fault) => return Ok(self.asking.misread(&fault)),
        };
        self.asking.rpc_id = message.id;
        let tool = match &message.kind {
            MessageKind::Call(name) => Tool::Called(name),
            MessageKind::List | MessageKind::Other | MessageKind::Response => Tool::None,
        };
        let decided = self.decide(tool, token.presented());
        if !matches!(decided.decision, Decision::Allow(_) | Decision::Public) {
            return self.refused(token, &decided, tool, None).await;
        }
        let passing = RequestBody::Whole(Full::new(Bytes::clone(&body)));
        Ok(self.forward(&decided, Some(&message.kind), passing).await)
    }

    fn decide<'t>(&self, tool: Tool<'_>, presented: Presented<'t>) -> Decided<'t> {
        let guarded = &self.proxied.guarded;
        let target = self.head.uri.path_and_query().map_or("", |target| target.as_str());
        let origin = cors::origin(&self.head.headers);
        let asked = Asked {
            method: self.head.method.as_str(),
            address: &guarded.origin,
            target: target.as_bytes(),
            origin: origin.as_ref().map(HeaderValue::as_bytes),
            is_preflight: cors::is_preflight(&self.head.method, &self.head.headers),
            tool,
            ambiguity: headers::ambiguity(&self.head.headers),
        };
        decide(guarded, &asked, presented)
    }

    /// The answer to a request that does not go on.
    async fn refused(
        &self,
        token: &Found,
        decided: &Decided<'_>,
        tool: Tool<'_>,
        body: Option<Incoming>,
    ) -> Result<Response, Response> {
        let guarded = &self.proxied.guarded;
        guarded.metrics.decisions[decided.decision.outcome()].add_one();
        if let Found::Valid(authorized) = token {
            self.guards.calls.note((guarded, authorized), tool, decided, self.app.clock.now());
        }
        if let Some(body) = body {
            let deadline = Duration::from_secs(self.app.config.connections.body_timeout_seconds);
            self.reader(deadline).discard(&self.head.headers, body).await;
        }
        match decided.decision {
            Decision::Preflight => Ok(cors::preflight(&self.head.headers)),
            Decision::Rejected(_) => Err(self.asking.challenged(guarded, decided, tool, token)),
            _ => Ok(self.asking.challenged(guarded, decided, tool, token)),
        }
    }

    fn reader(&self, deadline: Duration) -> BodyReader<'a> {
        let source = Source::of(self.sender.address);
        BodyReader { budget: &self.guards.proxies.bodies, source, deadline }
    }

    fn unread(&self, error: &BodyError) -> Response {
        let (status, code) = match error {
            BodyError::TooLarge(_) => return self.asking.too_large(&error.to_string()),
            BodyError::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "invalid_request"),
            BodyError::UsedUp => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            BodyError::Broken(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        };
        self.asking.refused(status, code, &error.to_string())
    }

    /// Passes an allowed request to the upstream.
    async fn forward(
        &self,
        decided: &Decided<'_>,
        kind: Option<&MessageKind>,
        body: RequestBody,
    ) -> Response {
        let guarded = &self.proxied.guarded;
        let nth = guarded.metrics.decisions[decided.decision.outcome()].add_next();
        let authorized = authorized(&decided.decision);
        if let Some(authorized) = authorized {
            self.note(authorized, decided, kind);
        }
        let opener = authorized.map(Opener::of);
        let source = Source::of(self.sender.address);
        let stream = match self.proxied.streams.open(source, opener) {
            Ok(stream) => stream,
            Err(full) => return self.asking.full(full),
        };
        let mut request = match self.request(authorized, body) {
            Ok(request) => request,
            Err(unfit) => return self.asking.unfit(unfit),
        };
        let end = stream.end().cloned();
        let began = Instant::now();
        let answered = async {
            let span = self.proxied.upstream.span(request.method());
            let sent = around(span.as_ref(), async {
                propagate(request.headers_mut());
                self.proxied.upstream.send(request).await
            });
            match sent.await {
                Ok(answer) => {
                    if let Some(span) = span {
                        span.answered(answer.status());
                    }
                    guarded.metrics.upstream.record(began.elapsed());
                    self.answer_of(answer, stream, authorized, kind).await
                }
                Err(failure) => {
                    if let Some(span) = span {
                        span.failed(failure.kind());
                    }
                    self.asking.failed(failure)
                }
            }
        };
        // A grant that ends also ends requests whose body is on its way, or whose answer has not begun.
        let mut response = match end {
            None => answered.await,
            Some(end) => tokio::select! {
                biased;
                response = answered => response,
                () = end.cancelled() => self.ended(),
            },
        };
        let client_id = authorized.and_then(|it| Uuid::parse_str(&it.client_id).ok());
        sampled(self.app.config.guard.log_allowed_every, guarded, nth, client_id, &mut response);
        response
    }

    /// Notes an allowed call. Without rules for tools, the headers say what it is, or nothing does.
    fn note(&self, authorized: &Authorized, decided: &Decided<'_>, kind: Option<&MessageKind>) {
        let guarded = &self.proxied.guarded;
        let named = match kind {
            Some(MessageKind::Call(name)) => Named::Called(name.clone()),
            Some(_) => Named::None,
            None => tool_of(self.head.method.as_str(), &self.head.headers, &guarded.settings),
        };
        let now = self.app.clock.now();
        self.guards.calls.note((guarded, authorized), named.as_tool(), decided, now);
    }

    /// The answer to a request whose grant ended while it was under way.
    fn ended(&self) -> Response {
        const FAULT: &str = "access was revoked or has ended";
        let decided = self.decide(Tool::None, Presented::Invalid(FAULT));
        let token = Found::Invalid(FAULT);
        self.asking.challenged(&self.proxied.guarded, &decided, Tool::None, &token)
    }

    /// The request as the upstream gets it.
    fn request(
        &self,
        authorized: Option<&Authorized>,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Unfit> {
        let upstream = &self.proxied.upstream;
        let mut request = Request::new(body);
        request.method_mut().clone_from(&self.head.method);
        *request.uri_mut() = self.target().ok_or(Unfit::Target)?;
        let names = self.proxied.guarded.identity_names();
        let mut headers = headers::to_upstream(&self.head.headers, &names);
        self.unbind_session(&mut headers, authorized)?;
        if self.filters() {
            headers.remove(ACCEPT_ENCODING);
        }
        headers.insert(HOST, upstream.authority().clone());
        headers.insert(X_REQUEST_ID, self.sender.request_id.clone());
        if let Some(authorized) = authorized {
            self.identify(&mut headers, authorized)?;
        }
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Path and query at the upstream: its path stands for that of the resource, all else stays as it came.
    fn target(&self) -> Option<Uri> {
        let target = self.head.uri.path_and_query()?.as_str();
        let text = match target.strip_prefix(&*self.proxied.guarded.path) {
            Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => {
                let path = self.proxied.upstream.path();
                let slash = if path.is_empty() && !rest.starts_with('/') { "/" } else { "" };
                format!("{path}{slash}{rest}")
            }
            // A rule names the path.
            _ => target.to_owned(),
        };
        text.parse().ok()
    }

    fn identify(&self, headers: &mut HeaderMap, authorized: &Authorized) -> Result<(), Unfit> {
        let guarded = &self.proxied.guarded;
        let (app, now) = (self.app, self.app.clock.now());
        let of = (authorized, &**guarded);
        let signed = self.guards.assertions.of(&app.keys, &app.config.server.issuer, of, now);
        headers.insert(DOORWARD_ASSERTION, signed.map_err(Unfit::Unsigned)?);
        headers.extend(guarded.identity_headers(authorized));
        Ok(())
    }

    fn holder<'h>(&'h self, authorized: Option<&'h Authorized>) -> Holder<'h> {
        Holder {
            resource: &self.proxied.guarded.uri,
            subject: authorized.map_or("", |authorized| &authorized.subject),
            client: authorized.map_or("", |authorized| &authorized.client_id),
        }
    }

    /// Takes the code off the session's identifier. A session of somebody else is unknown (MCP 2025-11-25, transports);
    /// later revisions have none.
    fn unbind_session(
        &self,
        headers: &mut HeaderMap,
        authorized: Option<&Authorized>,
    ) -> Result<(), Unfit> {
        let Some(sent) = headers.remove(MCP_SESSION_ID) else { return Ok(()) };
        if mcp::has_no_sessions(headers) {
            return Ok(());
        }
        let key = self.app.keys.sessions();
        let id = session_id::unbound(key, &sent, self.holder(authorized)).ok_or(Unfit::Session)?;
        headers.insert(MCP_SESSION_ID, id);
        Ok(())
    }

    /// Whether lists of tools may have to be filtered.
    fn filters(&self) -> bool {
        let guarded = &self.proxied.guarded;
        guarded.has_tool_rules() && guarded.settings.list != ShownTools::All
    }

    /// The answer as the client gets it.
    async fn answer_of(
        &self,
        answer: HttpResponse<UpstreamBody>,
        stream: Stream,
        authorized: Option<&Authorized>,
        kind: Option<&MessageKind>,
    ) -> Response {
        let (parts, body) = answer.into_parts();
        let mut headers = parts.headers;
        headers::to_client(&mut headers);
        cors::forget(&mut headers);
        if let Some(id) = headers.remove(MCP_SESSION_ID) {
            let key = self.app.keys.sessions();
            headers.insert(MCP_SESSION_ID, session_id::bound(key, &id, self.holder(authorized)));
        }
        let is_events = is_type(&headers, b"text/event-stream");
        let is_list = kind == Some(&MessageKind::List) && is_type(&headers, b"application/json");
        let filters = self.filters() && (is_events || is_list);
        if filters && headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
            return self.asking.failed(Failure::Encoded);
        }
        let body = if filters && !is_events {
            headers.remove(CONTENT_LENGTH);
            match self.filtered(body, authorized).await {
                Ok(body) => body.into(),
                Err(failure) => return self.asking.failed(failure),
            }
        } else if body.is_end_stream() {
            AnswerBody::default()
        } else {
            let filter = filters.then(|| {
                headers.remove(CONTENT_LENGTH);
                let events = Events::new(self.proxied.guarded.settings.body_max);
                let source = Source::of(self.sender.address);
                let holding = Holding::new(Arc::clone(&self.guards.proxies.bodies), source);
                Filter { events, shows: self.shows(authorized), holding }
            });
            let draining = &self.guards.proxies.draining;
            let body = AnswerOf::new(body, stream, is_events, filter, draining);
            AnswerBody::Stream(UnsyncBoxBody::new(body))
        };
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = headers;
        response
    }

    /// A list of tools, read whole.
    async fn filtered(
        &self,
        body: UpstreamBody,
        authorized: Option<&Authorized>,
    ) -> Result<Bytes, Failure> {
        let settings = &self.proxied.guarded.settings;
        let deadline = Duration::from_secs(settings.first_byte_timeout_seconds);
        let body = self.reader(deadline).read(body, settings.body_max).await;
        let body = body.map_err(Failure::Unread)?;
        let shows = self.shows(authorized);
        Ok(tool_list::filtered(&body, &*shows).map_or_else(|| Bytes::clone(&body), Bytes::from))
    }

    /// Which tools the lists show.
    fn shows(&self, authorized: Option<&Authorized>) -> Arc<Shows<'static>> {
        let guarded: Arc<Guarded> = Arc::clone(&self.proxied.guarded);
        let authorized = authorized.cloned();
        let target = self.head.uri.path().to_owned();
        Arc::new(move |tool| {
            let asked = Asked {
                method: "POST",
                address: &guarded.origin,
                target: target.as_bytes(),
                origin: None,
                is_preflight: false,
                tool: Tool::Called(tool),
                ambiguity: None,
            };
            let presented = authorized.as_ref().map_or(Presented::Nothing, Presented::Valid);
            match decide(&guarded, &asked, presented).decision {
                Decision::Allow(_) | Decision::Public => true,
                Decision::StepUp { .. } | Decision::SignIn { .. } => {
                    guarded.settings.list == ShownTools::Askable
                }
                _ => false,
            }
        })
    }
}

fn authorized<'t>(decision: &Decision<'t>) -> Option<&'t Authorized> {
    match decision {
        Decision::Allow(authorized) => Some(authorized),
        _ => None,
    }
}

fn is_type(headers: &HeaderMap, expected: &[u8]) -> bool {
    crate::http::body::media_type(headers).eq_ignore_ascii_case(expected)
        && headers.get_all(CONTENT_TYPE).iter().count() == 1
}
