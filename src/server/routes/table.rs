//! The table of public endpoints: one row each. Dispatch, `Allow`, CORS, metric labels, and `/openapi.json` come from
//! the row.

use std::{future::Future, net::IpAddr, pin::Pin};

use http::{Method, StatusCode, request::Parts};
use hyper::body::Incoming;
use serde_json::Value;

use super::not_found;
use crate::{
    app::App,
    authorization,
    client::ProfileName,
    config::Config,
    discovery,
    guard::{self, Dialect, Guards},
    http::answer::{self, Response},
    metadata_policy::Profile,
    openapi,
    operator_api::{self, Needs},
    pages, paths,
    registration::{self, register},
    server::description::description,
    sign_in, token,
};

/// One endpoint.
pub(super) struct Endpoint {
    /// Its path, then its aliases; `{name}` matches one segment.
    pub(super) paths: &'static [&'static str],
    /// Whether the endpoint exists with these settings.
    pub(super) exists: fn(&Config) -> bool,
    /// Whether it supports its methods with these settings, if it exists; otherwise it supports none.
    pub(super) is_enabled: fn(&Config) -> bool,
    /// Whether scripts of every origin may read its answers, without credentials: what machines are answered, never
    /// what people are (OAuth 2.1 §3.1, §3.2), nor what is between servers.
    pub(super) open_to_scripts: bool,
    /// Whether it answers proxies alone, about the requests that they got.
    pub(super) is_for_proxies: bool,
    /// The profile of a registration endpoint, by which registrations are counted.
    pub(super) profile: Option<ProfileName>,
    pub(super) operations: &'static [Operation],
}

/// What one method does at an endpoint.
pub(crate) struct Operation {
    pub(in crate::server) method: Method,
    /// Whether HEAD is answered as GET, without the body.
    pub(super) head: bool,
    /// Whether every method is answered so.
    pub(super) any: bool,
    /// What the operation asks of its caller; `None` outside the operator API.
    pub(super) needs: Option<Needs>,
    pub(super) handler: Handler,
    /// Describes the operation for `/openapi.json`; `None` for a page, which no program asks for.
    pub(in crate::server) description: Option<Description>,
}

/// Answers a request. Boxed, so that a connection reserves no room for the largest of all handlers.
pub(super) type Handler =
    for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct From {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// The caller's address, which trusted proxies may tell.
    pub(crate) source: IpAddr,
}

/// A request on its way to a handler.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) guards: &'a Guards,
    pub(super) peer: IpAddr,
    pub(super) source: IpAddr,
    pub(super) head: Parts,
    pub(super) body: Incoming,
}

/// Describes an operation with these settings.
pub(super) type Description = fn(&Config) -> Value;

const fn get(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::GET, head: true, any: false, needs: None, handler, description }
}

/// GET that changes something, so that HEAD must not do the same (RFC 9110 §9.2.1).
const fn get_without_head(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::GET, head: false, any: false, needs: None, handler, description }
}

const fn post(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::POST, head: false, any: false, needs: None, handler, description }
}

const fn put(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::PUT, head: false, any: false, needs: None, handler, description }
}

const fn delete(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::DELETE, head: false, any: false, needs: None, handler, description }
}

/// What proxies ask about, by any method. It is between servers, and in no description.
const fn any(handler: Handler) -> Operation {
    Operation {
        method: Method::GET,
        head: true,
        any: true,
        needs: None,
        handler,
        description: None,
    }
}

pub(super) const fn always(_: &Config) -> bool {
    true
}

/// A row with the fields that most endpoints share.
pub(super) const PAGE: Endpoint = Endpoint {
    paths: &[],
    exists: Config::authorizes,
    is_enabled: always,
    open_to_scripts: false,
    is_for_proxies: false,
    profile: None,
    operations: &[],
};

const FOR_SCRIPTS: Endpoint = Endpoint { open_to_scripts: true, ..PAGE };

const FOR_PROXIES: Endpoint = Endpoint { exists: Config::guards, is_for_proxies: true, ..PAGE };

/// A handler that answers with an expression over the call.
macro_rules! answer {
    (|$call:ident| $answer:expr) => {
        |$call| Box::pin(async move { $answer })
    };
}

