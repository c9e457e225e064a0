//! Forward-auth: a proxy asks about each request, and is answered 200, 401, or 403, and nothing else: nginx makes 500 of
//! any other status.
//!
//! Each dialect has an address of its own for each resource, so that no header of another dialect is believed.

use std::{error::Error, net::IpAddr, sync::Arc};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, WWW_AUTHENTICATE},
    request::Parts,
};
use uuid::Uuid;

use super::{
    Asked, Decision, Found, Guarded, Guards, Reason, Tool,
    challenge::{self, Told},
    decide, find,
    headers::{ambiguity, joined},
    sampled, split_address,
    tool::tool_of,
};
use crate::{
    app::App,
    http::{
        answer::{self, Response},
        bearer::bearer,
        client_address::is_trusted,
        request_event::Outcome,
    },
    paths,
    store::StoreError,
};

const ASSERTION: HeaderName = HeaderName::from_static("doorward-assertion");
/// The headers that Envoy takes from the request before the upstream gets it.
pub(super) const ENVOY_REMOVES: HeaderName =
    HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// What adds the headers of a dialect. The pages have the configurations, whole and tested.
const OF_NGINX: &str = "add `proxy_set_header X-Original-Method $request_method;` and \
    `proxy_set_header X-Original-URL $scheme://$http_host$request_uri;` (docs/protect/nginx.md)";
const FORWARDED: &str = "forward_auth of Caddy and ForwardAuth of Traefik send it; for other proxies, add the four \
    X-Forwarded headers that docs/protect/haproxy.md lists";

/// How a proxy says what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Nginx,
    Forwarded,
    Envoy,
}

/// A fact that the configuration of the proxy has to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    #[error("{name} is absent, repeated, or unreadable: {cure}")]
    Header { name: &'static str, cure: &'static str },
    #[error(
        "the question has no request, or does not name its resource: set `context_extensions: {{resource: ID}}` in \
         `check_settings` of the route (docs/protect/envoy-grpc.md)"
    )]
    Extension,
    #[error("no guarded resource has the id in the address that the proxy asks at")]
    Resource,
}

/// The request that a proxy asks about.
pub(super) struct Facts<'a> {
    pub(super) method: &'a str,
    pub(super) address: String,
    pub(super) target: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Why the question has not all of the request.
    pub(super) ambiguity: Option<&'static str>,
}

/// Answers a proxy; `None` for other peers, to which the address does not exist.
pub(crate) async fn check(
    app: &App,
    guards: &Guards,
    dialect: Dialect,
    peer: IpAddr,
    head: &Parts,
) -> Option<Response> {
    if !may_ask(app, peer) {
        return None;
    }
    let Some(guarded) = id_of(dialect, head.uri.path()).and_then(|id| guards.by_id(id)) else {
        return Some(misconfigured(Missing::Resource));
    };
    let facts = match facts(dialect, head, guarded) {
        Ok(facts) => facts,
        Err(missing) => return Some(misconfigured(missing)),
    };
    Some(answered(app, guards, guarded, dialect, &facts).await)
}

/// Whether a peer is a proxy that may ask.
pub(super) fn may_ask(app: &App, peer: IpAddr) -> bool {
    is_trusted(peer.to_canonical(), &app.config.guard.proxies)
}

/// What a proxy is answered about the request with these facts.
pub(super) async fn answered(
    app: &App,
    guards: &Guards,
    guarded: &Guarded,
    dialect: Dialect,
    facts: &Facts<'_>,
) -> Response {
    let (headers, now) = (facts.headers, app.clock.now());
    let found = match bearer(headers) {
        Some(Ok(token)) => find(app, guards, token, &guarded.uri, now).await,
        Some(Err(())) => Found::Invalid("Authorization is not a Bearer token"),
        None => Found::Nothing,
    };
    let asked = Asked {
        method: facts.method,
        address: &facts.address,
        target: facts.target.as_bytes(),
        origin: headers.get(ORIGIN).map(HeaderValue::as_bytes),
        is_preflight: facts.method == "OPTIONS"
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        tool: Tool::None,
        ambiguity: facts.ambiguity.or_else(|| ambiguity(headers)).or_else(|| joined(headers)),
    };
    let name = tool_of(facts.method, headers, &guarded.settings);
    let decided = decide(guarded, &Asked { tool: name.as_tool(), ..asked }, found.presented());
    let nth = guarded.metrics.decisions[decided.decision.outcome()].add_next();
    let mut client_id = None;
    if let Found::Valid(authorized) = &found {
        guards.calls.note((guarded, authorized), name.as_tool(), &decided, now);
        client_id = Uuid::parse_str(&authorized.client_id).ok();
    }
    let Some(told) = challenge::told(guarded, &decided.decision) else {
        let mut response = allowed((app, guards), dialect, guarded, &decided.decision);
        sampled(app.config.guard.log_allowed_every, guarded, nth, client_id, &mut response);
        return response;
    };
    let is_mcp = headers.keys().any(|name| name.as_str().starts_with("mcp-"));
    let cause: Arc<dyn Error + Send + Sync> = match &found {
        Found::Unknown(error) => Arc::<StoreError>::clone(error),
        _ => Arc::new(Reason::new(guarded, &decided, name.as_tool(), &told.description)),
    };
    let outcome = Outcome {
        error_code: Some(told.code),
        client_id,
        cause: Some(cause),
        ..Outcome::default()
    };
    let mut response = refused(told, is_mcp);
    response.extensions_mut().insert(outcome);
    response
}

