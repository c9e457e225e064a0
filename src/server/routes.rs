//! The public endpoints as a table: one row each. Dispatch, `Allow`, CORS, metric labels, and `/openapi.json` come
//! from the row.

use std::{
    future::{Future, ready},
    net::IpAddr,
    pin::Pin,
    sync::LazyLock,
};

use http::{HeaderValue, Method, Request, StatusCode, header::ALLOW, request::Parts};
use hyper::body::Incoming;
use matchit::Router;
use serde_json::Value;

use super::{cors, description::description};
use crate::{
    app::App,
    authorization,
    client::ProfileName,
    config::Config,
    discovery,
    guard::{self, Dialect, Guards},
    http::{
        answer::{self, Response, Shape, refusal},
        request_id::Origin,
    },
    metadata_policy::Profile,
    openapi, pages, paths,
    registration::register,
    sign_in, token,
};

/// One endpoint.
struct Endpoint {
    /// Its path, then its aliases; `{name}` matches one segment.
    paths: &'static [&'static str],
    /// Whether the endpoint exists with these settings.
    exists: fn(&Config) -> bool,
    /// Whether scripts of every origin may read its answers, without credentials: what machines are answered, never
    /// what people are (OAuth 2.1 §3.1, §3.2), nor what is between servers.
    open_to_scripts: bool,
    /// The profile of a registration endpoint, by which registrations are counted.
    profile: Option<ProfileName>,
    operations: &'static [Operation],
}

/// What one method does at an endpoint.
pub(crate) struct Operation {
    pub(super) method: Method,
    /// Whether HEAD is answered as GET, without the body.
    head: bool,
    /// Whether every method is answered so.
    any: bool,
    handler: Handler,
    /// Describes the operation for `/openapi.json`; `None` for a page, which no program asks for.
    pub(super) description: Option<Description>,
}

/// Answers a request. Boxed, so that a connection reserves no room for the largest of all handlers.
type Handler = for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct From {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// The caller's address, which trusted proxies may tell.
    pub(crate) source: IpAddr,
}

/// A request on its way to a handler.
struct Call<'a> {
    app: &'a App,
    guards: &'a Guards,
    peer: IpAddr,
    source: IpAddr,
    head: Parts,
    body: Incoming,
}

/// Describes an operation with these settings.
type Description = fn(&Config) -> Value;

const fn get(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::GET, head: true, any: false, handler, description }
}

/// GET that changes something, so that HEAD must not do the same (RFC 9110 §9.2.1).
const fn get_without_head(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::GET, head: false, any: false, handler, description }
}

const fn post(handler: Handler, description: Option<Description>) -> Operation {
    Operation { method: Method::POST, head: false, any: false, handler, description }
}

/// What proxies ask about, by any method. It is between servers, and in no description.
const fn any(handler: Handler) -> Operation {
    Operation { method: Method::GET, head: true, any: true, handler, description: None }
}

const fn always(_: &Config) -> bool {
    true
}

/// A row with the fields that most endpoints share.
const PAGE: Endpoint = Endpoint {
    paths: &[],
    exists: Config::authorizes,
    open_to_scripts: false,
    profile: None,
    operations: &[],
};

const FOR_SCRIPTS: Endpoint = Endpoint { open_to_scripts: true, ..PAGE };

/// A handler that answers with an expression over the call.
macro_rules! answer {
    (|$call:ident| $answer:expr) => {
        |$call| Box::pin(async move { $answer })
    };
}