/// Every public endpoint.
pub(super) static ENDPOINTS: [Endpoint; 23] = [
    Endpoint {
        paths: &[paths::HOME],
        exists: always,
        operations: &[get(answer!(|c| discovery::home(c.app, &c.head)), Some(openapi::home))],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::DATADOG_REGISTER],
        exists: always,
        profile: Some(ProfileName::Datadog),
        operations: &[post(
            |c| Box::pin(register(&Profile::DATADOG, c.app, c.source, c.head.headers, c.body)),
            Some(openapi::datadog),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::REGISTER, paths::REGISTER_ALIAS],
        exists: always,
        profile: Some(ProfileName::Rfc7591),
        operations: &[post(
            |c| Box::pin(register(&Profile::RFC7591, c.app, c.source, c.head.headers, c.body)),
            Some(openapi::rfc7591),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::REGISTRATION, paths::REGISTRATION_ALIAS],
        exists: always,
        is_enabled: |config| config.registration.management,
        operations: &[
            get(
                answer!(|c| registration::read(c.app, c.source, &c.head).await),
                Some(openapi::read_registration),
            ),
            put(
                answer!(|c| registration::update(c.app, c.source, &c.head, c.body).await),
                Some(openapi::update_registration),
            ),
            delete(
                answer!(|c| registration::remove(c.app, c.source, &c.head).await),
                Some(openapi::remove_registration),
            ),
        ],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::AUTHORIZATION_SERVER, paths::OPENID_CONFIGURATION],
        operations: &[get(answer!(|c| discovery::metadata(c.app)), Some(openapi::metadata))],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::JWKS],
        operations: &[get(answer!(|c| discovery::jwks(c.app)), Some(openapi::jwks))],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::AUTHORIZE, paths::AUTHORIZE_ALIAS],
        operations: &[
            get(
                answer!(|c| authorization::authorize(c.app, c.source, &c.head, None).await),
                Some(openapi::authorize),
            ),
            post(
                answer!(|c| authorization::authorize(c.app, c.source, &c.head, Some(c.body)).await),
                Some(openapi::authorize_by_form),
            ),
        ],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::CONSENT],
        operations: &[post(
            answer!(|c| authorization::consent(c.app, c.source, &c.head, c.body).await),
            None,
        )],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::GRANTS],
        operations: &[
            get(answer!(|c| authorization::grants(c.app, &c.head).await), None),
            post(
                answer!(|c| authorization::take_back(c.app, c.source, &c.head, c.body).await),
                None,
            ),
        ],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::SIGN_IN],
        operations: &[post(
            answer!(|c| authorization::sign_in(c.app, c.source, &c.head, c.body).await),
            None,
        )],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::SIGN_IN_RETURN],
        exists: |config| !config.sign_in.providers.is_empty(),
        operations: &[get_without_head(
            answer!(|c| sign_in::finish(c.app, c.source, &c.head).await),
            None,
        )],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::SIGN_OUT],
        operations: &[
            get(answer!(|c| sign_in::ask_to_sign_out(c.app, &c.head).await), None),
            post(answer!(|c| sign_in::sign_out(c.app, c.source, &c.head, c.body).await), None),
        ],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::TOKEN, paths::TOKEN_ALIAS],
        operations: &[post(
            answer!(|c| token::token(c.app, c.source, &c.head, c.body).await),
            Some(openapi::token),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::REVOKE],
        operations: &[post(
            answer!(|c| token::revoke(c.app, c.source, &c.head, c.body).await),
            Some(openapi::revoke),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::INTROSPECT],
        exists: |config| config.authorizes() && config.introspects(),
        operations: &[post(
            answer!(|c| token::introspect(c.app, c.source, &c.head.headers, c.body).await),
            Some(openapi::introspect),
        )],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::PROTECTED_RESOURCE],
        exists: Config::guards,
        operations: &[get(answer!(|c| resource_metadata(&c)), Some(openapi::resource_metadata))],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::PROTECTED_RESOURCE_BELOW],
        exists: |config| config.authorizes() || config.guards(),
        operations: &[get(
            answer!(|c| resource_metadata(&c)),
            Some(openapi::resource_metadata_below),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::GUARD_NGINX],
        operations: &[any(answer!(|c| checked(c, Dialect::Nginx).await))],
        ..FOR_PROXIES
    },
    Endpoint {
        paths: &[paths::GUARD_FORWARDED],
        operations: &[any(answer!(|c| checked(c, Dialect::Forwarded).await))],
        ..FOR_PROXIES
    },
    Endpoint {
        paths: &[paths::GUARD_ENVOY, paths::GUARD_ENVOY_BELOW],
        operations: &[any(answer!(|c| checked(c, Dialect::Envoy).await))],
        ..FOR_PROXIES
    },
    Endpoint {
        paths: &[paths::ENVOY_CHECK],
        exists: Config::guards_over_grpc,
        operations: &[any(answer!(|c| checked_by_grpc(c).await))],
        ..FOR_PROXIES
    },
    Endpoint {
        paths: &[paths::STYLESHEET],
        operations: &[get(answer!(|c| pages::stylesheet(&c.app.config)), None)],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::OPENAPI],
        exists: always,
        operations: &[get(answer!(|c| own_description(c.app)), Some(openapi::description))],
        ..PAGE
    },
];

fn own_description(app: &App) -> Response {
    let described = app.description.get_or_init(|| description(&app.config).into());
    answer::json(StatusCode::OK, described.clone())
}

/// The metadata of the resource that is meant: of a guarded one, or of the operator API, which no guarded one on its host
/// overlaps.
fn resource_metadata(call: &Call<'_>) -> Response {
    let (app, head) = (call.app, &call.head);
    let of_guard = || guard::metadata(call.guards, head);
    let of_api = || operator_api::metadata(app, head);
    let own_host = app.config.issuer_origin().split_once("://").map_or("", |(_, host)| host);
    let found = if own_host.as_bytes().eq_ignore_ascii_case(guard::host(head)) {
        of_api().or_else(of_guard)
    } else {
        of_guard().or_else(of_api)
    };
    found.unwrap_or_else(|| not_found(app, head))
}

/// The answer of the guard to a proxy; to other peers, nothing is there.
async fn checked(call: Call<'_>, dialect: Dialect) -> Response {
    let answered = guard::check(call.app, call.guards, dialect, call.peer, &call.head).await;
    answered.unwrap_or_else(|| not_found(call.app, &call.head))
}

/// The same over gRPC.
async fn checked_by_grpc(call: Call<'_>) -> Response {
    let Call { app, guards, peer, head, body, .. } = call;
    let answered = guard::check_by_grpc(app, guards, peer, &head, body).await;
    answered.unwrap_or_else(|| not_found(app, &head))
}