/// The id of the resource in a path, which may begin with the path of the issuer.
fn id_of(dialect: Dialect, path: &str) -> Option<&str> {
    Some(behind(dialect, path)?.split('/').next().unwrap_or_default())
}

fn behind(dialect: Dialect, path: &str) -> Option<&str> {
    let prefix = match dialect {
        Dialect::Nginx => paths::GUARD_NGINX,
        Dialect::Forwarded => paths::GUARD_FORWARDED,
        Dialect::Envoy => paths::GUARD_ENVOY,
    };
    let prefix = prefix.split('{').next().unwrap_or_default();
    path.split_once(prefix).map(|(_, behind)| behind)
}

fn facts<'a>(dialect: Dialect, head: &'a Parts, guarded: &Guarded) -> Result<Facts<'a>, Missing> {
    let headers = &head.headers;
    match dialect {
        Dialect::Nginx => {
            let named = |name| one(headers, name, OF_NGINX);
            let method = named("X-Original-Method")?;
            let url = named("X-Original-URL")?;
            let unreadable = Missing::Header { name: "X-Original-URL", cure: OF_NGINX };
            let (address, target) = split_address(url).ok_or(unreadable)?;
            Ok(Facts { method, address: address.to_owned(), target, headers, ambiguity: None })
        }
        Dialect::Forwarded => {
            let named = |name| one(headers, name, FORWARDED);
            let method = named("X-Forwarded-Method")?;
            let scheme = named("X-Forwarded-Proto")?;
            let host = named("X-Forwarded-Host")?;
            let target = named("X-Forwarded-Uri")?;
            Ok(Facts {
                method,
                address: format!("{scheme}://{host}"),
                target,
                headers,
                ambiguity: None,
            })
        }
        Dialect::Envoy => {
            let scheme = guarded.origin.split("://").next().unwrap_or_default();
            let host = head.uri.authority().map(http::uri::Authority::as_str);
            let host = host.or_else(|| headers.get(HOST)?.to_str().ok()).unwrap_or_default();
            let all = head.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
            let target = behind(dialect, all).and_then(|it| it.strip_prefix(&*guarded.settings.id));
            let target = target.unwrap_or_default();
            Ok(Facts {
                method: head.method.as_str(),
                address: format!("{scheme}://{host}"),
                target,
                headers,
                ambiguity: None,
            })
        }
    }
}

/// The only value of a header.
fn one<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    cure: &'static str,
) -> Result<&'a str, Missing> {
    let mut values = headers.get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(Missing::Header { name, cure }),
    }
}

pub(super) fn misconfigured(missing: Missing) -> Response {
    let body =
        serde_json::json!({ "error": "invalid_request", "error_description": missing.to_string() });
    let mut response = answer::json(StatusCode::FORBIDDEN, body.to_string());
    let cause: Arc<dyn Error + Send + Sync> = Arc::new(missing);
    let outcome =
        Outcome { error_code: Some("invalid_request"), cause: Some(cause), ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}

/// The answer for a request that may not go on.
fn refused(told: Told, is_mcp: bool) -> Response {
    let body = if is_mcp { told.json_rpc(None) } else { told.json() };
    let status = if told.status == 401 { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    let mut response = answer::json(status, body.to_string());
    if let Some(challenge) = told.challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn allowed(
    (app, guards): (&App, &Guards),
    dialect: Dialect,
    guarded: &Guarded,
    decision: &Decision<'_>,
) -> Response {
    let mut response = answer::json(StatusCode::OK, "{}");
    if let Decision::Allow(authorized) = decision {
        let (of, now) = ((*authorized, guarded), app.clock.now());
        match guards.assertions.of(&app.keys, &app.config.server.issuer, of, now) {
            Ok(assertion) => drop(response.headers_mut().insert(ASSERTION, assertion)),
            Err(error) => return unsigned(error),
        }
        response.headers_mut().extend(guarded.identity_headers(authorized));
    }
    if dialect == Dialect::Envoy {
        // Where nothing is set, the client's own copies would stay.
        let own = guarded.settings.identity_headers.names().map(|name| name.to_ascii_lowercase());
        let all = ["authorization".to_owned(), ASSERTION.to_string()].into_iter().chain(own);
        let absent = all.filter(|name| !response.headers().contains_key(name));
        let absent: Vec<String> = absent.collect();
        if let Ok(value) = HeaderValue::try_from(absent.join(",")) {
            response.headers_mut().insert(ENVOY_REMOVES, value);
        }
    }
    response
}

/// No identity, no request: an upstream may take a request without one for its own.
fn unsigned(error: crate::keys::KeysError) -> Response {
    let body = r#"{"error":"server_error","error_description":"the identity cannot be signed"}"#;
    let mut response = answer::json(StatusCode::FORBIDDEN, body);
    let outcome = Outcome {
        error_code: Some("server_error"),
        cause: Some(Arc::new(error)),
        ..Outcome::default()
    };
    response.extensions_mut().insert(outcome);
    response
}