/// Every public endpoint.
static ENDPOINTS: [Endpoint; 21] = [
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
        exists: Config::guards,
        operations: &[get(
            answer!(|c| resource_metadata(&c)),
            Some(openapi::resource_metadata_below),
        )],
        ..FOR_SCRIPTS
    },
    Endpoint {
        paths: &[paths::GUARD_NGINX],
        exists: Config::guards,
        operations: &[any(answer!(|c| checked(c, Dialect::Nginx).await))],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::GUARD_FORWARDED],
        exists: Config::guards,
        operations: &[any(answer!(|c| checked(c, Dialect::Forwarded).await))],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::GUARD_ENVOY, paths::GUARD_ENVOY_BELOW],
        exists: Config::guards,
        operations: &[any(answer!(|c| checked(c, Dialect::Envoy).await))],
        ..PAGE
    },
    Endpoint {
        paths: &[paths::STYLESHEET],
        operations: &[get(|_| Box::pin(ready(pages::stylesheet())), None)],
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

/// The metadata of the guarded resource that is meant.
fn resource_metadata(call: &Call<'_>) -> Response {
    let found = guard::metadata(call.guards, &call.head);
    found.unwrap_or_else(|| not_found(call.app, &call.head))
}

/// The answer of the guard to a proxy; to other peers, nothing is there.
async fn checked(call: Call<'_>, dialect: Dialect) -> Response {
    let answered = guard::check(call.app, call.guards, dialect, call.peer, &call.head).await;
    answered.unwrap_or_else(|| not_found(call.app, &call.head))
}

/// The label of requests to guarded resources.
const GUARDED: &str = "guarded";
/// The label of requests for paths at which nothing is.
const UNKNOWN: &str = "unknown";

/// The labels of routes that are no paths.
const LABELS: [&str; 2] = [GUARDED, UNKNOWN];

/// Where a request arrived: one path of an endpoint.
pub(crate) struct Route {
    /// The path as the table has it, below the issuer; the name of the route in logs and metrics.
    pub(crate) template: &'static str,
    /// The place among all routes.
    pub(crate) index: usize,
    endpoint: &'static Endpoint,
    /// Whether the endpoint has the same operations at an earlier path.
    pub(super) is_alias: bool,
    allow: HeaderValue,
}

impl Route {
    pub(super) fn exists(&self, config: &Config) -> bool {
        (self.endpoint.exists)(config)
    }

    pub(super) fn operations(&self) -> &'static [Operation] {
        self.endpoint.operations
    }

    pub(crate) fn profile(&self) -> Option<ProfileName> {
        self.endpoint.profile
    }

    pub(super) fn is_open_to_scripts(&self) -> bool {
        self.endpoint.open_to_scripts
    }
}

/// Every route, in the order of the table, and last those of guarded resources and unknown paths. Made once.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let labels = LABELS.map(|label| (label, false, &NOTHING));
    let of_table = ENDPOINTS.iter().flat_map(|endpoint| {
        let paths = endpoint.paths.iter().enumerate();
        paths.map(move |(place, template)| (*template, place > 0, endpoint))
    });
    let all = of_table.chain(labels).enumerate();
    all.map(|(index, (template, is_alias, endpoint))| Route {
        template,
        index,
        endpoint,
        is_alias,
        allow: allow(endpoint),
    })
    .collect()
});

static NOTHING: Endpoint = PAGE;

fn allow(endpoint: &Endpoint) -> HeaderValue {
    if endpoint.operations.iter().any(|operation| operation.any) {
        return HeaderValue::from_static("*");
    }
    let mut methods = Vec::new();
    for operation in endpoint.operations {
        methods.push(operation.method.as_str());
        if operation.head {
            methods.push("HEAD");
        }
    }
    if endpoint.open_to_scripts {
        methods.push("OPTIONS");
    }
    HeaderValue::from_str(&methods.join(", ")).expect("methods are tokens")
}

/// A row of the table, as tests walk it.
#[derive(Clone, Copy, Debug)]
pub struct PublicRoute {
    /// The path, with its parameters in braces.
    pub template: &'static str,
    /// The methods, as `Allow` lists them.
    pub allow: &'static str,
    /// Whether scripts of other origins may read answers.
    pub open_to_scripts: bool,
    /// Whether the endpoint needs a way to sign in to exist.
    pub needs_sign_in: bool,
}

