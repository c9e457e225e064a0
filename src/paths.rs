//! The paths of the public endpoints, each written once. `server/routes/table.rs` says what answers at them; the metadata
//! documents, pages, and redirects name them from here. All are relative to the issuer.

/// Authorization server metadata (RFC 8414 §3).
pub(crate) const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
/// The same document, where OpenID Connect Discovery §4 looks.
pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The authorization endpoint (RFC 6749 §3.1).
pub(crate) const AUTHORIZE: &str = "/oauth2/authorize";
/// An alias of [`AUTHORIZE`], for clients that do not read metadata.
pub(crate) const AUTHORIZE_ALIAS: &str = "/authorize";
/// Where the consent page sends a person's decision.
pub(crate) const CONSENT: &str = "/oauth2/consent";
/// The documented registration endpoint of Datadog.
pub(crate) const DATADOG_REGISTER: &str = "/api/v2/oauth2/register";
/// A person's connected apps.
pub(crate) const GRANTS: &str = "/oauth2/grants";
/// Forward-auth for Envoy, which appends the path of the request.
pub(crate) const GUARD_ENVOY: &str = "/guard/envoy/{resource}/";
/// The same for every path but `/`.
pub(crate) const GUARD_ENVOY_BELOW: &str = "/guard/envoy/{resource}/{*target}";
/// Forward-auth for Caddy, Traefik, and `HAProxy`.
pub(crate) const GUARD_FORWARDED: &str = "/guard/forwarded/{resource}";
/// Forward-auth for nginx.
pub(crate) const GUARD_NGINX: &str = "/guard/nginx/{resource}";
/// What this server is, for browsers and programs that ask for no endpoint.
pub(crate) const HOME: &str = "/";
/// Token introspection (RFC 7662).
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
/// The public keys (RFC 7517).
pub(crate) const JWKS: &str = "/oauth2/jwks";
/// The description of the interface.
pub(crate) const OPENAPI: &str = "/openapi.json";
/// Protected resource metadata (RFC 9728 §3), for the resource of a host.
pub(crate) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// The same for the resource at a path of a host.
pub(crate) const PROTECTED_RESOURCE_BELOW: &str = "/.well-known/oauth-protected-resource/{*path}";
/// Client registration (RFC 7591 §3).
pub(crate) const REGISTER: &str = "/oauth2/register";
/// An alias of [`REGISTER`], for clients that do not read metadata.
pub(crate) const REGISTER_ALIAS: &str = "/register";
/// What a client registered (RFC 7592 §2).
pub(crate) const REGISTRATION: &str = "/oauth2/register/{client_id}";
/// The same below [`REGISTER_ALIAS`].
pub(crate) const REGISTRATION_ALIAS: &str = "/register/{client_id}";
/// Token revocation (RFC 7009).
pub(crate) const REVOKE: &str = "/oauth2/revoke";
/// Where a person signs in, or chooses a provider.
pub(crate) const SIGN_IN: &str = "/oauth2/sign-in";
/// Where a provider sends people back to.
pub(crate) const SIGN_IN_RETURN: &str = "/oauth2/sign-in/{provider}";
/// Where a person signs out.
pub(crate) const SIGN_OUT: &str = "/oauth2/sign-out";
/// The stylesheet of all pages.
pub(crate) const STYLESHEET: &str = "/oauth2/style.css";
/// The token endpoint (RFC 6749 §3.2).
pub(crate) const TOKEN: &str = "/oauth2/token";
/// An alias of [`TOKEN`], for clients that do not read metadata.
pub(crate) const TOKEN_ALIAS: &str = "/token";

/// The paths that belong to this server, with everything below them: every path above but `/` lies in one. No guarded
/// resource on the same host may overlap them.
pub(crate) const RESERVED: [&str; 9] = [
    "/.well-known",
    "/api",
    "/authorize",
    "/console",
    "/guard",
    "/oauth2",
    "/openapi.json",
    "/register",
    "/token",
];
