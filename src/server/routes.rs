//! The public routes, on one page.

use std::net::IpAddr;

use http::{HeaderValue, Method, Request, StatusCode, header::ALLOW};
use hyper::body::Incoming;

use super::{cors, description::description};
use crate::{
    app::App,
    authorization,
    client::ProfileName,
    config::Config,
    discovery,
    http::answer::{self, Response, Shape, refusal},
    pages,
    registration::{Profile, register},
    sign_in, token,
};

/// A place where something is, as logs and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Datadog,
    Rfc7591,
    /// The alias of [`Route::Rfc7591`].
    Register,
    OpenApi,
    AuthorizationServer,
    OpenIdConfiguration,
    Jwks,
    Authorize,
    /// The alias of [`Route::Authorize`].
    AuthorizeAlias,
    Consent,
    Grants,
    SignIn,
    /// Where a provider sends people back to; its last segment names the provider.
    SignedIn,
    SignOut,
    Token,
    /// The alias of [`Route::Token`].
    TokenAlias,
    Revoke,
    Introspect,
    Stylesheet,
    /// Whatever is not there.
    Unknown,
}

impl Route {
    pub(crate) const ALL: [Self; 20] = [
        Self::Datadog,
        Self::Rfc7591,
        Self::Register,
        Self::OpenApi,
        Self::AuthorizationServer,
        Self::OpenIdConfiguration,
        Self::Jwks,
        Self::Authorize,
        Self::AuthorizeAlias,
        Self::Consent,
        Self::Grants,
        Self::SignIn,
        Self::SignedIn,
        Self::SignOut,
        Self::Token,
        Self::TokenAlias,
        Self::Revoke,
        Self::Introspect,
        Self::Stylesheet,
        Self::Unknown,
    ];

    /// The route of a path, which is compared byte for byte: a trailing slash is another path.
    ///
    /// Whether a proxy takes the path of the issuer off
    /// does not matter; the well-known documents have it behind their name, too (RFC 8414 §3.1). What
    /// is not there with these settings is [`Route::Unknown`].
    pub(crate) fn of(path: &str, config: &Config) -> Self {
        let route = match (Self::at(path), config.issuer_path()) {
            (Self::Unknown, issuer_path) if !issuer_path.is_empty() => {
                Self::below_issuer(path, issuer_path)
            }
            (route, _) => route,
        };
        if route.is_there(config) { route } else { Self::Unknown }
    }

    fn below_issuer(path: &str, issuer_path: &str) -> Self {
        if let Some(route) = path.strip_prefix(issuer_path).map(Self::at) {
            return route;
        }
        match path.strip_suffix(issuer_path).map(Self::at) {
            Some(route @ (Self::AuthorizationServer | Self::OpenIdConfiguration)) => route,
            _ => Self::Unknown,
        }
    }

    fn at(path: &str) -> Self {
        match path {
            "/api/v2/oauth2/register" => Self::Datadog,
            "/oauth2/register" => Self::Rfc7591,
            "/register" => Self::Register,
            "/oauth2/token" => Self::Token,
            "/token" => Self::TokenAlias,
            "/oauth2/authorize" => Self::Authorize,
            "/authorize" => Self::AuthorizeAlias,
            "/oauth2/consent" => Self::Consent,
            "/oauth2/grants" => Self::Grants,
            "/oauth2/sign-in" => Self::SignIn,
            "/oauth2/sign-out" => Self::SignOut,
            "/oauth2/introspect" => Self::Introspect,
            "/oauth2/revoke" => Self::Revoke,
            "/oauth2/jwks" => Self::Jwks,
            "/oauth2/style.css" => Self::Stylesheet,
            "/.well-known/oauth-authorization-server" => Self::AuthorizationServer,
            "/.well-known/openid-configuration" => Self::OpenIdConfiguration,
            "/openapi.json" => Self::OpenApi,
            _ => match path.strip_prefix("/oauth2/sign-in/") {
                Some(provider) if !provider.contains('/') => Self::SignedIn,
                _ => Self::Unknown,
            },
        }
    }