/// Every route that can exist, but for those that are no paths.
pub fn public_routes() -> impl Iterator<Item = PublicRoute> {
    let without_sign_in = Config::default();
    ROUTES.iter().filter(|route| !LABELS.contains(&route.template)).map(move |route| PublicRoute {
        template: route.template,
        allow: route.allow.to_str().unwrap_or_default(),
        open_to_scripts: route.is_open_to_scripts(),
        needs_sign_in: !route.exists(&without_sign_in),
    })
}

/// The routes that exist with the settings of one server, by path.
pub(crate) struct Routes(Router<&'static Route>);

impl Routes {
    /// A trailing slash makes another path, and paths are compared byte for byte. Whether a proxy removes the path of
    /// the issuer does not matter; the well-known documents have that path behind their name as well (RFC 8414 §3.1).
    pub(crate) fn new(config: &Config) -> Self {
        let mut router = Router::new();
        let issuer_path = config.issuer_path();
        let is_path = |route: &&Route| !LABELS.contains(&route.template);
        for route in ROUTES.iter().filter(is_path).filter(|route| route.exists(config)) {
            let template = route.template;
            let mut paths = vec![template.to_owned()];
            if !issuer_path.is_empty() {
                paths.push(format!("{issuer_path}{template}"));
                if template.starts_with("/.well-known/") {
                    paths.push(format!("{template}{issuer_path}"));
                }
            }
            for path in paths {
                // The first of two equal paths wins.
                let _taken = router.insert(path, route);
            }
        }
        Self(router)
    }

    /// The route of a path; the unknown one where nothing is.
    pub(crate) fn at(&self, path: &str) -> &'static Route {
        let unknown = || ROUTES.last().expect("the unknown route is always there");
        self.0.at(path).map_or_else(|_| unknown(), |found| *found.value)
    }
}

/// The route of all requests to guarded resources.
pub(crate) fn guarded() -> &'static Route {
    let guarded = ROUTES.iter().rev().find(|route| route.template == GUARDED);
    guarded.expect("the route of guarded resources is always there")
}

/// Hands a request to the handler of its method.
pub(crate) async fn answer(
    (app, guards): (&App, &Guards),
    route: &'static Route,
    from: From,
    id: &HeaderValue,
    request: Request<Incoming>,
) -> Response {
    let (mut head, body) = request.into_parts();
    // Pages and events name it; a registration does without the allocation.
    if route.profile().is_none() {
        head.extensions.insert(Origin { request_id: id.clone(), source: from.source });
    }
    let is_head = head.method == Method::HEAD;
    let operation = route
        .operations()
        .iter()
        .find(|it| it.any || it.method == head.method || (is_head && it.head));
    match operation {
        Some(operation) => {
            let From { peer, source } = from;
            (operation.handler)(Call { app, guards, peer, source, head, body }).await
        }
        None if route.template == UNKNOWN => not_found(app, &head),
        None if route.is_open_to_scripts() && head.method == Method::OPTIONS => {
            cors::preflight(route.allow.clone())
        }
        None => method_not_allowed(route),
    }
}

fn not_found(app: &App, head: &Parts) -> Response {
    if pages::wants_page(&head.headers) {
        return pages::not_found(&app.config);
    }
    let shape = Shape::at(head.uri.path());
    let text = match shape {
        Shape::Errors => "Not found",
        Shape::OAuth => "no endpoint at this path",
    };
    refusal(shape, StatusCode::NOT_FOUND, "invalid_request", text)
}

