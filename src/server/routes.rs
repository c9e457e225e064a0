//! Routes: which row of the table a request belongs to, and what answers where there is none.

mod operator_api;
mod table;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use http::{HeaderValue, Method, Request, StatusCode, header::ALLOW, request::Parts};
use hyper::body::Incoming;
use matchit::Router;

pub(crate) use self::table::From;
use self::table::{Call, ENDPOINTS, Endpoint, Operation, PAGE};
use super::cors;
use crate::{
    app::App,
    client::ProfileName,
    config::Config,
    guard::Guards,
    http::{
        answer::{Response, Shape, refusal},
        request_id::Origin,
    },
    operator::OperatorScope,
    operator_api::Needs,
    pages, paths,
};

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
    /// Whether only operators and people with a token get anything there.
    fn is_for_operators(&self) -> bool {
        let needs = self.endpoint.operations.iter().filter_map(|operation| operation.needs);
        needs.into_iter().any(|needs| needs != Needs::Nothing)
    }

    /// Whether a listener answers there.
    fn is_at(&self, side: Side, config: &Config) -> bool {
        let is_of_api = || self.endpoint.operations.iter().any(|one| one.needs.is_some());
        let is_metadata = || {
            [paths::PROTECTED_RESOURCE, paths::PROTECTED_RESOURCE_BELOW].contains(&self.template)
        };
        match side {
            Side::Public => {
                (config.operator.listen.is_none() || !self.is_for_operators())
                    && (config.guard.listen.is_none() || !self.endpoint.is_for_proxies)
            }
            Side::Operator => is_of_api() || self.template == paths::OPENAPI,
            Side::Guard => self.endpoint.is_for_proxies || is_metadata(),
        }
    }

    pub(super) fn exists(&self, config: &Config) -> bool {
        (self.endpoint.exists)(config)
    }

    /// What it does with these settings.
    pub(super) fn operations(&self, config: &Config) -> &'static [Operation] {
        if (self.endpoint.is_enabled)(config) { self.endpoint.operations } else { &[] }
    }

    /// `Allow` with these settings; it is empty where no method is supported (RFC 9110 §10.2.1).
    fn allow(&self, config: &Config) -> HeaderValue {
        if (self.endpoint.is_enabled)(config) {
            self.allow.clone()
        } else {
            HeaderValue::from_static("")
        }
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
    let endpoints = ENDPOINTS.iter().chain(&operator_api::ENDPOINTS);
    let of_table = endpoints.flat_map(|endpoint| {
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

/// An operation of the operator API, as tests walk them.
#[derive(Clone, Debug)]
pub struct OperatorOperation {
    /// The path, with its parameters in braces.
    pub template: &'static str,
    /// The method.
    pub method: String,
    /// The scope that the operation needs; `None` for one about what a person has authorized.
    pub scope: Option<OperatorScope>,
    /// Whether anyone may call it.
    pub is_public: bool,
}

/// Every operation of the operator API.
pub fn operator_operations() -> impl Iterator<Item = OperatorOperation> {
    let of_route = |route: &'static Route| {
        let operations = route.endpoint.operations.iter();
        operations.filter_map(move |operation| {
            let needs = operation.needs?;
            let scope = match needs {
                Needs::Scope(scope) => Some(scope),
                Needs::Person | Needs::Nothing => None,
            };
            let is_public = needs == Needs::Nothing;
            let method = operation.method.to_string();
            Some(OperatorOperation { template: route.template, method, scope, is_public })
        })
    };
    ROUTES.iter().flat_map(of_route)
}

/// Who is answered at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Everyone, and operators and proxies unless they have a listener of their own.
    Public,
    /// Operators, at the listener of their own.
    Operator,
    /// Proxies with questions to the guard, at the listener of their own.
    Guard,
}

/// The routes that exist with the settings of one server at one of its listeners, by path.
pub(crate) struct Routes(Router<&'static Route>);

impl Routes {
    /// A trailing slash makes another path, and paths are compared byte for byte. Whether a proxy removes the path of
    /// the issuer does not matter; the well-known documents have that path behind their name as well (RFC 8414 §3.1).
    pub(crate) fn new(config: &Config, side: Side) -> Self {
        let mut router = Router::new();
        let issuer_path = config.issuer_path();
        let is_path = |route: &&Route| !LABELS.contains(&route.template);
        let is_there = |route: &&Route| route.exists(config) && route.is_at(side, config);
        for route in ROUTES.iter().filter(is_path).filter(is_there) {
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
    let operations = route.operations(&app.config);
    let operation =
        operations.iter().find(|it| it.any || it.method == head.method || (is_head && it.head));
    match operation {
        Some(operation) => {
            let From { peer, source } = from;
            (operation.handler)(Call { app, guards, peer, source, head, body }).await
        }
        None if route.template == UNKNOWN => not_found(app, &head),
        None if route.is_open_to_scripts()
            && head.method == Method::OPTIONS
            && !operations.is_empty() =>
        {
            cors::preflight(route.allow(&app.config))
        }
        None => method_not_allowed(route, &app.config),
    }
}

fn not_found(app: &App, head: &Parts) -> Response {
    if pages::wants_page(&head.headers) {
        return pages::not_found(&app.config, head);
    }
    let shape = Shape::at(head.uri.path());
    let text = match shape {
        Shape::Errors => "Not found",
        Shape::OAuth => "no endpoint at this path",
    };
    refusal(shape, StatusCode::NOT_FOUND, "invalid_request", text)
}

fn method_not_allowed(route: &Route, config: &Config) -> Response {
    let shape = Shape::at(route.template);
    let text = match shape {
        Shape::Errors => "Method not allowed",
        Shape::OAuth => "this endpoint does not support the method",
    };
    let mut response = refusal(shape, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
    response.headers_mut().insert(ALLOW, route.allow(config));
    response
}