    pub(crate) const fn template(self) -> &'static str {
        match self {
            Self::Datadog => "/api/v2/oauth2/register",
            Self::Rfc7591 => "/oauth2/register",
            Self::Register => "/register",
            Self::OpenApi => "/openapi.json",
            Self::AuthorizationServer => "/.well-known/oauth-authorization-server",
            Self::OpenIdConfiguration => "/.well-known/openid-configuration",
            Self::Jwks => "/oauth2/jwks",
            Self::Authorize => "/oauth2/authorize",
            Self::AuthorizeAlias => "/authorize",
            Self::Consent => "/oauth2/consent",
            Self::Grants => "/oauth2/grants",
            Self::SignIn => "/oauth2/sign-in",
            Self::SignedIn => "/oauth2/sign-in/{provider}",
            Self::SignOut => "/oauth2/sign-out",
            Self::Token => "/oauth2/token",
            Self::TokenAlias => "/token",
            Self::Revoke => "/oauth2/revoke",
            Self::Introspect => "/oauth2/introspect",
            Self::Stylesheet => "/oauth2/style.css",
            Self::Unknown => "unknown",
        }
    }

    /// The profile of a registration endpoint.
    pub(crate) const fn profile(self) -> Option<ProfileName> {
        match self {
            Self::Datadog => Some(ProfileName::Datadog),
            Self::Rfc7591 | Self::Register => Some(ProfileName::Rfc7591),
            _ => None,
        }
    }

    /// Whether it is there with these settings: authorization only where people can sign in, the way back from
    /// providers where there are some, introspection where a resource can ask.
    pub(super) fn is_there(self, config: &Config) -> bool {
        match self {
            Self::SignedIn => !config.sign_in.providers.is_empty(),
            Self::Introspect => config.authorizes() && config.introspects(),
            _ => !self.needs_authorization() || config.authorizes(),
        }
    }

    /// Whether it is there only where people can sign in.
    const fn needs_authorization(self) -> bool {
        self.profile().is_none() && !matches!(self, Self::OpenApi | Self::Unknown)
    }

    /// Whether scripts of every origin may read its answers, without credentials: what machines are answered,
    /// never what people are (OAuth 2.1 §3.1, §3.2), nor what is between servers.
    pub(super) const fn is_open_to_scripts(self) -> bool {
        matches!(
            self,
            Self::Datadog
                | Self::Rfc7591
                | Self::Register
                | Self::AuthorizationServer
                | Self::OpenIdConfiguration
                | Self::Jwks
                | Self::Token
                | Self::TokenAlias
                | Self::Revoke
        )
    }

    /// What may be done there.
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Datadog
            | Self::Rfc7591
            | Self::Register
            | Self::Token
            | Self::TokenAlias
            | Self::Revoke => "POST, OPTIONS",
            Self::AuthorizationServer | Self::OpenIdConfiguration | Self::Jwks => {
                "GET, HEAD, OPTIONS"
            }
            Self::OpenApi | Self::Stylesheet => "GET, HEAD",
            // GET takes the sign-in away; whoever only looks must not (RFC 9110 §9.2.1).
            Self::SignedIn => "GET",
            Self::Authorize | Self::AuthorizeAlias | Self::Grants | Self::SignOut => {
                "GET, HEAD, POST"
            }
            Self::Consent | Self::SignIn | Self::Introspect => "POST",
            Self::Unknown => "",
        }
    }
}

/// Hands a request to what answers it.
pub(crate) async fn answer(
    app: &App,
    route: Route,
    source: IpAddr,
    request: Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    match (route, &head.method) {
        (Route::Datadog, &Method::POST) => {
            register(&Profile::DATADOG, app, source, head.headers, body).await
        }
        (Route::Rfc7591 | Route::Register, &Method::POST) => {
            register(&Profile::RFC7591, app, source, head.headers, body).await
        }
        (route, &Method::OPTIONS) if route.is_open_to_scripts() => cors::preflight(route.methods()),
        (Route::OpenApi, &Method::GET | &Method::HEAD) => {
            let described = app.description.get_or_init(|| description(&app.config).into());
            answer::json(StatusCode::OK, described.clone())
        }
        // In a box, so that registrations are not made larger by what others hold.
        (route, _) if route.needs_authorization() => {
            Box::pin(answer_of_authorization(app, route, source, head, body)).await
        }
        (Route::Unknown, _) => not_found(Shape::at(head.uri.path())),
        (route, _) => method_not_allowed(route),
    }
}