fn method_not_allowed(route: &Route) -> Response {
    let shape = Shape::at(route.template);
    let text = match shape {
        Shape::Errors => "Method not allowed",
        Shape::OAuth => "this endpoint does not support the method",
    };
    let mut response = refusal(shape, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
    response.headers_mut().insert(ALLOW, route.allow.clone());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    /// The template of the route at a path.
    fn at(path: &str, config: &Config) -> &'static str {
        Routes::new(config).at(path).template
    }

    #[test]
    fn every_route_is_found_at_its_template() {
        let config = full("https://door.example");
        for route in ROUTES.iter().filter(|route| !LABELS.contains(&route.template)) {
            assert_eq!(at(route.template, &config), route.template);
        }
        for path in ["/token/", "/oauth2/sign-in/a/b", "/oauth2/sign-in/", "//token", "*", ""] {
            assert_eq!(at(path, &config), UNKNOWN, "{path}");
        }
    }

    #[test]
    fn every_path_but_the_home_page_lies_in_a_reserved_one() {
        let templates = ROUTES.iter().map(|route| route.template);
        for template in templates.filter(|template| !LABELS.contains(template)) {
            let is_reserved = paths::RESERVED.iter().any(|reserved| {
                let below = template.strip_prefix(reserved);
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            assert!(is_reserved || template == paths::HOME, "{template}");
        }
    }

    /// The settings of a server that has everything.
    fn full(issuer: &str) -> Config {
        let provider =
            r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
        let hash = "0".repeat(64);
        let resource = format!(
            r#"[{{ uri = "https://mcp.example", id = "mcp", secret_sha256 = "{hash}", guard = {{ id = "mcp" }} }}]"#
        );
        let flags = vec![
            ("server.issuer", issuer.to_owned()),
            ("server.tls_terminated_in_front", "true".to_owned()),
            ("sign_in.local", "false".to_owned()),
            ("sign_in.providers", provider.to_owned()),
            ("authorization.resources", resource),
            ("token.keys_secret", "only a secret of a test, and long enough".to_owned()),
        ];
        config::load(Sources { dev: true, flags, ..Sources::default() }).unwrap()
    }

    #[test]
    fn authorization_has_no_endpoint_without_a_way_to_sign_in() {
        let mut config = full("https://door.example");
        config.sign_in.providers.clear();
        for path in [paths::TOKEN, paths::INTROSPECT, paths::AUTHORIZATION_SERVER] {
            assert_eq!(at(path, &config), UNKNOWN);
        }
        assert_eq!(at(paths::REGISTER_ALIAS, &config), paths::REGISTER_ALIAS);
    }

    #[test]
    fn the_way_back_from_providers_exists_where_a_provider_is_configured() {
        let mut config = full("https://door.example");
        assert_eq!(at("/oauth2/sign-in/acme", &config), paths::SIGN_IN_RETURN);
        config.sign_in.providers.clear();
        config.sign_in.local = true;
        assert_eq!(at("/oauth2/sign-in/acme", &config), UNKNOWN);
        assert_eq!(at(paths::SIGN_IN, &config), paths::SIGN_IN);
    }

    #[test]
    fn introspection_exists_where_a_resource_has_a_secret() {
        let mut config = full("https://door.example");
        assert_eq!(at(paths::INTROSPECT, &config), paths::INTROSPECT);
        config.authorization.resources[0].id = None;
        assert_eq!(at(paths::INTROSPECT, &config), UNKNOWN);
        assert_eq!(at(paths::TOKEN, &config), paths::TOKEN);
    }

    #[test]
    fn the_path_of_the_issuer_stands_before_endpoints_and_on_either_side_of_well_known_names() {
        for (path, route) in [
            ("/acme/oauth2/token", paths::TOKEN),
            ("/oauth2/token", paths::TOKEN),
            ("/.well-known/oauth-authorization-server/acme", paths::AUTHORIZATION_SERVER),
            ("/.well-known/openid-configuration/acme", paths::OPENID_CONFIGURATION),
            ("/acme/.well-known/openid-configuration", paths::OPENID_CONFIGURATION),
            ("/.well-known/oauth-authorization-server/other", UNKNOWN),
            ("/oauth2/token/acme", UNKNOWN),
            ("/other/oauth2/token", UNKNOWN),
        ] {
            assert_eq!(at(path, &full("https://door.example/acme")), route, "{path}");
        }
    }
}