/// What is there where people can sign in.
async fn answer_of_authorization(
    app: &App,
    route: Route,
    source: IpAddr,
    head: http::request::Parts,
    body: Incoming,
) -> Response {
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    match (route, is_read, head.method == Method::POST) {
        (Route::AuthorizationServer | Route::OpenIdConfiguration, true, _) => {
            discovery::metadata(app)
        }
        (Route::Jwks, true, _) => discovery::jwks(app),
        (Route::Stylesheet, true, _) => pages::stylesheet(),
        (Route::Authorize | Route::AuthorizeAlias, true, _) => {
            authorization::authorize(app, source, &head, None).await
        }
        (Route::Authorize | Route::AuthorizeAlias, _, true) => {
            authorization::authorize(app, source, &head, Some(body)).await
        }
        (Route::Consent, _, true) => authorization::consent(app, source, &head, body).await,
        (Route::Grants, true, _) => authorization::grants(app, &head).await,
        (Route::Grants, _, true) => authorization::take_back(app, &head, body).await,
        (Route::SignIn, _, true) => sign_in::begin(app, source, &head, body).await,
        (Route::SignedIn, true, _) if head.method == Method::GET => {
            sign_in::finish(app, &head).await
        }
        (Route::SignOut, true, _) => sign_in::ask_to_sign_out(app, &head).await,
        (Route::SignOut, _, true) => sign_in::sign_out(app, &head, body).await,
        (Route::Token | Route::TokenAlias, _, true) => {
            token::token(app, source, &head.headers, body).await
        }
        (Route::Revoke, _, true) => token::revoke(app, source, &head.headers, body).await,
        (Route::Introspect, _, true) => token::introspect(app, source, &head.headers, body).await,
        _ => method_not_allowed(route),
    }
}

fn not_found(shape: Shape) -> Response {
    let text = match shape {
        Shape::Errors => "Not found",
        Shape::OAuth => "there is nothing at this path",
    };
    refusal(shape, StatusCode::NOT_FOUND, "invalid_request", text)
}

fn method_not_allowed(route: Route) -> Response {
    let shape = Shape::at(route.template());
    let text = match shape {
        Shape::Errors => "Method not allowed",
        Shape::OAuth => "this path has no such method",
    };
    let mut response = refusal(shape, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(route.methods()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    #[test]
    fn every_route_is_found_at_its_template() {
        for route in Route::ALL.into_iter().filter(|route| *route != Route::Unknown) {
            assert_eq!(Route::of(route.template(), &full("https://door.example")), route);
        }
        for path in ["/token/", "/oauth2/sign-in/a/b"] {
            assert_eq!(Route::of(path, &full("https://door.example")), Route::Unknown);
        }
    }

    /// The settings of a server that has everything.
    fn full(issuer: &str) -> Config {
        let provider =
            r#"[{ id = "a", name = "A", issuer = "https://a.example", client_id = "c" }]"#;
        let hash = "0".repeat(64);
        let resource =
            format!(r#"[{{ uri = "https://mcp.example", id = "mcp", secret_sha256 = "{hash}" }}]"#);
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
    fn nothing_of_authorization_is_there_where_nobody_can_sign_in() {
        let mut config = full("https://door.example");
        config.sign_in.providers.clear();
        for path in
            ["/oauth2/token", "/oauth2/introspect", "/.well-known/oauth-authorization-server"]
        {
            assert_eq!(Route::of(path, &config), Route::Unknown);
        }
        assert_eq!(Route::of("/register", &config), Route::Register);
    }

    #[test]
    fn the_way_back_from_providers_is_there_where_there_are_some() {
        let mut config = full("https://door.example");
        assert_eq!(Route::of("/oauth2/sign-in/acme", &config), Route::SignedIn);
        config.sign_in.providers.clear();
        config.sign_in.local = true;
        assert_eq!(Route::of("/oauth2/sign-in/acme", &config), Route::Unknown);
        assert_eq!(Route::of("/oauth2/sign-in", &config), Route::SignIn);
    }

    #[test]
    fn introspection_is_there_where_a_resource_can_ask() {
        let mut config = full("https://door.example");
        assert_eq!(Route::of("/oauth2/introspect", &config), Route::Introspect);
        config.authorization.resources[0].introspection = None;
        assert_eq!(Route::of("/oauth2/introspect", &config), Route::Unknown);
        assert_eq!(Route::of("/oauth2/token", &config), Route::Token);
    }

    #[test]
    fn the_path_of_the_issuer_stands_before_endpoints_and_on_either_side_of_well_known_names() {
        for (path, route) in [
            ("/acme/oauth2/token", Route::Token),
            ("/oauth2/token", Route::Token),
            ("/.well-known/oauth-authorization-server/acme", Route::AuthorizationServer),
            ("/.well-known/openid-configuration/acme", Route::OpenIdConfiguration),
            ("/acme/.well-known/openid-configuration", Route::OpenIdConfiguration),
            ("/.well-known/oauth-authorization-server/other", Route::Unknown),
            ("/oauth2/token/acme", Route::Unknown),
            ("/other/oauth2/token", Route::Unknown),
        ] {
            assert_eq!(Route::of(path, &full("https://door.example/acme")), route, "{path}");
        }
    }
}
